"""Puts messages on timelines: ties what is known of each to its incident's lines, in one transaction."""

from __future__ import annotations

from dataclasses import replace

from bot.desk import Desk
from bot.incidents import capturing
from bot.incidents import commands as c
from bot.incidents.capturing import Kept
from bot.incidents.model import Actor, Incident
from bot.store import captures, incidents
from bot.store.tx import Tx


def capture(tx: Tx, desk: Desk, number: str, said: c.Said, *, actor: Actor, via: str, mark: bool = True) -> Incident:
    """Put a message on an incident's timeline.

    Raises:
        Refused: it is there already, or there is no such incident.
    """
    kept = _known(tx, number, said.channel, said.ts)
    seq = kept.seq if kept and not kept.removed else 0
    after = desk.apply(tx, number, c.CaptureMessage(said, actor, via, seq, mark))
    captures.keep(tx.connection, capturing.kept_as(said, number, after.event_seq, actor.id, via))
    return after


def release(tx: Tx, desk: Desk, channel: str, ts: str, *, actor: Actor, via: str) -> list[str]:
    """Take a message off the timelines that somebody had put it on in the same way; gives their incidents."""
    numbers = []
    for number in _of(tx, channel, ts):
        kept = _known(tx, number, channel, ts)
        if kept is None or not kept.is_undone_by(actor.id, via):
            continue
        _release(tx, desk, kept, actor)
        numbers.append(number)
    return numbers


def take_off(tx: Tx, desk: Desk, number: str, channel: str, ts: str, *, actor: Actor, via: str) -> None:
    """Take a message off one timeline, for whoever had put it there in the same way.

    Raises:
        Refused: it is not there, or was put there otherwise.
    """
    kept = capturing.check_undone_by(_known(tx, number, channel, ts), number, actor.id, via)
    _release(tx, desk, kept, actor)


def reword(tx: Tx, desk: Desk, said: c.Said, actor: Actor) -> list[str]:
    """Keep what a message says now on every timeline that it is on; gives their incidents."""
    numbers = []
    for number in _of(tx, said.channel, said.ts):
        kept = _known(tx, number, said.channel, said.ts)
        if kept is None or not kept.is_changed_by(said.raw, said.edited):
            continue
        line = incidents.event(tx.connection, number, kept.seq)
        there = replace(said, source=line.source if line else "")
        after = desk.apply(tx, number, c.RewordMessage(kept.seq, there, actor))
        captures.keep(tx.connection, capturing.reworded(kept, said, after.event_seq))
        numbers.append(number)
    return numbers


def lose(tx: Tx, desk: Desk, channel: str, ts: str) -> list[str]:
    """Note on every timeline that a message is on that it was deleted; gives their incidents."""
    numbers = []
    for number in _of(tx, channel, ts):
        kept = _known(tx, number, channel, ts)
        if kept is None or kept.removed:
            continue
        after = desk.apply(tx, number, c.LoseMessage(kept.seq, channel, ts))
        captures.keep(tx.connection, replace(kept, seq=after.event_seq, removed=True))
        numbers.append(number)
    return numbers


def _release(tx: Tx, desk: Desk, kept: Kept, actor: Actor) -> None:
    marked = captures.is_marked(tx.connection, kept)
    after = desk.apply(tx, kept.number, c.ReleaseMessage(kept.seq, kept.channel, kept.ts, actor, marked))
    captures.keep(tx.connection, replace(kept, seq=after.event_seq, removed=True))


def _of(tx: Tx, channel: str, ts: str) -> list[str]:
    return [kept.number for kept in captures.of_message(tx.connection, channel, ts)]


def _known(tx: Tx, number: str, channel: str, ts: str) -> Kept | None:
    """Look once the incident is ours: of two who do the same at once, the second sees what the first has done."""
    incidents.take(tx.connection, number)
    return captures.find(tx.connection, number, channel, ts)

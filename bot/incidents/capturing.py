"""Messages of a conversation that become lines of the timeline; what becomes of them later supersedes. Pure."""

from __future__ import annotations

import hashlib
from dataclasses import dataclass, replace
from typing import Any

from bot.incidents import commands as c
from bot.incidents.draft import Draft
from bot.incidents.model import Refused

CONFIRMED = "white_check_mark"  # the bot's reaction on a message that is on a timeline
PIN, REACTION, SHORTCUT = "pin", "reaction", "shortcut"
WAYS = {PIN: "a pin", REACTION: "a reaction", SHORTCUT: "the shortcut"}
NO_TEXT = "(no text)"


@dataclass(frozen=True, slots=True)
class Kept:
    """A message that is, or was, on an incident's timeline.

    `seq` is its present line; `by` (a Slack user id) put it there, `via` a pin, a reaction or a shortcut; `digest` is
    of its text as Slack has it; `edited` is the time stamp of its last edit, or empty; `removed` says that it has been
    taken off or deleted.
    """

    number: str
    channel: str
    ts: str
    seq: int
    digest: str
    by: str
    via: str
    edited: str = ""
    removed: bool = False

    def is_undone_by(self, user: str, via: str) -> bool:
        """True where somebody takes back what they have done themselves."""
        return not self.removed and (self.by, self.via) == (user, via)

    def is_changed_by(self, text: str, edited: str) -> bool:
        """True where an edit is news: another text, and no older edit that comes late."""
        older = bool(edited and self.edited) and stamp(edited) <= stamp(self.edited)
        return not self.removed and not older and digest(text) != self.digest


def check_undone_by(kept: Kept | None, number: str, user: str, via: str) -> Kept:
    """Give a message that somebody takes off a timeline, as they had put it there.

    Raises:
        Refused: it is not there, or was put there otherwise.
    """
    if kept is None or kept.removed:
        raise Refused("no_change", f"It is no longer on the timeline of {number}.")
    if kept.is_undone_by(user, via):
        return kept
    way = WAYS.get(kept.via, kept.via)
    if kept.by == user:
        raise Refused("no_change", f"You added it again by {way}. Undo that to take it off.")
    raise Refused("no_change", f"Someone else added it by {way}. Ask them to undo that.")


def digest(text: str) -> str:
    """Give what a text is known by."""
    return hashlib.sha256(text.encode("utf-8", "replace")).hexdigest()


def stamp(ts: str) -> tuple[int, int]:
    """Read Slack's time stamp: whole seconds since the epoch and microseconds; what is none reads as zero."""
    seconds, _, rest = ts.partition(".")
    if not (seconds.isdecimal() and seconds.isascii() and len(seconds) <= 11):
        return 0, 0
    micros = rest[:6].ljust(6, "0")
    return int(seconds), int(micros) if micros.isdecimal() and micros.isascii() else 0


def capture(draft: Draft, command: c.CaptureMessage) -> None:
    """Put a message on the timeline, at the time at which it was written; also after the end."""
    if command.known:
        raise Refused(
            "no_change", f"The message is already on the timeline of {draft.incident.number}: line {command.known}."
        )
    said = command.said
    draft.event(
        "pinned",
        said.text or NO_TEXT,
        actor=command.actor,
        data={**_facts(said), "via": command.via},
        occurred_at=draft.moment(said.at),
        source=said.source,
    )
    if command.mark:
        _react(draft, "react", said.channel, said.ts)


def release(draft: Draft, command: c.ReleaseMessage) -> None:
    """Take a message off the timeline: its line stays, and a later one says so."""
    draft.event(
        "pinned",
        f"Line {command.known} was taken off the timeline",
        actor=command.actor,
        data={"supersedes": command.known, "removed": True, "channel": command.channel, "ts": command.ts},
    )
    if command.marked:
        _react(draft, "unreact", command.channel, command.ts)


def reword(draft: Draft, command: c.RewordMessage) -> None:
    """Keep what a message says now, beside what it has said."""
    said = command.said
    draft.event(
        "pinned",
        said.text or NO_TEXT,
        actor=command.actor,
        data={**_facts(said), "supersedes": command.known, "edited": True},
        occurred_at=draft.moment(said.at),  # it stands where the message stands
        source=said.source,
    )


def lose(draft: Draft, command: c.LoseMessage) -> None:
    """Note that a message was deleted; what it said stays."""
    draft.event(
        "pinned",
        f"The message of line {command.known} was deleted",
        data={"supersedes": command.known, "deleted": True, "channel": command.channel, "ts": command.ts},
    )


def kept_as(said: c.Said, number: str, seq: int, by: str, via: str) -> Kept:
    """Give what is to be remembered of a message that was put on a line."""
    return Kept(number, said.channel, said.ts, seq, digest(said.raw), by, via, said.edited)


def reworded(kept: Kept, said: c.Said, seq: int) -> Kept:
    """Give what is to be remembered of it after an edit."""
    return replace(kept, seq=seq, digest=digest(said.raw), edited=said.edited or kept.edited)


def _facts(said: c.Said) -> dict[str, Any]:
    author = {"id": said.author.id, "name": said.author.name}
    return {"author": author, "channel": said.channel, "ts": said.ts, "text": said.text}


def _react(draft: Draft, kind: str, channel: str, ts: str) -> None:
    draft.deliver(kind, "reactions", data={"channel": channel, "ts": ts, "name": CONFIRMED})

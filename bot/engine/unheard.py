"""Finds what Alertmanager holds active for our receivers and never reached us, and takes it in.

"An alert that nobody hears of" may be a wrong token, a body that was refused, or a route that was cut: it says nothing,
so that only asking finds it. What has lasted goes the way of a notification, under the group that it belongs to where
that is known: rules, storms and ladders hold for it, and the notification, should it come, is a repeat.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Collection, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Protocol

import structlog

from bot import telemetry
from bot.incidents import commands as c
from bot.incidents.flagging import names
from bot.incidents.model import SYSTEM, Alert, Delivery, Incident
from bot.incidents.reconcile import OVER, Look, Reported, is_later
from bot.incidents.sources import kind_of
from bot.incidents.unheard import (
    DEFAULT_RECEIVERS,
    OURS_FOR,
    best_key,
    found_text,
    note_text,
    over_text,
    own_key,
    unheard,
)
from bot.store import unheard as store_unheard
from bot.store.audit import Ours
from bot.store.tx import Store, Tx
from bot.store.unheard import Row, State
from bot.text import clean

log = structlog.get_logger()

AT_ONCE = 500  # alerts that one look takes in; the rest comes with the next
_NUMBER = re.compile(r"INC-[0-9]{8}-[0-9]+")
NO_NEWS = ("recorded", "nothing new", "repeat of")


class Desk(Protocol):
    """Where findings go."""

    def apply(self, tx: Tx, number: str, command: c.Command) -> Incident:
        """Do what a command asks of an incident."""
        ...

    def post(self, tx: Tx, scope: str, delivery: Delivery) -> None:
        """Put a delivery that belongs to no incident into the outbox."""
        ...


# Takes alerts of a source in under a group's key, as a notification does, and returns what became of them.
TakeIn = Callable[[Tx, str, str, Sequence[Alert]], str]


@dataclass(frozen=True, slots=True)
class _Seen:
    """One look at a source: what is missing, what it holds at all, and what is known of it."""

    source: str
    missing: Mapping[str, Reported]
    held: frozenset[str]
    rows: Mapping[str, Row]
    receivers: frozenset[str]
    is_whole: bool

    @property
    def gone(self) -> list[str]:
        """What waited, and has come, has ended, or is silenced."""
        waited = [f for f, row in self.rows.items() if row.state is State.WAITING and f not in self.missing]
        return [fingerprint for fingerprint in waited if self.is_whole or fingerprint in self.held]

    @property
    def over(self) -> list[str]:
        """What was told, and has come since or has ended at the source."""
        told = [row for row in self.rows.values() if row.state is not State.WAITING]
        return [row.fingerprint for row in told if row.heard_at or (row.fingerprint not in self.held and self.is_whole)]


class Unheard:
    """Looks for alerts that never came. `receivers` are ours; without any, those from which notifications have come."""

    def __init__(
        self, store: Store, desk: Desk, take_in: TakeIn, flag_after: timedelta, receivers: Collection[str] = ()
    ) -> None:
        self._store = store
        self._desk = desk
        self._take = take_in
        self._flag_after = flag_after
        self._receivers = frozenset(receivers)

    async def compare(self, source: str, look: Look, ours: Sequence[Ours], now: datetime) -> None:
        """Compare what a source holds active with what has come of it.

        Raises:
            DatabaseUnavailable: not everything was compared.
        """
        seen = await self._see(source, look, ours, now)
        new = [alert for fingerprint, alert in seen.missing.items() if fingerprint not in seen.rows]
        if new or seen.gone:
            await self._store.write(lambda tx: self._note(tx, seen, new))
        lasting = [
            seen.missing[fingerprint]
            for fingerprint, row in seen.rows.items()
            if row.state is State.WAITING and fingerprint in seen.missing and now - row.first_at >= self._flag_after
        ]
        if lasting:
            told = await self._store.write(lambda tx: self._take_in(tx, seen, lasting[:AT_ONCE]))
            for state, count in told.items():
                telemetry.FLAGS.labels(kind_of(source), "unheard" if state is State.TOLD else "unheard_recorded").inc(
                    count
                )
        if seen.over:
            await self._store.write(lambda tx: self._take_back(tx, seen))

    async def _see(self, source: str, look: Look, ours: Sequence[Ours], now: datetime) -> _Seen:
        known, receivers = await self._store.read(
            lambda connection: (
                store_unheard.rows(connection, source),
                self._receivers or store_unheard.receivers_of(connection, source, now - OURS_FOR) or DEFAULT_RECEIVERS,
            )
        )
        missing = unheard(look.reported, receivers, _firing(look, ours))
        if new := missing.keys() - known.keys():
            ended = await self._store.read(lambda connection: store_unheard.ended(connection, source, new))
            missing = {
                f: alert for f, alert in missing.items() if f not in ended or is_later(alert, ended[f]) or f in known
            }
        held = frozenset(alert.fingerprint for alert in look.reported)
        return _Seen(source, missing, held, known, frozenset(receivers), not look.problems)

    def _note(self, tx: Tx, seen: _Seen, new: Sequence[Reported]) -> None:
        store_unheard.begin(tx.connection, seen.source, new, tx.now)
        store_unheard.forget(tx.connection, seen.source, seen.gone)

    def _take_in(self, tx: Tx, seen: _Seen, lasting: Sequence[Reported]) -> dict[State, int]:
        """Take in what has lasted, as if its notification had come, and tell the operators; once over all replicas."""
        rows = store_unheard.take(tx.connection, seen.source, {alert.fingerprint for alert in lasting})
        waiting = [alert for alert in lasting if alert.fingerprint in rows and not rows[alert.fingerprint].heard_at]
        groups = self._grouped(tx, seen, waiting)
        told: list[Alert] = []
        done: list[str] = []
        quiet = 0
        for key, alerts in sorted(groups.items()):
            outcome = self._take(tx, seen.source, key, alerts)
            fingerprints = [alert.fingerprint for alert in alerts]
            if outcome.startswith(NO_NEWS):
                quiet += len(alerts) if outcome == "recorded" else 0
                store_unheard.settle(tx.connection, seen.source, fingerprints, State.QUIET)
                continue
            store_unheard.settle(tx.connection, seen.source, fingerprints, State.TOLD)
            told += alerts
            done.append("posted for triage" if outcome == "triage" else outcome)
            for number in sorted(set(_NUMBER.findall(outcome))):
                note = note_text(seen.source, names(alerts))
                self._desk.apply(tx, number, c.AddNote(note, SYSTEM))
        if told:
            since = min(rows[alert.fingerprint].first_at for alert in told)
            receivers = sorted({name for a in waiting for name in a.receivers if name in seen.receivers})
            text = found_text(
                seen.source,
                names(told),
                count=len(told),
                receivers=receivers,
                done=list(dict.fromkeys(done))[:10],
                since=since,
                quiet=quiet,
            )
            log.error("alerts_never_came", source=seen.source, alerts=names(told), done=done[:10])
            self._tell(tx, f"{told[0].fingerprint}:{int(tx.now.timestamp())}", text)
        return {State.TOLD: len(told), State.QUIET: quiet}

    def _grouped(self, tx: Tx, seen: _Seen, waiting: Sequence[Reported]) -> dict[str, list[Alert]]:
        """Sort alerts by the group that they belong to, without those that their group said it leaves out."""
        known = dict(store_unheard.keys(tx.connection, seen.source)) if waiting else {}
        groups: dict[str, list[Alert]] = {}
        for alert in waiting:
            best = best_key(known, alert.labels)
            if best and known[best]:  # `max_alerts`: the card counts it
                continue
            key = best or own_key(alert, seen.receivers)
            groups.setdefault(key, []).append(_alert(seen.source, key, alert))
        return groups

    def _take_back(self, tx: Tx, seen: _Seen) -> None:
        over = store_unheard.forget(tx.connection, seen.source, seen.over)
        rows = [row for fingerprint, row in seen.rows.items() if fingerprint in over and row.state is State.TOLD]
        heard, ended = (
            names([_of_row(seen.source, row) for row in rows if (row.heard_at is not None) is came])
            for came in (True, False)
        )
        if rows:
            key = f"{rows[0].fingerprint}:{int(tx.now.timestamp())}:over"
            self._tell(tx, key, over_text(seen.source, heard, ended))

    def _tell(self, tx: Tx, key: str, text: str) -> None:
        delivery = Delivery("operators", "operators", "operators", {"text": text})
        self._desk.post(tx, f"operators:unheard:{key}", delivery)


def _firing(look: Look, ours: Sequence[Ours]) -> frozenset[str]:
    """Return the fingerprints of what fires with us, but for what began anew after its incident was over."""
    by_labels = {frozenset(alert.labels.items()): alert for alert in look.reported if alert.labels}
    by_fingerprint = {alert.fingerprint: alert for alert in look.reported}
    found = set()
    for row in (row.held for row in ours if row.held.is_open):
        there = by_fingerprint.get(row.fingerprint) or by_labels.get(frozenset(row.labels.items()))
        if there is not None and not (row.incident_status in OVER and is_later(there, row.begun_at)):
            found.add(there.fingerprint)
    return frozenset(found)


def _alert(source: str, key: str, alert: Reported) -> Alert:
    return Alert(
        source=source,
        group_key=key,
        fingerprint=alert.fingerprint,
        name=clean(alert.labels.get("alertname", "Alert"), 200),
        labels=alert.labels,
        annotations=alert.annotations,
        starts_at=alert.starts_at,
        ends_at=None,
        url=alert.url,
    )


def _of_row(source: str, row: Row) -> Alert:
    return Alert(source, "", row.fingerprint, clean(row.labels.get("alertname", "Alert"), 200), row.labels)

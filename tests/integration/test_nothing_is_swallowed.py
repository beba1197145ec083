"""Any alerts in any order, with lost ends, lost lines and late copies: each that fires is somewhere that people see.

A naive model of what a person must have heard stands beside the service's own reception, on a real database.
"""

from __future__ import annotations

import asyncio
import json
import os
import random
import tempfile
import zlib
from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from pathlib import Path
from typing import Any, TypeVar

import pytest
from sqlalchemy import select

from bot.config import Config
from bot.desk import Desk
from bot.engine.unmanned import UnmannedEngine
from bot.incidents import commands as c
from bot.incidents.intake import Then, judge, rule_for
from bot.incidents.model import Actor, Alert, Incident, TimerKind
from bot.incidents.policy import Severity
from bot.incidents.storm import FlapPolicy
from bot.intake import Intake, Read
from bot.judging import Judge
from bot.reception import Reception
from bot.store import incidents, triage
from bot.store.alerts import group_of
from bot.store.database import Database, open_store
from bot.store.tables import alert_groups, alerts, deliveries
from bot.store.tx import Tx
from bot.triage import Filled, Triage
from handlers.webhooks import alertmanager
from tests.migrated import put
from tests.unit.incidents.story import START

T = TypeVar("T")
RULES = Config().rules
ALICE = Actor("human", "U1", "Alice")
# What wakes or catches somebody's eye; edits and the topic do not.
LOUD = ("channel", "thread", "notification", "page", "alerts_joined", "say", "triage", "triage_storm")


@dataclass(frozen=True)
class Sent:
    """An alert as its rule has it, and the group keys under which routes send it."""

    name: str
    labels: tuple[tuple[str, str], ...]
    keys: tuple[str, ...]

    @property
    def fingerprint(self) -> str:
        return f"{self.name}-{zlib.crc32(repr(self.labels).encode()):08x}"

    @property
    def facts(self) -> dict[str, str]:
        return {"alertname": self.name, **dict(self.labels)}


def made(name: str, *keys: str, **labels: str) -> Sent:
    return Sent(name, tuple(sorted(labels.items())), keys)


# Pods of one service, a route by namespace that mixes services, a route that was changed, words for severities.
UNIVERSE: tuple[Sent, ...] = (
    *(made("Down", "down", service="checkout", pod=f"p{n}", severity="critical") for n in range(2)),
    made("Slow", "shop", service="checkout", namespace="shop", severity="critical"),
    made("DbDown", "shop", "db", service="postgres", namespace="shop", severity="critical"),
    made("DbGone", "shop", service="postgres", namespace="shop", severity="P1"),
    made("Fills", "disk", service="orders", severity="warning"),
    made("Fills", "disk", service="orders", severity="page"),
    made("Odd", "disk", service="orders"),
    made("Watchdog", "dog", severity="none"),
)
KEYS = sorted({key for sent in UNIVERSE for key in sent.keys})
# Every seed tells the same stories again. SITREP_STORIES=1000 looks for more.
SEEDS, STORIES = 6, int(os.environ.get("SITREP_STORIES", "8"))
MINUTES = (1, 4, 6, 11, 31, 600, 3000)


class HandClock:
    """A clock that the model turns."""

    moves = True
    offset = timedelta()

    def __init__(self) -> None:
        self.moment = START

    def now(self) -> datetime:
        return self.moment


class Reality:
    """What fires, what was told of it, and what people did."""

    def __init__(self) -> None:
        self.folder = tempfile.TemporaryDirectory()
        url = f"sqlite:///{Path(self.folder.name) / 'sitrep.db'}"
        put(url)
        self.clock = HandClock()
        self.store: Database = open_store(url, self.clock)
        self.loop = asyncio.new_event_loop()
        self.desk = Desk(UnmannedEngine(), Config().policy)
        reception = Reception(self.desk, RULES)
        self.judge = Judge(RULES)
        self.intake = Intake(self.store, reception)
        self.triage = Triage(self.desk, reception)
        self.since: dict[int, datetime] = {}  # what fires, and its start as its source tells it
        self.ended: dict[str, set[int]] = {key: set() for key in KEYS}  # ends that are still to be told
        self.known: dict[int, datetime] = {}  # the starts that were told
        self.last: dict[int, datetime] = {}  # the starts of what is over
        self.begun: list[tuple[int, datetime]] = []

    def close(self) -> None:
        self.loop.run_until_complete(self.store.close())
        self.loop.close()
        self.folder.cleanup()

    # -- what happens ------------------------------------------------------------------------------------------------

    def time_passes(self, pick: int) -> None:
        """Every timer fires when it is due."""
        until = self.clock.moment + timedelta(minutes=MINUTES[pick % len(MINUTES)])
        while True:
            armed = [(due, number) for number, due in self.read(incidents.armed) if due <= until]
            if not armed:
                break
            due, number = min(armed)
            self.clock.moment = max(self.clock.moment, due)
            self.write(lambda tx, number=number: self.desk.fire_timers(tx, number))
        self.clock.moment = until

    def begins(self, pick: int) -> None:
        """An alert begins; one time in four nothing tells of it yet."""
        which = one(set(range(len(UNIVERSE))) - self.since.keys(), pick)
        if which is None:
            return
        self._begin(which)
        for key in UNIVERSE[which].keys:
            self.ended[key].discard(which)
            if pick % 4:
                self.notify(key)

    def begins_anew_without_an_end(self, pick: int) -> None:
        """It was over and fires again while nothing was told: only the new start shows that."""
        which = one(self.since, pick)
        if which is not None:
            self._begin(which)
            for key in UNIVERSE[which].keys:
                self.notify(key)

    def _begin(self, which: int) -> None:
        self.since[which] = self.clock.now()
        self.begun.append((which, self.clock.now()))

    def ends(self, pick: int) -> None:
        """An alert ends; one time in four nothing tells of it yet."""
        which = one(self.since, pick)
        if which is None:
            return
        self.last[which] = self.since.pop(which)
        for key in UNIVERSE[which].keys:
            self.ended[key].add(which)
            if pick % 4:
                self.notify(key)

    def is_told_again(self, pick: int) -> None:
        self.notify(KEYS[pick % len(KEYS)])

    def an_end_is_lost(self, pick: int) -> None:
        """Alertmanager was restarted, or a silence began: nothing is said of what is over."""
        self.ended[KEYS[pick % len(KEYS)]].clear()

    def the_line_is_lost(self, pick: int) -> None:
        """Alertmanager takes it for over though it fires; the next notification brings its old start."""
        which = one(self.since, pick)
        if which is not None:
            self.begun.append((which, self.clock.now()))  # it will have, for whoever is told
            for key in UNIVERSE[which].keys:
                self.send(key, [], [which])

    def a_peer_is_late(self, pick: int) -> None:
        """A copy of what is over comes after its end, and its own end follows."""
        which = one(self.last.keys() - self.since.keys(), pick)
        if which is not None:
            self.begun.append((which, self.clock.now()))
            key = UNIVERSE[which].keys[0]
            self.send(key, [(which, self.last[which])], [], is_late=True)
            self.send(key, [], [which])

    # -- what people do ----------------------------------------------------------------------------------------------

    def somebody_acts(self, pick: int) -> None:
        """Somebody acknowledges, resolves or cancels an open incident."""
        found = [incident for incident in self.incidents() if incident.status.is_open]
        if not found:
            return
        incident = found[pick % len(found)]
        asked = (c.Acknowledge(ALICE), c.Acknowledge(ALICE), c.Resolve(ALICE, "Done"), c.Cancel(ALICE))
        command = asked[pick // 7 % len(asked)]
        if not (isinstance(command, c.Acknowledge) and incident.acknowledged_at):
            self.write(lambda tx: self.desk.apply(tx, incident.number, command))

    def somebody_decides(self, pick: int) -> None:
        """Somebody accepts or declines what waits for a look."""
        waiting = self.waiting()
        if not waiting:
            return
        scope = waiting[pick % len(waiting)]
        if pick // 7 % 2:
            filled = Filled("From triage", Severity.SEV3)
            self.write(lambda tx: self.triage.accept(tx, scope, filled, ALICE))
        else:
            self.write(lambda tx: self.triage.decline(tx, scope, "Known", ALICE))

    # -- the sender --------------------------------------------------------------------------------------------------

    def notify(self, key: str) -> None:
        """Tell what fires under a key, and what has ended since the last time."""
        firing = [(which, start) for which, start in self.since.items() if key in UNIVERSE[which].keys]
        ended, self.ended[key] = sorted(self.ended[key]), set()
        if firing or ended:
            self.send(key, firing, ended)

    def send(
        self, key: str, firing: Sequence[tuple[int, datetime]], ended: Sequence[int], *, is_late: bool = False
    ) -> None:
        now = self.clock.now()
        body = {
            "version": "4",
            "groupKey": f'{{}}:{{route="{key}"}}',
            "status": "firing" if firing else "resolved",
            "receiver": "sitrep",
            "alerts": [
                *(_body(UNIVERSE[which], start) for which, start in firing),
                *(_body(UNIVERSE[which], self.since.get(which) or self.last[which], now) for which in ended),
            ],
        }
        before = {incident.number: incident for incident in self.incidents()}
        loud = self.loud()
        raw = json.dumps(body).encode()
        self.loop.run_until_complete(self.intake.take(Read.of(alertmanager.read(raw)), raw))
        for which, start in firing:
            new = self.known.get(which) != start
            self.told_before = set(self.known)
            self.known[which] = start
            self.heard_of(which, before, was_silent=self.loud() == loud, new=new and not is_late)

    # -- what must hold ----------------------------------------------------------------------------------------------

    def heard_of(self, which: int, before: dict[str, Incident], *, was_silent: bool, new: bool) -> None:
        """Hold that an alert which fires is where people see it, and that somebody has heard of it."""
        sent = UNIVERSE[which]
        alert = Alert("alertmanager", "", sent.fingerprint, sent.name, sent.facts)
        named, verdict = rule_for(alert, RULES), judge([alert], RULES)
        if verdict.then is Then.RECORD:
            assert named is not None, "only a rule silences"
            return
        rows = self.read(
            lambda connection: (
                connection.execute(
                    select(alerts.c.opened_at, alert_groups, alerts.c.incident_id.label("belongs_to"))
                    .join(alert_groups, alert_groups.c.id == alerts.c.group_id)
                    .where(alerts.c.fingerprint == sent.fingerprint, alerts.c.closed_at.is_(None))
                )
                .mappings()
                .all()
            )
        )
        assert len(rows) == 1, f"{sent.name} is shown {len(rows)} times"
        (row,) = rows
        if row["belongs_to"] is None:
            scope = triage.scope_of(group_of(row))
            assert scope is not None, f"{sent.name} is shown nowhere"
            assert self.read(lambda connection: _asked(connection, scope)), f"{sent.name}: no message asks for a look"
            group = {w for w in self.since if set(UNIVERSE[w].keys) & set(sent.keys)}  # declined as one
            other_start = self.last.get(which) != self.since.get(which)  # else it never stopped, as its source says
            begins_anew = new and which in self.told_before and group == {which} and other_start
            begins_anew = begins_anew and not self.flaps(which)
            assert not (begins_anew and was_silent), f"{sent.name} begins anew, and nobody is asked"
            return
        incident = next(i for i in self.incidents() if self.id_of(i) == row["belongs_to"])
        if not incident.status.is_open:
            still_fires = incident.resolved_at is None or row["opened_at"] <= incident.resolved_at
            held = any(timer.kind is TimerKind.FLAP_HOLD for timer in incident.timers)
            assert still_fires or held, f"{sent.name} fires again under {incident.number}, which is over"
            return
        if verdict.then is not Then.DECLARE:
            return
        assert incident.severity.value <= verdict.severity.value, f"{sent.name} is worse than {incident.number}"
        was = before.get(incident.number)
        knew = was is not None and was.status.is_open and not was.heard.unknown(self.judge.joined([alert]))
        waits = any(timer.kind is TimerKind.ALERT_DIGEST and timer.level for timer in incident.timers)
        assert not (new and was_silent) or knew or waits, f"nobody has heard of {sent.name}"

    def flaps(self, which: int) -> bool:
        """Tell whether an alert has begun so often within an hour that it is held back."""
        since = self.clock.now() - timedelta(hours=1)
        return sum(each == which and moment > since for each, moment in self.begun) > FlapPolicy().over

    # -- looking -----------------------------------------------------------------------------------------------------

    def read(self, work: Callable[[Any], T]) -> T:
        return self.loop.run_until_complete(self.store.read(work))

    def write(self, work: Callable[[Tx], T]) -> T:
        return self.loop.run_until_complete(self.store.write(work))

    def incidents(self) -> list[Incident]:
        return [
            i for _, i in self.read(lambda connection: incidents.page(connection, limit=200, before=None, status=None))
        ]

    def id_of(self, incident: Incident) -> int | None:
        return self.read(lambda connection: incidents.identity(connection, incident.number))

    def loud(self) -> int:
        query = select(deliveries.c.id).where(deliveries.c.kind.in_(LOUD))
        return len(self.read(lambda connection: connection.execute(query).all()))

    def waiting(self) -> list[str]:
        def look(connection: Any) -> list[str]:
            groups = [group_of(row) for row in connection.execute(select(alert_groups)).mappings()]
            scopes = dict.fromkeys(scope for group in groups if (scope := triage.scope_of(group)))
            return [s for s in scopes if any(member.waits for member in triage.members(connection, s))]

        return self.read(look)


def one(among: Iterable[int], pick: int) -> int | None:
    found = sorted(among)
    return found[pick // 4 % len(found)] if found else None


def _asked(connection: Any, scope: str) -> bool:
    query = select(deliveries.c.id).where(
        deliveries.c.scope == scope, deliveries.c.kind.in_(["triage", "triage_storm"])
    )
    return connection.execute(query).first() is not None


def _body(sent: Sent, start: datetime, ended: datetime | None = None) -> dict[str, Any]:
    return {
        "status": "resolved" if ended else "firing",
        "labels": sent.facts,
        "annotations": {"summary": f"{sent.name} says so"},
        "startsAt": start.isoformat(),
        "endsAt": ended.isoformat() if ended else "0001-01-01T00:00:00Z",
        "generatorURL": "",
        "fingerprint": sent.fingerprint,
    }


HAPPENS = (
    *(Reality.begins, Reality.begins, Reality.time_passes, Reality.time_passes, Reality.ends, Reality.is_told_again),
    *(Reality.begins_anew_without_an_end, Reality.an_end_is_lost, Reality.the_line_is_lost, Reality.a_peer_is_late),
    *(Reality.somebody_acts, Reality.somebody_decides),
)


@pytest.mark.parametrize("seed", range(SEEDS))
def test_no_alert_that_fires_is_swallowed(seed: int) -> None:
    """After each notification all that fires is on a card, in a message that asks for a look, or silenced by a rule."""
    chance = random.Random(seed)
    for _ in range(STORIES):
        reality = Reality()
        try:
            for _ in range(chance.randint(12, 40)):
                chance.choice(HAPPENS)(reality, chance.randint(0, 999))
        finally:
            reality.close()

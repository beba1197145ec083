"""Incidents as rows, in bulk: one is lived through with the product's own functions, and its rows are copied."""

from __future__ import annotations

import json
import tempfile
import uuid
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, replace
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

from sqlalchemy import Connection, bindparam, func, insert, select, text, update

from bot.config import Config
from bot.desk import Desk
from bot.engine.unmanned import UnmannedEngine
from bot.incidents import commands as c
from bot.incidents.model import Actor, Event, Person, Status, TimerKind
from bot.incidents.policy import DEFAULT_SEVERITIES, Level, Policy
from bot.incidents.rooms import prefix_of
from bot.migrate import migrate
from bot.reception import Reception
from bot.store import deliveries, inbox, incidents
from bot.store.deliveries import State
from bot.store.sqlite import connect
from bot.store.tables import metadata
from bot.store.tx import Tx
from handlers.webhooks import alertmanager
from tests.bench.bodies import CRITICAL

ALICE = Actor("human", "U00000002", "alice")
LADDER = tuple(
    Level(name, hours * 3600, (f"{who}@example.com",))
    for hours, (name, who) in enumerate(
        [("On-call SRE", "alice"), ("SRE Team Lead", "bob"), ("Engineering Manager", "charlie"), ("VP", "dana")]
    )
)
POLICY = Policy({severity: replace(row, ladder=LADDER) for severity, row in DEFAULT_SEVERITIES.items()})
TABLES = ("incidents", "events", "timers", "alert_groups", "alerts", "deliveries", "inbox")
BEFORE = timedelta(minutes=12)  # from the last update to the reminder, in an interval of 15 minutes
A_DAY = 200  # closed incidents of one day
CHUNK = 500  # incidents written at a time

Rows = dict[str, list[dict[str, Any]]]


class Life:
    """One incident, lived through in a database of its own."""

    def __init__(self, connection: Connection, begun: datetime) -> None:
        self.now = begun
        self._connection = connection
        self._desk = Desk(UnmannedEngine(), POLICY)
        self._reception = Reception(self._desk, Config().rules)
        self.number = ""

    def open(self) -> None:
        """An alert fires, everything is shown in Slack."""
        self.hear(CRITICAL)
        self.number = str(self._connection.execute(select(metadata.tables["incidents"].c.number)).scalar_one())
        self.deliver()

    def hear(self, body: str) -> None:
        tx, raw = self._tx(), body.encode()
        outcome = self._reception.alertmanager(tx, alertmanager.read(raw))
        inbox.keep_all(self._connection, "alertmanager", [(raw, outcome)], tx.now)

    def do(self, command: c.Command) -> None:
        self._desk.apply(self._tx(), self.number, command)
        self.deliver()

    def deliver(self) -> None:
        """Say of every delivery that it has arrived, in the order of the rows."""
        while waiting := deliveries.unfinished(self._connection, self.number):
            for row in waiting:
                tx = self._tx()
                result = RESULTS.get(row.kind, {"channel": "C00000001", "ts": f"{tx.now.timestamp():.6f}"})
                deliveries.claim(self._connection, row, "bench", tx.now)
                deliveries.finish(self._connection, row, State.DELIVERED, tx.now, result=result)
                if row.kind in RESULTS:
                    told = c.Delivered(row.kind, row.slot, dict(result), dict(row.data))
                    self._desk.apply(tx, self.number, told)

    def end(self) -> None:
        """The rest of an incident that lasts half an hour."""
        self.do(c.Acknowledge(ALICE))
        self.do(c.AssignRole(Person(ALICE.id, ALICE.name), ALICE))
        for text_ in ("The pool is exhausted; looking for the leak.", "The leak is found; rolling back."):
            self.now += timedelta(minutes=10)
            self.do(c.PostUpdate(text_, ALICE, eta="20 min"))
        self.now += timedelta(minutes=10)
        body = json.loads(CRITICAL)
        for alert in body["alerts"]:
            alert |= {"status": "resolved", "endsAt": self.now.isoformat()}
        self.hear(json.dumps(body | {"status": "resolved"}))
        self.do(c.Resolve(ALICE, "Rolled back to 4.2.0.", "A connection leak in 4.2.1", "Rolled back"))
        self.do(c.SetStatus(Status.CLOSED, ALICE))

    def _tx(self) -> Tx:
        self.now += timedelta(milliseconds=50)
        return Tx(self._connection, self.now)


ABOUT = "high-error-rate-on-checkout"  # what the channels' names say behind the number
RESULTS: Mapping[str, dict[str, Any]] = {
    "channel": {"channel": "C00000001", "name": f"incident-20200101-001-{ABOUT}"},
    "runbook": {
        "channel": "C00000001",
        "ts": "1577836800.000001",
        "runbook_id": "ops.api-error-rate",
        "version": "1.0.0",
        "reason": "it lists the alert's name",
    },
    "notification": {"channel": "C00000001", "ts": "1577836800.000002", "people": ["alice"]},
}


@dataclass(frozen=True)
class Template:
    """The rows of one incident, to be copied."""

    rows: Rows

    @classmethod
    def of(cls, play: Callable[[Life], None]) -> Template:
        """Live an incident through and take its rows."""
        with tempfile.TemporaryDirectory(prefix="sitrep-bench-") as folder:
            url = f"sqlite:///{Path(folder) / 'template.db'}"
            migrate(url)
            engine = connect(url, begin="BEGIN IMMEDIATE")
            with engine.begin() as connection:
                play(Life(connection, datetime.now(UTC).replace(microsecond=0)))
                rows = {
                    name: [dict(row) for row in connection.execute(select(metadata.tables[name])).mappings()]
                    for name in TABLES
                }
            engine.dispose()
        return cls(rows)

    def copy(self, connection: Connection, numbers: Sequence[tuple[str, timedelta]], channels: Sequence[str]) -> None:
        """Write a copy under each number, moved in time; the channels are those that the workspace knows them by."""
        base = {name: int(connection.execute(select(func.max(_id(name)))).scalar() or 0) for name in WITH_ID}
        for start in range(0, len(numbers), CHUNK):
            written: Rows = {name: [] for name in TABLES}
            for offset, (number, shift) in enumerate(numbers[start : start + CHUNK], start=start):
                for name, rows in self._one(base, offset, number, shift, channels[offset]).items():
                    written[name] += rows
            for name, rows in written.items():
                if rows:
                    connection.execute(insert(metadata.tables[name]), rows)
        if connection.dialect.name == "postgresql":
            for name in WITH_ID:
                connection.execute(
                    text(f"SELECT setval(pg_get_serial_sequence('{name}', 'id'), (SELECT max(id) FROM {name}))")  # noqa: S608
                )

    def _one(self, base: Mapping[str, int], offset: int, number: str, shift: timedelta, channel: str) -> Rows:
        """Give one copy's rows: ids counted on, names made its own, moments moved."""
        sizes = {name: len(self.rows[name]) for name in WITH_ID}
        whose = {"incident_id": "incidents", "group_id": "alert_groups"}

        def id_of(name: str, old: int) -> int:
            return base[name] + offset * sizes[name] + old

        def fresh(name: str, row: Mapping[str, Any]) -> dict[str, Any]:
            new = {key: value + shift if isinstance(value, datetime) else value for key, value in row.items()}
            if name in WITH_ID:
                new["id"] = id_of(name, row["id"])
            for column, other in whose.items():
                if row.get(column) is not None:
                    new[column] = id_of(other, row[column])
            own = {
                "incidents": {"number": number, "channel_id": channel, "channel_name": f"{prefix_of(number)}-{ABOUT}"},
                "alert_groups": {"group_key": f"{row.get('group_key')}/{number}", "group_hash": uuid.uuid4().hex * 2},
                "deliveries": {"scope": number},
                "inbox": {"receipt": str(uuid.uuid4())},
            }
            return new | own.get(name, {})

        return {name: [fresh(name, row) for row in rows] for name, rows in self.rows.items()}


WITH_ID = ("incidents", "alert_groups", "alerts", "deliveries", "inbox")


def _id(name: str) -> Any:
    return metadata.tables[name].c.id


def _yesterday() -> str:
    return f"INC-{datetime.now(UTC) - timedelta(days=1):%Y%m%d}"


def closed(connection: Connection, count: int) -> None:
    """Write closed incidents, the newest of them yesterday's."""

    def play(life: Life) -> None:
        life.open()
        life.end()

    template = Template.of(play)
    today = datetime.now(UTC)
    days = [today - timedelta(days=1 + n // A_DAY) for n in range(count)]
    numbers = [(f"INC-{day:%Y%m%d}-{n % A_DAY + 1:03}", day - today) for n, day in enumerate(days)]
    template.copy(connection, numbers, [f"C9{n:07}" for n in range(count)])
    counted = sorted({f"{day:%Y%m%d}" for day in days})
    connection.execute(insert(metadata.tables["counters"]), [{"day": day, "last": A_DAY} for day in counted])


def armed(connection: Connection, count: int, channels: Sequence[str]) -> None:
    """Write open incidents with four armed timers each, all of which lie ahead."""
    # Numbers that nothing declared meanwhile gets.
    numbers = [(f"{_yesterday()}-{n + 10_001}", timedelta()) for n in range(count)]
    Template.of(Life.open).copy(connection, numbers, channels)


def fall_due(connection: Connection, dues: Sequence[datetime]) -> None:
    """Move the update reminders of the first of them, each to a moment of its own."""
    incidents_, timers = metadata.tables["incidents"], metadata.tables["timers"]
    numbers = [f"{_yesterday()}-{n + 10_001}" for n in range(len(dues))]
    ids = {row.number: row.id for row in connection.execute(select(incidents_.c.number, incidents_.c.id))}
    rows = [
        {"which": ids[number], "due": due, "since": due - BEFORE} for number, due in zip(numbers, dues, strict=True)
    ]
    reminder = (timers.c.incident_id == bindparam("which")) & (timers.c.kind == TimerKind.UPDATE_REMINDER.value)
    connection.execute(update(timers).where(reminder).values(due_at=bindparam("due")), rows)
    connection.execute(
        update(incidents_).where(incidents_.c.id == bindparam("which")).values(cadence_from=bindparam("since")), rows
    )


def long_one(connection: Connection, events: int) -> str:
    """Write an open incident with a long timeline; gives its number."""
    number = f"{_yesterday()}-20001"
    Template.of(Life.open).copy(connection, [(number, timedelta())], ["C8000000"])
    before = incidents.load(connection, number)
    assert before is not None
    lines = [
        Event(
            seq=seq,
            occurred_at=before.declared_at + timedelta(seconds=seq),
            recorded_at=before.declared_at + timedelta(seconds=seq),
            kind="note",
            actor=ALICE,
            text=f"Note {seq}: connections on orders-db are at {seq % 100}% of the pool, <https://graphs.example/{seq}>",
            data={"value": seq},
        )
        for seq in range(before.event_seq + 1, events + 1)
    ]
    incidents.save(connection, before, replace(before, event_seq=events), lines, frozenset())
    return number

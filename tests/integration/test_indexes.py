"""The hot queries find their rows by an index, on both databases, however many incidents are over."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from datetime import UTC, datetime
from typing import Any

import pytest
from sqlalchemy import Connection, event, text

from bot.incidents.capturing import Kept
from bot.store import alerts, captures, deliveries, inbox, incidents
from bot.store.database import connect
from tests.bench import lives
from tests.migrated import migrated, put

NOW = datetime.now(UTC)
CLOSED = 1_000  # enough that reading whole tables is never the planner's cheaper way

GROUP = alerts.Group(1, "pagerduty", "P1", "0" * 64, None, {}, "")

HOT: dict[str, Callable[[Connection], object]] = {
    "due timers": lambda c: incidents.due(c, NOW),
    "due deliveries": lambda c: deliveries.due_scopes(c, NOW, ["a", "b"]),
    "what a scope has to send": lambda c: deliveries.unfinished(c, "INC-20200101-001"),
    "what a start has to send": deliveries.wakes,
    "a slot's deliveries": lambda c: deliveries.by_slots(c, "INC-20200101-001", {"card"}),
    "a PagerDuty event that came before": lambda c: inbox.keep_once(c, "pagerduty", b"{}", NOW, "E1"),
    "what a group said last": lambda c: alerts.last_said(c, "alertmanager", {"{}:{}"}),
    "a group by its key": lambda c: alerts.group(c, "alertmanager", "{}:{}", ""),
    "the same group at the other source": lambda c: alerts.relatives(c, GROUP),
    "a group's occurrences": lambda c: alerts.known(c, 7),
    "open incidents": incidents.list_open,
    "an incident by its number": lambda c: incidents.take(c, "INC-20200101-001"),
    "an incident by its channel": lambda c: incidents.by_channel(c, "C90000007"),
    "an incident by its thread": lambda c: captures.by_thread(c, "C90000007", "1.0"),
    "incidents in a channel's threads": lambda c: captures.has_threads(c, "C90000007"),
    "a message on a timeline": lambda c: captures.of_message(c, "C90000007", "1.0"),
    "dead letters": inbox.dead,
}


def _may_be_idle(connection: Any, _record: Any) -> None:
    connection.execute("SET idle_in_transaction_session_timeout = 0")
    connection.commit()


@pytest.fixture(scope="module", params=["sqlite", "postgres"])
def full(request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Connection]:
    """A database with many closed incidents and a few open ones."""
    if request.param == "postgres":
        scope = migrated(request.getfixturevalue("postgres"))
        url = scope.__enter__()
    else:
        scope = None
        url = f"sqlite:///{tmp_path_factory.mktemp('full') / 'full.db'}"
        put(url)
    engine = connect(url)
    if request.param == "postgres":  # rows are made while nothing is asked, and what is made stays open for all tests
        event.listen(engine, "connect", _may_be_idle)
    with engine.begin() as connection:
        lives.closed(connection, CLOSED)
        lives.armed(connection, 4, [f"C7{n:07}" for n in range(4)])
        number = connection.execute(text("SELECT number FROM incidents LIMIT 1")).scalar_one()
        for n in range(CLOSED):
            captures.keep(connection, Kept(number, "C90000007", f"{n}.5", n, "0" * 64, "U1", "pin"))
    if request.param == "postgres":  # it does so by itself after a while; SQLite never does
        with engine.connect() as connection:
            connection.execution_options(isolation_level="AUTOCOMMIT").execute(text("ANALYZE"))
    with engine.begin() as connection:
        yield connection
    engine.dispose()
    if scope is not None:
        scope.__exit__(None, None, None)


@pytest.mark.parametrize("name", HOT)
def test_a_hot_query_is_answered_by_an_index(full: Connection, name: str) -> None:
    """No table is read from end to end."""
    asked: list[tuple[str, Any]] = []

    def note(_conn: Any, _cursor: Any, statement: str, parameters: Any, *_rest: Any) -> None:
        asked.append((statement, parameters))

    event.listen(full, "before_cursor_execute", note)
    try:
        HOT[name](full)
    finally:
        event.remove(full, "before_cursor_execute", note)
    assert asked
    for statement, parameters in asked:
        plan = explain(full, statement, parameters)
        assert not read_whole(full, plan), f"{statement}\n" + "\n".join(plan)


def test_an_incidents_timers_are_found_by_the_incident(full: Connection) -> None:
    """The index on all armed timers would be read from end to end for each incident that is loaded."""
    plan = explain(full, "SELECT * FROM timers WHERE incident_id = 7 AND state = 'armed' ORDER BY due_at, key", ())
    assert any("ix_timers_incident_id" in step or "pk_timers" in step for step in plan), plan


def explain(connection: Connection, statement: str, parameters: Any) -> list[str]:
    """Ask the database how it would answer."""
    if connection.dialect.name == "sqlite":
        return [str(row[3]) for row in connection.exec_driver_sql(f"EXPLAIN QUERY PLAN {statement}", parameters)]
    return [str(row[0]) for row in connection.exec_driver_sql(f"EXPLAIN {statement}", parameters)]


def read_whole(connection: Connection, plan: list[str]) -> list[str]:
    """Give the steps of a plan that read a table from end to end."""
    if connection.dialect.name == "sqlite":
        return [step for step in plan if step.startswith("SCAN ")]
    return [step for step in plan if "Seq Scan on" in step]


def test_reading_a_whole_table_is_seen(full: Connection) -> None:
    """The check itself: a query without an index fails it."""
    assert read_whole(full, explain(full, "SELECT * FROM deliveries WHERE error = 'x'", ()))

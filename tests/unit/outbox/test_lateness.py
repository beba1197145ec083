"""What went out late, and what is said about it."""

from __future__ import annotations

from collections.abc import Iterator
from datetime import UTC, datetime, timedelta

import pytest
from sqlalchemy import Connection, create_engine, insert

from bot.slack import blocks as b
from bot.slack.messages import dated
from bot.store.lateness import LATE, HeldUp, held_up
from bot.store.tables import deliveries, metadata

SCOPE = "INC-20261121-001"
THREE = datetime(2026, 11, 21, 3, 0, tzinfo=UTC)


@pytest.fixture
def connection() -> Iterator[Connection]:
    engine = create_engine("sqlite://")
    metadata.create_all(engine)
    with engine.begin() as made:
        yield made
    engine.dispose()


def deliver(connection: Connection, tried: float, finished: float, **changes: object) -> None:
    """Put a delivery in the rows that was first tried and got through so many minutes past three."""
    row = {
        "scope": SCOPE,
        "kind": "note",
        "slot": f"note:{tried}",
        "lane": "notice",
        "data": {},
        "needs": [],
        "after": [],
        "coalesce": False,
        "state": "delivered",
        "attempts": 2,
        "created_at": THREE,
        "next_at": THREE,
        "tried_at": THREE + timedelta(minutes=tried),
        "finished_at": THREE + timedelta(minutes=finished),
        "result": {},
        "error": "",
    }
    connection.execute(insert(deliveries).values(row | changes))


def test_nothing_is_late_by_itself(connection: Connection) -> None:
    """What got through at once, soon after, elsewhere or not at all held nothing up."""
    deliver(connection, 0, 30, attempts=1)
    deliver(connection, 0, 1.9)
    deliver(connection, 0, 30, lane="pagerduty")
    deliver(connection, 0, 30, state="failed")
    deliver(connection, 0, 30, scope="INC-20261121-002")
    assert held_up(connection, SCOPE) is None


def test_a_time_reaches_from_the_first_attempt_to_the_last_that_got_through(connection: Connection) -> None:
    """Lanes overlap; an earlier time that is over is no part of it."""
    deliver(connection, 0, 5)
    deliver(connection, 12, 40)
    deliver(connection, 10, 39)
    deliver(connection, 39, 42)
    assert held_up(connection, SCOPE) == HeldUp(THREE + timedelta(minutes=10), THREE + timedelta(minutes=42))


def test_a_late_message_says_when_it_was_written() -> None:
    """Beneath it and in the notification; one that is in time says nothing."""
    message = ("Look at this.", [b.section("Look at this.")])
    assert dated(message, THREE, LATE - timedelta(seconds=1)) == message
    text, made = dated(message, THREE, timedelta(minutes=24))
    assert text.startswith("Look at this. Written at 03:00 UTC, ")
    assert text.endswith("delivered 24 min late.")
    assert made[:1] == message[1]
    assert made[1]["type"] == "context"
    assert "Written at 03:00 UTC" in made[1]["elements"][0]["text"]

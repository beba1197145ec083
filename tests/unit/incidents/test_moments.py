"""Times within one day stand alone; those of an incident that spans several days have their day."""

from __future__ import annotations

import re
from datetime import UTC, datetime, timedelta

import pytest

from bot.board import Board
from bot.incidents import commands as c
from bot.incidents.model import Incident, Status
from bot.incidents.moments import clock
from bot.incidents.policy import Severity
from bot.slack import messages
from bot.slack.card import card
from bot.slack.catchup import catch_up
from tests.unit.incidents.story import ALICE, ALICE_PERSON, Story

DECLARED = datetime(2026, 11, 30, 22, 0, tzinfo=UTC)
LATE, NEXT = datetime(2026, 11, 30, 23, 59, tzinfo=UTC), datetime(2026, 12, 1, 0, 10, tzinfo=UTC)


@pytest.mark.parametrize(
    ("facts", "moment", "written"),
    [
        ({}, LATE, "23:59"),
        ({}, NEXT, "1 Dec 00:10"),
        ({"acknowledged_at": LATE}, DECLARED, "22:00"),
        ({"acknowledged_at": NEXT}, DECLARED, "30 Nov 22:00"),
        ({"acknowledged_at": NEXT}, NEXT, "1 Dec 00:10"),
        ({"started_at": DECLARED - timedelta(days=9)}, LATE, "30 Nov 23:59"),
        ({"cadence_from": NEXT}, LATE, "30 Nov 23:59"),
        ({"ended_at": NEXT}, LATE, "30 Nov 23:59"),
        ({"paused_until": NEXT}, LATE, "30 Nov 23:59"),
    ],
)
def test_a_day_is_written_where_the_time_alone_could_be_another_days(
    facts: dict[str, datetime], moment: datetime, written: str
) -> None:
    """Be it the moment's own day, or that of anything else that is known."""
    incident = Incident("INC-20261130-001", "Checkout is down", Severity.SEV2, Status.INVESTIGATING, DECLARED, **facts)  # type: ignore[arg-type]
    assert clock(incident, moment) == written


def test_after_days_every_message_names_the_day() -> None:
    """Card, page facts, overdue notice and catch-up of an incident that was reopened after three days."""
    story = Story()
    story.do(c.AssignRole(ALICE_PERSON, ALICE), c.Acknowledge(ALICE), c.Resolve(ALICE, "Rolled back"))
    story.at(3 * 24 * 60)
    story.do(c.Reopen(ALICE))
    story.at(3 * 24 * 60 + 1)
    incident = story.incident
    overdue = messages.overdue(incident, {"due_at": story.now.isoformat(), "late_seconds": 120}, [])
    board = Board(incident, events=tuple(story.events), latest=tuple(story.events[:3]))
    for text, blocks in (overdue, messages.reminder(incident, {"due_at": story.now.isoformat()}), card(board)):
        times = re.findall(r"(.{7})\d\d:\d\d UTC", text + str(blocks))
        assert times
        assert all(re.search(r"\d [A-Z][a-z]{2} $|-\d\d $", before) for before in times), times
    for line in re.findall(r"^.*\d\d:\d\d .*$", catch_up(board)[1][2]["text"]["text"], re.MULTILINE):
        assert re.match(r"\d+ [A-Z][a-z]{2} \d\d:\d\d ", line)

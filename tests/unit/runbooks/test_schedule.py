"""When a periodic checklist is due: by cron or every so often, in UTC, the latest moment alone."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta, timezone

import pytest
from hypothesis import given
from hypothesis import strategies as st

from bot.runbooks.model import Schedule
from bot.runbooks.schedule import FIRST, due

DAILY = Schedule(cron="0 8 * * *")
MONDAYS = Schedule(cron="0 9 * * mon")
FIRST_MONDAYS = Schedule(cron="0 9 1-7 * mon")
QUARTERS = Schedule(cron="0 9 2 1,4,7,10 *")
DRILL = Schedule(every="2w")
NEVER = Schedule(cron="0 9 30 2 *")
ALWAYS = Schedule(cron="* * * * *")


def at(text: str) -> datetime:
    return datetime.fromisoformat(text).replace(tzinfo=UTC)


@pytest.mark.parametrize(
    ("schedule", "since", "now", "expected"),
    [
        (DAILY, "2026-11-21 07:00", "2026-11-21 07:59:59.999", None),
        (DAILY, "2026-11-21 07:00", "2026-11-21 08:00", "2026-11-21 08:00"),
        (DAILY, "2026-11-21 07:59:59.5", "2026-11-21 08:00:00.2", "2026-11-21 08:00"),
        (DAILY, "2026-11-21 08:00", "2026-11-22 07:59", None),
        (DAILY, "2026-11-21 08:00:30", "2026-11-22 08:00:30", "2026-11-22 08:00"),
        (MONDAYS, "2026-11-21 08:00", "2026-11-23 09:01", "2026-11-23 09:00"),
        (MONDAYS, "2026-11-23 09:00", "2026-11-30 08:59", None),
        (FIRST_MONDAYS, "2026-11-21 08:00", "2026-12-07 09:00", "2026-12-07 09:00"),
        (FIRST_MONDAYS, "2026-12-07 09:00", "2027-01-03 23:59", None),
        (QUARTERS, "2026-11-21 08:00", "2027-01-02 09:00", "2027-01-02 09:00"),
        (NEVER, "2024-01-01 00:00", "2034-01-01 00:00", None),
        (DRILL, "2026-11-21 08:00", "2026-11-30 08:59", None),
        (DRILL, "2026-11-21 08:00", "2026-11-30 09:00", "2026-11-30 09:00"),
        (DRILL, "2026-11-30 09:00", "2026-12-14 08:59", None),
        (Schedule(every="1d"), "2026-11-21 09:00", "2026-11-22 09:00", "2026-11-22 09:00"),
        (DRILL, "2020-01-01 00:00", "2023-12-31 23:59", None),
    ],
)
def test_the_moment_that_has_come(schedule: Schedule, since: str, now: str, expected: str | None) -> None:
    """A moment counts from the minute that it names, once, and `every` counts from a Monday at 09:00 UTC."""
    assert due(schedule, at(since), at(now)) == (at(expected) if expected else None)


@pytest.mark.parametrize(
    ("schedule", "expected"),
    [
        (DAILY, "2026-11-21 08:00"),
        (MONDAYS, "2026-11-16 09:00"),
        (FIRST_MONDAYS, "2026-11-02 09:00"),
        (QUARTERS, "2026-10-02 09:00"),
        (DRILL, "2026-11-16 09:00"),
        (ALWAYS, "2026-11-21 17:46"),
    ],
)
@pytest.mark.parametrize("since", ["2024-01-01 00:00", "2026-01-01 00:00"])
def test_after_time_away_the_latest_moment_alone_is_due(schedule: Schedule, since: str, expected: str) -> None:
    """However many moments have passed, one is due: the last of them; after that, nothing is."""
    now = at("2026-11-21 17:46:24")
    assert due(schedule, at(since), now) == at(expected)
    assert due(schedule, at(expected), now) is None


def test_summer_time_changes_nothing() -> None:
    """A moment stays at its hour in UTC, whatever zone a time is given in."""
    summer = timezone(timedelta(hours=2))
    now = datetime(2026, 7, 1, 10, 0, tzinfo=summer)
    assert due(DAILY, now - timedelta(hours=1), now) == at("2026-07-01 08:00")
    assert due(DAILY, now - timedelta(hours=1), now - timedelta(minutes=1)) is None
    for day in ("2026-03-29", "2026-10-25"):  # when Europe's clocks change
        assert due(DAILY, at(f"{day} 00:00"), at(f"{day} 23:59")) == at(f"{day} 08:00")


def test_every_counts_from_a_monday_morning() -> None:
    """What comes round every week or two falls on Mondays at 09:00 UTC."""
    assert (FIRST.weekday(), FIRST.hour) == (0, 9)
    for weeks in (1, 2, 4, 13):
        found = due(Schedule(every=f"{weeks}w"), at("2025-01-01 00:00"), at("2026-11-21 03:00"))
        assert found is not None
        assert (found.weekday(), f"{found:%H:%M}") == (0, "09:00")


@given(
    st.sampled_from([DAILY, MONDAYS, FIRST_MONDAYS, DRILL, Schedule(every="3d"), Schedule(cron="*/7 3 * * *")]),
    st.timedeltas(timedelta(days=365), timedelta(days=1000)),
    st.timedeltas(timedelta(), timedelta(days=200)),
)
def test_looking_often_misses_nothing_and_doubles_nothing(
    schedule: Schedule, start: timedelta, length: timedelta
) -> None:
    """The last moment found by looking each few hours is the one found by looking once, and moments only rise."""
    since = FIRST + start
    seen, now, end = since, since, since + length
    while now < end:
        now = min(now + timedelta(hours=7, seconds=13), end)
        found = due(schedule, seen, now)
        if found is not None:
            assert seen < found <= now
            seen = found
    assert due(schedule, since, end) == (None if seen == since else seen)

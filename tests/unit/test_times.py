"""Times as people type them."""

from __future__ import annotations

from datetime import UTC, datetime
from zoneinfo import ZoneInfo

import pytest

from bot import times

NOW = datetime(2026, 11, 29, 3, 30, 20, tzinfo=UTC)  # a Sunday; 04:30:20 in Berlin
BERLIN = ZoneInfo("Europe/Berlin")


@pytest.mark.parametrize(
    ("typed", "moment"),
    [
        ("03:12", "2026-11-29 02:12"),
        ("at 03:12", "2026-11-29 02:12"),
        ("~03:12", "2026-11-29 02:12"),
        ("3:05am", "2026-11-29 02:05"),
        ("3:05 a.m.", "2026-11-29 02:05"),
        ("3 am", "2026-11-29 02:00"),
        ("03:05 CET", "2026-11-29 02:05"),
        ("03:05 UTC", "2026-11-29 03:05"),
        ("0305Z", "2026-11-29 03:05"),
        ("03:12 UTC+2", "2026-11-29 01:12"),
        ("03:12+02:00", "2026-11-29 01:12"),
        ("12:12 America/New_York", "2026-11-28 17:12"),
        ("12:12 EST", "2026-11-28 17:12"),
        ("2026-11-29T03:12Z", "2026-11-29 03:12"),
        ("2026-11-29T03:12:07.5Z", "2026-11-29 03:12"),
        ("2026-11-29 03:12", "2026-11-29 02:12"),
        ("2026-11-29T03:12:00+01:00", "2026-11-29 02:12"),
        ("yesterday 02:00", "2026-11-28 01:00"),
        ("2am yesterday", "2026-11-28 01:00"),
        ("28 Nov 23:50", "2026-11-28 22:50"),
        ("Nov 28th, 23:50", "2026-11-28 22:50"),
        ("Friday 14:00", "2026-11-27 13:00"),
        ("10:00 sat", "2026-11-28 09:00"),
        ("10 min ago", "2026-11-29 03:20"),
        ("1h30m ago", "2026-11-29 02:00"),
        ("half an hour ago", "2026-11-29 03:00"),
        ("23:50", "2026-11-28 22:50"),
        ("now", "2026-11-29 03:30"),
        ("04:31", "2026-11-29 03:30"),  # a moment ahead is now
        ("today 04:34", "2026-11-29 03:30"),
        ("10:45", "2026-11-28 09:45"),
    ],
)
def test_when_something_happened(typed: str, moment: str) -> None:
    """It is the last such moment in the typist's own zone, unless another is said; a moment ahead is now."""
    assert f"{times.past(typed, NOW, BERLIN).at:%Y-%m-%d %H:%M}" == moment


@pytest.mark.parametrize(
    ("typed", "moment"),
    [
        ("30m", "2026-11-29 04:00"),
        ("30 min", "2026-11-29 04:00"),
        ("in 2h", "2026-11-29 05:30"),
        ("1h30m from now", "2026-11-29 05:00"),
        ("half an hour", "2026-11-29 04:00"),
        ("15:30", "2026-11-29 14:30"),
        ("15:00 UTC", "2026-11-29 15:00"),
        ("9am", "2026-11-29 08:00"),
        ("02:00", "2026-11-30 01:00"),
        ("tomorrow", "2026-11-29 23:00"),
        ("tomorrow 9am", "2026-11-30 08:00"),
        ("Friday", "2026-12-03 23:00"),
        ("2026-12-05 15:00", "2026-12-05 14:00"),
        ("Dec 5th", "2026-12-04 23:00"),
    ],
)
def test_when_something_is_due(typed: str, moment: str) -> None:
    """It is the next such moment; a day alone begins at its midnight."""
    assert f"{times.ahead(typed, NOW, BERLIN).at:%Y-%m-%d %H:%M}" == moment


@pytest.mark.parametrize(
    ("typed", "day"),
    [("2026-12-05", "2026-12-05"), ("Friday", "2026-12-04"), ("tomorrow", "2026-11-30"), ("in 3 days", "2026-12-02"),
     ("5 Dec", "2026-12-05"), ("today", "2026-11-29")],
)  # fmt: skip
def test_the_day_on_which_something_is_due(typed: str, day: str) -> None:
    """It is a day of the typist's own calendar."""
    assert times.day(typed, NOW, BERLIN).isoformat() == day


GUESSES = ("12", "3", "0312", "03.12", "05/12", "5.12.2026", "11/29/2026 3:12", "march", "soon", "the graph", "", " ")
WRONG = ("25:00", "24:00", "03:75", "3:1", "2026-02-30 10:00", "2026-13-01", "31 Nov 10:00", "03:12 XYZZY", "x" * 500)


@pytest.mark.parametrize("typed", [*GUESSES, *WRONG])
def test_what_is_no_time_is_refused_and_never_now(typed: str) -> None:
    """Neither a guess at what was meant nor the present moment takes its place; the refusal shows what can be typed."""
    for read in (times.past, times.ahead):
        with pytest.raises(ValueError, match=r"Write "):
            read(typed, NOW, BERLIN)


@pytest.mark.parametrize("typed", ["tomorrow 10:00", "2026-12-05 10:00", "04:40 today", "04:40", "10:15", "03:12 EST"])
def test_nothing_has_happened_in_the_future(typed: str) -> None:
    """A note's time that lies ahead is refused; an hour that is near ahead is not taken for yesterday's."""
    with pytest.raises(ValueError, match="lies ahead"):
        times.past(typed, NOW, BERLIN)


@pytest.mark.parametrize("typed", ["04:25", "04:00", "yesterday 10:00", "2026-11-01", "2026-11-01 10:00"])
def test_nothing_is_due_in_the_past(typed: str) -> None:
    """A due time that has passed is refused, also an hour of today that has passed lately: it was not tomorrow's."""
    with pytest.raises(ValueError, match="has passed"):
        times.ahead(typed, NOW, BERLIN)


@pytest.mark.parametrize("typed", ["2026-02-30", "2026-11-01", "soon", "next week", "12/05/2026"])
def test_a_due_day_that_is_none_is_refused(typed: str) -> None:
    """So is one that has passed."""
    with pytest.raises(ValueError, match=r"day"):
        times.day(typed, NOW, BERLIN)


@pytest.mark.parametrize(
    ("typed", "seconds"),
    [("30m", 1800), ("30 min", 1800), ("30M", 1800), ("1h30m", 5400), ("1h 30m", 5400), ("1 hour and 5 min", 3900),
     ("1.5h", 5400), ("half an hour", 1800), ("an hour", 3600), ("90 minutes", 5400), ("2 days", 172800), ("45s", 45)],
)  # fmt: skip
def test_a_span(typed: str, seconds: int) -> None:
    """As people write it: short, in words, in parts."""
    assert times.span(typed) == seconds


@pytest.mark.parametrize("typed", ["90", "0m", "m", "soon", "-5m", "5 parsecs", "1h nonsense", ""])
def test_what_is_no_span_is_refused(typed: str) -> None:
    """A number without a unit is one of them: minutes are as likely as hours."""
    with pytest.raises(ValueError, match=r"Write a|Could not read"):
        times.span(typed)


def test_a_moment_is_said_with_its_day_in_utc_and_beside_it_in_the_zone() -> None:
    """Where both are the same it is said once; where the local day is another, that is said too."""
    assert times.spoken(NOW, UTC) == "Sun 29 Nov 03:30 UTC"
    assert times.spoken(NOW, BERLIN) == "Sun 29 Nov 03:30 UTC (04:30 CET)"
    assert times.spoken(NOW, ZoneInfo("America/New_York")) == "Sun 29 Nov 03:30 UTC (Sat 22:30 EST)"


def test_an_hour_that_summer_time_leaves_out_or_doubles_is_read() -> None:
    """02:30 on the days on which clocks change is some moment of that night, and not an error."""
    spring = datetime(2026, 3, 29, 6, 0, tzinfo=UTC)
    assert times.past("02:30", spring, BERLIN).at == datetime(2026, 3, 29, 1, 30, tzinfo=UTC)
    autumn = datetime(2026, 10, 25, 6, 0, tzinfo=UTC)
    assert times.past("02:30", autumn, BERLIN).at == datetime(2026, 10, 25, 0, 30, tzinfo=UTC)


def test_a_zone_by_its_name() -> None:
    """An unknown or empty one is UTC."""
    assert times.zone_of("Europe/Berlin") == BERLIN
    assert times.zone_of("") is UTC
    assert times.zone_of("Mars/Olympus") is UTC

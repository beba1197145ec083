"""When the operators are told again of something that goes on."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from itertools import pairwise

from bot.incidents.noticing import A_DAY, GAPS, is_news

NOW = datetime(2026, 11, 21, 12, tzinfo=UTC)


def minutes(*ago: float) -> list[datetime]:
    return [NOW - timedelta(minutes=each) for each in ago]


def test_once_until_it_has_been_well() -> None:
    """The first time is told; then only what comes after it was well, or after a day."""
    assert is_news([], NOW, well_since=False)
    assert not is_news(minutes(1), NOW, well_since=False)
    assert not is_news(minutes(23 * 60), NOW, well_since=False)
    assert is_news(minutes(24 * 60), NOW, well_since=False)
    assert is_news(minutes(1), NOW, well_since=True)


def test_what_breaks_and_mends_in_turn_is_told_ever_more_rarely() -> None:
    """Broken and mended every minute of a day, the operators hear of it eight times at most."""
    told: list[datetime] = []
    for minute in range(24 * 60):
        now = NOW + timedelta(minutes=minute)
        if is_news(told, now, well_since=True):
            told.append(now)
    gaps = [later - earlier for earlier, later in pairwise(told)]
    assert gaps == sorted(gaps)
    assert len(told) <= 8
    assert sum(GAPS, timedelta()) < A_DAY

"""When the operators are told again of what goes on: once, until it has been well again or a day has passed."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import datetime, timedelta

A_DAY = timedelta(days=1)
# Since the last time, by how often they were told within a day: whoever breaks and mends it in turn floods nobody.
GAPS = (timedelta(0), timedelta(0), timedelta(minutes=10), timedelta(hours=1), timedelta(hours=6))
TESTS_APART = timedelta(minutes=1)


def is_news(told: Sequence[datetime], now: datetime, *, well_since: bool) -> bool:
    """Return True where the operators should be told.

    Args:
        told: when they were told before, the latest last.
        now: the moment.
        well_since: whether it has been well since the last of them.
    """
    if not told or now - told[-1] >= A_DAY:
        return True
    lately = sum(now - moment < A_DAY for moment in told)
    return well_since and now - told[-1] >= GAPS[min(lately, len(GAPS) - 1)]

"""Why a level is paged, in words that every medium can escape its own way."""

from __future__ import annotations

from typing import Any

import pytest

from bot.incidents.reasons import why_paged

HOSTILE = "p99 > 2s & <!channel>"


@pytest.mark.parametrize(
    ("data", "said"),
    [
        ({"reason": "declared"}, "an incident was declared"),
        ({"reason": "update_overdue", "late_seconds": 300}, "the update is overdue by 5 min"),
        ({"reason": "not_acknowledged", "waited_seconds": 300}, "nobody has acknowledged for 5 min"),
        ({"reason": "nobody_reached", "unreached": 2}, "nobody on level 2 could be reached"),
        ({"reason": "asked", "by": "Ann & Bo", "why": HOSTILE}, f"Ann & Bo paged you: {HOSTILE}"),
        ({"reason": "asked", "by": "Ann"}, "Ann paged you"),
        ({"reason": "acknowledgement_void", "why": HOSTILE}, f"the acknowledgement no longer counts: {HOSTILE}"),
        ({"reason": "reopened", "why": HOSTILE}, f"the incident was reopened: {HOSTILE}"),
        ({"reason": "raised"}, "the severity was raised"),
        (
            {"reason": "joined", "joined": HOSTILE, "more": 2},
            f"{HOSTILE} and 2 more joined an incident that was already acknowledged",
        ),
        ({"reason": "fires_again"}, "its alerts are firing again"),
    ],
)
def test_each_reason_is_plain_text(data: dict[str, Any], said: str) -> None:
    """Nothing is escaped here: Slack's messages do that, and PagerDuty's pages show the words as they are."""
    assert why_paged(data) == said


def test_a_reason_is_bounded() -> None:
    """What somebody types as a reason is cut, and put on one line."""
    said = why_paged({"reason": "asked", "by": "a" * 500, "why": "b\nc" * 500})
    assert len(said) < 400
    assert "\n" not in said

"""Labels' values are a known few, and all that the code itself names are among them."""

from __future__ import annotations

import re
from pathlib import Path

import pytest

from bot import telemetry
from bot.errors import Ambiguous
from bot.pagerduty.faults import REASONS
from bot.slack.faults import FIXES, MAYBE, TRANSIENT

BOT = Path(__file__).resolve().parents[2] / "bot"


def named_reasons() -> set[str]:
    """The reasons that our own code raises by name."""
    code = "\n".join(file.read_text(encoding="utf-8") for file in BOT.rglob("*.py"))
    return set(re.findall(r'\b(?:Permanent|Retryable|Ambiguous)\(\s*"(\w+)"', code))


def test_every_reason_that_the_code_names_is_a_label_of_its_own() -> None:
    """Add a new one to `telemetry.REASONS`: until then it is counted as `other`."""
    assert {"defect", "missing_scope", "slack_throttled"} <= named_reasons() | set(FIXES)
    assert named_reasons() | set(FIXES) | MAYBE | TRANSIENT | set(REASONS.values()) <= telemetry.REASONS


@pytest.mark.parametrize(
    ("outcome", "label"),
    [
        ("declared INC-20261121-001", "declared"),
        ("recorded: incident.<b>", "recorded"),
        ("nothing new", "nothing"),
        ("joined INC-20261121-001", "joined"),
        ("held on INC-20261121-001", "held"),
        ("repeat of INC-20261121-001", "repeat"),
        ("C0HOSTILE", "other"),
        ("", "other"),
    ],
)
def test_a_webhook_is_counted_by_the_first_word_of_its_outcome(outcome: str, label: str) -> None:
    """What follows the word, a number or a text from outside, is no label."""
    counter = telemetry.WEBHOOKS.labels("alertmanager", label)
    before = counter._value.get()
    telemetry.webhook("alertmanager", outcome)
    assert counter._value.get() == before + 1


def test_a_call_is_counted_whatever_becomes_of_it() -> None:
    """By its error's reason, as unfinished where it was cut short, and as ok."""

    def count(outcome: str) -> float:
        return float(telemetry.OUTWARD_CALLS.labels("slack", "api.test", outcome)._value.get())

    before = {outcome: count(outcome) for outcome in ("ok", "internal_error", "other", "unfinished")}
    with telemetry.outward_call("slack", "api.test"):
        pass
    for error in (Ambiguous("internal_error"), Ambiguous("zq_hostile"), KeyError("x")):
        with pytest.raises(type(error)), telemetry.outward_call("slack", "api.test"):
            raise error
    assert {outcome: count(outcome) - times for outcome, times in before.items()} == dict.fromkeys(before, 1.0)

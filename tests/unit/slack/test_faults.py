"""Slack's answers and silences, sorted into outcomes."""

from __future__ import annotations

from typing import Any

import aiohttp
import pytest
import slack_sdk.errors
from slack_sdk.errors import SlackApiError

from bot.errors import Ambiguous, OutwardError, Permanent, Retryable
from bot.slack.faults import FIXES, sort


class Answer:
    """What the SDK hands over with an error."""

    def __init__(self, status: int, data: Any, headers: dict[str, str] | None = None) -> None:
        self.status_code = status
        self.data = data
        self.headers = headers or {}


def slack(status: int, error: str = "", headers: dict[str, str] | None = None, **more: Any) -> SlackApiError:
    return SlackApiError("failed", Answer(status, {"ok": False, "error": error, **more} if error else {}, headers))


@pytest.mark.parametrize(
    ("error", "outcome", "reason"),
    [
        (slack(429, "ratelimited"), Retryable, "slack_throttled"),
        (slack(200, "rate_limited"), Retryable, "slack_throttled"),
        (slack(200, "service_unavailable"), Retryable, "service_unavailable"),
        (slack(200, "internal_error"), Ambiguous, "internal_error"),
        (slack(200, "fatal_error"), Ambiguous, "fatal_error"),
        (slack(503), Ambiguous, "slack_no_answer"),
        (slack(200), Ambiguous, "slack_no_answer"),
        (slack(200, "channel_not_found"), Permanent, "channel_not_found"),
        (slack(200, "some_new_error"), Permanent, "some_new_error"),
        (aiohttp.ClientConnectorError(None, OSError()), Retryable, "slack_unreachable"),  # type: ignore[arg-type]
        (aiohttp.ServerDisconnectedError(), Ambiguous, "slack_no_answer"),
        (TimeoutError(), Ambiguous, "slack_no_answer"),
        (ConnectionResetError(), Ambiguous, "slack_no_answer"),
    ],
)
def test_each_trouble_has_its_outcome(error: Exception, outcome: type[OutwardError], reason: str) -> None:
    """What surely did not happen is retried, what may have is looked for, what never will is told."""
    sorted_ = sort(error, "chat.postMessage")
    assert type(sorted_) is outcome
    assert sorted_.reason == reason


def test_retry_after_is_kept() -> None:
    """Slack's own figure decides when to come back."""
    outcome = sort(slack(429, "ratelimited", {"Retry-After": "7"}), "chat.postMessage")
    assert isinstance(outcome, Retryable)
    assert outcome.after == 7.0


@pytest.mark.parametrize("value", ["", "soon", "-5"])
def test_a_strange_retry_after_does_no_harm(value: str) -> None:
    """A header that is no number of seconds leaves the wait to the back-off, or makes it none."""
    outcome = sort(slack(429, "ratelimited", {"Retry-After": value}), "x")
    assert isinstance(outcome, Retryable)
    assert outcome.after in {None, 0.0}


def test_a_missing_scope_is_named() -> None:
    """The operator reads which scope to add."""
    outcome = sort(slack(200, "missing_scope", needed="pins:write"), "pins.add")
    assert isinstance(outcome, Permanent)
    assert "pins:write" in str(outcome)
    assert "scope" in outcome.fix


@pytest.mark.parametrize("code", sorted(FIXES))
def test_every_known_error_has_a_fix_that_is_a_sentence(code: str) -> None:
    """A fix begins with a capital and ends with a full stop."""
    assert FIXES[code][0].isupper()
    assert FIXES[code].endswith((".", "`."))


def test_every_error_class_of_the_sdk_is_sorted_or_passed_on() -> None:
    """A new exception class in the SDK fails here until somebody decides what it means."""
    known = {
        "SlackClientError",
        "BotUserAccessError",
        "SlackRequestError",
        "SlackApiError",
        "SlackTokenRotationError",
        "SlackClientNotConnectedError",
        "SlackObjectFormationError",
        "SlackClientConfigurationError",
    }
    there = {n for n, v in vars(slack_sdk.errors).items() if isinstance(v, type) and issubclass(v, Exception)}
    assert there <= known


def test_a_defect_of_ours_is_not_taken_for_slacks() -> None:
    """A KeyError stays a KeyError."""
    with pytest.raises(KeyError):
        sort(KeyError("x"), "chat.postMessage")

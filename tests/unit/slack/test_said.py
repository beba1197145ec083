"""What is read of a Slack message, and what a form about one carries."""

from __future__ import annotations

import asyncio
from typing import Any

import pytest
from pydantic import ValidationError

from bot.config import SlackConfig
from bot.errors import Retryable
from bot.slack import said
from bot.slack.shortcuts import METADATA, Noted


@pytest.mark.parametrize(
    ("text", "error"),
    [
        ("java.lang.IllegalStateException: pool", True),
        ("panic: runtime", True),
        ("got HTTP/1.1 503 from the API", True),
        ('{"correlation_id": "c-9"}', True),
        ("TypeError: x is undefined", True),
        ("Checkout fails for all customers", False),
        ("there are 500 people here", False),
    ],
)
def test_an_error_is_told_from_prose(text: str, error: bool) -> None:
    """It goes into the form's own field."""
    assert said.looks_like_an_error(text) is error


@pytest.mark.parametrize(
    ("message", "text"),
    [
        ({"text": " hello "}, "hello"),
        ({"text": "", "attachments": [{"fallback": "Disk full"}]}, "Disk full"),
        ({"files": [{"name": "graph.png"}, "odd"]}, "[file: graph.png]"),
        ({}, ""),
    ],
)
def test_a_message_without_text_is_named_by_what_hangs_on_it(message: dict[str, Any], text: str) -> None:
    """Attachments, then files."""
    assert said.text_of(message) == text


@pytest.mark.parametrize("text", ["short", "x" * 40_000, '"\n' * 20_000, "\u00e9\U0001f525" * 9000, "\\" * 5000])
def test_a_form_carries_as_much_of_a_message_as_fits(text: str) -> None:
    """Slack's limit holds however the text is escaped."""
    packed = Noted("C1", "1.2", "1.0", "", "U1", text).packed()
    assert len(packed) <= METADATA
    kept = Noted.unpacked(packed)
    assert (kept.channel, kept.thread_ts, kept.author) == ("C1", "1.0", "U1")
    assert text.startswith(kept.text.removesuffix("…").rstrip())
    assert len(kept.text) > min(len(text), 700) - 1


@pytest.mark.parametrize(
    ("given", "kept"),
    [("pushpin", "pushpin"), (":memo:", "memo"), ("", None), (None, None), (False, None), ("none", None)],
)
def test_the_reaction_can_be_switched_off(given: object, kept: str | None) -> None:
    """By an empty value, `none` or `off`."""
    assert SlackConfig.model_validate({"timeline_reaction": given}).timeline_reaction == kept


def test_the_reaction_is_a_name() -> None:
    """What no emoji is called is refused."""
    with pytest.raises(ValidationError):
        SlackConfig.model_validate({"timeline_reaction": "push pin"})


def test_what_slack_does_not_tell_in_time_is_none(monkeypatch: pytest.MonkeyPatch) -> None:
    """Late, refused and told: each by itself."""
    monkeypatch.setattr(said, "READ_WITHIN", 0.05)

    async def late() -> str:
        await asyncio.sleep(5)
        return "late"

    async def refused() -> str:
        raise Retryable("slack_throttled")

    async def told() -> str:
        return "told"

    assert asyncio.run(_ask(late(), refused(), told())) == [None, None, "told"]


async def _ask(*asked: Any) -> list[Any]:
    return list(await said.in_time(*asked))

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


def section(text: str, kind: str = "mrkdwn", **more: Any) -> dict[str, Any]:
    return {"type": "section", "text": {"type": kind, "text": text}, **more}


def rich(*elements: dict[str, Any], kind: str = "rich_text_section", **more: Any) -> dict[str, Any]:
    return {"type": "rich_text", "elements": [{"type": kind, "elements": list(elements), **more}]}


def words(text: str, **style: bool) -> dict[str, Any]:
    return {"type": "text", "text": text, **({"style": style} if style else {})}


def item(*elements: dict[str, Any]) -> dict[str, Any]:
    return {"type": "rich_text_section", "elements": list(elements)}


@pytest.mark.parametrize(
    ("message", "text"),
    [
        ({"text": " hello "}, "hello"),
        ({"text": "", "attachments": [{"fallback": "Disk full"}]}, "Disk full"),
        ({"files": [{"name": "graph.png"}, "odd"]}, "[file: graph.png]"),
        ({"text": "see", "files": [{"title": "p99", "name": "a.png"}, {}]}, "see\n[file: p99]\n[file: unnamed]"),
        ({}, ""),
        ({"text": None, "blocks": "odd", "attachments": {"a": 1}, "files": 5}, ""),
    ],
)
def test_a_message_is_its_text_with_what_hangs_on_it(message: dict[str, Any], text: str) -> None:
    """Attachments, then files; whatever Slack leaves out or sends oddly."""
    assert said.text_of(message) == text


@pytest.mark.parametrize(
    ("block", "text"),
    [
        (section("*p99* &gt; 2 s on <https://x.example|search>"), "*p99* &gt; 2 s on <https://x.example|search>"),
        (section("a < b & <!channel>", "plain_text"), "a &lt; b &amp; &lt;!channel&gt;"),
        (
            section("Deploy", fields=[{"type": "mrkdwn", "text": "*Env*\nprod"}, {"type": "plain_text", "text": "v2"}]),
            "Deploy\n*Env*\nprod\nv2",
        ),
        ({"type": "section", "fields": [{"type": "mrkdwn", "text": "only fields"}, "odd", None]}, "only fields"),
        ({"type": "header", "text": {"type": "plain_text", "text": "Deploy &amp; verify"}}, "Deploy &amp; verify"),
        (
            {"type": "header", "text": {"type": "plain_text", "text": "\u05e9\u05dc\u05d5\u05dd"}},
            "\u05e9\u05dc\u05d5\u05dd",
        ),
        ({"type": "header"}, ""),
        (
            {
                "type": "context",
                "elements": [
                    {"type": "image", "alt_text": "cat"},
                    {"type": "mrkdwn", "text": "by <@U1>"},
                    {"type": "plain_text", "text": "now"},
                ],
            },
            "[image: cat] by <@U1> now",
        ),
        ({"type": "context", "elements": [None, {"type": "mrkdwn"}]}, ""),
        ({"type": "image", "image_url": "https://x", "alt_text": "p99 <graph>"}, "[image: p99 &lt;graph&gt;]"),
        ({"type": "image", "title": {"type": "plain_text", "text": "Errors"}, "alt_text": "x"}, "[image: Errors]"),
        ({"type": "markdown", "text": "**bold** & <b>"}, "**bold** &amp; &lt;b&gt;"),
        ({"type": "actions", "elements": [{"type": "button", "text": {"type": "plain_text", "text": "Go"}}]}, ""),
        ({"type": "divider"}, ""),
        ({"type": "of tomorrow", "text": {"type": "mrkdwn", "text": "new"}}, "new"),
        (
            {"type": "table", "rows": [[{"type": "raw_text", "text": "a"}, rich(words("b"))], ["odd"], "odd"]},
            "a | b",
        ),
    ],
)
def test_what_a_block_says(block: dict[str, Any], text: str) -> None:
    """Text, fields, headers, context and pictures; buttons say nothing."""
    assert said.text_of({"blocks": [block]}) == text


@pytest.mark.parametrize(
    ("block", "text"),
    [
        (rich(words("run "), words("a < b", code=True), words(" now", bold=True)), "run `a &lt; b` now"),
        (rich({"type": "link", "url": "https://x.example/?a=1&b=2"}), "<https://x.example/?a=1&amp;b=2>"),
        (rich({"type": "link", "url": "https://x.example", "text": "the log"}), "<https://x.example|the log>"),
        (
            rich({"type": "user", "user_id": "U1"}, words(" "), {"type": "usergroup", "usergroup_id": "S1"}),
            "<@U1> <!subteam^S1>",
        ),
        (rich({"type": "channel", "channel_id": "C1"}, {"type": "broadcast", "range": "here"}), "<#C1><!here>"),
        (rich({"type": "emoji", "name": "fire"}, {"type": "color", "value": "#f00"}), ":fire:#f00"),
        (
            rich({"type": "date", "timestamp": 1763712000, "format": "{time}", "fallback": "08:00"}),
            "<!date^1763712000^{time}|08:00>",
        ),
        (rich({"type": "of tomorrow", "text": "x"}, {"type": "user"}), "x<@>"),
        (rich(item(words("one")), item(words("two")), kind="rich_text_list", style="bullet"), "\u2022 one\n\u2022 two"),
        (
            rich(item(words("three")), item(words("four")), kind="rich_text_list", style="ordered", offset=2, indent=1),
            "3. three\n    4. four",
        ),
        (rich(kind="rich_text_list", style="ordered", indent="x"), ""),
        (rich(words("it is\nthe pool"), kind="rich_text_quote"), "&gt; it is\n&gt; the pool"),
        (rich(words("if a < b:\n  `x`"), kind="rich_text_preformatted"), "```\nif a &lt; b:\n  `x`\n```"),
        (rich(words(" \n"), kind="rich_text_preformatted"), ""),
        ({"type": "rich_text", "elements": "odd"}, ""),
    ],
)
def test_what_a_rich_text_says(block: dict[str, Any], text: str) -> None:
    """Links, people, channels, emoji, dates, lists, quotes and code."""
    assert said.text_of({"blocks": [block]}).strip() == text


@pytest.mark.parametrize(
    ("text", "blocks", "kept"),
    [
        (
            "*Pool* is `full`, <@U1|bob>",
            [rich(words("Pool is full, "), {"type": "user", "user_id": "U1"})],
            "*Pool* is `full`, <@U1|bob>",
        ),
        ("Pool &amp; queue are full", [section("queue")], "Pool &amp; queue are full"),
        (
            "see <https://x.example|log>",
            [rich(words("see "), {"type": "link", "url": "https://x.example"})],
            "see <https://x.example|log>",
        ),
        ("New alert", [section("Pool is full"), section("on db-1")], "Pool is full\non db-1"),
        ("This content can't be displayed.", [{"type": "header", "text": {"type": "plain_text", "text": "Hi"}}], "Hi"),
        ("only this", [{"type": "divider"}, {"type": "actions"}], "only this"),
        ("", [rich({"type": "emoji", "name": "+1"})], ":+1:"),
    ],
)
def test_text_and_blocks(text: str, blocks: list[dict[str, Any]], kept: str) -> None:
    """The plain text where the blocks say the same or less; else the blocks, which alone are shown."""
    assert said.text_of({"text": text, "blocks": blocks}) == kept


FORWARDED = {
    "is_share": True,
    "is_msg_unfurl": True,
    "from_url": "https://acme.slack.com/archives/C1/p1",
    "author_name": "Bob",
    "fallback": "[8:00] Bob: the pool",
    "text": "the pool is full",
    "message_blocks": [
        {"team": "T1", "message": {"blocks": [rich(words("the pool is full, "), words("x", code=True))]}}
    ],
}


@pytest.mark.parametrize(
    ("attachment", "text"),
    [
        (
            {
                "pretext": "Build failed",
                "title": "main #42",
                "title_link": "https://ci.example/42",
                "text": "2 tests",
                "fields": [{"title": "Branch", "value": "main"}, {"title": "Only a title"}, {"value": "v"}, "odd"],
                "fallback": "Build failed: main #42",
            },
            "Build failed\n<https://ci.example/42|main #42>\n2 tests\nBranch: main\nOnly a title\nv",
        ),
        ({"blocks": [section("nested"), {"type": "divider"}], "fallback": "[no preview available]"}, "nested"),
        ({"text": "same", "blocks": [section("*same*")]}, "same"),
        ({"fallback": "only this", "color": "danger", "author_name": ""}, "only this"),
        ({"author_name": "CI", "text": "red"}, "CI\nred"),
        ({"title": 5, "text": None, "fields": "odd", "blocks": 3, "files": [{"name": "a.log"}]}, "5\n[file: a.log]"),
        (FORWARDED, "Forwarded from Bob:\nthe pool is full, `x`"),
        (
            {"message_blocks": [{"message": {"text": "one"}}, "odd", {"message": None}, {"message": {"blocks": []}}]},
            "one",
        ),
        (
            {"is_share": True, "author_name": "Eve", "text": "a\nb", "files": [{"title": "t"}]},
            "Forwarded from Eve:\na\nb\n[file: t]",
        ),
    ],
)
def test_what_an_attachment_says(attachment: dict[str, Any], text: str) -> None:
    """All that it shows; the fallback only where that is nothing."""
    assert said.text_of({"attachments": [attachment]}) == text
    assert said.text_of({"text": "See:", "attachments": [attachment]}) == f"See:\n{text}"


@pytest.mark.parametrize("link", ["from_url", "original_url", "app_unfurl_url"])
def test_previews_of_links_are_not_said(link: str) -> None:
    """Slack adds them; they are taken only where a message says nothing else."""
    preview = {link: "https://x.example", "title": "A page", "text": "of somebody else"}
    assert said.text_of({"text": "<https://x.example>", "attachments": [preview]}) == "<https://x.example>"
    assert said.text_of({"attachments": [preview]}) == "A page\nof somebody else"


def test_an_attachment_that_repeats_the_text_is_said_once() -> None:
    """As some apps send it, for old clients."""
    assert said.text_of({"text": "Disk is full", "attachments": [{"text": "*Disk* is full"}]}) == "Disk is full"


@pytest.mark.parametrize(
    ("before", "after", "unfurled"),
    [
        ({"text": "a"}, {"text": "a", "attachments": [{"text": "x"}]}, True),
        ({"text": "a", "edited": {"ts": "1.0"}}, {"text": "a", "edited": {"ts": "1.0"}, "attachments": [{}]}, True),
        ({"text": "a"}, {"text": "a", "edited": {"ts": "1.0"}, "attachments": [{"text": "x"}]}, False),
        ({"text": "a"}, {"text": "b", "attachments": [{"text": "x"}]}, False),
        ({"text": "a", "blocks": []}, {"text": "a", "blocks": [section("x")], "attachments": [{}]}, False),
        ({"text": "a", "attachments": [{}]}, {"text": "a"}, False),
        (None, {"text": "a", "attachments": [{}]}, False),
    ],
)
def test_a_preview_is_no_edit(before: Any, after: dict[str, Any], unfurled: bool) -> None:
    """What changes is only what Slack shows of the links."""
    assert said.is_unfurled({"message": after, "previous_message": before}) is unfurled


def test_nesting_ends() -> None:
    """A message that forwards a message that forwards one: it is read as far as people would."""
    nested: dict[str, Any] = {"text": "deepest"}
    for _ in range(50):
        nested = {"blocks": [{"type": "of tomorrow", "blocks": [section("x")]}], "attachments": [nested]}
    assert said.text_of({"attachments": [nested]}) == "x"


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

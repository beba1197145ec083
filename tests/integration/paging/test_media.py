"""One hostile text through every medium: each escapes it its own way, once, and the timeline holds it as it is."""

from __future__ import annotations

import csv
import html
import io
import json
from pathlib import Path
from typing import Any

import pytest

import bot.sandbox
from bot.sandbox.pagerduty import Account
from bot.slack.mrkdwn import esc
from tests.conftest import Client, Hands, wait_for
from tests.integration.paging.test_paging import by_events, delivered, page_one, turn, wait_turning
from tests.integration.world import World

__all__ = ["by_events"]

TEXT = "p99 > 2s & <b> *x* _y_ <!channel> @here"
SHOWN = esc(TEXT)


def texts(block: Any, kind: str) -> list[str]:
    """Give the texts of one type, mrkdwn or plain_text, wherever they are in a message's blocks."""
    if isinstance(block, list):
        return [text for each in block for text in texts(each, kind)]
    if not isinstance(block, dict):
        return []
    own = [str(block["text"])] if block.get("type") == kind and isinstance(block.get("text"), str) else []
    return own + [text for value in block.values() for text in texts(value, kind)]


def open_one(bot: Client) -> tuple[str, str]:
    """Declare an incident by this text, as Slack hands it over, and say it in a note and an update."""
    number, channel = bot.open_one(f"declare {SHOWN} sev2")
    bot.slash(f"note {SHOWN}", channel=channel)
    bot.slash(f"update {SHOWN}", channel=channel)
    return number, channel


def test_slack_and_the_exports(bot: Client, world: World) -> None:
    """mrkdwn, notification texts and the topic are escaped; plain_text, JSON and CSV are not; Markdown has its own."""
    number, channel = open_one(bot)
    world.settle()
    said = [m for name in (channel, "incidents") for m in bot.workspace.messages(name) if "p99" in json.dumps(m.blocks)]
    assert said
    for message in said:
        for text in [message.text, *texts(message.blocks, "mrkdwn")]:
            assert "<!channel>" not in text
            assert "<b>" not in text
            assert "&amp;gt;" not in text
        assert not any("&gt;" in text for text in texts(message.blocks, "plain_text"))
    assert any(SHOWN in text for m in said for text in texts(m.blocks, "mrkdwn"))
    assert any(TEXT in text for m in said for text in texts(m.blocks, "plain_text"))
    assert any(SHOWN in message.text for message in said)
    assert SHOWN in bot.workspace.channel(channel).topic

    assert bot.incident(number)["title"] == TEXT
    told = [event["text"] for event in bot.events(number)]
    assert told.count(TEXT) == 2
    assert not any("&gt;" in text for text in told)
    path = f"/api/v1/incidents/{number}/timeline"
    rows = list(csv.DictReader(io.StringIO(bot.get(path, format="csv").text.removeprefix("\ufeff"))))
    assert [row["text"] for row in rows].count(TEXT) == 2
    markdown = bot.get(path, format="md").text
    assert "<!channel>" not in markdown
    assert "<b>" not in markdown
    assert "&amp;gt;" not in markdown
    assert "p99 > 2s & <b>" in html.unescape(markdown)


def test_a_page_that_opens_an_incident(bot: Client, hands: Hands, account: Account) -> None:
    """PagerDuty's title and details are plain text: what is greater stays greater."""
    number, _ = open_one(bot)
    turn(hands, 300)
    wait_for(lambda: delivered(bot, number), what="the page")
    (incident,) = account.incidents
    assert incident.title == f"[{number}] sev2: {TEXT}"
    assert f"Last update: {TEXT}" in incident.details["details"]
    assert "&gt;" not in json.dumps(incident.details)


def test_what_pagerduty_says(bot: Client, hands: Hands, account: Account, world: World) -> None:
    """A name and a title from there are plain on the timeline and in the next page, and escaped in Slack."""
    number, channel = page_one(bot, hands, account)
    bot.slash("ack", channel=channel)
    turn(hands, 60)
    event = account.event("incident.reopened", account.incidents[-1])
    event["event"]["agent"] = {"id": "PUALICE1", "type": "user_reference", "summary": TEXT}
    event["event"]["data"]["title"] = TEXT
    assert bot.pagerduty(event).status_code == 202
    line = "PagerDuty incident reopened by {0}: {0}"
    wait_for(lambda: bot.workspace.find(channel, line.format(SHOWN)), what="the line")
    assert line.format(TEXT) in [event["text"] for event in bot.events(number)]
    turn(hands, 300)
    wait_turning(hands, lambda: account.incidents[0].requests, "the next page")
    assert "&gt;" not in json.dumps(account.incidents[0].requests)
    world.settle()
    assert not any("<!channel>" in message.text for message in bot.workspace.messages(channel))


def test_responders_are_asked_in_plain_text(bot: Client, hands: Hands, account: Account) -> None:
    """The message of a request to respond on a PagerDuty incident holds the title as it is."""
    incident = account.open_one(TEXT)
    number = bot.pagerduty(account.event("incident.triggered", incident)).json()["outcome"].removeprefix("declared ")
    bot.wait_opened(number)
    turn(hands, 300)
    wait_turning(hands, lambda: delivered(bot, number), "the request")
    message = account.incidents[0].requests[-1]["message"]
    assert "p99 > 2s & x" in message  # an alert's mark-up is taken out of titles, and the rest is as it was
    assert "&gt;" not in message


@pytest.mark.usefixtures("by_events")
def test_an_event_is_plain_text(bot: Client, hands: Hands, account: Account) -> None:
    """The summary and the details of an event hold the text as it is."""
    number, _ = open_one(bot)
    turn(hands, 300)
    wait_turning(hands, lambda: delivered(bot, number), "the page")
    (call,) = [call for call in account.calls if call.method == "POST /v2/enqueue"]
    assert call.args["payload"]["summary"] == f"[{number}] sev2: {TEXT}"
    assert call.args["payload"]["custom_details"]["Last update"] == TEXT


def test_the_sandbox_page_builds_no_html_from_text() -> None:
    """The page shows messages as text nodes: nothing in it parses a string as HTML."""
    scripts = (Path(bot.sandbox.__file__).parent / "static").glob("*.js")
    parses = ("innerHTML", "outerHTML", "insertAdjacentHTML", "document.write", "DOMParser")
    assert not [(script.name, word) for script in scripts for word in parses if word in script.read_text()]

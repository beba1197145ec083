"""An alert or a responder opens an incident: everything that is to be seen in Slack is there, once."""

from __future__ import annotations

from tests.conftest import Client, wait_for
from tests.integration.bodies import alert, body


def test_an_alert_opens_an_incident_with_everything_in_its_channel(bot: Client) -> None:
    """A critical alert ends in a channel with the card, the notification, the runbook, the checklist, and people."""
    answer = bot.alertmanager(body(alert("aa"), alert("bb")))
    assert answer.status_code == 202
    number = answer.json()["outcome"].removeprefix("declared ")
    bot.wait_opened(number)
    channel = bot.room(number)
    texts = "\n".join(str(m.blocks) for m in bot.workspace.messages(channel))
    for wanted in ("http_errors_total", "threshold 1%", "value 7.5%", "eu-west-1", "checkout", "SRE Team Lead"):
        assert wanted in texts
    alice = bot.workspace.user("alice").id
    wait_for(lambda: bot.workspace.find(channel, alice) or alice in texts)
    assert alice in bot.workspace.channel(channel).members
    assert number in bot.workspace.pinned(channel)[0].text
    kinds = bot.kinds(number)
    assert kinds[:4] == ["alert_fired", "alert_fired", "declared", "paged"]
    assert {"channel_opened", "runbook_posted", "page_delivered"} <= set(kinds)


def test_the_same_notification_again_changes_nothing(bot: Client) -> None:
    """A repeat of a group adds no event, no message and no incident."""
    first = bot.alertmanager(body(alert("aa")))
    number = first.json()["outcome"].removeprefix("declared ")
    bot.wait_opened(number)
    wait_for(lambda: "page_delivered" in bot.kinds(number))
    before = bot.events(number)
    assert bot.alertmanager(body(alert("aa"))).json()["outcome"] == f"repeat of {number}"
    assert bot.events(number) == before
    assert len(bot.incidents()) == 1

"""What people do in Slack that no bot expects: late forms, double presses, renamed, archived and left channels."""

from __future__ import annotations

from concurrent.futures import ThreadPoolExecutor
from typing import Any

import pytest

from bot.sandbox.model import Message
from tests.conftest import Client, Hands, wait_for


def said(message: Message) -> str:
    return f"{message.text} {message.blocks}"


def press(bot: Client, user: str, channel: str, action: str) -> Any:
    return bot.people.press(user, channel, bot.workspace.pinned(channel)[0].ts, action)


def direct(bot: Client, user: str) -> str:
    """All that was said to somebody alone."""
    seen = [m for c in bot.workspace.channels.values() for m in c.log if m.ephemeral_to == bot.workspace.user(user).id]
    return " ".join(said(m) for m in [*seen, *bot.workspace.direct(user).log])


@pytest.mark.parametrize(("action", "kind"), [("incident_ack", "acknowledged"), ("incident_lead", "role_assigned")])
def test_two_who_press_at_once_get_one_result(bot: Client, action: str, kind: str) -> None:
    """Both presses are answered; what is done is done once, and whoever comes second is told or asked."""
    number, channel = bot.open_one()
    bot.workspace.latency_by_method["chat.update"] = 0.5
    with ThreadPoolExecutor(2) as pool:
        replies = list(pool.map(lambda user: press(bot, user, channel, action), ("alice", "bob")))
    assert [reply.status for reply in replies] == [200, 200]
    if kind == "acknowledged":
        assert bot.kinds(number).count(kind) == 1
        wait_for(lambda: "acknowledged at" in direct(bot, "alice") + direct(bot, "bob"), what="the second's answer")
    else:
        (lead,) = (e["data"]["person"]["name"] for e in bot.events(number) if e["kind"] == kind)
        second = "bob" if lead == "alice" else "alice"
        wait_for(lambda: lead in direct(bot, second), what="the second's answer")


def test_a_button_of_a_resolved_incident_says_so(bot: Client) -> None:
    """Whatever an old message still shows: nothing changes, and a line names the way out."""
    number, channel = bot.open_one()
    card = bot.workspace.pinned(channel)[0]
    buttons = [m for m in bot.workspace.messages(channel) if "incident_ack" in str(m.blocks) and m is not card]
    notification = buttons[0]
    bot.slash("resolve Done", "alice", channel)
    before = bot.events(number)
    for action in ("incident_ack", "incident_lead", "incident_update"):
        assert bot.people.press("bob", channel, notification.ts, action).status == 200
    wait_for(lambda: direct(bot, "bob").count("Reopen it first") >= 3, what="the answers")
    assert bot.events(number) == before
    assert bot.workspace.open_views("bob") == []


def test_a_form_that_is_sent_late_still_counts_or_says_why(bot: Client, hands: Hands) -> None:
    """Ten minutes later it does what it says; after the resolution it stays open and names the way out."""
    number, channel = bot.open_one()
    press(bot, "alice", channel, "incident_update")
    late = bot.workspace.open_views("alice")[-1]
    hands.advance(minutes=10)
    assert bot.people.submit("alice", late.id, {"state": "The pool is scaled"}).json == {}
    assert bot.wait_event(number, "update_posted")["text"] == "The pool is scaled"
    press(bot, "alice", channel, "incident_update")
    later = bot.workspace.open_views("alice")[-1]
    bot.slash("resolve Done", "bob", channel)
    errors = bot.people.submit("alice", later.id, {"state": "Still here"}).json["errors"]
    assert "Reopen it first" in errors["state"]


def test_somebody_who_is_gone_or_a_guest_is_told_of(bot: Client) -> None:
    """A deactivated account is refused at once; that a guest cannot be invited is no secret."""
    number, channel = bot.open_one()
    gone = bot.workspace.add_user("erin", deleted=True)
    bot.workspace.add_user("guest", guest=True)
    for line in ("handoff @erin", f"page <@{gone.id}|erin> look"):
        assert "erin's Slack account is deactivated" in bot.slash(line, "alice", channel)
    bot.slash("invite @guest", "alice", channel)
    bot.wait_event(number, "page_failed")


def test_a_channel_that_is_renamed_goes_on(bot: Client) -> None:
    """Messages are addressed by its id: the card and new messages are where they belong."""
    number, channel = bot.open_one()
    room = bot.workspace.channel(channel)
    room.name = "checkout-is-down"
    bot.slash("update Still looking", "alice", "checkout-is-down")
    wait_for(lambda: bot.workspace.find("checkout-is-down", "Update on"), what="the update")
    wait_for(lambda: "Still looking" in said(bot.workspace.pinned("checkout-is-down")[0]), what="the card")
    assert bot.incident(number)["status"] == "investigating"


def test_a_bot_that_was_removed_comes_back(bot: Client) -> None:
    """Out of its channel it joins again to say what it has to."""
    _, channel = bot.open_one()
    room = bot.workspace.channel(channel)
    room.members.remove(bot.workspace.bot.id)
    bot.slash("update Still looking", "alice", channel)
    wait_for(lambda: bot.workspace.find(channel, "Update on"), what="the update")
    assert bot.workspace.bot.id in room.members

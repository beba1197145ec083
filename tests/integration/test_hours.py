"""Hours of an incident as people in Slack see them, the clock being turned by hand."""

from __future__ import annotations

import re
import time
from typing import Any

from bot.sandbox.model import Message
from tests.conftest import Client, Hands, wait_for

MENTION = re.compile(r"<@\w+>|<!(?:here|channel|everyone|subteam)[^>]*>")


def shown(message: Message) -> str:
    """Everything that a message shows."""
    return f"{message.text} {message.blocks}"


def buttons(message: Message) -> list[str]:
    """The labels of a message's buttons."""
    parts = [part for block in message.blocks for part in block.get("elements", []) if part.get("type") == "button"]
    return [part["text"]["text"] for part in parts]


def having(bot: Client, channel: str, *needles: str) -> list[Message]:
    """The bot's messages that show all of these."""
    mine = [m for m in bot.workspace.messages(channel) if m.user == bot.workspace.bot.id and not m.subtype]
    return [m for m in mine if all(needle in shown(m) for needle in needles)]


def wait_shown(bot: Client, channel: str, *needles: str, count: int = 1) -> Message:
    """Wait until so many messages show all of these; gives the last."""

    def look() -> Message | None:
        found = having(bot, channel, *needles)
        return found[count - 1] if len(found) >= count else None

    found = wait_for(look, what=f"{count} x {needles}")
    assert isinstance(found, Message)
    return found


def told(bot: Client, number: str) -> list[str]:
    """What the clock alone has put on the timeline, levels with their reasons."""
    kinds = {"paged", "escalated", "update_due", "update_overdue"}
    return [_tell(event) for event in bot.events(number) if event["kind"] in kinds]


def _tell(event: dict[str, Any]) -> str:
    data = event["data"]
    return f"{event['kind']} {data['level']} {data['reason']}" if "level" in data else str(event["kind"])


def turn(hands: Hands, minutes: float) -> None:
    """Turn the clock and let the service see it, before something is asked of it: it looks every 20 ms."""
    hands.advance(minutes=minutes)
    time.sleep(0.1)


def press(bot: Client, user: str, message: Message, action: str) -> None:
    assert bot.people.press(user, message.channel, message.ts, action).status == 200


def test_the_ladder_pages_one_level_after_another(bot: Client, hands: Hands) -> None:
    """Nobody acknowledges: bob at 5, charlie at 15, dana at 30 min are mentioned, invited and briefed."""
    bot.slash("declare Payments fail sev1")
    number = bot.incidents()[0]["number"]
    channel = bot.room(number)
    bot.wait_opened(number)
    minute = 0.0
    for level, (at, name, role) in enumerate(
        [(5, "bob", "SRE Team Lead"), (15, "charlie", "Engineering Manager"), (30, "dana", "VP Engineering")], start=2
    ):
        person = bot.workspace.user(name).id
        for before in (8, 0.5) if at == 30 else (0.5,):  # updates, so that none is overdue
            turn(hands, at - before - minute)
            minute = at - before
            bot.slash(f"update {'Half a minute' if before == 0.5 else 'Some time'} before {at}", channel=channel)
        wait_shown(bot, channel, f"Half a minute before {at}")
        assert person not in bot.workspace.channel(channel).members
        hands.advance(minutes=0.5)
        minute = at
        page = wait_shown(bot, channel, f"<@{person}>", f"you are paged as *{role}*")
        assert f"nobody has acknowledged for {at} min" in page.text
        assert MENTION.findall(page.text) == [f"<@{person}>"]
        assert person in bot.workspace.channel(channel).members  # an invitation precedes the page
        (briefing,) = (b["text"]["text"] for b in page.blocks if "Impact:" in str(b))
        assert "\n" not in briefing
        for fact in (number, "sev1", "Payments fail", "Tenants affected", "Mitigation", f"Half a minute before {at}"):
            assert fact in briefing
        assert buttons(page)[0] == "Acknowledge"
        delivered = bot.wait_event(number, "page_delivered", count=level)
        assert delivered["data"]["level"] == level
    assert [t for t in told(bot, number) if t != "update_due"] == [
        "paged 1 declared",
        "escalated 2 not_acknowledged",
        "escalated 3 not_acknowledged",
        "escalated 4 not_acknowledged",
    ]


def test_acknowledging_stops_the_ladder(bot: Client, hands: Hands) -> None:
    """After the button no level is paged, and the next page is that of the overdue update, at 20 min."""
    number, channel = bot.open_one()
    turn(hands, 3)
    press(bot, "alice", bot.workspace.pinned(channel)[0], "incident_ack")
    wait_for(lambda: "Acknowledge" not in buttons(bot.workspace.pinned(channel)[0]), what="the button to go")
    hands.advance(minutes=9.1)
    bot.wait_event(number, "update_due")
    hands.advance(minutes=3)
    bot.wait_event(number, "update_overdue")
    assert told(bot, number) == ["paged 1 declared", "update_due", "update_overdue"]
    hands.advance(minutes=5)
    bob = bot.workspace.user("bob").id
    page = wait_shown(bot, channel, f"<@{bob}>", "the update is overdue by 5 min")
    assert "Acknowledge" not in buttons(page)
    wait_for(lambda: bob in bot.workspace.channel(channel).members)
    assert told(bot, number)[3:] == ["escalated 2 update_overdue"]


def test_reminder_overdue_and_no_change(bot: Client, hands: Hands) -> None:
    """A quiet reminder at 12 min; `No change` begins anew; then reminder, and an overdue notice for the lead."""
    number, channel = bot.open_one()
    bot.slash("lead", "bob", channel)
    bot.slash("ack", "bob", channel)
    bob = bot.workspace.user("bob").id
    first_due = bot.incident(number)["next_update_at"]
    hands.advance(minutes=12)
    reminder = wait_shown(bot, channel, "Post an update by")
    assert MENTION.findall(shown(reminder)) == []
    assert buttons(reminder) == ["Post update", "No change, +15 min"]
    press(bot, "alice", reminder, "incident_same")
    wait_shown(bot, channel, "Update on", "No change")
    assert bot.incident(number)["next_update_at"] > first_due
    hands.advance(minutes=12)
    bot.wait_event(number, "update_due", count=2)
    assert "update_overdue" not in bot.kinds(number)  # it would have been due at 15
    hands.advance(minutes=3)
    overdue = wait_shown(bot, channel, "Update due now.")
    assert f"<@{bob}>" in overdue.text
    assert buttons(overdue) == ["Post update", "No change, +15 min"]
    assert told(bot, number) == ["paged 1 declared", "update_due", "update_due", "update_overdue"]


def test_forty_minutes_away(bot: Client, hands: Hands) -> None:
    """After one jump of 40 minutes there is one overdue notice that says how late it is, and no reminder."""
    number, channel = bot.open_one()
    bot.slash("lead", "alice", channel)
    bot.slash("ack", "alice", channel)
    bot.wait_event(number, "acknowledged")
    hands.advance(minutes=40)
    overdue = wait_shown(bot, channel, "Update overdue by")
    assert "overdue by 25 min" in overdue.text
    assert f"<@{bot.workspace.user('alice').id}>" in overdue.text
    hands.advance(minutes=5)  # the climb comes a third of an interval later
    bot.wait_event(number, "escalated")
    assert told(bot, number) == ["paged 1 declared", "update_overdue", "escalated 2 update_overdue"]
    # The page's briefing tells of the notice too, but does not ask for an update.
    assert len(having(bot, channel, "Update overdue by", "Post one now")) == 1
    assert having(bot, channel, "Post an update by") == []


def test_resolving_stops_everything(bot: Client, hands: Hands) -> None:
    """After `resolve` hours pass without a word; reopened, the cadence counts from that moment."""
    number, channel = bot.open_one()
    hands.advance(minutes=6)
    bot.wait_event(number, "page_delivered", count=2)
    assert bot.slash("resolve Rolled back", channel=channel) == f"Resolved {number}."
    wait_shown(bot, channel, "is resolved")
    before = told(bot, number)
    turn(hands, 180)
    assert bot.slash("reopen It is back", channel=channel) == f"Reopened {number}."
    assert told(bot, number) == before == ["paged 1 declared", "escalated 2 not_acknowledged"]
    hands.advance(minutes=12)
    bot.wait_event(number, "update_due")
    assert told(bot, number) == [*before, "update_due"]


def test_a_pause_keeps_quiet(bot: Client, hands: Hands) -> None:
    """During a pause nobody is asked for an update; a full interval after it begins again, the reminder comes."""
    number, channel = bot.open_one()
    bot.slash("ack", channel=channel)
    bot.slash("pause 30m waiting for the restore", channel=channel)
    wait_for(lambda: "Paused until" in str(bot.workspace.pinned(channel)[0].blocks), what="the card")
    assert "waiting for the restore" in bot.wait_event(number, "cadence_paused")["text"]
    turn(hands, 29)
    assert bot.incident(number)["next_update_at"] is None
    hands.advance(minutes=1)
    bot.wait_event(number, "cadence_paused", count=2)
    assert told(bot, number) == ["paged 1 declared"]
    hands.advance(minutes=12)
    wait_shown(bot, channel, "Post an update by")


def test_raising_a_thread_speaks_in_it_and_loses_nothing(bot: Client, hands: Hands) -> None:
    """What is said while the channel is being opened goes to the thread; the ladder counts from the raise."""
    number = bot.slash("declare Slow reports sev3").split()[1]
    root = wait_for(lambda: bot.workspace.find("ops-alerts", number))
    turn(hands, 40)
    bot.workspace.latency_by_method["conversations.create"] = 0.3
    assert bot.slash(f"{number} sev 1 it is everybody").endswith("is sev1.")
    thread = lambda: [m.text for m in bot.workspace.messages("ops-alerts", root.ts)]  # noqa: E731
    wait_for(lambda: any("raised the severity to *sev1*" in text for text in thread()))
    bot.wait_event(number, "channel_opened")
    bot.wait_opened(number)
    hands.advance(minutes=5)
    bob = bot.workspace.user("bob").id
    channel = bot.room(number)
    wait_shown(bot, channel, f"<@{bob}>", "nobody has acknowledged for 5 min")
    assert told(bot, number) == ["paged 1 raised", "escalated 2 not_acknowledged"]
    assert bot.workspace.find("ops-alerts", "Could not deliver") is None
    assert "delivery_failed" not in bot.kinds(number)

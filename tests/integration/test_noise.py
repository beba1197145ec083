"""How much an incident's channel is told."""

from __future__ import annotations

from collections import Counter

from bot.sandbox.model import Message
from tests.conftest import Client, Hands
from tests.integration import ordinary_hour
from tests.integration.world import World

MOST = 10  # public messages of the bot in an ordinary hour
TOPICS = ("investigating | lead: none yet", "investigating | lead: alice", "monitoring", "resolved")


def kind_of(message: Message) -> str:
    """Give the kind of the delivery that posted a message; nothing for what Slack or people have written."""
    key = str(((message.metadata or {}).get("event_payload") or {}).get("key", ""))
    return key.split("/")[1] if key else ""


def test_an_ordinary_hour_is_told_in_ten_messages(bot: Client, world: World, hands: Hands) -> None:
    """Card, page, runbook, lead, four updates, mitigated, resolved; the topic changes with status and lead alone."""
    number = ordinary_hour.play(bot, world, hands)
    log = [m for m in bot.workspace.messages(bot.room(number)) if m.ephemeral_to is None]
    kinds = Counter(kind for m in log if (kind := kind_of(m)))
    assert kinds == {"card": 1, "notification": 1, "runbook": 1, "say": 2, "update": 4, "resolution": 1}
    assert kinds.total() <= MOST
    topics = [m.text for m in log if "set the channel topic" in m.text]
    assert [part in text for part, text in zip(TOPICS, topics, strict=True)] == [True] * 4


def test_what_asked_for_something_is_taken_back(bot: Client, world: World, hands: Hands) -> None:
    """A reminder once its update is there, and the suggestion to resolve once it is resolved."""
    number = ordinary_hour.play(bot, world, hands)
    asked = world.rows("SELECT kind, state FROM deliveries WHERE kind IN ('reminder', 'suggest_resolve') ORDER BY kind")
    assert [(row["kind"], row["state"]) for row in asked] == [
        ("reminder", "delivered"),
        ("reminder", "delivered"),
        ("suggest_resolve", "delivered"),
    ]
    deleted = [call for call in bot.workspace.calls if call.method == "chat.delete"]
    assert len(deleted) == 3
    assert bot.kinds(number).count("update_due") == 2


def test_what_only_says_who_did_what_is_on_the_card(bot: Client, world: World, hands: Hands) -> None:
    """The last three of them, oldest first."""
    number = ordinary_hour.play(bot, world, hands)
    card = world.card(number)
    latest = card[card.index("*Latest*") :]
    found = [latest.find(part) for part in ("Task 1 added", "Task 1 done", "Alert on the pool's size (alice)")]
    assert found == sorted(found)
    assert min(found) > 0
    assert "Rolled checkout back" not in latest

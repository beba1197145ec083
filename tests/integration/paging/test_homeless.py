"""Pages for which there is neither the incident's channel nor the alerts channel go to the people themselves."""

from __future__ import annotations

from pathlib import Path

import pytest

from bot.sandbox.faults import Fault
from tests.conftest import LADDER, Client, Hands, wait_for
from tests.integration.world import World

PAGED = "you are paged"


@pytest.fixture
def environ(environ: dict[str, str]) -> dict[str, str]:
    """The alerts channel does not exist."""
    Path(environ["SITREP_CONFIG"]).write_text(
        f"{LADDER}slack: {{alerts_channel: nowhere, operators_channel: ops-alerts}}\n"
    )
    return environ


def directly(bot: Client, user: str) -> list[str]:
    """Give what the bot has told somebody in direct messages."""
    return [m.text for m in bot.workspace.messages(bot.workspace.direct(user).id)]


@pytest.fixture
def number(bot: Client) -> str:
    """An incident whose channel Slack refuses."""
    bot.workspace.faults.add(Fault("conversations.create", "error", error="restricted_action", times=None))
    return bot.slash("declare Checkout is down sev2").split()[1]


def test_each_level_is_paged_in_direct_messages(bot: Client, hands: Hands, number: str) -> None:
    """The first at once, the second in its turn, once each; the press in the message stops the ladder."""
    bot.wait_event(number, "page_delivered")
    assert len([text for text in directly(bot, "alice") if number in text]) == 1
    hands.advance(minutes=5.1)
    bot.wait_event(number, "page_delivered", count=2)
    (said,) = [m for m in bot.workspace.messages(bot.workspace.direct("bob").id) if PAGED in m.text]
    assert number in said.text
    assert bot.people.press("bob", bot.workspace.direct("bob").id, said.ts, "incident_ack", number).ok
    bot.wait_event(number, "acknowledged")
    hands.advance(minutes=30)
    assert bot.kinds(number).count("page_failed") == 0
    assert directly(bot, "charlie") == []


def test_who_is_asked_for_is_paged_too(bot: Client, number: str) -> None:
    """By a command, whoever it is."""
    bot.wait_event(number, "page_delivered")
    dana = bot.workspace.user("dana").id
    bot.slash(f"{number} page <@{dana}> the database is yours")
    wait_for(lambda: any("the database is yours" in text for text in directly(bot, "dana")), what="the page")


def test_a_private_incident_without_a_channel_pages_its_people(bot: Client, world: World, hands: Hands) -> None:
    """They see it from then on; nobody else does."""
    bot.workspace.faults.add(Fault("conversations.create", "error", error="restricted_action", times=None))
    number = bot.slash("private A laptop is gone sev2", "dana").split()[1]
    wait_for(lambda: any(number in text for text in directly(bot, "alice")), what="the page")
    hands.advance(minutes=5.1)
    wait_for(lambda: any(PAGED in text for text in directly(bot, "bob")), what="the second level's page")
    world.settle()
    assert "acknowledged" in bot.slash(f"{number} ack", "bob").casefold()
    assert bot.slash(f"{number} status", "charlie").startswith(f"There is no {number}.")

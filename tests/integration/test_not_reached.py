"""Whoever asks for somebody hears when they cannot be reached: who, why in words, and what to do."""

from __future__ import annotations

import pytest

from bot.sandbox.faults import Fault
from tests.conftest import Client, wait_for
from tests.integration.world import World

CODES = ("cant_invite", "user_is_restricted", "user_not_found", "invite_failed", "nobody_found", "user_disabled")


def whispers(bot: Client, user: str = "alice") -> list[str]:
    """Give what only one person was told, in a channel or directly."""
    direct = [m.text for m in bot.workspace.messages(bot.workspace.direct(user).id)]
    return [m.text for m in bot.workspace.ephemerals(user)] + direct


def told(bot: Client, part: str, user: str = "alice") -> str:
    found = wait_for(lambda: [t for t in whispers(bot, user) if part in t], what=f"{part!r} told to {user}")
    (text,) = found
    assert not any(code in text for code in CODES), text
    assert "SITREP_CONFIG" not in text
    return str(text)


@pytest.mark.parametrize(
    "line", ["invite {who}", "page {who} the database is yours", "role scribe {who}", "handoff {who}", "lead {who}"]
)
def test_a_guest_who_cannot_be_invited(bot: Client, world: World, line: str) -> None:
    """The person who typed it is told, alone; the operators are not, for there is nothing to configure."""
    guest = bot.workspace.add_user("gwen", guest=True)
    number, channel = bot.open_one()
    world.settle()
    bot.slash(line.format(who=f"<@{guest.id}>"), channel=channel)
    text = told(bot, "guest")
    assert "gwen is a guest" in text
    assert "Ask an admin" in text
    assert bot.workspace.find("ops-alerts", "guest") is None
    assert "gwen is a guest" in bot.wait_event(number, "page_failed")["text"]


@pytest.mark.parametrize(
    ("code", "words"),
    [
        ("cant_invite", "cannot be invited by the bot. Invite them by hand"),
        ("user_disabled", "has a deactivated Slack account. Name someone else"),
        ("ura_max_channels", "is a guest in as many channels as allowed"),
        ("org_user_not_in_team", "is in another workspace"),
        ("something_new", "was not let in by Slack (something new). Invite them by hand"),
    ],
)
def test_each_refusal_has_its_words_and_its_fix(bot: Client, world: World, code: str, words: str) -> None:
    """A code is never shown as it is, and the ladder is named only where it is the fix."""
    _number, channel = bot.open_one()
    world.settle()
    bot.workspace.faults.add(Fault("conversations.invite", "error", error=code))
    bot.slash(f"invite <@{bot.workspace.user('dana').id}>", "bob", channel)
    assert f"dana {words}" in told(bot, "dana", "bob")


def test_one_of_two_is_refused(bot: Client, world: World) -> None:
    """The other one is invited; whoever asked hears of the one who is not."""
    guest = bot.workspace.add_user("gwen", guest=True)
    _number, channel = bot.open_one()
    world.settle()
    dana = bot.workspace.user("dana").id
    bot.slash(f"invite <@{dana}> <@{guest.id}>", channel=channel)
    assert "gwen is a guest" in told(bot, "Could not invite everyone")
    assert dana in bot.workspace.channel(channel).members


def test_somebody_whose_account_is_gone_is_not_paged_in_silence(bot: Client, world: World) -> None:
    """Whoever asks for a page to a deactivated account is told by the person's name that nobody is reached."""
    number, channel = bot.open_one()
    world.settle()
    gone = bot.workspace.add_user("erin")
    bot.slash(f"role scribe <@{gone.id}>", channel=channel)  # so that the name is known
    world.settle()
    gone.deleted = True
    bot.workspace.channel(channel).members.remove(gone.id)
    bot.slash(f"page <@{gone.id}> please look", channel=channel)
    assert "erin is no longer in this Slack workspace. Name someone else." in told(bot, "Invitation failed: erin")
    assert "erin" in bot.wait_event(number, "page_failed")["text"]


def test_the_ladder_is_named_where_it_is_the_fix(bot: Client, world: World) -> None:
    """Nobody asked for the first level of the ladder: the timeline and the operators name the key to correct."""
    bot.workspace.user("alice").guest = True
    number = bot.slash("declare Checkout is down sev2", "bob").split()[1]
    failed = bot.wait_event(number, "page_failed")
    assert "alice is a guest" in failed["text"]
    assert "ladder (SITREP_CONFIG)" in failed["text"]
    assert not any(code in failed["text"] for code in CODES)
    world.settle()
    assert bot.workspace.find("ops-alerts", "ladder (SITREP_CONFIG)") is not None
    assert [t for t in whispers(bot, "bob") if "guest" in t] == []

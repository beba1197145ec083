"""Channels that are called after what they are about."""

from __future__ import annotations

from pathlib import Path

import pytest

from bot.sandbox.faults import Fault
from tests.conftest import LADDER, Client, InProcess, both_databases, wait_for


@pytest.fixture
def environ(environ: dict[str, str]) -> dict[str, str]:
    Path(environ["SITREP_CONFIG"]).write_text(LADDER + 'slack: {channel_name: "{prefix}-{about}"}\n')
    return environ


def rooms(bot: Client) -> list[str]:
    return [c.name for c in bot.workspace.channels.values() if c.name.startswith("incident-")]


def test_a_channel_says_what_it_is_about(bot: Client) -> None:
    """Its name begins with the number, is understood with all that follows, and stays when the title changes."""
    number, channel = bot.open_one("declare Checkout errors: Zahlung fällt aus! sev2")
    assert channel == f"incident-{number.removeprefix('INC-')}-checkout-errors-zahlung-fallt-aus"
    assert "acknowledged" in bot.slash(f"#{channel} ack").casefold()
    bot.slash("rename Something else", "alice", channel)
    bot.wait_event(number, "note")
    assert rooms(bot) == [channel]


def test_a_private_one_says_nothing(bot: Client) -> None:
    """Everybody can see that there is one, and nobody of what."""
    number = bot.slash("private A laptop is gone sev2").split()[1]
    wait_for(lambda: rooms(bot), what="the channel")
    assert rooms(bot) == [f"incident-{number.removeprefix('INC-')}"]


@both_databases
@pytest.mark.parametrize("kind", ["drop_after", "drop_before"])
def test_each_attempt_asks_for_the_same_name(
    bot: Client, service: InProcess, environ: dict[str, str], kind: str
) -> None:
    """The answer is lost, and title and pattern change before the next attempt: one channel, by the first name."""
    hung = Fault("conversations.create", kind, times=1)
    later = Fault("conversations.create", "http500", times=None)
    bot.workspace.faults.add(hung, later)
    number = bot.slash("declare Checkout errors sev2").split()[1]
    wait_for(lambda: later.hits, what="a second attempt")
    bot.slash(f"{number} rename Search is slow")
    service.stop()
    Path(environ["SITREP_CONFIG"]).write_text(LADDER + 'slack: {channel_name: "{prefix}-war-{about}"}\n')
    bot.workspace.faults.clear()
    service.start()
    bot.wait_opened(number)
    assert rooms(bot) == [f"incident-{number.removeprefix('INC-')}-checkout-errors"]

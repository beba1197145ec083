"""Channels that are called after what they are about."""

from __future__ import annotations

import re
from pathlib import Path

import pytest

from bot.sandbox.faults import Fault
from tests.conftest import LADDER, Client, InProcess, both_databases, number_of, rooms, wait_for

START = re.compile(r"incident-[0-9]{8}-[0-9]{3}")


def test_a_channel_says_what_it_is_about(bot: Client) -> None:
    """Its name begins with the number, is understood with all that follows, and stays when the title changes."""
    number, channel = bot.open_one("declare Checkout errors: Zahlung fällt aus! sev2")
    assert number_of(channel) == number
    assert START.sub("", channel) == "-checkout-errors"
    assert "acknowledged" in bot.slash(f"#{channel} ack").casefold()
    bot.slash("rename Something else", "alice", channel)
    bot.wait_event(number, "note")
    assert rooms(bot.workspace) == [channel]


def test_a_private_one_says_nothing(bot: Client) -> None:
    """Everybody can see that there is one, and nobody of what."""
    said = bot.slash("private A laptop is gone sev2")
    assert START.fullmatch(bot.room(said.split()[1]))


def test_the_answer_says_how_the_name_begins(bot: Client) -> None:
    """The channel has its name only once Slack has made it: what is said before holds for any name it gets."""
    bot.workspace.faults.add(Fault("conversations.create", "http500", times=2))
    for title in ("Search is slow", "[TEST] Failover", "\U0001f525"):
        said = bot.slash(f"declare {title} sev2")
        number = said.split()[1]
        begins = said[said.index("incident-") :].rstrip(".")
        assert START.fullmatch(begins)
        assert "opening its channel" in said
        room = bot.room(number)
        assert room == begins or room.startswith(f"{begins}-")


def test_a_pattern_of_one_s_own(bot: Client, service: InProcess, environ: dict[str, str]) -> None:
    """A company may have the number alone, as it was before."""
    service.stop()
    Path(environ["SITREP_CONFIG"]).write_text(LADDER + 'slack: {channel_name: "{prefix}"}\n')
    service.start()
    _, channel = bot.open_one("declare Checkout errors sev2")
    assert START.fullmatch(channel)


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
    assert [START.sub("", name) for name in rooms(bot.workspace)] == ["-checkout-errors"]

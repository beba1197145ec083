"""A storm's first incidents are merged into it by one press, and can be split off again."""

from __future__ import annotations

from pathlib import Path

import pytest

from bot.sandbox.model import Message
from tests.conftest import Client, both_databases, wait_for
from tests.integration.test_storms import LADDER, SEV1, group, send, storm_of
from tests.integration.world import World


@pytest.fixture
def environ(environ: dict[str, str]) -> dict[str, str]:
    Path(environ["SITREP_CONFIG"]).write_text(LADDER + SEV1)
    return environ


def a_storm(bot: Client, world: World) -> tuple[str, list[str], Message]:
    """Send six groups; gives the storm's number, those before it, and the message with the offer."""
    outcomes = send(bot, *(group(n) for n in range(6)))
    numbers = [outcome.removeprefix("declared ") for outcome in outcomes]
    world.settle()
    assert numbers[5] == storm_of(bot)
    return numbers[5], numbers[:5], offer(bot, numbers[5])


def offer(bot: Client, number: str) -> Message:
    found = wait_for(lambda: bot.workspace.find(bot.room(number), "More than 5 alert groups"), what="the offer")
    assert isinstance(found, Message)
    return found


def press(bot: Client, message: Message, user: str = "alice") -> None:
    assert bot.people.press(user, message.channel, message.ts, "storm_merge").ok


def statuses(bot: Client, numbers: list[str]) -> set[str]:
    return {bot.incident(number)["status"] for number in numbers}


@both_databases
def test_one_press_merges_them_and_each_can_be_split_off(bot: Client, world: World) -> None:
    """The alerts go along, one message tells of it, and the offer is gone; an unmerge brings one back."""
    number, before, message = a_storm(bot, world)
    assert "Merge these 5" in str(message.blocks)
    press(bot, message)
    world.settle()
    assert statuses(bot, before) == {"merged"}
    said = [m.text for m in bot.workspace.messages(bot.room(number)) if " into this incident." in m.text]
    assert len(said) == 1
    assert all(each in said[0] for each in before)
    assert not bot.workspace.find(bot.room(number), "More than 5 alert groups")
    assert "6 firing" in world.card(number)
    bot.slash(f"{before[2]} unmerge")
    world.settle()
    assert statuses(bot, [before[2]]) == {"investigating"}
    assert "5 firing" in world.card(number)


def test_each_points_to_the_other(bot: Client, world: World) -> None:
    """The storm names those before it with their channels; each of them names the storm, once."""
    number, before, message = a_storm(bot, world)
    for each in before:
        assert f"<#{bot.workspace.channel(bot.room(each)).id}>" in str(message.blocks)
        told = [m.text for m in bot.workspace.messages(bot.room(each)) if f"new alerts now join {number}" in m.text]
        assert len(told) == 1
        assert f"`/incident merge {number}`" in told[0]


@pytest.mark.parametrize(("over", "merged"), [(1, 4), (4, 1)])
def test_what_is_over_is_left_alone(bot: Client, world: World, over: int, merged: int) -> None:
    """Those that somebody has resolved or merged before the press stay as they are."""
    number, before, message = a_storm(bot, world)
    for each in before[:over]:
        bot.slash(f"{each} resolve Gone")
    press(bot, message)
    world.settle()
    assert statuses(bot, before[:over]) == {"resolved"}
    assert statuses(bot, before[over:]) == {"merged"}
    assert bot.workspace.find(bot.room(number), " into this incident.")


def test_a_second_press_is_told(bot: Client, world: World) -> None:
    """By somebody whose message is older than the first press; nothing happens twice."""
    number, before, message = a_storm(bot, world)
    value = next(e for b in message.blocks if b["type"] == "actions" for e in b["elements"])["value"]
    assert value == f"{number}|{','.join(before)}"
    press(bot, message)
    press(bot, message, "bob")
    world.settle()
    whispered = " ".join(m.text for m in [*bot.workspace.ephemerals("bob"), *bot.workspace.direct("bob").log])
    assert "These incidents are over or merged already." in whispered
    assert len([k for k in bot.kinds(number) if k == "merged"]) == 5


def test_a_storms_runbook_names_no_service(bot: Client, world: World) -> None:
    """Its commands show a placeholder for what the first alert said of itself."""
    number, _, _ = a_storm(bot, world)
    runbook = bot.workspace.find(bot.room(number), "Runbook for this incident")
    assert runbook is not None
    assert "service-5" not in str(runbook.blocks)
    assert "\u27e8service\u27e9" in str(runbook.blocks)

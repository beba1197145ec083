"""An alert that joins later leads to a better runbook: posted where only the general one stands, else offered, once."""

from __future__ import annotations

import pytest

from bot.runbooks.minimum import GENERAL_ID
from tests.conftest import Client, both_databases, wait_for
from tests.integration.bodies import alert, body
from tests.integration.test_running import book, press, said
from tests.integration.world import World

pytestmark = pytest.mark.timeout(90)
GROUP = '{}:{namespace="shop"}'
REDIS, POD = "ops.redis.down", "ops.service.pod-down"


def named(name: str) -> dict[str, object]:
    labels = {**alert()["labels"], "alertname": name, "service": "shop"}
    return alert(name, labels=labels)


def opened(bot: Client, *names: str) -> tuple[str, str]:
    """Open an incident by a group of these alerts; gives its number and channel."""
    number = bot.alertmanager(body(*map(named, names), group=GROUP)).json()["outcome"].removeprefix("declared ")
    bot.wait_opened(number)
    return number, bot.room(number)


def join(bot: Client, world: World, *names: str) -> None:
    assert bot.alertmanager(body(*map(named, names), group=GROUP)).status_code == 202
    world.settle()


def posted(bot: Client, number: str) -> list[str]:
    return [event["data"]["runbook_id"] for event in bot.events(number) if event["kind"] == "runbook_posted"]


@both_databases
def test_where_only_the_general_one_stands_the_better_one_is_posted(bot: Client, world: World) -> None:
    """Nobody has ticked a step: what fits is posted once, says why, and the general one is put aside."""
    number, channel = opened(bot, "SomethingIsOdd")
    assert posted(bot, number) == [GENERAL_ID]
    join(bot, world, "SomethingIsOdd", "RedisDown")
    event = bot.wait_event(number, "runbook_posted", 2)
    assert event["data"]["runbook_id"] == REDIS
    assert event["data"]["reason"] == "matched by alertname RedisDown, which joined later"
    wait_for(lambda: bot.workspace.find(channel, "Replaced by"), what="the general one")
    join(bot, world, "SomethingIsOdd", "RedisDown", "RedisMissingMaster")
    assert posted(bot, number) == [GENERAL_ID, REDIS]
    assert bot.incident(number)["runbook_id"] == REDIS


def test_nothing_is_swapped_under_somebodys_hands(bot: Client, world: World) -> None:
    """With a step ticked the better one is offered by a message, once, and posted by its button."""
    number, channel = opened(bot, "SomethingIsOdd")
    press(bot, "bob", channel, "runbook_done_1")
    wait_for(lambda: "1 of " in said(book(bot, channel)), what="the tick")
    join(bot, world, "SomethingIsOdd", "RedisDown")
    offer = wait_for(lambda: bot.workspace.find(channel, "fits better than"), what="the offer")
    assert "RedisDown joined: runbook `ops.redis.down`" in offer.text
    assert "To post it: `/incident runbook ops.redis.down`" in offer.text
    assert posted(bot, number) == [GENERAL_ID]
    join(bot, world, "SomethingIsOdd", "RedisDown", "RedisMissingMaster")
    assert len([m for m in bot.workspace.channel(channel).log if "fits better than" in m.text]) == 1
    assert bot.people.press("bob", channel, offer.ts, "runbook_swap").status == 200
    bot.wait_event(number, "runbook_posted", 2)
    assert bot.incident(number)["runbook_id"] == REDIS


def test_a_symptoms_runbook_is_not_replaced_but_bettered(bot: Client, world: World) -> None:
    """A pod is down, then its cause fires: the cause's runbook is offered, whether or not anybody has ticked."""
    number, channel = opened(bot, "PodDown")
    assert posted(bot, number) == [POD]
    join(bot, world, "PodDown", "RedisDown")
    offer = wait_for(lambda: bot.workspace.find(channel, "fits better than `ops.service.pod-down`"), what="the offer")
    assert "RedisDown joined" in offer.text
    assert posted(bot, number) == [POD]


def test_one_that_fits_as_well_is_named_beside_it(bot: Client, world: World) -> None:
    """Another component that fails too is no better match: the posted runbook's message names its runbook."""
    number, channel = opened(bot, "RedisDown")
    join(bot, world, "RedisDown", "KafkaLagHigh")
    wait_for(lambda: "Also matches: `ops.kafka.lag`" in said(book(bot, channel)), what="the other one")
    assert not bot.workspace.find(channel, "fits better than")
    assert posted(bot, number) == [REDIS]


def test_what_a_person_chose_stays(bot: Client, world: World) -> None:
    """The general runbook that somebody asked for is not replaced: the better one is offered."""
    number, channel = opened(bot, "SomethingIsOdd")
    bot.slash(f"runbook {GENERAL_ID}", channel=channel)
    bot.slash("runbook ops.kafka.lag", channel=channel)
    bot.wait_event(number, "runbook_posted", 3)
    join(bot, world, "SomethingIsOdd", "RedisDown")
    wait_for(lambda: bot.workspace.find(channel, "fits better than `ops.kafka.lag`"), what="the offer")
    assert bot.incident(number)["runbook_id"] == "ops.kafka.lag"


def test_one_declared_by_hand_gets_the_runbook_of_what_is_merged_into_it(bot: Client) -> None:
    """A person declared it before any alert came: the alerts of the incident that becomes a part of it are matched."""
    by_hand, _ = bot.open_one()
    assert posted(bot, by_hand) == [GENERAL_ID]
    _, channel = opened(bot, "RedisDown")
    bot.slash(f"merge {by_hand}", channel=channel)
    bot.sure("alice", channel, "Merge")
    assert bot.wait_event(by_hand, "runbook_posted", 2)["data"]["runbook_id"] == REDIS

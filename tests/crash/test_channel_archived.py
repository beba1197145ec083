"""A kill while an incident moves out of an archived channel, or back into it: nothing is lost or said twice."""

from __future__ import annotations

from pathlib import Path

import pytest

from bot.incidents.moving import LOOK_AFTER
from bot.sandbox import rooms
from tests.conftest import room_of, wait_for
from tests.crash.world import SIDES, Side, World
from tests.patience import PATIENCE

ALERTS = "ops-alerts"


def texts(world: World, part: str) -> list[str]:
    """Give the names of the channels in which something was said, one for each time."""
    return [
        place.name
        for place in world.workspace.channels.values()
        for message in place.log
        if part in message.text + str(message.blocks) and not message.subtype and not message.ephemeral_to
    ]


def said_again(world: World, part: str) -> None:
    """Bring the service back, and wait until something has been said."""
    world.process.start()
    wait_for(lambda: texts(world, part), PATIENCE, what=part)


@pytest.mark.parametrize("side", SIDES)
@pytest.mark.parametrize("nth", [1, 2, 3])
def test_a_kill_on_the_way_out(tmp_path: Path, side: Side, nth: int) -> None:
    """The channel is archived and the second level's turn comes: it is paged once, below one card."""
    with World(tmp_path) as world:
        world.send()
        number = world.wait_complete()
        rooms.archive(world.workspace, room_of(world.workspace, number), "alice")
        bob = world.workspace.user("bob").id
        trap = world.trap(side, nth=nth, method="chat.postMessage")
        world.hands.advance(minutes=5.1)
        wait_for(trap.sprung.is_set, PATIENCE, what="the kill")
        world.process.wait_dead()
        said_again(world, f"<@{bob}> you are paged")
        world.client.slash(f"{number} update Last of all")
        wait_for(lambda: texts(world, f"Update on {number}: Last of all"), PATIENCE, what="the update")
        assert texts(world, f"<@{bob}> you are paged") == [ALERTS]
        assert texts(world, f"Update on {number}: Last of all") == [ALERTS]
        cards = [m for m in world.workspace.messages(ALERTS) if m.text.startswith(f"{number}, ")]
        assert len(cards) == 1


@pytest.mark.parametrize("side", SIDES)
@pytest.mark.parametrize("nth", [1, 2])
def test_a_kill_on_the_way_home(tmp_path: Path, side: Side, nth: int) -> None:
    """The look that finds the channel open is killed: the incident comes home, and says so once."""
    with World(tmp_path) as world:
        world.send()
        number = world.wait_complete()
        channel = room_of(world.workspace, number)
        rooms.archive(world.workspace, channel, "alice")
        world.client.slash(f"{number} update Said outside")
        wait_for(lambda: texts(world, f"Update on {number}: Said outside"), PATIENCE, what="the update")
        rooms.unarchive(world.workspace, channel, "alice")
        trap = world.trap(
            side,
            nth=nth,
            method="chat.postMessage",
            where=lambda a: "continues here" in str(a["text"]) or "open now" in str(a["text"]),
        )
        world.hands.advance(LOOK_AFTER + 1)
        wait_for(trap.sprung.is_set, PATIENCE, what="the kill")
        world.process.wait_dead()
        said_again(world, "The channel is open now")
        world.client.slash(f"{number} update Said at home")
        wait_for(lambda: texts(world, f"Update on {number}: Said at home"), PATIENCE, what="the update")
        assert texts(world, f"Update on {number}: Said at home") == [channel]
        assert texts(world, "continues here") == [channel]
        assert texts(world, "The channel is open now") == [ALERTS]

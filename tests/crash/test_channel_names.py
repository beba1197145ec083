"""A channel that has the incident's name already: the bot takes over its own, and only its own."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from functools import partial
from pathlib import Path
from typing import Any

from bot.sandbox.faults import Fault
from bot.sandbox.model import Channel
from tests.conftest import rooms
from tests.crash.world import SIDES, Side, World, beside, opened_once, sight

OTHERS = "INC-20200101-001"


def _open_beside(world: World, take: Callable[[str], Channel], kill: tuple[Side, int] | None) -> None:
    """Open an incident whose channel's name is taken, with a kill at a try to create it; all is well with `-2`.

    `take` makes a channel of the name that it is given: the one that the bot is just about to ask for.
    """
    taken: list[Channel] = []

    def before(args: Mapping[str, Any]) -> bool:
        if not taken:
            taken.append(take(str(args["name"])))
            held.extend([[m.text for m in taken[0].log], list(taken[0].members)])
        return False

    held: list[list[str]] = []
    world.workspace.faults.add(Fault("conversations.create", "error", where=before))
    trap = world.trap(kill[0], method="conversations.create", nth=kill[1]) if kill else None
    world.send()
    if trap:
        world.end(trap)
        assert trap.sprung.is_set()
        world.restart()
    number = world.wait_complete()
    name = taken[0].name
    assert rooms(world.workspace, number) == [name, f"{name}-2"]
    assert sight(world.client, number, channel=f"{name}-2") == opened_once(number, others=1)
    assert [[m.text for m in taken[0].log], list(taken[0].members)] == held


def test_a_channel_of_somebody_else_is_never_taken_over(tmp_path: Path) -> None:
    """Where a person has made a channel of that name, public or private, the incident gets `-2`, kill or no kill."""

    def case(name: str, kill: tuple[Side, int] | None, **fields: Any) -> None:
        with World(tmp_path / name) as world:

            def take(wanted: str) -> Channel:
                taken = world.workspace.add_channel(wanted, members=["alice"], **fields)
                world.workspace.post(taken.id, "alice", "mine")
                return taken

            _open_beside(world, take, kill)

    beside(
        {
            "no kill": partial(case, "none", None),
            "private, killed after the refusal": partial(case, "private", ("after", 1), private=True),
            "killed after the refusal": partial(case, "refused", ("after", 1)),
            "killed after the second try": partial(case, "second", ("after", 2)),
        }
    )


def test_a_channel_of_another_incident_is_never_taken_over(tmp_path: Path) -> None:
    """A channel that this bot made for another incident is left alone, even after a try whose outcome is unknown."""

    def case(side: Side) -> None:
        with World(tmp_path / side) as world:

            def take(wanted: str) -> Channel:
                bot = world.workspace.bot.id
                taken = world.workspace.add_channel(wanted, members=[bot])
                payload = {"key": f"{OTHERS}/card/2", "incident": OTHERS}
                mark = {"event_type": "sitrep_delivery", "event_payload": payload}
                world.workspace.post(taken.id, bot, "another incident's card", metadata=mark)
                return taken

            _open_beside(world, take, (side, 1))

    beside({f"killed {side} Slack refused": partial(case, side) for side in SIDES})

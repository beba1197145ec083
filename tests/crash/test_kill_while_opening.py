"""SIGKILL at every step of opening an incident, then a restart: everything exists exactly once."""

from __future__ import annotations

import json
import socket
import sqlite3
import time
from contextlib import closing
from functools import partial
from pathlib import Path

import pytest

from tests.conftest import WEBHOOK_TOKEN, Client, rooms, wait_for
from tests.crash.world import SIDES, Side, World, beside, opened_once, settled, sight
from tests.integration.bodies import GROUP, alert, body
from tests.patience import PATIENCE

LAST = 25  # more than any opening needs; `test_every_call_has_its_kill` sees to it
SPREAD = 3  # by how many calls two openings may differ: live messages are refreshed once or twice, as it comes


@pytest.fixture(scope="module")
def calls(tmp_path_factory: pytest.TempPathFactory) -> int:
    """How many Web API calls an opening makes that nobody disturbs."""
    with World(tmp_path_factory.mktemp("undisturbed")) as world:
        assert world.send()
        number = world.wait_complete()
        assert sight(world.client, number) == opened_once(number)
        return len(world.workspace.calls)


def test_every_call_has_its_kill(calls: int) -> None:
    """The kills below reach from the first call of an opening to beyond its last."""
    assert SPREAD + 5 < calls < LAST - SPREAD


@pytest.mark.parametrize("n", range(1, LAST + 1))
def test_a_kill_at_each_call_doubles_and_loses_nothing(n: int, calls: int, tmp_path: Path) -> None:
    """Killed at its n-th call, before Slack acted or after, the bot completes the opening after a restart, once."""
    if n > calls + 1:  # there is no such call
        return

    def case(side: Side) -> None:
        with World(tmp_path / side) as world:
            trap = world.trap(side, nth=n)
            answered = world.send()
            world.end(trap)
            assert trap.sprung.is_set() or n > calls - SPREAD
            world.restart()
            number = world.wait_complete()
            world.client.wait_opened(number)
            assert sight(world.client, number) == opened_once(number)
            if not answered:  # then Alertmanager sends it again
                assert world.send()
                assert world.the_number() == number

    beside({f"killed at call {n}, {side} Slack acted": partial(case, side) for side in SIDES})


def test_kill_after_kill_comes_to_the_end_all_the_same(tmp_path: Path) -> None:
    """Killed in each of its first lives, while it mends what the life before left, the bot still doubles nothing."""

    def case(first: int) -> None:
        with World(tmp_path / str(first)) as world:
            for life in range(6):
                trap = world.trap(SIDES[(life + first) % 2], nth=first + life)
                if life == 0:
                    world.send()
                else:
                    world.process.launch()
                world.end(trap)
                if settled(world.database):
                    break
            world.restart()
            number = world.wait_complete()
            assert sight(world.client, number) == opened_once(number)

    beside({f"lives that end at calls {first}, {first + 1}, ...": partial(case, first) for first in (2, 3)})


def test_a_kill_before_the_commit_leaves_nothing_and_the_repeat_opens_one(tmp_path: Path) -> None:
    """A webhook whose process dies before the commit is not answered; sent again, it opens one incident."""
    with World(tmp_path) as world, socket.create_connection(("127.0.0.1", _port(world))) as sender:
        # A writer beside the bot holds its commit up.
        with closing(sqlite3.connect(world.database, isolation_level=None)) as other:
            other.execute("BEGIN IMMEDIATE")
            sender.sendall(_request())
            time.sleep(0.3)
            world.process.kill()
            world.process.wait_dead()
            other.execute("ROLLBACK")
        assert _answer(sender) == b""
        world.restart()
        assert world.client.incidents() == []
        assert world.workspace.calls == []
        assert world.send()
        number = world.wait_complete()
        assert sight(world.client, number) == opened_once(number)


def test_a_kill_between_commit_and_answer_opens_one(tmp_path: Path) -> None:
    """A webhook that was committed but whose answer was lost is sent again, and there is one incident."""
    with World(tmp_path) as world, socket.create_connection(("127.0.0.1", _port(world))) as sender:
        trap = world.trap("before")
        sender.sendall(_request())
        assert trap.sprung.wait(PATIENCE)
        sender.close()  # the sender never sees an answer, whether there was one or not
        world.restart()
        assert world.send()
        number = world.wait_complete()
        assert sight(world.client, number) == opened_once(number)


def test_kills_around_the_answer_open_one_incident_a_group(tmp_path: Path) -> None:
    """Wherever around the answer the kill falls, each group that Alertmanager repeats until 202 has one incident."""
    delays = (0.005, 0.02, 0.04)
    with World(tmp_path) as world:
        for turn, delay in enumerate(delays):
            request = _request(f"group {turn}")
            with socket.create_connection(("127.0.0.1", _port(world))) as sender:
                sender.sendall(request)
                time.sleep(delay)
                world.process.kill()
                world.process.wait_dead()
                answered = _answer(sender).startswith(b"HTTP/1.1 202")
            world.restart()
            if not answered:
                assert world.send(_notification(f"group {turn}"))
            wait_for(lambda: settled(world.database), PATIENCE, "the opening")
            assert len(world.client.incidents()) == turn + 1, f"killed {delay} s after the request"
        _all_opened_once(world.client, len(delays))


def _all_opened_once(client: Client, count: int) -> None:
    """Each of some incidents has its channel with three messages, and its announcement."""
    channels = [client.workspace.channel(name) for name in rooms(client.workspace)]
    assert len(channels) == count
    for channel in channels:
        assert len(client.workspace.texts(channel.id)) == 3, channel.name
        assert len(channel.pins) == 1, channel.name
    assert len(client.workspace.texts("incidents")) == count


def _port(world: World) -> int:
    return int(world.process.environ["SITREP_PORT"])


def _notification(group: str) -> dict[str, object]:
    return body(alert(f"aa {group}"), alert(f"bb {group}"), group=group)


def _request(group: str = GROUP) -> bytes:
    content = json.dumps(_notification(group)).encode()
    head = (
        "POST /webhooks/alertmanager HTTP/1.1\r\nHost: bot\r\nContent-Type: application/json\r\n"
        f"Authorization: Bearer {WEBHOOK_TOKEN}\r\nContent-Length: {len(content)}\r\n\r\n"
    )
    return head.encode() + content


def _answer(sender: socket.socket) -> bytes:
    """What the dead process had answered."""
    try:
        return sender.recv(1000)
    except ConnectionResetError:
        return b""

"""Kills and stops of an incident under way, and two processes on one database."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
import threading
from collections.abc import Mapping
from functools import partial
from pathlib import Path
from typing import Any

from tests.conftest import ROOT, Process, room_of, wait_for
from tests.crash.world import (
    SIDES,
    Side,
    World,
    beside,
    opened_once,
    said,
    settled,
    sight,
    wait_settled,
)
from tests.patience import PATIENCE
from tests.ports import free_port


def _opened(world: World) -> tuple[str, str]:
    assert world.send()
    number = world.wait_complete()
    return number, room_of(world.workspace, number)


def test_an_update_is_posted_once_whenever_the_kill_falls(tmp_path: Path) -> None:
    """An update whose process is killed while it is being posted is in the channel once after the restart."""
    text = "The pool is drained, traffic moves to the second region"

    def case(side: Side) -> None:
        with World(tmp_path / side) as world:
            number, channel = _opened(world)
            said_here = f"Update on {number}: {text}"  # not its copy under the announcement
            trap = world.trap(side, method="chat.postMessage", where=lambda args: said_here in str(args["text"]))
            world.client.people.slash("alice", channel, f"update {text}")
            assert trap.sprung.wait(PATIENCE)
            assert len(said(world.workspace, channel, f"Update on {number}")) == (side == "after")
            world.restart()
            wait_settled(world.database)
            assert len(said(world.workspace, channel, f"Update on {number}: {text}")) == 1
            assert world.client.kinds(number).count("update_posted") == 1
            # What is live shows it too.
            assert text in str(world.workspace.pinned(channel)[0].blocks)
            assert sight(world.client, number)["keys that occur twice"] == []

    beside({f"killed {side} Slack acted": partial(case, side) for side in SIDES})


def test_time_away_ends_in_one_overdue_notice_and_the_missed_levels(tmp_path: Path) -> None:
    """Down for 40 minutes, the bot says once how late the update is, and pages each level that it missed once."""
    missed = {"bob": "SRE Team Lead", "charlie": "Engineering Manager", "dana": "VP Engineering"}
    with World(tmp_path) as world:
        number, channel = _opened(world)
        world.process.kill()
        world.process.wait_dead()
        world.hands.advance(minutes=40)
        world.process.start()
        world.client.wait_event(number, "update_overdue")
        world.client.wait_event(number, "page_delivered", 1 + len(missed))
        wait_settled(world.database)
        world.restart()  # a second start finds nothing left to do
        wait_settled(world.database)

        overdue = [t for t in said(world.workspace, channel, "Update overdue by") if t.startswith(":warning:")]
        assert len(overdue) == 1, overdue
        assert "Update overdue by 25 min" in overdue[0]
        assert said(world.workspace, channel, "Post an update by") == []
        pages = said(world.workspace, channel, "you are paged as")
        assert len(pages) == len(missed)
        for person, level in missed.items():
            user = world.workspace.user(person).id
            assert [level in page for page in pages if f"<@{user}> you are paged" in page] == [True], person
            assert world.workspace.channel(channel).members.count(user) == 1
        events = world.client.events(number)
        assert [e["data"]["level"] for e in events if e["kind"] == "escalated"] == [2, 3, 4]
        kinds = [e["kind"] for e in events]
        assert (kinds.count("update_overdue"), kinds.count("update_due"), kinds.count("paged")) == (1, 0, 1)
        assert sight(world.client, number)["keys that occur twice"] == []


def test_a_second_process_on_the_same_database_refuses_to_start(tmp_path: Path) -> None:
    """`serve` beside a `serve` on the same file ends with 1 and a message that names the fix; the first goes on."""
    with World(tmp_path) as world:
        base = {k: v for k, v in os.environ.items() if not k.startswith(("SITREP_", "SLACK_", "PAGERDUTY_"))}
        second = subprocess.run(
            [sys.executable, "-m", "bot", "serve"],
            env={**base, **world.process.environ, "SITREP_PORT": str(free_port())},
            cwd=ROOT,
            capture_output=True,
            text=True,
            timeout=20,
            check=False,
        )
        assert second.returncode == 1
        assert world.process.child is not None
        wanted = f"SITREP_DATABASE_URL: process {world.process.child.pid} already serves this database. Stop it"
        assert wanted in second.stderr
        assert "Traceback" not in second.stderr
        number, _ = _opened(world)
        assert sight(world.client, number) == opened_once(number)


def test_a_stop_in_the_middle_of_an_opening_is_quick_and_harmless(tmp_path: Path) -> None:
    """SIGTERM while Slack is slow ends the process in time, and a restart completes the opening without doubles."""

    def case(at: int) -> None:
        with World(tmp_path / str(at)) as world:
            world.workspace.latency = 0.3  # the opening takes over a second: the stop falls into its middle
            reached = _reached(world, at)
            assert world.send()
            assert reached.wait(PATIENCE)
            _terminate(world.process)
            world.process.wait_dead()
            assert "stopped_hard" not in world.process.log.read_text()
            assert not settled(world.database)
            world.workspace.latency = 0
            world.process.start()
            number = world.wait_complete()
            assert sight(world.client, number) == opened_once(number)

    beside({f"stopped at call {at}": partial(case, at) for at in (2, 5)})


def _reached(world: World, at: int) -> threading.Event:
    """Set when the workspace has got its n-th call, before it acts."""
    event = threading.Event()

    def before(index: int, _method: str, _args: Mapping[str, Any]) -> None:
        if index == at:
            event.set()

    world.workspace.before_call = before
    return event


def _terminate(process: Process) -> None:
    assert process.child is not None
    process.child.send_signal(signal.SIGTERM)


def test_a_kill_while_idle_changes_nothing(tmp_path: Path) -> None:
    """A process killed at rest says nothing new when it starts again."""
    with World(tmp_path) as world:
        number, _ = _opened(world)
        before = len(world.workspace.calls), world.client.events(number)
        world.restart()
        wait_for(world.client.incidents, what="the restart")
        wait_settled(world.database)
        assert (len(world.workspace.calls), world.client.events(number)) == before
        assert sight(world.client, number) == opened_once(number)

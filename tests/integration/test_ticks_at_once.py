"""Two people, two replicas, one runbook: what one of them does is done once, and both see it."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator
from contextlib import suppress
from functools import partial

import pytest

from bot.sandbox.model import Message
from tests.conftest import Client, room_of, wait_for
from tests.faults.cluster import Cluster, cluster_for, together
from tests.integration.bodies import alert, body
from tests.patience import PATIENCE
from tests.quick import shipped

STEPS = 6
ALL = next(len(book.steps) for book in shipped() if book.id == "ops.api.error-rate")


@pytest.fixture(scope="module", params=["sqlite", "postgres"])
def cluster(request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Cluster]:
    with cluster_for(request, tmp_path_factory.mktemp("ticks")) as running:
        yield running


def opened(cluster: Cluster, group: str) -> tuple[str, Message]:
    """Open an incident; gives its number and its runbook's message."""
    number = (
        cluster[0]
        .client.alertmanager(body(alert(f"aa {group}"), group=group))
        .json()["outcome"]
        .removeprefix("declared ")
    )
    cluster.wait_settled()
    log = cluster.workspace.channel(room_of(cluster.workspace, number)).log
    return number, next(m for m in log if "runbook_done_1'" in str(m.blocks) and "Runbook: " in str(m.blocks))


def press(client: Client, user: str, message: Message, action: str) -> None:
    with suppress(LookupError):  # the message shows the other's press already
        assert client.people.press(user, message.channel, message.ts, action).status == 200


def both(cluster: Cluster, message: Message, action: str) -> None:
    """Press a button as Alice and as Bob at the same moment, each on a replica of their own."""
    one, other = cluster.pair
    together(partial(press, one, "alice", message, action), partial(press, other, "bob", message, action))
    cluster.wait_settled()


def test_two_who_tick_at_once_make_one_tick(cluster: Cluster) -> None:
    """Step by step: one event each, the message names who was first, and whoever was second is told."""
    number, message = opened(cluster, "tick")
    cluster.workspace.latency_by_method["chat.update"] = 0.3  # both still see the button
    for step in range(1, STEPS + 1):
        both(cluster, message, f"runbook_done_{step}")
    cluster.workspace.latency_by_method.clear()
    events = [e for e in cluster[0].client.events(number) if e["kind"] == "runbook_step_done"]
    assert [e["data"]["step"] for e in events] == list(range(1, STEPS + 1))
    assert {e["actor"]["name"] for e in events} <= {"alice", "bob"}
    shown = str(message.blocks)
    assert f"*{STEPS} of {ALL} done.* Next: *{STEPS + 1}.*" in shown
    for event in events:
        assert f"Done by <@{event['actor']['id']}>" in shown
    told = [
        m
        for c in cluster.workspace.channels.values()
        for m in c.log
        if "is already done" in m.text or "is already done" in str(m.blocks)
    ]
    assert len(told) >= STEPS - 1  # a press after the edit finds no button


def test_ticks_skips_and_undos_at_once_leave_a_true_timeline(cluster: Cluster) -> None:
    """Whatever wins, the timeline replayed gives what the message shows."""
    number, message = opened(cluster, "all at once")
    one, other = cluster.pair
    for step in (1, 2, 3):
        together(
            partial(press, one, "alice", message, f"runbook_done_{step}"),
            partial(press, other, "bob", message, f"runbook_done_{step + 1}"),
        )
        together(
            partial(press, one, "alice", message, f"runbook_undo_{step}"),
            partial(press, other, "bob", message, f"runbook_undo_{step}"),
        )
    cluster.wait_settled()
    ticked: Counter[int] = Counter()
    for event in one.events(number):
        if event["kind"] == "runbook_step_done":
            ticked[event["data"]["step"]] += 1
        elif event["kind"] == "runbook_step_undone":
            ticked[event["data"]["step"]] -= 1
    assert set(ticked.values()) <= {0, 1}

    def agrees() -> bool:
        return all((f"runbook_undo_{step}'" in str(message.blocks)) == bool(n) for step, n in ticked.items())

    wait_for(agrees, PATIENCE, "the message to show what the timeline says")

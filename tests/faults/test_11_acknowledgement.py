"""Fault 11: an acknowledgement races the escalation: nobody is paged once it is committed."""

from __future__ import annotations

import time
from collections.abc import Iterator, Mapping
from functools import partial
from typing import Any

import pytest

from bot.sandbox.faults import Fault
from bot.sandbox.model import Call
from tests.conftest import room_of, wait_for
from tests.faults.cluster import Cluster, cluster_for, doubled, together
from tests.integration.bodies import alert, body
from tests.patience import PATIENCE

INCIDENTS = 10
STEP = 0.03  # seconds between two acknowledgements: some come before the escalation, some after
UNDER_WAY = 2.0  # seconds in which a call that was being made at the commit may still arrive, on a busy machine
PAGED = "you are paged as"


@pytest.fixture(scope="module", params=["sqlite", "postgres"])
def shared(request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Cluster]:
    with cluster_for(request, tmp_path_factory.mktemp("acknowledgement")) as running:
        yield running


@pytest.fixture
def cluster(shared: Cluster) -> Iterator[Cluster]:
    """All is well, and no incident is left open afterwards whose ladder would go on."""
    shared.mend()
    yield shared
    shared.mend()
    for incident in shared[0].client.incidents():
        if incident["status"] != "resolved":
            shared[0].client.slash(f"{incident['number']} resolve It was a test")
    shared.wait_settled()


def open_some(cluster: Cluster, *groups: str) -> list[str]:
    """Open an incident for each group; gives their numbers."""
    answers = [cluster[0].client.alertmanager(body(alert(f"aa {group}"), group=group)) for group in groups]
    numbers = [answer.json()["outcome"].removeprefix("declared ") for answer in answers]
    cluster.wait_settled()
    return numbers


def pages(cluster: Cluster, number: str) -> list[Call]:
    """The calls that paged somebody for an incident, whatever became of them."""
    channel = cluster.workspace.channel(room_of(cluster.workspace, number)).id
    made = [call for call in cluster.workspace.calls if call.method == "chat.postMessage"]
    return [call for call in made if call.args["channel"] == channel and PAGED in call.args["text"]]


def is_page(args: Mapping[str, Any]) -> bool:
    return PAGED in args["text"]


def test_fault_11_nobody_is_paged_once_an_acknowledgement_is_committed(cluster: Cluster) -> None:
    """The two race over and over on two replicas: whichever is first, no page goes out behind the other's back."""
    numbers = open_some(cluster, *(f"race {n}" for n in range(INCIDENTS)))
    _, other = cluster.pair
    answered: dict[str, float] = {}

    def acknowledge(turn: int, number: str) -> None:
        time.sleep(turn * STEP)
        other.slash(f"{number} ack")
        answered[number] = time.monotonic()

    clock = partial(cluster.hands.advance, minutes=5)
    together(clock, *(partial(acknowledge, turn, number) for turn, number in enumerate(numbers)))
    cluster.wait_settled()
    for number in numbers:
        kinds = cluster[0].client.kinds(number)
        assert kinds.count("acknowledged") == 1
        escalated = [place for place, kind in enumerate(kinds) if kind == "escalated"]
        assert all(place < kinds.index("acknowledged") for place in escalated), kinds
        calls = pages(cluster, number)
        assert len(calls) <= len(escalated) <= 1
        assert all(call.at < answered[number] + UNDER_WAY for call in calls), number
    assert doubled(cluster.workspace) == []


def test_fault_11_an_acknowledgement_between_a_look_and_the_call_counts(cluster: Cluster) -> None:
    """Before a page is tried again it is looked for, which may take seconds: an acknowledgement is heard."""
    (number,) = open_some(cluster, "looked for")
    room = cluster.workspace.channel(room_of(cluster.workspace, number)).id
    cluster.workspace.faults.add(Fault("chat.postMessage", "drop_before", where=is_page))
    cluster.workspace.latency_by_method["conversations.history"] = 5.0  # the acknowledgement falls into it

    def looks() -> list[Call]:
        made = [call for call in cluster.workspace.calls if call.method == "conversations.history"]
        return [call for call in made if call.args["channel"] == room]

    cluster.hands.advance(minutes=5)
    wait_for(looks, PATIENCE, "the look")
    cluster.pair[1].slash(f"{number} ack")
    answered = time.monotonic()
    cluster.wait_settled()
    assert [call.at - answered for call in pages(cluster, number) if call.at > answered + UNDER_WAY] == []
    assert cluster.pair[1].kinds(number).count("page_delivered") == 1  # the first level's, at the opening


@pytest.mark.parametrize("kind", ["drop_before", "drop_after", "ratelimited"])
def test_fault_11_a_page_that_waits_for_its_next_attempt_is_not_sent(cluster: Cluster, kind: Any) -> None:
    """Refused or without an answer before the acknowledgement, a page is looked for after it, and not sent again."""
    (number,) = open_some(cluster, f"again after {kind}")
    fault = Fault("chat.postMessage", kind, retry_after=2, where=is_page)
    cluster.workspace.faults.add(fault)
    cluster.hands.advance(minutes=5)
    wait_for(lambda: fault.hits, PATIENCE, "the page")
    cluster.pair[1].slash(f"{number} ack")
    cluster.wait_settled()
    assert len(pages(cluster, number)) == 1
    delivered = cluster.pair[1].kinds(number).count("page_delivered") - 1  # the first level's, at the opening
    assert delivered == (kind == "drop_after")

"""Fault 10: a timer that several replicas claim, and a replica that stalls with something in its hands."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from functools import partial
from typing import Any

import pytest

from tests.conftest import room_of, wait_for
from tests.faults.cluster import Cluster, Replica, cluster_on, doubled, opened_once, posted, sight
from tests.integration.bodies import alert, body
from tests.patience import PATIENCE, TAKE_OVER, UNFINISHED

REPLICAS = 3
INCIDENTS = 5
COPIES = 4


@pytest.fixture(scope="module")
def shared(postgres: str, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Cluster]:
    with cluster_on(postgres, tmp_path_factory.mktemp("holders"), REPLICAS) as running:
        yield running


@pytest.fixture
def cluster(shared: Cluster) -> Cluster:
    """All replicas, whatever the test before has left of them."""
    shared.mend()
    return shared


def open_some(cluster: Cluster, *groups: str) -> list[str]:
    """Open an incident for each group; gives their numbers."""
    answers = [cluster[0].client.alertmanager(body(alert(f"aa {group}"), group=group)) for group in groups]
    numbers = [answer.json()["outcome"].removeprefix("declared ") for answer in answers]
    cluster.wait_settled()
    return numbers


def pages(cluster: Cluster, number: str) -> list[str]:
    return posted(cluster.workspace, room_of(cluster.workspace, number), "you are paged as")


def test_fault_10_a_timer_that_every_replica_is_woken_for_fires_once(cluster: Cluster) -> None:
    """Woken for it many times over, at the same instant, three replicas do what a timer asks once."""
    numbers = open_some(cluster, *(f"timers {n}" for n in range(INCIDENTS)))
    copy = """
        INSERT INTO procrastinate_jobs (queue_name, task_name, priority, args, status, scheduled_at)
        SELECT queue_name, task_name, priority, args, status, scheduled_at
        FROM procrastinate_jobs, generate_series(1, :copies) WHERE status = 'todo' AND args ->> 'work' = 'timers'
    """
    # The reminder of an update, and a level of the ladder beside it.
    for minutes, kind, said in ((5, "escalated", "you are paged as"), (7.1, "update_due", "Post an update by")):
        cluster.execute(copy, copies=COPIES)
        cluster.hands.advance(minutes=minutes)
        for number in numbers:
            cluster.wait_event(number, kind)
        wait_for(lambda: _woken(cluster) == 0, PATIENCE, "the end of all wake-ups")
        cluster.wait_settled()
        for number in numbers:
            assert cluster[2].client.kinds(number).count(kind) == 1, number
            assert len(posted(cluster.workspace, room_of(cluster.workspace, number), said)) == 1, number
    for number in numbers:
        cluster[0].client.slash(f"{number} resolve It was a test")
    assert doubled(cluster.workspace) == []


def _woken(cluster: Cluster) -> int:
    """How many wake-ups wait or run."""
    now = "SELECT count(*) AS n FROM procrastinate_jobs WHERE scheduled_at IS NULL OR scheduled_at <= now()"
    return int(cluster.rows(now)[0]["n"])


def _pages(args: Mapping[str, Any]) -> bool:
    return "you are paged as" in args["text"]


def _notifies(args: Mapping[str, Any]) -> bool:
    return "sev2 declared" in args["text"]


def _leave_alone(_replica: Replica) -> None:
    pass


def _ended(replica: Replica) -> float:
    """How many attempts at a page or a notification have come to an end in a replica."""
    lines = replica.client.http.get("/metrics").text.splitlines()
    kinds = ('sitrep_deliveries_total{kind="page",', 'sitrep_deliveries_total{kind="notification",')
    return sum(float(line.split()[-1]) for line in lines if line.startswith(kinds))


def _unfinished(cluster: Cluster, number: str) -> int:
    """How much an incident has still to send."""
    query = f"SELECT count(*) AS n FROM deliveries WHERE scope = :scope AND {UNFINISHED}"  # noqa: S608 - a constant
    return int(cluster.rows(query, scope=number)[0]["n"])


def test_fault_10_a_holder_that_stalls_past_its_lease_may_not_act(cluster: Cluster) -> None:
    """Stopped before a call or in the middle of one, a replica that wakes leaves alone what another has taken over."""
    (paged,) = open_some(cluster, "stalls before its call")
    known = {replica: _ended(replica) for replica in cluster.replicas}
    # The page's first attempt is lost. Before its second one it is looked for: whoever has looked holds the page, and
    # the call that sends it has yet to be made.
    room = cluster.workspace.channel(room_of(cluster.workspace, paged)).id
    lost = cluster.snare(
        _leave_alone, "before", method="chat.postMessage", where=lambda a: a["channel"] == room and _pages(a)
    )
    looked = cluster.snare(
        Replica.hold, "after", answered=True, method="conversations.history", where=lambda a: a["channel"] == room
    )
    cluster.hands.advance(minutes=5)
    known[lost.caught()] += 1
    first = looked.caught()

    middle = cluster.snare(Replica.hold, "after", answered=True, method="chat.postMessage", where=_notifies)
    waker = next(replica for replica in cluster.replicas if replica is not first)
    declared = waker.client.alertmanager(body(alert("aa stalls in the middle"), group="stalls in the middle")).json()[
        "outcome"
    ]
    opened = declared.removeprefix("declared ")
    second = middle.caught()
    (third,) = [replica for replica in cluster.replicas if replica not in (first, second)]

    # Each is woken as soon as another has taken over what it holds, so that its calls have not timed out meanwhile.
    wait_for(lambda: pages(cluster, paged) and _unfinished(cluster, paged) == 0, TAKE_OVER, "the page")
    first.release()
    wait_for(lambda: _unfinished(cluster, opened) == 0, TAKE_OVER, "the opening")
    second.release()
    for replica in (first, second):
        wait_for(partial(replica.logged, "taken_for_dead"), TAKE_OVER, f"{replica} to notice")
        # Its attempt has come to an end, or the database has cut its transaction short meanwhile.
        over = partial(lambda r: _ended(r) > known[r] or r.logged("job_failed"), replica)
        wait_for(over, TAKE_OVER, f"the end of what {replica} was doing")
    assert len(pages(cluster, paged)) == 1
    assert third.client.kinds(paged).count("page_delivered") == 2  # the first level at the opening, the second now
    assert sight(third.client, opened) == opened_once(opened)
    assert doubled(cluster.workspace) == []

    # Awake again, it does its share: alone, it opens an incident.
    second.end()
    third.end()
    answer = first.client.alertmanager(body(alert("aa awake again"), group="awake again")).json()["outcome"]
    number = answer.removeprefix("declared ")
    first.client.wait_opened(number)
    cluster.wait_settled()
    assert sight(first.client, number) == opened_once(number)

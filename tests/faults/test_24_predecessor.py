"""Fault 24: a replica is killed and started again on its machine; what it held is free at once, and only that."""

from __future__ import annotations

from collections.abc import Iterator

import pytest

from bot.lifeline import MEMORY, in_memory
from tests.conftest import rooms, wait_for
from tests.crash.world import Side
from tests.faults.cluster import Cluster, Replica, cluster_on, doubled, opened_once, sight
from tests.integration.bodies import alert, body
from tests.patience import PATIENCE

pytestmark = pytest.mark.skipif(not in_memory(MEMORY), reason=f"{MEMORY} is not in memory")

# No time-out ends in these tests: what is freed all the same, is freed because its holder is known to be dead.
NEVER = 3600.0
CONSTANTS = {
    "bot.engine.distributed.STALLED": NEVER,
    "bot.outbox.presence.GONE": NEVER,
    "bot.outbox.succession.ARRIVAL": 0.2,
}
CALLS: list[tuple[Side, str]] = [
    ("before", "conversations.create"),
    ("after", "conversations.create"),
    ("before", "chat.postMessage"),
    ("after", "chat.postMessage"),
]


@pytest.fixture(scope="module")
def shared(postgres: str, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Cluster]:
    with cluster_on(postgres, tmp_path_factory.mktemp("predecessor"), 2, constants=CONSTANTS) as running:
        yield running


@pytest.fixture
def cluster(shared: Cluster) -> Cluster:
    """Both replicas, whatever the test before has left of them."""
    shared.mend()
    return shared


def fire(cluster: Cluster, group: str) -> str:
    answer = cluster.one_that_lives().client.alertmanager(body(alert(f"aa {group}"), alert(f"bb {group}"), group=group))
    assert answer.status_code == 202, answer.text
    return str(answer.json()["outcome"].removeprefix("declared "))


def freed(*replicas: Replica) -> int:
    """How many predecessors replicas have freed."""
    return sum(len(replica.logged("predecessor_freed")) for replica in replicas)


@pytest.mark.parametrize(("side", "method"), CALLS)
def test_fault_24_a_replica_that_is_started_again_frees_what_it_held(cluster: Cluster, side: Side, method: str) -> None:
    """Killed around a call, alone, and started again: the lane goes on without any time-out, and nothing is doubled."""
    alone, *others = cluster.replicas
    for other in others:
        other.end()
    snare = cluster.snare(Replica.end, side, method=method)
    number = fire(cluster, f"{side} {method}")
    assert snare.caught() is alone
    alone.start()
    cluster.wait_settled()
    assert sight(alone.client, number) == opened_once(number)
    assert doubled(cluster.workspace) == []
    assert alone.logged("predecessor_freed")


def test_fault_24_a_replica_beside_it_frees_it_too(cluster: Cluster) -> None:
    """Killed and not started again, a replica is succeeded by the one that runs beside it."""
    snare = cluster.snare(Replica.end, "after", method="chat.postMessage")
    number = fire(cluster, "beside")
    dead = snare.caught()
    cluster.wait_settled()
    living = cluster.one_that_lives()
    assert living is not dead
    assert sight(living.client, number) == opened_once(number)
    assert doubled(cluster.workspace) == []


def test_fault_24_a_replica_that_hangs_keeps_what_it_holds(cluster: Cluster) -> None:
    """Stopped in the middle of a call it is not dead: nobody takes what it holds, and awake it goes on."""
    snare = cluster.snare(Replica.hold, "after", answered=True, method="conversations.create")
    number = fire(cluster, "hangs")
    frozen = snare.caught()
    living, *others = (replica for replica in cluster.replicas if replica is not frozen)
    # By the time that one beside them has been killed, and freed, they have looked at it many times.
    freed = sum(len(replica.logged("predecessor_freed")) for replica in (living, *others))
    cluster.add().end()
    wait_for(
        lambda: sum(len(replica.logged("predecessor_freed")) for replica in (living, *others)) > freed,
        PATIENCE,
        "a look",
    )
    assert not [name for name in rooms(cluster.workspace, number) if cluster.workspace.channel(name).log]
    assert [row["state"] for row in cluster.rows("SELECT state FROM deliveries WHERE claimed_by IS NOT NULL")] == [
        "sending"
    ]
    frozen.release()
    cluster.wait_settled()
    assert sight(living.client, number) == opened_once(number)
    assert doubled(cluster.workspace) == []

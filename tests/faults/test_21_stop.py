"""Fault 21: SIGTERM in the middle of deliveries."""

from __future__ import annotations

import http.client
import json
import signal
from collections.abc import Iterator
from contextlib import closing
from pathlib import Path

import pytest

from bot.sandbox.faults import Fault
from bot.server import LEAVE_WITHIN
from tests.conftest import wait_for
from tests.faults.cluster import Cluster, Replica, cluster_for, doubled, opened_once, sight
from tests.integration.bodies import alert, body
from tests.patience import PATIENCE, TAKE_OVER
from tests.postgres import Postgres

GRACE = 10.0  # seconds from the signal until most supervisors kill
# A busy machine has time to notice that a replica leaves; what it has to do until then is the same.
UNHURRIED = {"bot.server.DRAIN": 3.0, "bot.server.LEAVE_WITHIN": PATIENCE}
INCIDENTS = 3
ABANDONED = (
    "SELECT count(*) AS n FROM deliveries WHERE state = 'sending' AND claimed_by NOT IN (SELECT id FROM replicas)"
)


@pytest.fixture(params=["sqlite", "postgres"])
def cluster(request: pytest.FixtureRequest, tmp_path: Path) -> Iterator[Cluster]:
    with cluster_for(request, tmp_path, turned=False, constants=UNHURRIED) as running:
        yield running


def readiness(replica: Replica) -> tuple[int, str]:
    """Ask a replica whether it takes work; 0 when it listens no more."""
    with closing(
        http.client.HTTPConnection("127.0.0.1", int(replica.environ["SITREP_PORT"]), timeout=PATIENCE)
    ) as connection:
        try:
            connection.request("GET", "/readyz")
            answer = connection.getresponse()
            shown = json.loads(answer.read())
        except OSError:
            return 0, ""
        return answer.status, shown.get("error", {}).get("code", "")


def leave(replica: Replica) -> None:
    """Wait for the end of a replica that was told to stop: by itself, and not without a word."""
    assert replica.child is not None
    replica.wait_dead()
    assert replica.child.returncode in (0, -signal.SIGTERM), replica.log.read_text()[-2000:]
    assert not replica.logged("stopped_hard")


def test_fault_21_a_stop_in_the_middle_of_deliveries_loses_and_doubles_nothing(cluster: Cluster) -> None:
    """It says that it leaves, finishes or hands back what it holds, and is gone; the work goes on."""
    workspace = cluster.workspace
    workspace.latency = 0.2
    stuck = Fault("chat.postMessage", "hang", where=lambda args: "sev2 declared" in args["text"])
    workspace.faults.add(stuck)
    first = body(alert("aa stop 0"), alert("bb stop 0"), group="stop 0")
    assert cluster[0].client.alertmanager(first).status_code == 202
    wait_for(lambda: stuck.hits, PATIENCE, "a call that hangs")
    # Others are in the middle of their opening, wherever they run.
    numbers = []
    for turn in range(INCIDENTS):
        answer = cluster[0].client.alertmanager(
            body(alert(f"aa stop {turn}"), alert(f"bb stop {turn}"), group=f"stop {turn}")
        )
        numbers.append(answer.json()["outcome"].split()[-1])
    calls = len(workspace.calls)
    wait_for(lambda: len(workspace.calls) > calls + INCIDENTS, PATIENCE, "calls")

    leaver, *others = cluster.replicas
    leaver.terminate()
    wait_for(lambda: readiness(leaver) == (503, "draining"), PATIENCE, "the word that it leaves")
    # For a moment it still answers: a load balancer has yet to notice.
    late = leaver.client.alertmanager(body(alert("aa stop late"), alert("bb stop late"), group="stop late"))
    assert late.status_code == 202
    numbers.append(late.json()["outcome"].split()[-1])
    leave(leaver)
    assert readiness(leaver) == (0, "")

    if others:
        assert cluster.rows(ABANDONED)[0]["n"] == 0
        assert all(readiness(other) == (200, "") for other in others)
    else:
        leaver.start()
    workspace.faults.clear()
    cluster.wait_settled(TAKE_OVER)
    asker = cluster.one_that_lives().client
    for number in numbers:
        assert sight(asker, number) == opened_once(number)
    assert doubled(workspace) == []


def test_fault_21_a_stop_ends_in_time_even_where_the_database_hangs(tmp_path: Path) -> None:
    """There is nobody to say goodbye to: what is held is in its rows, and it goes all the same, before it is killed."""
    server = Postgres(tmp_path / "server")
    with Cluster(tmp_path / "cluster", server.url, 1) as cluster:
        assert cluster[0].client.alertmanager(body(alert("aa"))).status_code == 202
        (number,) = cluster.wait_opened()
        server.hold()
        try:
            cluster[0].terminate()
            cluster[0].wait_dead()
        finally:
            server.release()
        assert cluster[0].logged("stopped_hard")
        assert LEAVE_WITHIN < GRACE
        cluster[0].start()
        assert sight(cluster[0].client, number) == opened_once(number)

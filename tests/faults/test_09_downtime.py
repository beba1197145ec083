"""Fault 9: every process is down for 40 minutes, across several due updates and pages."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.conftest import room_of, wait_for
from tests.faults.cluster import Cluster, cluster_for, doubled, posted
from tests.integration.bodies import alert, body

MISSED = {"bob": "SRE Team Lead", "charlie": "Engineering Manager", "dana": "VP Engineering"}


@pytest.fixture(params=["sqlite", "postgres"])
def cluster(request: pytest.FixtureRequest, tmp_path: Path) -> Iterator[Cluster]:
    with cluster_for(request, tmp_path) as running:
        yield running


def rest(cluster: Cluster) -> None:
    """Wait until no timer is due and nothing is left to send."""
    due = "SELECT count(*) AS n FROM timers WHERE state = 'armed' AND due_at <= :now"

    def at_rest() -> bool:
        moment = cluster.hands.now()
        now = moment.replace(tzinfo=None) if cluster.url.startswith("sqlite") else moment
        return cluster.rows(due, now=now)[0]["n"] == 0 and cluster.settled()

    wait_for(at_rest, what="timers and deliveries")


def test_fault_09_time_away_ends_in_one_overdue_notice_that_says_how_late(cluster: Cluster) -> None:
    """However many replicas start again at once: one notice, 25 minutes late, and each missed level is paged once."""
    assert cluster[0].client.alertmanager(body(alert("aa"))).status_code == 202
    (number,) = cluster.wait_opened()
    channel, workspace = room_of(cluster.workspace, number), cluster.workspace
    for replica in cluster.replicas:
        replica.end()
    cluster.hands.advance(minutes=40)
    for starting in (cluster.replicas, cluster.replicas[:1]):  # the second start finds nothing left to do
        for replica in starting:
            replica.launch()
        for replica in starting:
            replica.wait_ready()
        rest(cluster)
        client = cluster[0].client
        kinds = client.kinds(number)
        (overdue,) = [text for text in posted(workspace, channel, "Update overdue by") if text.startswith(":warning:")]
        assert "Update overdue by 25 min" in overdue
        assert posted(workspace, channel, "Post an update by") == []
        pages = posted(workspace, channel, "you are paged as")
        for person, level in MISSED.items():
            user = workspace.user(person).id
            assert [level in page for page in pages if f"<@{user}> you are paged" in page] == [True], person
        assert len(pages) == len(MISSED)
        assert [e["data"]["level"] for e in client.events(number) if e["kind"] == "escalated"] == [2, 3, 4]
        assert (kinds.count("update_overdue"), kinds.count("update_due"), kinds.count("paged")) == (1, 0, 1)
        assert doubled(workspace) == []
        for replica in cluster.replicas:
            replica.end()

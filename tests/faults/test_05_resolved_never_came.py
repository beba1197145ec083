"""Fault 5: the firing was acknowledged by us, and its "resolved" never comes."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.conftest import room_of, wait_for
from tests.faults.cluster import Cluster, cluster_for, posted
from tests.integration.bodies import alert, body
from tests.integration.outside import AlertmanagerApi

NEVER = ":warning: Alertmanager no longer reports HighErrorRate on eu-west-1, and the resolved notification never came"
FIRES = {"labels": {"alertname": "HighErrorRate", "severity": "critical", "instance": "b"}}


@pytest.fixture
def source() -> Iterator[AlertmanagerApi]:
    api = AlertmanagerApi()
    yield api
    api.stop()


@pytest.fixture(params=["sqlite", "postgres"])
def cluster(request: pytest.FixtureRequest, tmp_path: Path, source: AlertmanagerApi) -> Iterator[Cluster]:
    with cluster_for(request, tmp_path, environ={"ALERTMANAGER_API_URL": source.url}) as running:
        yield running


def test_fault_05_a_resolved_that_never_comes_is_flagged_once(cluster: Cluster, source: AlertmanagerApi) -> None:
    """It was lost while every replica was dead: they ask what still fires, one of them tells, nothing is closed."""
    source.lists(alert("aa"), alert("bb", **FIRES))
    answer = cluster[0].client.alertmanager(body(alert("aa"), alert("bb", **FIRES)))
    assert answer.status_code == 202
    (number,) = cluster.wait_opened()
    channel, workspace = room_of(cluster.workspace, number), cluster.workspace
    for replica in cluster.replicas:
        replica.end()
    source.lists(alert("bb", **FIRES))
    for replica in cluster.replicas:
        replica.launch()
    for replica in cluster.replicas:
        replica.wait_ready()

    source.wait_asked(2 * len(cluster.replicas))
    cluster.hands.advance(minutes=9)
    source.wait_asked(2 * len(cluster.replicas))
    assert posted(workspace, channel, NEVER) == []
    cluster.hands.advance(minutes=2)
    (said,) = wait_for(lambda: posted(workspace, channel, NEVER), what="the message")
    assert "/incident resolve" in said
    cluster.hands.advance(minutes=2)
    source.wait_asked(2 * len(cluster.replicas))
    cluster.wait_settled()
    client = cluster[0].client
    notes = [event["text"] for event in client.events(number) if event["kind"] == "note"]
    assert notes == [NEVER.removeprefix(":warning: ")]
    assert posted(workspace, channel, NEVER) == [said]
    assert client.incident(number)["status"] == "investigating"
    open_ = "SELECT fingerprint, flag FROM alerts WHERE closed_at IS NULL ORDER BY fingerprint"
    assert [tuple(row.values()) for row in cluster.rows(open_)] == [("aa", "missed"), ("bb", None)]

    client.alertmanager(body(alert("aa", "resolved")))
    client.wait_event(number, "alert_resolved")
    assert client.incident(number)["status"] == "investigating"

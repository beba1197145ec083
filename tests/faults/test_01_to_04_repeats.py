"""Faults 1 to 4: the same thing twice, on two replicas at once, in another order, or sent again."""

from __future__ import annotations

import hashlib
from collections import Counter
from collections.abc import Iterator
from functools import partial
from typing import Any

import pytest

from tests.conftest import room_of
from tests.faults.cluster import Cluster, cluster_for, declare, doubled, opened_once, sight, together
from tests.integration.bodies import alert, body, pagerduty

ROUNDS = 6
AT_ONCE = 3  # senders a replica


@pytest.fixture(scope="module", params=["sqlite", "postgres"])
def cluster(request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Cluster]:
    """Two replicas for the whole module: each test works on incidents of its own."""
    with cluster_for(request, tmp_path_factory.mktemp("repeats")) as running:
        yield running


def outcomes(answers: list[Any]) -> Counter[str]:
    """Count what became of webhooks, by the first word."""
    assert {answer.status_code for answer in answers} == {202}, [answer.text for answer in answers]
    return Counter(answer.json()["outcome"].partition(" ")[0] for answer in answers)


def declared(answers: list[Any]) -> str:
    """Give the number of the one incident that some webhooks have declared."""
    (number,) = {a.json()["outcome"].split()[-1] for a in answers if a.json()["outcome"].startswith("declared")}
    return str(number)


def to_both(cluster: Cluster, *bodies: dict[str, Any], how: str = "alertmanager") -> list[Any]:
    """Send each body to each replica, several times, all at the same instant."""
    senders = cluster.pair * AT_ONCE
    return together(*(partial(getattr(client, how), sent) for client in senders for sent in bodies))


def triggered(name: str, **changes: Any) -> dict[str, Any]:
    """Make the event of a PagerDuty incident of its own, without a conference bridge, which would be said."""
    return of_incident("incident.triggered", name, **{"conference_bridge": None, **changes})


def of_incident(kind: str, name: str, **changes: Any) -> dict[str, Any]:
    facts = {"event_id": f"{name} {kind}", "id": f"P-{name}", "incident_key": f"key {name}", **changes}
    return pagerduty(kind, **facts)


def test_fault_01_the_same_pagerduty_event_on_two_replicas_at_once_opens_one(cluster: Cluster) -> None:
    """An event that arrives many times at the same instant, at two replicas, has its effect once."""
    numbers = []
    for turn in range(ROUNDS):
        answers = to_both(cluster, triggered(f"01-{turn}"), how="pagerduty")
        assert outcomes(answers) == {"declared": 1, "duplicate": len(answers) - 1}
        numbers.append(declared(answers))
    assert len(set(numbers)) == ROUNDS
    cluster.wait_settled()
    for turn, number in enumerate(numbers):
        assert sight(cluster.pair[0], number) == opened_once(number)
        answers = to_both(cluster, of_incident("incident.acknowledged", f"01-{turn}"), how="pagerduty")
        assert outcomes(answers) == {"noted": 1, "duplicate": len(answers) - 1}
    cluster.wait_settled()
    for number in numbers:
        assert cluster.pair[1].kinds(number).count("acknowledged") == 1


def test_fault_01_the_same_slack_event_on_two_replicas_at_once_is_noted_once(cluster: Cluster) -> None:
    """A person who joins is noted once, however often Slack sends the event and to whom."""
    number = declare(cluster.pair[0])
    cluster.wait_settled()
    channel = room_of(cluster.workspace, number)
    for turn, name in enumerate(("bob", "charlie", "dana")):
        joined = {
            "type": "member_joined_channel",
            "user": cluster.workspace.user(name).id,
            "channel": cluster.workspace.channel(channel).id,
        }
        event_id = f"Ev01{number[-3:]}{turn}"
        senders = cluster.pair * AT_ONCE
        replies = together(*(partial(c.people.event, joined, event_id=event_id, retry_num=1) for c in senders))
        assert {reply.status for reply in replies} == {200}
    events = [e for e in cluster.pair[1].events(number) if e["kind"] == "responder_joined"]
    assert sorted(e["actor"]["id"] for e in events) == sorted(
        cluster.workspace.user(name).id for name in ("bob", "charlie", "dana")
    )


def test_fault_01_one_group_told_by_alertmanager_and_by_pagerduty_at_once_opens_one(cluster: Cluster) -> None:
    """The dedup key that Alertmanager gives to PagerDuty joins both, even where they meet at the same instant."""
    for turn in range(2 * ROUNDS):
        group = f'{{}}:{{alertname="Both-{turn}"}}'
        key = hashlib.sha256(group.encode()).hexdigest()
        one, other = cluster.pair
        answers = together(
            partial(one.alertmanager, body(alert(f"aa {group}"), group=group)),
            partial(other.pagerduty, triggered(f"both-{turn}", incident_key=key)),
            partial(other.alertmanager, body(alert(f"aa {group}"), group=group)),
            partial(one.pagerduty, triggered(f"both-{turn}", incident_key=key)),
        )
        assert outcomes(answers)["declared"] == 1, [answer.text for answer in answers]


def test_fault_02_alertmanager_peers_with_alerts_in_another_order_open_one(cluster: Cluster) -> None:
    """Two peers send one group to two replicas at the same instant: one incident, each alert once, nothing twice."""
    numbers = []
    for turn in range(ROUNDS):
        alerts = [alert(f"{name} {turn}") for name in ("aa", "bb", "cc")]
        group = f'{{}}:{{alertname="Peers-{turn}"}}'
        sent = [body(*order, group=group) for order in (alerts, alerts[::-1], alerts[1:] + alerts[:1])]
        answers = to_both(cluster, *sent)
        assert outcomes(answers) == {"declared": 1, "repeat": len(answers) - 1}
        numbers.append(declared(answers))
        over = [a | {"status": "resolved", "endsAt": "2026-11-21T07:10:43Z"} for a in alerts]
        ended = [body(*order, group=group, status="resolved") for order in (over, over[::-1])]
        assert outcomes(to_both(cluster, *ended))["attached"] == 1
    cluster.wait_settled()
    for number in numbers:
        assert sight(cluster.pair[0], number) == opened_once(number)
        kinds = cluster.pair[1].kinds(number)
        assert (kinds.count("alert_fired"), kinds.count("alert_resolved")) == (3, 3)


def test_fault_03_the_newer_occurred_at_wins_whatever_comes_first(cluster: Cluster) -> None:
    """A `resolved` before its `triggered` opens nothing; an `acknowledged` after the `resolved` opens nothing again."""
    one, other = cluster.pair
    assert outcomes([one.pagerduty(of_incident("incident.resolved", "03-a", after=60))]) == {"recorded:": 1}
    late = other.pagerduty(triggered("03-a", after=0))
    assert late.json()["outcome"] == "recorded: newer events came before it"

    number = declared([one.pagerduty(triggered("03-b", after=0))])
    other.pagerduty(of_incident("incident.resolved", "03-b", after=60))
    one.pagerduty(of_incident("incident.acknowledged", "03-b", after=30))
    cluster.wait_settled()
    (card,) = cluster.workspace.pinned(room_of(cluster.workspace, number))
    assert "|resolved>" in str(card.blocks)
    assert "0 firing, 1 resolved" in str(card.blocks)
    # That somebody acknowledged is a fact which a resolution does not undo; nobody is paged for it any more.
    assert one.incident(number)["acknowledged_at"] is not None
    kinds = one.kinds(number)
    assert (kinds.count("acknowledged"), kinds.count("alert_resolved")) == (1, 1)


def test_fault_03_states_that_meet_at_the_same_instant_end_in_the_newest(cluster: Cluster) -> None:
    """Trigger, acknowledgement and resolution at once, on two replicas: whoever is first, the last moment counts."""
    for turn in range(ROUNDS):
        name = f"03-race-{turn}"
        one, other = cluster.pair
        together(
            partial(one.pagerduty, triggered(name, after=0)),
            partial(other.pagerduty, of_incident("incident.acknowledged", name, after=30)),
            partial(one.pagerduty, of_incident("incident.resolved", name, after=60)),
        )
        (group,) = cluster.rows("SELECT data FROM alert_groups WHERE group_key = :key", key=f"P-{name}")
        assert '"resolved"' in str(group["data"]).replace("'", '"')
    cluster.wait_settled()
    assert doubled(cluster.workspace) == []


def test_fault_04_a_notification_whose_answer_was_lost_changes_nothing_when_it_comes_again(cluster: Cluster) -> None:
    """Sent again to another replica, later and at once, the same notification is a repeat: nothing is posted for it."""
    one, other = cluster.pair
    sent = body(alert("aa lost answers"), alert("bb lost answers"), group="lost answers")
    number = declared([one.alertmanager(sent)])
    cluster.wait_settled()
    calls, kinds = len(cluster.workspace.calls), one.kinds(number)
    assert outcomes([other.alertmanager(sent)]) == {"repeat": 1}
    answers = to_both(cluster, sent)
    assert outcomes(answers) == {"repeat": len(answers)}
    cluster.wait_settled()
    assert sight(other, number) == opened_once(number)
    assert other.kinds(number) == kinds
    assert len(cluster.workspace.calls) == calls

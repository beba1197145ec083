"""Alerts that wait for a look where two people decide at the same instant, each asking another replica."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from functools import partial
from pathlib import Path
from typing import Any

import pytest
from sqlalchemy import text

from bot.sandbox.model import Message
from bot.store.database import connect
from tests.conftest import Client, wait_for
from tests.faults.cluster import LADDER, Cluster, cluster_for, doubled, together
from tests.integration.bodies import body, warning
from tests.integration.test_triage import buttons, fires, spoken
from tests.patience import PATIENCE

ROUNDS = 4
LOCKED = "SELECT id FROM alert_groups FOR UPDATE"
STORMS_LOCKED = "SELECT id FROM storms FOR UPDATE"
DEADLOCKS = "SELECT deadlocks AS n FROM pg_stat_database WHERE datname = current_database()"
# For a row, or for another replica that opens something for alerts of the same name.
WAITING = (
    "SELECT count(*) AS n FROM pg_stat_activity "
    "WHERE wait_event_type = 'Lock' AND (query LIKE '%FOR UPDATE%' OR query LIKE '%pg_advisory_xact_lock%')"
)
on_both = pytest.mark.parametrize("pair", ["sqlite", "postgres"], indirect=True)
on_postgres = pytest.mark.parametrize("pair", ["postgres"], indirect=True)


@pytest.fixture
def pair(request: pytest.FixtureRequest, tmp_path: Path) -> Iterator[Cluster]:
    """Two replicas, or on SQLite the one process that there can be."""
    config = f"{LADDER}\nstorms: {{over: 5, overall: 1000}}\n"
    with cluster_for(request, tmp_path / "cluster", config=config) as cluster:
        yield cluster


def waiting(pair: Cluster) -> list[Message]:
    """Give the messages about alerts that wait, or waited, for a look."""
    pair.wait_settled()
    return [m for m in pair.workspace.messages("ops-alerts") if m.text.startswith("Triage")]


def open_forms(pair: Cluster, message: Message, **verbs: str) -> dict[str, str]:
    """Have people press buttons of a message, one after the other; gives their forms' ids."""
    for user, verb in verbs.items():
        assert pair.pair[0].people.press(user, "ops-alerts", message.ts, f"triage_{verb}").ok
    return {user: pair.workspace.open_views(user)[-1].id for user in verbs}


def decide(pair: Cluster, forms: dict[str, str], **values: dict[str, Any]) -> None:
    """Submit two forms at the same instant, each to a replica of its own; both wait for the rows where they can."""
    calls = [
        partial(client.people.submit, user, form, values.get(user))
        for client, (user, form) in zip(pair.pair, forms.items(), strict=True)
    ]
    replies = queued(pair, LOCKED, *calls) if pair.url.startswith("postgres") else together(*calls)
    assert all(reply.ok and not reply.errors for reply in replies), replies


def queued(pair: Cluster, rows: str, *calls: Callable[[], Any]) -> list[Any]:
    """Do things one after the other while rows are held, each once those before it wait for them; then let go."""
    engine = connect(pair.url)

    def wait_behind(place: int) -> None:
        wait_for(lambda: pair.rows(WAITING)[0]["n"] >= place, what=f"the first {place}")

    def after(place: int, call: Callable[[], Any]) -> Any:
        wait_behind(place)
        return call()

    with engine.begin() as held:
        held.execute(text(rows))

        def let_go() -> None:
            wait_behind(len(calls))
            held.rollback()

        answers = together(*(partial(after, place, call) for place, call in enumerate(calls)), let_go)[:-1]
    engine.dispose()
    return answers


def whispers(pair: Cluster, *users: str) -> dict[str, list[str]]:
    """Give what was whispered to each, and forget it."""
    pair.wait_settled()
    return {user: [m.text for m in pair.workspace.ephemerals(user, "ops-alerts")] for user in users}


@on_both
def test_two_who_accept_at_once_declare_one_incident(pair: Cluster) -> None:
    """One declares, and the other one alone is told who was first."""
    assert pair.pair[0].alertmanager(fires("aa")).json()["outcome"] == "triage"
    (message,) = waiting(pair)
    decide(pair, open_forms(pair, message, alice="accept", bob="accept"))
    (number,) = pair.wait_opened()
    said = whispers(pair, "alice", "bob")
    (winner,) = (user for user, texts in said.items() if any(t.startswith(f"Declared {number}") for t in texts))
    ((late,),) = (texts for user, texts in said.items() if user != winner)
    assert late.startswith(f"{winner} accepted the alerts at ")
    assert len(said[winner]) == 1
    (message,) = waiting(pair)
    assert f"Accepted by <@{pair.workspace.user(winner).id}>" in spoken(message)
    assert buttons(message) == []
    assert pair.pair[0].kinds(number).count("alert_fired") == 1
    assert doubled(pair.workspace) == []


@on_both
def test_different_decisions_at_once_give_one_result(pair: Cluster) -> None:
    """One of declining and merging counts, in the message, with the group and on the timeline alike."""
    pair.pair[0].slash("declare Checkout is down sev2")
    (number,) = pair.wait_opened()
    for round_ in range(ROUNDS):
        sent = body(warning(f"f{round_}"), group=f"{{}}:{{round={round_}}}")
        assert pair.pair[0].alertmanager(sent).json()["outcome"] == "triage"
        message = waiting(pair)[round_]
        before = pair.pair[0].kinds(number).count("alert_fired")
        decide(pair, open_forms(pair, message, alice="decline", bob="merge"), alice={"why": "Known"})
        message = waiting(pair)[round_]
        merged = "Merged by" in spoken(message)
        assert merged is not ("Declined by" in spoken(message))
        assert buttons(message) == ([] if merged else ["triage_undo"])
        assert pair.pair[0].kinds(number).count("alert_fired") == before + merged
        outcome = pair.pair[1].alertmanager(sent).json()["outcome"]
        assert outcome == (f"repeat of {number}" if merged else "nothing new")


@on_postgres
def test_a_storm_that_two_accept_at_once_is_one_incident(pair: Cluster) -> None:
    """All its groups go along, once."""
    message = storm(pair)
    decide(pair, open_forms(pair, message, alice="accept", bob="accept"))
    (number,) = pair.wait_opened()
    assert pair.pair[0].kinds(number).count("alert_fired") == 4
    assert sorted(len(buttons(m)) for m in waiting(pair)) == [0] + [3] * 5
    assert [len(buttons(m)) for m in waiting(pair) if m.ts == message.ts] == [0]


def group(n: int, *alerts: str) -> dict[str, Any]:
    """Make the notification of one of a cluster's groups."""
    labels = {"alertname": "DiskFills", "severity": "warning", "cluster": "eu-1", "service": f"db-{n}"}
    return body(*(warning(f"f{n}{each}", labels=labels) for each in alerts or [""]), group=f"{{}}:{{n={n}}}")


def storm(pair: Cluster) -> Message:
    """Let a storm of nine groups come; gives the message that four of them share."""
    for n in range(9):
        assert pair.pair[n % 2].alertmanager(group(n)).json()["outcome"] == "triage"

    def shared() -> list[Message]:
        return [m for m in waiting(pair) if "4 alert groups, 4 firing" in m.text]

    wait_for(shared, PATIENCE, "the storm")
    (message,) = shared()
    return message


def send(client: Client, sent: dict[str, Any]) -> str:
    answer = client.alertmanager(sent)
    assert answer.status_code == 202, answer.text
    return str(answer.json()["outcome"])


@on_postgres
@pytest.mark.parametrize("first", ["group", "accept"])
def test_a_group_that_comes_at_the_instant_of_an_accept_is_in_its_incident(pair: Cluster, first: str) -> None:
    """Before it, it waits in the message and goes along; after it, it joins: once, and nobody is asked of it."""
    forms = open_forms(pair, storm(pair), alice="accept")
    accept = partial(pair.pair[0].people.submit, "alice", forms["alice"])
    comes = partial(send, pair.pair[1], group(20))
    answers = queued(pair, STORMS_LOCKED, *((comes, accept) if first == "group" else (accept, comes)))
    outcome, reply = answers if first == "group" else reversed(answers)
    assert reply.ok, reply
    (number,) = pair.wait_opened()
    assert outcome == ("triage" if first == "group" else f"joined {number}")
    assert send(pair.pair[1], group(20)) == f"repeat of {number}"
    assert pair.pair[0].kinds(number).count("alert_fired") == 5
    assert sorted(len(buttons(m)) for m in waiting(pair)) == [0] + [3] * 5
    assert doubled(pair.workspace) == []


@on_postgres
def test_groups_of_a_storm_that_is_over_come_back_without_a_deadlock(pair: Cluster) -> None:
    """One holds its incident and asks for the storm, a new one holds the storm: it does not ask for that incident."""
    forms = open_forms(pair, storm(pair), alice="accept")
    assert pair.pair[0].people.submit("alice", forms["alice"]).ok
    (number,) = pair.wait_opened()
    pair.pair[0].slash(f"{number} resolve The network is back")
    sent = (group(20), group(5, "", "more"))
    calls = [partial(send, client, each) for client, each in zip(pair.pair, sent, strict=True)]
    assert queued(pair, STORMS_LOCKED, *calls) == ["triage"] * 2
    pair.wait_settled()
    assert pair.rows(DEADLOCKS)[0]["n"] == 0

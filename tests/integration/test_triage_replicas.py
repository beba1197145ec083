"""Alerts that wait for a look where two people decide at the same instant, each asking another replica."""

from __future__ import annotations

from collections.abc import Iterator
from functools import partial
from pathlib import Path
from typing import Any

import pytest
from sqlalchemy import text

from bot.sandbox.model import Message
from bot.store.database import connect
from tests.conftest import wait_for
from tests.crash.world import PATIENCE
from tests.faults.cluster import LADDER, Cluster, cluster_for, doubled, together
from tests.integration.bodies import body, warning
from tests.integration.test_triage import buttons, fires, spoken

ROUNDS = 4
LOCKED = "SELECT id FROM alert_groups FOR UPDATE"
WAITING = "SELECT count(*) AS n FROM pg_stat_activity WHERE wait_event_type = 'Lock' AND query LIKE '%FOR UPDATE%'"
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
    if not pair.url.startswith("postgres"):
        assert all(reply.ok and not reply.errors for reply in together(*calls))
        return
    engine = connect(pair.url)
    with engine.begin() as held:
        held.execute(text(LOCKED))

        def let_go() -> None:
            wait_for(lambda: pair.rows(WAITING)[0]["n"] >= 2, 2.0, "both replicas")
            held.rollback()

        replies = together(*calls, let_go)[:2]
    engine.dispose()
    assert all(reply.ok and not reply.errors for reply in replies), replies


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
    assert late.startswith(f"{winner} accepted it at ")
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
        assert buttons(message) == []
        assert pair.pair[0].kinds(number).count("alert_fired") == before + merged
        outcome = pair.pair[1].alertmanager(sent).json()["outcome"]
        assert outcome == (f"repeat of {number}" if merged else "nothing new")


@on_postgres
def test_a_storm_that_two_accept_at_once_is_one_incident(pair: Cluster) -> None:
    """All its groups go along, once."""
    labels = {"alertname": "DiskFills", "severity": "warning", "cluster": "eu-1"}
    for n in range(9):
        sent = body(warning(f"f{n}", labels={**labels, "service": f"db-{n}"}), group=f"{{}}:{{n={n}}}")
        assert pair.pair[n % 2].alertmanager(sent).json()["outcome"] == "triage"

    def shared() -> list[Message]:
        return [m for m in waiting(pair) if "4 alert groups" in m.text]

    wait_for(lambda: [m for m in shared() if "4 firing" in m.text], PATIENCE, "the storm")
    decide(pair, open_forms(pair, *shared(), alice="accept", bob="accept"))
    (number,) = pair.wait_opened()
    assert pair.pair[0].kinds(number).count("alert_fired") == 4
    assert sorted(len(buttons(m)) for m in waiting(pair)) == [0] + [3] * 5
    assert [len(buttons(m)) for m in shared()] == [0]

"""`/metrics` shows what happened, answers without a database, and does not grow with what strangers send."""

from __future__ import annotations

import json
import math
import platform
import re
import sqlite3
import time
from collections.abc import Callable, Iterator, Mapping
from contextlib import closing, contextmanager
from pathlib import Path
from typing import Any

import pytest
from prometheus_client.parser import text_string_to_metric_families
from sqlalchemy import event

from bot import __version__, telemetry
from bot.outbox.senders import _SENDERS
from bot.sandbox.faults import Fault
from bot.sandbox.workspace import Workspace
from bot.store.database import connect
from bot.store.standing import standing
from tests.conftest import Client, Hands, InProcess, both_databases, wait_for
from tests.integration.bodies import alert, body, pagerduty
from tests.migrated import put
from tests.patience import BUSY
from tests.postgres import Postgres, database

Samples = dict[tuple[str, frozenset[tuple[str, str]]], float]


def scrape(bot: Client) -> Samples:
    answer = bot.http.get("/metrics")
    assert answer.status_code == 200
    return {
        (sample.name, frozenset(sample.labels.items())): sample.value
        for family in text_string_to_metric_families(answer.text)
        for sample in family.samples
        if sample.name.startswith("sitrep_")
    }


def value(samples: Samples, name: str, **labels: str) -> float:
    return samples.get((name, frozenset(labels.items())), 0.0)


class Since:
    """What was counted since this was made: the registry is the whole test process's."""

    def __init__(self, bot: Client) -> None:
        self._bot = bot
        self._before = scrape(bot)

    def count(self, name: str, **labels: str) -> float:
        return value(scrape(self._bot), name, **labels) - value(self._before, name, **labels)

    def wait(self, times: float, name: str, **labels: str) -> None:
        wait_for(lambda: self.count(name, **labels) == times, what=f"{times} x {name} {labels}")


def gauge(bot: Client, name: str, **labels: str) -> float:
    return value(scrape(bot), name, **labels)


@both_databases
def test_webhooks_are_counted_by_source_and_outcome(bot: Client, environ: dict[str, str]) -> None:
    """Each answer that a sender can get is one of the outcomes."""
    since = Since(bot)
    bot.alertmanager(body(alert()))
    bot.alertmanager(body(alert()))
    bot.alertmanager(body(alert()), token="wrong")
    bot.alertmanager(b"{")
    bot.alertmanager(b"x" * (16 * 1024 * 1024 + 1))
    bot.pagerduty(pagerduty("incident.triggered", event_id="E1"))
    bot.pagerduty(pagerduty("incident.triggered", event_id="E1"))
    bot.pagerduty(pagerduty("incident.triggered"), secret="wrong")
    for outcome in ("declared", "repeat", "unauthorized", "malformed", "too_large"):
        assert since.count("sitrep_webhooks_total", source="alertmanager", outcome=outcome) == 1, outcome
    for outcome in ("duplicate", "unauthorized"):
        assert since.count("sitrep_webhooks_total", source="pagerduty", outcome=outcome) == 1, outcome
    assert since.count("sitrep_commit_duration_seconds_count") >= 4
    assert gauge(bot, "sitrep_build_info", version=__version__, python=platform.python_version()) == 1


def test_what_cannot_be_committed_is_counted_as_unavailable(bot: Client, service: InProcess) -> None:
    """A webhook that got 503 is one that the database did not take."""
    since = Since(bot)
    path = service.environ["SITREP_DATABASE_URL"].removeprefix("sqlite:///")
    with closing(sqlite3.connect(path, isolation_level=None)) as other:
        other.execute("BEGIN IMMEDIATE")
        assert bot.alertmanager(body(alert())).status_code == 503
        other.execute("ROLLBACK")
    assert since.count("sitrep_webhooks_total", source="alertmanager", outcome="unavailable") == 1


def test_an_opening_is_counted_from_the_declaration_to_the_invitation(bot: Client) -> None:
    """One channel that is ready is one observation, of about as long as it took; deliveries and calls beside it."""
    bot.workspace.latency = 0.1
    since, began = Since(bot), time.monotonic()
    number, _ = bot.open_one()
    took = time.monotonic() - began
    since.wait(1, "sitrep_channel_ready_seconds_count")
    assert 0.2 < since.count("sitrep_channel_ready_seconds_sum") < took
    for kind in ("channel", "card", "notification", "announcement"):
        assert since.count("sitrep_deliveries_total", kind=kind, outcome="delivered") == 1, kind
    called = {"service": "slack", "method": "conversations.create"}
    assert since.count("sitrep_outward_calls_total", **called, outcome="ok") == 1
    assert since.count("sitrep_outward_call_duration_seconds_count", **called) == 1
    assert since.count("sitrep_outward_call_duration_seconds_sum", **called) >= 0.1
    assert gauge(bot, "sitrep_incidents_open", severity="sev2") == 1
    assert gauge(bot, "sitrep_incidents_open", severity="sev1") == 0
    bot.slash(f"{number} sev 1")
    bot.slash("declare Something small sev4")
    assert gauge(bot, "sitrep_incidents_open", severity="sev1") == 1
    assert gauge(bot, "sitrep_incidents_open", severity="sev2") == 0
    assert gauge(bot, "sitrep_incidents_open", severity="sev4") == 1
    bot.slash(f"{number} resolve Restarted it")
    assert gauge(bot, "sitrep_incidents_open", severity="sev1") == 0
    assert since.count("sitrep_channel_ready_seconds_count") == 1


def test_what_slack_refuses_is_counted_by_method_and_reason(bot: Client) -> None:
    """A 429, a lost answer and a refusal for good are told apart; a failure for good is counted as one."""
    since = Since(bot)
    faults = bot.workspace.faults
    faults.add(Fault("conversations.setTopic", "ratelimited", retry_after=1))
    faults.add(Fault("pins.add", "error", error="too_many_pins"))
    faults.add(Fault("conversations.create", "drop_after"))
    number = bot.slash("declare Checkout is down").split()[1]
    bot.wait_event(number, "delivery_failed")
    bot.wait_event(number, "page_delivered")
    for method, reason in (
        ("conversations.setTopic", "slack_throttled"),
        ("pins.add", "too_many_pins"),
        ("conversations.create", "slack_no_answer"),
        ("conversations.create", "name_taken"),
    ):
        since.wait(1, "sitrep_outward_calls_total", service="slack", method=method, outcome=reason)
    since.wait(1, "sitrep_deliveries_total", kind="topic", outcome="slack_throttled")
    since.wait(1, "sitrep_deliveries_total", kind="pin", outcome="too_many_pins")
    since.wait(1, "sitrep_deliveries_failed_total", kind="pin")
    assert since.count("sitrep_deliveries_failed_total", kind="channel") == 0


@both_databases
def test_the_outbox_is_measured_by_its_rows(bot: Client, hands: Hands) -> None:
    """How many wait in which state, and for how long the oldest has."""
    busy = bot.workspace.channel("incidents").id
    bot.workspace.faults.add(
        Fault("chat.postMessage", "ratelimited", retry_after=3600, times=None, where=lambda a: a["channel"] == busy)
    )
    bot.slash("declare Checkout is down")
    # The announcement, and the edit of it that the runbook asks for.
    expected = {"pending": 2, "sending": 0, "unknown": 0}
    wait_for(
        lambda: {state: gauge(bot, "sitrep_outbox_deliveries", state=state) for state in expected} == expected,
        what="two that wait, and nothing else",
    )
    assert gauge(bot, "sitrep_outbox_oldest_age_seconds") < 60
    hands.advance(minutes=2)
    wait_for(lambda: 120 <= gauge(bot, "sitrep_outbox_oldest_age_seconds") < 180, what="two minutes")
    bot.workspace.faults.clear()
    hands.advance(minutes=60)
    wait_for(lambda: gauge(bot, "sitrep_outbox_oldest_age_seconds") == 0, what="an empty outbox")


@both_databases
def test_timers_are_measured_by_their_rows_and_when_they_fire(bot: Client, hands: Hands) -> None:
    """How many are armed; how late they were when they fired."""
    since = Since(bot)
    number, _ = bot.open_one("declare Checkout is down sev1")
    # Three levels of the ladder and the reminder; the gauge is the process's, which had other incidents before.
    wait_for(lambda: gauge(bot, "sitrep_timers_armed") == 4, what="the armed timers")
    assert gauge(bot, "sitrep_timer_overdue_seconds") == 0
    hands.advance(minutes=5.5)
    bot.wait_event(number, "escalated")
    since.wait(1, "sitrep_timer_lag_seconds_count")
    assert 25 < since.count("sitrep_timer_lag_seconds_sum") < 35
    wait_for(lambda: gauge(bot, "sitrep_timers_armed") == 3, what="one timer less")


def test_a_timer_that_does_not_fire_is_seen(bot: Client, hands: Hands, service: InProcess) -> None:
    """While the engine stands still, the gauge says for how long the most overdue timer has been due."""
    bot.open_one("declare Checkout is down sev1")
    assert service.server is not None

    def still(*_args: Any) -> None:
        """Stands for an engine that stalls: nothing that is due is found."""

    with pytest.MonkeyPatch.context() as patch:
        patch.setattr("bot.desk.Desk.fire_timers", still)
        hands.advance(minutes=6)
        assert 55 < wait_for(lambda: gauge(bot, "sitrep_timer_overdue_seconds"), what="an overdue timer") < 75


def test_interactions_are_timed_and_counted_by_kind(bot: Client) -> None:
    """A command, a press, a form and an event of Slack's are one observation each."""
    number, channel = bot.open_one()
    since = Since(bot)
    bot.slash("ack", channel=channel)
    bot.slash("ack", channel=channel)
    card = bot.workspace.pinned(channel)[0].ts
    bot.people.press("bob", channel, card, "incident_update")
    (view,) = bot.workspace.open_views("bob")
    bot.people.submit("bob", view.id, {"state": "The pool is exhausted"})
    bot.people.event(
        {
            "type": "member_joined_channel",
            "user": bot.workspace.user("dana").id,
            "channel": bot.workspace.channel(channel).id,
        },
        event_id="Ev1",
    )
    bot.wait_event(number, "responder_joined")
    for kind, times in (("command", 2), ("button", 1), ("form", 1), ("event", 1)):
        since.wait(times, "sitrep_interaction_duration_seconds_count", kind=kind)
    assert since.count("sitrep_interactions_total", kind="command", outcome="done") == 1
    assert since.count("sitrep_interactions_total", kind="command", outcome="refused") == 1
    assert since.count("sitrep_interactions_total", kind="form", outcome="done") == 1


@contextmanager
def served(environ: Mapping[str, str], workspace: Workspace) -> Iterator[Client]:
    """A service with settings of its own."""
    service = InProcess(environ)
    service.start()
    client = Client(service.url, workspace)
    try:
        yield client
    finally:
        client.close()
        service.stop()


def test_metrics_answer_while_the_database_is_away(
    environ: dict[str, str], workspace: Workspace, tmp_path: Path
) -> None:
    """With a database that hangs or is gone a scrape takes little longer, says so, and tells nothing old."""
    server = Postgres(tmp_path / "server")
    with database(server.url) as url, served({**environ, "SITREP_DATABASE_URL": url}, workspace) as bot:
        bot.open_one()
        assert gauge(bot, "sitrep_database_up") == 1
        assert gauge(bot, "sitrep_timers_armed") == 4
        for away, back in ((server.hold, server.release), (server.stop, server.start)):
            away()
            try:
                looks = [timed(lambda: scrape(bot)) for _ in range(3)]
            finally:
                back()
            for gone, took in looks:
                assert took < 3 * BUSY  # it would hang for ever
                assert value(gone, "sitrep_database_up") == 0
                assert not [key for key in gone if key[0] in {"sitrep_incidents_open", "sitrep_outbox_deliveries"}]
                assert math.isnan(value(gone, "sitrep_timers_armed"))
            wait_for(lambda: gauge(bot, "sitrep_database_up") == 1, what="the database")
            assert gauge(bot, "sitrep_timers_armed") == 4


def timed(look: Callable[[], Samples]) -> tuple[Samples, float]:
    began = time.monotonic()
    return look(), time.monotonic() - began


OF_ANOTHER_TEST = "hologram"  # a row of a later version: metrics are counted over all tests of the process
INTERACTIONS = ("command", "button", "form", "shortcut", "event")
HOSTILE = ("zq-hostile", "<!channel>", '{job="x"}', "\n# HELP", "é\u202e", "C0HOSTILE")
ALLOWED = {
    "source": {*telemetry.SOURCES, "slack"},
    "severity": {"sev1", "sev2", "sev3", "sev4"},
    "service": {"slack", "pagerduty", "alertmanager"},
    "state": {"pending", "sending", "unknown", "done", "skipped", "undone"},
    "what": {"timers", "deliveries", "openings"},
}


def test_no_set_of_labels_grows_with_what_strangers_send(bot: Client) -> None:
    """Whatever is in bodies, commands, error codes and paths, every label's value is one that the code names."""
    for index in range(8):
        ugly = f"{HOSTILE[index % len(HOSTILE)]}{index}"
        labels = {"alertname": ugly, "severity": "critical", "service": ugly, ugly: ugly}
        bot.alertmanager(body(alert(f"f{index}", labels=labels), group=ugly))
        bot.alertmanager(json.dumps({"version": ugly}).encode(), token=ugly.encode("ascii", "ignore").decode().strip())
        unknown = pagerduty("incident.triggered", event_id=ugly)
        unknown["event"]["event_type"] = f"incident.{ugly}"
        bot.pagerduty(unknown)
        bot.slash(f"{ugly} {ugly}")
        bot.slash(f"declare {ugly} sev3")
        bot.http.get(f"/metrics/{index}")
        bot.http.post(f"/webhooks/{index}", content=b"x" * 1_100_000)
        bot.workspace.faults.add(Fault("pins.add", "error", error=f"zq_hostile_{index}"))
        bot.slash(f"declare Checkout {index} sev2")
    wait_for(lambda: not [f for f in bot.workspace.faults if not f.hits], what="the faults")
    wait_for(lambda: value(scrape(bot), "sitrep_deliveries_total", kind="pin", outcome="other") >= 8, what="others")
    for name, labels in scrape(bot):
        for label, said in labels:
            if label in {"le", "version", "python", "flag"}:
                continue
            assert "hostile" not in said.casefold()
            if label == "outcome":
                known = telemetry.WEBHOOK_OUTCOMES if "webhooks" in name else telemetry.REASONS
                own = {
                    "other",
                    "done",
                    "asked",
                    "refused",
                    "unavailable",
                    "clear",
                    "unclear",
                    "withheld",
                    "unreachable",
                }
                assert said in known | own, (name, said)
            elif label == "kind":
                assert said in {*_SENDERS, *INTERACTIONS, OF_ANOTHER_TEST}, (name, said)
            elif label == "runbook":
                assert re.fullmatch(r"[a-z0-9-]+(\.[a-z0-9-]+)+", said), (name, said)  # an id of some test's catalog
            elif label == "method":
                assert re.fullmatch(r"[A-Za-z._]+|[A-Z]+ [a-z0-9/_{}]+|(trigger|acknowledge|resolve) event", said), said
            else:
                named = telemetry.NAMED if label == "source" else set()  # by the settings, some test's among them
                assert said in ALLOWED[label] | named, (name, label, said)


def test_every_kind_of_delivery_counts_its_failures_from_zero(bot: Client) -> None:
    """A counter that begins with one shows Prometheus no increase: the first failure would raise no alarm."""
    samples = scrape(bot)
    assert {dict(labels)["kind"] for name, labels in samples if name == "sitrep_deliveries_failed_total"} == set(
        _SENDERS
    )
    for source in telemetry.SOURCES:
        assert ("sitrep_webhooks_total", frozenset({("source", source), ("outcome", "unauthorized")})) in samples


@both_databases
def test_what_a_scrape_asks_of_the_database_is_answered_by_indexes(database_url: str) -> None:
    """Ten thousand closed incidents with all their deliveries and timers make a scrape no slower."""
    put(database_url)
    engine = connect(database_url)
    asked: list[tuple[str, Any]] = []

    @event.listens_for(engine, "before_cursor_execute")
    def _note(_c: Any, _cursor: Any, statement: str, parameters: Any, *_more: Any) -> None:
        asked.append((statement, parameters))

    with engine.begin() as connection:
        if engine.dialect.name == "postgresql":
            # It reads a small table whole although it could use the index, which is all that is asked here.
            connection.exec_driver_sql("SET LOCAL enable_seqscan = off")
        asked.clear()
        standing(connection)
        queries = asked.copy()
        assert len(queries) == 3
        for statement, parameters in queries:
            how = "EXPLAIN" if engine.dialect.name == "postgresql" else "EXPLAIN QUERY PLAN"
            plan = str(connection.exec_driver_sql(f"{how} {statement}", parameters).all())
            assert "ix_" in plan, plan
            assert "Seq Scan" not in plan, plan
    engine.dispose()

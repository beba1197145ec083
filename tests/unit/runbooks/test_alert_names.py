"""Which runbook the alerts of usual rules lead to, however their names are written, and by a title alone."""

from __future__ import annotations

import pytest

from bot.incidents.model import Alert
from bot.runbooks.match import Way, match, rank
from tests.quick import shipped
from tests.unit.runbooks.alert_names import ALERTS, GENERAL, as_markdown
from tests.unit.runbooks.conftest import CONTENT


def an_alert(name: str, source: str = "alertmanager", **labels: str) -> Alert:
    return Alert(source, "g", "1", name, labels)


@pytest.mark.parametrize(
    ("name", "labels", "runbook_id"), ALERTS, ids=[f"{row[0]}-{n}" for n, row in enumerate(ALERTS)]
)
def test_each_alert_of_the_usual_rules_leads_to_its_runbook(name: str, labels: dict[str, str], runbook_id: str) -> None:
    """With the labels of the exporter that was scraped, the name decides; without a runbook it is the general one."""
    found = match(shipped(), [Alert("alertmanager", "g", "1", name, labels)])
    assert found.runbook.id == runbook_id, found.reason
    assert (found.way is Way.NONE) == (runbook_id == GENERAL)
    assert found.reason.startswith("no runbook matched" if runbook_id == GENERAL else "matched by alertname")


def test_the_table_is_large_enough() -> None:
    """At least 150 names lead to a runbook of their own, and some to the general one, on purpose."""
    assert len({name for name, _, runbook in ALERTS if runbook != GENERAL}) >= 150
    assert any(runbook == GENERAL for _, _, runbook in ALERTS)


@pytest.mark.parametrize("written", ["Redis down", "redis_down", "REDIS-DOWN", "redisDown"])
def test_a_name_is_known_however_it_is_written(written: str) -> None:
    """Grafana's rules have names with spaces, others use underscores: they are the same name."""
    found = match(shipped(), [an_alert(written)])
    assert (found.runbook.id, found.reason) == ("ops.redis.down", f"matched by alertname {written}")


@pytest.mark.parametrize(
    ("title", "runbook_id", "reason"),
    [
        ("RedisDown: Redis instance down", "ops.redis.down", "alertname RedisDown in the title"),
        ("[FIRING:1] RedisDown cache (redis-0 critical)", "ops.redis.down", "alertname RedisDown in the title"),
        # Alertmanager's own title where a route groups by namespace: the name is among the other labels.
        (
            "[FIRING:2] shop (KubePodCrashLooping checkout http 10.42.1.207:8080 kube-state-metrics critical)",
            "ops.service.pod-down",
            "alertname KubePodCrashLooping in the title",
        ),
        (
            "[FIRING:1, RESOLVED:2] Redis down Shop (A prometheus)",
            "ops.redis.down",
            "alertname Redis down in the title",
        ),
        ("[P2] [Triggered on {env:prod}] Redis down", "ops.redis.down", "alertname Redis down in the title"),
        ("Triggered: High error rate on checkout", "ops.api.error-rate", "alertname High error rate in the title"),
        ("ALERT KubePersistentVolumeFillingUp - data-db-0", "ops.storage.disk", "KubePersistentVolumeFillingUp in the"),
        ("[Warn] CheckoutCertificateExpiresSoon: 3 days left", "ops.certificates.expiry", "Expir"),
        ("VeleroScheduleMissed on backup-1", "ops.backup.velero", 'alertname=~"Velero.*" in the title'),
        ("Checkout answers 5xx", "ops.api.error-rate", "5xx"),
        ("Nobody can pay today", GENERAL, "no runbook matched"),
        ("[FIRING:1] (redis)", GENERAL, "no runbook matched"),
        ("", GENERAL, "no runbook matched"),
        ("<!channel> ((((((((((((((((((((((((((((((((((((((((((((((((" * 20, GENERAL, "no runbook matched"),
    ],
)
def test_a_title_of_pagerduty_holds_the_alerts_name(title: str, runbook_id: str, reason: str) -> None:
    """What Alertmanager, Grafana and Datadog make of a name is found in a title, and the reason says where."""
    found = match(shipped(), [an_alert(title, "pagerduty", service="Checkout API", urgency="high")])
    assert found.runbook.id == runbook_id
    assert reason in found.reason


def test_only_pagerdutys_titles_are_searched() -> None:
    """An alert of Prometheus has a name, not a title: a word in it leads nowhere."""
    assert match(shipped(), [an_alert("After RedisDown we restarted")]).way is Way.NONE


def test_the_incident_key_is_asked_after_the_title() -> None:
    """Where the title says nothing, a key that was made of the alert's name does."""
    found = match(shipped(), [an_alert("It is down", "pagerduty", incident_key="prod/RedisDown/redis-0")])
    assert (found.runbook.id, found.reason) == ("ops.redis.down", "matched by alertname RedisDown in the incident key")


@pytest.mark.parametrize(
    ("subsystem", "runbook_id"),
    [
        ("controller", "ops.tenancy.controller"),
        ("webhook", "ops.webhook.outage"),
        ("policy", "ops.tenancy.policy-evaluation"),
        ("api", "ops.api.error-rate"),
        ("lifecycle", "ops.tenancy.lifecycle-jobs"),
    ],
)
@pytest.mark.parametrize("name", ["SomethingIsOdd", "Sev2Page"])
def test_the_subsystem_decides_whatever_the_alert_is_called(subsystem: str, runbook_id: str, name: str) -> None:
    """Seed 001's label leads to its subsystem's runbook, as label and as annotation."""
    for facts in ({"labels": {"subsystem": subsystem}}, {"annotations": {"subsystem": subsystem}}):
        found = match(shipped(), [Alert("alertmanager", "g", "1", name, **facts)])
        assert (found.runbook.id, found.reason) == (runbook_id, f'matched by subsystem="{subsystem}"')


@pytest.mark.parametrize(
    ("name", "subsystem", "expected"),
    [
        # The name of a symptom that any component can have: the component's own runbook goes first.
        ("HighLatency", "policy", ["ops.tenancy.policy-evaluation", "ops.service.latency"]),
        ("PodDown", "controller", ["ops.tenancy.controller", "ops.service.pod-down"]),
        # Both are symptoms: the name says more.
        ("HighLatency", "api", ["ops.service.latency", "ops.api.error-rate"]),
        # The name of the component that is broken.
        ("RedisDown", "controller", ["ops.redis.down", "ops.tenancy.controller"]),
        ("RateLimitSaturated", "api", ["ops.tenancy.rate-limit", "ops.api.error-rate"]),
    ],
)
def test_a_symptoms_name_gives_way_to_the_component(name: str, subsystem: str, expected: list[str]) -> None:
    """Of a name and a subsystem the one goes first that says more of what is broken; the other is named beside it."""
    found = rank(shipped(), [an_alert(name, subsystem=subsystem)])
    assert [each.runbook.id for each in found] == expected


def test_the_documentation_holds_the_table() -> None:
    """Whoever installs Sitrep can look up where an alert leads; write the page anew with `as_markdown`."""
    assert (CONTENT.parent / "docs" / "alert-names.md").read_text(encoding="utf-8") == as_markdown()

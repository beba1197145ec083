from __future__ import annotations

from collections.abc import Callable, Mapping
from pathlib import Path

import pytest

from bot.incidents.model import Alert
from bot.incidents.policy import Severity
from bot.runbooks.catalog import Catalog
from bot.runbooks.match import match, rank

GENERAL = "ops.general.first-response"
API = "ops.api.error-rate"
DATABASE = "ops.database.connections"
LATENCY = "ops.database.latency"
WEBHOOK = "ops.webhook.outage"


@pytest.fixture(scope="module")
def catalog(content: Path) -> Catalog:
    return Catalog.load(content)


def alert(name: str = "Odd", labels: Mapping[str, str] | None = None, **annotations: str) -> Alert:
    return Alert(
        source="alertmanager",
        group_key="g",
        fingerprint=name,
        name=name,
        labels=labels or {},
        annotations=annotations,
    )


@pytest.mark.parametrize(
    ("alerts", "runbook_id", "reason"),
    [
        ([alert(runbook_id=API)], API, "matched by annotation runbook_id"),
        ([alert(labels={"runbook_id": API})], API, "matched by label runbook_id"),
        ([alert(runbook_id=f" {API} ")], API, "matched by annotation runbook_id"),
        ([alert(runbook_url="runbooks/webhook-outage.md")], WEBHOOK, "matched by annotation runbook_url"),
        ([alert(signal="database_latency_high")], LATENCY, "matched by signal database_latency_high"),
        ([alert(labels={"signal_key": "api_error_rate_high"})], API, "matched by signal api_error_rate_high"),
        ([alert("HighErrorRate")], API, "matched by alertname HighErrorRate"),
        ([alert("DatabaseConnectionFailures")], DATABASE, "matched by alertname DatabaseConnectionFailures"),
        ([alert("WebhookDeliveryFailing")], WEBHOOK, "matched by alertname WebhookDeliveryFailing"),
        ([alert()], GENERAL, "no runbook matched: general first response"),
        ([], GENERAL, "no runbook matched: general first response"),
    ],
)
def test_each_way_to_a_runbook(catalog: Catalog, alerts: list[Alert], runbook_id: str, reason: str) -> None:
    """Each kind of hint leads to its runbook and says so."""
    found = match(catalog, alerts)
    assert (found.runbook.id, found.reason) == (runbook_id, reason)


def test_the_surer_hint_wins_wherever_it_stands(catalog: Catalog) -> None:
    """An id in a later alert beats a url, a signal and an alertname in earlier ones."""
    hints = [
        alert("HighErrorRate"),
        alert(signal="database_latency_high"),
        alert(runbook_url="runbooks/general-first-response.md"),
        alert(runbook_id=WEBHOOK),
    ]
    expected = [WEBHOOK, GENERAL, LATENCY, API]
    for index, runbook_id in enumerate(expected):
        assert match(catalog, hints[: len(hints) - index]).runbook.id == runbook_id


def test_among_equal_hints_the_first_alert_wins(catalog: Catalog) -> None:
    """With two named runbooks the first alert decides."""
    assert match(catalog, [alert(runbook_id=DATABASE), alert(runbook_id=API)]).runbook.id == DATABASE


def test_an_unknown_id_falls_through_and_is_told(catalog: Catalog) -> None:
    """A runbook_id that is not in the catalog is passed over, and the reason names it once."""
    found = match(catalog, [alert("HighErrorRate", runbook_id="ops.x"), alert(runbook_id="ops.x")])
    assert found.runbook.id == API
    assert found.reason == "runbook_id ops.x is not in the catalog; matched by alertname HighErrorRate"


def test_an_unknown_id_without_another_hint_leads_to_the_general_runbook(catalog: Catalog) -> None:
    """The fallback also says which id was unknown, cut to one short line."""
    found = match(catalog, [alert(runbook_id="ops.\n" + "x" * 500)])
    assert found.runbook.id == GENERAL
    assert found.reason.startswith("runbook_id ops. xxx")
    assert found.reason.endswith("… is not in the catalog; no runbook matched: general first response")
    assert len(found.reason) < 200


BOOK = """---
id: {id}
title: One
severity_hint: {severity}
owner_team: SRE
last_reviewed_at: 2026-11-21
url: runbooks/{id}.md
{more}
---

## Diagnosis

1. Look.
"""


@pytest.fixture
def small(directory: Callable[..., Path]) -> Catalog:
    """A catalog whose runbooks differ in how they are found."""
    made = {
        "ops.signal": ("sev2", "signals: [slow, Slow]"),
        "ops.signal-too": ("sev2", "signals: [other, slow]"),
        "ops.matched": ("sev2", "matchers: ['alertname=~\"Sl.*\"', 'region!=\"eu\"']"),
        "ops.service": ("sev3", "services: [checkout]"),
        "ops.service-worst": ("sev1", "services: [checkout]"),
    }
    texts = {name: BOOK.format(id=name, severity=severity, more=more) for name, (severity, more) in made.items()}
    return Catalog.load(directory(**texts))


def test_everything_that_matches_is_ranked(small: Catalog) -> None:
    """A signal before a name, a name before matchers, these before a service; each once, with its best reason."""
    found = rank(small, [alert("Slow", {"signal": "slow", "service": "checkout"})])
    assert [(each.runbook.id, each.reason) for each in found] == [
        ("ops.signal", "matched by signal slow"),
        ("ops.signal-too", "matched by signal slow"),
        ("ops.matched", 'matched by alertname=~"Sl.*", region!="eu"'),
        ("ops.service", "matched by service checkout"),
        ("ops.service-worst", "matched by service checkout"),
    ]


def test_all_matchers_must_hold(small: Catalog) -> None:
    """One matcher that does not hold is enough to leave a runbook out; a label that is absent counts as empty."""
    assert rank(small, [alert("Slowest")])[0].runbook.id == "ops.matched"
    assert rank(small, [alert("Slowest", {"region": "eu"})])[0].runbook.id == GENERAL


def test_among_a_services_runbooks_that_of_the_severity_comes_first(small: Catalog) -> None:
    """What is written for this severity is read first."""
    found = rank(small, [alert("X", {"job": "checkout"})], Severity.SEV1)
    assert [(each.runbook.id, each.reason) for each in found] == [
        ("ops.service-worst", "matched by service checkout and sev1"),
        ("ops.service", "matched by service checkout"),
    ]

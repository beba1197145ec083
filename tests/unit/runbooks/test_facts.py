"""Facts of the platform that a runbook must not lose, and what it must not say."""

from __future__ import annotations

import re
import subprocess

import pytest

from bot.runbooks.model import Runbook, Step
from bot.runbooks.render import VARIABLES, render
from tests.quick import ROOT, shipped

# The uids of the eight dashboards (seed 004, 3.2).
DASHBOARDS = {
    *("enablement-overview", "metering", "oversight", "runtime", "messaging"),
    *("golden-signals", "cost-attribution", "k8s-resources"),
}

# Runbook, and what one of its steps says together: in its words, its command or its rollback.
FACTS = [
    # Errors (seed 004, 6.2)
    ("ops.api.error-rate", ("RESOURCE_EXHAUSTED", "quota is exceeded", "raise it for that subscription", "spike")),
    ("ops.api.error-rate", ("RESOURCE_EXHAUSTED", "metering_quota_exceeded_total")),
    ("ops.api.error-rate", ("UNAUTHENTICATED", "ops.authz.outage")),
    ("ops.api.error-rate", ("sum by (error_type)", "count_over_time")),
    ("ops.api.error-rate", ("ConfigMaps and Secrets", "kubectl diff", "git log --since='24 hours ago'")),
    ("ops.api.error-rate", ("kubectl get events", "HorizontalPodAutoscaler")),
    ("ops.api.error-rate", ("authorization service", "$AUTHZ_URL/health", "SELECT 1;", "redis-cli PING")),
    ("ops.api.error-rate", ("UNAVAILABLE", "dependency", "restart it by its own runbook")),
    ("ops.api.error-rate", ("DEADLINE_EXCEEDED", "find the slow layer")),
    # The authorization service (seed 004, 6.6)
    ("ops.authz.outage", ("metering:9090", "oversight:9091", "runtime:9092", "messaging:9093", "/health")),
    (
        "ops.authz.outage",
        ("AUTHZ_FALLBACK_DECISION=DENY", "AUTHZ_FALLBACK_TTL_SECONDS=900", "-n ${{ products_namespace }}"),
    ),
    ("ops.authz.outage", ("AUTHZ_CIRCUIT_BREAKER_ENABLED-", "-n ${{ products_namespace }}")),
    # Backups (seed 004, 4.2 and 7.1)
    ("ops.backup.postgres", ("pg_dump", "-Fc", "postgres/metering/manual/", "pg_restore --list")),
    ("ops.backup.postgres", ("pg_basebackup", "pg_verifybackup")),
    ("ops.backup.postgres", ("pg_backup_start", "pg_backup_stop", "same session")),
    ("ops.redis.maintenance", ("BGSAVE", "Never `SAVE`")),
    ("ops.redis.maintenance", ("redis-check-rdb", "aws s3 cp")),
    ("ops.redis.maintenance", ("CONFIG SET save '900 1 300 10 60 10000'",)),
    ("ops.redis.maintenance", ("FLUSHDB ASYNC", "DELETES EVERY KEY", "incident commander")),
    ("ops.backup.velero", ("velero install", "--plugins", "sha256sum -c", "--use-volume-snapshots=true")),
    ("ops.backup.velero", ("velero schedule create", "--schedule='0 3 * * *'", "--ttl 720h0m0s")),
    ("ops.backup.velero", ("--include-resources deployments,configmaps,secrets", "--selector")),
    # Releases (seed 004, 2.2 to 2.5)
    ("ops.release.helm", ("helm install", "--create-namespace", "helm status")),
    ("ops.release.helm", ("helm upgrade", "--reuse-values")),
    ("ops.release.helm", ("helm history", "helm rollback")),
    ("ops.release.deploy", ("kustomize edit set image", "kubectl diff -k", "kubectl apply -k")),
    ("ops.release.deploy", ("maxUnavailable", "maxSurge", "at least two stay up")),
    ("ops.release.blue-green", ("green-deployment.yaml", "version=green", "--timeout=300s")),
    ("ops.release.blue-green", ('"version":"blue"', "switch back to blue")),
    ("ops.release.canary-deploy", ("threshold: 5", "maxWeight: 50", "stepWeight: 10", "min: 99", "max: 500")),
    ("ops.release.canary-deploy", ("weight: 90", "weight: 10", "canary: {exact")),
    # Dashboards, pools, the view (seed 004, 3.2, 9.1 and 9.3)
    ("ops.dashboards.import", ("/api/dashboards/db", "overwrite: true", "step 4")),
    ("ops.dashboards.import", ("kubectl create configmap grafana-dashboards", "creto-observability")),
    ("ops.database.pools", ("3 x 100 x 0.3 = 90", "30 for each replica")),
    ("ops.database.pools", ("1,000 clients", "25 connections", "four databases are 100")),
    ("ops.database.materialized-view", ("CREATE MATERIALIZED VIEW usage_daily", "CREATE UNIQUE INDEX")),
    ("ops.database.materialized-view", ("REFRESH MATERIALIZED VIEW CONCURRENTLY usage_daily", "kind: CronJob")),
    # What the products need (seed 004, 1.3)
    ("ops.dependency.outage", ("authz:50051 audit:50052 nhi:50053 crypto:50054 consensus:50055 memory:50056",)),
    ("ops.dependency.outage", ("postgres:5432 redis:6379 nats:4222",)),
]
# The same of checklists: what one item says together (seeds 003 and 004, 2.3).
ITEMS = [
    ("checklist.pre-deployment", ("Cosign", "cosign verify")),
    ("checklist.pre-deployment", ("SBOM",)),
    ("checklist.pre-deployment", ("trivy image", "--severity HIGH,CRITICAL")),
    ("checklist.pre-deployment", ("load test", "staging")),
    ("checklist.pre-deployment", ("green in CI",)),
    ("checklist.pre-deployment", ("flag", "`off`")),
    ("checklist.pre-deployment", ("CAB", "Wednesday 16:00 UTC")),
]


def said(step: Step) -> str:
    return "\n".join((step.text, step.code or "", step.rollback or "", step.no_rollback or "", step.approval or ""))


def book(runbook_id: str) -> Runbook:
    found = shipped().get(runbook_id)
    assert found is not None
    return found


@pytest.mark.parametrize(("runbook_id", "facts"), FACTS)
def test_a_step_says_it(runbook_id: str, facts: tuple[str, ...]) -> None:
    """The facts that belong together stand in one step, so that a responder finds them together."""
    assert any(all(fact in said(step) for fact in facts) for step in book(runbook_id).steps), facts


@pytest.mark.parametrize(("checklist_id", "facts"), ITEMS)
def test_an_item_says_it(checklist_id: str, facts: tuple[str, ...]) -> None:
    """What must be checked before a deployment stands in its checklist."""
    found = next(each for each in shipped().checklists if each.id == checklist_id)
    assert any(all(fact in item.text for fact in facts) for item in found.items), facts


def test_every_shell_command_can_be_parsed() -> None:
    """A command that is pasted is one that a shell understands; bash only reads it here (`-n`)."""
    for runbook in shipped():
        for step in runbook.steps:
            if step.language == "sh":
                script = render(step.code or "", "sh", dict.fromkeys(VARIABLES, "x")).text
                read = subprocess.run(["bash", "-n"], input=script, capture_output=True, text=True, check=False)
                assert not read.returncode, (runbook.id, step.number, read.stderr)


def test_no_runbook_answers_an_exceeded_quota_with_replicas() -> None:
    """A step that names RESOURCE_EXHAUSTED scales nothing: the quota stays exceeded, however many pods there are."""
    for runbook in shipped():
        for step in runbook.steps:
            if "RESOURCE_EXHAUSTED" in step.text:
                assert "kubectl scale" not in (step.code or ""), (runbook.id, step.number)


def test_commands_for_the_products_do_not_run_where_the_authorization_service_is() -> None:
    """The authorization service's alert carries its own namespace: no command takes it for the products'."""
    for step in book("ops.authz.outage").steps:
        assert "${{ namespace }}" not in (step.code or ""), step.number


def test_no_symptom_asks_for_replicas_because_of_a_quota() -> None:
    """The runbook for scaling does not count an exceeded quota among the reasons to scale."""
    scaling = book("ops.service.scaling")
    assert all("RESOURCE_EXHAUSTED" not in section.intro for section in scaling.sections)


def test_the_example_gives_each_dashboard_of_the_products_its_address() -> None:
    """The example of `sites:` names the eight dashboards as the runbooks do, with their paths (seed 004, 3.2)."""
    named = {title for runbook in shipped() for title in runbook.dashboards}
    example = (ROOT / "deploy" / "sitrep.yaml").read_text(encoding="utf-8")
    found = dict(
        re.findall(r"^#\s+([A-Z][\w ]+): https://grafana\.example\.com/d/([a-z0-9-]+)$", example, re.MULTILINE)
    )
    assert set(found) <= named
    assert set(found.values()) == DASHBOARDS


def test_what_differs_by_company_is_a_variable() -> None:
    """No command needs a shell variable for what the configuration gives: it is pasted as it stands."""
    given = (
        "PGUSER",
        "BACKUP_BUCKET",
        "AUTHZ_NS",
        "PRODUCTS_NS",
        "VAULT_NS",
        "STORAGE_NS",
        "STANDBY_NS",
        "GRAFANA_URL",
    )
    for book_ in (*shipped(), *shipped().checklists):
        for step in book_.steps:
            assert not [name for name in given if f"${name}" in said(step)], (book_.id, step.number)

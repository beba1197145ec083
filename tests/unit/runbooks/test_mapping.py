"""Which runbook a responder gets for each alert and each signal that the platform knows."""

from __future__ import annotations

from pathlib import Path

import pytest
import yaml

from bot.incidents.model import Alert
from bot.runbooks.catalog import Catalog
from bot.runbooks.match import match, rank

ALERTS = {
    "HighErrorRate": "ops.api.error-rate",
    "PodDown": "ops.service.pod-down",
    "HighLatency": "ops.service.latency",
    "QuotaCheckSlow": "ops.metering.quota",
    "WarmPoolDepleted": "ops.runtime.warm-pool",
    "OversightBacklog": "ops.oversight.backlog",
    "DatabaseConnectionFailures": "ops.database.connections",
    "RedisDown": "ops.redis.down",
    "HighDiskUsage": "ops.storage.disk",
    "MemoryPressure": "ops.service.resources",
    "CertificateExpiring": "ops.certificates.expiry",
    "KafkaLagHigh": "ops.kafka.lag",
    "AuthzUnavailable": "ops.authz.outage",
    "StorageQuotaExceeded": "ops.storage.disk",
    "VaultHSMUnavailable": "ops.vault.hsm",
    "NHITokenRefreshFailed": "ops.nhi.token-refresh",
    "ConsensusSplitBrain": "ops.consensus.split-brain",
}
SIGNALS = {
    "outbox_relay_degraded": "ops.outbox.relay",
    "dlq_backlog_present": "ops.queue.backlog",
    "api_error_rate_high": "ops.api.error-rate",
    "billing_worker_failures": "ops.billing.worker",
    "app_runtime_billing_reconciliation_failed": "ops.billing.app-runtime",
    "app_runtime_billing_attribution_drift": "ops.billing.app-runtime",
    "webhook_reconcile_failures": "ops.webhook.outage",
    "database_latency_high": "ops.database.latency",
    "provisioning_queue_depth_high": "ops.provisioning.queue",
    "provisioning_dispatch_latency_high": "ops.provisioning.queue",
    "provisioning_timeout_rate_high": "ops.provisioning.queue",
    "provisioning_failure_rate_high": "ops.provisioning.queue",
    "tenant_project_membership_denied": "ops.authz.tenant-project",
    "project_context_missing": "ops.authz.tenant-project",
    "user_onboarding_bootstrap_failed": "ops.onboarding.bootstrap",
    "app_catalog_browse_failed": "ops.app-catalog.mutations",
    "app_catalog_entitlement_mutation_failed": "ops.app-catalog.mutations",
    "fleet_telemetry_api_error": "ops.fleet.telemetry",
    "fleet_telemetry_data_stale": "ops.fleet.telemetry",
    "app_operator_service_account_failed": "ops.app-operator.automation",
    "scheduler_reference_flow_failed": "ops.app-operator.automation",
    "app_runtime_mode_scope_mismatch": "ops.app-runtime.lifecycle",
    "enterprise_federation_oidc_failed": "ops.federation.sign-in",
    "enterprise_federation_saml_failed": "ops.federation.sign-in",
    "enterprise_federation_membership_denied": "ops.federation.sign-in",
    "enterprise_federation_state_invalid": "ops.federation.sign-in",
    "app_artifact_publish_intent_failed": "ops.app-artifact.pipeline",
    "app_artifact_registration_failed": "ops.app-artifact.pipeline",
    "app_artifact_promotion_failed": "ops.app-artifact.pipeline",
    "app_artifact_trust_failed": "ops.app-artifact.pipeline",
    "app_artifact_retirement_failed": "ops.app-artifact.pipeline",
    "lab_control_stack_failed": "ops.lab.host-role",
    "gpu_worker_host_degraded": "ops.lab.host-role",
    "control_host_stack_failed": "ops.lab.host-role",
    "cross_host_correlation_investigation": "ops.lab.host-role",
    "cli_auth_failed": "ops.client.cli",
    "cli_project_context_missing": "ops.client.cli",
    "cli_command_failure": "ops.client.cli",
    "python_sdk_request_failed": "ops.client.python-sdk",
    "python_sdk_auth_failed": "ops.client.python-sdk",
    "python_sdk_project_context_missing": "ops.client.python-sdk",
}


@pytest.fixture(scope="module")
def catalog(content: Path) -> Catalog:
    return Catalog.load(content)


@pytest.mark.parametrize(("name", "runbook_id"), ALERTS.items())
def test_each_alert_leads_to_its_runbook(catalog: Catalog, name: str, runbook_id: str) -> None:
    """The name of an alert alone is enough, and the reason says so."""
    found = match(catalog, [Alert("alertmanager", "g", "1", name, {"alertname": name})])
    assert (found.runbook.id, found.reason) == (runbook_id, f"matched by alertname {name}")


@pytest.mark.parametrize(("signal", "runbook_id"), SIGNALS.items())
def test_each_signal_leads_to_its_runbook(catalog: Catalog, signal: str, runbook_id: str) -> None:
    """A signal key counts whatever the alert is called, as label and as annotation."""
    for facts in ({"labels": {"signal": signal}}, {"annotations": {"signal_key": signal}}):
        found = match(catalog, [Alert("alertmanager", "g", "1", "Odd", **facts)])
        assert (found.runbook.id, found.reason) == (runbook_id, f"matched by signal {signal}")


def test_the_table_holds_every_signal_of_the_platform(content: Path) -> None:
    """No signal key is left out of the table without being one of our own."""
    known = yaml.safe_load((content / "signals.yaml").read_text(encoding="utf-8"))
    assert set(SIGNALS) <= set(known)
    assert len(SIGNALS) == 41


def test_a_backlog_leads_to_the_relay_too(catalog: Catalog) -> None:
    """Dead letters are answered by the queue's runbook first, and by the relay's beside it."""
    found = rank(catalog, [Alert("alertmanager", "g", "1", "Odd", {"signal": "dlq_backlog_present"})])
    assert [each.runbook.id for each in found] == ["ops.queue.backlog", "ops.outbox.relay"]

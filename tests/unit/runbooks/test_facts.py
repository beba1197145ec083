"""Facts of the platform that a runbook must not lose, and what it must not say."""

from __future__ import annotations

import pytest

from bot.runbooks.model import Runbook, Step
from tests.quick import shipped

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
    ("ops.authz.outage", ("AUTHZ_FALLBACK_DECISION=DENY", "AUTHZ_FALLBACK_TTL_SECONDS=900", '-n "$PRODUCTS_NS"')),
    ("ops.authz.outage", ("AUTHZ_CIRCUIT_BREAKER_ENABLED-", '-n "$PRODUCTS_NS"')),
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

"""A runbook's command is never filled in with the name of an exporter."""

from __future__ import annotations

from datetime import UTC, datetime

import pytest

from bot.incidents.model import Alert, Incident, Status
from bot.incidents.policy import Severity
from bot.runbooks.facts import facts_of
from bot.runbooks.render import render

NOW = datetime(2026, 11, 21, 7, 0, tzinfo=UTC)
KSM = {
    "job": "kube-state-metrics",
    "service": "kps-kube-state-metrics",
    "endpoint": "http",
    "instance": "10.42.1.207:8080",
    "container": "kube-state-metrics",
    "pod": "kps-kube-state-metrics-5f6b9c7d8-x2x4q",
    "namespace": "shop",
}
INCIDENT = Incident("INC-20261121-001", "Down", Severity.SEV2, Status.INVESTIGATING, NOW)


def filled(command: str, **labels: str) -> str:
    """Fill a command in for an alert with these labels."""
    return render(command, "sh", facts_of(INCIDENT, [Alert("alertmanager", "g", "f", "Down", labels)], NOW)).text


@pytest.mark.parametrize("name", ["service", "pod", "instance", "job", "endpoint", "node"])
def test_an_exporters_name_is_a_placeholder(name: str) -> None:
    """What is only the exporter's is left for a person to fill in."""
    assert filled(f"kubectl get x ${{{{ {name} }}}}", **KSM, deployment="api") == f"kubectl get x ⟨{name}⟩"


def test_the_workload_is_filled_in() -> None:
    """What the alert is about is there, in its own namespace."""
    restart = "kubectl -n ${{ namespace }} rollout restart deployment/${{ deployment }}"
    assert filled(restart, **KSM, deployment="api") == "kubectl -n shop rollout restart deployment/api"
    assert filled(restart, **KSM, statefulset="db") == "kubectl -n shop rollout restart deployment/⟨deployment⟩"
    own = {**KSM, "pod": "api-0", "uid": "1"}
    assert filled("kubectl -n ${{ namespace }} delete pod ${{ pod }}", **own) == "kubectl -n shop delete pod api-0"


def test_a_plain_application_names_itself() -> None:
    """Without an exporter, service, instance and job are the application's own."""
    command = "curl ${{ instance }} ${{ service }} ${{ job }} ${{ deployment }}"
    assert filled(command, job="api", instance="web-1:80") == "curl web-1:80 api api api"

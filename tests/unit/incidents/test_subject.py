"""What an alert is about, by the labels that real senders give it."""

from __future__ import annotations

from dataclasses import dataclass, field

import pytest

from bot.incidents.subject import SubjectRules, subject_of
from tests.unit.incidents.story import an_alert


@dataclass(frozen=True)
class About:
    """An alert as it arrives, the place that a title names, and facts that must be there or must not."""

    name: str
    labels: dict[str, str]
    place: str
    facts: dict[str, str] = field(default_factory=dict)


# Of kube-prometheus-stack, whose ServiceMonitors put these on whatever has none of its own.
KSM = {
    "job": "kube-state-metrics",
    "service": "kps-kube-state-metrics",
    "endpoint": "http",
    "instance": "10.42.1.207:8080",
    "container": "kube-state-metrics",
    "pod": "kps-kube-state-metrics-5f6b9c7d8-x2x4q",
}
NODE = {
    "job": "node-exporter",
    "service": "kps-prometheus-node-exporter",
    "endpoint": "http-metrics",
    "instance": "10.0.0.5:9100",
    "container": "node-exporter",
    "namespace": "monitoring",
    "pod": "kps-prometheus-node-exporter-7k2lp",
}
KUBELET = {
    "job": "kubelet",
    "service": "kps-kubelet",
    "endpoint": "https-metrics",
    "instance": "10.0.0.5:10250",
    "node": "worker-3",
}
IN_SHOP = {"namespace": "shop"}

TABLE = [
    About("KubeStatefulSetReplicasMismatch", KSM | IN_SHOP | {"statefulset": "db"}, "statefulset/db in shop"),
    About("KubeDeploymentReplicasMismatch", KSM | IN_SHOP | {"deployment": "api"}, "deployment/api in shop"),
    About(
        "KubeNodeNotReady", KSM | {"namespace": "monitoring", "node": "worker-3"}, "node worker-3", {"namespace": ""}
    ),
    About("NodeFilesystemAlmostOutOfSpace", NODE | {"mountpoint": "/var"}, "node 10.0.0.5, /var", {"namespace": ""}),
    About("CPUThrottlingHigh", KUBELET | IN_SHOP | {"pod": "api-0", "container": "api"}, "pod api-0 in shop"),
    About("KubeStateMetricsDown", {"job": "kube-state-metrics"}, "kube-state-metrics"),
    About("HighErrorRate", {"service_name": "payments", "job": "shop/payments"}, "payments"),
    About("HighErrorRate", {"service.name": "payments", "service.namespace": "shop"}, "payments", IN_SHOP),
    About("HighErrorRate", {"service": "checkout", "pod": "checkout-0"}, "checkout", {"pod": "checkout-0"}),
    About("ReplicaLags", {"job": "mysql", "instance": "db-1:9104"}, "mysql", {"instance": "db-1:9104"}),
]


@pytest.mark.parametrize("about", TABLE, ids=lambda about: about.name)
def test_an_alert_is_about_what_is_broken(about: About) -> None:
    """The labels of real alerts lead to what is broken, never to the exporter that measured it."""
    subject = subject_of(an_alert(name=about.name, labels=about.labels))
    assert subject.place == about.place
    assert {name: getattr(subject, name) for name in about.facts} == about.facts


def test_a_company_names_its_own_labels_and_exporters() -> None:
    """The rules of `facts:` replace which labels name the service and which names are exporters'."""
    rules = SubjectRules(service=("team_app", "service"), exporters=("prober",))
    assert subject_of(an_alert(labels={"team_app": "till", "service": "x"}), rules).service == "till"
    assert subject_of(an_alert(labels={"service": "prober"}), rules).service == ""
    assert subject_of(an_alert(labels={"service": "kps-kube-state-metrics"}), rules).service == "kps-kube-state-metrics"

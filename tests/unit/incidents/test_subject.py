"""What an alert is about, by the labels that real senders give it."""

from __future__ import annotations

from dataclasses import dataclass, field

import pytest

from bot.incidents.subject import DEFAULT_SUBJECT_RULES, SubjectRules, subject_of, use
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
MONITORING = {"namespace": "monitoring"}


def exporter(called: str, **labels: str) -> dict[str, str]:
    """Give the labels of a target that a ServiceMonitor finds: an exporter beside what it measures."""
    target = {
        "job": called,
        "service": called,
        "endpoint": "metrics",
        "instance": "10.42.9.9:9000",
        "namespace": "shop",
    }
    return {**target, "pod": f"{called}-5f6b9c7d8-x2x4q", "container": called, **labels}


TABLE = [
    # kube-state-metrics, as kube-prometheus-stack scrapes it
    About(
        "KubeStatefulSetReplicasMismatch", KSM | IN_SHOP | {"statefulset": "db"}, "statefulset/db in shop", {"pod": ""}
    ),
    About("KubeDeploymentReplicasMismatch", KSM | IN_SHOP | {"deployment": "api"}, "deployment/api in shop"),
    About("KubeDaemonSetRolloutStuck", KSM | IN_SHOP | {"daemonset": "agent"}, "daemonset/agent in shop"),
    About("KubeJobFailed", KSM | IN_SHOP | {"job_name": "bill-2817"}, "job/bill-2817 in shop", {"instance": ""}),
    About("KubeCronJobSuspended", KSM | IN_SHOP | {"cronjob": "bill"}, "cronjob/bill in shop"),
    About("KubeHpaMaxedOut", KSM | IN_SHOP | {"horizontalpodautoscaler": "api"}, "horizontalpodautoscaler/api in shop"),
    About(
        "KubePdbNotEnoughHealthyPods", KSM | IN_SHOP | {"poddisruptionbudget": "db"}, "poddisruptionbudget/db in shop"
    ),
    About("KubeQuotaExceeded", KSM | IN_SHOP | {"resourcequota": "mem", "resource": "m"}, "resourcequota/mem in shop"),
    About("KubePersistentVolumeErrors", KSM | MONITORING | {"persistentvolume": "pvc-1"}, "persistentvolume/pvc-1"),
    About("KubeNodeNotReady", KSM | MONITORING | {"node": "worker-3"}, "node worker-3", {"namespace": ""}),
    About("KubeNodeUnreachable", KSM | MONITORING | {"node": "worker-3", "key": "x"}, "node worker-3", {"pod": ""}),
    About(
        "KubePodCrashLooping",
        KSM | IN_SHOP | {"pod": "api-7d4f9-abcde", "container": "api", "uid": "1", "reason": "CrashLoopBackOff"},
        "pod api-7d4f9-abcde in shop",
    ),
    About(
        "KubePodCrashLooping",  # the one that measures is itself what crashes
        KSM | MONITORING | {"uid": "1", "reason": "CrashLoopBackOff"},
        "pod kps-kube-state-metrics-5f6b9c7d8-x2x4q in monitoring",
    ),
    About("KubePodNotReady", {"job": "kube-state-metrics", "namespace": "shop", "pod": "api-0"}, "pod api-0 in shop"),
    About(
        "KubeDeploymentReplicasMismatch",  # old mixins, without the container's label
        {
            "job": "kube-state-metrics",
            "service": "monitor-kube-state-metrics",
            "pod": "monitor-kube-state-metrics-856bc9455b-7z5qx",
            "instance": "10.233.108.72:8080",
            "endpoint": "http",
            "namespace": "fission",
            "deployment": "storagesvc",
        },
        "deployment/storagesvc in fission",
        {"service": "", "pod": ""},
    ),
    About(
        "KubeDeploymentReplicasMismatch",  # without honor_labels
        KSM | MONITORING | {"exported_namespace": "shop", "deployment": "api"},
        "deployment/api in shop",
    ),
    About(
        "PodPending",
        KSM | MONITORING | {"exported_namespace": "shop", "exported_pod": "api-0"},
        "pod api-0 in shop",
        {"pod": "api-0", "namespace": "shop"},
    ),
    About("KubeStateMetricsDown", {"job": "kube-state-metrics"}, "kube-state-metrics"),
    About("KubeStateMetricsListErrors", {"job": "kube-state-metrics", "result": "error"}, "kube-state-metrics"),
    About("TargetDown", {"job": "kube-state-metrics", "service": "kps-kube-state-metrics"}, "kps-kube-state-metrics"),
    # node-exporter
    About("NodeFilesystemAlmostOutOfSpace", NODE | {"mountpoint": "/var"}, "node 10.0.0.5, /var", {"namespace": ""}),
    About("NodeFilesystemFilesFillingUp", NODE | {"nodename": "worker-3", "device": "sda1"}, "node worker-3, sda1"),
    About("NodeMemoryHighUtilization", NODE, "node 10.0.0.5", {"service": "", "pod": ""}),
    About("NodeClockNotSynchronising", NODE | {"node": "worker-3"}, "node worker-3"),
    About("HostOutOfMemory", {"job": "node", "instance": "web-1:9100"}, "node web-1"),
    About("HighLoad", {"job": "integrations/node_exporter", "instance": "web-1"}, "node web-1"),
    About("InstanceDown", {"job": "node-exporter", "instance": "web-1:9100"}, "node-exporter on node web-1"),
    About("WindowsDiskFull", {"job": "windows-exporter", "instance": "win-1:9182", "volume": "C:"}, "node win-1"),
    # kubelet and cAdvisor
    About("CPUThrottlingHigh", KUBELET | IN_SHOP | {"pod": "api-0", "container": "api"}, "pod api-0 in shop"),
    About(
        "ContainerOOM",  # a container that is called as an exporter is the workload's here
        KUBELET | MONITORING | {"pod": "kps-prometheus-node-exporter-7k2lp", "container": "node-exporter"},
        "pod kps-prometheus-node-exporter-7k2lp in monitoring",
    ),
    About(
        "KubePersistentVolumeFillingUp",
        KUBELET | IN_SHOP | {"persistentvolumeclaim": "data-db-0"},
        "persistentvolumeclaim/data-db-0 in shop",
        {"service": "", "namespace": "shop"},
    ),
    About("KubeletDown", {"job": "kubelet"}, "kubelet"),
    About("KubeletTooManyPods", {"cluster": "eu", "node": "worker-3"}, "node worker-3"),
    About("KubeletPlegDurationHigh", KUBELET | {"namespace": "kube-system"}, "kps-kubelet on node worker-3"),
    About(
        "KubeHpaReplicasMismatch",
        {"namespace": "shop", "workload": "api", "workload_type": "Deployment"},
        "deployment/api in shop",
    ),
    # blackbox and the like: what is asked, not who asks
    About(
        "EndpointDown", {"job": "blackbox", "instance": "https://shop.example/health"}, "https://shop.example/health"
    ),
    About("BlackboxProbeFailed", exporter("blackbox-exporter", target="https://shop.example"), "https://shop.example"),
    About("InstanceDown", {"job": "probe/shop/site", "instance": "https://shop.example"}, "site"),
    About("CertExpires", {"job": "blackbox-tcp", "instance": "db.example:5432"}, "db.example:5432"),
    About("SwitchDown", {"job": "snmp", "instance": "192.0.2.1", "ifName": "ge-0"}, "192.0.2.1"),
    # clouds
    About(
        "RdsLowStorage",
        exporter("yace", name="arn:aws:rds:eu-west-1:1:db:orders", dimension_DBInstanceIdentifier="orders"),
        "database orders",
        {"service": ""},
    ),
    About("RdsCpu", {"job": "cloudwatch-exporter", "dbinstance_identifier": "orders"}, "database orders"),
    About("SqsBacklog", {"job": "cloudwatch", "name": "arn:aws:sqs:eu-west-1:1:bills"}, "bills"),
    About(
        "AlbErrors", exporter("prometheus-yace-exporter", dimension_LoadBalancer="app/web/1"), "load balancer app/web/1"
    ),
    # databases and queues
    About("PostgresqlDeadLocks", exporter("postgres-exporter", datname="orders"), "database orders", {"service": ""}),
    About("PostgresqlDown", exporter("postgres-exporter", server="db-1.example:5432"), "db-1.example:5432"),
    About("PostgresqlDown", {"job": "postgres", "instance": "db-1:9187", "server": "localhost:5432"}, "postgres"),
    About("PostgresqlExporterError", exporter("postgres-exporter"), "postgres-exporter"),
    About(
        "RedisDown",  # the exporter is a sidecar of the database's own pod
        exporter("orders-redis-metrics", container="metrics", pod="orders-redis-master-0"),
        "pod orders-redis-master-0 in shop",
        {"service": ""},
    ),
    About("RedisDown", {"job": "redis_exporter", "instance": "redis://cache-1:6379"}, "redis://cache-1:6379"),
    About("RedisDown", exporter("redis-exporter", app="orders"), "orders"),
    About(
        "KafkaConsumerLag",
        exporter("kafka-exporter", consumergroup="billing", topic="orders"),
        "consumer group billing",
    ),
    About("MysqlReplicaLag", {"job": "mysqld-exporter", "instance": "db-1:9104"}, "db-1:9104"),
    About("ReplicaLags", {"job": "mysql", "instance": "db-1:9104"}, "mysql", {"instance": "db-1:9104"}),
    About("RabbitmqBacklog", {"job": "rabbitmq", "service": "rabbit", "queue": "bills", "pod": "rabbit-0"}, "rabbit"),
    # parts of a cluster that measure themselves, and those that measure others
    About(
        "NginxHigh5xx",
        exporter("ingress-nginx-controller-metrics", exported_namespace="shop", exported_service="web", ingress="w"),
        "web (ingress/w)",
        {"service": "web", "namespace": "shop", "pod": ""},
    ),
    About("etcdNoLeader", {"job": "etcd", "instance": "10.0.0.1:2379", "pod": "etcd-master-1"}, "etcd"),
    About(
        "etcdInsufficientMembers",
        {"job": "kube-etcd", "namespace": "kube-system", "service": "kps-kube-etcd"},
        "kps-kube-etcd",
    ),
    About("CoreDNSDown", {"job": "kube-dns"}, "kube-dns"),
    About(
        "CoreDNSLatencyHigh",
        {"job": "coredns", "service": "kps-coredns", "namespace": "kube-system", "pod": "coredns-6f6b-abcde"},
        "kps-coredns",
        {"pod": "coredns-6f6b-abcde", "namespace": "kube-system"},
    ),
    About("KubeAPIDown", {"job": "apiserver"}, "apiserver"),
    About(
        "CertManagerCertExpirySoon",
        exporter("cert-manager", namespace="cert-manager", exported_namespace="shop", name="shop-tls"),
        "shop-tls",
        {"service": "", "namespace": "shop"},
    ),
    About("CertManagerAbsent", {"job": "cert-manager"}, "cert-manager"),
    About(
        "ArgoAppOutOfSync", exporter("argocd-metrics", name="checkout", dest_namespace="shop"), "checkout", {"pod": ""}
    ),
    About(
        "BatchFailed", exporter("pushgateway", exported_job="nightly-backup", exported_instance="a"), "nightly-backup"
    ),
    About(
        "PrometheusRuleFailures", {"job": "kps-prometheus", "service": "kps-prometheus", "pod": "p-0"}, "kps-prometheus"
    ),
    # OpenTelemetry and meshes
    About("HighErrorRate", {"service_name": "payments", "job": "shop/payments"}, "payments"),
    About("HighErrorRate", {"service.name": "payments", "service.namespace": "shop"}, "payments", IN_SHOP),
    About(
        "HighErrorRate",
        exporter("otel-collector", exported_job="shop/payments", service_name="payments", namespace="monitoring"),
        "payments",
    ),
    About("HighErrorRate", exporter("otel-collector", exported_job="shop/payments"), "payments", {"pod": ""}),
    About(
        "PodRestarts",
        {"k8s.namespace.name": "shop", "k8s.deployment.name": "api", "k8s.pod.name": "api-0", "k8s.node.name": "w"},
        "deployment/api in shop",
        {"pod": "api-0", "node": "w"},
    ),
    About("MeshErrors", {"destination_service_name": "web", "destination_service_namespace": "shop"}, "web", IN_SHOP),
    # plain ones
    About("HighErrorRate", {"service": "checkout", "pod": "checkout-0"}, "checkout", {"pod": "checkout-0"}),
    About(
        "HighErrorRate",
        {"app": "checkout", "deployment": "checkout-api", "namespace": "shop"},
        "checkout (deployment/checkout-api)",
    ),
    About("HighErrorRate", {"app_kubernetes_io_name": "checkout", "job": "kubernetes-pods"}, "checkout"),
    About("HighErrorRate", {"job": "monitoring/checkout", "pod": "checkout-0"}, "checkout"),
    About("Slow", {"subsystem": "billing"}, "billing"),
    About("Slow", {"instance": "web-1:80"}, "web-1:80"),
    About("Slow", {"namespace": "shop"}, "namespace shop"),
    About("Slow", {}, ""),
]


@pytest.mark.parametrize("about", TABLE, ids=lambda about: about.name)
def test_an_alert_is_about_what_is_broken(about: About) -> None:
    """The labels of real alerts lead to what is broken, never to the exporter that measured it."""
    subject = subject_of(an_alert(name=about.name, labels=about.labels))
    assert subject.place == about.place, subject
    assert {name: getattr(subject, name) for name in about.facts} == about.facts


def test_a_company_names_its_own_labels_and_exporters() -> None:
    """The rules of `facts:` replace which labels name the service and which names are exporters'."""
    rules = SubjectRules(service=("team_app", "service"), exporters=("prober",))
    assert subject_of(an_alert(labels={"team_app": "till", "service": "x"}), rules).service == "till"
    assert subject_of(an_alert(labels={"service": "prober"}), rules).service == ""
    assert subject_of(an_alert(labels={"service": "kps-kube-state-metrics"}), rules).service == "kps-kube-state-metrics"


def test_what_the_rules_author_says_comes_first() -> None:
    """An annotation names the service before any label, unless its template has failed."""
    labels = {"service": "checkout"}
    assert subject_of(an_alert(labels=labels, annotations={"service": "till"})).service == "till"
    assert subject_of(an_alert(labels=labels, annotations={"service": "<no value>"})).service == "checkout"


def test_the_company_rules_are_in_force_until_others_are() -> None:
    """`use` changes what `subject_of` goes by for the whole process."""
    alert = an_alert(labels={"team_app": "till", "service": "checkout"})
    try:
        use(SubjectRules(service=("team_app",)))
        assert subject_of(alert).service == "till"
    finally:
        use(DEFAULT_SUBJECT_RULES)
    assert subject_of(alert).service == "checkout"

"""What an alert is about: the workload, node or target that is broken, and never the exporter that measured it.

With kube-prometheus the labels `service`, `pod`, `container`, `endpoint`, `instance`, `job` and `namespace` are those
of the scraped target where the metric has none of its own: of kube-state-metrics for a Deployment, of node-exporter
for a disk. What is broken is then in the metric's own labels. Source: the Prometheus Operator's target labels and
`honor_labels`, https://prometheus.io/docs/prometheus/latest/configuration/configuration/#scrape_config.
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass, field, fields
from functools import lru_cache

from bot.incidents.alert_text import is_broken
from bot.incidents.model import Alert
from bot.incidents.patterns import pattern

LONGEST = 250  # characters of a name that are looked at
LONGEST_PLACE = 80  # characters


@dataclass(frozen=True, slots=True)
class SubjectRules:
    """Which labels name what, the first that an alert has; and which names are exporters'.

    `exporters` are regular expressions for values of `job`, `service`, `container` and the like, matched as a whole
    and without case. `about_exporters` are those of alert names that are about the exporter itself.
    """

    service: tuple[str, ...] = (
        *("exported_service", "service.name", "service_name", "app.kubernetes.io/name", "app_kubernetes_io_name"),
        *("label_app_kubernetes_io_name", "label_app", "destination_service_name", "app", "service", "subsystem"),
        *("component", "kubernetes_name", "exported_job", "job"),
    )
    namespace: tuple[str, ...] = (
        *("exported_namespace", "k8s.namespace.name", "k8s_namespace_name", "destination_service_namespace"),
        *("service.namespace", "service_namespace", "namespace", "kubernetes_namespace"),
    )
    pod: tuple[str, ...] = ("exported_pod", "k8s.pod.name", "k8s_pod_name", "pod", "pod_name", "kubernetes_pod_name")
    node: tuple[str, ...] = (
        *("exported_node", "node", "nodename", "node_name", "kubernetes_node", "k8s.node.name", "k8s_node_name"),
        *("host.name", "host_name", "hostname", "node_id"),
    )
    exporters: tuple[str, ...] = (
        r"(.*[-_])?kube-state-metrics([-_].*)?",
        r"(.*[-_])?exporters?([-_].*)?",
        r"(.*[-_])?metrics",
        r"(.*-)?(kubelet|cadvisor)",
        r"(.*[-_])?(blackbox|cloudwatch|yace|snmp)([-_].*)?",
        r"(.*[-_])?(probes?|pushgateway|statsd|telegraf)",
        r"(.*[-_])?(otel|otelcol|opentelemetry)([-_]collector)?([-_].*)?",
        r"nodes?|windows|kubernetes-(pods|nodes|services|service-endpoints|apiservers)(-.*)?",  # jobs, of no service
    )
    about_exporters: tuple[str, ...] = (
        r"TargetDown|.*TargetMissing.*|.*JobMissing|InstanceDown|ScrapeFail.*|Up|.*Exporter.*",
        r"KubeStateMetrics.*|Kubelet.*|Cadvisor.*|Pushgateway.*|OtelCollector.*",
    )


DEFAULT_SUBJECT_RULES = SubjectRules()
_in_force = [DEFAULT_SUBJECT_RULES]


def use(rules: SubjectRules) -> None:
    """Have `subject_of` go by a company's rules: they are the same for the whole process, as its configuration is."""
    _in_force[0] = rules


@dataclass(frozen=True, slots=True)
class Subject:
    """What an alert is about; what it does not tell, or tells of its exporter only, is empty.

    `workload` is `kind/name`, such as `statefulset/db`. `target` is what an exporter asks from outside: a URL, a
    database, a queue. `exporter` is what measured it, where the alert shows that. `sources` tells for each of these
    the label that it came from.
    """

    service: str = ""
    namespace: str = ""
    workload: str = ""
    pod: str = ""
    node: str = ""
    mountpoint: str = ""
    target: str = ""
    instance: str = ""
    cluster: str = ""
    region: str = ""
    exporter: str = ""
    sources: Mapping[str, str] = field(default_factory=dict, compare=False)

    @property
    def place(self) -> str:
        """Name it for a title: `checkout`, `statefulset/db in shop`, `node worker-3, /var`; empty if not known."""
        text = self._where()
        return text if len(text) <= LONGEST_PLACE else f"{text[: LONGEST_PLACE - 1].rstrip()}…"

    @property
    def exact(self) -> str:
        """Name the one thing among many that it is: a pod, a disk, a target; else a workload, an instance, a node."""
        disk = f"{self.node}, {self.mountpoint}" if self.node and self.mountpoint else ""
        return self.pod or disk or self.target or self.workload or self.node or self.instance

    def named(self, kind: str) -> str:
        """Return the workload's name where it is of a kind, such as deployment."""
        of, _, name = self.workload.partition("/")
        return name if of == kind else ""

    def _where(self) -> str:
        within = f" in {self.namespace}" if self.namespace else ""
        disk = f", {self.mountpoint}" if self.mountpoint else ""
        if self.service:
            name = self.workload.partition("/")[2]
            if name and name != self.service:
                return f"{self.service} ({self.workload})"
            return self.service + (
                f" on node {self.node}{disk}" if self.node and self.exporter and not self.pod else ""
            )
        if self.workload:
            return self.workload + within
        if self.target:
            return self.target
        if self.pod:
            return f"pod {self.pod}{within}"
        if self.node:
            return f"node {self.node}{disk}"
        return self.instance or (f"namespace {self.namespace}" if self.namespace else "")


_DISKS = ("mountpoint", "device")
_CLUSTERS = ("cluster", "k8s.cluster.name", "k8s_cluster_name")
_REGIONS = ("region", "cloud.region", "cloud_region")
_PLACES = (*_DISKS, *_CLUSTERS, *_REGIONS)
_NAMES = tuple(each.name for each in fields(Subject) if each.name != "sources")

# The kinds of workload, and the labels that name one; the most exact first.
_WORKLOADS: tuple[tuple[str, str], ...] = (
    *((kind, kind) for kind in ("deployment", "statefulset", "daemonset", "cronjob")),
    ("job_name", "job"),
    *((f"k8s.{kind}.name", kind) for kind in ("deployment", "statefulset", "daemonset", "cronjob", "job")),
    *((f"k8s_{kind}_name", kind) for kind in ("deployment", "statefulset", "daemonset", "cronjob", "job")),
    *((kind, kind) for kind in ("persistentvolumeclaim", "horizontalpodautoscaler", "poddisruptionbudget")),
    *((kind, kind) for kind in ("resourcequota", "ingress", "persistentvolume", "replicaset")),
)
# Objects of no namespace: the namespace beside them is the exporter's.
_OF_NO_NAMESPACE = frozenset({"persistentvolume"})

# What an exporter asks from outside, and how it is called.
_TARGETS: tuple[tuple[str, str], ...] = (
    *(("target", ""), ("url", ""), ("exported_instance", ""), ("server", ""), ("addr", "")),
    *(("dbinstance_identifier", "database "), ("dimension_DBInstanceIdentifier", "database ")),
    *(("dimension_LoadBalancer", "load balancer "), ("dimension_QueueName", "queue "), ("queue_name", "queue ")),
    *(("dimension_CacheClusterId", "cache "), ("dimension_FunctionName", "function ")),
    *(("consumergroup", "consumer group "), ("topic", "topic "), ("queue", "queue "), ("datname", "database ")),
    ("name", ""),
)
_KUBERNETES_AWARE = re.compile(r"kube-state-metrics|kubelet|cadvisor", re.IGNORECASE)
_OF_HOSTS = re.compile(r"node([-_]?exporter)?|nodes?$|windows|kubelet|cadvisor", re.IGNORECASE)
_OF_PODS = re.compile(r"kubelet|cadvisor", re.IGNORECASE)
_OF_TARGETS = re.compile(r"blackbox|probe|snmp", re.IGNORECASE)
_TARGETS_LABELS = ("exported_namespace", "exported_pod", "exported_service", "exported_container", "exported_endpoint")
_NO_SERVICE = re.compile(r"nodes?|windows|kubernetes-(pods|nodes|services|service-endpoints|apiservers)(-.*)?")
_APPS = ("app", "app_kubernetes_io_name", "app.kubernetes.io/name")
_PORT = re.compile(r":\d+$")
_OWN_PORT = re.compile(r":911[5-7]$")
_HERE = re.compile(r"^(localhost|127\.|\[?::1|/)")


def subject_of(alert: Alert, rules: SubjectRules | None = None) -> Subject:
    """Return what an alert is about, by its labels and by the annotations of the same names.

    Without `rules`, by those in force (see `use`).
    """
    rules = rules or _in_force[0]
    asked = _asked(rules)
    said = frozenset((name, text) for name, text in alert.annotations.items() if name in asked)
    return _read(alert.name, frozenset(alert.labels.items()), said, rules)


@lru_cache(maxsize=16)
def _asked(rules: SubjectRules) -> frozenset[str]:
    """Return the names of the annotations that count."""
    return frozenset((*rules.service, *rules.namespace, *rules.pod, *rules.node, *_PLACES))


# One alert is asked about several times on its way: by its family, its title, its card. All of a mass outage must fit.
@lru_cache(maxsize=16_000)
def _read(
    name: str, labels: frozenset[tuple[str, str]], said: frozenset[tuple[str, str]], rules: SubjectRules
) -> Subject:
    return _Reading(name, dict(labels), dict(said), rules).subject()


def common(subjects: Iterable[Subject]) -> Subject:
    """Return what subjects have in common; what differs among them is empty."""
    found = list(dict.fromkeys(subjects))
    if len(found) == 1:
        return found[0]
    same = {name: values.pop() for name in _NAMES if len(values := {getattr(each, name) for each in found}) == 1}
    return Subject(**same)


class _Reading:
    """One look at an alert: first who measured it, then what that says of each label."""

    def __init__(self, name: str, labels: Mapping[str, str], said: Mapping[str, str], rules: SubjectRules) -> None:
        self._name = name
        self._labels = {label: text for label, value in labels.items() if (text := value.strip())}
        self._said = {key: text for key, value in said.items() if (text := value.strip()) and not is_broken(text)}
        self._rules = rules
        self._sources: dict[str, str] = {}
        self._names = self._exporters()
        self._exporter = next(iter(self._names), "")
        self._is_about_it = self._exporter_is_broken()
        # An `exported_` label shows that the target's own labels lie over the metric's.
        self._is_covered = any(self._label(name) for name in _TARGETS_LABELS)

    def subject(self) -> Subject:
        workload = self._workload()
        pod = self._pod(workload)
        node = self._node(pod)
        service = self._service()
        target = "" if service else self._target()
        return Subject(
            service=service,
            namespace=self._namespace(workload, pod, node),
            workload=workload,
            pod=pod,
            node=node,
            mountpoint=self._first("mountpoint", _DISKS),
            target=target,
            instance=self._instance(),
            cluster=self._first("cluster", _CLUSTERS),
            region=self._first("region", _REGIONS),
            exporter=self._exporter,
            sources=self._sources,
        )

    def _label(self, name: str) -> str:
        return self._labels.get(name, "")

    def _exporters(self) -> tuple[str, ...]:
        """Give the names that the alert has for its exporter, the most telling first."""
        values = [self._label(name).rpartition("/")[2] for name in ("job", "service", *_APPS)]
        found = [value for value in values if value and self._is_exporter(value)]
        if not found and self._is_exporter(self._label("container")):
            found = [self._label("container")]
        return tuple(sorted(dict.fromkeys(found), key=lambda value: bool(_NO_SERVICE.fullmatch(value))))

    def _exporter_is_broken(self) -> bool:
        if not self._exporter or not _hit(self._rules.about_exporters, self._name):
            return False
        asked = self._label("instance")
        return not asked or not ("://" in asked or (_OF_TARGETS.search(self._exporter) and not _OWN_PORT.search(asked)))

    def _is_exporter(self, value: str) -> bool:
        return bool(value) and _hit(self._rules.exporters, value.rpartition("/")[2])

    def _first(self, what: str, names: tuple[str, ...]) -> str:
        for name, value in self._named(names):
            self._sources[what] = name
            return value
        return ""

    def _named(self, names: tuple[str, ...]) -> Iterator[tuple[str, str]]:
        """Give what the rule's author says in annotations, then the labels, each with its name."""
        if self._said:
            for name in names:
                if value := self._said.get(name, ""):
                    yield f"annotation {name}", value
        for name in names:
            if name in self._labels:
                yield name, self._labels[name]

    def _service(self) -> str:
        for name, given in self._named(self._rules.service):
            said = name.startswith("annotation ")
            if name in {"service", "job", "kubernetes_name"} and self._is_covered and not self._is_about_it:
                continue
            # OpenTelemetry's and a PodMonitor's job is `namespace/name`.
            value = given.rpartition("/")[2] if name in {"job", "exported_job"} else given
            if not said and self._is_exporter(value) and (not self._is_about_it or _NO_SERVICE.fullmatch(value)):
                continue
            self._sources["service"] = name
            return value
        return ""

    def _workload(self) -> str:
        kind, name = self._label("workload_type"), self._label("workload")
        if kind and name:
            self._sources["workload"] = "workload"
            return f"{kind.lower()}/{name}"
        for prefix in ("exported_", ""):
            for label, kind in _WORKLOADS:
                if prefix + label in self._labels:
                    self._sources["workload"] = prefix + label
                    return f"{kind}/{self._labels[prefix + label]}"
        return ""

    def _pod(self, workload: str) -> str:
        for name, value in self._named(self._rules.pod):
            if name in {"pod", "pod_name"} and self._is_exporters_pod(value, workload):
                continue
            self._sources["pod"] = name
            return value
        return ""

    def _is_exporters_pod(self, pod: str, workload: str) -> bool:
        if self._is_about_it or not (self._exporter or self._is_covered):
            return False
        if self._is_covered:
            return True
        if _OF_PODS.search(self._exporter) or not self._is_of_one_target():
            return False
        if any(pod == name or pod.startswith(f"{name}-") or f"-{name}-" in pod for name in self._names):
            return True
        name = workload.partition("/")[2]
        return bool(name) and "kube-state-metrics" in self._exporter and not pod.startswith(name)

    def _is_of_one_target(self) -> bool:
        """False where the alert was counted by its pod, or is of a pod's own metric, which carries the pod's uid."""
        return not self._label("uid") and any(self._label(name) for name in ("endpoint", "instance", "container"))

    def _node(self, pod: str) -> str:
        node = self._first("node", self._rules.node)
        if node or pod or not _OF_HOSTS.search(self._exporter):
            return node
        host = _PORT.sub("", self._label("instance"))
        if host:
            self._sources["node"] = "instance"
        return host

    def _namespace(self, workload: str, pod: str, node: str) -> str:
        for name, value in self._named(self._rules.namespace):
            if name == "namespace" and self._is_exporters_namespace(workload, pod, node):
                continue
            self._sources["namespace"] = name
            return value
        return ""

    def _is_exporters_namespace(self, workload: str, pod: str, node: str) -> bool:
        if self._is_about_it:
            return False
        if self._is_covered:
            return True
        if not self._exporter or pod:
            return False
        if workload:
            return workload.partition("/")[0] in _OF_NO_NAMESPACE
        if node:
            return True
        return not _KUBERNETES_AWARE.search(self._exporter) and bool(self._label("pod"))

    def _target(self) -> str:
        if not (self._exporter or self._is_covered) or self._is_about_it:
            return ""
        instance = self._label("instance")
        if instance and (_OF_TARGETS.search(self._exporter) or "://" in instance) and not self._label("target"):
            self._sources["target"] = "instance"
            return instance
        for name, called in _TARGETS:
            value = self._label(name)
            if value and not _HERE.match(value):
                self._sources["target"] = name
                return called + (value.rpartition(":")[2] if value.startswith("arn:") else value)
        return ""

    def _instance(self) -> str:
        exported = self._label("exported_instance")
        in_cluster = any(self._label(name) for name in ("endpoint", "pod", "service"))
        exporters = self._is_covered or (self._exporter and not self._is_about_it and in_cluster)
        value = exported or ("" if exporters and not _OF_HOSTS.search(self._exporter) else self._label("instance"))
        if value:
            self._sources["instance"] = "exported_instance" if exported else "instance"
        return value


@lru_cache(maxsize=4_000)
def _hit(patterns: tuple[str, ...], value: str) -> bool:
    return any(pattern(text, ignore_case=True).fullmatch(value[:LONGEST]) for text in patterns)

"""Sample alerts, in the exact form in which Alertmanager posts them."""

from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from typing import Any

_STILL_FIRING = "0001-01-01T00:00:00Z"
_FNV_OFFSET, _FNV_PRIME, _MASK = 0xCBF29CE484222325, 0x100000001B3, 0xFFFFFFFFFFFFFFFF


@dataclass(frozen=True, slots=True)
class Sample:
    """One alert group; `instances` are the alerts in it, `by` the labels that Alertmanager groups by."""

    name: str
    severity: str
    service: str
    summary: str
    annotations: dict[str, str]
    region: str = "eu-west-1"
    cluster: str = "eu1"
    instances: tuple[str, ...] = ("a:9090",)
    labels: dict[str, str] = field(default_factory=dict)
    by: tuple[str, ...] = ("alertname", "cluster")

    def body(self, started: datetime, resolved: datetime | None = None) -> dict[str, Any]:
        """The webhook body, firing or resolved."""
        status = "resolved" if resolved else "firing"
        own = {"alertname": self.name, "cluster": self.cluster, "service": self.service, "severity": self.severity}
        shared = dict(sorted((own | {"region": self.region, **self.labels}).items()))
        group = {name: shared[name] for name in self.by}
        annotations = dict(sorted((self.annotations | {"summary": self.summary}).items()))
        alerts = [
            self._alert(shared | {"instance": instance}, annotations, status, started, resolved)
            for instance in self.instances
        ]
        only = {"instance": self.instances[0]} if len(self.instances) == 1 else {}
        return {
            "receiver": "sitrep",
            "status": status,
            "alerts": alerts,
            "groupLabels": group,
            "commonLabels": dict(sorted((shared | only).items())),
            "commonAnnotations": annotations,
            "externalURL": "http://alertmanager.example.com:9093",
            "version": "4",
            "groupKey": "{}:{" + ", ".join(f'{name}="{value}"' for name, value in group.items()) + "}",
            "truncatedAlerts": 0,
        }

    def _alert(
        self,
        labels: dict[str, str],
        annotations: dict[str, str],
        status: str,
        started: datetime,
        resolved: datetime | None,
    ) -> dict[str, Any]:
        labels = dict(sorted(labels.items()))
        return {
            "status": status,
            "labels": labels,
            "annotations": annotations,
            "startsAt": _stamp(started),
            "endsAt": _stamp(resolved) if resolved else _STILL_FIRING,
            "generatorURL": f"http://prometheus.example.com/graph?g0.expr={self.name}&g0.tab=1",
            "fingerprint": fingerprint(labels),
        }


def fingerprint(labels: dict[str, str]) -> str:
    """FNV-1a over the sorted labels, 16 hex digits, as Prometheus computes it."""
    value = _FNV_OFFSET
    for name, text in sorted(labels.items()):
        for byte in b"%s\xff%s\xff" % (name.encode(), text.encode()):
            value = ((value ^ byte) * _FNV_PRIME) & _MASK
    return f"{value:016x}"


def started_at(now: float) -> datetime:
    """When an alert that is notified at `now` (epoch seconds) began: a group_wait of 30 s before."""
    return datetime.fromtimestamp(now, UTC) - timedelta(seconds=30)


def _stamp(moment: datetime) -> str:
    return moment.astimezone(UTC).isoformat(timespec="milliseconds").replace("+00:00", "Z")


SAMPLES = (
    Sample(
        name="HighErrorRate",
        severity="critical",
        service="checkout",
        summary="Checkout answers 7.3% of requests with 5xx",
        instances=("checkout-a:9090", "checkout-b:9090"),
        annotations={
            "description": "The share of 5xx answers has been above 5% for 5 minutes; customers cannot pay.",
            "dashboard_url": "https://grafana.example.com/d/checkout",
            "runbook_id": "ops.api.error-rate",
            "metric": "http_requests_5xx_ratio",
            "threshold": "5%",
            "value": "7.3%",
        },
    ),
    Sample(
        name="DatabaseConnectionFailures",
        severity="critical",
        service="orders-db",
        summary="Connections to the orders database fail",
        instances=("orders-db-0:9187",),
        annotations={
            "description": "More than 20 connection attempts a minute are refused; the pool is exhausted.",
            "dashboard_url": "https://grafana.example.com/d/orders-db",
            "runbook_id": "ops.database.connection-failures",
            "metric": "db_connection_errors_per_minute",
            "threshold": "20",
            "value": "143",
        },
    ),
    Sample(
        name="WebhookDeliveryFailing",
        severity="critical",
        service="webhooks",
        summary="Outgoing webhooks have not been delivered for 10 minutes",
        instances=("webhooks-1:9090",),
        annotations={
            "description": "The delivery queue grows; partners get no order updates.",
            "dashboard_url": "https://grafana.example.com/d/webhooks",
            "runbook_id": "ops.webhooks.delivery-failures",
            "metric": "webhook_delivery_success_ratio",
            "threshold": "90%",
            "value": "12%",
        },
    ),
    Sample(
        name="HighLatency",
        severity="warning",
        service="search",
        summary="Search takes 2.1 s at the 95th percentile",
        instances=("search-3:9090",),
        annotations={
            "description": "Latency has been above 1.5 s for 10 minutes.",
            "dashboard_url": "https://grafana.example.com/d/search",
            "metric": "http_request_duration_p95_seconds",
            "threshold": "1.5 s",
            "value": "2.1 s",
        },
    ),
)

# What a broken network between two zones looks like: many services of one cluster, each with an alert of its own.
_STORM_SERVICES = (
    *("cart", "catalog", "checkout", "accounts", "emails", "fraud", "gateway", "images", "inventory", "invoices"),
    *("ledger", "loyalty", "orders", "payments", "prices", "profiles", "reviews", "search", "shipping", "stock"),
)
_STORM_ALERTS = (
    ("UpstreamTimeouts", "critical", "of calls to other services time out"),
    ("PodNotReady", "warning", "of pods are not ready"),
)


def storm(number: int) -> tuple[Sample, ...]:
    """Return 40 alert groups of one cluster; the next `number` is another storm."""
    return tuple(
        Sample(
            name=kind,
            severity=severity,
            service=service,
            summary=f"{share}% {what}",
            cluster=f"eu{number}",
            instances=(f"{service}-a:9090",),
            annotations={"description": "The network between two zones loses packets.", "value": f"{share}%"},
            labels={"zone": "eu-west-1b"},
            by=("alertname", "cluster", "service"),
        )
        for kind, severity, what in _STORM_ALERTS
        for share, service in enumerate(_STORM_SERVICES, start=31)
    )

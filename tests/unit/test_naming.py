"""What an incident is called that alerts have opened, and what it takes over from them."""

from __future__ import annotations

from datetime import UTC, datetime

import pytest

from bot.incidents import commands as c
from bot.incidents.model import Alert
from bot.incidents.policy import Severity
from bot.naming import of_group
from tests.unit.incidents.test_alert_text import FAILED

NOW = datetime(2026, 11, 21, 7, 0, tzinfo=UTC)
TARGET = {"service": "checkout", "namespace": "shop"}
KSM = {"job": "kube-state-metrics", "service": "kps-kube-state-metrics", "instance": "10.42.1.7:8080"}


def one(name: str, labels: dict[str, str], **annotations: str) -> Alert:
    """Make an alert."""
    return Alert("alertmanager", "key", str(labels), name, labels, annotations)


def named(*alerts: Alert, left_out: int = 0) -> c.Declare:
    """Declare an incident from these alerts."""
    return of_group(alerts, Severity.SEV2, NOW, placed=True, left_out=left_out)


@pytest.mark.parametrize(
    ("alert", "title"),
    [
        (
            one("HighErrorRate", {"service": "checkout"}, summary="5xx above 5%."),
            "HighErrorRate on checkout: 5xx above 5%",
        ),
        (one("HighErrorRate", {"service": "checkout"}), "HighErrorRate on checkout"),
        (one("Down", {"service": "x"}, summary="Down"), "Down on x"),
        (one("Slow", {"service": "x"}, summary=FAILED, description="p99 is 4 s"), "Slow on x: p99 is 4 s"),
        (one("Slow", {"service": "x"}, summary="Host <no value> is slow"), "Slow on x"),
        (one("Alert", {"job": "mysql"}, summary="MySQL replica is 400 s behind"), "MySQL replica is 400 s behind"),
        (one("Alert", {"job": "mysql"}, summary="Replica lags."), "mysql: Replica lags"),
        (one("Alert", {}), "Alert"),
        (one("Alert", {"service": "pay"}), "Alert on pay"),
        (one("DatasourceNoData", {"rulename": "Errors"}, summary="No data"), "Errors: no data"),
        (
            one(
                "KubeJobFailed", KSM | {"namespace": "shop", "job_name": "bill"}, message="Job shop/bill failed. Look."
            ),
            "KubeJobFailed on job/bill in shop: Job shop/bill failed",
        ),
        (
            one("Cert", {"service": "edge"}, summary="<b>*shop.example*</b> expires"),
            "Cert on edge: shop.example expires",
        ),
    ],
)
def test_a_title_says_what_is_wrong_and_where(alert: Alert, title: str) -> None:
    """It comes from the alertname, the place and the summary, and never shows how a rule is written."""
    assert named(alert).title == title


def test_forty_pods_are_counted() -> None:
    """A title never names one of many: what they share is said, and what differs is counted."""
    pods = [
        one("TargetDown", TARGET | {"pod": f"checkout-{n:02d}"}, summary=f"checkout-{n:02d} is down") for n in range(40)
    ]
    made = named(*pods)
    assert made.title == "TargetDown on checkout: 40 pods"
    assert made.summary == ""
    assert named(*pods, left_out=3).title == "TargetDown on checkout: more than 40 pods"


@pytest.mark.parametrize(
    ("labels", "title"),
    [
        ([{"instance": "a:9100", "job": "node"}, {"instance": "b:9100", "job": "node"}], "Full: 2 nodes"),
        ([{"service": "a"}, {"service": "b"}, {"service": "b"}], "Full: 2 services"),
        ([KSM | {"namespace": "n", "deployment": d} for d in "abc"], "Full on namespace n: 3 workloads"),
        ([TARGET | {"shard": "1"}, TARGET | {"shard": "2"}], "Full on checkout: 2 alerts"),
    ],
)
def test_what_differs_is_counted_by_what_it_is(labels: list[dict[str, str]], title: str) -> None:
    """Nodes, services and workloads are counted as such; what has no name of its own is counted as alerts."""
    assert named(*(one("Full", each, summary=f"Full: {each}") for each in labels)).title == title


def test_a_common_summary_is_said_of_many() -> None:
    """Alerts that all say the same are named by it; another alertname in the group does not change that."""
    pods = [one("Slow", TARGET | {"pod": f"p-{n}"}, summary="p99 above 2 s") for n in range(3)]
    assert named(*pods, one("Other", {"service": "search"})).title == "Slow on checkout: p99 above 2 s"


@pytest.mark.parametrize(
    ("annotations", "impact"),
    [
        ({"impact": "Nobody can pay", "description": "5xx is 9.8%"}, "Nobody can pay"),
        ({"impact": "<b>Nobody</b> can pay"}, "Nobody can pay"),
        ({"description": "The volume is only 9.8% free.", "summary": "Disk fills"}, ""),
        ({"impact": FAILED}, ""),
        ({"impact": ""}, ""),
    ],
)
def test_the_impact_is_what_people_say(annotations: dict[str, str], impact: str) -> None:
    """Only the rule's own `impact` is taken for it: a description with numbers would stand there for hours."""
    assert named(one("DiskFills", {"service": "db"}, **annotations)).impact == impact


def test_the_service_is_what_the_alerts_are_about() -> None:
    """An exporter is no service, and of alerts about several services none is."""
    assert named(one("KubeJobFailed", KSM | {"namespace": "shop", "job_name": "bill"})).service == ""
    assert named(one("Slow", {"service": "a"}), one("Slow", {"service": "b"})).service == ""
    assert named(one("Slow", {"service": "a"}), one("Slow", {"service": "a", "pod": "x"})).service == "a"

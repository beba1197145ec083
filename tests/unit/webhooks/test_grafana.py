"""What Grafana's webhook adds to Alertmanager's body becomes facts of the alert."""

from __future__ import annotations

import json
from typing import Any

import pytest

from bot.incidents.model import Alert
from handlers.webhooks import alertmanager
from tests.integration.bodies import grafana, grafana_test


def one(**changes: Any) -> Alert:
    (found,) = alertmanager.read(json.dumps(grafana(**changes)).encode()).firing
    return found


@pytest.mark.parametrize(
    ("values", "said", "shown"),
    [
        ({"B": 44.23943737541908, "C": 1}, "", "B=44.24, C=1"),
        ({"A": 0.00012345, "B": -3.0, "C": None}, "", "A=0.000123, B=-3, C=no data"),
        ({"A": 1e300, "B": True, "C": "text"}, "", "A=1e+300, B=True, C=text"),
        (None, "[ metric='foo' labels={instance=bar} value=10 ]", "foo=10"),
        (None, "[ var='B' labels={pod=a} value=44.239 ], [ var='C' labels={} value=1 ]", "B=44.24, C=1"),
        (None, "[ var='A' labels={} value=NaN ]", "A=nan"),
        (None, "[no value]", ""),
        ([1, 2], None, ""),
        (None, None, ""),
    ],
)
def test_values_are_shown_as_people_read_them(values: Any, said: str | None, shown: str) -> None:
    """Each query's and expression's value is named by its letter; without them the text that Grafana made is read."""
    assert one(values=values, valueString=said).annotations.get("value", "") == shown


def test_links_are_annotations_unless_the_rule_has_its_own() -> None:
    """Dashboard, panel, silence, image and rule have documented names; what the rule itself says comes first."""
    found = one(ruleUID="dfz1", annotations={"dashboard_url": "https://own.example/d/1", "value": "90 %"})
    assert found.annotations == {
        "dashboard_url": "https://own.example/d/1",
        "value": "90 %",
        "panel_url": "https://grafana.example/d/abcd?orgId=1&viewPanel=4",
        "silence_url": "https://grafana.example/alerting/silence/new?alertmanager=grafana&orgId=1",
        "image_url": "https://grafana.example/img/9.png",
        "rule_uid": "dfz1",
    }
    assert one(labels={"alertname": "A", "__alert_rule_uid__": "u1"}).annotations["rule_uid"] == "u1"
    odd = one(dashboardURL="javascript:alert(1)", panelURL="", silenceURL=7, imageURL=None)
    assert not {"dashboard_url", "panel_url", "silence_url", "image_url"} & odd.annotations.keys()


@pytest.mark.parametrize("name", ["DatasourceNoData", "DatasourceError"])
def test_a_rule_that_could_not_be_evaluated_is_named(name: str) -> None:
    """The alert is called after the rule, not only after what happened to it."""
    labels = {"alertname": name, "rulename": "High memory usage", "datasource_uid": "P1", "ref_id": "A"}
    assert one(labels=labels).name == f"{name}: High memory usage"
    assert one(labels={"alertname": name}).name == name
    assert one(labels={"alertname": "Other", "rulename": "x"}).name == "Other"


@pytest.mark.parametrize("state", ["alerting", "ok", "pending", "nodata", None])
def test_the_state_of_the_whole_body_decides_nothing(state: str | None) -> None:
    """Each alert's own status does."""
    body = {**grafana(), "state": state}
    assert alertmanager.read(json.dumps(body).encode()).firing


MARKED = {"labels": {"alertname": "Disk", "team": "blue"}}


@pytest.mark.parametrize(
    ("sent", "who"),
    [
        (grafana_test(), "Grafana"),
        (grafana_test(labels={"alertname": "TestAlert", "instance": "Grafana", "severity": "critical"}), "Grafana"),
        (grafana_test(**MARKED), "Grafana"),  # with labels of one's own the key still is a test's
        (grafana(), ""),
        (grafana(labels={"alertname": "TestAlert", "instance": "db-1"}), ""),
        ({**grafana(labels={"alertname": "TestAlert"}), "version": "4"}, "Alertmanager"),
        ({**grafana(labels={"alertname": "test-alert", "severity": "info"}), "version": "4"}, "Alertmanager"),
        ({**grafana(labels={"alertname": "TestAlert", "severity": "critical"}), "version": "4"}, ""),
        ({**grafana(), "alerts": []}, ""),
    ],
)
def test_a_test_is_told_from_an_alert(sent: dict[str, Any], who: str) -> None:
    """The test button's body is known by its key or labels; an alert with a real severity is never taken for a test."""
    assert alertmanager.read(json.dumps(sent).encode()).tester == who

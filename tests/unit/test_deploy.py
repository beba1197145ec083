"""What `deploy/` gives to Prometheus and Grafana names only what the bot exposes."""

from __future__ import annotations

import json
import re
import shutil
import subprocess
from collections.abc import Iterator
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import pytest
import yaml
from prometheus_client import REGISTRY
from prometheus_client.metrics import MetricWrapperBase

from bot import telemetry
from bot.outbox import senders

DEPLOY = Path(__file__).resolve().parents[2] / "deploy"
ALERTS = DEPLOY / "alerts"
RULES = yaml.safe_load((ALERTS / "sitrep.rules.yml").read_text(encoding="utf-8"))
DASHBOARD = json.loads((DEPLOY / "grafana" / "sitrep.json").read_text(encoding="utf-8"))
EVERY_RULE = [rule for group in RULES["groups"] for rule in group["rules"]]
TARGET = {"job", "instance"}  # what Prometheus itself puts on every series
PROMTOOL = shutil.which("promtool")

FUNCTIONS = {"absent", "rate", "increase", "histogram_quantile", "vector"}
AGGREGATIONS = {"sum", "max", "min", "count"}
WORDS = {"or", "and", "unless"}
_TOKEN = re.compile(
    r"""\s+|(?P<string>"(?:[^"\\]|\\.)*")|(?P<range>\[[^\]]*\])|(?P<name>[a-zA-Z_:][a-zA-Z0-9_:]*)"""
    r"""|(?P<number>\d+(?:\.\d+)?)|(?P<op>=~|!~|!=|==|>=|<=|[-+*/><=(){},])"""
)


@dataclass
class Expression:
    """What a PromQL expression names: selectors as (metric, matchers by label), and labels that it groups by."""

    selectors: list[tuple[str, dict[str, tuple[str, str]]]] = field(default_factory=list)
    grouped: set[str] = field(default_factory=set)


def tokens(text: str) -> Iterator[tuple[str, str]]:
    position = 0
    while position < len(text):
        found = _TOKEN.match(text, position)
        assert found, f"not read: {text[position : position + 20]!r}"
        position = found.end()
        if found.lastgroup:
            yield found.lastgroup, found.group()


def read(text: str) -> Expression:
    """Read the subset of PromQL that our files use; anything else is an error of the test, not passed over."""
    made, left = Expression(), list(tokens(text))[::-1]

    def take(wanted: str | None = None) -> str:
        kind, value = left.pop()
        assert wanted is None or wanted in {kind, value}, f"{wanted} expected, not {value!r}, in {text}"
        return value

    while left:
        kind, value = left.pop()
        following = left[-1][1] if left else ""
        if kind != "name" or value in WORDS:
            continue
        if value == "by":
            take("(")
            while left[-1][1] != ")":
                made.grouped.add(take("name"))
                if left[-1][1] == ",":
                    take(",")
            take(")")
        elif value in AGGREGATIONS | FUNCTIONS:
            assert following in {"(", "by"}, f"{value} is followed by {following!r} in {text}"
        else:
            matchers = {}
            if following == "{":
                take("{")
                while left[-1][1] != "}":
                    label, op = take("name"), take("op")
                    matchers[label] = (op, take("string")[1:-1])
                    if left[-1][1] == ",":
                        take(",")
                take("}")
            made.selectors.append((value, matchers))
    return made


def exposed() -> dict[str, set[str]]:
    """Every series' name that the bot exposes, with its labels."""
    found: dict[str, set[str]] = {"up": set()}
    for collector in list(REGISTRY._collector_to_names):
        labels = set(collector._labelnames) if isinstance(collector, MetricWrapperBase) else set()
        for metric in collector.describe() if isinstance(collector, MetricWrapperBase) else collector.collect():
            suffixes = {
                "counter": {"_total": set()},
                "histogram": {"_bucket": {"le"}, "_sum": set(), "_count": set()},
                "info": {"_info": {"version", "python"}},
            }.get(metric.type, {"": set()})
            for suffix, more in suffixes.items():
                found[metric.name + suffix] = labels | more
    return found


EXPRESSIONS = {rule["alert"]: rule["expr"] for rule in EVERY_RULE} | {
    f"{panel['id']} {panel['title']} {target['refId']}": target["expr"]
    for panel in DASHBOARD["panels"]
    for target in panel.get("targets", ())
}


@pytest.mark.parametrize("expr", EXPRESSIONS.values(), ids=EXPRESSIONS.keys())
def test_every_expression_names_metrics_and_labels_that_are_there(expr: str) -> None:
    """A renamed metric or label fails here, and not in the night in which its alert stays silent."""
    there = exposed()
    found = read(expr)
    assert found.selectors, expr
    labels = set(TARGET)
    for metric, matchers in found.selectors:
        assert metric in there, f"{metric} is not exposed"
        assert set(matchers) <= there[metric] | TARGET, f"{metric} has no {set(matchers) - there[metric]}"
        labels |= there[metric]
    assert found.grouped <= labels


VALUES = {
    ("sitrep_webhooks_total", "outcome"): telemetry.WEBHOOK_OUTCOMES,
    ("sitrep_webhooks_total", "source"): set(telemetry.SOURCES),
    ("sitrep_outward_calls_total", "outcome"): telemetry.REASONS,
    ("sitrep_outward_calls_total", "service"): {"slack", "pagerduty", "alertmanager"},
    ("sitrep_deliveries_total", "outcome"): telemetry.REASONS,
    ("sitrep_auditor_looks_total", "outcome"): {"clear", "unclear"},
    ("sitrep_heartbeats_total", "outcome"): {"delivered", "refused", "unreachable", "withheld"},
    ("sitrep_deliveries_failed_total", "kind"): set(senders._SENDERS),
}


@pytest.mark.parametrize("expr", EXPRESSIONS.values(), ids=EXPRESSIONS.keys())
def test_every_value_that_is_matched_can_occur(expr: str) -> None:
    """A matcher for a value that no code ever sets would never match."""
    for metric, matchers in read(expr).selectors:
        for label, (_op, value) in matchers.items():
            if label not in TARGET:
                assert set(value.split("|")) <= set(VALUES[metric, label]), f"{metric}: {label}={value}"


def test_the_reader_of_expressions_reads_what_it_should() -> None:
    """The tests above are worth what their reader is."""
    found = read('sum by (a, b) (rate(x_total{c="1", d=~"2|3"}[5m])) / max(y) > 0.5 or vector(0)')
    assert found.selectors == [("x_total", {"c": ("=", "1"), "d": ("=~", "2|3")}), ("y", {})]
    assert found.grouped == {"a", "b"}
    for unreadable in ("sum(x) offset 5m @ 3", "x{a='1'}"):
        with pytest.raises(AssertionError):
            read(unreadable)


@pytest.mark.parametrize("rule", EVERY_RULE, ids=lambda rule: rule["alert"])
def test_every_alert_says_what_it_means_and_what_to_do(rule: dict[str, Any]) -> None:
    """Summary, description, severity, the runbook that Sitrep posts, and a section of the longer one that is there."""
    assert rule["labels"] == {"severity": rule["labels"]["severity"], "service": "sitrep"}
    assert rule["labels"]["severity"] in {"critical", "warning"}
    notes = rule["annotations"]
    assert set(notes) == {"summary", "description", "runbook_id", "runbook_url"}
    assert 10 < len(notes["summary"]) < 100
    assert notes["description"].endswith(".")
    assert len(notes["description"]) > 80
    path, _, anchor = notes["runbook_url"].partition("#")
    sections = re.findall(r"^## (\w+)$", (DEPLOY.parent / path).read_text(encoding="utf-8"), flags=re.MULTILINE)
    assert anchor == rule["alert"].lower()
    assert rule["alert"] in sections


def test_the_runbook_has_a_section_for_each_alert_and_for_nothing_else() -> None:
    """In the order of the rules."""
    sections = re.findall(r"^## (\w+)$", (ALERTS / "runbook.md").read_text(encoding="utf-8"), flags=re.MULTILINE)
    assert sections == [rule["alert"] for rule in EVERY_RULE]


def test_the_dashboard_can_be_imported_anywhere() -> None:
    """Its data source is a variable, its ids are unique, its panels do not overlap, and its rows are those promised."""
    variables = {v["name"]: v for v in DASHBOARD["templating"]["list"]}
    assert variables["datasource"]["type"] == "datasource"
    assert variables["datasource"]["query"] == "prometheus"
    assert DASHBOARD["schemaVersion"] >= 39
    assert "id" not in DASHBOARD
    panels = DASHBOARD["panels"]
    assert len({panel["id"] for panel in panels}) == len(panels)
    taken: set[tuple[int, int]] = set()
    for panel in panels:
        at = panel["gridPos"]
        cells = {(x, y) for x in range(at["x"], at["x"] + at["w"]) for y in range(at["y"], at["y"] + at["h"])}
        assert at["x"] + at["w"] <= 24
        assert not cells & taken, panel["title"]
        taken |= cells
        if panel["type"] != "row":
            assert panel["datasource"]["uid"] == "${datasource}"
            assert panel["description"].endswith(".")
            assert all(target["datasource"] == panel["datasource"] for target in panel["targets"])
    rows = [panel["title"] for panel in panels if panel["type"] == "row"]
    assert rows == ["Health", "Intake", "Outbox", "Timers", "Slack and PagerDuty", "Process", "Runbooks"]


def test_every_metric_of_ours_is_on_the_dashboard() -> None:
    """What is measured is shown."""
    shown = {metric for expr in EXPRESSIONS.values() for metric, _ in read(expr).selectors}
    ours = {name for name in exposed() if name.startswith("sitrep_") and not name.endswith(("_sum", "_count"))}
    assert ours - shown == set()


@pytest.mark.skipif(PROMTOOL is None, reason="promtool is not installed: apt-get install prometheus")
class TestWithPromtool:
    """Prometheus' own judgement."""

    @pytest.fixture
    def promtool(self) -> str:
        assert PROMTOOL is not None
        return PROMTOOL

    def test_the_rules_are_valid_and_fire_when_they_should(self, promtool: str) -> None:
        """The rules' own unit tests pass."""
        for command in (["check", "rules", "sitrep.rules.yml"], ["test", "rules", "sitrep.rules.test.yml"]):
            done = subprocess.run([promtool, *command], cwd=ALERTS, capture_output=True, text=True, check=False)
            assert done.returncode == 0, done.stdout + done.stderr

    def test_the_dashboards_expressions_are_valid(self, promtool: str, tmp_path: Path) -> None:
        """Each is read as a rule, with Grafana's variables filled in."""
        rules = [
            {
                "record": f"panel:{panel['id']}:{target['refId']}",
                "expr": target["expr"].replace("$__rate_interval", "5m").replace("$job", ".*"),
            }
            for panel in DASHBOARD["panels"]
            for target in panel.get("targets", ())
        ]
        file = tmp_path / "dashboard.yml"
        file.write_text(yaml.safe_dump({"groups": [{"name": "dashboard", "rules": rules}]}))
        done = subprocess.run([promtool, "check", "rules", str(file)], capture_output=True, text=True, check=False)
        assert done.returncode == 0, done.stdout + done.stderr

"""`sitrep intake match`: what an alert leads to, and why."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest
from typer.testing import CliRunner

from bot.cli.intake import intake
from bot.errors import SitrepError
from bot.incidents import subject
from tests.conftest import ROOT
from tests.integration.bodies import alert, body, warning

CONFIG = """
ladders: {default: [{after: 0s, name: On-call SRE, slack: [U1]}, {after: 5m, name: Team Lead, slack: [U2]}]}
intake:
  - {matchers: ['"service.name"="till"'], then: record}
  - {matchers: ['severity="critical"'], then: declare, severity: sev1}
severity_words: {kaputt: critical}
facts: {service: [team_app, service]}
"""
KSM = ("alertname=KubeJobFailed", "job=kube-state-metrics", "service=kps-kube-state-metrics", "namespace=shop")


@pytest.fixture
def _configured(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Any:
    """Have a company's file and the shipped runbooks; the facts in force are put back after."""
    file = tmp_path / "sitrep.yaml"
    file.write_text(CONFIG)
    monkeypatch.setenv("SITREP_CONFIG", str(file))
    monkeypatch.setenv("SITREP_RUNBOOKS", str(ROOT / "runbooks"))
    yield
    subject.use(subject.DEFAULT_SUBJECT_RULES)


def run(*words: str) -> str:
    """Run the command; gives what it prints."""
    result = CliRunner().invoke(intake, ["match", *words], catch_exceptions=False)
    assert result.exit_code == 0, result.output
    return result.output


@pytest.mark.usefixtures("_configured")
@pytest.mark.parametrize(("priority", "then", "severity"), [("SEV-1", "declare", "sev1"), ("P4", "triage", "sev3")])
def test_a_pagerduty_priority_is_what_it_stands_for(priority: str, then: str, severity: str) -> None:
    """The name of a priority leads where a webhook with it leads."""
    found = json.loads(run("--labels", "source=pagerduty", f"priority={priority}", "urgency=low", "--json"))
    assert (found["then"], found["severity"]) == (then, severity)


@pytest.mark.usefixtures("_configured")
def test_json_names_rule_subject_ladder_and_runbook() -> None:
    """For scripts: the verdict, the rule by its place in the file, what the alert is about, and who is paged."""
    found = json.loads(run("--labels", *KSM, "job_name=bill", "severity=Kaputt", "--json"))
    assert (found["then"], found["severity"], found["ladder"]) == ("declare", "sev1", "default")
    assert found["rule"] == 'intake rule 2: severity="critical"'
    assert found["severity_word"] == {"label": "severity", "said": "Kaputt", "means": "critical"}
    assert (found["subject"]["service"], found["subject"]["workload"]) == ("", "job/bill")
    assert found["subject"]["from"]["workload"] == "job_name"
    assert [(level["after"], level["name"]) for level in found["levels"]] == [(0, "On-call SRE"), (300, "Team Lead")]
    assert found["title"] == "KubeJobFailed on job/bill in shop"
    assert found["runbook"]


@pytest.mark.usefixtures("_configured")
def test_text_says_why() -> None:
    """For people: the word that the severity was read as, the label that the service came from, and who is paged."""
    said = run("--labels", "alertname=Slow", "team_app=till", "severity=page")
    for line in (
        "Slow: declares an incident (sev1)",
        'Rule: intake rule 2: severity="critical"',
        "Severity: page (label severity), read as critical",
        "service: till (from team_app)",
        "Pages: ladder default: On-call SRE at once, Team Lead after 5 min",
    ):
        assert line in said
    assert "measured by: kube-state-metrics (an exporter, so not the service)" in run("--labels", *KSM)


@pytest.mark.usefixtures("_configured")
@pytest.mark.parametrize(
    ("words", "then", "rule"),
    [
        (("service.name=till", "severity=critical"), "record", 'intake rule 1: "service.name"="till"'),
        (("severity=whatever",), "triage", "default rule: everything else"),
        (("alertname=Watchdog", "severity=critical"), "record", 'default rule: alertname=~"Watchdog|InfoInhibitor"'),
        (
            ("source=pagerduty", "title=Down", "priority=P2"),
            "declare",
            'default rule: source="pagerduty", severity="sev2"',
        ),
    ],
)
def test_each_rule_is_named(words: tuple[str, ...], then: str, rule: str) -> None:
    """A rule of the file is named by its place, one that stands around the file's list as a default."""
    found = json.loads(run("--labels", *words, "--json"))
    assert (found["then"], found["rule"]) == (then, rule)
    assert (found["ladder"], found["levels"] == []) == (("default", False) if then == "declare" else (None, True))


@pytest.mark.usefixtures("_configured")
def test_a_webhooks_body_is_explained(tmp_path: Path) -> None:
    """A file with a body gives each alert, and what they lead to together."""
    file = tmp_path / "body.json"
    file.write_text(json.dumps(body(alert("aa"), warning("bb"))))
    found = json.loads(run("--alerts", str(file), "--json"))
    assert (found["then"], found["severity"]) == ("declare", "sev1")
    assert [each["then"] for each in found["alerts"]] == ["declare", "triage"]
    assert "Together: declares an incident (sev1)" in run("--alerts", str(file))


@pytest.mark.usefixtures("_configured")
@pytest.mark.parametrize("words", [(), ("--labels", "alertname"), ("--alerts", "/nowhere.json")])
def test_what_cannot_be_explained_names_the_fix(words: tuple[str, ...]) -> None:
    """No labels, a word that is no label, and a file that is not there are each refused in words."""
    with pytest.raises(SitrepError):
        CliRunner().invoke(intake, ["match", *words], catch_exceptions=False)

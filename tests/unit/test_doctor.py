"""What `sitrep doctor` says of paging through PagerDuty: what is on, and what is missing."""

from __future__ import annotations

import os
from pathlib import Path

import pytest

from bot.config import Config
from bot.doctor import integrations, warnings
from bot.incidents.policy import PagerDutyTarget, Severity
from bot.settings import load_settings

KEY, TOKEN, SENDER, SECRETS = (f"PAGERDUTY_{name}" for name in ("ROUTING_KEY", "API_TOKEN", "FROM", "WEBHOOK_SECRETS"))
POLICY = "ladders: {default: [{after: 0s, name: A, pagerduty: {escalation_policy: PLEADS01}}]}"
SERVICE = "pagerduty: {service: PSERVICE}\n"
ALL = {TOKEN: "t", SENDER: "sitrep@example.com", SECRETS: "s"}


@pytest.fixture(autouse=True)
def _bare_environment(monkeypatch: pytest.MonkeyPatch) -> None:
    for name in [n for n in os.environ if n.startswith(("SITREP_", "SLACK_", "PAGERDUTY_", "ALERTMANAGER_"))]:
        monkeypatch.delenv(name)


@pytest.mark.parametrize(
    ("environ", "text", "words"),
    [
        ({}, POLICY, ["level 'A' cannot be paged through PagerDuty: set PAGERDUTY_API_TOKEN or PAGERDUTY_ROUTING_KEY"]),
        ({KEY: "k"}, "ladders: {default: [{after: 0s, name: A, slack: [U1]}]}", ["add `pagerduty:` to a level"]),
        ({KEY: "k", SECRETS: "s"}, POLICY, ["pages the service of PAGERDUTY_ROUTING_KEY", "set PAGERDUTY_API_TOKEN"]),
        ({KEY: "k", SECRETS: "s"}, "ladders: {default: [{after: 0s, name: A, pagerduty: {}}]}", []),
        ({**ALL}, POLICY, ["is paged only for incidents that began in PagerDuty", "set `pagerduty: {service: ...}`"]),
        ({**ALL, KEY: "k"}, POLICY, []),
        ({**ALL}, SERVICE + POLICY, []),
        ({TOKEN: "t", SECRETS: "s"}, SERVICE + POLICY, ["set PAGERDUTY_FROM"]),
        ({TOKEN: "t", SENDER: "x@example.com"}, SERVICE + POLICY, ["set PAGERDUTY_WEBHOOK_SECRETS"]),
    ],
)
def test_what_is_missing_is_named(
    environ: dict[str, str], text: str, words: list[str], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Each gap between a level that names PagerDuty and a phone that rings is told with its variable or key."""
    file = tmp_path / "sitrep.yaml"
    file.write_text(text)
    for name, value in {**environ, "SITREP_CONFIG": str(file)}.items():
        monkeypatch.setenv(name, value)
    said = [line for line in warnings(load_settings()) if "pagerduty" in line.lower()]
    assert len(said) == (1 if words else 0), said
    for word in words:
        assert word in said[0]


@pytest.mark.parametrize(("environ", "on"), [({}, False), ({KEY: "k"}, True), ({TOKEN: "t"}, True)])
def test_whether_paging_is_on_is_told(environ: dict[str, str], on: bool, monkeypatch: pytest.MonkeyPatch) -> None:
    """Either key switches paging on; the line of one that is off names both variables."""
    for name, value in environ.items():
        monkeypatch.setenv(name, value)
    (line,) = [i.line for i in integrations(load_settings()) if i.name == "paging through pagerduty"]
    assert line.startswith("paging through pagerduty: on" if on else "paging through pagerduty: off")
    assert on or "PAGERDUTY_API_TOKEN or PAGERDUTY_ROUTING_KEY" in line


def test_a_level_that_names_nobody_is_told() -> None:
    """Neither people nor PagerDuty: its turn passes, which is worth a word at the start."""
    made = Config.model_validate({"ladders": {"default": [{"after": "0s", "name": "A"}]}})
    assert made.warnings == ["ladders.default: level 'A' names nobody; Sitrep pages the next level at once"]


def test_a_level_has_the_default_service_unless_it_names_its_own() -> None:
    """The service at the top of the file stands where a level has none; one without PagerDuty is not paged there."""
    levels = [
        {"after": "0s", "name": "A", "pagerduty": {"escalation_policy": "PLEADS01"}},
        {"after": "1m", "name": "B", "pagerduty": {"service": "POTHER01"}},
        {"after": "2m", "name": "C", "pagerduty": {}},
        {"after": "3m", "name": "D", "slack": ["U1"]},
    ]
    made = Config.model_validate({"pagerduty": {"service": "PSERVICE"}, "ladders": {"default": levels}})
    assert [level.pagerduty for level in made.policy.of(Severity.SEV1).ladder] == [
        PagerDutyTarget("PLEADS01", "PSERVICE"),
        PagerDutyTarget("", "POTHER01"),
        PagerDutyTarget("", "PSERVICE"),
        None,
    ]

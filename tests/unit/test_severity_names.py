"""A company's own severities: how they are configured, what is refused, what they are called, how they are typed."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest
import yaml

from bot.config import Config, load_config
from bot.errors import ConfigError
from bot.incidents.intake import Then, judge
from bot.incidents.model import Alert
from bot.incidents.policy import DEFAULT_POLICY, Policy, Severity
from bot.incidents.wording import VERBS
from bot.manifest import manifest
from bot.pagerduty.priorities import PriorityTable
from handlers.slack import grammar, table

OWN = """
severities:
  p1: {like: sev1, name: P1 Critical, update_every: 5m}
  P2: {like: sev2}
  sev3: {name: Minor glitch}
  Störung-4: {like: sev4}
"""


def configured(tmp_path: Path, text: str) -> Config:
    path = tmp_path / "sitrep.yaml"
    path.write_text(text, encoding="utf-8")
    return load_config(path)


@pytest.fixture
def policy(tmp_path: Path) -> Policy:
    return configured(tmp_path, OWN).policy


def test_people_read_the_name_and_type_the_key(policy: Policy) -> None:
    """A name is read, a key typed; each stands in for the other where only one is given."""
    assert [policy.called(severity) for severity in Severity] == ["P1 Critical", "P2", "Minor glitch", "Störung-4"]
    assert [policy.typed(severity) for severity in Severity] == ["p1", "P2", "Minor glitch", "Störung-4"]
    assert policy.with_level(Severity.SEV1) == "P1 Critical (sev1)"
    assert policy.means[Severity.SEV2] == "P2: major functionality degraded"
    assert [DEFAULT_POLICY.called(severity) for severity in Severity] == ["sev1", "sev2", "sev3", "sev4"]
    assert DEFAULT_POLICY.with_level(Severity.SEV1) == "sev1"


@pytest.mark.parametrize(
    ("typed", "severity"),
    [
        ("p1", Severity.SEV1),
        ("P1", Severity.SEV1),
        ("P-1", Severity.SEV1),
        ("p\u200b1", Severity.SEV1),
        ("\uff301", Severity.SEV1),
        ("p1 critical", Severity.SEV1),
        ("P1-CRITICAL", Severity.SEV1),
        ("p2", Severity.SEV2),
        ("minor  glitch", Severity.SEV3),
        ("STÖRUNG 4", Severity.SEV4),
        ("Sto\u0308rung-4", Severity.SEV4),
        ("sev1", Severity.SEV1),
        ("SEV 2", Severity.SEV2),
        ("severity: 3", Severity.SEV3),
        ("4", Severity.SEV4),
    ],
)
def test_a_word_is_found_however_it_is_written(policy: Policy, typed: str, severity: Severity) -> None:
    """Case, spaces, dashes, wide and invisible characters make no other name; the levels' own names still count."""
    assert policy.find(typed) is severity


@pytest.mark.parametrize("typed", ["", "p", "p10", "p12", "critical", "sev5", "0", "urgent"])
def test_other_words_are_no_severity(policy: Policy, typed: str) -> None:
    """Nothing is guessed from a part of a name."""
    assert policy.find(typed) is None


@pytest.mark.parametrize(
    ("text", "title", "severity", "written"),
    [
        ("db down p1", "db down", Severity.SEV1, "p1"),
        ("P1: db down", "db down", Severity.SEV1, "P1"),
        ("db down (p1)!", "db down", Severity.SEV1, "p1"),
        ("[P1 Critical] db down", "db down", Severity.SEV1, "P1 Critical"),
        ("db down, P1-critical.", "db down", Severity.SEV1, "P1-critical"),
        ("db down \uff30\uff11", "db down", Severity.SEV1, "\uff30\uff11"),
        ("db down p\u200b2", "db down", Severity.SEV2, "p\u200b2"),
        ("the P2 queue is full", "the P2 queue is full", Severity.SEV2, "P2"),
        ("db down minor glitch", "db down", Severity.SEV3, "minor glitch"),
        ("one minor glitch of many", "one minor glitch of many", None, ""),
        ("one (minor glitch) of many", "one of many", Severity.SEV3, "minor glitch"),
        ("db down störung 4", "db down", Severity.SEV4, "störung 4"),
        ("db down Sto\u0308rung-4", "db down", Severity.SEV4, "Sto\u0308rung-4"),
        ("db down SEV-1", "db down", Severity.SEV1, "SEV-1"),
        ("p10 is a host", "p10 is a host", None, ""),
        ("rack/p1 is dark", "rack/p1 is dark", None, ""),
        ("p1.example.com is down", "p1.example.com is down", None, ""),
    ],
)
def test_a_title_gives_up_its_own_severity(
    policy: Policy, text: str, title: str, severity: Severity | None, written: str
) -> None:
    """As the built-in ones do; a name without a digit counts only at an end or in brackets."""
    read = grammar.titled(text, policy.names)
    assert (read.title, read.severity, read.severities[0][1] if read.severities else "") == (title, severity, written)


@pytest.mark.parametrize(
    ("text", "severity", "why"),
    [
        ("p1", Severity.SEV1, ""),
        ("P1: all regions", Severity.SEV1, "all regions"),
        ("to p2, because", Severity.SEV2, "because"),
        ("p1 critical all regions", Severity.SEV1, "all regions"),
        ("minor glitch no user is hit", Severity.SEV3, "no user is hit"),
        ("p2 it is no minor glitch any more", Severity.SEV2, "it is no minor glitch any more"),
        ("1 all regions", Severity.SEV1, "all regions"),
        ("sev1 all regions", Severity.SEV1, "all regions"),
        ("p1 or p2", None, "p1 or p2"),
        ("p9", None, "p9"),
    ],
)
def test_an_own_severity_and_its_reason(policy: Policy, text: str, severity: Severity | None, why: str) -> None:
    """What is typed behind `/incident sev`."""
    assert grammar.severity_and_why(text, policy.names) == (severity, why)


@pytest.mark.parametrize(
    ("rows", "words"),
    [
        ("{p1: {like: sev1}, crit: {like: sev1}}", ("severities.crit", "severities.p1", "Keep one")),
        ("{p1: {like: sev5}}", ("severities.p1.like", "sev5", "sev1, sev2, sev3, sev4")),
        ("{p1: {like: 1}}", ("severities.p1.like", "'1'", "sev1, sev2, sev3, sev4")),
        ("{p1: {like: ''}}", ("severities.p1.like", "sev1, sev2, sev3, sev4")),
        ("{p1: {}}", ("severities.p1", "add `like:`")),
        ("{sevv1: {update_every: 5m}}", ("severities.sevv1", "Did you mean 'sev1'?")),
        ("{sev2: {like: sev1}}", ("severities.sev2", "sev1", "another name")),
        ("{SEV-2: {like: sev1}}", ("severities.SEV-2", "sev2", "another name")),
        ("{p1: {like: sev1, name: Severity 3}}", ("severities.p1.name", "sev3", "another name")),
        ("{p1: {like: sev1, name: P2}, p2: {like: sev2}}", ("severities.p2", "severities.p1.name")),
        ("{p1: {like: sev1}, p2: {like: sev2, name: p-1}}", ("severities.p2.name", "severities.p1")),
        ("{sev1: {name: Red}, sev2: {name: RED}}", ("severities.sev2.name", "severities.sev1.name")),
        ("{update: {like: sev1}}", ("severities.update", "verb")),
        ("{p1: {like: sev1, name: Resolve}}", ("severities.p1.name", "verb")),
        ("{Severity: {like: sev1}}", ("severities.Severity", "verb")),
        ("{'': {like: sev1}}", ("severities.''", "a letter")),
        ("{' ': {like: sev1}}", ("severities.' '", "a letter")),
        ("{1: {like: sev1}}", ("severities.1", "a letter")),
        ("{p1: {like: sev1, name: ''}}", ("severities.p1.name", "a letter")),
        ("{p1: {like: sev1, name: '!!'}}", ("severities.p1.name", "a letter")),
        ("{p1: {like: sev1, name: '<!channel>'}}", ("severities.p1.name", "'<'")),
        ('{p1: {like: sev1, name: "P1\\nx"}}', ("severities.p1.name", "\\n")),
        ('{"p\\u200b1": {like: sev1}}', ("severities.p", "\\u200b")),
        ("{p1: {like: sev1, name: " + "x" * 41 + "}}", ("severities.p1.name", "40")),
        (
            "{sev1: {update_every: 5m}, p1: {like: sev1, channel: true}}",
            ("severities.sev1", "severities.p1", "settings"),
        ),
        ("{sev1: {name: Red}, p1: {like: sev1, name: P1}}", ("severities.sev1", "severities.p1", "name")),
        ("{p1: {like: sev1, ladder: nope}}", ("severities.p1.ladder", "ladders.nope")),
        ("{p1: {like: sev1, update_evry: 5m}}", ("severities.p1", "update_every")),
    ],
)
def test_what_cannot_be_meant_is_refused_with_the_fix(tmp_path: Path, rows: str, words: tuple[str, ...]) -> None:
    """At start, by the key that stands in the file."""
    with pytest.raises(ConfigError) as caught:
        configured(tmp_path, f"severities: {rows}")
    for word in words:
        assert word in str(caught.value)


@pytest.mark.parametrize(
    "rows",
    [
        {"p1": {"like": "sev1", "update_every": "5m"}},
        {"p1": {"like": "sev1"}, "sev1": {"update_every": "5m"}},
        {"sev1": {"update_every": "5m", "name": "p1"}},
        {"p1": {"like": "sev1", "name": "P1"}, "sev1": {"update_every": "5m"}},
    ],
)
def test_settings_stand_under_either_name(tmp_path: Path, rows: dict[str, Any]) -> None:
    """Beside the names they may be given under the own key or under the built-in one."""
    config = configured(tmp_path, yaml.safe_dump({"severities": rows}))
    assert config.policy.of(Severity.SEV1).update_every == 300
    assert config.policy.called(Severity.SEV1).casefold() == "p1"
    assert config.policy.of(Severity.SEV2) == DEFAULT_POLICY.of(Severity.SEV2)


def test_rules_priorities_and_words_may_name_it(tmp_path: Path) -> None:
    """Wherever the file names a severity; senders and PagerDuty may say it as well, unless rules know the word."""
    text = """
severities: {major: {like: sev1}, p1: {like: sev2}, info: {like: sev4}}
intake:
  - {matchers: ['team="db"'], then: declare, severity: Major}
  - {matchers: ['severity="sev2"'], then: declare, severity: P1}
  - {matchers: ['severity="info"'], then: record}
severity_words: {boom: p1}
pagerduty: {priorities: {Feuer: major}}
"""
    config = configured(tmp_path, text)

    def verdict(**labels: str) -> tuple[Then, Severity]:
        found = judge([Alert("alertmanager", "", "", "X", labels)], config.rules)
        return found.then, found.severity

    assert verdict(team="db") == (Then.DECLARE, Severity.SEV1)
    assert verdict(severity="p1") == (Then.DECLARE, Severity.SEV2)
    assert verdict(severity="BOOM") == (Then.DECLARE, Severity.SEV2)
    assert verdict(severity="info")[0] is Then.RECORD
    priorities = PriorityTable(config.priorities)
    assert [priorities.severity_of(name) for name in ("Feuer", "P1", "Major")] == [
        Severity.SEV1,
        Severity.SEV2,
        Severity.SEV1,
    ]


@pytest.mark.parametrize(
    ("text", "words"),
    [
        ("intake: [{matchers: [], then: triage, severity: p9}]", ("intake rule 1", "p9", "p1, sev2, sev3, sev4")),
        ("pagerduty: {priorities: {P9: urgent}}", ("pagerduty.priorities.P9", "urgent", "p1, sev2, sev3, sev4")),
        ("severity_words: {boom: p9}", ("severity_words.boom", "p9", "p1")),
    ],
)
def test_a_severity_that_is_none_is_refused_where_it_is_named(
    tmp_path: Path, text: str, words: tuple[str, ...]
) -> None:
    """With those that there are, by the words that people type."""
    with pytest.raises(ConfigError) as caught:
        configured(tmp_path, "severities: {p1: {like: sev1}}\n" + text)
    for word in words:
        assert word in str(caught.value)


def test_an_incident_keeps_the_names_and_old_rows_still_read(policy: Policy) -> None:
    """The names are frozen with the policy; one that was frozen before there were names has the built-in ones."""
    frozen = json.loads(json.dumps(policy.to_json()))
    assert Policy.from_json(frozen) == policy
    for row in frozen.values():
        del row["key"], row["name"]
    assert Policy.from_json(frozen).called(Severity.SEV1) == "sev1"


def test_help_and_manifest_name_the_own_severities(policy: Policy) -> None:
    """And none that people do not know."""
    text = table.help_text("/incident", policy)
    assert "[p1|P2|Minor glitch|Störung-4]" in text
    assert "sev1" not in text
    assert "`/incident sev p1 all regions are down`" in table.help_of(table.BY_NAME["sev"], "/incident", policy)
    assert "<title> [p1|" in manifest(severities=policy.choice)


def test_no_severity_can_be_called_like_a_verb() -> None:
    """The words that are refused are all the verbs and their other names."""
    assert set(table.BY_NAME) == VERBS

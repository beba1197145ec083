from __future__ import annotations

from collections.abc import Callable
from datetime import date
from pathlib import Path

import pytest

from bot.errors import SitrepError
from bot.runbooks.catalog import Catalog
from bot.runbooks.index import FILE, document
from bot.runbooks.lint import Level, Problem, lint

TODAY = date(2026, 11, 21)
ONE = """---
id: ops.one
title: One
severity_hint: sev2
owner_team: SRE
last_reviewed_at: 2026-11-21
url: runbooks/one.md
signals: [one_down, OneDown]
queries: [{title: Errors, language: promql, expr: 'up{job="${{ job }}"}'}]
---

Look at [the general one](general.md#diagnosis) and at [Grafana](https://grafana.example.com).

## Diagnosis

1. Look.

   ```sh
   kubectl get pods -n ${{ namespace }} "$OTHER"
   ```

## Remediation

2. Do it.

   Rollback: undo it.
"""
SIGNALS = "one_down: it is down\n"
RULES = """
groups:
  - name: one
    rules:
      - {alert: OneDown, expr: up == 0, labels: {severity: critical}, annotations: {runbook_id: ops.one}}
      - {alert: OneSlow, expr: up == 0, labels: {severity: warning}}
      - {record: a, expr: b}
"""
# A key that is none: it is put together here, so that this file does not look like a leak itself.
KEY = "-----BEGIN RSA " + "PRIVATE KEY-----"
TOKEN = "ghp_" + "a1B2c3D4e5F6g7H8i9J0k1L2m3N4o5P6q7R8"

Directory = Callable[..., Path]
Found = Callable[..., list[Problem]]


@pytest.fixture
def found(directory: Directory) -> Found:
    """Write a tree and lint it."""

    def write(one: str = ONE, *, signals: str = SIGNALS, index: bool = True, rules: str = RULES) -> list[Problem]:
        folder = directory(one=one)
        (folder / "signals.yaml").write_text(signals)
        (folder / "rules.yaml").write_text(rules)
        catalog = Catalog.load(folder)
        if index:
            (folder / FILE).write_text(document(catalog))
        return lint(folder, catalog, TODAY, [folder / "rules.yaml"])

    return write


def test_a_good_tree_is_clean(found: Found) -> None:
    """Nothing is said where nothing is wrong."""
    assert found() == []


@pytest.mark.parametrize(
    ("old", "new", "rule", "words"),
    [
        ("2026-11-21", "2026-11-23", "review", "set last_reviewed_at to the past"),
        ("${{ namespace }}", "${{ nonsense }}", "variable", "step 1: 'nonsense' is no variable; use one of agent,"),
        ("${{ job }}", "${{ jop }}", "variable", "query 'Errors': 'jop' is no variable"),
        ("${{ namespace }}", "${{ labels.pod }}", "variable", "'labels.pod' is no variable"),
        ("${{ namespace }}", '"${{ namespace }}"', "quotes", "step 1: take the variable out of the quotes"),
        ("${{ namespace }}", "'x-${{ pod }}'", "quotes", "step 1: take the variable out of the quotes"),
        ("   Rollback: undo it.\n", "", "rollback", "step 2: add a paragraph `Rollback: ...`"),
        ("one_down, OneDown", "one_down, one_dwon", "signal", "add one_dwon to signals.yaml, or correct"),
        ("one_down, OneDown", "OneDown", "signal", "add one_down to the signals of a runbook"),
        ("general.md#diagnosis", "absent.md", "link", "fix the link to absent.md: there is no such file"),
        ("Do it.", f"Do it with {KEY}", "secret", "take out what looks like a secret (Private Key)"),
        ("Do it.", f"Do it with {TOKEN}", "secret", "take out what looks like a secret (GitHub Token)"),
        ('"$OTHER"', 'password="hunter2hunter2"', "secret", "take out what looks like a secret (Secret Keyword)"),
    ],
)
def test_each_rule_of_a_file(found: Found, old: str, new: str, rule: str, words: str) -> None:
    """Each rule has an example that breaks it, and is the only one that speaks of it."""
    (problem,) = found(ONE.replace(old, new))
    assert (problem.rule, problem.level) == (rule, Level.ERROR)
    assert words in problem.text
    assert str(problem).startswith(f"{problem.file}: ")


def test_a_review_that_is_due_is_only_ever_a_warning(found: Found) -> None:
    """After 90 days the review is due; however long ago it was, no check fails because time has passed."""
    ages = {"2026-11-22": None, "2026-08-23": None, "2026-08-22": Level.WARNING, "2016-01-01": Level.WARNING}
    for reviewed, level in ages.items():
        said = found(ONE.replace("2026-11-21", reviewed))
        assert [problem.level for problem in said] == ([level] if level else []), reviewed


@pytest.mark.parametrize(
    ("old", "new", "words"),
    [
        (", annotations: {runbook_id: ops.one}", "", "OneDown: add the annotation runbook_id"),
        ("runbook_id: ops.one", "runbook_id: ops.two", "OneDown: correct runbook_id, there is no ops.two"),
    ],
)
def test_a_critical_alert_names_its_runbook(found: Found, old: str, new: str, words: str) -> None:
    """A critical rule without a runbook, or with one that is not there, is an error; others may do without."""
    (problem,) = found(rules=RULES.replace(old, new))
    assert (problem.file, problem.rule, problem.text) == ("rules.yaml", "alert", words)


def test_the_generated_catalog_follows_the_files(found: Found) -> None:
    """A catalog that is missing or older than the files is an error that names the command."""
    (problem,) = found(index=False)
    assert (problem.file, problem.rule) == (FILE, "catalog")
    assert "sitrep runbooks catalog" in problem.text


@pytest.mark.parametrize("broken", [{"rules": "- a"}, {"rules": "{"}, {"signals": "- a"}, {"signals": "{"}])
def test_what_cannot_be_read_is_named(found: Found, broken: dict[str, str]) -> None:
    """A file of rules or of signals that is none stops the check with its name."""
    with pytest.raises(SitrepError, match=r"rules\.yaml|signals\.yaml"):
        found(**broken)

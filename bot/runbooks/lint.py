"""What is wrong with the runbooks, beyond what keeps them from being read. Each problem names its file and the fix.

The rules are those of the runbook architecture (seed 002): every signal and every critical alert leads to a runbook, a
review every 90 days, no dead links, nothing secret.
"""

from __future__ import annotations

import difflib
import re
from collections.abc import Collection, Iterator, Mapping, Sequence
from dataclasses import dataclass
from datetime import date, timedelta
from enum import StrEnum
from pathlib import Path
from typing import Any

import yaml

from bot import yaml_once
from bot.errors import SitrepError
from bot.incidents.runs import ACTS
from bot.runbooks.catalog import VARIABLES_FILE, Catalog
from bot.runbooks.credentials import found_in
from bot.runbooks.index import FILE as INDEX
from bot.runbooks.index import document
from bot.runbooks.minimum import BUILT_IN
from bot.runbooks.model import Book, Kind, Runbook, Step
from bot.runbooks.render import VARIABLES, variables, without_variables
from bot.runbooks.review import REVIEW, stale

SIGNALS = "signals.yaml"
TEXTS = ("*.md", "checklists/*.md", "templates/*.j2", "*.yaml")  # what is looked through for secrets and dead links
AHEAD = timedelta(days=1)  # the writer's day may have begun before that of UTC
_LINK = re.compile(r"(?<!!)\[[^\]]*\]\(([^)\s]+)[^)]*\)")
_QUOTED = re.compile(r"\"[^\"\n]*\"|'[^'\n]*'")
_SIGNAL_KEY = re.compile(r"[a-z0-9]+(_[a-z0-9]+)+")


class Level(StrEnum):
    """An error fails the check; a warning is told."""

    ERROR = "error"
    WARNING = "warning"


@dataclass(frozen=True, slots=True)
class Problem:
    """One thing to mend. `rule` is a stable word for it."""

    file: str
    rule: str
    text: str
    level: Level = Level.ERROR

    def __str__(self) -> str:
        """As it is printed: the file, what to do, the rule."""
        return f"{self.file}: {self.text} [{self.rule}]"


def lint(
    folder: Path, catalog: Catalog, today: date, rules: Sequence[Path] = (), given: Collection[str] = ()
) -> list[Problem]:
    """Check a catalog, its files, and that critical alert rules name its runbooks.

    Args:
        folder: where the catalog was read from.
        catalog: what could be read; what could not is an error each.
        today: the UTC date that reviews are compared with.
        rules: files of Prometheus alerting rules.
        given: the variables that the configuration's `sites` give.

    Raises:
        SitrepError: a file of rules, or the list of signals, cannot be read.
    """
    problems = [Problem(*_named(broken, folder)) for broken in catalog.problems]
    known = VARIABLES | catalog.variables.keys() | set(given)
    for runbook in [runbook for runbook in catalog if runbook.url != BUILT_IN]:
        problems += _runbook(runbook, today)
        problems += _templates(name_of(runbook), templates_of(runbook), known)
        problems += _quotes(name_of(runbook), runbook.steps)
        problems += _points(name_of(runbook), runbook.steps)
    for checklist in catalog.checklists:
        problems += _templates(f"{checklist.id} (checklist)", templates_of(checklist), known)
        problems += _quotes(f"{checklist.id} (checklist)", checklist.steps)
        problems += _points(f"{checklist.id} (checklist)", checklist.steps)
    problems += _unused(catalog, given)
    problems += _signals(folder, catalog)
    problems += _index(folder, catalog)
    for pattern in TEXTS:
        for file in sorted(folder.glob(pattern)):
            problems += _text(folder, file)
    for file in rules:
        problems += _alerts(file, catalog)
    return problems


def name_of(runbook: Runbook) -> str:
    """Give the file that a runbook's url names."""
    return runbook.url.removeprefix("runbooks/")


def _named(problem: str, folder: Path) -> tuple[str, str, str]:
    """Part what the catalog says of a broken file: the file, the rule, what to do."""
    file, found, text = problem.partition(": ")
    return (file, "broken", text) if found else (str(folder), "broken", problem)


def _runbook(runbook: Runbook, today: date) -> Iterator[Problem]:
    name = name_of(runbook)
    age = today - runbook.last_reviewed_at
    if stale(runbook, today):
        # Never an error: a check must not fail because time has passed.
        text = f"review it and set last_reviewed_at: the last review is {age.days} days ago, {REVIEW.days} are allowed"
        yield Problem(name, "review", text, Level.WARNING)
    elif age < -AHEAD:
        yield Problem(name, "review", f"set last_reviewed_at to the past: {runbook.last_reviewed_at} is to come")
    for step in runbook.steps:
        if step.kind is Kind.REMEDIATION and not (step.rollback or step.no_rollback):
            text = f"step {step.number}: add a paragraph `Rollback: ...`, or `No rollback: ...` with the reason"
            yield Problem(name, "rollback", text)


def templates_of(book: Book) -> list[tuple[str, str]]:
    """Give each text of a runbook or checklist that variables may stand in, with its place in words."""
    found = [(f"step {s.number}", "\n".join((s.text, s.code or "", s.rollback or ""))) for s in book.steps]
    if isinstance(book, Runbook):
        found += [(f"section {section.title!r}", section.intro) for section in book.sections]
        found += [(f"query {query.title!r}", query.expr) for query in book.queries]
    return found


def _templates(name: str, templates: Sequence[tuple[str, str]], known: Collection[str]) -> Iterator[Problem]:
    for where, template in templates:
        for unknown in [name for name in variables(template) if name not in known]:
            text = f"{where}: {unknown!r} is no variable; use one of {', '.join(sorted(known))}"
            yield Problem(name, "variable", f"{text}; or name it in {VARIABLES_FILE} for `sites:` to give")


def _quotes(name: str, steps: Sequence[Step]) -> Iterator[Problem]:
    for step in steps:
        commands = [step.code or ""] if step.language == "sh" else re.findall(r"`([^`\n]+)`", step.text)
        if any(variables(found) for command in commands for found in _QUOTED.findall(command) if _is_shell(command)):
            yield Problem(name, "quotes", f"step {step.number}: take the variable out of the quotes, it brings its own")


def _points(name: str, steps: Sequence[Step]) -> Iterator[Problem]:
    """Find points that are given twice in one file, and acts that are misspelled."""
    seen: set[str] = set()
    for step in steps:
        if step.point is None:
            continue
        near = difflib.get_close_matches(step.point, ACTS, n=1)
        if near and step.point not in ACTS:
            yield Problem(name, "point", f"step {step.number}: did you mean `Point: {near[0]}`?")
        if step.point in seen:
            yield Problem(name, "point", f"step {step.number}: give it another point, {step.point!r} is taken")
        seen.add(step.point)


def _is_shell(command: str) -> bool:
    """False for a query within a sentence, whose values stand between quotes."""
    return "{" not in without_variables(command)


def _unused(catalog: Catalog, given: Collection[str]) -> Iterator[Problem]:
    """Warn of what `sites:` gives and no runbook takes: mostly a spelling."""
    books: tuple[Book, ...] = (*catalog, *catalog.checklists)
    used = {name for book in books for _, template in templates_of(book) for name in variables(template)}
    for name in sorted(set(given) - used):
        near = difflib.get_close_matches(name, used, n=1)
        hint = f"did you mean {near[0]!r}?" if near else "take it out, or use it"
        yield Problem("sites (SITREP_CONFIG)", "site", f"{name}: no runbook uses this variable; {hint}", Level.WARNING)


def _signals(folder: Path, catalog: Catalog) -> Iterator[Problem]:
    known = _read(folder / SIGNALS)
    if not isinstance(known, dict):
        raise SitrepError(f"{SIGNALS}: write it as `signal_key: what it means`, one a line.")
    mapped = {signal for runbook in catalog for signal in runbook.signals}
    for signal in known:
        if signal not in mapped:
            yield Problem(SIGNALS, "signal", f"add {signal} to the signals of a runbook")
    for runbook in catalog:
        for signal in runbook.signals:
            if _SIGNAL_KEY.fullmatch(signal) and signal not in known:
                yield Problem(name_of(runbook), "signal", f"add {signal} to {SIGNALS}, or correct its spelling")


def _index(folder: Path, catalog: Catalog) -> Iterator[Problem]:
    file = folder / INDEX
    if not file.is_file() or file.read_text(encoding="utf-8") != document(catalog):
        yield Problem(INDEX, "catalog", "rewrite it: `sitrep runbooks catalog`")


def _text(folder: Path, file: Path) -> Iterator[Problem]:
    name = str(file.relative_to(folder))
    try:
        text = file.read_text(encoding="utf-8") if file.is_file() else ""
    except (OSError, UnicodeDecodeError):  # which the catalog has told
        return
    for target in _LINK.findall(text):
        path = target.partition("#")[0]
        if path and "://" not in path and not path.startswith("mailto:") and not (file.parent / path).exists():
            yield Problem(name, "link", f"fix the link to {target}: there is no such file")
    for number, kind in found_in(text):
        yield Problem(name, "secret", f"line {number}: take out what looks like a secret ({kind})")


def _alerts(file: Path, catalog: Catalog) -> Iterator[Problem]:
    found = _read(file)
    groups = found.get("groups") if isinstance(found, dict) else None
    if not isinstance(groups, list):
        raise SitrepError(f"{file}: give a file of Prometheus alerting rules, with `groups`.")
    for rule in [rule for group in groups for rule in (group or {}).get("rules") or []]:
        labels, annotations = rule.get("labels") or {}, rule.get("annotations") or {}
        if "alert" not in rule or labels.get("severity") != "critical":
            continue
        named = annotations.get("runbook_id") or labels.get("runbook_id")
        if not named:
            yield Problem(file.name, "alert", f"{rule['alert']}: add the annotation runbook_id")
        elif catalog.get(str(named)) is None:
            yield Problem(file.name, "alert", f"{rule['alert']}: correct runbook_id, there is no {named}")


def _read(file: Path) -> Any:
    try:
        return yaml_once.load(file.read_text(encoding="utf-8"))
    except (OSError, UnicodeDecodeError, yaml.YAMLError) as error:
        raise SitrepError(f"{file}: make it a readable YAML file ({' '.join(str(error).split())}).") from error


def counted(problems: Sequence[Problem]) -> Mapping[Level, int]:
    """Count errors and warnings."""
    return {level: sum(problem.level is level for problem in problems) for level in Level}

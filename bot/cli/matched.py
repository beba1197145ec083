"""What an alert leads to by the configuration, and why, as `sitrep intake match` shows it."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import asdict
from typing import Any

from bot import naming
from bot.config import Config
from bot.incidents import severity_words
from bot.incidents.cadence import spell
from bot.incidents.intake import Rule, Then, judge, rule_for, worst_first
from bot.incidents.model import Alert
from bot.incidents.policy import Severity
from bot.incidents.sources import is_alertmanager
from bot.incidents.subject import subject_of
from bot.runbooks.catalog import Catalog
from bot.runbooks.match import rank

NOTHING = "unknown: the alert names no service, pod or node"
FACTS = ("service", "namespace", "workload", "pod", "node", "mountpoint", "target", "instance", "cluster", "region")
THEN = {
    Then.DECLARE: "declares an incident",
    Then.TRIAGE: "is posted to the alerts channel for triage",
    Then.RECORD: "is recorded; nobody is notified",
}


def together(found: Sequence[Alert], config: Config, catalog: Catalog) -> dict[str, Any]:
    """Return what the alerts of one notification lead to, together and each."""
    verdict = judge(found, config.rules)
    return {
        "then": verdict.then.value,
        "severity": verdict.severity.value,
        "title": _title(found, config),
        "alerts": [one(alert, config, catalog) for alert in found],
    }


def one(alert: Alert, config: Config, catalog: Catalog) -> dict[str, Any]:
    """Return what an alert leads to, and why."""
    rules = config.rules
    verdict = judge([alert], rules)
    label, word = severity_words.said(alert)
    about = subject_of(alert)
    runbook = rank(catalog, [alert], verdict.severity, config.policy)[0]
    pages = verdict.then is Then.DECLARE
    ladder = config.ladder_of(verdict.severity) if pages else ""
    return {
        "then": verdict.then.value,
        "severity": verdict.severity.value,
        "rule": _named(rule_for(alert, rules), config),
        "severity_word": {"label": label, "said": word, "means": severity_words.meaning(word, rules.words)},
        "subject": {
            **{name: value for name, value in asdict(about).items() if name != "sources"},
            "place": about.place,
            "from": dict(about.sources),
        },
        "title": _title([alert], config),
        "ladder": ladder or None,
        "levels": [
            {"after": level.after, "name": level.name, "slack": list(level.slack), "pagerduty": bool(level.pagerduty)}
            for level in (config.policy.of(verdict.severity).ladder if pages else ())
        ],
        "runbook": runbook.runbook.id if verdict.then is not Then.RECORD else None,
        "runbook_reason": runbook.reason,
    }


def _title(found: Sequence[Alert], config: Config) -> str:
    opened = worst_first(found, config.rules)
    return naming.title_of(opened, placed=is_alertmanager(opened[0].source))


def _named(rule: Rule | None, config: Config) -> str:
    """Return which rule it is, by its place in the configuration."""
    if rule is None:
        return "no rule matches: triage"
    own = config.own_rules
    whose = f"intake rule {own.index(rule) + 1}" if rule in own else "default rule"
    return f"{whose}: {', '.join(str(matcher) for matcher in rule.matchers) or 'everything else'}"


def in_words(alert: Alert, config: Config, catalog: Catalog) -> str:
    """Say what an alert leads to, and why."""
    found = one(alert, config, catalog)
    then, word, about = Then(found["then"]), found["severity_word"], found["subject"]
    severity = Severity(found["severity"])
    lines = [f"{alert.name}: {_then(then, config.policy.called(severity))}", f"  Rule: {found['rule']}"]
    if word["said"]:
        read = f" (label {word['label']}), read as {word['means']}"
        lines.append(f"  Severity: {word['said']}{read}")
    else:
        lines.append("  Severity: the alert has none")
    lines.append(f"  About: {about['place'] or NOTHING}")
    lines += [f"    {name}: {about[name]} (from {about['from'].get(name, name)})" for name in FACTS if about[name]]
    if about["exporter"]:
        lines.append(
            f"    measured by: {about['exporter']}" + ("" if about["service"] else " (an exporter, so not the service)")
        )
    if then is not Then.RECORD:
        lines.append(f"  Title: {found['title']}")
        lines.append(f"  Pages: {_paged(found, then, config.policy.of(severity).key or severity.value)}")
        lines.append(f"  Runbook: {found['runbook']} ({found['runbook_reason']})")
    return "\n".join(lines)


def together_in_words(found: Sequence[Alert], config: Config) -> str:
    """Say what the alerts of one notification lead to together."""
    verdict = judge(found, config.rules)
    return f"Together: {_then(verdict.then, config.policy.called(verdict.severity))}\n  Title: {_title(found, config)}"


def _then(then: Then, severity: str) -> str:
    return THEN[then] if then is Then.RECORD else f"{THEN[then]} ({severity})"


def _paged(found: dict[str, Any], then: Then, key: str) -> str:
    if then is Then.TRIAGE:
        return "nobody, until someone accepts it"
    if not found["levels"]:
        if found["ladder"]:
            return f"nobody: `ladders.{found['ladder']}` is empty. Add levels to it."
        return f"nobody: the severity has no ladder. Set `severities.{key}.ladder`."
    levels = []
    for level in found["levels"]:
        when = f"after {spell(level['after'])}" if level["after"] else "at once"
        levels.append(f"{level['name']} {when}")
    return f"ladder {found['ladder']}: {', '.join(levels)}"

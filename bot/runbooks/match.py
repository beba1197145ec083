"""From alerts to the runbooks that answer them. Pure, and the same alerts always give the same order."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass

from bot.incidents.intake import Matcher
from bot.incidents.model import Alert
from bot.incidents.policy import Severity
from bot.incidents.sources import labels_of
from bot.runbooks.catalog import Catalog
from bot.runbooks.model import Runbook

SIGNAL_KEYS = ("signal", "signal_key")
SERVICE_KEYS = ("service", "job")
LONGEST_NAME = 80  # of a name from outside, quoted in a reason


@dataclass(frozen=True, slots=True)
class Match:
    """A runbook, and why it was chosen, in words for the card and the timeline."""

    runbook: Runbook
    reason: str


def match(catalog: Catalog, alerts: Sequence[Alert], severity: Severity | None = None) -> Match:
    """Choose the runbook to post: the first of `rank`."""
    return rank(catalog, alerts, severity)[0]


def rank(catalog: Catalog, alerts: Sequence[Alert], severity: Severity | None = None) -> tuple[Match, ...]:
    """Give every runbook that answers the alerts, the surest first; the general one where there is no other.

    By `runbook_id`, then `runbook_url`, signal, alertname, matchers, and the service (those of the incident's severity
    before others). Each is looked for in all alerts, in their order, before the next. A `runbook_id` that the catalog
    does not hold is passed over, and the first reason says so: the alert rule wants mending.
    """
    found: dict[str, Match] = {}
    for runbook, reason in _candidates(catalog, alerts, severity):
        found.setdefault(runbook.id, Match(runbook, reason))
    ranked = list(found.values()) or [Match(catalog.general, "no runbook matched: general first response")]
    unknown = [name for _, name in _facts(alerts, "runbook_id") if catalog.get(name) is None]
    note = "".join(f"runbook_id {_short(name)} is not in the catalog; " for name in dict.fromkeys(unknown))
    return (Match(ranked[0].runbook, note + ranked[0].reason), *ranked[1:])


def _candidates(catalog: Catalog, alerts: Sequence[Alert], severity: Severity | None) -> Iterator[tuple[Runbook, str]]:
    for where, name in _facts(alerts, "runbook_id"):
        runbook = catalog.get(name)
        if runbook is not None:
            yield runbook, f"matched by {where} runbook_id"
    by_url = {runbook.url: runbook for runbook in catalog}
    for where, url in _facts(alerts, "runbook_url"):
        if url in by_url:
            yield by_url[url], f"matched by {where} runbook_url"
    for _, signal in _facts(alerts, *SIGNAL_KEYS):
        for runbook in _answering(catalog, signal):
            yield runbook, f"matched by signal {_short(signal)}"
    for alert in alerts:
        for runbook in _answering(catalog, alert.name):
            yield runbook, f"matched by alertname {_short(alert.name)}"
    conditions = [
        (runbook, [Matcher.parse(text) for text in runbook.matchers]) for runbook in catalog if runbook.matchers
    ]
    for alert in alerts:
        labels = {**alert.labels, "alertname": alert.name, **labels_of(alert.source)}
        for runbook, matchers in conditions:
            if all(matcher.matches(labels) for matcher in matchers):
                yield runbook, f"matched by {', '.join(runbook.matchers)}"
    yield from _of_service(catalog, alerts, severity)


def _answering(catalog: Catalog, signal: str) -> list[Runbook]:
    """Give the runbooks that name a signal: the one that names it earliest in its own list first."""
    found = [runbook for runbook in catalog if signal in runbook.signals]
    return sorted(found, key=lambda runbook: (runbook.signals.index(signal), runbook.id))


def _of_service(catalog: Catalog, alerts: Sequence[Alert], severity: Severity | None) -> Iterator[tuple[Runbook, str]]:
    for _, service in _facts(alerts, *SERVICE_KEYS):
        found = [runbook for runbook in catalog if service in runbook.services]
        for runbook in sorted(found, key=lambda runbook: (runbook.severity_hint is not severity, runbook.id)):
            also = f" and {severity.value}" if severity is not None and runbook.severity_hint is severity else ""
            yield runbook, f"matched by service {_short(service)}{also}"


def _facts(alerts: Sequence[Alert], *keys: str) -> Iterator[tuple[str, str]]:
    """Give ("annotation" or "label", value) for each of these keys that an alert carries."""
    for alert in alerts:
        for key in keys:
            for where, facts in (("annotation", alert.annotations), ("label", alert.labels)):
                value = facts.get(key, "").strip()
                if value:
                    yield where, value


def _short(name: str) -> str:
    line = " ".join(name.split())
    return line if len(line) <= LONGEST_NAME else line[: LONGEST_NAME - 1] + "…"

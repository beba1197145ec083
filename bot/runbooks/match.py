"""From alerts to the runbooks that answer them. Pure, and the same alerts always give the same order."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from enum import IntEnum

from bot.incidents.matchers import Matcher
from bot.incidents.model import Alert
from bot.incidents.policy import DEFAULT_POLICY, Policy, Severity
from bot.incidents.subject import subject_of
from bot.runbooks import names
from bot.runbooks.catalog import Catalog
from bot.runbooks.model import Runbook

SIGNAL_KEYS = ("signal", "signal_key")
INCIDENT_KEY = "incident_key"  # the label under which PagerDuty's key of an incident stands
TITLED = "pagerduty"  # the source whose alerts are called by a title
LONGEST_NAME = 80  # of a name from outside, quoted in a reason


class Way(IntEnum):
    """How a runbook was found; the lower, the surer."""

    ID = 1
    URL = 2
    SIGNAL = 3
    NAME = 4
    FAMILY = 5
    MATCHERS = 6
    SYMPTOM = 7
    SYMPTOM_FAMILY = 8
    SYMPTOM_MATCHERS = 9
    SERVICE = 10
    NONE = 11


@dataclass(frozen=True, slots=True)
class Match:
    """A runbook, and why it was chosen, in words for the card and the timeline; `alert` is what led to it, by name."""

    runbook: Runbook
    reason: str
    way: Way = Way.NONE
    alert: str = ""


def match(catalog: Catalog, alerts: Sequence[Alert], severity: Severity | None = None) -> Match:
    """Choose the runbook to post: the first of `rank`."""
    return rank(catalog, alerts, severity)[0]


def rank(
    catalog: Catalog, alerts: Sequence[Alert], severity: Severity | None = None, policy: Policy = DEFAULT_POLICY
) -> tuple[Match, ...]:
    """Give every runbook that answers the alerts, the surest first; the general one where there is no other.

    By `runbook_id`, then `runbook_url`, signal, alert name, family of names, matchers, names that are symptoms of any
    component, and the service (those of the incident's severity before others). Each is looked for in all alerts, in
    their order, before the next. A `runbook_id` that the catalog does not hold is passed over, and the first reason
    says so: the alert rule wants mending.
    """
    found: dict[str, Match] = {}
    for each in sorted(_candidates(catalog, alerts, severity, policy), key=lambda each: each.way):
        found.setdefault(each.runbook.id, each)
    ranked = list(found.values()) or [Match(catalog.general, "no runbook matched: general first response")]
    unknown = [name for _, _, name in _facts(alerts, "runbook_id") if catalog.get(name) is None]
    note = "".join(f"runbook_id {_short(name)} is not in the catalog; " for name in dict.fromkeys(unknown))
    first = ranked[0]
    return (Match(first.runbook, note + first.reason, first.way, first.alert), *ranked[1:])


def better(ranked: Sequence[Match], book: str) -> Match | None:
    """Give the first of `rank` where it was found by a surer way than the runbook that is posted; else None."""
    best = ranked[0]
    present = next((each.way for each in ranked if each.runbook.id == book), Way.NONE)
    return best if best.runbook.id != book and best.way < present else None


def _candidates(
    catalog: Catalog, alerts: Sequence[Alert], severity: Severity | None, policy: Policy
) -> Iterator[Match]:
    for alert, where, name in _facts(alerts, "runbook_id"):
        runbook = catalog.get(name)
        if runbook is not None:
            yield Match(runbook, f"matched by {where} runbook_id", Way.ID, alert.name)
    for alert, where, url in _facts(alerts, "runbook_url"):
        for runbook in catalog.by_url(url):
            yield Match(runbook, f"matched by {where} runbook_url", Way.URL, alert.name)
    for alert, _, signal in _facts(alerts, *SIGNAL_KEYS):
        for runbook in _signalled(catalog, signal):
            yield Match(runbook, f"matched by signal {_short(signal)}", Way.SIGNAL, alert.name)
    for alert in alerts:
        yield from _by_name(catalog, alert)
        yield from _by_family(catalog, alert)
    conditions = [
        (runbook, [Matcher.parse(text) for text in runbook.matchers]) for runbook in catalog if runbook.matchers
    ]
    for alert in alerts:
        labels = {**alert.annotations, **alert.labels, "alertname": alert.name, "source": alert.source}
        for runbook, matchers in conditions:
            if all(matcher.matches(labels) for matcher in matchers):
                way = Way.SYMPTOM_MATCHERS if runbook.symptom else Way.MATCHERS
                yield Match(runbook, f"matched by {', '.join(runbook.matchers)}", way, alert.name)
    yield from _of_service(catalog, alerts, severity, policy)


def _signalled(catalog: Catalog, signal: str) -> list[Runbook]:
    """Give the runbooks that name a signal: the one that names it earliest in its own list first."""
    found = [runbook for runbook in catalog if signal in runbook.signals]
    return sorted(found, key=lambda runbook: (runbook.signals.index(signal), runbook.id))


def _names(catalog: Catalog, alert: Alert) -> Iterator[tuple[str, str]]:
    """Give the names that an alert goes by, each with where it was found unless it is its own."""
    if (named := alert.labels.get("alertname", "")) and named != alert.name:
        yield named, ""
    yield alert.name, ""
    if alert.source == TITLED:
        for name in names.in_title(alert.name, catalog.names):
            yield name, " in the title"
        for name in names.in_title(alert.labels.get(INCIDENT_KEY, ""), catalog.names):
            yield name, " in the incident key"


def _by_name(catalog: Catalog, alert: Alert) -> Iterator[Match]:
    for name, where in _names(catalog, alert):
        for runbook in catalog.named(name):
            way = Way.SYMPTOM if runbook.symptom else Way.NAME
            yield Match(runbook, f"matched by alertname {_short(name)}{where}", way, _short(name))


def _by_family(catalog: Catalog, alert: Alert) -> Iterator[Match]:
    written = [(alert.labels.get("alertname") or ("" if alert.source == TITLED else alert.name), "")]
    if alert.source == TITLED:
        written += [(name, " in the title") for name in names.candidates(alert.name)]
    for runbook, family in catalog.families:
        for name, where in written:
            if name and names.belongs(name, family):
                way = Way.SYMPTOM_FAMILY if runbook.symptom else Way.FAMILY
                yield Match(runbook, f'matched by alertname=~"{family}"{where}', way, _short(name))
                break


def _of_service(
    catalog: Catalog, alerts: Sequence[Alert], severity: Severity | None, policy: Policy
) -> Iterator[Match]:
    for alert, service in [(each, service) for each in alerts for service in _services(each)]:
        key = names.key_of(service)
        found = [runbook for runbook in catalog if key in map(names.key_of, runbook.services)]
        for runbook in sorted(found, key=lambda runbook: (runbook.severity_hint is not severity, runbook.id)):
            also = (
                f" and {policy.called(severity)}" if severity is not None and runbook.severity_hint is severity else ""
            )
            yield Match(runbook, f"matched by service {_short(service)}{also}", Way.SERVICE, alert.name)


def _services(alert: Alert) -> Iterator[str]:
    """Give the service that an alert is about, and its job where that is no exporter's."""
    subject = subject_of(alert)
    if subject.service:
        yield subject.service
    if not subject.exporter and (job := alert.fact("job")) and job != subject.service:
        yield job


def _facts(alerts: Sequence[Alert], *keys: str) -> Iterator[tuple[Alert, str, str]]:
    """Give each alert that carries one of these keys, with "annotation" or "label", and the value."""
    for alert in alerts:
        for key in keys:
            for where, facts in (("annotation", alert.annotations), ("label", alert.labels)):
                value = facts.get(key, "").strip()
                if value:
                    yield alert, where, value


def _short(name: str) -> str:
    line = " ".join(name.split())
    return line if len(line) <= LONGEST_NAME else line[: LONGEST_NAME - 1] + "…"

"""From alerts to a verdict: which rule an alert meets, and which of a group's alerts are news.

Matchers follow Alertmanager's syntax: `name="value"`, `!=`, `=~` and `!~`, the regular expressions anchored at both
ends. An alert occurrence is open from its first `firing` to its `resolved`; a repeat of an open one is not news.
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from enum import StrEnum

from bot.incidents.model import Alert
from bot.incidents.policy import Severity
from bot.incidents.sources import labels_of

# A second high-availability peer, or a retry, can deliver an alert that has been resolved meanwhile. Alertmanager
# retries a flush for one group_interval (5 min by default); twice that is taken as the same occurrence.
STALE_WITHIN = timedelta(minutes=10)

_MATCHER = re.compile(r"""^\s*([A-Za-z_][A-Za-z0-9_]*)\s*(=~|!~|!=|=)\s*(?:"((?:[^"\\]|\\.)*)"|([^"\s]*))\s*$""")
_ESCAPES = {"\\n": "\n", '\\"': '"', "\\\\": "\\"}


class Then(StrEnum):
    """What a rule asks for, weakest first."""

    RECORD = "record"
    TRIAGE = "triage"
    DECLARE = "declare"


_STRENGTH = {Then.RECORD: 0, Then.TRIAGE: 1, Then.DECLARE: 2}


@dataclass(frozen=True, slots=True)
class Matcher:
    """One condition on a label; a label that is absent counts as empty, as Alertmanager has it."""

    label: str
    op: str
    value: str

    @classmethod
    def parse(cls, text: str) -> Matcher:
        """Read a matcher.

        Raises:
            ValueError: the text is no matcher, or its regular expression does not compile.
        """
        found = _MATCHER.match(text)
        if not found:
            raise ValueError(f'Write the matcher as label="value" (or !=, =~, !~), not {text!r}.')
        label, op, quoted, bare = found.groups()
        value = re.sub(r'\\n|\\"|\\\\', lambda m: _ESCAPES[m.group()], quoted) if quoted is not None else bare
        if op in {"=~", "!~"}:
            try:
                re.compile(value)
            except re.error as error:
                raise ValueError(f"Mend the regular expression in {text!r}: {error}.") from error
        return cls(label, op, value)

    def matches(self, labels: Mapping[str, str]) -> bool:
        """True when the labels meet the condition."""
        actual = labels.get(self.label, "")
        if self.op == "=":
            return actual == self.value
        if self.op == "!=":
            return actual != self.value
        hit = re.fullmatch(self.value, actual) is not None
        return hit if self.op == "=~" else not hit


@dataclass(frozen=True, slots=True)
class Rule:
    """All matchers must hold; then the alert is declared, triaged or recorded at this severity."""

    matchers: tuple[Matcher, ...]
    then: Then
    severity: Severity = Severity.SEV3


@dataclass(frozen=True, slots=True)
class Verdict:
    """What is to be done with an alert."""

    then: Then
    severity: Severity


def _rule(then: Then, severity: Severity, *matchers: str) -> Rule:
    return Rule(tuple(Matcher.parse(m) for m in matchers), then, severity)


PAGERDUTY_RULES: tuple[Rule, ...] = (
    _rule(Then.DECLARE, Severity.SEV1, 'source="pagerduty"', 'priority="P1"'),
    _rule(Then.DECLARE, Severity.SEV2, 'source="pagerduty"', 'priority="P2"'),
    _rule(Then.DECLARE, Severity.SEV2, 'source="pagerduty"', 'urgency="high"'),
    _rule(Then.TRIAGE, Severity.SEV3, 'source="pagerduty"'),
)
DEFAULT_RULES: tuple[Rule, ...] = (
    _rule(Then.DECLARE, Severity.SEV2, 'severity="critical"'),
    _rule(Then.TRIAGE, Severity.SEV3, 'severity="warning"'),
    _rule(Then.RECORD, Severity.SEV4),
)


def complete(rules: Sequence[Rule]) -> tuple[Rule, ...]:
    """Put PagerDuty's default rules before a list that says nothing of PagerDuty, so that its pages are not lost."""
    named = {matcher.label for rule in rules for matcher in rule.matchers}
    return tuple(rules) if named & {"source", "priority", "urgency"} else (*PAGERDUTY_RULES, *rules)


def judge(alerts: Iterable[Alert], rules: Sequence[Rule]) -> Verdict:
    """Give the strongest verdict over the alerts; for each of them the first rule that matches decides."""
    best = Verdict(Then.RECORD, Severity.SEV4)
    for alert in alerts:
        labels = {**alert.labels, **labels_of(alert.source)}
        for rule in rules:
            if all(matcher.matches(labels) for matcher in rule.matchers):
                here = Verdict(rule.then, rule.severity)
                if (_STRENGTH[here.then], best.severity.value) > (_STRENGTH[best.then], here.severity.value):
                    best = here
                break
    return best


def worst_first(alerts: Iterable[Alert], rules: Sequence[Rule]) -> list[Alert]:
    """Put the alert with the strongest verdict first: an incident is named after it."""

    def rank(alert: Alert) -> tuple[int, str]:
        verdict = judge([alert], rules)
        return -_STRENGTH[verdict.then], verdict.severity.value

    return sorted(alerts, key=rank)


@dataclass(frozen=True, slots=True)
class Occurrence:
    """What is known of an alert: when it began and, once it is over, when it ended and when we heard of that."""

    fingerprint: str
    starts_at: datetime | None
    ends_at: datetime | None = None
    closed_at: datetime | None = None

    @property
    def is_open(self) -> bool:
        """True while it fires."""
        return self.closed_at is None


@dataclass(frozen=True, slots=True)
class News:
    """What a notification changes: alerts that began, alerts that ended, and known ones whose facts were repeated.

    `lapsed` are those among the begun whose occurrence before must have ended without a word.
    """

    opened: tuple[Alert, ...]
    closed: tuple[Alert, ...]
    repeated: tuple[Alert, ...]
    lapsed: tuple[Alert, ...] = ()


def news(
    firing: Iterable[Alert],
    resolved: Iterable[Alert],
    known: Mapping[str, Occurrence],
    now: datetime,
    over: datetime | None = None,
) -> News:
    """Compare a notification with what is known of its group, by fingerprint.

    `over` is the moment at which the group's incident was resolved, if it was: an alert that began after it is a new
    one, even where the end of the one before was never heard of.

    `known` holds the newest occurrence of each fingerprint. An alert that a (truncated) notification leaves out is
    not thereby resolved. A `resolved` that ended before the open occurrence began belongs to an earlier one.
    """
    opened: list[Alert] = []
    closed: list[Alert] = []
    repeated: list[Alert] = []
    lapsed: list[Alert] = []
    for alert in {alert.fingerprint: alert for alert in firing}.values():
        last = known.get(alert.fingerprint)
        if last is None or not (last.is_open or _stale(alert, last, now)):
            opened.append(alert)
        elif last.is_open and over and alert.starts_at and over < alert.starts_at <= now:
            lapsed.append(alert)
            opened.append(alert)
        elif last.is_open:
            repeated.append(alert)
    for alert in {alert.fingerprint: alert for alert in resolved}.values():
        last = known.get(alert.fingerprint)
        if last is None or not last.is_open:
            continue
        # Alertmanager takes the end as the start where a sender gave none: such a start lies ahead, and says nothing.
        began = last.starts_at if last.starts_at and last.starts_at <= now else None
        earlier = alert.ends_at and began and alert.ends_at < _second(began)
        if not earlier:
            closed.append(alert)
    return News(tuple(opened), tuple(closed), tuple(repeated), tuple(lapsed))


def _stale(alert: Alert, last: Occurrence, now: datetime) -> bool:
    """A late copy of an occurrence that is over already: it began no later than that one, and it ended just now."""
    if last.closed_at is None or now - last.closed_at > STALE_WITHIN:
        return False
    if alert.starts_at is None or last.starts_at is None:
        return False
    return _second(alert.starts_at) <= _second(last.starts_at)


def _second(moment: datetime) -> datetime:
    # Alertmanager can send one start with and without its fraction of a second.
    return moment.replace(microsecond=0)

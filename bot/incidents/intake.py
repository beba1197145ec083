"""From alerts to a verdict: which rule an alert meets, and which of a group's alerts are news.

Rules see a severity by what its word means, without case; an alert's own labels stay as they are. An alert occurrence
is open from its first `firing` to its `resolved`; a repeat of an open one is not news.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from enum import StrEnum
from typing import overload

from bot.incidents import severity_words
from bot.incidents.matchers import Matcher
from bot.incidents.model import Alert
from bot.incidents.policy import Severity
from bot.incidents.sources import labels_of

# A second high-availability peer, or a retry, can deliver an alert that has been resolved meanwhile; its own `resolved`
# follows within this. Alertmanager retries a flush for one group_interval (5 min by default): twice that.
STALE_WITHIN = timedelta(minutes=10)


class Then(StrEnum):
    """What a rule asks for, weakest first."""

    RECORD = "record"
    TRIAGE = "triage"
    DECLARE = "declare"


_WORDS = re.compile(r"[\w -]+(\|[\w -]+)*")  # what names words, as a plain value or as choices of an expression
_STRENGTH = {Then.RECORD: 0, Then.TRIAGE: 1, Then.DECLARE: 2}


APART = ("service",)  # a namespace's route must not put one service's outage under another's


@dataclass(frozen=True, slots=True)
class Rule:
    """All matchers must hold; then the alert is declared, triaged or recorded at this severity.

    Alerts of one group that differ in a label of `apart` (or in the service that they are about, for `service`) get
    incidents of their own, unless they come together.
    """

    matchers: tuple[Matcher, ...]
    then: Then
    severity: Severity = Severity.SEV3
    apart: tuple[str, ...] = APART


Find = Callable[[Alert, Sequence[Rule]], Rule | None]


@dataclass(frozen=True, slots=True)
class Verdict:
    """What is to be done with an alert."""

    then: Then
    severity: Severity


class Rules(Sequence[Rule]):
    """Rules in their order, with the words that they take a severity for."""

    def __init__(self, rules: Iterable[Rule], words: Mapping[str, str] = severity_words.DEFAULT_WORDS) -> None:
        self._rules = tuple(rules)
        self.words = words

    def __len__(self) -> int:
        return len(self._rules)

    @overload
    def __getitem__(self, index: int) -> Rule: ...
    @overload
    def __getitem__(self, index: slice) -> Rules: ...
    def __getitem__(self, index: int | slice) -> Rule | Rules:
        found = self._rules[index]
        return Rules(found, self.words) if isinstance(found, tuple) else found


def _rule(then: Then, severity: Severity, *matchers: str) -> Rule:
    return Rule(tuple(Matcher.parse(m) for m in matchers), then, severity)


PAGERDUTY_RULES: tuple[Rule, ...] = (
    # `severity` is what the priority stands for; names that nothing has mapped yet are taken as they are.
    _rule(Then.DECLARE, Severity.SEV1, 'source="pagerduty"', 'severity="sev1"'),
    _rule(Then.DECLARE, Severity.SEV2, 'source="pagerduty"', 'severity="sev2"'),
    _rule(Then.DECLARE, Severity.SEV1, 'source="pagerduty"', 'severity=""', 'priority="P1"'),
    _rule(Then.DECLARE, Severity.SEV2, 'source="pagerduty"', 'severity=""', 'priority="P2"'),
    _rule(Then.DECLARE, Severity.SEV2, 'source="pagerduty"', 'urgency="high"'),
    _rule(Then.TRIAGE, Severity.SEV3, 'source="pagerduty"'),
)
# They fire all the time, by design: to show that alerting works, and to hold back alerts of less weight.
ALWAYS_FIRING = _rule(Then.RECORD, Severity.SEV4, 'alertname=~"Watchdog|InfoInhibitor"')
# What ends every list that does not end itself: silence is only what a rule names.
LAST_RULES: tuple[Rule, ...] = (
    _rule(Then.RECORD, Severity.SEV4, 'severity=~"info|none"'),
    _rule(Then.TRIAGE, Severity.SEV3),
)
DEFAULT_RULES: tuple[Rule, ...] = (
    ALWAYS_FIRING,
    _rule(Then.DECLARE, Severity.SEV2, 'severity="critical"'),
    _rule(Then.DECLARE, Severity.SEV1, 'severity="sev1"'),
    _rule(Then.DECLARE, Severity.SEV2, 'severity="sev2"'),
    _rule(Then.TRIAGE, Severity.SEV4, 'severity="sev4"'),
    *LAST_RULES,
)
_NO_MATCH = Rule((), Then.TRIAGE, Severity.SEV3)


def complete(rules: Sequence[Rule]) -> tuple[Rule, ...]:
    """Put the default rules around a company's list for what it says nothing of.

    PagerDuty's come first, so that its pages are not lost; the alerts that always fire are recorded; and a list that
    leaves alerts over, because no rule of it takes them all, ends as the default one does.
    """
    matchers = [matcher for rule in rules for matcher in rule.matchers]
    names = " ".join(matcher.value for matcher in matchers if matcher.label == "alertname")
    always = () if "Watchdog" in names or "InfoInhibitor" in names else (ALWAYS_FIRING,)
    pages = () if {m.label for m in matchers} & {"source", "priority", "urgency"} else PAGERDUTY_RULES
    last = () if any(not rule.matchers for rule in rules) else LAST_RULES
    return (*always, *pages, *rules, *last)


def words_named(rules: Iterable[Rule]) -> frozenset[str]:
    """Return the severity words that rules name themselves, which therefore stay as they are."""
    values = (m.value for rule in rules for m in rule.matchers if m.label == severity_words.SEVERITY)
    return frozenset(word for value in values if _WORDS.fullmatch(value) for word in value.split("|"))


def judge(alerts: Iterable[Alert], rules: Sequence[Rule], find: Find | None = None) -> Verdict:
    """Give the strongest verdict over the alerts; for each of them the first rule that matches decides.

    An alert that no rule matches is triaged. `find` finds an alert's rule in place of `rule_for`.
    """
    best = Verdict(Then.RECORD, Severity.SEV4)
    for alert in alerts:
        rule = (find or rule_for)(alert, rules) or _NO_MATCH
        here = Verdict(rule.then, rule.severity)
        if (_STRENGTH[here.then], best.severity.value) > (_STRENGTH[best.then], here.severity.value):
            best = here
    return best


def rule_for(alert: Alert, rules: Sequence[Rule]) -> Rule | None:
    """Return the first rule that matches an alert, its severity read by the table of words; None where none does."""
    words = rules.words if isinstance(rules, Rules) else severity_words.DEFAULT_WORDS
    _, word = severity_words.said(alert)
    labels = {**alert.labels, **labels_of(alert.source)}
    labels[severity_words.SEVERITY] = severity_words.meaning(word, words)
    return next((rule for rule in rules if all(_matches(matcher, labels) for matcher in rule.matchers)), None)


def _matches(matcher: Matcher, labels: Mapping[str, str]) -> bool:
    if matcher.label != severity_words.SEVERITY:
        return matcher.matches(labels)
    if matcher.op in {"=", "!="}:
        is_it = severity_words.plain(labels[matcher.label]) == severity_words.plain(matcher.value)
        return is_it is (matcher.op == "=")
    return matcher.matches(labels, ignore_case=True)


def worst_first(alerts: Iterable[Alert], rules: Sequence[Rule], find: Find | None = None) -> list[Alert]:
    """Put the alert with the strongest verdict first: an incident is named after it."""

    def rank(alert: Alert) -> tuple[int, str]:
        verdict = judge([alert], rules, find)
        return -_STRENGTH[verdict.then], verdict.severity.value

    return sorted(alerts, key=rank)


@dataclass(frozen=True, slots=True)
class Occurrence:
    """What is known of an alert: when it began, when we heard of it, and, once it is over, when it ended."""

    fingerprint: str
    starts_at: datetime | None
    ends_at: datetime | None = None
    closed_at: datetime | None = None
    opened_at: datetime | None = None

    @property
    def is_open(self) -> bool:
        """True while it fires."""
        return self.closed_at is None


@dataclass(frozen=True, slots=True)
class News:
    """What a notification changes: alerts that began, alerts that ended, and known ones whose facts were repeated.

    `lapsed` are those among the begun whose occurrence before must have ended without a word. `late` holds the
    fingerprints of those that began with the start of an occurrence that has just ended: the line to their source was
    lost and is back, or it is a late copy of another peer, whose own `resolved` follows.
    """

    opened: tuple[Alert, ...] = ()
    closed: tuple[Alert, ...] = ()
    repeated: tuple[Alert, ...] = ()
    lapsed: tuple[Alert, ...] = ()
    late: frozenset[str] = frozenset()


def news(
    firing: Iterable[Alert],
    resolved: Iterable[Alert],
    known: Mapping[str, Occurrence],
    now: datetime,
    *,
    in_hand: bool = True,
    over: datetime | None = None,
) -> News:
    """Compare a notification with what is known of its group, by fingerprint.

    `in_hand` says that an open incident has the group: an alert that began anew without a word of its end is then a
    repeat. Else nobody may be looking any more, so that it is news: one that began after we had heard of it before,
    or after `over`, the moment at which the group's incident was resolved.

    `known` holds the newest occurrence of each fingerprint. An alert that a (truncated) notification leaves out is
    not thereby resolved. A `resolved` that ended before the open occurrence began belongs to an earlier one.
    """
    opened: list[Alert] = []
    closed: list[Alert] = []
    repeated: list[Alert] = []
    lapsed: list[Alert] = []
    late: set[str] = set()
    for alert in {alert.fingerprint: alert for alert in firing}.values():
        last = known.get(alert.fingerprint)
        if last is None or not last.is_open:
            opened.append(alert)
            if last is not None and _goes_on(alert, last, now):
                late.add(alert.fingerprint)
        elif not in_hand and _began_anew(alert, last, now, over):
            lapsed.append(alert)
            opened.append(alert)
        else:
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
    return News(tuple(opened), tuple(closed), tuple(repeated), tuple(lapsed), frozenset(late))


def _goes_on(alert: Alert, last: Occurrence, now: datetime) -> bool:
    """Tell whether an alert fires with the start of an occurrence that ended just now, or an earlier one."""
    if last.closed_at is None or now - last.closed_at > STALE_WITHIN:
        return False
    if alert.starts_at is None or last.starts_at is None:
        return False
    return _second(alert.starts_at) <= _second(last.starts_at)


def _began_anew(alert: Alert, last: Occurrence, now: datetime, over: datetime | None) -> bool:
    """Tell whether an alert's start shows that the open occurrence is another one, whose end was never heard of."""
    start = alert.starts_at
    if start is None or start > now:
        return False
    if over is not None and over < start:
        return True
    later = last.starts_at is not None and _second(start) > _second(last.starts_at)
    return later and last.opened_at is not None and start > last.opened_at


def _second(moment: datetime) -> datetime:
    # Alertmanager can send one start with and without its fraction of a second.
    return moment.replace(microsecond=0)

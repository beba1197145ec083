"""From alerts to a verdict: matchers, rules, and what of a notification is news."""

from __future__ import annotations

from datetime import datetime, timedelta

import pytest

from bot.incidents.intake import (
    DEFAULT_RULES,
    PAGERDUTY_RULES,
    STALE_WITHIN,
    Matcher,
    News,
    Occurrence,
    Rule,
    Then,
    Verdict,
    complete,
    judge,
    news,
    worst_first,
)
from bot.incidents.model import Alert
from bot.incidents.policy import Severity
from tests.unit.incidents.story import START, an_alert, moment

BEGAN = moment(-4)
RECORDED = Verdict(Then.RECORD, Severity.SEV4)


def firing(source: str = "alertmanager", **labels: str) -> Alert:
    """Make an alert with these labels."""
    return an_alert(source=source, labels=labels)


def rule(then: Then, severity: Severity, *matchers: str) -> Rule:
    """Make a rule."""
    return Rule(tuple(Matcher.parse(m) for m in matchers), then, severity)


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ('severity="critical"', ("severity", "=", "critical")),
        ("severity=critical", ("severity", "=", "critical")),
        ('  severity  !=  "critical"  ', ("severity", "!=", "critical")),
        ('service=~"api|web"', ("service", "=~", "api|web")),
        ('_private1!~"x.*"', ("_private1", "!~", "x.*")),
        ('empty=""', ("empty", "=", "")),
        ("empty=", ("empty", "=", "")),
        ('text="two words, a = and a !~"', ("text", "=", "two words, a = and a !~")),
        (r'quote="say \"hi\""', ("quote", "=", 'say "hi"')),
        (r'lines="a\nb"', ("lines", "=", "a\nb")),
        (r'path="C:\\new"', ("path", "=", r"C:\new")),
        (r'digits=~"\d+\.\d+"', ("digits", "=~", r"\d+\.\d+")),
        ('umlaut="Zürich"', ("umlaut", "=", "Zürich")),
    ],
)
def test_a_matcher_is_read_as_alertmanager_reads_it(text: str, expected: tuple[str, str, str]) -> None:
    r"""Quotes are optional, spaces are free, and only \n, \" and \\ are escapes: a regular expression keeps its own."""
    matcher = Matcher.parse(text)
    assert (matcher.label, matcher.op, matcher.value) == expected


@pytest.mark.parametrize(
    "text",
    [
        "",
        "severity",
        '="x"',
        '1a="x"',
        'a-b="x"',
        'a=="x"',
        'a="x',
        'a="x" b',
        'a="x"y"',
        "a=two words",
        'a>"1"',
        'a="x\\"',
    ],
)
def test_what_is_no_matcher_is_refused(text: str) -> None:
    """The error shows the text and how a matcher is written."""
    with pytest.raises(ValueError, match='Write the matcher as label="value"') as error:
        Matcher.parse(text)
    assert repr(text) in str(error.value)


@pytest.mark.parametrize("op", ["=~", "!~"])
def test_a_broken_regular_expression_is_refused(op: str) -> None:
    """The error names the expression and what is wrong with it; the same text is fine as a plain value."""
    with pytest.raises(ValueError, match="Mend the regular expression") as error:
        Matcher.parse(f'a{op}"(x"')
    assert "unterminated subpattern" in str(error.value)
    assert Matcher.parse('a="(x"').value == "(x"


@pytest.mark.parametrize(
    ("text", "labels", "expected"),
    [
        ('a="x"', {"a": "x"}, True),
        ('a="x"', {"a": "X"}, False),
        ('a="x"', {}, False),
        ('a=""', {}, True),
        ('a=""', {"a": "x"}, False),
        ('a!="x"', {"a": "y"}, True),
        ('a!="x"', {"a": "x"}, False),
        ('a!="x"', {}, True),
        ('a!=""', {}, False),
        ('a=~"x"', {"a": "xx"}, False),
        ('a=~"x.*"', {"a": "xx"}, True),
        ('a=~"x|yz"', {"a": "xz"}, False),
        ('a=~"x|yz"', {"a": "yz"}, True),
        ('a=~"x|yz"', {"a": "ayz"}, False),
        ('a=~"x"', {"a": "x\n"}, False),
        ('a=~".*"', {}, True),
        ('a=~".+"', {}, False),
        ('a!~"x.*"', {"a": "xx"}, False),
        ('a!~"x"', {"a": "xx"}, True),
        ('a!~"x"', {}, True),
        ('a!~".*"', {}, False),
    ],
)
def test_matching(text: str, labels: dict[str, str], expected: bool) -> None:
    """Equality is exact, a regular expression is anchored at both ends, and an absent label counts as empty."""
    assert Matcher.parse(text).matches(labels) is expected


@pytest.mark.parametrize(
    ("alert", "expected"),
    [
        (firing(severity="critical"), Verdict(Then.DECLARE, Severity.SEV2)),
        (firing(severity="warning"), Verdict(Then.TRIAGE, Severity.SEV3)),
        (firing(severity="info"), RECORDED),
        (firing(), RECORDED),
        (firing("pagerduty", priority="P1", urgency="low"), Verdict(Then.DECLARE, Severity.SEV1)),
        (firing("pagerduty", priority="P2", urgency="low"), Verdict(Then.DECLARE, Severity.SEV2)),
        (firing("pagerduty", priority="P3", urgency="high"), Verdict(Then.DECLARE, Severity.SEV2)),
        (firing("pagerduty", urgency="high"), Verdict(Then.DECLARE, Severity.SEV2)),
        (firing("pagerduty", priority="P3", urgency="low"), Verdict(Then.TRIAGE, Severity.SEV3)),
        (firing("pagerduty"), Verdict(Then.TRIAGE, Severity.SEV3)),
        (firing(priority="P1", urgency="high"), RECORDED),
    ],
)
def test_the_default_rules(alert: Alert, expected: Verdict) -> None:
    """Critical declares, a warning is triaged, the rest is recorded; PagerDuty declares by priority or urgency."""
    assert judge([alert], complete(DEFAULT_RULES)) == expected


def test_the_source_is_ours_to_say() -> None:
    """A label called `source` on an alert does not make it PagerDuty's."""
    alert = an_alert(labels={"source": "pagerduty", "priority": "P1"})
    assert judge([alert], complete(DEFAULT_RULES)) == RECORDED


def test_the_first_rule_that_matches_decides() -> None:
    """A later rule that is stronger does not count for an alert that an earlier one has met."""
    rules = [
        rule(Then.RECORD, Severity.SEV4, 'service="sandbox"'),
        rule(Then.DECLARE, Severity.SEV1, 'severity="critical"', 'service!=""'),
        rule(Then.TRIAGE, Severity.SEV3),
    ]
    assert judge([firing(service="sandbox", severity="critical")], rules) == RECORDED
    assert judge([firing(service="pay", severity="critical")], rules) == Verdict(Then.DECLARE, Severity.SEV1)
    assert judge([firing(severity="critical")], rules) == Verdict(Then.TRIAGE, Severity.SEV3)
    assert judge([firing(severity="critical")], rules[:2]) == RECORDED


@pytest.mark.parametrize("turned", [False, True])
def test_the_strongest_alert_of_a_group_decides(turned: bool) -> None:
    """Declaring beats triage beats recording, then the worse severity wins; their order does not matter."""
    rules = [
        rule(Then.DECLARE, Severity.SEV2, 'a="sev2"'),
        rule(Then.DECLARE, Severity.SEV1, 'a="sev1"'),
        rule(Then.TRIAGE, Severity.SEV1, 'a="triage"'),
    ]

    def of(*names: str) -> Verdict:
        alerts = [firing(a=name) for name in names]
        return judge(reversed(alerts) if turned else alerts, rules)

    assert of("sev2", "sev1", "sev2") == Verdict(Then.DECLARE, Severity.SEV1)
    assert of("triage", "sev2") == Verdict(Then.DECLARE, Severity.SEV2)
    assert of("triage", "other") == Verdict(Then.TRIAGE, Severity.SEV1)
    assert of() == RECORDED


@pytest.mark.parametrize(
    ("matcher", "added"),
    [
        ('severity="critical"', True),
        ('service="checkout"', True),
        ('source="pagerduty"', False),
        ('priority=~"P1|P2"', False),
        ('urgency="high"', False),
    ],
)
def test_pagerduty_keeps_its_rules_unless_a_list_speaks_of_it(matcher: str, added: bool) -> None:
    """A list of rules written for Alertmanager loses no page of PagerDuty's; one that names it stands alone."""
    mine = rule(Then.DECLARE, Severity.SEV1, matcher)
    assert complete([mine]) == ((*PAGERDUTY_RULES, mine) if added else (mine,))


def known(*occurrences: Occurrence) -> dict[str, Occurrence]:
    """Give what is known, by fingerprint."""
    return {occurrence.fingerprint: occurrence for occurrence in occurrences}


def an_open(fingerprint: str = "aa", starts_at: datetime | None = BEGAN) -> Occurrence:
    """Make an occurrence that fires."""
    return Occurrence(fingerprint, starts_at)


def over(fingerprint: str = "aa", starts_at: datetime | None = BEGAN, closed: float = 0) -> Occurrence:
    """Make an occurrence that was resolved at this minute."""
    return Occurrence(fingerprint, starts_at, moment(closed), moment(closed))


def told(found: News) -> tuple[list[str], list[str], list[str]]:
    """Give the fingerprints of what was opened, closed and repeated."""
    return (
        [a.fingerprint for a in found.opened],
        [a.fingerprint for a in found.closed],
        [a.fingerprint for a in found.repeated],
    )


def test_an_alert_is_news_once() -> None:
    """What was not known opens; what is open already is a repeat."""
    found = news([an_alert("aa"), an_alert("bb")], [], known(an_open("aa")), START)
    assert told(found) == (["bb"], [], ["aa"])


def test_a_resolved_alert_closes_once() -> None:
    """What is open closes; what is closed already, or was never known, is no news."""
    resolved = [an_alert(name, ends_at=moment(3)) for name in ("aa", "bb", "cc")]
    found = news([], resolved, known(an_open("aa"), over("bb")), moment(4))
    assert told(found) == ([], ["aa"], [])


def test_an_alert_that_is_left_out_is_not_resolved() -> None:
    """A notification, truncated or not, says nothing of the alerts that it does not hold."""
    before = known(an_open("aa"), an_open("bb"))
    assert told(news([an_alert("aa")], [], before, START)) == ([], [], ["aa"])


@pytest.mark.parametrize(
    ("starts_at", "minutes_later", "opens"),
    [
        pytest.param(moment(-4), 1, False, id="the same start, soon after"),
        pytest.param(moment(-9), 1, False, id="an earlier start, soon after"),
        pytest.param(moment(0.5), 1, True, id="a later start: it fires again"),
        pytest.param(moment(-4), 11, True, id="the same start, long after: the peer was right"),
        pytest.param(None, 1, True, id="no start to compare"),
    ],
)
def test_a_late_copy_of_what_is_over_does_not_open_it_again(
    starts_at: datetime | None, minutes_later: float, opens: bool
) -> None:
    """Another peer's `firing` of an occurrence that has just been resolved is stale; a new start is not."""
    found = news([an_alert(starts_at=starts_at)], [], known(over()), moment(minutes_later))
    assert told(found) == ((["aa"] if opens else []), [], [])


def test_how_long_a_copy_is_stale() -> None:
    """Up to and at the limit a copy is stale; a second later it is news."""
    limit = START + STALE_WITHIN
    assert told(news([an_alert()], [], known(over()), limit)) == ([], [], [])
    assert told(news([an_alert()], [], known(over()), limit + timedelta(seconds=1))) == (["aa"], [], [])


@pytest.mark.parametrize("rewritten", [timedelta(microseconds=401744), timedelta(microseconds=999999), timedelta()])
@pytest.mark.parametrize("first", [timedelta(microseconds=401744), timedelta()])
def test_a_start_whose_fraction_was_rewritten_is_the_same_start(first: timedelta, rewritten: timedelta) -> None:
    """Starts are compared to the second: a stale copy stays one, and a resolved alert closes what it belongs to."""
    before = moment(-4) + first
    stale = an_alert(starts_at=moment(-4) + rewritten)
    assert told(news([stale], [], known(over("aa", before)), moment(1))) == ([], [], [])
    resolved = an_alert(ends_at=moment(-4) + rewritten)
    assert told(news([], [resolved], known(an_open("aa", before)), moment(1))) == ([], ["aa"], [])


@pytest.mark.parametrize(
    ("ends_at", "closes"),
    [(moment(-5), False), (moment(-4), True), (moment(3), True), (None, True)],
)
def test_a_resolved_of_an_earlier_occurrence_closes_nothing(ends_at: datetime | None, closes: bool) -> None:
    """What ended before the open occurrence began is the end of another one; without an end it is believed."""
    found = news([], [an_alert(ends_at=ends_at)], known(an_open()), moment(4))
    assert told(found) == ([], (["aa"] if closes else []), [])


def test_a_resolved_without_a_known_start_is_believed() -> None:
    """Where the open occurrence has no start to compare, a `resolved` closes it."""
    assert told(news([], [an_alert(ends_at=moment(-9))], known(an_open("aa", None)), START)) == ([], ["aa"], [])


def test_an_incident_is_named_after_its_worst_alert() -> None:
    """In a mixed group the alert with the strongest verdict comes first; equal ones keep their order."""
    mixed = [
        Alert("alertmanager", "g", str(n), name, {"severity": severity})
        for n, (name, severity) in enumerate(
            [("Slow", "warning"), ("Down", "critical"), ("Odd", ""), ("Gone", "critical")]
        )
    ]
    assert [a.name for a in worst_first(mixed, complete(DEFAULT_RULES))] == ["Down", "Gone", "Slow", "Odd"]

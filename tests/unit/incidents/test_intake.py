"""From alerts to a verdict: rules, severity words, and what of a notification is news."""

from __future__ import annotations

from datetime import datetime, timedelta

import pytest

from bot.incidents.intake import (
    ALWAYS_FIRING,
    DEFAULT_RULES,
    LAST_RULES,
    PAGERDUTY_RULES,
    STALE_WITHIN,
    News,
    Occurrence,
    Rule,
    Rules,
    Then,
    Verdict,
    complete,
    judge,
    news,
    words_named,
    worst_first,
)
from bot.incidents.matchers import Matcher
from bot.incidents.model import Alert
from bot.incidents.policy import Severity
from bot.incidents.severity_words import merged, said
from tests.unit.incidents.story import START, an_alert, moment

BEGAN = moment(-4)
RECORDED = Verdict(Then.RECORD, Severity.SEV4)
TRIAGED = Verdict(Then.TRIAGE, Severity.SEV3)


def firing(source: str = "alertmanager", **labels: str) -> Alert:
    """Make an alert with these labels."""
    return an_alert(source=source, labels=labels)


def rule(then: Then, severity: Severity, *matchers: str) -> Rule:
    """Make a rule."""
    return Rule(tuple(Matcher.parse(m) for m in matchers), then, severity)


@pytest.mark.parametrize(
    ("alert", "expected"),
    [
        (firing(severity="critical"), Verdict(Then.DECLARE, Severity.SEV2)),
        (firing(severity="warning"), TRIAGED),
        (firing(severity="sev1"), Verdict(Then.DECLARE, Severity.SEV1)),
        (firing(severity="sev2"), Verdict(Then.DECLARE, Severity.SEV2)),
        (firing(severity="sev3"), TRIAGED),
        (firing(severity="sev4"), Verdict(Then.TRIAGE, Severity.SEV4)),
        (firing(severity="info"), RECORDED),
        (firing(severity="none"), RECORDED),
        (firing(severity="whatever"), TRIAGED),
        (firing(severity=""), TRIAGED),
        (firing(), TRIAGED),
        (firing(alertname="Watchdog", severity="critical"), RECORDED),
        (firing(alertname="InfoInhibitor"), RECORDED),
        (firing("pagerduty", priority="P1", urgency="low"), Verdict(Then.DECLARE, Severity.SEV1)),
        (firing("pagerduty", priority="P2", urgency="low"), Verdict(Then.DECLARE, Severity.SEV2)),
        (firing("pagerduty", priority="P3", urgency="high"), Verdict(Then.DECLARE, Severity.SEV2)),
        (firing("pagerduty", urgency="high"), Verdict(Then.DECLARE, Severity.SEV2)),
        (firing("pagerduty", priority="P3", urgency="low"), Verdict(Then.TRIAGE, Severity.SEV3)),
        (firing("pagerduty"), Verdict(Then.TRIAGE, Severity.SEV3)),
        (firing(priority="P1", urgency="low"), Verdict(Then.DECLARE, Severity.SEV1)),
        (firing(priority="high", urgency="high"), TRIAGED),
    ],
)
def test_the_default_rules(alert: Alert, expected: Verdict) -> None:
    """Critical, sev1 and sev2 declare, only info and what always fires is recorded, the rest is triaged."""
    assert judge([alert], complete(DEFAULT_RULES)) == expected


def test_the_source_is_ours_to_say() -> None:
    """A label called `source` on an alert does not make it PagerDuty's."""
    alert = an_alert(labels={"source": "pagerduty", "urgency": "high"})
    assert judge([alert], complete(DEFAULT_RULES)) == TRIAGED


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


def test_silence_is_only_what_a_rule_names() -> None:
    """An alert that no rule of a company's own list takes is triaged; info, none and what always fires are recorded."""
    mine = [rule(Then.DECLARE, Severity.SEV1, 'service="pay"')]
    assert judge([firing(service="search", severity="critical")], mine) == TRIAGED
    whole = complete(mine)
    assert judge([firing(service="search", severity="critical")], whole) == TRIAGED
    assert judge([firing(service="search")], whole) == TRIAGED
    assert judge([firing(severity="informational")], whole) == RECORDED
    assert judge([firing(alertname="Watchdog", service="pay")], whole) == RECORDED
    assert judge([firing(service="pay", severity="info")], whole) == Verdict(Then.DECLARE, Severity.SEV1)


def test_a_list_that_takes_everything_or_names_the_watchdog_decides_alone() -> None:
    """A last rule without matchers, or a rule about Watchdog, stands as the company wrote it."""
    everything = rule(Then.DECLARE, Severity.SEV2)
    assert judge([firing(severity="none")], complete([everything])) == Verdict(Then.DECLARE, Severity.SEV2)
    dead_mans = rule(Then.DECLARE, Severity.SEV1, 'alertname="Watchdog"')
    assert judge([firing(alertname="Watchdog")], complete([dead_mans])) == Verdict(Then.DECLARE, Severity.SEV1)


WORDS = {
    "critical": "page CRITICAL Critical crit error Err fatal emergency EMERG disaster high major Severe urgent alert",
    "warning": "warning Warn MINOR moderate average Medium",
    "info": "info INFO informational Information",
    "none": "none NONE",
    "sev1": "P1 p1 sev1 SEV-1 SEV_1 S1 sev0 P0 Severity1 priority-1 blocker",
    "sev2": "P2 sev2 SEV2 S2 prio2",
    "sev3": "P3 sev-3 S3",
    "sev4": "P4 P5 sev4 SEV5 low",
    "whatever": "whatever",
    "2": "2",
    "ok": "ok OK",
}


@pytest.mark.parametrize(("meaning", "word"), [(m, word) for m, words in WORDS.items() for word in words.split()])
def test_a_severity_is_what_its_word_means(meaning: str, word: str) -> None:
    """Rules see each sender's word, in any case, as the word of the table; the alert keeps its own."""
    mine = [rule(Then.DECLARE, Severity.SEV1, f'severity="{meaning}"'), rule(Then.RECORD, Severity.SEV4)]
    alert = firing(severity=word)
    assert judge([alert], mine).then is Then.DECLARE
    assert alert.labels == {"severity": word}
    default = judge([alert], complete(DEFAULT_RULES))
    assert (default.then is Then.RECORD) is (meaning in {"info", "none"})
    assert (default.then is Then.DECLARE) is (meaning in {"critical", "sev1", "sev2"})


@pytest.mark.parametrize(
    ("labels", "expected"),
    [
        ({"Severity": "P1"}, ("Severity", "P1")),
        ({"severity": "", "SEVERITY": "page"}, ("SEVERITY", "page")),
        ({"severity": "sev 2 ", "priority": "P1"}, ("severity", "sev 2")),
        ({"priority": "P1"}, ("priority", "P1")),
        ({"Priority": "sev-2"}, ("Priority", "sev-2")),
        ({"priority": "high"}, ("", "")),  # a queue's, or a pod's
        ({"level": "error"}, ("", "")),  # a log line's
        ({}, ("", "")),
    ],
)
def test_where_the_severity_is_read(labels: dict[str, str], expected: tuple[str, str]) -> None:
    """The label may be written in any case; a priority stands in where it holds a word that is a severity's."""
    assert said(firing(**labels)) == expected


def test_a_word_that_a_rule_names_stays_that_word() -> None:
    """A company whose rules tell `error` from `critical` keeps the difference; other words are still understood."""
    mine = [
        rule(Then.DECLARE, Severity.SEV1, 'severity="CRITICAL"'),
        rule(Then.TRIAGE, Severity.SEV3, 'severity=~"error|sev-1"'),
        rule(Then.RECORD, Severity.SEV4, 'severity!="warning"'),
    ]
    rules = Rules(mine, merged({}, words_named(mine)))

    def then(word: str) -> Then:
        return judge([firing(severity=word)], rules).then

    assert then("critical") is then("page") is Then.DECLARE
    assert then("Error") is then("SEV-1") is Then.TRIAGE
    assert then("warn") is Then.TRIAGE  # no rule takes it
    assert then("sev2") is Then.RECORD


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
    assert complete([mine]) == (ALWAYS_FIRING, *(PAGERDUTY_RULES if added else ()), mine, *LAST_RULES)


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
    ("starts_at", "minutes_later", "late"),
    [
        pytest.param(moment(-4), 1, True, id="the same start, soon after"),
        pytest.param(moment(-9), 1, True, id="an earlier start, soon after"),
        pytest.param(moment(0.5), 1, False, id="a later start: it fires again"),
        pytest.param(moment(-4), 11, False, id="the same start, long after: the peer was right"),
        pytest.param(None, 1, False, id="no start to compare"),
    ],
)
def test_what_is_over_and_fires_with_its_old_start_fires_again(
    starts_at: datetime | None, minutes_later: float, late: bool
) -> None:
    """A `firing` after the end is news; with the old start soon after the end it may be another peer's late copy."""
    found = news([an_alert(starts_at=starts_at)], [], known(over()), moment(minutes_later))
    assert told(found) == (["aa"], [], [])
    assert found.late == ({"aa"} if late else set())


def test_how_long_a_copy_may_be_late() -> None:
    """Up to and at the limit it may be a late copy; a second later it is none."""
    limit = START + STALE_WITHIN
    assert news([an_alert()], [], known(over()), limit).late == {"aa"}
    assert news([an_alert()], [], known(over()), limit + timedelta(seconds=1)).late == set()


@pytest.mark.parametrize(
    ("starts_at", "in_hand", "over_at", "lapses"),
    [
        pytest.param(moment(30), False, None, True, id="a start after we had heard of it"),
        pytest.param(moment(30), True, None, False, id="an open incident has it"),
        pytest.param(moment(0.5), False, None, False, id="a start before we had heard of it: a clock that is ahead"),
        pytest.param(moment(-4), False, None, False, id="the same start"),
        pytest.param(moment(90), False, None, False, id="a start that lies ahead"),
        pytest.param(None, False, None, False, id="no start"),
        pytest.param(moment(30), False, moment(20), True, id="a start after the incident's end"),
        pytest.param(moment(10), False, moment(20), True, id="a start after we had heard of it, before the end"),
    ],
)
def test_a_new_start_shows_that_an_end_was_lost(
    starts_at: datetime | None, in_hand: bool, over_at: datetime | None, lapses: bool
) -> None:
    """Where no open incident has it, an alert that began after we had heard of it is another occurrence."""
    before = known(Occurrence("aa", BEGAN, opened_at=moment(1)))
    found = news([an_alert(starts_at=starts_at)], [], before, moment(60), in_hand=in_hand, over=over_at)
    assert told(found) == ((["aa"], [], []) if lapses else ([], [], ["aa"]))
    assert [alert.fingerprint for alert in found.lapsed] == (["aa"] if lapses else [])


@pytest.mark.parametrize("rewritten", [timedelta(microseconds=401744), timedelta(microseconds=999999), timedelta()])
@pytest.mark.parametrize("first", [timedelta(microseconds=401744), timedelta()])
def test_a_start_whose_fraction_was_rewritten_is_the_same_start(first: timedelta, rewritten: timedelta) -> None:
    """Starts are compared to the second: a late copy stays one, and a resolved alert closes what it belongs to."""
    before = moment(-4) + first
    late = an_alert(starts_at=moment(-4) + rewritten)
    assert news([late], [], known(over("aa", before)), moment(1)).late == {"aa"}
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

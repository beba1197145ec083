from __future__ import annotations

import shlex
from dataclasses import replace
from datetime import UTC, datetime, timedelta

import pytest
from hypothesis import given
from hypothesis import strategies as st

from bot.incidents.heard import Heard
from bot.incidents.model import Alert, Incident, Status
from bot.incidents.policy import Severity
from bot.runbooks.facts import facts_of, window
from bot.runbooks.model import Runbook, Section, Step
from bot.runbooks.render import VARIABLES, render, variables
from bot.slack.runbook import runbook
from tests.unit.runbooks.sheets import a_sheet

NOW = datetime(2026, 11, 21, 3, 0, tzinfo=UTC)
HOSTILE = (
    "{{ 7 * 7 }}",
    "${{ title }}",
    "$(reboot)",
    "`reboot`",
    "```",
    "<!channel>",
    "'; DROP TABLE x; --",
    "a\nb",
    "\x1b[2J",
)


def test_what_is_known_is_filled_in() -> None:
    """A variable becomes the incident's value, with or without blanks around its name."""
    made = render("kubectl get pods -n ${{ namespace }} -l app=${{service}}", "sh", {"namespace": "a", "service": "b"})
    assert (made.text, made.missing) == ("kubectl get pods -n a -l app=b", ())


def test_what_is_not_known_is_a_placeholder() -> None:
    """A variable without a value, or that does not exist, is shown and named; nothing is raised."""
    made = render("get ${{ pod }} ${{ nonsense }} ${{ pod }}", "sh", {"node": "x"})
    assert (made.text, made.missing) == ("get ⟨pod⟩ ⟨nonsense⟩ ⟨pod⟩", ("pod", "nonsense"))


@pytest.mark.parametrize(
    ("language", "value", "becomes"),
    [
        ("sh", "a b; reboot", "'a b; reboot'"),
        ("sh", "it's", "'it'\"'\"'s'"),
        ("sh", "$(reboot)", "⟨pod⟩"),
        ("sh", "`reboot`", "⟨pod⟩"),
        ("promql", 'a"} or up{b="', 'a\\"} or up{b=\\"'),
        ("logql", "a\\", "a\\\\"),
        ("sql", "x' OR '1'='1", "x'' OR ''1''=''1"),
        ("", "plain", "plain"),
    ],
)
def test_a_value_is_quoted_for_its_language(language: str, value: str, becomes: str) -> None:
    """What an alert carries never leaves the place of one word in a shell, or of one string in a query."""
    assert render("${{ pod }}", language, {"pod": value}).text == becomes


def test_the_languages_of_others_are_left_alone() -> None:
    """Go's templates, shell variables and PromQL's braces are no variables of ours."""
    for text in ('{a="b"} | line_format "{{.x}}"', "echo ${HOME} ${#array[@]}", "{{ name }}"):
        assert (render(text, "logql", {}).text, variables(text)) == (text, ())


@given(
    st.dictionaries(st.sampled_from(sorted(VARIABLES)), st.text(max_size=500) | st.sampled_from(HOSTILE)),
    st.lists(st.text(max_size=20) | st.sampled_from([f"${{{{ {name} }}}}" for name in sorted(VARIABLES)]), max_size=8),
)
def test_whatever_an_alert_carries_is_one_word(facts: dict[str, str], parts: list[str]) -> None:
    """Labels of any kind in templates of any kind: nothing raises, and in a shell each value stays one word."""
    for language in ("sh", "promql", "logql", "traceql", "sql", ""):
        render(" ".join(parts), language, facts)
    for name in facts:
        words = shlex.split(render(f"echo ${{{{ {name} }}}} end", "sh", facts).text)
        assert len(words) == 3


@given(st.text(max_size=300) | st.sampled_from(HOSTILE) | st.just("<!here>" * 20_000))
def test_a_posted_runbook_is_inert(value: str) -> None:
    """A runbook whose commands are filled with anything pings nobody and ends no block of code early."""
    step = Step(section="Diagnosis", number=1, text="Look.", code="get ${{ pod }} in ${{ region }}", language="sh")
    book = Runbook(
        id="ops.one",
        title="One",
        severity_hint=Severity.SEV2,
        owner_team="SRE",
        last_reviewed_at=NOW.date(),
        url="runbooks/one.md",
        version="1",
        sections=(Section(title="Diagnosis", steps=(step,)),),
    )
    _, blocks = runbook(a_sheet(book, {"pod": value, "region": value}, reason=value))
    for block in blocks:
        assert "<!" not in str(block)
        assert str(block).count("```") in {0, 2}


def test_an_incident_knows_itself_then_its_alerts() -> None:
    """What the incident says of itself counts before its alerts, and of these the first that has it."""
    incident = Incident("INC-1", "Down", Severity.SEV1, Status.INVESTIGATING, NOW, service="checkout")
    alerts = [
        Alert("alertmanager", "g", "1", "PodDown", {"service": "other", "exported_namespace": "shop"}),
        Alert("alertmanager", "g", "2", "X", {"pod": "p-1", "namespace": "late"}, {"trace_id": "t"}),
    ]
    facts = facts_of(incident, alerts, NOW + timedelta(minutes=20, seconds=1))
    assert facts["service"] == "checkout"
    assert (facts["namespace"], facts["pod"], facts["trace_id"], facts["alertname"]) == ("shop", "p-1", "t", "PodDown")
    assert (facts["started_at"], facts["ended_at"]) == ("2026-11-21T02:45:00Z", "2026-11-21T03:20:01Z")
    assert facts["window"] == "36m"
    assert set(facts) <= VARIABLES
    assert "region" not in facts


def test_a_storm_is_about_no_service_of_its_alerts() -> None:
    """What its first alert says is wrong for the others; where it is stays known."""
    incident = Incident("INC-1", "Storm", Severity.SEV1, Status.INVESTIGATING, NOW, heard=Heard(of_all=True))
    labels = {"cluster": "eu-1", "service": "checkout", "namespace": "shop", "pod": "p-1", "deployment": "web"}
    facts = facts_of(incident, [Alert("alertmanager", "g", "1", "PodDown", labels)], NOW)
    assert facts["cluster"] == "eu-1"
    assert not {"service", "namespace", "pod", "deployment"} & set(facts)
    own = facts_of(replace(incident, service="checkout"), [], NOW)
    assert own["service"] == "checkout"


@pytest.mark.parametrize(("minutes", "said"), [(-5, "15m"), (0, "15m"), (45, "60m"), (100_000, "1440m")])
def test_the_window_begins_before_the_start(minutes: int, said: str) -> None:
    """Queries look a quarter of an hour further back than the incident, and a day at most."""
    assert window(NOW, NOW + timedelta(minutes=minutes)) == said

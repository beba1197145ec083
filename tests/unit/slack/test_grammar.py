"""How a line is read."""

from __future__ import annotations

from datetime import UTC, datetime
from pathlib import Path

import pytest

from bot.incidents.policy import Severity
from handlers.slack import grammar, table

ROOT = Path(__file__).resolve().parents[3]


@pytest.mark.parametrize(
    ("text", "number", "word", "rest"),
    [
        ("", "", "", ""),
        ("ack", "", "ack", ""),
        ("UPDATE  hello  there ", "", "update", "hello  there"),
        ("update\nfirst line\nsecond", "", "update", "first line\nsecond"),
        ("INC-20261121-001 ack", "INC-20261121-001", "ack", ""),
        ("inc-20261121-001 note x", "INC-20261121-001", "note", "x"),
        ("INC-20261121-001", "INC-20261121-001", "", ""),
        ("close", "", "close", ""),
    ],
)
def test_a_line_is_split(text: str, number: str, word: str, rest: str) -> None:
    """A number may come first; then the verb, then the rest."""
    line = grammar.read(text)
    assert (line.number, line.word, line.rest) == (number, word, rest)


@pytest.mark.parametrize(
    ("text", "title", "severity"),
    [
        ("Checkout is down", "Checkout is down", None),
        ("Checkout is down sev1", "Checkout is down", Severity.SEV1),
        ('"Checkout is down" SEV-2', "Checkout is down", Severity.SEV2),
        ("\u201cCheckout is down\u201d sev3", "Checkout is down", Severity.SEV3),
        ("sev1 in the title stays", "sev1 in the title stays", None),
        ("sev2", "", Severity.SEV2),
        ("it's down", "it's down", None),
        ("cluster7", "cluster7", None),
    ],
)
def test_a_title_gives_up_its_severity_and_quotes(text: str, title: str, severity: Severity | None) -> None:
    """Only a severity at the end is one."""
    assert grammar.title_and_severity(text) == (title, severity)


@pytest.mark.parametrize(
    ("text", "severity", "why"),
    [
        ("1", Severity.SEV1, ""),
        ("sev2 all customers", Severity.SEV2, "all customers"),
        ("SEV 3: smaller than thought", Severity.SEV3, "smaller than thought"),
        ("9", None, "9"),
        ("10 users", None, "10 users"),
        ("", None, ""),
    ],
)
def test_a_severity_and_its_reason(text: str, severity: Severity | None, why: str) -> None:
    """`1`, `sev1` and `sev 1` are the same; 10 is none."""
    assert grammar.severity_and_why(text) == (severity, why)


@pytest.mark.parametrize(
    ("word", "verb"),
    [
        ("updaet", "update"),
        ("resovle", "resolve"),
        ("acknowlege", "ack"),
        ("lst", "list"),
        ("hand-off", "handoff"),
        ("qqqq", None),
    ],
)
def test_the_nearest_verb_is_offered(word: str, verb: str | None) -> None:
    """A slip of the finger finds its verb."""
    near = table.nearest(word)
    assert (near.name if near else None) == verb


NOW = datetime(2026, 11, 21, 3, 30, 20, tzinfo=UTC)


@pytest.mark.parametrize(
    ("text", "rest", "hour", "day"),
    [
        ("It began at 03:12", "It began", "03:12", 21),
        ("It began at 23:50 UTC", "It began", "23:50", 20),
        ("Look at 3:30", "Look", "03:30", 21),
        ("Meet at 25:00", "Meet at 25:00", "", 0),
        ("look at graph 03:12", "look at graph 03:12", "", 0),
    ],
)
def test_a_note_says_when(text: str, rest: str, hour: str, day: int) -> None:
    """The last such moment in UTC, never one that lies ahead."""
    said, moment = grammar.at_time(text, NOW)
    assert said == rest
    assert (f"{moment:%H:%M}" if moment else "", moment.day if moment else 0) == (hour, day)


@pytest.mark.parametrize(
    ("text", "rest", "seconds"),
    [
        ("Scaled next 30m", "Scaled", 1800),
        ("Scaled, next in 1 h", "Scaled", 3600),
        ("the next step is hard", "the next step is hard", None),
        ("next 5m", "", 300),
    ],
)
def test_an_update_names_its_next(text: str, rest: str, seconds: int | None) -> None:
    """Only at the end, and only with a unit."""
    assert grammar.next_in(text) == (rest, seconds)


@pytest.mark.parametrize(
    ("text", "rest", "who", "due"),
    [
        ("Raise the limit <@U1|ann> 2026-12-01", "Raise the limit", "<@U1|ann>", "2026-12-01"),
        ("Raise the limit @ann by 2026-12-01", "Raise the limit", "@ann", "2026-12-01"),
        ("Ask @ann about it", "Ask @ann about it", "", ""),
        ("mail ann@example.com", "mail ann@example.com", "", ""),
    ],
)
def test_a_follow_up_has_a_person_and_a_day(text: str, rest: str, who: str, due: str) -> None:
    """Both at the end; neither is needed."""
    typed, day = grammar.due_date(text)
    assert (*grammar.mention_at_end(typed), day) == (rest, who, due)


def test_slacks_escapes_are_undone() -> None:
    """What was typed is what is kept: names for mentions, addresses for links, the three characters themselves."""
    typed = "<@U1|ann> and <@U2> in <#C1|ops> see <https://x.example/a|x> &lt;b&gt; &amp; <!here>"
    assert (
        grammar.plain(typed, {"U2": "bob"}.__getitem__) == "@ann and @bob in #ops see https://x.example/a <b> & @here"
    )


def test_every_verb_is_in_the_help_and_in_the_docs() -> None:
    """Both are made from the table; what an example shows is what the verb takes."""
    shown, docs = table.help_text("/incident"), (ROOT / "docs" / "commands.md").read_text()
    for verb in table.VERBS:
        assert f"/incident {verb.name}" in shown
        assert verb.help in shown
        assert table.find(grammar.read(verb.example).word) is verb
        assert verb.name in table.help_of(verb, "/incident")
    assert table.as_markdown() in docs


def test_no_two_verbs_share_a_name() -> None:
    """A word means one thing."""
    names = [name for verb in table.VERBS for name in (verb.name, *verb.aliases)]
    assert len(names) == len(set(names))

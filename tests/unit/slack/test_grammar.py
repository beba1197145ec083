"""How a line is read."""

from __future__ import annotations

import pytest

from bot.incidents.policy import Severity
from handlers.slack import grammar


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
        ("close", "", "close", "closed"),
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
    [("updaet", "update"), ("resovle", "resolve"), ("acknowlege", "ack"), ("lst", "list"), ("qqqq", None)],
)
def test_the_nearest_verb_is_offered(word: str, verb: str | None) -> None:
    """A slip of the finger finds its verb."""
    assert grammar.nearest(word) == verb


def test_slacks_escapes_are_undone() -> None:
    """What was typed is what is kept: names for mentions, addresses for links, the three characters themselves."""
    typed = "<@U1|ann> and <@U2> in <#C1|ops> see <https://x.example/a|x> &lt;b&gt; &amp; <!here>"
    assert (
        grammar.plain(typed, {"U2": "bob"}.__getitem__) == "@ann and @bob in #ops see https://x.example/a <b> & @here"
    )


def test_every_verb_is_in_the_help_and_has_its_place() -> None:
    """The help is made from the verbs."""
    shown = grammar.help_text("/incident")
    for verb in grammar.VERBS:
        assert f"/incident {verb.name}" in shown
        assert verb.help in shown

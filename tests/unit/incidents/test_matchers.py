"""Matchers, as Alertmanager writes and reads them."""

from __future__ import annotations

import pytest

from bot.incidents.matchers import Matcher, label_name


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
        ('{severity="critical"}', ("severity", "=", "critical")),
        ('"service.name"="payments"', ("service.name", "=", "payments")),
        ('{"service.name"="payments"}', ("service.name", "=", "payments")),
        ('service.name=~"pay.*"', ("service.name", "=~", "pay.*")),
        ('"service.name" != payments', ("service.name", "!=", "payments")),
        ("foo🙂=bar", ("foo🙂", "=", "bar")),
        ('"dienst für kunden"="Zürich"', ("dienst für kunden", "=", "Zürich")),
        ('1a="x"', ("1a", "=", "x")),
        ('a-b="x"', ("a-b", "=", "x")),
        (r'"a.b"=~"\\d+"', ("a.b", "=~", r"\d+")),
        (r'"a \"b\""="\u00fc\t\x41\303\274\U0001F642"', ('a "b"', "=", "ü\tAü🙂")),
    ],
)
def test_a_matcher_is_read_as_alertmanager_reads_it(text: str, expected: tuple[str, str, str]) -> None:
    r"""Quotes are optional, spaces are free, and only \n, \" and \\ are escapes: a regular expression keeps its own.

    What the classic syntax does not know is read as UTF-8 matchers are: any name, with Go's escapes in quotes.
    """
    matcher = Matcher.parse(text)
    assert (matcher.label, matcher.op, matcher.value) == expected


@pytest.mark.parametrize(
    "text",
    [
        "",
        "severity",
        '="x"',
        'a=="x"',
        'a="x',
        'a="x" b',
        'a="x"y"',
        "a=two words",
        'a>"1"',
        'a="x\\"',
        '{a="x", b="y"}',
        '"a.b"="x',
        '""="x"',
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
    with pytest.raises(ValueError, match="Fix the regular expression") as error:
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


@pytest.mark.parametrize("text", [r'"a.b"=~"\d+"', r'"a.b"="\q"', r'"a.b"="\xff"', r'"a.b"="\ud800"'])
def test_a_wrong_escape_beside_a_quoted_label_is_refused(text: str) -> None:
    """As in Alertmanager, Go's escapes hold there: the error says what to write instead."""
    with pytest.raises(ValueError, match="Write "):
        Matcher.parse(text)


@pytest.mark.parametrize(
    ("text", "labels", "expected"),
    [
        ('"service.name"="payments"', {"service.name": "payments"}, True),
        ('"service.name"!~"pay.*"', {"service.name": "payments"}, False),
        ('{"foo🙂"=~"b.r"}', {"foo🙂": "bar"}, True),
    ],
)
def test_labels_of_any_characters_match(text: str, labels: dict[str, str], expected: bool) -> None:
    """A label whose name Prometheus 3 allows is matched as any other, and is written as it is read."""
    matcher = Matcher.parse(text)
    assert matcher.matches(labels) is expected
    assert Matcher.parse(str(matcher)) == matcher


@pytest.mark.parametrize(
    ("text", "name"),
    [("service", "service"), ("service.name", "service.name"), ('"service.name"', "service.name"), (r'"a\"b"', 'a"b')],
)
def test_a_label_is_named_bare_or_in_quotes(text: str, name: str) -> None:
    """A configuration names a label as a matcher does."""
    assert label_name(text) == name


@pytest.mark.parametrize("text", ["", '"', '""', 'a"b'])
def test_what_names_no_label_is_refused(text: str) -> None:
    """The error shows how a label is named."""
    with pytest.raises(ValueError, match="Name a label"):
        label_name(text)

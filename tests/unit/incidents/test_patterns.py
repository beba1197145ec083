"""Regular expressions from a configuration, matched in a time that their author can't make long."""

from __future__ import annotations

import re
from re import _parser  # type: ignore[attr-defined]

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from bot.incidents.patterns import Pattern, _Program

ATOMS = st.sampled_from(["a", "b", "c", ".", "[ab]", "[^a]", r"\w", r"\d", "(?:a|b)", "(?:ab|a)", "^", "$", r"\b"])
EXPRESSIONS = st.recursive(
    ATOMS,
    lambda inner: st.one_of(
        st.tuples(inner, inner).map("".join),
        st.tuples(inner, inner).map(lambda pair: f"(?:{pair[0]}|{pair[1]})"),
        st.tuples(inner, st.sampled_from(["*", "+", "?", "{2}", "{1,3}", "*?"])).map(lambda p: f"(?:{p[0]}){p[1]}"),
    ),
    max_leaves=6,
)


@settings(max_examples=150, deadline=None)
@given(EXPRESSIONS, st.text("abc1 -", max_size=6))
def test_both_ways_of_matching_agree(text: str, value: str) -> None:
    """Whether Python's engine or our own runs an expression, the answer is Python's."""
    expected = re.fullmatch(text, value) is not None
    tree = _parser.parse(text)
    assert _Program(tree, tree.state.flags).takes(value) is expected
    assert Pattern(text).fullmatch(value) is expected


@pytest.mark.parametrize(
    "text",
    ["(a+)+b", "(a|a)*b", "(a|aa)+b", "(.*a){12}b", ".*a.*a.*a.*a.*ab", "(a*)*b", "(a?){30}a*b", "a?" * 30 + "a*b"],
)
def test_no_expression_takes_long(text: str) -> None:
    """What would keep Python's engine busy for minutes ends, on a value of 2,000: the test's own limit would end it."""
    assert Pattern(text).fullmatch("a" * 2_000) is False
    assert Pattern(text).fullmatch("a" * 2_000 + "b") is True


@pytest.mark.parametrize(
    ("text", "value"),
    [
        ("(?i)(over|under)+", "OverUNDER"),
        ("((?i:eu)-)+1", "EU-eu-1"),
        ("(?s)(a.b)+", "a\nba\nb"),
        ("([^a-c]x)+", "zxyx"),
    ],
)
def test_flags_hold_in_our_own_engine(text: str, value: str) -> None:
    """Case and newlines are taken as the expression's own flags say, in nested repeats too."""
    assert Pattern(text).fullmatch(value)
    assert not Pattern(text).fullmatch(value + "a")


@pytest.mark.parametrize(
    ("text", "word"),
    [
        ("(x", "unterminated"),
        ("(?!a).*", "lookaround"),
        (r"(a)\1", "backreferences"),
        ("[[:alpha:]]+", "[[:alpha:]]"),
        ("((a{90}){90}){90}", "too large"),
    ],
)
def test_what_re2_does_not_know_is_refused(text: str, word: str) -> None:
    """The error says what of the expression is wrong."""
    with pytest.raises(ValueError, match=re.escape(word)):
        Pattern(text)

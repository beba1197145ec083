"""Regular expressions from a configuration, matched in a time that is linear in the value, as Alertmanager's RE2 does.

Python's own engine goes back on its steps: `(a+)+b` takes minutes on thirty characters, and a label's value comes from
outside. It is used where it can't; what could make it is run here, over the set of all places at which the expression
can be. Source: https://swtch.com/~rsc/regexp/regexp1.html.
"""

from __future__ import annotations

import re
import warnings
from collections.abc import Callable, Iterable, Sequence
from functools import lru_cache, partial
from re import _constants as _c  # type: ignore[attr-defined]
from re import _parser  # type: ignore[attr-defined]
from typing import Any

LONGEST = 10_000  # characters of a value that are looked at
LARGEST = 5_000  # places of an expression; counted repeats are written out
QUICK = 300  # characters up to which Python's engine is quick on what is simple
SIMPLE = 2.5  # the most that `_cost` gives for what is
REMEMBERED = 2_000  # steps of one expression

_ONE = frozenset({_c.LITERAL, _c.NOT_LITERAL, _c.ANY, _c.IN})
_REPEATS = frozenset({_c.MAX_REPEAT, _c.MIN_REPEAT})
_TAKES = Callable[[str], bool]


class Pattern:
    """An expression that is matched against a whole value."""

    def __init__(self, text: str, *, ignore_case: bool = False) -> None:
        """Read it.

        Raises:
            ValueError: it is none, or none of RE2's; the message says what is wrong.
        """
        flags = re.IGNORECASE if ignore_case else 0
        if "[[:" in text or "[:^" in text:
            raise ValueError("write the characters instead of a class such as [[:alpha:]]")
        try:
            with warnings.catch_warnings():
                warnings.simplefilter("ignore", FutureWarning)
                self._python = re.compile(text, flags)
                tree = _parser.parse(text, flags)
        except (re.error, OverflowError, RecursionError) as error:
            raise ValueError(str(error)) from error
        self._program = _Program(tree, tree.state.flags)
        self._is_simple = _cost(tree) <= SIMPLE

    def fullmatch(self, value: str) -> bool:
        """Return True when the whole value matches."""
        if self._is_simple and len(value) <= QUICK:
            return self._python.fullmatch(value) is not None
        return self._program.takes(value[:LONGEST])


@lru_cache(maxsize=1_000)
def pattern(text: str, *, ignore_case: bool = False) -> Pattern:
    """Return the pattern of a text, read once.

    Raises:
        ValueError: see `Pattern`.
    """
    return Pattern(text, ignore_case=ignore_case)


def _cost(tree: Iterable[Any]) -> float:
    """Return in how many ways a value can be shared out: 1 a repeat, 0.1 a choice, infinite a repeat in another."""
    cost = 0.0
    for op, arguments in tree:
        if op in _REPEATS:
            least, most, body = arguments
            if most <= 1:
                cost += _cost(body) + 0.1
            elif len(body) == 1 and body[0][0] in _ONE:
                cost += 1 if most > least else 0
            else:
                cost = float("inf")
        elif op is _c.BRANCH:
            cost += 0.1 + max((_cost(branch) for branch in arguments[1]), default=0)
        elif op is _c.SUBPATTERN:
            cost += _cost(arguments[3])
    return cost


class _Program:
    """The places of an expression: each takes one character, asks where it stands, or forks."""

    def __init__(self, tree: Iterable[Any], flags: int) -> None:
        self._takes: list[_TAKES | None] = []
        self._at: list[Any] = []
        self._next: list[tuple[int, ...]] = []
        self._end = self._place()
        self._start = self._sequence(tree, flags, self._end)
        self._looks_around = any(at is not None for at in self._at)
        self._steps: dict[tuple[frozenset[int], str, int], frozenset[int]] = {}

    def takes(self, value: str) -> bool:
        """Return True when the whole value leads from the start to the end."""
        here = self._closure({self._start}, self._stands(value, 0))
        for index, char in enumerate(value):
            stands = self._stands(value, index + 1)
            key = (here, char, stands)
            there = self._steps.get(key)
            if there is None:
                moved = {self._next[p][0] for p in here if (takes := self._takes[p]) is not None and takes(char)}
                there = self._closure(moved, stands)
                if len(self._steps) >= REMEMBERED:
                    self._steps.clear()
                self._steps[key] = there
            if not there:
                return False
            here = there
        return self._end in here

    def _stands(self, value: str, index: int) -> int:
        """Return what an anchor asks of a place in the value, as bits: 1 the start, 2 the end, 4 a word's edge."""
        if not self._looks_around:
            return 0
        before = index > 0 and _is_word(value[index - 1])
        after = index < len(value) and _is_word(value[index])
        return (index == 0) + 2 * (index == len(value)) + 4 * (before != after)

    def _closure(self, places: Iterable[int], stands: int) -> frozenset[int]:
        found: set[int] = set()
        waiting = list(places)
        while waiting:
            place = waiting.pop()
            if place in found:
                continue
            found.add(place)
            if self._takes[place] is None and (self._at[place] is None or _holds(self._at[place], stands)):
                waiting += self._next[place]
        return frozenset(place for place in found if self._takes[place] is not None or place == self._end)

    def _place(self, *following: int, takes: _TAKES | None = None, at: Any = None) -> int:
        if len(self._next) >= LARGEST:
            raise ValueError("it is too large; write shorter repeats")
        self._takes.append(takes)
        self._at.append(at)
        self._next.append(following)
        return len(self._next) - 1

    def _sequence(self, tree: Iterable[Any], flags: int, following: int) -> int:
        for op, arguments in reversed(list(tree)):
            following = self._one(op, arguments, flags, following)
        return following

    def _one(self, op: Any, arguments: Any, flags: int, following: int) -> int:
        if op in _ONE:
            return self._place(following, takes=_taker(op, arguments, flags))
        if op is _c.AT:
            return self._place(following, at=arguments)
        if op is _c.BRANCH:
            return self._place(*(self._sequence(branch, flags, following) for branch in arguments[1]))
        if op is _c.SUBPATTERN:
            _group, added, removed, body = arguments
            return self._sequence(body, (flags | added) & ~removed, following)
        if op in _REPEATS:
            least, most, repeated = arguments
            return self._repeat(least, most, repeated, flags, following)
        raise ValueError("RE2, which Alertmanager uses, has no lookaround, backreferences or possessive repeats")

    def _repeat(self, least: int, most: Any, body: Sequence[Any], flags: int, following: int) -> int:
        if most is _c.MAXREPEAT:
            fork = self._place()
            self._next[fork] = (self._sequence(body, flags, fork), following)
            following = fork
        else:
            end = following
            for _ in range(most - least):
                following = self._place(self._sequence(body, flags, following), end)
        for _ in range(least):
            following = self._sequence(body, flags, following)
        return following


def _holds(at: Any, stands: int) -> bool:
    if at in {_c.AT_BEGINNING, _c.AT_BEGINNING_STRING}:
        return bool(stands & 1)
    if at in {_c.AT_END, _c.AT_END_STRING}:
        return bool(stands & 2)
    return bool(stands & 4) is (at is _c.AT_BOUNDARY)


def _taker(op: Any, arguments: Any, flags: int) -> _TAKES:
    if op is _c.ANY:
        return (lambda _char: True) if flags & re.DOTALL else (lambda char: char != "\n")
    items = arguments if op is _c.IN else [(_c.LITERAL, arguments)]
    takes = _set(items)
    if flags & re.IGNORECASE:
        inner = takes
        takes = lambda char: inner(char) or inner(char.lower()) or inner(char.upper())  # noqa: E731
    is_not = op is _c.NOT_LITERAL or (op is _c.IN and items[0][0] is _c.NEGATE)
    return (lambda char: not takes(char)) if is_not else takes


def _set(items: Iterable[Any]) -> _TAKES:
    tests: list[_TAKES] = []
    for op, argument in items:
        if op is _c.LITERAL:
            tests.append(chr(argument).__eq__)
        elif op is _c.RANGE:
            tests.append(partial(_is_between, *argument))
        elif op is _c.CATEGORY:
            tests.append(_CATEGORIES[argument])
    return lambda char: any(test(char) for test in tests)


def _is_between(low: int, high: int, char: str) -> bool:
    return len(char) == 1 and low <= ord(char) <= high


def _is_word(char: str) -> bool:
    return char.isalnum() or char == "_"


_CATEGORIES: dict[Any, _TAKES] = {
    _c.CATEGORY_DIGIT: str.isdecimal,
    _c.CATEGORY_NOT_DIGIT: lambda char: not char.isdecimal(),
    _c.CATEGORY_SPACE: str.isspace,
    _c.CATEGORY_NOT_SPACE: lambda char: not char.isspace(),
    _c.CATEGORY_WORD: _is_word,
    _c.CATEGORY_NOT_WORD: lambda char: not _is_word(char),
}

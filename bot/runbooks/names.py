"""Alert names: how they are compared, and how they are found in the titles that other tools make of them. Pure."""

from __future__ import annotations

import re
from collections.abc import Container, Iterator
from functools import cache

LONGEST = 500  # characters of a title that are looked at
MOST_WORDS = 8  # of a name, as a title may write it
SHORTEST = 6  # letters of a name that is looked for within a title: shorter ones are found by accident

_PLAIN = re.compile(r"[\w .:/-]+")
_WORD = re.compile(r"[^\W_]+")
_TAGS = re.compile(r"^(?:\s*(?:\[[^\]]*\]|\{[^}]*\}|\([^)]*\)|[^\w\s\[({]+))+\s*")
_STATE = re.compile(r"^(?:(?:re-?)?triggered|firing|alerting|alert|problem|critical|warning)\s*[:|-]\s+", re.IGNORECASE)
_HEAD = re.compile(r":\s|\s[-|–—(]|\son\s|\sfor\s|\sin\s")  # noqa: RUF001 - dashes that people write
_IDENTIFIER = re.compile(r"[A-Za-z][A-Za-z0-9]*(?:[a-z0-9][A-Z]|_[A-Za-z])[A-Za-z0-9_]*")


def key_of(name: str) -> str:
    """Give what two spellings of a name have in common: `Redis down` and `redis_down` are `RedisDown`."""
    return "".join(char for char in name.casefold() if char.isalnum())


def is_family(name: str) -> bool:
    """True where a name in a runbook's `alerts` is a regular expression."""
    return _PLAIN.fullmatch(name) is None


def belongs(name: str, family: str) -> bool:
    """True when the whole name, with or without what stands between its words, meets the regular expression."""
    pattern = _compiled(family)
    written = name[:LONGEST]
    return bool(pattern.fullmatch(written) or pattern.fullmatch("".join(_WORD.findall(written))))


def in_title(title: str, known: Container[str]) -> Iterator[str]:
    """Give the names of `known` (by their keys) that a title holds, as it writes them, in their order.

    A title is what PagerDuty, Grafana or Datadog make of an alert: `RedisDown: Redis instance down`,
    `[FIRING:1] RedisDown cache (redis-0 critical)`, `[P2] [Triggered on {env:prod}] Redis down`.
    """
    text = title[:LONGEST]
    words = list(_WORD.finditer(text))
    place = 0
    while place < len(words):
        for last in range(min(place + MOST_WORDS, len(words)) - 1, place - 1, -1):
            written = text[words[place].start() : words[last].end()]
            key = key_of(written)
            if len(key) >= SHORTEST and key in known:
                yield " ".join(written.split())
                place = last
                break
        place += 1


def candidates(title: str) -> Iterator[str]:
    """Give what may be an alert name in a title: its beginning, then each word that is written as one."""
    text = title[:LONGEST]
    head = _TAGS.sub("", text)
    head = _STATE.sub("", head)
    head = _HEAD.split(head, maxsplit=1)[0].strip()
    if head:
        yield head
    for found in _IDENTIFIER.finditer(text):
        if found.group() != head:
            yield found.group()


@cache
def _compiled(family: str) -> re.Pattern[str]:
    return re.compile(family, re.IGNORECASE)

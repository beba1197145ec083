r"""Reads Alertmanager's group keys, such as `{}/{severity="critical"}:{alertname="HighErrorRate"}`.

Before the colon stand the matchers of each route on the way, after it the labels that a group's alerts share. Source:
https://github.com/prometheus/alertmanager/blob/main/dispatch/route.go (`Route.Key`) and dispatch.go (`aggrGroup`).
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import dataclass

from bot.incidents.matchers import Matcher

_SET = r'\{(?:[^"{}]|"(?:[^"\\]|\\.)*")*\}'
_KEY = re.compile(rf"((?:{_SET})(?:/{_SET})*):({_SET})")
_ONE = re.compile(_SET)
_PAIR = re.compile(r'\s*("(?:[^"\\]|\\.)*"|[^"\s{}=!~,]+)\s*(=~|!~|!=|=)\s*("(?:[^"\\]|\\.)*")\s*(?:,|$)')
_ESCAPED = re.compile(r"\\(.)")


@dataclass(frozen=True, slots=True)
class GroupKey:
    """Which alerts belong to a group."""

    routes: tuple[Matcher, ...]
    labels: Mapping[str, str]

    @classmethod
    def parse(cls, key: str) -> GroupKey | None:
        """Return what a key says; None where it is none of Alertmanager's, or was cut."""
        found = _KEY.fullmatch(key)
        if found is None:
            return None
        way = [_pairs(part) for part in _ONE.findall(found.group(1))]
        labels = _pairs(found.group(2))
        if labels is None or any(part is None for part in way):
            return None
        routes = [Matcher(name, op, value) for part in way for name, op, value in part or ()]
        return cls(tuple(routes), {name: value for name, _, value in labels})

    def takes(self, labels: Mapping[str, str]) -> bool:
        """Tell whether an alert with these labels belongs to the group."""
        if any(labels.get(name, "") != value for name, value in self.labels.items()):
            return False
        try:
            return all(matcher.matches(labels) for matcher in self.routes)
        except (re.error, ValueError):  # Go's regular expressions know what Python's do not
            return False


def _pairs(text: str) -> list[tuple[str, str, str]] | None:
    inner, at, found = text[1:-1], 0, []
    while at < len(inner):
        pair = _PAIR.match(inner, at)
        if pair is None:
            return None
        name, op, value = pair.groups()
        found.append((_plain(name), op, _plain(value)))
        at = pair.end()
    return found


def _plain(text: str) -> str:
    if not text.startswith('"'):
        return text
    return _ESCAPED.sub(lambda m: "\n" if m.group(1) == "n" else m.group(1), text[1:-1])

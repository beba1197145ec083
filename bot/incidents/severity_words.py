"""Which severity a sender's word means: `page`, `Critical`, `P1`, `SEV-1`, `fatal`.

Words are compared without case, spaces, dashes and underscores. What is in no table keeps its own word: no rule that
knows it, no silence. Plain numbers are in none, since senders count both ways.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from types import MappingProxyType

from bot.incidents.model import Alert
from bot.incidents.sources import PAGERDUTY

MEANINGS = ("critical", "warning", "info", "none", "sev1", "sev2", "sev3", "sev4")
SEVERITY = "severity"
_ORDER = {0: "sev1", 1: "sev1", 2: "sev2", 3: "sev3", 4: "sev4", 5: "sev4"}


def plain(word: str) -> str:
    """Return a word as the table has it: `SEV-1` is `sev1`."""
    return "".join(char for char in word.casefold() if not (char.isspace() or char in "-_"))


def _defaults() -> Mapping[str, str]:
    words = {
        "critical": "critical crit page error err fatal emergency emerg disaster high major severe urgent panic alert",
        "warning": "warning warn minor moderate average medium",
        "info": "info informational information",
        "none": "none",
        "sev1": "blocker highest",
        "sev4": "low lowest",
    }
    table = {word: meaning for meaning, names in words.items() for word in names.split()}
    for prefix in ("p", "s", "sev", "severity", "prio", "priority"):
        table |= {f"{prefix}{number}": meaning for number, meaning in _ORDER.items()}
    return MappingProxyType(table)


DEFAULT_WORDS = _defaults()


def merged(
    words: Mapping[str, str], kept: Iterable[str] = (), names: Mapping[str, str] = MappingProxyType({})
) -> Mapping[str, str]:
    """Return the default table with a company's words put in, without those that its rules name themselves.

    `names` are what the company calls its severities; what rules know by itself (`critical`) is no such name.
    """
    own = {plain(word): plain(meaning) for word, meaning in words.items()}
    named = {plain(word) for word in kept} - own.keys()
    called = {plain(name): str(level) for name, level in names.items() if plain(name) not in MEANINGS}
    return {word: meaning for word, meaning in {**DEFAULT_WORDS, **called, **own}.items() if word not in named}


def said(alert: Alert) -> tuple[str, str]:
    """Return the label that gives an alert's severity and its word; both are empty where there is none.

    `severity` counts in any case. `priority` stands in where it holds a word such as P1, but not PagerDuty's, for
    which there are rules of their own.
    """
    for name in (SEVERITY, *(label for label in alert.labels if label.casefold() == SEVERITY)):
        if word := alert.labels.get(name, "").strip():
            return name, word
    if alert.source == PAGERDUTY:
        return "", ""
    for name, word in alert.labels.items():
        if name.casefold() == "priority" and plain(word)[-1:].isdigit() and plain(word) in DEFAULT_WORDS:
            return name, word.strip()
    return "", ""


def meaning(word: str, words: Mapping[str, str] = DEFAULT_WORDS) -> str:
    """Return what a word means, or the word itself in lower case where the table does not hold it."""
    return words.get(plain(word), word.strip().casefold())

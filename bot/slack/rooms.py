"""What an incident's channel is called: its number, and behind it what the configured pattern adds. Pure."""

from __future__ import annotations

import re
import string
import unicodedata

from bot.incidents.model import Incident
from bot.incidents.rooms import LONGEST, prefix_of

ABOUT = 30  # characters that say what it is about
LEAST = 12  # characters that a title's beginning needs to stand for the whole
# Letters that no decomposition turns into ASCII ones.
_LETTERS = str.maketrans(
    {"ß": "ss", "æ": "ae", "œ": "oe", "ø": "o", "ł": "l", "đ": "d", "ð": "d", "þ": "th", "\u0131": "i", "ħ": "h"}
)
# Where one word ends within `HighErrorRate`, `OOMKilled` and `KubeAPIDown`, but not within `MySQL` and `iPhone`.
_HUMP = re.compile(
    r"(?<=[A-Za-z0-9][a-z0-9])(?=[A-Z][a-z])|(?<=[A-Z])(?=[A-Z][a-z]{2})|(?<=[a-z]{2})(?=[A-Z]{2,}[a-z]{2})"
)
_NOISE = re.compile(
    r"\[(?:firing|alerting|triggered|critical|warning|sev-?[0-9]|p[0-9])\b[^\]]*\]|https?://\S+|['’]",  # noqa: RUF001
    re.IGNORECASE,
)
_PART_ENDS = re.compile(r"(?<=\S)(?:[:;,.!?](?=\s)|\s[-|–—]\s|\s*[(\[])")  # noqa: RUF001 - dashes that people write
# Words that say nothing at the end of a name that was cut.
_WEAK = re.compile(
    r"[0-9]+(?:st|nd|rd|th|ms|s|m|h|k)?|[a-z]|an|and|are|as|at|be|been|because|but|by|during|for|from|had|has|have|if|in|"
    r"into|is|its|no|not|of|on|or|our|over|per|since|than|that|the|their|this|to|under|until|via|was|were|when|where|"
    r"which|while|who|will|with|within|without"
)


def name_of(incident: Incident, pattern: str) -> str:
    """Return the channel's name: nobody can read in a private incident's what it is about."""
    prefix = prefix_of(incident.number)
    if incident.private:
        return prefix
    about = slug(incident.title) or slug(incident.service)
    facts = {"prefix": prefix, "about": about, "title": slug(incident.title), "service": slug(incident.service)}
    filled = re.sub(r"-{2,}", "-", string.Formatter().vformat(pattern, (), facts))
    return _cut(filled, LONGEST)


def slug(text: str) -> str:
    """Return a text as a part of a channel's name; empty where none of it can stand there.

    A text that is too long ends with one of its parts (`Checkout is down: ...`), or else with a word that means
    something by itself. A name such as `orders-db` is halved only where nothing else is left.
    """
    text = _NOISE.sub("", text)
    whole = _plain(text)
    if len(whole) <= ABOUT:
        return whole
    parts = [_plain(text[: end.start()]) for end in _PART_ENDS.finditer(text)]
    words = [_ended(_plain(text[: end.start()])) for end in re.finditer(r"\s+", text)]
    for beginnings in (parts, words):
        if fitting := [each for each in beginnings if LEAST <= len(each) <= ABOUT]:
            return fitting[-1]
    return _ended(whole[: ABOUT + 1].rpartition("-")[0]) or whole[:ABOUT]


def _plain(text: str) -> str:
    """Return a text in lower case ASCII letters and digits, with a dash between words."""
    lower = unicodedata.normalize("NFKD", _HUMP.sub("-", text).casefold()).translate(_LETTERS)
    ascii_only = "".join(char for char in lower if not unicodedata.combining(char))
    return re.sub(r"[^a-z0-9]+", "-", ascii_only).strip("-")


def _ended(name: str) -> str:
    """Return a name without the words at its end that say nothing alone: `of`, `the`, a number."""
    words = name.split("-")
    while len(words) > 1 and _WEAK.fullmatch(words[-1]):
        words.pop()
    return "-".join(words)


def _cut(name: str, longest: int) -> str:
    """Shorten a name between two words, if there is a place; it ends in no dash."""
    if len(name) <= longest:
        return name.strip("-_")
    kept, _, _ = name[: longest + 1].rpartition("-")
    return (kept if len(kept) > longest // 2 else name[:longest]).strip("-_")

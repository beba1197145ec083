"""What an incident's channel is called: its number, and behind it what the configured pattern adds. Pure."""

from __future__ import annotations

import re
import string
import unicodedata

from bot.incidents.model import Incident
from bot.incidents.rooms import LONGEST, prefix_of

ABOUT = 40  # characters that say what it is about
# Letters that no decomposition turns into ASCII ones.
_LETTERS = str.maketrans(
    {"ß": "ss", "æ": "ae", "œ": "oe", "ø": "o", "ł": "l", "đ": "d", "ð": "d", "þ": "th", "\u0131": "i", "ħ": "h"}
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
    """Return a text as a part of a channel's name; empty where none of it can stand there."""
    plain = unicodedata.normalize("NFKD", text.casefold()).translate(_LETTERS)
    ascii_only = "".join(char for char in plain if not unicodedata.combining(char))
    return _cut(re.sub(r"[^a-z0-9]+", "-", ascii_only).strip("-"), ABOUT)


def _cut(name: str, longest: int) -> str:
    """Shorten a name between two words, if there is a place; it ends in no dash."""
    if len(name) <= longest:
        return name.strip("-_")
    whole, _, _ = name[: longest + 1].rpartition("-")
    return (whole if len(whole) > longest // 2 else name[:longest]).strip("-_")

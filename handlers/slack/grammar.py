"""The slash command's words: how a line and its parts are read."""

from __future__ import annotations

import re
from collections.abc import Callable
from dataclasses import dataclass
from datetime import datetime, timedelta

from bot.durations import parse_duration
from bot.incidents.policy import Severity
from bot.text import clean

_NUMBER = re.compile(r"^(INC-\d{8}-\d{3,6})\b\s*", re.IGNORECASE)
_SEVERITY = re.compile(r"(?:sev[-\s]?)?([1-4])", re.IGNORECASE)
_LAST_SEVERITY = re.compile(r"(?:^|\s)sev[-]?([1-4])\s*$", re.IGNORECASE)
_CLOCK = re.compile(r"(?:^|\s)at\s+([01]?[0-9]|2[0-3]):([0-5][0-9])(?:\s*(?:UTC|Z))?\s*$", re.IGNORECASE)
_NEXT = re.compile(r"(?:^|[\s,;])next\s+(?:in\s+)?(\d+\s*[smhd])\s*$", re.IGNORECASE)
_DATE = re.compile(r"(?:^|\s)(?:by\s+)?(20\d\d-(?:0[1-9]|1[0-2])-(?:0[1-9]|[12]\d|3[01]))\s*$", re.IGNORECASE)
_PERSON = re.compile(r"(?:^|\s)(<@[UW][A-Z0-9]+(?:\|[^>]*)?>|@[\w.-]+)\s*$")
_QUOTES = {'"': '"', "'": "'", "\u201c": "\u201d", "\u2018": "\u2019", "\u00ab": "\u00bb"}


@dataclass(frozen=True, slots=True)
class Line:
    """A line as it was typed: a number it may begin with, the verb (empty: none), the rest."""

    number: str
    word: str
    rest: str


def read(text: str) -> Line:
    """Split what follows the slash command."""
    rest = clean(text).strip()
    number = ""
    if found := _NUMBER.match(rest):
        number, rest = found.group(1).upper(), rest[found.end() :]
    word, rest = [*rest.split(None, 1), "", ""][:2]
    return Line(number, word.casefold(), rest.strip())


def title_and_severity(text: str) -> tuple[str, Severity | None]:
    """Take a severity off the end of a title, and quotes off its sides."""
    severity = None
    if found := _LAST_SEVERITY.search(text):
        severity = Severity(f"sev{found.group(1)}")
        text = text[: found.start()]
    return unquote(text), severity


def severity_and_why(text: str) -> tuple[Severity | None, str]:
    """Read `1`, `sev1` or `sev 1`, then the reason."""
    found = re.match(rf"{_SEVERITY.pattern}(?:[\s:,]+|$)", text.strip(), re.IGNORECASE)
    if not found:
        return None, text
    return Severity(f"sev{found.group(1)}"), text.strip()[found.end() :].strip()


def unquote(text: str) -> str:
    """Drop a pair of quotes around a text."""
    short = text.strip()
    if len(short) > 1 and _QUOTES.get(short[0]) == short[-1]:
        return short[1:-1].strip()
    return short


def plain(text: str, name_of: Callable[[str], str]) -> str:
    """Turn Slack's escapes in typed text (`<@U1>`, `<#C1|ops>`, `<https://x|x>`, `&amp;`) into what was meant."""
    text = re.sub(r"<@[UW][A-Z0-9]+\|([^>]+)>", r"@\1", text)
    text = re.sub(r"<@([UW][A-Z0-9]+)\|?>", lambda m: f"@{name_of(m.group(1))}", text)
    text = re.sub(r"<#[A-Z0-9]+\|([^>]*)>", r"#\1", text)
    text = re.sub(r"<!subteam\^[A-Z0-9]+\|([^>]+)>", r"\1", text)
    text = re.sub(r"<!(here|channel|everyone)(?:\|[^>]*)?>", r"@\1", text)
    text = re.sub(r"<((?:https?|mailto):[^|>]+)(?:\|[^>]*)?>", r"\1", text)
    return text.replace("&lt;", "<").replace("&gt;", ">").replace("&amp;", "&")


def at_time(text: str, now: datetime) -> tuple[str, datetime | None]:
    """Take `at 03:12` (UTC, the last such moment) or `at 2026-11-21T03:12Z` off the end of a text."""
    if found := _CLOCK.search(text):
        moment = now.replace(hour=int(found[1]), minute=int(found[2]), second=0, microsecond=0)
        return text[: found.start()].rstrip(), moment if moment <= now else moment - timedelta(days=1)
    return text, None


def next_in(text: str) -> tuple[str, int | None]:
    """Take `next 30m` off the end of a text; gives the seconds.

    Raises:
        ValueError: what follows `next` looks like a duration and is none.
    """
    if found := _NEXT.search(text):
        return text[: found.start()].rstrip(" ,;"), parse_duration(found[1])
    return text, None


def due_date(text: str) -> tuple[str, str]:
    """Take a date such as 2026-12-01 off the end of a text."""
    if found := _DATE.search(text):
        return text[: found.start()].rstrip(), found[1]
    return text, ""


def mention_at_end(text: str) -> tuple[str, str]:
    """Take a person off the end of a text: `<@U1>`, `<@U1|ann>`, or `@ann`."""
    if found := _PERSON.search(text):
        return text[: found.start()].rstrip(), found[1]
    return text, ""

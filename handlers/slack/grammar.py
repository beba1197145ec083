"""The slash command's words: how a line and its parts are read."""

from __future__ import annotations

import re
import unicodedata
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from datetime import UTC, datetime

from bot import times
from bot.incidents.policy import DEFAULT_POLICY, Severity, folded
from bot.text import clean

_INVISIBLE = "[\u200b-\u200f\u2060\ufeff\u00ad]"
_DASH = "[-\u2010-\u2015\u2212]"
# `INC-20261121-001`, a channel as it is typed or linked, with whatever a person puts behind it.
_NUMBER = re.compile(
    rf"{_INVISIBLE}*[(\[`*\"']*(?:INC[{_DASH[1:-1]} ]?|#?incident{_DASH})(\d{{8}}){_DASH}(\d{{3,6}})(?:-[\w-]*)?"
    r"(?![\w-])[)\]`*\"',:;.!]*\s*",
    re.IGNORECASE,
)
_CHANNEL = re.compile(r"<#(C[A-Z0-9]+|G[A-Z0-9]+)(?:\|([^>]*))?>[,:;.!]*\s*")
_NAMED = re.compile(
    rf"(?<![\w-])INC{_DASH}\d{{8}}{_DASH}\d{{3,6}}(?![\w-])|<#[CG][A-Z0-9]+(?:\|[^>]*)?>", re.IGNORECASE
)
_GAP = f"{_INVISIBLE}*"
_SEVERITY = rf"s{_GAP}e{_GAP}v{_GAP}(?:erity)?[\s_=:{_INVISIBLE[1:-1]}-]*[1-4\uff11-\uff14]"
_DIGIT = re.compile(rf"(?:to\s+)?{_GAP}[(=]?\s*([1-4])\s*[)]?(?:[\s:,.;!\u2013\u2014-]+|$)", re.IGNORECASE)
_NEXT = re.compile(r"(?:^|[\s,;.(])next\b[\s:=]*(?:update\b[\s:=]*)?(?:(?:at|in|on)\s+)?", re.IGNORECASE)
_OVER_THE_NEXT = re.compile(r"\b(?:the|our|a|this|that|its|their|your|every|each|very)$", re.IGNORECASE)
_AT = re.compile(r"(?:^|[\s,;(])(?:at|@)\s+(?=\S)", re.IGNORECASE)
_AT_START = re.compile(
    r"^(?:(?:at|@)\s+)?[(\[]?((?:yesterday\s+(?:at\s+)?)?\d{1,2}:\d{2}(?:\s*(?:[ap]m|utc|z)\b)?)[)\]]?[\s,:;-]+(?=\S)",
    re.IGNORECASE,
)
_IN_BRACKETS = re.compile(
    r"\s*[(\[](?:at\s+)?((?:yesterday\s+(?:at\s+)?)?\d{1,2}:\d{2}(?:\s*(?:[ap]m|utc|z))?)[)\]][.]*$", re.IGNORECASE
)
_BARE_TIME = re.compile(
    r"(?:^|[\s,;(])((?:\d[\w.,]*\s*)+(?:\s*and\s+\d[\w.]*\s*\w*)?\s*[a-z]*\s+ago|(?:half\s+)?an?\s+(?:hour|minute|day)\s+ago"
    r"|(?:yesterday|today|last\s+\w+day)\s+(?:at\s+)?\d[\w:.\s/+-]{0,25})[.)]*$",
    re.IGNORECASE,
)
_DUE = re.compile(r"(?:^|[\s,;(])(?:by|due|until|on|before)[\s:]+(?=\S)", re.IGNORECASE)
_DAY_AT_END = re.compile(r"(?:^|[\s,;(])(\d{4}-\d{1,2}-\d{1,2})[.)]*$")
PERSON = r"<@[UW][A-Z0-9]+(?:\|[^>]*)?>|@[\w](?:[\w.-]*\w)?"
_NAME = re.compile(rf"[(\"']*({PERSON}|<!subteam\^[A-Z0-9]+(?:\|[^>]*)?>)(?:'s\b)?[)\"']*")
_TO = re.compile(r"^(?:to|for|with|from|the)\s+(?=[<@(])", re.IGNORECASE)
# What may stand between two people, or between the last of them and a reason.
_AND = re.compile(r"^\s*(?:[,;:.!&+/\u2013\u2014-]+\s*)*(?:(?:and|or|plus|then)\s+(?=[<@(]))?", re.IGNORECASE)
_PERSON = re.compile(rf"(?:^|[\s,;(])(?:owner:\s*)?({PERSON})[,;:.!)]*\s*$", re.IGNORECASE)
_AROUND = " ,;:.!?-\u2013\u2014\"'"  # what may stand between a severity and the end of a title
_ESCAPED = re.compile(r"<([@#!](?=[A-Za-z0-9])[^<>]*|[a-zA-Z][a-zA-Z0-9+.-]*:[^<>\s|][^<>]*)>")
_BROADCASTS = frozenset({"here", "channel", "everyone"})
_QUOTES = {'"': '"', "'": "'", "\u201c": "\u201d", "\u2018": "\u2019", "\u00ab": "\u00bb", "\u201e": "\u201c"}
# What severities are called where no company has names of its own.
NAMES: Mapping[str, Severity] = DEFAULT_POLICY.names


@dataclass(frozen=True, slots=True)
class Line:
    """A line as it was typed: the incident it may begin with, the verb (empty: none), the rest.

    An incident is named by its number, or by its channel's id.
    """

    named: str
    word: str
    rest: str


@dataclass(frozen=True, slots=True)
class Titled:
    """A title, and the severities that were typed with it, each as it was written."""

    title: str
    severities: tuple[tuple[Severity, str], ...] = ()

    @property
    def severity(self) -> Severity | None:
        """The severity that was typed; the worst, where they differ."""
        return min((severity for severity, _ in self.severities), key=lambda s: s.value, default=None)

    @property
    def is_torn(self) -> bool:
        """True where severities that differ were typed."""
        return len({severity for severity, _ in self.severities}) > 1


def read(text: str) -> Line:
    """Split what follows the slash command."""
    named, rest = take_incident(clean(text).strip())
    word, rest = [*rest.split(None, 1), "", ""][:2]
    return Line(named, re.sub(_INVISIBLE, "", word).casefold(), rest.strip())


def take_incident(text: str) -> tuple[str, str]:
    """Take an incident off the beginning of a text: its number or its channel's id (empty: none), and the rest."""
    if found := _NUMBER.match(text):
        return f"INC-{found[1]}-{found[2]}", text[found.end() :]
    if found := _CHANNEL.match(text):
        return found[1], text[found.end() :]
    return "", text


def short_number(word: str) -> int | None:
    """Return the number that a word may name an incident by, as in its channel's name: `002`, `#2`, `inc-002`."""
    found = re.fullmatch(rf"(?:INC{_DASH}?|#)?0*(\d{{1,6}})[:,;.]*", word, re.IGNORECASE)
    return int(found[1]) if found else None


def incidents_in(text: str) -> list[str]:
    """Return the incidents that a text names, by number or channel id."""
    return [take_incident(found[0])[0] for found in _NAMED.finditer(text)]


def without_incidents(text: str) -> str:
    """Return a text without the incidents that it names."""
    return " ".join(_NAMED.sub(" ", text).split())


def titled(text: str, names: Mapping[str, Severity] = NAMES) -> Titled:
    """Read a title with a severity in it, wherever that stands and however it is written; quotes go off its sides.

    A severity at an end, or in brackets, is no part of the title; between words it stays there. One whose name holds no
    digit counts only where it can be told from the words of a title: at an end, or in brackets.
    """
    whole, pattern = unquote(text.strip()), _severity_pattern(names)
    matches = [match for match in pattern.finditer(whole) if _is_severity(match, whole)]
    found = tuple((_severity_of(match["severity"], names), match["severity"]) for match in matches)
    read = Titled(whole, found)
    return read if read.is_torn or not found else Titled(_without_severity(whole, pattern), found)


def _without_severity(title: str, pattern: re.Pattern[str]) -> str:
    """Take severities off both ends of a title, and out of brackets in it."""
    for match in [*pattern.finditer(title)][::-1]:
        before, after = title[: match.start()].rstrip(), title[match.end() :].lstrip(" :,;")
        if match["open"] or not before.strip(_AROUND) or not after.strip(_AROUND):
            return _without_severity(f"{before} {after if after.strip(_AROUND) else ''}".strip(), pattern)
    return unquote(title.strip(" ,;:-\u2013\u2014"))


def _is_severity(match: re.Match[str], text: str) -> bool:
    """True unless what reads as a severity may be a plain word of the text."""
    is_plain = not match["open"] and folded(match["severity"]).isalpha()
    before = re.sub(r"(?:^|\s)(?:to|is|as)\s*$", "", text[: match.start()], flags=re.IGNORECASE)
    return not (is_plain and before.strip(_AROUND) and text[match.end() :].strip(_AROUND))


def severity_and_why(text: str, names: Mapping[str, Severity] = NAMES) -> tuple[Severity | None, str]:
    """Read a severity and the reason beside it: `1`, `sev1`, `to sev 1:`, `(sev1)`, `all regions are down sev1`."""
    short = text.strip()
    digit = _DIGIT.match(short)
    if digit:
        read, why = Severity(f"sev{digit[1]}"), short[digit.end() :].strip()
        others = {_severity_of(match["severity"], names) for match in _severity_pattern(names).finditer(why)}
        return (None, text) if others - {read} else (read, why)
    found = [match for match in _severity_pattern(names).finditer(short) if _is_severity(match, short)]
    if len({_severity_of(match["severity"], names) for match in found}) != 1:
        return None, text
    match = found[0]
    before = re.sub(r"(?:^|\s)(?:to|is|as)\s*$", "", short[: match.start()], flags=re.IGNORECASE)
    why = f"{before.rstrip(' ,;:')} {short[match.end() :].lstrip(' ,;:.-')}".strip()
    return _severity_of(match["severity"], names), why


def _severity_pattern(names: Mapping[str, Severity]) -> re.Pattern[str]:
    own = [_pattern_of(name) for name in sorted(names, key=len, reverse=True) if name not in NAMES]
    return re.compile(
        rf"(?P<open>[(\[])?{_GAP}(?<![\w#/@.-])(?P<severity>{'|'.join([*own, _SEVERITY])}){_GAP}"
        r"(?![\w/-]|[.:]\w)(?(open)[)\]])[:,;.!]*",
        re.IGNORECASE,
    )


def _pattern_of(name: str) -> str:
    """Return the pattern of a company's own name: as typed, with other dashes, wide, or with gaps that show nothing."""
    parts = []
    for char in unicodedata.normalize("NFC", name.strip()):
        if char.isspace() or char in "-_":
            parts.append(rf"[\s_={_DASH[1:-1]}{_INVISIBLE[1:-1]}]*")
        elif "!" <= char <= "~":
            parts.append(f"[{re.escape(char)}{chr(ord(char) + 0xFEE0)}]")
        else:
            apart = unicodedata.normalize("NFD", char)
            parts.append(f"(?:{re.escape(char)}|{re.escape(apart)})")
    return _GAP.join(parts)


def _severity_of(written: str, names: Mapping[str, Severity]) -> Severity:
    short = folded(written)
    known = {folded(name): severity for name, severity in names.items()}
    return known.get(short) or Severity(f"sev{short[-1]}")


def unquote(text: str) -> str:
    """Drop a pair of quotes around a text."""
    short = text.strip()
    if len(short) > 1 and _QUOTES.get(short[0]) == short[-1]:
        return short[1:-1].strip()
    return short


def plain(text: str, name_of: Callable[[str], str], *, labels: bool = False) -> str:
    """Turn Slack's escapes in a text (`<@U1>`, `<#C1|ops>`, `<https://x|x>`, `&amp;`) into what was meant.

    Args:
        text: the text as Slack sends it.
        name_of: returns the name of a person, a channel or a user group by its id, or the id.
        labels: keep what links are labelled with beside their addresses, as in a message that people read.
    """
    parts, place = [], 0
    for found in _ESCAPED.finditer(text):
        parts += [_unescaped(text[place : found.start()]), _meant(found[1], name_of, labels=labels)]
        place = found.end()
    return "".join([*parts, _unescaped(text[place:])])


def _meant(inside: str, name_of: Callable[[str], str], *, labels: bool) -> str:
    """Return what stands for an escape of Slack's, which is given without its brackets."""
    what, _, label = inside.partition("|")
    label = _unescaped(label.strip())
    if what[0] == "@":
        return f"@{label.removeprefix('@') or name_of(what[1:])}"
    if what[0] == "#":
        return f"#{label.removeprefix('#') or name_of(what[1:])}"
    if what.startswith("!subteam^"):
        return f"@{(label or name_of(what.partition('^')[2])).removeprefix('@')}"
    if what.startswith("!date^"):
        return label or _date(what)
    if what[0] == "!":
        return f"@{what[1:]}" if what[1:] in _BROADCASTS or not label else label
    address = _unescaped(what)
    if not label or label == address:
        return address
    if label == _bare(address):  # Slack has made a link of what was typed
        return label
    return f"{label} ({address})" if labels else address


def _bare(address: str) -> str:
    """Return an address as people type it."""
    return re.sub(r"^(?:https?://|mailto:|tel:)", "", address, flags=re.IGNORECASE)


def _date(what: str) -> str:
    """Return the moment that a date without a fallback names."""
    seconds = what.split("^")[1]
    if not (seconds.isascii() and seconds.isdecimal() and len(seconds) <= 11):
        return "an unknown date"
    return f"{datetime.fromtimestamp(int(seconds), UTC):%Y-%m-%d %H:%M} UTC"


def _unescaped(text: str) -> str:
    return text.replace("&lt;", "<").replace("&gt;", ">").replace("&amp;", "&")


# -- times ------------------------------------------------------------------------------------------------------------


def time_at_end(text: str) -> tuple[str, str]:
    """Take the time off the end of a note, or off its start; gives the text and the time.

    `at 03:12`, `10 min ago`, `yesterday 02:00`, `(03:12)`; at the start `03:12` and `at 03:12`. What only begins as a
    time does is taken too, so that it can be refused: a note is never quietly put at "now".
    """
    if (found := _BARE_TIME.search(text)) and times.is_time_meant(found[1]):
        return re.sub(r"(?:^|\s)(?:at|@)$", "", text[: found.start()].rstrip(" ,;("), flags=re.IGNORECASE), found[1]
    if found := _IN_BRACKETS.search(text):
        return text[: found.start()], found[1]
    for found in [*_AT.finditer(text)][::-1]:
        when = text[found.end() :].rstrip(" .)")
        if times.is_time_meant(when):
            return text[: found.start()].rstrip(" ,;("), when
    if found := _AT_START.match(text):
        return text[found.end() :], found[1]
    return text, ""


def next_at_end(text: str) -> tuple[str, str]:
    """Take `next 30 min`, `next update at 15:30` off the end of an update; gives the text and the time.

    "over the next 30 min" is no time to be back at.
    """
    for found in [*_NEXT.finditer(text)][::-1]:
        before, when = text[: found.start()].rstrip(), text[found.end() :].rstrip(" .)")
        if not _OVER_THE_NEXT.search(before) and (times.is_span_meant(when) or times.is_meant(when)):
            return before.rstrip(" ,;.("), when
    return text, ""


def span_at_start(text: str) -> tuple[str, str]:
    """Take a time span off the start of a text: `30m waiting`, `for 1 hour 30 minutes: the restore`."""
    short = re.sub(r"^(?:for|by)\s+", "", text.strip(), flags=re.IGNORECASE)
    if found := times.SPAN_AT_START.match(short):
        return found[0], short[found.end() :].lstrip(" ,;:.-\u2013\u2014")
    return short.partition(" ")[0], short.partition(" ")[2].strip()


def owner_and_due(text: str) -> tuple[str, str, str]:
    """Take a person and a day off the end of a text, in either order; gives the text, the person and the day.

    Behind a person a day stands without a word before it: `<@U1> Friday`.
    """
    typed, who = person_at_end(text)
    typed, due = due_at_end(typed)
    if not who:
        typed, who = person_at_end(typed)
    before, _, last = text.rstrip(" .)").rpartition(" ")
    if not who and not due and times.is_day_meant(last):
        typed, who = person_at_end(before)
        due = last if who else ""
    return (typed, who, due) if who or due else (text, "", "")


def due_at_end(text: str) -> tuple[str, str]:
    """Take a day off the end of a text: `2026-12-01`, `by Friday`, `due tomorrow`; gives the text and the day.

    `2026-02-30` is taken too, so that it can be refused.
    """
    if found := _DAY_AT_END.search(text):
        begin = re.search(r"[\s,;(]+(?:by|due|until|on|before):?$", text[: found.start(1)].rstrip(), re.IGNORECASE)
        return text[: begin.start() if begin else found.start()].rstrip(" ,;("), found[1]
    for found in [*_DUE.finditer(text)][::-1]:
        when = text[found.end() :].rstrip(" .)")
        if times.is_day_meant(when):
            return text[: found.start()].rstrip(" ,;("), when
    return text, ""


# -- people -----------------------------------------------------------------------------------------------------------


def is_group(name: str) -> bool:
    """True for the mention of a user group."""
    return name.startswith("<!subteam^")


def people_at_start(text: str) -> tuple[list[str], str]:
    """Take people and groups off the start of a text: `<@U1>, <@U2> and @ann: why`, `to <@U1>`; gives the rest too."""
    names: list[str] = []
    rest = _TO.sub("", text.strip())
    first_bare: tuple[int, str] | None = None  # the first place with nothing but a space between two people
    while found := _NAME.match(rest):
        names.append(found[1])
        behind = rest[found.end() :]
        rest = _AND.sub("", behind)
        is_bare = not behind[: len(behind) - len(rest)].strip()
        if is_bare and first_bare is None and _NAME.match(rest):
            first_bare = len(names), rest
    if rest.strip() and first_bare:  # `@ann @bob says it is the cache`: bob is part of the reason
        return names[: first_bare[0]], first_bare[1].strip()
    return names, rest.strip()


def person_at_end(text: str) -> tuple[str, str]:
    """Take a person off the end of a text: `<@U1>`, `<@U1|ann>`, or `@ann`, with what stands around the name."""
    if found := _PERSON.search(text):
        return text[: found.start()].rstrip(" ,;("), found[1]
    return text, ""

"""Times as people type them: `03:12`, `3:05am CET`, `yesterday 02:00`, `10 min ago`, `in 2h`, `tomorrow`, `1h30m`.

dateparser reads days and hours. What it would guess at (`12`, `05/12`, `31 Nov`) is refused before it sees it: a wrong
time on a timeline is worse than a question.
"""

from __future__ import annotations

import re
import unicodedata
from dataclasses import dataclass
from datetime import UTC, date, datetime, time, timedelta, tzinfo
from functools import cache
from math import ceil
from zoneinfo import ZoneInfo, available_timezones

import dateparser
from dateparser.timezone_parser import pop_tz_offset_from_string

NEAR = timedelta(minutes=5)  # clocks differ, and people round: a moment that is this near is now
MISSED = timedelta(hours=1)  # an hour of the day that has passed so lately was not meant for tomorrow
BARE = timedelta(hours=18)  # an hour of the day that was longer ago is near ahead: yesterday's may not be meant
LONGEST = 40  # characters of a time; what is longer is text
EXAMPLES = "03:12, 3:05am CET, yesterday 02:00, 10 min ago or 2026-11-29T03:12Z"
AHEAD_EXAMPLES = "30m, 15:30, in 2h, tomorrow 09:00 or 2026-12-05 15:00"

_UNIT = r"(?:s|secs?|seconds?|m|mins?|minutes?|h|hrs?|hours?|d|days?)"
_PART = re.compile(rf"(\d+(?:\.\d+)?)\s*({_UNIT})(?![a-z])")
_SPAN = (
    rf"(?:\d+(?:\.\d+)?\s*{_UNIT}(?:\s*(?:,|and)?\s*\d+(?:\.\d+)?\s*{_UNIT})*|(?:half\s+)?an?\s+(?:hour|minute|day))"
)
SPAN_AT_START = re.compile(rf"{_SPAN}(?![a-z])", re.IGNORECASE)
_SECONDS = {"s": 1, "m": 60, "h": 3600, "d": 86400}
_HALF = r"\s*[ap]\.?m(?![a-z])\.?"  # of the day
_CLOCK = rf"(?:\d{{1,2}}:\d{{2}}(?::\d{{2}}(?:\.\d+)?)?(?:{_HALF})?|\d{{1,2}}{_HALF}|noon|midnight)"
_WEEKDAY = r"(?:mon|tues?|wed(?:nes)?|thu(?:rs?)?|fri|sat(?:ur)?|sun)(?:day)?"
_MONTH = (
    r"(?:jan(?:uary)?|feb(?:ruary)?|mar(?:ch)?|apr(?:il)?|may|june?|july?|aug(?:ust)?|sept?(?:ember)?|oct(?:ober)?"
    r"|nov(?:ember)?|dec(?:ember)?)"
)
_NTH, _YEAR = r"\d{1,2}(?:st|nd|rd|th)?", r"(?:,?\s+\d{4})?"
_DATE = rf"(?:\d{{4}}-\d{{2}}-\d{{2}}|{_NTH}\s+{_MONTH}{_YEAR}|{_MONTH}\s+{_NTH}{_YEAR})"
_DAY = rf"(?:today|tomorrow|yesterday|(?:(?:last|next|this)\s+)?{_WEEKDAY}|{_DATE})"
_ZONE = r"(?:z|[a-z]{2,5}(?:[+-]\d{1,2}(?::?\d{2})?)?|[+-]\d{2}:?\d{2}|[a-z_]+/[a-z_/+-]+\d*)"
_ABSOLUTE = re.compile(
    rf"(?:(?P<day>{_DAY})(?:(?:t|,?\s+(?:at\s+)?)(?P<clock>{_CLOCK}))?"
    rf"|(?P<clock2>{_CLOCK})(?:,?\s+(?:on\s+)?(?P<day2>{_DAY}))?)(?:\s*(?P<zone>{_ZONE}))?"
)
_BEHIND = re.compile(rf"({_SPAN})\s+(?:ago|earlier)")
_AHEAD = re.compile(rf"(?:in\s+|\+\s*)({_SPAN})|({_SPAN})\s+from\s+now")
_MILITARY = re.compile(r"([01]\d|2[0-3])([0-5]\d)\s*(z|utc)")
# What is meant as a time, readable or not: words that end a text and begin so are a time, or refused.
_MEANT = re.compile(
    rf"(?:\d{{1,2}}:\d{{2}}|\d{{1,2}}{_HALF}|\d{{4}}-\d{{2}}|(?:noon|midnight)$|{_DAY}(?:$|\s+(?:at\s+)?\d)"
    rf"|{_SPAN}\s+(?:ago|earlier)\b|(?:in\s+|\+){_SPAN}(?![a-z])|{_MILITARY.pattern})",
)
_INVISIBLE = re.compile("[\u200b-\u200f\u2060\ufeff\u00ad]")


@dataclass(frozen=True, slots=True)
class Moment:
    """A moment (UTC) that somebody typed; `is_day` where only the day was said, and the moment is its beginning."""

    at: datetime
    is_day: bool = False


def span(text: str) -> int:
    """Return the seconds of a time span: `30m`, `30 min`, `1h30m`, `1 hour 30 minutes`, `1.5h`, `half an hour`.

    Raises:
        ValueError: the text is no span with units, or it is zero; the message names the fix.
    """
    said = _plain(text)
    if len(said) > LONGEST or not re.fullmatch(_SPAN, said):
        raise ValueError(f"Could not read “{_shown(text)}” as a time span. Write 30m, 90 min or 1h30m.")
    words = re.fullmatch(r"(half\s+)?an?\s+(hour|minute|day)", said)
    if words:
        found = _SECONDS[words[2][0]] // (2 if words[1] else 1)
    else:
        found = round(sum(float(number) * _SECONDS[unit[0]] for number, unit in _PART.findall(said)))
    if not found:
        raise ValueError("Write a time span longer than zero, such as 30m.")
    return found


def past(text: str, now: datetime, zone: tzinfo) -> Moment:
    """Return the moment at which something happened: the last one that fits, never one that lies ahead.

    Args:
        text: what was typed.
        now: the present moment (UTC).
        zone: the typist's, where the text names none.

    Raises:
        ValueError: the text is no time, or lies ahead; the message names the fix.
    """
    said = _plain(text)
    if said in {"now", "just now"}:
        return Moment(now)
    if ago := _BEHIND.fullmatch(said):
        return Moment(now - timedelta(seconds=span(ago[1])))
    read = _read(text, said, now, zone, future=False)
    if read.at > now:
        if read.at - now <= NEAR and not read.is_day:
            return Moment(now)
        raise ValueError(f"“{_shown(text)}” lies ahead. Write when it happened: {EXAMPLES}.")
    # The hour of today is a moment ahead, and yesterday's was not meant.
    if read.has_no_day and read.at + timedelta(days=1) - now <= NEAR:
        return Moment(now)
    if read.has_no_day and now - read.at > BARE:
        raise ValueError(f"“{_shown(text)}” lies ahead today. If you mean yesterday, write “yesterday {_shown(text)}”.")
    return Moment(read.at, read.is_day)


def ahead(text: str, now: datetime, zone: tzinfo) -> Moment:
    """Return the moment at which something is due: the next one that fits, never one that has passed.

    Args:
        text: what was typed; a span alone counts from now.
        now: the present moment (UTC).
        zone: the typist's, where the text names none.

    Raises:
        ValueError: the text is no time, or has passed; the message names the fix.
    """
    said = _plain(text)
    if re.fullmatch(_SPAN, said):
        return Moment(now + timedelta(seconds=span(said)))
    if found := _AHEAD.fullmatch(said):
        return Moment(now + timedelta(seconds=span(found[1] or found[2])))
    read = _read(text, said, now, zone, future=True)
    passed = read.at + timedelta(days=1) <= now if read.is_day else read.at <= now
    if passed or (read.has_no_day and now - (read.at - timedelta(days=1)) <= MISSED):
        raise ValueError(f"“{_shown(text)}” has passed. Write when it is due: {AHEAD_EXAMPLES}.")
    return Moment(read.at, read.is_day)


def seconds_until(moment: datetime, now: datetime) -> int:
    """Return the whole seconds from now to a moment, which they never fall short of: 16:15 is not to be 16:14:59."""
    return ceil((moment - now).total_seconds())


def day(text: str, now: datetime, zone: tzinfo) -> date:
    """Return the day that something is due: `2026-12-05`, `Friday`, `tomorrow`, `5 Dec`, `in 3 days`.

    Raises:
        ValueError: the text names no day, or one that has passed; the message names the fix.
    """
    try:
        found = ahead(text, now, zone)
    except ValueError as error:
        if "has passed" in str(error):
            raise ValueError(f"“{_shown(text)}” has passed. Write a day that is still to come.") from error
        raise ValueError(
            f"Could not read “{_shown(text)}” as a day. Write 2026-12-05, 5 Dec, Friday or tomorrow."
        ) from error
    return found.at.astimezone(zone).date()


def is_meant(text: str) -> bool:
    """True for what begins as a time does, readable or not."""
    return len(text) <= LONGEST and _MEANT.match(_plain(text)) is not None


def is_time_meant(text: str) -> bool:
    """True for what is a time and nothing else, readable or not: `25:00` and `03:12 XYZ`, but not `03:12 by hand`."""
    said = _plain(text)
    is_whole = any(shape.fullmatch(said) for shape in (_ABSOLUTE, _BEHIND, _AHEAD, _MILITARY))
    return is_meant(text) and (is_whole or len(said.split()) <= 2)


def is_span_meant(text: str) -> bool:
    """True for what begins as a time span does, readable or not."""
    return len(text) <= LONGEST and re.match(rf"{_SPAN}(?![a-z])|\d+$", _plain(text)) is not None


def is_day_meant(text: str) -> bool:
    """True for what begins as a day does, readable or not."""
    return len(text) <= LONGEST and re.match(rf"(?:{_DAY}|\d{{4}}-\d|in\s+{_SPAN})(?![a-z])", _plain(text)) is not None


def spoken(moment: datetime, zone: tzinfo) -> str:
    """Return a moment with its day, in UTC and, where that differs, in a zone: `Sun 29 Nov 02:12 UTC (03:12 CET)`."""
    absolute = f"{moment.astimezone(UTC):%a %-d %b %H:%M} UTC"
    local = moment.astimezone(zone)
    if local.utcoffset() == timedelta():
        return absolute
    day_too = "%a %H:%M %Z" if local.date() != moment.astimezone(UTC).date() else "%H:%M %Z"
    return f"{absolute} ({local.strftime(day_too)})"


def zone_of(name: str) -> tzinfo:
    """Return the zone of a name such as Europe/Berlin; UTC where there is none of that name."""
    known = _zones().get(name.casefold())
    return ZoneInfo(known) if known else UTC


# -- reading ----------------------------------------------------------------------------------------------------------


@dataclass(frozen=True, slots=True)
class _Read:
    at: datetime
    is_day: bool
    has_no_day: bool


def _read(text: str, said: str, now: datetime, zone: tzinfo, *, future: bool) -> _Read:
    if military := _MILITARY.fullmatch(said):
        said = f"{military[1]}:{military[2]} utc"
    found = _ABSOLUTE.fullmatch(said) if len(said) <= LONGEST else None
    if not found:
        raise ValueError(_unread(text, future=future))
    named_day, clock = found["day"] or found["day2"] or "", found["clock"] or found["clock2"] or ""
    if found["zone"]:
        if not clock:
            raise ValueError(_unread(text, future=future))
        zone = _named_zone(found["zone"], text)
    there = now.astimezone(zone).replace(tzinfo=None)
    on = _day(named_day, there, future=future) if named_day else there.date()
    time_of_day = _time_of_day(clock) if clock else time()
    if on is None or time_of_day is None:
        raise ValueError(_unread(text, future=future))
    local = datetime.combine(on, time_of_day)
    if not named_day and future and local <= there:
        local += timedelta(days=1)
    elif not named_day and not future and local > there:
        local -= timedelta(days=1)
    return _Read(local.replace(tzinfo=zone).astimezone(UTC), is_day=not clock, has_no_day=not named_day)


def _day(named: str, there: datetime, *, future: bool) -> date | None:
    """Return the day of a name; None where there is none: no 31 November, no month 13."""
    settings = {
        "RELATIVE_BASE": there,
        "PREFER_DATES_FROM": "future" if future else "past",
        "DATE_ORDER": "YMD" if named[0].isdigit() and "-" in named else "DMY",
        "RETURN_AS_TIMEZONE_AWARE": False,
    }
    read = dateparser.parse(re.sub(r"(?<=\d)(?:st|nd|rd|th)\b", "", named), languages=["en"], settings=settings)
    if read is None:
        return None
    if re.match(r"\d{4}-", named):
        return read.date() if f"{read:%Y-%m-%d}" == named else None
    numbers = [int(number) for number in re.findall(r"\d+", named)]
    return read.date() if all(number in {read.day, read.year} for number in numbers) else None


def _time_of_day(clock: str) -> time | None:
    read = dateparser.parse(clock.replace(".m", "m").removesuffix("."), languages=["en"])
    return read.time() if read else None


def _named_zone(name: str, text: str) -> tzinfo:
    if name in {"z", "utc", "gmt"}:
        return UTC
    if known := _zones().get(name):
        return ZoneInfo(known)
    _, found = pop_tz_offset_from_string(f"03:12 {name}", as_offset=True)
    if isinstance(found, tzinfo):
        return found
    raise ValueError(f"Could not read the time zone “{name}” in “{_shown(text)}”. Write UTC, +02:00 or Europe/Berlin.")


@cache
def _zones() -> dict[str, str]:
    return {name.casefold(): name for name in available_timezones()}


def _unread(text: str, *, future: bool) -> str:
    return f"Could not read “{_shown(text)}” as a time. Write {AHEAD_EXAMPLES if future else EXAMPLES}."


def _plain(text: str) -> str:
    """Return a text as it is compared: one case, one kind of space and dash, nothing invisible, no dot at its end."""
    said = _INVISIBLE.sub("", unicodedata.normalize("NFKC", text)).casefold().replace("\u2212", "-")
    said = re.sub(r"[\u2010-\u2015]", "-", said)
    said = " ".join(said.split()).strip(" ,;")
    said = said if re.search(r"[ap]\.m\.$", said) else said.rstrip(".")
    return re.sub(r"^(?:(?:at|on|by)\s+|~\s*)", "", said)


def _shown(text: str) -> str:
    short = " ".join(text.split())
    return short if len(short) <= LONGEST else short[: LONGEST - 1] + "…"

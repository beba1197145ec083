"""What an export is made of, and the few ways of writing values that all formats share. Pure."""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from collections.abc import Set as AbstractSet
from dataclasses import dataclass, field
from datetime import UTC, date, datetime, timedelta
from enum import Enum
from typing import Any

from bot.incidents.model import Event, Incident

REPLACEMENT = "\N{REPLACEMENT CHARACTER}"
# NUL ends strings in too many readers, and a lone surrogate cannot be written as UTF-8 at all.
_UNWRITABLE = re.compile("[\x00\ud800-\udfff]")


@dataclass(frozen=True, slots=True)
class AlertRow:
    """An occurrence of an alert that belongs to the incident; `value` as its source printed it.

    `status` is firing, resolved, or handed over to the incident that goes on for this one.
    """

    name: str
    status: str = ""
    labels: Mapping[str, str] = field(default_factory=dict)
    starts_at: datetime | None = None
    ends_at: datetime | None = None
    value: str = ""


@dataclass(frozen=True, slots=True)
class Dossier:
    """All that is exported of one incident. The same dossier gives the same bytes, whatever the hour."""

    incident: Incident
    events: tuple[Event, ...] = ()
    alerts: tuple[AlertRow, ...] = ()

    @property
    def in_order(self) -> tuple[Event, ...]:
        """The events by their `seq`: the order in which they were recorded."""
        return tuple(sorted(self.events, key=lambda event: event.seq))


@dataclass(frozen=True, slots=True)
class Rendered:
    """A finished file: UTF-8 bytes, their media type and a name that is safe in a header and on a disk."""

    content: bytes
    content_type: str
    filename: str


def clean(text: str) -> str:
    """Replace what no export may hold: NUL and lone surrogates."""
    return _UNWRITABLE.sub(REPLACEMENT, text)


def utc(moment: datetime) -> str:
    """Write a moment as RFC 3339 in UTC, cut (not rounded) to milliseconds: `2026-11-21T08:18:00.123Z`.

    Raises:
        ValueError: the moment has no time zone.
    """
    if moment.utcoffset() is None:
        raise ValueError("Give an aware datetime: a naive one would mean another time on another machine.")
    return moment.astimezone(UTC).isoformat(timespec="milliseconds").replace("+00:00", "Z")


def utc_or_none(moment: datetime | None) -> str | None:
    """Write a moment as `utc` does, and None as None."""
    return None if moment is None else utc(moment)


def plain(value: Any) -> Any:
    """Give a JSON-ready copy of an event's data. Durations become seconds; what JSON lacks becomes text."""
    if value is None or isinstance(value, bool):
        return value
    if isinstance(value, Enum):
        return plain(value.value)
    if isinstance(value, str):
        return clean(value)
    if isinstance(value, int):
        return value
    if isinstance(value, float):
        return value if value - value == 0 else str(value)  # infinities and NaN are no JSON numbers
    if isinstance(value, datetime):
        return utc(value)
    if isinstance(value, date):
        return value.isoformat()
    if isinstance(value, timedelta):
        return value.total_seconds()
    if isinstance(value, Mapping):
        return {clean(str(key)): plain(item) for key, item in value.items()}
    if isinstance(value, AbstractSet):
        return sorted((plain(item) for item in value), key=repr)  # a set's own order differs from run to run
    if isinstance(value, Sequence) and not isinstance(value, bytes | bytearray):
        return [plain(item) for item in value]
    return clean(str(value))


def filename(number: str, extension: str) -> str:
    """Name an incident's export, such as `INC-20261121-001-timeline.md`."""
    return f"{re.sub(r'[^A-Za-z0-9-]', '_', number)}-timeline.{extension}"

"""Reads JSON from outside: hostile or broken bodies end in one typed error."""

from __future__ import annotations

import json
from datetime import UTC, datetime
from typing import Any, NoReturn

from pydantic import BaseModel, ConfigDict, ValidationError

from bot.text import clean_deep, is_fit_json

MAX_DEPTH = 64
MOST_VALUES = 1_000_000  # of a body; a notification of 16 MiB has some 400,000
GZIP = b"\x1f\x8b"


class Lenient(BaseModel):
    """What a vendor sends: fields that we do not know are ignored."""

    model_config = ConfigDict(extra="ignore", frozen=True)


class Malformed(ValueError):  # noqa: N818 - a state, said as one
    """A body that can't be taken in; the message says why."""


def parse_json(raw: bytes) -> Any:
    """Parse JSON and clean every string in it.

    UTF-16, UTF-32 and a byte order mark are taken, as RFC 8259 leaves to whoever reads.

    Raises:
        Malformed: it is no JSON, holds NaN or Infinity, has too many values, or is nested too deep.
    """
    if raw.startswith(GZIP):
        raise Malformed("it is compressed: send it without Content-Encoding")
    if raw.count(b",") > MOST_VALUES or raw.count(b"[") + raw.count(b"{") > MOST_VALUES:
        raise Malformed("too many values")  # each takes many times its own bytes in memory
    try:
        text = raw.decode(json.detect_encoding(raw))
        value = json.loads(text, parse_constant=_refuse)
    except RecursionError as error:
        raise Malformed("nested too deep") from error
    except (ValueError, UnicodeDecodeError) as error:
        raise Malformed(f"not JSON: {error}") from error
    # Counting brackets is quicker than going down, and is enough for what is really sent.
    if text.count("[") + text.count("{") > MAX_DEPTH and _depth(value) > MAX_DEPTH:
        raise Malformed("nested too deep")
    return value if is_fit_json(text) else clean_deep(value)


def in_utc(moment: datetime) -> datetime:
    """Give the same moment in UTC.

    Raises:
        Malformed: it lies before the first or after the last day that a date can name.
    """
    try:
        return moment.astimezone(UTC)
    except OverflowError as error:
        raise Malformed(f"{moment.isoformat()} is no moment that can be told in UTC") from error


def explain(error: ValidationError) -> str:
    """Say in one line what is wrong with a body."""
    problems = [f"{'.'.join(str(p) for p in e['loc']) or 'body'}: {e['msg']}" for e in error.errors()[:5]]
    return "; ".join(problems)


def _refuse(constant: str) -> NoReturn:
    raise ValueError(f"{constant} is not JSON")


def _depth(value: Any) -> int:
    deepest, level = 0, [value] if isinstance(value, (dict, list)) else []
    while level and deepest <= MAX_DEPTH:
        deepest += 1
        children = (item.values() if type(item) is dict else item for item in level)
        level = [child for some in children for child in some if type(child) is dict or type(child) is list]
    return deepest

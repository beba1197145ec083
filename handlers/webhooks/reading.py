"""Reads JSON from outside: hostile or broken bodies end in one typed error."""

from __future__ import annotations

import json
from datetime import UTC, datetime
from typing import Any, NoReturn

from pydantic import BaseModel, ConfigDict, ValidationError

from bot.text import clean_deep, is_fit_json

MAX_DEPTH = 64


class Lenient(BaseModel):
    """What a vendor sends: fields that we do not know are ignored."""

    model_config = ConfigDict(extra="ignore", frozen=True)


class Malformed(ValueError):  # noqa: N818 - a state, said as one
    """A body that can't be taken in; the message says why."""


def parse_json(raw: bytes) -> Any:
    """Parse JSON and clean every string in it.

    Raises:
        Malformed: it is no JSON, holds NaN or Infinity, or is nested too deep.
    """
    try:
        text = raw.decode()
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
    deepest, level = 0, [value]
    while level and deepest <= MAX_DEPTH:
        deepest += 1
        level = [
            child
            for item in level
            if isinstance(item, (dict, list))
            for child in (item.values() if isinstance(item, dict) else item)
        ]
    return deepest

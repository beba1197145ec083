"""Durations as people write them: `30s`, `15m`, `4h`, `2d`, `1h30m`."""

from __future__ import annotations

import re
from typing import Annotated

from pydantic import BeforeValidator, Field

_UNITS = {"s": 1, "m": 60, "h": 3600, "d": 86400}
_WHOLE = re.compile(r"(?:\d+[smhd])+")
_PART = re.compile(r"(\d+)([smhd])")


def parse_duration(text: str) -> int:
    """Give the seconds.

    Raises:
        ValueError: the text is no duration.
    """
    clean = text.strip().lower().replace(" ", "")
    if not _WHOLE.fullmatch(clean):
        raise ValueError(f"Write a duration such as 30s, 15m or 4h, not {text!r}.")
    return sum(int(number) * _UNITS[unit] for number, unit in _PART.findall(clean))


def _seconds(value: object) -> object:
    if isinstance(value, str):
        return parse_duration(value)
    if isinstance(value, int) and not isinstance(value, bool):
        raise ValueError(f"Give the duration its unit, such as {value}s or {value}m.")  # noqa: TRY004 - pydantic's way
    return value


Duration = Annotated[int, BeforeValidator(_seconds), Field(ge=1)]
Offset = Annotated[int, BeforeValidator(_seconds), Field(ge=0)]

"""Durations as people write them: `30s`, `15m`, `4h`, `2d`, `1h30m`."""

from __future__ import annotations

import re

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

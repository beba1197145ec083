"""What is taken from a query or a path: the endpoints check by it, and the OpenAPI description tells it."""

from __future__ import annotations

PAGE = 50  # incidents, where a caller does not say
PAGE_MAX = 200
DIGITS = 17  # of a whole number at most: such a one fits a row's id, and is read in no time
STATUS = "[a-z]{0,16}"
BEFORE = f"[0-9]{{1,{DIGITS}}}"
STALE = {"true": True, "1": True, "false": False, "0": False}


def whole(text: str) -> int | None:
    """Read a whole number of ASCII digits; None for anything else."""
    return int(text) if text.isascii() and text.isdecimal() and len(text) <= DIGITS else None

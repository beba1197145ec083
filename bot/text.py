"""Text from outside, made fit to store and to show."""

from __future__ import annotations

import re
from typing import Any

# Control characters but tab and newline; bidirectional overrides, which can make a title read as another one.
_UNFIT = re.compile("[\x00-\x08\x0b-\x1f\x7f\u202a-\u202e\u2066-\u2069]")

# JSON escapes that can stand for such a character or for half of one; those of plain ASCII, which Go's encoder writes
# for `<`, `>` and `&`, cannot.
_UNFIT_ESCAPE = re.compile(r"\\(?:[bfr]|u(?!00(?:[2-6][0-9a-fA-F]|7[0-9a-eA-E])))")

_SENTENCE_ENDS = re.compile(r"(?<=[a-z0-9)`][.;]) ")


def is_fit_json(text: str) -> bool:
    """True when no string in a JSON text needs cleaning, which is quicker to see than to clean each."""
    return not (_UNFIT.search(text) or _UNFIT_ESCAPE.search(text))


def clean(text: str, limit: int | None = None) -> str:
    """Replace lone surrogates (no UTF-8), drop control characters and direction overrides, and clip."""
    fit = _UNFIT.sub("", text.encode("utf-8", "replace").decode("utf-8"))
    return clip(fit, limit) if limit else fit


def clip(text: str, limit: int) -> str:
    """Shorten to at most `limit` characters, with an ellipsis where something was cut."""
    return text if len(text) <= limit else text[: limit - 1].rstrip() + "…"


def first_sentence(text: str) -> str:
    """Give the beginning of a text up to the end of its first sentence, on one line."""
    return _SENTENCE_ENDS.split(" ".join(text.split()), maxsplit=1)[0].rstrip(";")


def clean_deep(value: Any) -> Any:
    """Clean every string in a JSON value, keys too."""
    if isinstance(value, str):
        return clean(value)
    if isinstance(value, list):
        return [clean_deep(item) for item in value]
    if isinstance(value, dict):
        return {clean(key): clean_deep(item) for key, item in value.items()}
    return value

"""Reads `name=value` words of a command line."""

from __future__ import annotations

from bot.errors import SitrepError


def pairs(words: list[str]) -> dict[str, str]:
    """Return names and values; several stand in one word too, by spaces or commas, as a shell hands them over.

    Raises:
        SitrepError: a word is none of them.
    """
    found: dict[str, str] = {}
    for word in words:
        for part in word.replace(",", " ").split() if word.count("=") > 1 else [word]:
            name, equals, value = part.partition("=")
            if not equals or not name:
                raise SitrepError(f"Write each label as name=value, not {part!r}.")
            found[name.strip().strip('"')] = value.strip().strip('"')
    return found

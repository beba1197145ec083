"""How the name of an incident's channel begins, and what a pattern for what follows may hold. Pure."""

from __future__ import annotations

import re
import string

PREFIX = "{prefix}"
PATTERN = PREFIX + "-{about}"  # unless the configuration has another
FIELDS = ("prefix", "about", "service", "title")
LONGEST = 76  # characters; Slack takes 80, and a name that is taken gets a suffix
_FIT = re.compile(r"[a-z0-9_-]*")


def prefix_of(number: str) -> str:
    """Return how the name of an incident's channel begins: `incident-20261121-001`."""
    return f"incident-{number.removeprefix('INC-').lower()}"


def check(pattern: str) -> None:
    """Refuse a pattern that gives no channel names.

    Raises:
        ValueError: it does not begin with `{prefix}`, names an unknown field, or holds what Slack does not take.
    """
    known = ", ".join(f"{{{name}}}" for name in FIELDS)
    try:
        parts = [*string.Formatter().parse(pattern)]
    except ValueError as error:
        raise ValueError(f"fix the braces in {pattern!r}: {error}. Known: {known}.") from error
    if parts[:1] != [("", "prefix", "", None)]:
        raise ValueError(f"begin the pattern with {PREFIX}, such as {PREFIX}-{{about}}, not {pattern!r}.")
    for literal, name, form, conversion in parts:
        if (name is not None and name not in FIELDS) or form or conversion:
            raise ValueError(f"there is no {{{name}}} as written in {pattern!r}; known: {known}.")
        if not _FIT.fullmatch(literal):
            raise ValueError(f"use lower case letters, digits, - and _ only between the fields, not {literal!r}.")
    rest = parts[1:]
    if rest and not rest[0][0].startswith("-"):
        raise ValueError(f"put a hyphen after {PREFIX}, such as {PREFIX}-{{about}}, not {pattern!r}.")

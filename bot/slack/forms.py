"""The form of a verb whose arguments are missing: one input for each of them."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

from bot.slack.modals import View, person, select, text, view

CALLBACK = "verb"
LINE, LONG = 200, 2000  # characters


@dataclass(frozen=True, slots=True)
class Input:
    """One input: a line, a text, a person, people, or one of some options (value and label)."""

    name: str
    label: str
    kind: str = "line"
    optional: bool = False
    options: tuple[tuple[str, str], ...] = ()
    placeholder: str = ""
    initial: str = ""


def form(metadata: str, verb: str, inputs: Sequence[Input]) -> View:
    """Make the form; `metadata` comes back with what was filled in."""
    title = verb.replace("_", " ").capitalize()
    return view(CALLBACK, title[:24], "Do it", metadata, [_input(each) for each in inputs])


def _input(each: Input) -> dict[str, Any]:
    if each.options:
        return select(each.name, each.label, list(each.options), each.options[0][0])
    if each.kind in {"person", "people"}:
        return person(each.name, each.label, optional=each.optional)
    return text(
        each.name,
        each.label,
        each.initial,
        optional=each.optional,
        multiline=each.kind == "text",
        placeholder=each.placeholder,
        limit=LONG if each.kind == "text" else LINE,
    )

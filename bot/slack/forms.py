"""The form of a verb whose arguments are missing: one input for each of them."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

from bot.slack.blocks import section
from bot.slack.modals import View, date, person, select, text, view

CALLBACK = "verb"
_OF_INCIDENTS = frozenset({"cancel", "merge", "rename", "reopen"})
LINE, LONG = 200, 2000  # characters


@dataclass(frozen=True, slots=True)
class Input:
    """One input: a line, a text, a person, a date, or one of some options (value and label)."""

    name: str
    label: str
    kind: str = "line"
    optional: bool = False
    options: tuple[tuple[str, str], ...] = ()
    placeholder: str = ""
    initial: str = ""


def form(metadata: str, verb: str, inputs: Sequence[Input], left: Sequence[str] = ()) -> View:
    """Make the form; `metadata` comes back with what was filled in. `left` is what is still open, in mrkdwn."""
    title = verb.replace("_", " ").capitalize()
    head = [section("\n".join([":warning: This is still open:", *left]))] if left else []
    submit = f"{title} incident" if verb in _OF_INCIDENTS else title
    return view(CALLBACK, title[:24], submit[:24], metadata, [*head, *(_input(each) for each in inputs)])


def _input(each: Input) -> dict[str, Any]:
    if each.options:
        known = {value for value, _ in each.options}
        chosen = each.initial if each.initial in known else "" if each.optional else each.options[0][0]
        made = select(each.name, each.label, each.options, chosen)
        return {**made, "optional": each.optional}
    if each.kind == "person":
        return person(each.name, each.label, optional=each.optional)
    if each.kind == "date":
        return date(each.name, each.label)
    return text(
        each.name,
        each.label,
        each.initial,
        optional=each.optional,
        multiline=each.kind == "text",
        placeholder=each.placeholder,
        limit=LONG if each.kind == "text" else LINE,
    )

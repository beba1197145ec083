"""The menu: every verb in one form, for whoever can't type a line."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

from bot.incidents.model import Incident
from bot.slack import blocks as b
from bot.slack.blocks import Block
from bot.slack.card import sentence
from bot.slack.modals import OPTION, View, incidents, plain, view
from bot.text import clip

CALLBACK, VERB = "menu", "verb"


@dataclass(frozen=True, slots=True)
class Item:
    """A verb, what it does, and how it is typed."""

    name: str
    help: str
    typed: str


def menu(
    metadata: str, about: Incident | None, groups: Mapping[str, Sequence[Item]], found: Sequence[Incident]
) -> View:
    """Make the form: what to do, by group, about one incident or about one of those that were found."""
    made = [
        {"label": plain(title), "options": [_option(item) for item in items]}
        for title, items in groups.items()
        if items
    ]
    element = {"type": "static_select", "action_id": VERB, "option_groups": made}
    choice = {"type": "input", "block_id": VERB, "label": plain("What do you want to do?"), "element": element}
    head = b.section(sentence(about)) if about else incidents("Incident", found)
    return view(CALLBACK, "Work on an incident", "Next", metadata, [head, choice])


def _option(item: Item) -> Block:
    """Say what a verb does, without what its line can say besides."""
    said = item.help.partition(";")[0]
    return {
        "text": plain(clip(said[:1].upper() + said[1:], OPTION)),
        "value": item.name,
        "description": plain(clip(item.typed, OPTION)),
    }

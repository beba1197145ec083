"""The menu: every verb in one form, for whoever can't type a line."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from bot.incidents.model import Incident
from bot.slack import blocks as b
from bot.slack.card import sentence
from bot.slack.modals import OPTION, View, incidents, plain, view
from bot.text import clip

CALLBACK, VERB = "menu", "verb"


@dataclass(frozen=True, slots=True)
class Item:
    """A verb and what it does."""

    name: str
    help: str


def menu(metadata: str, about: Incident | None, items: Sequence[Item], found: Sequence[Incident]) -> View:
    """Make the form: what to do, about one incident or about one of those that were found."""
    options = [
        {
            "text": plain(item.name.replace("_", " ").capitalize()),
            "value": item.name,
            "description": plain(clip(item.help, OPTION)),
        }
        for item in items
    ]
    element = {"type": "static_select", "action_id": VERB, "options": options}
    choice = {"type": "input", "block_id": VERB, "label": plain("What do you want to do?"), "element": element}
    head = b.section(sentence(about)) if about else incidents("Incident", found)
    return view(CALLBACK, "Work on an incident", "Go on", metadata, [head, choice])

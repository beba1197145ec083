"""What was filled into a form, by field."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from bot.text import clean

CHOSEN = ("selected_user", "selected_date", "value")


def name(block_id: str) -> str:
    """Give the field that a block is: its id up to a dot, behind which the form keeps something of its own."""
    return block_id.partition(".")[0]


def read(state: Mapping[str, Any]) -> dict[str, str]:
    """Give each field's value: a text, a person's id, a day, an option's or a ticked box's value; empty for none."""
    return {name(block_id): _value(block) for block_id, block in state.items()}


def _value(block: Any) -> str:
    element: dict[str, Any] = next(iter(block.values()), {}) if isinstance(block, dict) else {}
    ticked = element.get("selected_options")
    chosen = ticked[0] if isinstance(ticked, list) and ticked else element.get("selected_option")
    if isinstance(chosen, dict):
        element = chosen
    value = next((element[key] for key in CHOSEN if element.get(key)), "")
    return clean(str(value)).strip() if value else ""

"""The follow-ups of an incident, worked out from its timeline. Pure."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass, replace
from datetime import datetime
from typing import Any

from bot.incidents.model import Event
from bot.timeline.dossier import plain


@dataclass(frozen=True, slots=True)
class FollowUp:
    """Something left to do. `owner` and `due` are as they were given, empty when they were not."""

    seq: int
    text: str
    owner: str = ""
    due: str = ""
    done_at: datetime | None = None


def follow_ups(events: Iterable[Event]) -> tuple[FollowUp, ...]:
    """List them in the order in which they were added.

    Of an event's data, `text`, `owner`, `due` and `id` are read. A `followup_done` names what it ends by the same
    `id`, by the added event's seq (`followup` or `followup_seq`), or else by the same text; one that fits nothing is
    listed as done by itself, for it is on the timeline.
    """
    found: list[FollowUp] = []
    ids: dict[str, int] = {}
    for event in sorted(events, key=lambda event: event.seq):
        if event.kind not in {"followup_added", "followup_done"}:
            continue
        mine = FollowUp(
            event.seq, _word(event.data, "text") or event.text, _word(event.data, "owner"), _word(event.data, "due")
        )
        name = _word(event.data, "id")
        if event.kind == "followup_added":
            if name:
                ids[name] = len(found)
            found.append(mine)
            continue
        index = _ended(found, ids, event, mine.text)
        if index is None:
            found.append(replace(mine, done_at=event.occurred_at))
        else:
            found[index] = replace(found[index], done_at=event.occurred_at)
    return tuple(found)


def _ended(found: list[FollowUp], ids: Mapping[str, int], event: Event, text: str) -> int | None:
    """Find which follow-up a `followup_done` ends."""
    name = _word(event.data, "id")
    if name and name in ids:
        return ids[name]
    seq = _word(event.data, "followup") or _word(event.data, "followup_seq")
    if seq:
        return next((index for index, item in enumerate(found) if str(item.seq) == seq), None)
    return next((index for index, item in enumerate(found) if item.text == text and item.done_at is None), None)


def _word(data: Mapping[str, Any], key: str) -> str:
    """Give a value of an event's data as text; of a person, the name."""
    value = plain(data.get(key))
    if isinstance(value, dict):
        value = value.get("name") or value.get("id")
    return "" if value is None else str(value)

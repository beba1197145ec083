"""How a line of the timeline reads: its kind in words, who is behind it, what it adds. Pure."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from typing import Any

from bot.incidents.model import Actor, Event, Incident
from bot.timeline.dossier import plain

KINDS: Mapping[str, str] = {
    "alert_fired": "Alert fired",
    "alert_resolved": "Alert resolved",
    "declared": "Declared",
    "channel_opened": "Channel opened",
    "runbook_posted": "Runbook posted",
    "runbook_step_done": "Runbook step done",
    "runbook_step_skipped": "Runbook step skipped",
    "runbook_step_undone": "Runbook step undone",
    "severity_changed": "Severity changed",
    "status_changed": "Status changed",
    "role_assigned": "Role assigned",
    "handoff": "Handoff",
    "paged": "Paged",
    "page_delivered": "Page delivered",
    "page_failed": "Page failed",
    "acknowledged": "Acknowledged",
    "escalated": "Escalated",
    "update_posted": "Status update",
    "update_due": "Update due",
    "update_overdue": "Update overdue",
    "cadence_paused": "Updates paused",
    "note": "Note",
    "pinned": "Message",
    "followup_added": "Follow-up added",
    "followup_done": "Follow-up done",
    "responder_joined": "Responder joined",
    "mitigated": "Mitigated",
    "resolved": "Resolved",
    "reopened": "Reopened",
    "merged": "Merged",
    "cancelled": "Cancelled",
    "declined": "Declined",
    "closed": "Closed",
    "delivery_failed": "Delivery failed",
    "exported": "Exported",
}
# Whose text people or alert rules wrote: nothing is taken off it, whatever it begins with.
TYPED = frozenset({"note", "pinned", "update_posted", "followup_added", "alert_fired", "alert_resolved"})
# What the bot did for itself, and what a section of its own tells better.
_LEFT_OUT = frozenset(
    {
        "channel_opened",
        "runbook_posted",
        "page_delivered",
        "update_due",
        "update_overdue",
        "delivery_failed",
        "exported",
        "responder_joined",
        "followup_added",
        "followup_done",
    }
)


def kind_of(event: Event) -> str:
    """Return an event's kind in words."""
    return KINDS.get(event.kind) or event.kind.replace("_", " ").strip().capitalize() or "Event"


def shown(events: Iterable[Event]) -> list[Event]:
    """Return the events that a person wants to read, by the time at which they occurred.

    Of a message that was edited the last version is left; one that was taken off the timeline is left out.
    """
    every = sorted(events, key=lambda event: event.seq)
    superseded = {old for event in every if (old := _superseded(event))}
    deleted = deletions(every)
    kept = [
        event
        for event in every
        if event.kind not in _LEFT_OUT
        and not event.data.get("resumed")
        and not (_superseded(event) and (event.data.get("removed") or event.data.get("deleted")))
        and (event.seq not in superseded or event.seq in deleted)
    ]
    return sorted(kept, key=lambda event: (event.occurred_at, event.seq))


def deletions(events: Iterable[Event]) -> set[int]:
    """Return the lines whose messages were deleted: what was said stays on the timeline."""
    return {old for event in events if event.data.get("deleted") and (old := _superseded(event))}


def _superseded(event: Event) -> int:
    """Return the line that a later one takes the place of; 0 for none."""
    old = event.data.get("supersedes")
    return old if isinstance(old, int) else 0


def text_of(event: Event, *, without_fix: bool = False) -> str:
    """Return what an event's text adds to its kind: `Severity raised from sev2 to sev1` adds the change.

    `without_fix` leaves out how it was resolved.
    """
    text = event.text.strip()
    if event.kind in TYPED:
        return text
    fix = event.data.get("fix")
    if without_fix and event.kind == "resolved" and isinstance(fix, str) and fix.strip():
        text = text.removesuffix(f": {fix.strip()}")
    by = f" by {event.actor.name}"
    if event.kind == "acknowledged" and event.actor.name and by in text:
        text = text.replace(by, "", 1)
    label = kind_of(event).split()
    words = text.split(" ")
    while label and words and words[0].strip(":").casefold() == label[0].casefold():
        is_end = words[0].endswith(":")
        label, words = label[1:], words[1:]
        if is_end:
            break
    return " ".join(words).strip()


class Names:
    """One name for each person of an incident: the one that was recorded last for their id."""

    def __init__(self, incident: Incident, events: Iterable[Event]) -> None:
        self._names: dict[str, str] = {}
        for person in incident.roles.values():
            self._learn(person.id, person.name)
        for event in sorted(events, key=lambda event: event.seq):
            for key in ("author", "person", "to"):
                if isinstance(who := event.data.get(key), Mapping):
                    self._learn(str(who.get("id") or ""), str(who.get("name") or ""))
            self._learn(event.actor.id, event.actor.name)

    def _learn(self, user_id: str, name: str) -> None:
        if user_id and name and name != user_id:
            self._names[user_id] = name

    def of(self, user_id: str, name: str = "") -> str:
        """Return the name that goes with an id."""
        return self._names.get(user_id) or name or user_id

    def actor(self, actor: Actor) -> str:
        """Return the name of whoever did something."""
        return self.of(actor.id, actor.name) if actor.type == "human" else actor.name or actor.id

    def author(self, event: Event) -> str:
        """Return who said what an event holds: of a message its author, else whoever is behind the event."""
        author = author_of(event)
        return self.of(*author) if any(author) else self.actor(event.actor)


def author_of(event: Event) -> tuple[str, str]:
    """Return the id and the name of a message's author; empty where an event is no message."""
    author = event.data.get("author")
    if not isinstance(author, Mapping):
        return "", ""
    return str(author.get("id") or ""), str(author.get("name") or "")


def is_noted_by_another(event: Event) -> bool:
    """True where somebody put another person's message on the timeline."""
    return any(author_of(event)) and author_of(event)[0] != event.actor.id


def word(data: Mapping[str, Any], key: str) -> str:
    """Return a value of an event's data as text; of a person, the name; empty where there is none."""
    value = plain(data.get(key))
    if isinstance(value, dict):
        value = value.get("name") or value.get("id")
    return "" if value is None or isinstance(value, bool) else str(value).strip()

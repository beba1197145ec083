"""The entries of a timeline in Markdown: a line for each event, and below it what does not fit on a line."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from datetime import UTC, datetime, timedelta

from bot.incidents.model import Event
from bot.text import clip
from bot.timeline.addresses import is_address, link
from bot.timeline.escape import block, code, inline, is_one_line, quote, strict
from bot.timeline.words import KINDS, Names, is_noted_by_another, kind_of, text_of, word

RECORDED_LATER = timedelta(seconds=60)
COMMAND = 300  # characters; JSON and CSV have all of it
SHOWN = "Command shown"
_BY_THEMSELVES = frozenset({"alert_fired", "alert_resolved"})  # their text names the alert


def entry(event: Event, names: Names, *, was_deleted: bool = False, is_told: bool = False) -> Iterator[str]:
    """Write a line of the timeline; what needs more than a line is quoted below it.

    Args:
        event: the line.
        names: the people's names.
        was_deleted: the message that it holds is gone.
        is_told: its root cause and fix stand elsewhere in the document.
    """
    text = text_of(event, without_fix=is_told)
    about = ", ".join(_about(event, names, was_deleted=was_deleted))
    lead = f"- {clock(event.occurred_at)} **{_label(event)}**" + (f" ({about})" if about else "")
    source = _source(event)
    if is_one_line(text):
        yield f"{lead}: {inline(text)}{source}" if text else f"{lead}{source}"
    else:
        yield f"{lead}{source}"
        yield from under(quote(block(text)))
    data = event.data
    if event.kind == "update_posted":
        for label in ("action", "owner", "eta", "impact"):
            if value := word(data, label):
                yield from under(field("ETA" if label == "eta" else label.capitalize(), value))
    if event.kind == "resolved" and not is_told and (cause := word(data, "root_cause")):
        yield from under(field("Root cause", cause))
    if why := _left_out_why(event):
        yield from under(field("Why", why))
    if command := word(data, "command"):  # the trace of an intervention (seed 001)
        yield f"  - **{_ran(event)}:** {code(clip(command, COMMAND))}"
    if shown := word(data, "command_shown"):
        yield f"  - **{SHOWN}:** {code(clip(shown, COMMAND))}"


def _ran(event: Event) -> str:
    """Say what became of a command; a step that was ticked before there was a word for it says only what was shown."""
    was_only_ticked = event.kind == "runbook_step_done" and not event.data.get("ran")
    return SHOWN if was_only_ticked else "Ran"


def _label(event: Event) -> str:
    return KINDS.get(event.kind) or strict(kind_of(event)).strip() or "Event"


def _about(event: Event, names: Names, *, was_deleted: bool) -> Iterator[str]:
    """Say who is behind a line, and what to know of it."""
    who = names.author(event)
    if event.kind not in _BY_THEMSELVES and event.actor.type != "system" and who.strip():
        yield strict(who)
    if is_noted_by_another(event) and names.actor(event.actor).strip() not in {"", who.strip()}:
        yield f"added by {strict(names.actor(event.actor))}"
    if event.data.get("edited") and event.kind == "pinned":
        yield "edited"
    if was_deleted:
        yield "deleted in Slack later"
    is_told_later = event.recorded_at - event.occurred_at > RECORDED_LATER
    if is_told_later and event.actor.type == "human" and event.kind != "pinned":
        yield f"recorded {clock(event.recorded_at, beside=event.occurred_at)}"


def _left_out_why(event: Event) -> str:
    """Return a reason that is not part of the text: of a page its own."""
    why = word(event.data, "why")
    return why if why and event.kind in {"paged", "escalated"} and why not in event.text else ""


def _source(event: Event) -> str:
    if not event.source.strip():
        return ""
    if is_address(event.source):
        return f" ({link('in Slack' if event.kind == 'pinned' else 'source', event.source)})"
    return f" ({strict(event.source)})"


def field(label: str, value: str) -> Iterator[str]:
    """Write a labelled value; one of several lines is quoted below its label."""
    if is_one_line(value):
        yield f"- **{label}:** {inline(value)}"
    else:
        yield f"- **{label}:**"
        yield from under(quote(block(value)))


def under(lines: Iterable[str]) -> Iterator[str]:
    """Put lines below the list item before them."""
    return (f"  {line}" for line in lines)


def clock(moment: datetime, *, beside: datetime | None = None) -> str:
    """Write the time of day in UTC, to the minute; with its day where that is not the day of the moment `beside` it."""
    is_same_day = beside is None or moment.astimezone(UTC).date() == beside.astimezone(UTC).date()
    return f"{moment.astimezone(UTC):%H:%M}" if is_same_day else stamp(moment)


def stamp(moment: datetime | None) -> str:
    """Write a moment to the minute, with its day; nothing for None."""
    return f"{moment.astimezone(UTC):%Y-%m-%d %H:%M}" if moment else ""

"""Ends other than a resolution: cancelled, merged into another; and what leads there: mitigated. Pure."""

from __future__ import annotations

from typing import Any

from bot.incidents import cadence, checking, escalation
from bot.incidents import commands as c
from bot.incidents.draft import Draft
from bot.incidents.model import Refused, Status
from bot.incidents.moments import clock
from bot.incidents.people import must_be_open
from bot.incidents.stopping import stop
from bot.incidents.wording import mention, plain, say


def mitigate(draft: Draft, command: c.Mitigate) -> None:
    """A fix is in place and watched: the milestone, and the status monitoring."""
    must_be_open(draft)
    incident = draft.incident
    if incident.mitigated_at is not None and incident.status is Status.MONITORING:
        since = f"{clock(incident, incident.mitigated_at)} UTC"
        raise Refused(
            "no_change",
            f"{incident.number} has been mitigated since {since}. Once the fix holds: `/incident resolve <text>`.",
        )
    if incident.status is not Status.MONITORING:
        move(draft, Status.MONITORING, command)
    draft.set(mitigated_at=draft.incident.mitigated_at or draft.now)
    text = f"Mitigated: {command.text}" if command.text else "Mitigated: a fix is in place and being watched"
    draft.event("mitigated", text, actor=command.actor, data={"text": command.text})
    why = f": {command.text}" if command.text else ""
    say(draft, f"{mention(command.actor)} marked this mitigated{plain(why)}. Watch it, then resolve it.")
    draft.refresh()


def cancel(draft: Draft, command: c.Cancel) -> None:
    """It was no incident: everything stops."""
    must_be_open(draft)
    stop(draft)
    move(draft, Status.CANCELLED, command, kind="cancelled", text="Cancelled", why=command.why)
    escalation.tell_pagerduty(draft)
    why = f": {command.why}" if command.why else ""
    say(
        draft,
        f"{mention(command.actor)} cancelled {draft.incident.number}{plain(why)}. Nobody is paged for it. "
        "Undo: `/incident reopen`.",
    )
    draft.refresh()


def merge(draft: Draft, command: c.MergeInto) -> None:
    """It is a part of another incident, which goes on: everything stops here."""
    must_be_open(draft)
    if command.into == draft.incident.number:
        raise Refused("same_incident", "Name another incident to merge into. See `/incident list`.")
    stop(draft)
    text, facts = f"Merged into {command.into}", {"into": command.into, "groups": list(command.groups)}
    move(draft, Status.MERGED, command, kind="merged", text=text, **facts)
    draft.set(merged_into=command.into)
    escalation.tell_pagerduty(draft)
    where = f" (<#{command.channel}>)" if command.channel else ""
    say(
        draft,
        f"{mention(command.actor)} merged {draft.incident.number} into {command.into}{where}. Continue there. "
        "Undo: `/incident unmerge`.",
    )
    draft.refresh()


def take_in(draft: Draft, command: c.MergedFrom) -> None:
    """Another incident has become a part of this one."""
    must_be_open(draft)
    draft.set(heard=draft.incident.heard.with_all_of(command.heard))
    text = f"{command.number} was merged into this: {command.title}"
    draft.event("merged", text, actor=command.actor, data={"from_incident": command.number})
    if not command.told:
        say(draft, f"{mention(command.actor)} merged {command.number} into this: {plain(command.title)}")
    checking.rematch(draft)
    draft.refresh()


def split_off(draft: Draft, command: c.SplitOff) -> None:
    """An incident that was a part of this one goes on by itself; also after the end of this one."""
    draft.event(
        "note", f"{command.number} was split off again", actor=command.actor, data={"split_off": command.number}
    )
    say(draft, f"{mention(command.actor)} split {command.number} off from this incident.")
    draft.refresh()


def move(
    draft: Draft,
    status: Status,
    command: c.Mitigate | c.Cancel | c.MergeInto,
    *,
    kind: str = "status_changed",
    text: str = "",
    **data: Any,
) -> None:
    """Change the status, and say so."""
    before, every = draft.incident.status, draft.incident.regular_every
    draft.set(status=status, ended_at=None if status.is_open else draft.now)
    cadence.pace(draft, every)
    said = text or f"Status changed from {before.value} to {status.value}"
    why = f": {data['why']}" if data.get("why") else ""
    facts = {"from": before.value, "to": status.value, **data}
    draft.event(kind, f"{said}{why}", actor=command.actor, data=facts)

"""What responders ask for: updates, status, severity, roles, acknowledgement, notes, resolution."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import timedelta
from typing import Any

from bot.incidents import cadence, checking, correlating, envelope, escalation, opening, ticking
from bot.incidents import commands as c
from bot.incidents.draft import Draft
from bot.incidents.model import Actor, Refused, Status
from bot.incidents.moments import clock
from bot.incidents.people import must_be_open
from bot.incidents.policy import Severity
from bot.incidents.stopping import stop
from bot.incidents.wording import iso, mention, plain, say

# Statuses that `/incident status` may set; the others have verbs of their own.
SETTABLE = (Status.INVESTIGATING, Status.IDENTIFIED, Status.MONITORING)


def _must_be_settable(status: Status, settable: Sequence[Status]) -> None:
    if status not in settable:
        names = ", ".join(s.value for s in settable)
        raise Refused("bad_status", f"Set one of these statuses: {names}. Example: `/incident status identified`.")


def post_update(draft: Draft, command: c.PostUpdate) -> None:
    """Post a status update; it starts the cadence anew."""
    must_be_open(draft)
    if not command.text.strip():
        raise Refused("no_text", "Type the update: `/incident update <text>`.")
    if command.status and command.status is not draft.incident.status:
        _must_be_settable(command.status, SETTABLE)
        _change_status(draft, command.status, command.actor)
    if command.impact:
        draft.set(impact=command.impact)
    draft.set(last_update=command.text)
    facts = {"action": command.action, "eta": command.eta, "impact": command.impact}
    if command.owner:
        facts |= {"owner": command.owner.name, "owner_id": command.owner.id}
    _share(draft, command.actor, command.text, next_in=command.next_in, **facts)


def keep_cadence(draft: Draft, command: c.KeepCadence) -> None:
    """Say that nothing has changed; it starts the cadence anew."""
    must_be_open(draft)
    if draft.incident.rule.update_every is None:
        raise Refused(
            "no_cadence",
            f"{draft.incident.severity_name} has no update cadence: no update is due. "
            "To post one: `/incident update <text>`.",
        )
    _share(draft, command.actor, "No change", next_in=command.next_in, no_change=True)


def _share(draft: Draft, actor: Actor, state: str, *, next_in: int | None = None, **facts: Any) -> None:
    was_overdue = draft.incident.update_is_overdue
    cadence.restart(draft, next_in)
    if was_overdue:  # whoever was paged for it can rest
        escalation.tell_pagerduty(draft)
    incident = draft.incident
    data = {
        "state": state,
        **facts,
        "status": incident.status.value,
        "next_update_at": iso(incident.next_update_at),
    }
    draft.event("update_posted", state, actor=actor, data=data)
    if "no_change" not in facts:
        ticking.acted(draft, "update", actor)
    draft.deliver("update", "notice", needs=(incident.home_slot,), data={**data, "author": mention(actor)})
    if incident.opened_channel and not incident.private and "no_change" not in facts:
        # Under the announcement, so that whoever follows it there sees what has been said and not only how it stands.
        shown = {**data, "author": actor.name}
        draft.deliver("announced_update", "announce", needs=("announcement",), data=shown)
    for user in incident.subscribers:
        if user != actor.id:
            draft.deliver("direct", f"direct:{user}"[:24], data={**data, "author": actor.name, "user": user})
    draft.refresh()


def pause(draft: Draft, command: c.PauseCadence) -> None:
    """Ask for no updates for a while."""
    must_be_open(draft)
    if draft.incident.rule.update_every is None:
        raise Refused(
            "no_cadence",
            f"{draft.incident.severity_name} has no update cadence: there is nothing to pause. "
            f"For one, raise the severity: `/incident sev {draft.incident.policy.argument(Severity.SEV2)}`.",
        )
    until = draft.now + timedelta(seconds=command.seconds)
    cadence.pause(draft, until)
    why = f": {command.why}" if command.why else ""
    draft.event(
        "cadence_paused",
        f"Updates paused until {clock(draft.incident, until)} UTC{why}",
        actor=command.actor,
        data={"until": until.isoformat(), "why": command.why},
    )
    draft.refresh()


def _change_status(draft: Draft, status: Status, actor: Actor) -> None:
    before, every = draft.incident.status, draft.incident.regular_every
    draft.set(status=status)
    cadence.pace(draft, every)
    draft.event(
        "status_changed",
        f"Status changed from {before.value} to {status.value}",
        actor=actor,
        data={"from": before.value, "to": status.value},
    )
    if status is Status.MONITORING and draft.incident.mitigated_at is None:
        draft.set(mitigated_at=draft.now)
        draft.event("mitigated", "Mitigated: a fix is in place and being watched", actor=actor)


def set_status(draft: Draft, command: c.SetStatus) -> None:
    """Move to another status."""
    incident = draft.incident
    if command.status is incident.status:
        undo = "unmerge" if incident.status is Status.MERGED else "reopen"
        then = "Post an update: `/incident update <text>`." if incident.status.is_open else f"Undo: `/incident {undo}`."
        raise Refused("no_change", f"{incident.number} is already {incident.status.value}. {then}")
    if command.status is Status.RESOLVED:
        resolve(draft, c.Resolve(command.actor))
        return
    if command.status is Status.CLOSED:
        if incident.status is not Status.RESOLVED:
            must_be_open(draft)
            raise Refused("not_resolved", f"Resolve {incident.number} before closing it: `/incident resolve <text>`.")
        draft.set(status=Status.CLOSED, closed_at=draft.now)
        draft.event(
            "closed", "Closed", actor=command.actor, data={"from": incident.status.value, "to": Status.CLOSED.value}
        )
        say(draft, f"{mention(command.actor)} closed {incident.number}.")
        draft.refresh()
        return
    must_be_open(draft)
    _must_be_settable(command.status, (*SETTABLE, Status.RESOLVED, Status.CLOSED))
    _change_status(draft, command.status, command.actor)
    say(draft, f"{mention(command.actor)} set the status to *{command.status.value}*.")
    draft.refresh()


def set_severity(draft: Draft, command: c.SetSeverity) -> None:
    """Raise or lower the severity, and open or stop what it brings."""
    must_be_open(draft)
    before = draft.incident.rule
    old, new = draft.incident.severity, command.severity
    if old is new:
        raise Refused(
            "no_change",
            f"{draft.incident.number} is already {draft.incident.severity_name}. "
            "Post an update: `/incident update <text>`.",
        )
    had_channel = draft.incident.opened_channel
    was, called = draft.incident.severity_name, draft.incident.policy.called(new)
    draft.set(severity=new)
    raised = new.value < old.value
    why = f": {command.why}" if command.why else ""
    draft.event(
        "severity_changed",
        f"Severity {'raised' if raised else 'lowered'} from {was} to {called}{why}",
        actor=command.actor,
        data={"from": old.value, "to": new.value, "why": command.why},
    )
    say(
        draft,
        f"{mention(command.actor)} {'raised' if raised else 'lowered'} the severity to *{called}*{plain(why)}.",
    )
    rule, reason = draft.incident.rule, "raised" if raised else "declared"
    if rule.channel and not before.channel and not had_channel:
        opening.open_up(draft, has_thread=True, reason=reason)
    else:
        if rule.update_every != before.update_every:
            cadence.restart(draft)
        if rule.ladder and draft.incident.ladder_from is None:
            escalation.start(draft, mention=True, reason=reason)
        else:
            escalation.resume(draft)
    draft.refresh()


def describe(draft: Draft, command: c.Describe) -> None:
    """Give the incident another title or summary; also after the end."""
    title = " ".join((command.title or "").split())
    if command.title is not None and not title:
        raise Refused("no_text", "Type the new title: `/incident rename <title>`.")
    if command.summary is not None and not command.summary.strip():
        raise Refused("no_text", "Type the summary: `/incident summary <text>`.")
    if title:
        draft.set(title=title)
        draft.event("note", f"Renamed: {title}", actor=command.actor, data={"title": title})
    if command.summary is not None:
        draft.set(summary=command.summary.strip())
        draft.event("note", f"Summary: {command.summary.strip()}", actor=command.actor, data={"summary": True})
    draft.refresh()


def acknowledge(draft: Draft, command: c.Acknowledge) -> None:
    """Stop the ladder."""
    incident = draft.incident
    must_be_open(draft)
    if incident.acknowledged_at:
        who = incident.acknowledged_by.name if incident.acknowledged_by else "somebody"
        raise Refused(
            "no_change",
            f"{who} acknowledged at {clock(incident, incident.acknowledged_at)} UTC: nobody else is paged. "
            "Take the lead: `/incident lead`.",
        )
    moment = draft.moment(command.occurred_at)
    draft.set(acknowledged_at=moment, acknowledged_by=command.actor)
    escalation.stop(draft)
    ticking.acted(draft, "acknowledge", command.actor)
    from_pagerduty = command.via == "pagerduty"  # whose user ids are not Slack's
    place = " in PagerDuty" if from_pagerduty else ""
    draft.event(
        "acknowledged",
        f"Acknowledged by {command.actor.name}{place}",
        actor=command.actor,
        occurred_at=moment,
        data={"via": command.via},
    )
    draft.refresh_pages()
    escalation.tell_pagerduty(draft)
    draft.refresh()


def add_note(draft: Draft, command: c.AddNote) -> None:
    """Put a line on the timeline; also after the end."""
    if not command.text.strip():
        raise Refused("no_text", "Type the note: `/incident note <text>`.")
    found = envelope.read(command.text)
    warning = correlating.warning(found)
    ids = {**found, "warning": warning} if warning else found
    when = draft.moment(command.occurred_at)
    draft.event("note", command.text, actor=command.actor, data=dict(ids), occurred_at=when)
    correlating.keep(draft, found)
    draft.refresh_card()


def resolve(draft: Draft, command: c.Resolve) -> None:
    """End the incident: everything stops."""
    incident = draft.incident
    if incident.status in {Status.RESOLVED, Status.CLOSED}:
        _add_to_resolution(draft, command)
        return
    must_be_open(draft)
    stop(draft)
    draft.set(status=Status.RESOLVED, resolved_at=draft.now, ended_at=draft.now)
    escalation.tell_pagerduty(draft)
    fix = command.fix or command.text
    duration = draft.incident.duration or timedelta()
    data: dict[str, Any] = {
        "from": incident.status.value,
        "to": Status.RESOLVED.value,
        "root_cause": command.root_cause,
        "fix": fix,
        "duration_seconds": int(duration.total_seconds()),
    }
    text = f"Resolved after {cadence.spell(duration.total_seconds())}" + (f": {fix}" if fix else "")
    draft.event("resolved", text, actor=command.actor, data=data)
    for item in command.follow_ups:
        draft.event("followup_added", item, actor=command.actor, data={"text": item})
    checking.review(draft)
    draft.deliver(
        "resolution",
        "notice",
        needs=(draft.incident.home_slot,),
        data={**data, "follow_ups": list(command.follow_ups), "author": mention(command.actor)},
    )
    draft.refresh()


def _add_to_resolution(draft: Draft, command: c.Resolve) -> None:
    """Keep what a second person knows of an end that another was quicker to declare.

    Raises:
        Refused: they say nothing that could be kept.
    """
    incident, fix = draft.incident, command.fix or command.text
    said = {"Root cause": command.root_cause, "Fix": fix}
    lines = [f"{what}: {text}" for what, text in said.items() if text]
    if not lines and not command.follow_ups:
        raise Refused(
            "not_open", f"{incident.number} is already {incident.status.value}. If it is not over: `/incident reopen`."
        )
    if lines:
        data = {"root_cause": command.root_cause, "fix": fix, "resolution": True}
        draft.event("note", "\n".join(lines), actor=command.actor, data={k: v for k, v in data.items() if v})
    for item in command.follow_ups:
        draft.event("followup_added", item, actor=command.actor, data={"text": item})
    told = "\n".join([*lines, *(f"Follow-up: {item}" for item in command.follow_ups)])
    say(draft, f"{mention(command.actor)} added to the resolution:\n{plain(told)}")


def export(draft: Draft, command: c.Export) -> None:
    """Share the timeline in the channel."""
    event = draft.event(
        "exported", f"Timeline exported as {command.fmt}", actor=command.actor, data={"format": command.fmt}
    )
    draft.deliver(
        "export",
        "export",
        needs=(draft.incident.home_slot,),
        data={"format": command.fmt, "seq": event.seq, "author": mention(command.actor), "user": command.actor.id},
    )

"""The decision function: an incident and a command in; the new incident, timeline events and deliveries out.

Pure: no I/O and no clock of its own, so that hours of an incident run in milliseconds in a test.
"""

from __future__ import annotations

import html
from collections.abc import Callable, Mapping, Sequence
from datetime import datetime, timedelta
from typing import Any

from bot.incidents import cadence, escalation
from bot.incidents import commands as c
from bot.incidents.draft import Draft
from bot.incidents.model import (
    CADENCE_KINDS,
    Actor,
    Alert,
    Decision,
    Incident,
    Refused,
    Role,
    Status,
    TimerKind,
)
from bot.incidents.policy import Policy

# Statuses that `/incident status` may set; the others have verbs of their own.
SETTABLE = (Status.INVESTIGATING, Status.IDENTIFIED, Status.MONITORING)


def decide(incident: Incident | None, command: c.Command, policy: Policy, now: datetime) -> Decision:
    """Work out what a command leads to.

    Args:
        incident: the present state; None for `Declare` only.
        command: what is asked or has happened.
        policy: the policy in force, frozen on an incident that opens; an open one keeps its own.
        now: the moment of the decision, aware UTC.

    Raises:
        Refused: the command does not fit the state; the message says what to do instead.
    """
    if isinstance(command, c.Declare):
        return _declare(command, policy, now)
    if incident is None:
        raise Refused("no_incident", "Name an incident: begin with its number, INC-YYYYMMDD-NNN.")
    draft = Draft(incident, now)
    _HANDLERS[type(command)](draft, command)
    return draft.done()


def _declare(command: c.Declare, policy: Policy, now: datetime) -> Decision:
    rule = policy.of(command.severity)
    incident = Incident(
        number=command.number,
        title=command.title,
        severity=command.severity,
        status=Status.INVESTIGATING,
        declared_at=now,
        declared_by=command.actor,
        policy=policy,
        summary=command.summary,
        impact=command.impact,
        service=command.service,
        region=command.region,
        tenants=command.tenants,
        correlation_id=command.correlation_id,
        resource_name=command.resource_name,
        host_role=command.host_role,
        runbook_id=command.runbook_id,
        source=command.source,
        started_at=command.started_at or now,
        detected_at=now,
        opened_channel=rule.channel,
    )
    draft = Draft(incident, now)
    for alert in command.alerts:
        _alert_event(draft, alert, "alert_fired")
    draft.event(
        "declared",
        f"Declared {command.severity.value}: {command.title}",
        actor=command.actor,
        data={"severity": command.severity.value, "status": Status.INVESTIGATING.value, "title": command.title},
    )
    _open(draft)
    return draft.done()


def _open(draft: Draft, *, has_thread: bool = False) -> None:
    """Ask for everything that an incident of this severity shows in Slack, and start its timers."""
    if not draft.incident.rule.channel:
        draft.deliver("thread", "channel", slot="thread")
        draft.deliver("runbook", "channel", needs=("thread",))  # a channel, once it is raised, gets its own
        escalation.start(draft, mention=True)
        cadence.restart(draft)
        return
    draft.set(opened_channel=True)
    draft.deliver("channel", "setup", slot="channel", data={"has_thread": True} if has_thread else {})
    draft.deliver("card", "channel", slot="card", needs=("channel",))
    invite = escalation.start(draft, mention=False)
    cadence.restart(draft)
    in_channel = ("channel",)
    draft.deliver("announcement", "announce", slot="announcement", needs=in_channel)
    draft.deliver("topic", "topic", needs=in_channel)
    draft.deliver("pin", "pin", slot="pin", needs=("card",))
    first = ("card", invite) if invite else ("card",)
    draft.deliver("notification", "page", slot="notification", needs=in_channel, after=first)
    draft.deliver("runbook", "channel", slot="runbook", needs=in_channel)
    draft.deliver("checklist", "channel", slot="checklist", needs=in_channel)


def _must_be_open(draft: Draft) -> None:
    incident = draft.incident
    if not incident.status.is_open:
        raise Refused("not_open", f"{incident.number} is {incident.status.value}. Reopen it first: `/incident reopen`.")


def _must_be_settable(status: Status, settable: Sequence[Status]) -> None:
    if status not in settable:
        raise Refused("bad_status", f"Set one of these statuses: {', '.join(s.value for s in settable)}.")


def _alert_event(draft: Draft, alert: Alert, kind: str) -> None:
    fired = kind == "alert_fired"
    where = " ".join(v for v in (alert.fact("instance", "pod"), alert.fact("region", "cluster")) if v)
    value = alert.fact("value", "current_value")
    text = f"{alert.name} {'firing' if fired else 'resolved'}"
    text += f" on {where}" if where else ""
    text += f", value {value}" if value and fired else ""
    moment = alert.starts_at if fired else alert.ends_at
    draft.event(
        kind,
        text,
        actor=Actor("alert", alert.source, alert.name),
        occurred_at=min(moment, draft.now) if moment else None,
        data={"fingerprint": alert.fingerprint, "group_key": alert.group_key, "labels": dict(alert.labels)},
        source=alert.url,
    )


def _alerts_changed(draft: Draft, command: c.AlertsChanged) -> None:
    for alert in command.opened:
        _alert_event(draft, alert, "alert_fired")
    for alert in command.closed:
        _alert_event(draft, alert, "alert_resolved")
    if command.opened or command.closed:
        draft.refresh()


def _post_update(draft: Draft, command: c.PostUpdate) -> None:
    _must_be_open(draft)
    if not command.text.strip():
        raise Refused("no_text", "Say what the state is: `/incident update <text>`.")
    if command.status and command.status is not draft.incident.status:
        _must_be_settable(command.status, SETTABLE)
        _change_status(draft, command.status, command.actor)
    if command.impact:
        draft.set(impact=command.impact)
    draft.set(last_update=command.text)
    cadence.restart(draft)
    data = {
        "state": command.text,
        "action": command.action,
        "eta": command.eta,
        "impact": command.impact,
        "status": draft.incident.status.value,
        "next_update_at": _iso(draft.incident.next_update_at),
    }
    draft.event("update_posted", command.text, actor=command.actor, data=data)
    draft.deliver(
        "update", "notice", needs=(draft.incident.home_slot,), data={**data, "author": _mention(command.actor)}
    )
    draft.refresh()


def _keep_cadence(draft: Draft, command: c.KeepCadence) -> None:
    _must_be_open(draft)
    if draft.incident.rule.update_every is None:
        raise Refused("no_cadence", f"{draft.incident.severity.value} has no update cadence; nothing is due.")
    cadence.restart(draft)
    due = draft.incident.next_update_at
    data = {"state": "No change", "no_change": True, "next_update_at": _iso(due)}
    draft.event("update_posted", "No change", actor=command.actor, data=data)
    draft.deliver(
        "update", "notice", needs=(draft.incident.home_slot,), data={**data, "author": _mention(command.actor)}
    )
    draft.refresh()


def _pause(draft: Draft, command: c.PauseCadence) -> None:
    _must_be_open(draft)
    if draft.incident.rule.update_every is None:
        raise Refused("no_cadence", f"{draft.incident.severity.value} has no update cadence; nothing to pause.")
    until = draft.now + timedelta(seconds=command.seconds)
    cadence.pause(draft, until)
    why = f": {command.why}" if command.why else ""
    draft.event(
        "cadence_paused",
        f"Updates paused until {until:%H:%M} UTC{why}",
        actor=command.actor,
        data={"until": until.isoformat(), "why": command.why},
    )
    _say(draft, f"{_mention(command.actor)} paused updates until {until:%H:%M} UTC{_plain(why)}.")
    draft.refresh()


def _change_status(draft: Draft, status: Status, actor: Actor) -> None:
    before = draft.incident.status
    draft.set(status=status)
    draft.event(
        "status_changed",
        f"Status changed from {before.value} to {status.value}",
        actor=actor,
        data={"from": before.value, "to": status.value},
    )
    if status is Status.MONITORING and draft.incident.mitigated_at is None:
        draft.set(mitigated_at=draft.now)
        draft.event("mitigated", "Mitigated: a fix is in place and being watched", actor=actor)


def _set_status(draft: Draft, command: c.SetStatus) -> None:
    incident = draft.incident
    if command.status is incident.status:
        raise Refused("no_change", f"{incident.number} is already {incident.status.value}.")
    if command.status is Status.RESOLVED:
        _resolve(draft, c.Resolve(command.actor))
        return
    if command.status is Status.CLOSED:
        if incident.status is not Status.RESOLVED:
            raise Refused("not_resolved", f"Resolve {incident.number} before closing it: `/incident resolve <text>`.")
        draft.set(status=Status.CLOSED, closed_at=draft.now)
        draft.event(
            "closed", "Closed", actor=command.actor, data={"from": incident.status.value, "to": Status.CLOSED.value}
        )
        _say(draft, f"{_mention(command.actor)} closed {incident.number}.")
        draft.refresh()
        return
    _must_be_settable(command.status, (*SETTABLE, Status.RESOLVED, Status.CLOSED))
    _must_be_open(draft)
    _change_status(draft, command.status, command.actor)
    _say(draft, f"{_mention(command.actor)} set the status to *{command.status.value}*.")
    draft.refresh()


def _set_severity(draft: Draft, command: c.SetSeverity) -> None:
    _must_be_open(draft)
    before = draft.incident.rule
    old, new = draft.incident.severity, command.severity
    if old is new:
        raise Refused("no_change", f"{draft.incident.number} is already {old.value}.")
    had_channel = draft.incident.opened_channel
    draft.set(severity=new)
    raised = new.value < old.value
    why = f": {command.why}" if command.why else ""
    draft.event(
        "severity_changed",
        f"Severity {'raised' if raised else 'lowered'} from {old.value} to {new.value}{why}",
        actor=command.actor,
        data={"from": old.value, "to": new.value, "why": command.why},
    )
    _say(
        draft,
        f"{_mention(command.actor)} {'raised' if raised else 'lowered'} the severity to *{new.value}*{_plain(why)}.",
    )
    rule = draft.incident.rule
    if rule.channel and not before.channel and not had_channel:
        _open(draft, has_thread=True)
    else:
        if rule.update_every != before.update_every:
            cadence.restart(draft)
        if rule.ladder and draft.incident.ladder_from is None:
            escalation.start(draft, mention=True)
        else:
            escalation.arm_rest(draft)
    draft.refresh()


def _assign(draft: Draft, command: c.AssignRole) -> None:
    _must_be_open(draft)
    role, person = command.role, command.person
    before = draft.incident.roles.get(role)
    if before and before.id == person.id:
        raise Refused("no_change", f"{person.name} already has this role.")
    draft.set(roles={**draft.incident.roles, role.value: person})
    word = "Incident commander" if role is Role.LEAD else role.value.replace("_", " ").capitalize()
    draft.event(
        "role_assigned",
        f"{word}: {person.name}" + (f" (was {before.name})" if before else ""),
        actor=command.actor,
        data={
            "role": role.value,
            "person": {"id": person.id, "name": person.name},
            "previous": {"id": before.id, "name": before.name} if before else None,
        },
    )
    if person.id == command.actor.id:
        _say(draft, f"<@{person.id}> took the lead." if role is Role.LEAD else f"<@{person.id}> is now {word.lower()}.")
    else:
        _say(draft, f"{_mention(command.actor)} made <@{person.id}> the {word.lower()}.")
    if draft.incident.opened_channel:
        facts = {"people": [person.id], "name": word}
        draft.deliver("invite", "invite", needs=("channel",), data=facts)
    draft.refresh()


def _acknowledge(draft: Draft, command: c.Acknowledge) -> None:
    incident = draft.incident
    _must_be_open(draft)
    if incident.acknowledged_at:
        who = incident.acknowledged_by.name if incident.acknowledged_by else "somebody"
        raise Refused(
            "no_change", f"{who} acknowledged at {incident.acknowledged_at:%H:%M} UTC; the ladder is stopped."
        )
    moment = min(command.occurred_at or draft.now, draft.now)
    draft.set(acknowledged_at=moment, acknowledged_by=command.actor)
    escalation.stop(draft)
    from_pagerduty = command.via == "pagerduty"  # whose user ids are not Slack's
    place = " in PagerDuty" if from_pagerduty else ""
    draft.event(
        "acknowledged",
        f"Acknowledged by {command.actor.name}{place}",
        actor=command.actor,
        occurred_at=moment,
        data={"via": command.via},
    )
    who = _plain(command.actor.name) if from_pagerduty else _mention(command.actor)
    _say(draft, f"{who} acknowledged{place}. Nobody else is paged.")
    draft.refresh()


def _add_note(draft: Draft, command: c.AddNote) -> None:
    if not command.text.strip():
        raise Refused("no_text", "Say what to note: `/incident note <text>`.")
    draft.event("note", command.text, actor=command.actor)
    draft.deliver(
        "note",
        "notice",
        needs=(draft.incident.home_slot,),
        data={"text": command.text, "author": _mention(command.actor)},
    )


def _resolve(draft: Draft, command: c.Resolve) -> None:
    incident = draft.incident
    if not incident.status.is_open:
        raise Refused("not_open", f"{incident.number} is already {incident.status.value}.")
    draft.set(status=Status.RESOLVED, resolved_at=draft.now)
    cadence.stop(draft)
    escalation.stop(draft)
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
    draft.deliver(
        "resolution",
        "notice",
        needs=(draft.incident.home_slot,),
        data={**data, "follow_ups": list(command.follow_ups), "author": _mention(command.actor)},
    )
    draft.refresh()


def _reopen(draft: Draft, command: c.Reopen) -> None:
    incident = draft.incident
    if incident.status not in {Status.RESOLVED, Status.CLOSED}:
        raise Refused("not_resolved", f"{incident.number} is {incident.status.value}; only a resolved one reopens.")
    draft.set(status=Status.INVESTIGATING, resolved_at=None, closed_at=None, mitigated_at=None)
    why = f": {command.why}" if command.why else ""
    draft.event(
        "reopened",
        f"Reopened{why}",
        actor=command.actor,
        data={"from": incident.status.value, "to": Status.INVESTIGATING.value, "why": command.why},
    )
    cadence.restart(draft)
    _say(draft, f"{_mention(command.actor)} reopened {incident.number}{_plain(why)}.")
    draft.refresh()


def _timer_fired(draft: Draft, command: c.TimerFired) -> None:
    timer = next((t for t in draft.incident.timers if t.key == command.key), None)
    if timer is None or timer.due_at > draft.now:
        return
    draft.disarm(lambda t: t.key == command.key)
    if not draft.incident.status.is_open:
        return
    if timer.kind is TimerKind.LADDER:
        escalation.fired(draft, timer)
    elif timer.kind in CADENCE_KINDS or timer.kind is TimerKind.CADENCE_RESUME:
        cadence.fired(draft, timer)


def _delivered(draft: Draft, command: c.Delivered) -> None:
    result, data = command.result, command.data
    if command.kind == "channel":
        draft.set(channel_id=result["channel"], channel_name=result["name"])
        draft.event(
            "channel_opened",
            f"Channel #{result['name']} opened",
            data={"channel": result["channel"], "name": result["name"]},
        )
    elif command.kind == "runbook":
        draft.set(runbook_id=result["runbook_id"])
        draft.event("runbook_posted", f"Runbook {result['runbook_id']} posted: {result['reason']}", data=result)
        draft.refresh()
    elif command.kind in {"page", "notification"} and result.get("people"):
        names = ", ".join(result["people"])
        data = {"level": data.get("level", 1), "people": result["people"]}
        draft.event("page_delivered", f"Page delivered to {names}", data=data)


def _delivery_failed(draft: Draft, command: c.DeliveryFailed) -> None:
    paging = command.kind in {"page", "invite", "notification"}
    draft.event(
        "page_failed" if paging else "delivery_failed",
        f"{command.kind.replace('_', ' ').capitalize()} failed: {command.reason}. {command.fix}",
        data={"delivery": command.kind, "reason": command.reason, "fix": command.fix, **command.data},
    )
    if command.kind == "channel" and draft.incident.opened_channel:
        # No channel must not mean no pages: go on in a thread of the alerts channel.
        draft.set(opened_channel=False)
        if not command.data.get("has_thread"):
            draft.deliver("thread", "channel", slot="thread")
            draft.deliver("runbook", "channel", needs=("thread",))
        escalation.repeat(draft)


def _record(draft: Draft, command: c.Record) -> None:
    draft.event(
        command.kind,
        command.text,
        actor=command.actor,
        occurred_at=min(command.occurred_at or draft.now, draft.now),
        data=dict(command.data),
        source=command.source,
    )
    if command.refresh:
        draft.refresh()


def _export(draft: Draft, command: c.Export) -> None:
    event = draft.event(
        "exported", f"Timeline exported as {command.fmt}", actor=command.actor, data={"format": command.fmt}
    )
    draft.deliver(
        "export",
        "export",
        needs=(draft.incident.home_slot,),
        data={"format": command.fmt, "seq": event.seq, "author": _mention(command.actor)},
    )


def _say(draft: Draft, text: str) -> None:
    draft.deliver("say", "notice", needs=(draft.incident.home_slot,), data={"text": text})


def _mention(actor: Actor) -> str:
    is_slack_user = actor.type == "human" and actor.id.startswith(("U", "W"))
    return f"<@{actor.id}>" if is_slack_user else _plain(actor.name)


def _plain(text: str) -> str:
    # Put into a message as it stands, a reason or a name from PagerDuty that holds `<!channel>` pages everybody.
    return html.escape(text, quote=False)


def _iso(moment: datetime | None) -> str | None:
    return moment.isoformat() if moment else None


_HANDLERS: Mapping[type, Callable[[Draft, Any], None]] = {
    c.AlertsChanged: _alerts_changed,
    c.PostUpdate: _post_update,
    c.KeepCadence: _keep_cadence,
    c.PauseCadence: _pause,
    c.SetStatus: _set_status,
    c.SetSeverity: _set_severity,
    c.AssignRole: _assign,
    c.Acknowledge: _acknowledge,
    c.AddNote: _add_note,
    c.Resolve: _resolve,
    c.Reopen: _reopen,
    c.TimerFired: _timer_fired,
    c.Delivered: _delivered,
    c.DeliveryFailed: _delivery_failed,
    c.Record: _record,
    c.Export: _export,
    c.Refresh: lambda draft, _command: draft.refresh(),
}

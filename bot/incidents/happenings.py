"""What happens to an incident by itself: alerts, timers, and what became of deliveries."""

from __future__ import annotations

from bot.incidents import cadence, escalation
from bot.incidents import commands as c
from bot.incidents.draft import Draft
from bot.incidents.model import CADENCE_KINDS, TimerKind
from bot.incidents.opening import alert_event


def alerts_changed(draft: Draft, command: c.AlertsChanged) -> None:
    """Note alerts that began or ended; none of it closes the incident."""
    for alert in command.opened:
        alert_event(draft, alert, "alert_fired")
    for alert in command.closed:
        alert_event(draft, alert, "alert_resolved")
    if command.opened or command.closed:
        draft.refresh()


def timer_fired(draft: Draft, command: c.TimerFired) -> None:
    """Do what a due timer asks, if it is still armed."""
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


def delivered(draft: Draft, command: c.Delivered) -> None:
    """Take over what a delivery brought back."""
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


def delivery_failed(draft: Draft, command: c.DeliveryFailed) -> None:
    """Note a delivery that failed for good, and go on without it."""
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


def record(draft: Draft, command: c.Record) -> None:
    """Put something from outside on the timeline."""
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

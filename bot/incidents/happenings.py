"""What happens to an incident by itself: alerts, timers, and what became of deliveries."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from bot.incidents import (
    alerting,
    asking,
    cadence,
    checking,
    correlating,
    escalation,
    joining,
    mitigating,
    moving,
    people,
    reopening,
    telling,
)
from bot.incidents import commands as c
from bot.incidents.draft import Draft
from bot.incidents.model import CADENCE_KINDS, SYSTEM, Actor, Status, TimerKind
from bot.incidents.moments import clock
from bot.incidents.runs import run_of
from bot.incidents.wording import plain, say

QUIET_FOR = 120  # seconds without an alert that fires, before it is suggested to resolve
_TOLD_IN_WORDS = "PagerDuty incident"  # what is recorded in words of its own
# How a delivery is called on the timeline where its kind does not read well.
_NAMES = {"page_pagerduty": "Page through PagerDuty", "pagerduty_state": "Answer to PagerDuty"}


def alerts_changed(draft: Draft, command: c.AlertsChanged) -> None:
    """Note alerts that began or ended; none of it closes the incident."""
    alerting.tell(draft, command.opened, command.closed, flapping=command.flapping, left_out=command.left_out)
    if command.closed:
        _ask_whether_it_is_over(draft)
    correlating.keep(draft, correlating.of_alerts(command.opened))
    if command.opened and (not command.joined or draft.incident.heard.unknown(command.joined)):
        checking.rematch(draft)  # more of the same leads to no other runbook
    if command.carried:
        joining.carry(draft, command.carried)
    if command.expected:
        draft.set(heard=draft.incident.heard.with_known(command.joined))
    elif command.joined and draft.incident.status.is_open:
        lead = command.opened[0]
        joining.join(draft, command.joined, Actor("alert", lead.source, lead.name))
    alerting.refresh(draft)


def _ask_whether_it_is_over(draft: Draft) -> None:
    """Suggest to resolve once nothing fires any more; whoever sends it looks whether that is so, after a while."""
    incident = draft.incident
    if incident.status.is_open and not incident.quiet_told:
        needs = (incident.home_slot,)
        draft.deliver("suggest_resolve", "suggestion", needs=needs, coalesce=True, wait=QUIET_FOR, restarts=True)


def fires_again(draft: Draft, command: c.FiresAgain) -> None:
    """Note alerts that fire again after the end, and hold back the alarm for a while; it is never lost."""
    flapping = {alert.fingerprint for alert in command.alerts} if command.flaps else ()
    alerting.tell(draft, command.alerts, flapping=flapping)
    if command.until <= draft.now:
        _come_back(draft)
        return
    held = next((t for t in draft.incident.timers if t.kind is TimerKind.FLAP_HOLD), None)
    if draft.incident.resolved_at and (held is None or held.due_at > command.until):
        draft.disarm(lambda t: t.kind is TimerKind.FLAP_HOLD)
        draft.arm(TimerKind.FLAP_HOLD, command.until)
    if draft.incident.resolved_at and held is None:
        name, number = plain(command.alerts[0].name), draft.incident.number
        how = "the alert is flapping" if command.flaps else "its source says it never stopped"
        until = f"{clock(draft.incident, command.until)} UTC"
        say(draft, f"{name} is firing again: {how}. If it is still firing at {until}, {number} reopens.")
    alerting.refresh(draft)


def _come_back(draft: Draft) -> None:
    """Reopen an incident whose alerts fire on, as if it had just been declared: somebody must look."""
    if draft.incident.status not in {Status.RESOLVED, Status.CLOSED}:
        return
    reopening.begin_again(draft, SYSTEM, "its alerts are firing again", page="fires_again")


def come_back(draft: Draft, command: c.ComeBack) -> None:
    """Reopen an incident whose trouble is there again, and page for it; an incident that is open stays as it is."""
    if draft.incident.status not in {Status.RESOLVED, Status.CLOSED}:
        return
    alerting.tell(draft, command.alerts)
    reopening.begin_again(draft, command.actor, command.why, page="reopened")


def gets_worse(draft: Draft, command: c.GetsWorse) -> None:
    """Raise the severity, where the incident is open and this is worse; whoever acknowledged did not know of it."""
    incident = draft.incident
    if incident.status.is_open and command.severity.value < incident.severity.value:
        joining.raise_severity(draft, command.severity, command.why, command.actor)


def answer_again(draft: Draft, command: c.AnswerAgain) -> None:
    """Acknowledge once more what we opened in PagerDuty, while the incident is acknowledged here."""
    if draft.incident.status.is_open and draft.incident.acknowledged_at:
        escalation.tell_pagerduty(draft, again=command.key)


def void_acknowledgement(draft: Draft, command: c.VoidAcknowledgement) -> None:
    """Take an acknowledgement back that no longer covers the incident; whoever gave it is named."""
    escalation.void_acknowledgement(draft, reason=command.why, actor=command.actor)


def timer_fired(draft: Draft, command: c.TimerFired) -> None:
    """Do what a due timer asks, if it is still armed."""
    timer = next((t for t in draft.incident.timers if t.key == command.key), None)
    if timer is None or timer.due_at > draft.now:
        return
    draft.disarm(lambda t: t.key == command.key)
    if telling.is_for_it(timer):
        telling.now(draft)
    elif timer.kind is TimerKind.ALERT_DIGEST:
        alerting.sum_up(draft)
    if timer.kind is TimerKind.FLAP_HOLD and command.firing:
        _come_back(draft)
    if timer.kind is TimerKind.HANDOFF:
        people.not_accepted(draft)
    if timer.kind is TimerKind.ROLLBACK:
        mitigating.overdue(draft, timer.level)
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
        late = not draft.incident.opened_channel
        draft.set(channel_id=result["channel"], channel_name=result["name"], opened_channel=True)
        draft.event(
            "channel_opened",
            f"Channel #{result['name']} opened",
            data={"channel": result["channel"], "name": result["name"]},
        )
        if late:
            moving.move_in(draft)
    elif command.kind == "runbook":
        told = {name: value for name, value in result.items() if name != "ticked"}
        run = run_of(draft.incident.runs, str(result["runbook_id"]))
        what = "Checklist" if run is not None and run.checklist else "Runbook"
        draft.event("runbook_posted", f"{what} {result['runbook_id']} posted: {result['reason']}", data=told)
        draft.refresh()
        if run is not None and sorted(run.ticks) != result.get("ticked", []):  # ticked while it was on its way
            draft.refresh_run(run)
    elif command.kind == "suggest_resolve":
        draft.set(quiet_told=True)
    elif command.kind == "channel_check":
        moving.looked(draft, result)
    elif command.kind == "unarchive":
        moving.unarchived(draft, result, data)
    elif command.kind == "invite":
        _not_all_invited(draft, command)
    elif command.kind in {"page", "notification"} and result.get("people"):
        names = ", ".join(result["people"])
        facts = {"level": data.get("level", 1), "people": result["people"]}
        problems = [str(problem) for problem in result.get("problems") or ()]
        text = ". ".join([f"Page delivered to {names}", *(problem.rstrip(".") for problem in problems)])
        draft.event("page_delivered", text, data=facts | ({"problems": problems} if problems else {}))
        escalation.reached(draft, command.slot)
        if problems:
            asking.tell(draft, data, f"Could not page everyone: {' '.join(problems)}")
        moving.told(draft, result.get("told", ()))
    elif command.kind in {"page", "notification"}:
        fix = "Correct the people in the ladder (SITREP_CONFIG)."
        facts = {"level": data.get("level", 1), "problems": list(result.get("problems", ()))}
        page_lost(draft, c.PageLost("page", command.slot, "nobody_found", fix, facts, "it reached nobody"))
    elif command.kind == "page_pagerduty":
        names = ", ".join(result.get("people", ())) or data.get("name", "")
        facts = {"level": data.get("level", 1), "people": [], **result, "via": "pagerduty"}
        draft.event("page_delivered", f"Page delivered through PagerDuty to {names}", data=facts)
        escalation.reached(draft, command.slot)


def _not_all_invited(draft: Draft, command: c.Delivered) -> None:
    """Note whom Slack did not let in, and tell whoever asked for them."""
    problems = [str(problem) for problem in command.result.get("problems") or ()]
    if problems:
        text = f"Could not invite everyone: {' '.join(problems)}"
        draft.event("page_failed", text, data={"delivery": "invite", "problems": problems, **_level(command.data)})
        asking.tell(draft, command.data, text)


def _level(data: Mapping[str, Any]) -> dict[str, Any]:
    return {key: data[key] for key in ("level", "name") if key in data}


def delivery_failed(draft: Draft, command: c.DeliveryFailed) -> None:
    """Note a delivery that failed for good, and go on without it."""
    if command.kind in {"channel_check", "unarchive"}:
        moving.not_looked(draft, command)
        return
    paging = command.kind in {"page", "page_pagerduty", "invite", "notification"}
    what = _NAMES.get(command.kind) or command.kind.replace("_", " ").capitalize()
    draft.event(
        "page_failed" if paging else "delivery_failed",
        f"{what} failed: {(command.words or command.reason).rstrip('.')}. {command.fix}".rstrip(),
        data={"delivery": command.kind, "reason": command.reason, "fix": command.fix, **command.data},
    )
    if paging:
        asking.tell_failed(draft, command)
    escalation.unreached(draft, command.slot)
    if command.kind == "channel" and draft.incident.private:
        return  # a thread would show it to everybody: the operators are told
    if command.kind == "channel" and draft.incident.opened_channel:
        # No channel must not mean no pages: go on in a thread of the alerts channel.
        draft.set(opened_channel=False)
        if not command.data.get("has_thread"):
            draft.deliver("thread", "channel", slot="thread")
            draft.deliver("runbook", "channel", needs=("thread",))
        escalation.repeat(draft)


def page_lost(draft: Draft, command: c.PageLost) -> None:
    """Note a page that gets to nobody, unless its level does not depend on it any more.

    One that has no place to be posted in goes to its people themselves instead.
    """
    if command.homeless and escalation.page_directly(draft, command.slot, command.data):
        return
    if escalation.awaited(draft, command.slot):
        data = {"level": command.data.get("level", 1)} if command.homeless else command.data
        failed = c.DeliveryFailed(command.kind, command.slot, command.reason, command.fix, data, command.words)
        delivery_failed(draft, failed)


def record(draft: Draft, command: c.Record) -> None:
    """Put something from outside on the timeline; of very many alerts only how many."""
    fired = command.kind == "alert_fired"
    if (fired or command.kind == "alert_resolved") and alerting.count(draft, _TOLD_IN_WORDS, fired=fired):
        alerting.refresh(draft)
        return
    draft.event(
        command.kind,
        command.text,
        actor=command.actor,
        occurred_at=draft.moment(command.occurred_at),
        data=dict(command.data),
        source=command.source,
    )
    if fired:
        checking.rematch(draft)
    elif command.kind == "alert_resolved":
        _ask_whether_it_is_over(draft)
    if command.aloud and draft.incident.status.is_open:
        say(draft, plain(command.text))
    if command.refresh:
        draft.refresh()

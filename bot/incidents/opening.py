"""Opening an incident: what sev1 and sev2 show in Slack, and what a thread is enough for."""

from __future__ import annotations

from collections.abc import Mapping
from datetime import datetime

from bot.incidents import alerting, cadence, correlating, escalation, people
from bot.incidents import commands as c
from bot.incidents.draft import Draft
from bot.incidents.model import Actor, Decision, Incident, Person, Status
from bot.incidents.policy import Policy
from bot.incidents.wording import is_in_slack

DRILL = "[TEST]"  # before the title, so that no message, list or export can be taken for real


def declare(command: c.Declare, policy: Policy, now: datetime) -> Decision:
    """Make a new incident, under the policy in force; a drill pages nobody, and says everywhere what it is."""
    policy = policy.without_pages() if command.drill else policy
    rule = policy.of(command.severity)
    title = f"{DRILL} {command.title}" if command.drill else command.title
    incident = Incident(
        number=command.number,
        title=title,
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
        runbook_id=command.runbook_id,
        source=command.source,
        started_at=command.started_at or now,
        detected_at=now,
        opened_channel=rule.channel or command.private,
        heard=command.heard,
        drill=command.drill,
        private=command.private,
    )
    draft = Draft(incident, now)
    alerting.tell(draft, command.alerts, left_out=command.left_out)
    alerting.tell_broken(draft, command.alerts)
    draft.event(
        "declared",
        f"Declared {incident.severity_name}: {title}",
        actor=command.actor,
        data={"severity": command.severity.value, "status": Status.INVESTIGATING.value, "title": title},
    )
    _correlate(draft, command.ids)
    open_up(draft)
    return draft.done()


def _correlate(draft: Draft, ids: Mapping[str, str]) -> None:
    correlating.keep(draft, ids)
    if warning := correlating.warning(ids):
        draft.event("note", f"{warning} It is {ids['resource_name']}.", data={**ids, "warning": warning})


def open_up(draft: Draft, *, has_thread: bool = False, reason: str = "declared") -> None:
    """Ask for everything that an incident of this severity shows in Slack, and start its timers."""
    private = draft.incident.private
    if not (draft.incident.rule.channel or private):
        draft.deliver("thread", "channel", slot="thread")
        draft.deliver("runbook", "channel", needs=("thread",))  # a channel, once it is raised, gets its own
        escalation.start(draft, mention=True, reason=reason)
        cadence.restart(draft)
        return
    draft.set(opened_channel=True)
    draft.deliver("channel", "setup", slot="channel", data={"has_thread": True} if has_thread else {})
    draft.deliver("card", "channel", slot="card", needs=("channel",))
    invite = escalation.start(draft, mention=False, reason=reason)
    cadence.restart(draft)
    in_channel = ("channel",)
    if not private:
        draft.deliver("announcement", "announce", slot="announcement", needs=in_channel)
    _bring_in(draft, has_thread=has_thread)
    draft.deliver("topic", "topic", needs=in_channel)
    draft.deliver("pin", "pin", slot="pin", needs=("card",))
    first = ("card", invite) if invite else ("card",)
    draft.deliver("notification", "page", slot="notification", needs=in_channel, after=first)
    draft.deliver("runbook", "channel", slot="runbook", needs=in_channel, data={"first": True})
    if has_thread:
        draft.deliver("moved", "notice", needs=("channel", "thread"))
        draft.deliver("came_from", "channel", needs=("channel", "thread"))


def _bring_in(draft: Draft, *, has_thread: bool) -> None:
    """Invite whoever declared the incident, and those who have worked on it in its thread."""
    incident = draft.incident
    known = [incident.declared_by]
    if has_thread:
        known += [Actor("human", person.id, person.name) for person in incident.roles.values()]
        known += [Actor("human", user, user) for user in incident.subscribers]
        known += [incident.acknowledged_by] if incident.acknowledged_by else []
    for each in {actor.id: actor for actor in reversed(known) if is_in_slack(actor)}.values():
        people.bring_in(draft, Person(each.id, each.name), incident.declared_by)

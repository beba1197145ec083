"""The App Home, by incident: first those that need you, with what to do; then the others, and health (seed 002, 1)."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from typing import Any

from bot.incidents.cadence import spell
from bot.incidents.model import Incident, Role
from bot.incidents.people import word_of
from bot.incidents.wording import COMMAND
from bot.runbooks.model import Runbook
from bot.slack import blocks as b
from bot.slack.card import next_update, state_of
from bot.slack.mrkdwn import date_time, esc
from bot.store.standing import Standing

SHOWN = 8  # incidents of each list
TASKS = 5  # of one person in one incident
BOOKS = 5
SLOW = timedelta(minutes=2)  # what has waited longer to go out is worth a line


@dataclass(frozen=True, slots=True)
class Desktop:
    """What a Home shows to one person at one moment."""

    user: str
    now: datetime
    open: Sequence[Incident] = ()
    recent: Sequence[Incident] = ()
    stale: Sequence[Runbook] = field(default_factory=tuple)
    standing: Standing | None = None
    triage: int = 0
    command: str = COMMAND


def home(desktop: Desktop) -> dict[str, Any]:
    """Make the view."""
    wanted = {incident.number: _needs(incident, desktop.user) for incident in desktop.open}
    yours = [incident for incident in desktop.open if wanted[incident.number]]
    others = [incident for incident in desktop.open if not wanted[incident.number]]
    others.sort(key=lambda incident: not _has_role(incident, desktop.user))
    made = [b.header("Needs you now")]
    if desktop.triage:
        made.append(b.section(_triage(desktop.triage)))
    elif not yours:
        made.append(b.section(":white_check_mark: Nothing needs you now."))
    for incident in yours[:SHOWN]:
        made += _incident(incident, wanted[incident.number], desktop.user)
    made.append(b.actions([b.button("Declare an incident", "home_declare", "home", "danger")]))
    if others:
        made.append(b.header(f"Other open incidents: {len(others)}"))
    for incident in others[:SHOWN]:
        made += _incident(incident, (), desktop.user)
    if hidden := max(len(yours) - SHOWN, 0) + max(len(others) - SHOWN, 0):
        made.append(b.context(f"and {hidden} more: type `{desktop.command} list`"))
    if desktop.recent:
        made.append(b.header("Recently resolved"))
        made += b.paragraphs("\n".join(_over(incident) for incident in desktop.recent[:SHOWN]))[:3]
    if desktop.stale:
        made.append(b.header(f"Runbooks to review: {len(desktop.stale)}"))
        made.append(b.section("\n".join(_book(book) for book in desktop.stale[:BOOKS])))
    made.append(b.context(f"{_health(desktop)} As of {desktop.now:%H:%M} UTC. Open this tab again to refresh."))
    return {"type": "home", "blocks": b.fit(made)}


def _triage(count: int) -> str:
    what = "1 alert group waits" if count == 1 else f"{count} alert groups wait"
    return f":mag: *Triage*: {what} in the alerts channel"


def _incident(incident: Incident, needs: Sequence[str], user: str) -> list[b.Block]:
    """Show an incident with what somebody has to do about it, and the buttons for that."""
    number = incident.number
    buttons = [b.button(label, f"{action}_{number}", number) for label, action in _acts(incident, user)]
    if buttons:
        buttons[0]["style"] = "primary"
    buttons += [
        b.button("Catch me up", f"incident_catchup_{number}", number),
        b.button("More…", f"incident_more_{number}", number),
    ]
    made = [b.section("\n".join([_open(incident), *_part(incident, user), *needs])), b.actions(buttons)]
    mine = [task for task in incident.tasks if task.is_open and task.owner_id == user][:TASKS]
    for task in mine:
        done = b.button("Done", f"task_done_{number}-{task.id}", f"{number}|{task.id}")
        text = f":white_large_square: Task {task.id}: {esc(task.text, 120)}"
        made.append({**b.section(text), "accessory": done})
    return made


def _acts(incident: Incident, user: str) -> list[tuple[str, str]]:
    """Return what can be done at once about what an incident needs, the most urgent first."""
    acts = []
    if incident.handoff is not None and incident.handoff.to.id == user:
        acts += [("Accept", "incident_accept"), ("Decline", "incident_decline")]
    if _has_role(incident, user) and incident.update_is_overdue:
        acts.append(("Post update", "incident_update"))
    if incident.acknowledged_at is None and incident.rule.ladder:
        acts.append(("Acknowledge", "incident_ack"))
    if incident.lead is None:
        acts.append(("Take lead", "incident_lead"))
    return acts


def _needs(incident: Incident, user: str) -> list[str]:
    """Say what somebody has to do about an incident, the most urgent first; tasks have lines of their own."""
    lines = []
    if incident.handoff is not None and incident.handoff.to.id == user:
        lines.append(f":handshake: <@{incident.handoff.by.id}> offers you the lead")
    if _has_role(incident, user) and incident.update_is_overdue:
        lines.append(":warning: The update is overdue")
    if incident.acknowledged_at is None and incident.rule.ladder:
        lines.append(":rotating_light: Nobody has acknowledged")
    if incident.lead is None:
        lines.append(":bust_in_silhouette: Nobody has the lead")
    tasks = sum(task.is_open and task.owner_id == user for task in incident.tasks)
    if tasks:
        lines.append(f":ballot_box_with_check: {_counted(tasks, 'task')} for you")
    lines += [
        f":leftwards_arrow_with_hook: Roll back: {esc(made.text, 120)}"
        for made in incident.mitigations
        if made.by == user
    ]
    return lines


def _part(incident: Incident, user: str) -> list[str]:
    """Say which part somebody has in an incident."""
    roles = [Role(role) for role, person in incident.roles.items() if person.id == user and role in set(Role)]
    return [f":eyes: You are {' and '.join(word_of(role).lower() for role in roles)}"] if roles else []


def _has_role(incident: Incident, user: str) -> bool:
    return any(person.id == user and role in set(Role) for role, person in incident.roles.items())


def _open(incident: Incident) -> str:
    where = f" in <#{incident.channel_id}>" if incident.channel_id else ""
    lead = f"<@{incident.lead.id}>" if incident.lead else "nobody"
    return (
        f"{state_of(incident)}{where}\n{esc(incident.title, 200)}\nLead: {lead}. Next update: {next_update(incident)}."
    )


def _over(incident: Incident) -> str:
    ended = f", {date_time(incident.resolved_at)}" if incident.resolved_at else ""
    took = f" after {spell(incident.duration.total_seconds())}" if incident.duration else ""
    state = f"{incident.severity_name} {incident.status.value}{took}"
    return f"• {incident.number} {state}: {esc(incident.title, 120)}{ended}"


def _book(book: Runbook) -> str:
    return (
        f"• `{esc(book.id)}` {esc(book.title, 100)}: last reviewed {book.last_reviewed_at}, {esc(book.owner_team, 60)}"
    )


def _health(desktop: Desktop) -> str:
    standing = desktop.standing
    if standing is None:
        return ":warning: The database did not answer. Check Sitrep's log."
    waiting = max(sum(standing.deliveries.values()) - 1, 0)  # this one is on its way
    if standing.oldest is not None and desktop.now - standing.oldest > SLOW:
        age = spell((desktop.now - standing.oldest).total_seconds())
        return f":warning: {_counted(waiting, 'message')} queued, the oldest for {age}. Run `sitrep outbox list`."
    armed, more = _counted(standing.armed, "timer"), _counted(waiting, "message")
    return f":white_check_mark: Healthy: {armed} armed, {more} queued."


def _counted(count: int, what: str) -> str:
    return f"{count} {what}{'' if count == 1 else 's'}"

"""The App Home: what needs you now comes first, then what is open, what is over, and how the bot is (seed 002, 1)."""

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
from bot.slack.mrkdwn import clock_time, date_time, esc
from bot.store.standing import Standing

SHOWN = 8  # incidents of each list
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
    made = [b.header("What needs you now")]
    needs = [_triage(desktop.triage)] if desktop.triage else []
    needs += [line for incident in desktop.open for line in _needs(incident, desktop.user)]
    made += b.paragraphs("\n".join(needs[: 2 * SHOWN]) or ":white_check_mark: Nothing. Rest while you can.")[:3]
    made.append(b.actions([b.button("Declare an incident", "home_declare", "home", "danger")]))
    made.append(b.header(f"Open incidents: {len(desktop.open)}"))
    for incident in desktop.open[:SHOWN]:
        buttons = [
            b.button("Catch me up", f"incident_catchup_{incident.number}", incident.number),
            b.button("More…", f"incident_more_{incident.number}", incident.number),
        ]
        made += [b.section(_open(incident)), b.actions(buttons)]
    if len(desktop.open) > SHOWN:
        made.append(b.context(f"and {len(desktop.open) - SHOWN} more: type `{desktop.command} list`"))
    if desktop.recent:
        made.append(b.header("Lately over"))
        made += b.paragraphs("\n".join(_over(incident) for incident in desktop.recent[:SHOWN]))[:3]
    if desktop.stale:
        made.append(b.header(f"Runbooks to review: {len(desktop.stale)}"))
        made.append(b.section("\n".join(_book(book) for book in desktop.stale[:BOOKS])))
    made.append(b.context(f"{_health(desktop)} Looked at {clock_time(desktop.now)}; open this tab again to refresh."))
    return {"type": "home", "blocks": b.fit(made)}


def _triage(count: int) -> str:
    what = "1 alert group waits" if count == 1 else f"{count} alert groups wait"
    return f":mag: *Decide*: {what} for a look in the alerts channel"


def _needs(incident: Incident, user: str) -> list[str]:
    """Say what somebody has to do about an incident, the most urgent first."""
    where = f"<#{incident.channel_id}>" if incident.channel_id else incident.number
    roles = [Role(role) for role, person in incident.roles.items() if person.id == user and role in set(Role)]
    mine = bool(roles)
    lines = []
    if incident.handoff is not None and incident.handoff.to.id == user:
        lines.append(f":handshake: *Accept or refuse* the command of {where}")
    if mine and incident.update_is_overdue:
        lines.append(f":warning: *Post an update* in {where}: it is overdue")
    if incident.acknowledged_at is None and incident.rule.ladder:
        lines.append(f":rotating_light: *Acknowledge* {where}: nobody has ({esc(incident.title, 80)})")
    if incident.lead is None:
        lines.append(f":bust_in_silhouette: *Take the lead* of {where}: nobody has it")
    lines += [
        f":white_large_square: Task {task.id} in {where}: {esc(task.text, 120)}"
        for task in incident.tasks
        if task.is_open and task.owner_id == user
    ]
    lines += [
        f":leftwards_arrow_with_hook: *Roll back* in {where}: {esc(made.text, 120)}"
        for made in incident.mitigations
        if made.by == user
    ]
    if mine and not lines:
        named = " and ".join(word_of(role).lower() for role in roles)
        lines.append(f":eyes: You are {named} in {where}; next update {next_update(incident)}")
    return lines


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
        return ":warning: The database did not answer: look at the log of the bot."
    waiting = max(sum(standing.deliveries.values()) - 1, 0)  # this one is on its way
    if standing.oldest is not None and desktop.now - standing.oldest > SLOW:
        age = spell((desktop.now - standing.oldest).total_seconds())
        return f":warning: {waiting} messages wait to go out, the oldest for {age}: see `sitrep outbox list`."
    armed, more = _counted(standing.armed, "timer"), _counted(waiting, "more message")
    return f":white_check_mark: The bot is well: {armed} armed, {more} on the way."


def _counted(count: int, what: str) -> str:
    return f"{count} {what}{'' if count == 1 else 's'}"

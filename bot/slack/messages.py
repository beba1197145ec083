"""What is said in an incident's channel: pages, reminders, updates, changes that are to be taken back."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from datetime import datetime, timedelta
from typing import Any

from bot.board import Board
from bot.incidents.alert_text import ended, unstopped
from bot.incidents.cadence import spell
from bot.incidents.model import Event, Handoff, Incident
from bot.incidents.moments import clock, in_time
from bot.incidents.reasons import why_paged
from bot.incidents.runs import Mitigation
from bot.incidents.wording import COMMAND
from bot.runbooks.templates import Mrkdwn, Renders
from bot.slack import alert_says
from bot.slack import blocks as b
from bot.slack.card import next_update, no_change, state_of
from bot.slack.leftovers import left_open
from bot.slack.mrkdwn import clock_time, code, date_time, due_time, esc, link, person, shorten
from bot.store.lateness import LATE

Message = tuple[str, list[b.Block]]
BRIEFING_EVENTS = 3
TEXT = 3000  # characters of a notification text; Slack cuts at 4,000
QUIET_KINDS = frozenset(
    {"page_delivered", "channel_opened", "runbook_posted", "update_due", "delivery_failed", "responder_joined"}
)


def dated(message: Message, written_at: datetime, age: timedelta) -> Message:
    """Say of a message that comes late when it was written."""
    if age < LATE:
        return message
    text, blocks = message
    same_day = written_at.date() == (written_at + age).date()
    when = f"{written_at:%H:%M} UTC" if same_day else date_time(written_at)
    said = f"Written at {when}, delivered {spell(age.total_seconds())} late."
    return f"{shorten(text, TEXT)} {said}", [*blocks, b.context(f":hourglass: {said}")]


def notification(templates: Renders, board: Board, mentions: Sequence[str]) -> Message:
    """The initial notification (seed 004, 5.3)."""
    incident = board.incident
    first = incident.rule.ladder[0] if incident.rule.ladder else None
    paged = " ".join(mentions)
    if first and first.pagerduty and first.after == 0:
        paged = f"{paged} and PagerDuty" if paged else "paged through PagerDuty"
    responders = f"{esc(first.name)}: {paged}" if first and paged else "nobody is paged yet"
    text = templates.render(
        "initial",
        severity=incident.severity_name,
        level=incident.severity.value,
        number=incident.number,
        title=incident.title,
        service=incident.service,
        impact=incident.impact,
        detected=Mrkdwn(date_time(incident.detected_at or incident.declared_at)),
        status=incident.status.value,
        responders=Mrkdwn(responders),
        next_update=Mrkdwn(next_update(incident)),
        customer_notification="",
    )
    made = b.paragraphs(text)
    if alert := alert_says.says(board):
        made.append(b.section(alert))
    if mentions:
        made.append(b.actions(_paged_buttons(incident)))
    return _sentence(f"{incident.number} {incident.severity_name} declared: {incident.title}"), made


def update(templates: Renders, incident: Incident, data: Mapping[str, Any]) -> Message:
    """A status update."""
    due = _moment(data.get("next_update_at"))
    owner = person(str(data["owner_id"]), str(data["owner"])) if data.get("owner_id") else ""
    text = templates.render(
        "update",
        number=incident.number,
        severity=incident.severity_name,
        level=incident.severity.value,
        status=str(data.get("status") or incident.status.value),
        state=str(data["state"]),
        action=str(data.get("action") or ""),
        owner=Mrkdwn(owner),
        eta=str(data.get("eta") or ""),
        next_update=Mrkdwn(due_time(incident, due)) if due else "",
        author=Mrkdwn(str(data["author"])),
    )
    return _sentence(f"Update on {incident.number}: {data['state']}"), b.paragraphs(text)


def resolution(
    templates: Renders, board: Board, data: Mapping[str, Any], public_url: str, command: str = COMMAND
) -> Message:
    """The resolution, with a link to the timeline, what it leaves behind, and the way back."""
    incident = board.incident
    if public_url:
        timeline = link(f"{public_url}/api/v1/incidents/{incident.number}/timeline?format=md", "timeline")
    else:
        timeline = f"`{command} export md`"
    text = templates.render(
        "resolution",
        number=incident.number,
        severity=incident.severity_name,
        level=incident.severity.value,
        title=incident.title,
        service=incident.service,
        duration=spell(float(data["duration_seconds"])),
        root_cause=str(data.get("root_cause") or ""),
        fix=str(data.get("fix") or ""),
        follow_ups=[str(item) for item in data.get("follow_ups") or []],
        timeline=Mrkdwn(timeline),
        author=Mrkdwn(str(data["author"])),
    )
    left = left_open(board)
    behind = [b.section("\n".join([":warning: Resolved, and still open:", *left]))] if left else []
    back = b.actions([b.button("Reopen", "incident_reopen", incident.number)])
    said = _sentence(f"{incident.number} is resolved: {incident.title}")
    return said, [*b.paragraphs(text), *behind, back]


def reminder(incident: Incident, data: Mapping[str, Any]) -> Message:
    """The quiet reminder: mentions nobody."""
    due = _moment(data["due_at"])
    said = f"Post an update by {due_time(incident, due)}." if due else "Post an update."
    return said, [b.section(f":hourglass_flowing_sand: {said}"), b.actions(_update_buttons(incident))]


def overdue(incident: Incident, data: Mapping[str, Any], mentions: Sequence[str], command: str = COMMAND) -> Message:
    """The overdue notice: mentions the lead, else who acknowledged, else whoever was paged last."""
    late = int(data["late_seconds"])
    due = _moment(data["due_at"])
    who = f"{' '.join(mentions)} " if mentions else ""
    since = f" It was due at {due_time(incident, due)}." if due else ""
    lead = "" if incident.lead else " Nobody has the lead: press Take lead on the card."
    what = f"Update overdue by {spell(late)}." if late >= 60 else "Update due now."
    text = f":warning: {who}{what}{since} Post one now: `{command} update <text>`.{lead}"
    shown = text.replace("<text>", "&lt;text&gt;")
    return shown, [b.section(shown), b.actions(_update_buttons(incident))]


def suggest_resolve(board: Board) -> Message:
    """All alerts have ended: ask once whether the incident has too."""
    incident, left = board.incident, left_open(board)
    text = f":white_check_mark: All alerts of {incident.number} have resolved. Resolve the incident?"
    buttons = [b.button("Resolve", "incident_resolve", incident.number, "primary")]
    return text, [b.section("\n".join([text, *left])), b.actions(buttons)]


def handoff(board: Board, offered: Handoff) -> Message:
    """Offer the command: who offers it, a brief, and the button."""
    incident = board.incident
    head = f":handshake: <@{offered.to.id}>, <@{offered.by.id}> offers you the lead of {incident.number}."
    until = due_time(incident, offered.at + timedelta(minutes=5))
    buttons = [
        b.button("Accept", "incident_accept", incident.number, "primary"),
        b.button("Decline", "incident_decline", incident.number),
    ]
    ask = f"Accept by {until}. Until you accept, the lead does not change."
    return shorten(f"{head} {ask}", TEXT), [
        b.section(head),
        b.section(briefing(board)),
        b.section(ask),
        b.actions(buttons),
    ]


def with_brief(text: str, board: Board) -> Message:
    """How an offer of the command ended; its brief stays for whoever has taken over."""
    return shorten(text, TEXT), [b.section(text), b.section(briefing(board))]


def update_for(incident: Incident, data: Mapping[str, Any]) -> Message:
    """An update as a subscriber gets it."""
    where = f" in <#{incident.channel_id}>" if incident.channel_id else ""
    due = _moment(data.get("next_update_at"))
    after = f" Next update: {due_time(incident, due)}." if due else ""
    status = str(data.get("status") or incident.status.value)
    text = (
        f":mega: *{incident.number}* {incident.severity_name} {status}{where}: {esc(str(data['state']), 2000)} "
        f"({esc(str(data['author']), 80)}).{after}"
    )
    return shorten(text, TEXT), [b.section(text)]


def page(board: Board, data: Mapping[str, Any], mentions: Sequence[str]) -> Message:
    """A page: mentions a level's people and briefs them in one paragraph (seed 001: timeline, tenants, mitigation)."""
    incident = board.incident
    reason = esc(why_paged(data), 500)
    name = f"*{esc(str(data['name']))}*"
    if mentions and data.get("reason") == "asked" and not data.get("level"):
        head = f":rotating_light: {' '.join(mentions)} {reason}."
    elif mentions:
        head = f":rotating_light: {' '.join(mentions)} you are paged as {name}: {reason}."
    elif data.get("pagerduty"):
        head = f":rotating_light: {name} is paged through PagerDuty: {reason}."
    else:
        head = f":rotating_light: Could not page {name} ({reason}): the level names nobody. Add people to the ladder."
    buttons = _paged_buttons(incident)
    return shorten(f"{head} {briefing(board)}", TEXT), [b.section(head), b.section(briefing(board)), b.actions(buttons)]


def alerts_joined(
    incident: Incident, data: Mapping[str, Any], mentions: Sequence[str], command: str = COMMAND
) -> Message:
    """Something else that fires under an open incident: nobody may take it for more of the same."""
    who = f"{' '.join(mentions)} " if mentions else ""
    mark = ":rotating_light:" if data.get("loud") else ":bell:"
    fix = f"If this is a separate outage, declare a separate incident: `{command} declare`."
    text = f"{mark} {who}{_joined(data)} joined {incident.number}. {fix}"
    return shorten(text, TEXT), [b.section(text), b.actions(_paged_buttons(incident))]


def _joined(data: Mapping[str, Any]) -> str:
    more = int(data.get("more") or 0)
    return f"*{esc(str(data['joined']), 1500)}*" + (f" and {more:,} more" if more else "")


def briefing(board: Board) -> str:
    """Tell somebody who has just arrived what matters, in one paragraph."""
    incident = board.incident
    told = in_time([e for e in board.events if e.kind not in QUIET_KINDS][-BRIEFING_EVENTS:])
    so_far = "; ".join(_line(incident, event) for event in told)
    tenants = incident.tenants or board.fact("tenant", "tenant_id", "customer")
    mitigated = f"in place since {clock_time(incident, incident.mitigated_at)}" if incident.mitigated_at else "none yet"
    title = ended(esc(incident.title, 200))
    alert = alert_says.says(board)
    parts = [
        f"*{incident.number}* {incident.severity_name} is {incident.status.value}: {title}",
        f"Started {clock_time(incident, incident.started_at or incident.declared_at)}.",
        f"Impact: {alert_says.impact(incident, 300)}.",
        *([ended(alert)] if alert else []),
        f"Tenants affected: {esc(tenants, 200) or 'not known yet'}.",
        f"Alerts firing: {board.counts.firing:,}.",
        f"Mitigation: {mitigated}.",
        f"Last update: {unstopped(esc(incident.last_update, 300)) or 'none yet'}.",
        f"So far: {so_far}.",
    ]
    return " ".join(parts)


def home_again(board: Board) -> Message:
    """The incident goes on in its channel, after a while elsewhere."""
    thread = board.result("thread")
    since = f" The messages from the meantime are in its thread in <#{thread['channel']}>." if thread else ""
    text = f":leftwards_arrow_with_hook: {board.incident.number} continues here.{since}"
    return text, [b.section(text)]


def mitigation(incident: Incident, made: Mitigation) -> Message:
    """A change that is in place, with its way back and by when."""
    what = f"completed step {made.step} of `{esc(made.book)}`" if made.book else "made a change"
    text = f":leftwards_arrow_with_hook: {person(made.by, made.name)} {what}: {esc(made.text, 600)}"
    lines = [text, f"*Roll back by {due_time(incident, made.due_at)}*: {esc(made.rollback, 600)}"]
    if made.command:
        lines.insert(1, f"```{code(made.command, 1000)}```")
    return shorten(text, TEXT), [b.section("\n".join(lines)), b.actions(_ways_out(incident, made))]


def rollback_due(incident: Incident, made: Mitigation) -> Message:
    """Ask for a rollback whose time has come; mentions whoever made the change, and the lead."""
    asked = dict.fromkeys([person(made.by, made.name), *([f"<@{incident.lead.id}>"] if incident.lead else [])])
    text = f":warning: {' '.join(asked)} roll back, or make it permanent: {esc(made.text, 600)}"
    since = f"Rollback was due by {clock_time(incident, made.due_at)}: {esc(made.rollback, 600)}"
    return shorten(text, TEXT), [b.section(f"{text}\n{since}"), b.actions(_ways_out(incident, made))]


def storm(incident: Incident, why: str, before: Sequence[Incident], command: str = COMMAND) -> Message:
    """Say why a storm is one incident, and offer to merge those that opened just before it and are still open."""
    text = f":zap: {esc(why, 1000)}"
    if not before:
        return text, [b.section(text)]
    text += " Opened just before:"
    lines = [f"• {state_of(each)}: {esc(each.title, 150)}{_where(each)}" for each in before]
    label = f"Merge these {len(before)}" if len(before) > 1 else f"Merge {before[0].number}"
    value = f"{incident.number}|{','.join(each.number for each in before)}"
    return shorten(text, TEXT), [
        b.section("\n".join([text, *lines])),
        b.actions([b.button(label, "storm_merge", value, "primary")]),
        b.context(f"To split one off again: `{command} INC-... unmerge`."),
    ]


def _where(incident: Incident) -> str:
    return f" <#{incident.channel_id}>" if incident.channel_id else ""


def plain(text: str) -> Message:
    """One line about what somebody did; the text is mrkdwn already."""
    return shorten(text, TEXT), [b.section(text)]


def note(data: Mapping[str, Any]) -> Message:
    """A note that somebody put on the timeline."""
    text = f":memo: {data['author']} noted: {esc(str(data['text']), 2500)}"
    warning = [b.context(f":warning: {esc(str(data['warning']))}")] if data.get("warning") else []
    return text, [b.section(text), *warning]


def operators(text: str, mark: str = ":warning:") -> Message:
    """Return what the operators should know, with the fix where something is wrong."""
    said = f"{mark} {esc(text, 2500)}"
    return said, [b.section(said)]


def _ways_out(incident: Incident, made: Mitigation) -> list[b.Block]:
    value = f"{incident.number}|{made.id}"
    return [
        b.button("Rolled back", "mitigation_rolled_back", value, "primary"),
        b.button("Make permanent", "mitigation_permanent", value),
    ]


def _line(incident: Incident, event: Event) -> str:
    return f"{clock(incident, event.occurred_at)} {esc(event.text, 160)}"


def _paged_buttons(incident: Incident) -> list[b.Block]:
    made = [
        b.button("Take lead", "incident_lead", incident.number),
        b.button("Update", "incident_update", incident.number),
    ]
    if incident.acknowledged_at is None:
        made.insert(0, b.button("Acknowledge", "incident_ack", incident.number, "primary"))
    return made


def _update_buttons(incident: Incident) -> list[b.Block]:
    made = [b.button("Post update", "incident_update", incident.number, "primary")]
    if incident.rule.update_every:
        made.append(b.button(no_change(incident), "incident_same", incident.number))
    return made


def _moment(value: Any) -> datetime | None:
    return datetime.fromisoformat(value) if isinstance(value, str) and value else None


def _sentence(text: str) -> str:
    short = esc(text, 300)
    return short if short.endswith((".", "!", "?", "…")) else f"{short}."

"""What is said in an incident's channel: pages, reminders, updates, the runbook, the checklist."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from datetime import datetime, timedelta
from typing import Any

from bot.board import Board
from bot.incidents.cadence import spell
from bot.incidents.model import Event, Incident
from bot.runbooks.catalog import Catalog
from bot.runbooks.links import NOWHERE, Places
from bot.runbooks.match import Match
from bot.runbooks.model import Kind, Runbook, Section, Step
from bot.runbooks.render import render
from bot.runbooks.templates import Mrkdwn, Templates
from bot.slack import blocks as b
from bot.slack.card import most, next_update
from bot.slack.mrkdwn import clock_time, code, date_time, esc, link, shorten
from bot.store.alerts import Counts, Roll
from bot.store.lateness import LATE

Message = tuple[str, list[b.Block]]
MAX_STEPS = 38  # of a message's 50 blocks: at most 11 besides the steps
MAX_LOOK = 4  # blocks of queries and dashboards
MAX_OTHERS = 3  # runbooks that match as well
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
    said = f"Written at {clock_time(written_at)}, delivered {spell(age.total_seconds())} late."
    return f"{shorten(text, TEXT)} {said}", [*blocks, b.context(f":hourglass: {said}")]


def notification(templates: Templates, board: Board, mentions: Sequence[str]) -> Message:
    """The initial notification (seed 004, 5.3)."""
    incident = board.incident
    first = incident.rule.ladder[0] if incident.rule.ladder else None
    paged = " ".join(mentions)
    if first and first.pagerduty and first.after == 0:
        paged = f"{paged} and PagerDuty" if paged else "paged through PagerDuty"
    responders = f"{esc(first.name)}: {paged}" if first and paged else "nobody is paged yet"
    text = templates.render(
        "initial",
        severity=incident.severity.value,
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
    if mentions:
        made.append(b.actions(_paged_buttons(incident)))
    return _sentence(f"{incident.number} {incident.severity.value} declared: {incident.title}"), made


def update(templates: Templates, incident: Incident, data: Mapping[str, Any]) -> Message:
    """A status update."""
    due = _moment(data.get("next_update_at"))
    text = templates.render(
        "update",
        number=incident.number,
        severity=incident.severity.value,
        status=str(data.get("status") or incident.status.value),
        state=str(data["state"]),
        action=str(data.get("action") or ""),
        eta=str(data.get("eta") or ""),
        next_update=Mrkdwn(clock_time(due)) if due else "",
        author=Mrkdwn(str(data["author"])),
    )
    return _sentence(f"Update on {incident.number}: {data['state']}"), b.paragraphs(text)


def resolution(templates: Templates, incident: Incident, data: Mapping[str, Any], public_url: str) -> Message:
    """The resolution, with a link to the timeline."""
    if public_url:
        timeline = link(f"{public_url}/api/v1/incidents/{incident.number}/timeline?format=md", "timeline")
    else:
        timeline = "`/incident export md`"
    text = templates.render(
        "resolution",
        number=incident.number,
        severity=incident.severity.value,
        title=incident.title,
        service=incident.service,
        duration=spell(float(data["duration_seconds"])),
        root_cause=str(data.get("root_cause") or ""),
        fix=str(data.get("fix") or ""),
        follow_ups=[str(item) for item in data.get("follow_ups") or []],
        timeline=Mrkdwn(timeline),
        author=Mrkdwn(str(data["author"])),
    )
    return _sentence(f"{incident.number} is resolved: {incident.title}"), b.paragraphs(text)


def reminder(incident: Incident, data: Mapping[str, Any]) -> Message:
    """The quiet reminder: mentions nobody."""
    due = _moment(data["due_at"])
    said = f"Post an update by {clock_time(due)}." if due else "Post an update."
    return said, [b.section(f":hourglass_flowing_sand: {said}"), b.actions(_update_buttons(incident))]


def overdue(incident: Incident, data: Mapping[str, Any], mentions: Sequence[str]) -> Message:
    """The overdue notice: mentions the lead, or whoever was paged last where nobody has the lead."""
    late = int(data["late_seconds"])
    due = _moment(data["due_at"])
    how_late = spell(late) if late >= 60 else "less than 1 min"
    who = f"{' '.join(mentions)} " if mentions else ""
    since = f" It was due at {clock_time(due)}." if due else ""
    lead = "" if incident.lead else " Nobody has the lead: press Take lead on the card."
    text = f":warning: {who}Update overdue by {how_late}.{since} Post one now: `/incident update <text>`.{lead}"
    shown = text.replace("<text>", "&lt;text&gt;")
    return shown, [b.section(shown), b.actions(_update_buttons(incident))]


def page(board: Board, data: Mapping[str, Any], mentions: Sequence[str]) -> Message:
    """A page: mentions a level's people and briefs them in one paragraph (seed 001: timeline, tenants, mitigation)."""
    incident = board.incident
    reason = why(data)
    name = f"*{esc(str(data['name']))}*"
    if mentions:
        head = f":rotating_light: {' '.join(mentions)} you are paged as {name}: {reason}."
    elif data.get("pagerduty"):
        head = f":rotating_light: {name} is paged through PagerDuty: {reason}."
    else:
        head = f":rotating_light: Nobody is named for {name}, whose turn it is: {reason}. Add people to the ladder."
    buttons = _paged_buttons(incident)
    return shorten(f"{head} {briefing(board)}", TEXT), [b.section(head), b.section(briefing(board)), b.actions(buttons)]


def why(data: Mapping[str, Any]) -> str:
    """Say why a level is paged."""
    if data["reason"] == "update_overdue":
        return f"the update is overdue by {spell(int(data.get('late_seconds', 0)))}"
    if data["reason"] == "not_acknowledged":
        return f"nobody has acknowledged for {spell(int(data.get('waited_seconds', 0)))}"
    if data["reason"] == "nobody_reached":
        return f"nobody of level {data.get('unreached', '')} could be reached"
    if data["reason"] == "fires_again":
        return "its alerts fire again, and go on"
    return "an incident was declared"


def briefing(board: Board) -> str:
    """Tell somebody who has just arrived what matters, in one paragraph."""
    incident = board.incident
    told = [e for e in board.events if e.kind not in QUIET_KINDS][-BRIEFING_EVENTS:]
    so_far = "; ".join(_line(event) for event in told)
    tenants = incident.tenants or board.fact("tenant", "tenant_id", "customer")
    mitigated = f"in place since {incident.mitigated_at:%H:%M} UTC" if incident.mitigated_at else "none yet"
    parts = [
        f"*{incident.number}* {incident.severity.value} is {incident.status.value}: {esc(incident.title, 200)}.",
        f"Started {clock_time(incident.started_at or incident.declared_at)}.",
        f"Impact: {esc(incident.impact, 300).rstrip('. ') or 'not stated yet'}.",
        f"Tenants affected: {esc(tenants, 200) or 'not known yet'}.",
        f"Alerts firing: {board.counts.firing:,}.",
        f"Mitigation: {mitigated}.",
        f"Last update: {esc(incident.last_update, 300).rstrip('. ') or 'none yet'}.",
        f"So far: {so_far}.",
    ]
    return " ".join(parts)


def runbook(found: Sequence[Match], facts: Mapping[str, str], places: Places = NOWHERE) -> Message:
    """The steps of the first of the runbooks that match, its commands filled in; the others are named."""
    best, *others = found
    book = best.runbook
    made = [
        b.header(f":book: Runbook: {book.title}"),
        b.context(f"`{esc(book.id)}`, {_reason(best)}. Owner: {esc(book.owner_team)}. Source: {esc(book.url)}"),
    ]
    if others:
        named = ", ".join(f"`{esc(other.runbook.id)}` ({_reason(other)})" for other in others[:MAX_OTHERS])
        made.append(b.context(shorten(f"Also matches: {named}.", TEXT)))
    steps = book.steps[:MAX_STEPS]
    commands = [render(step.code or "", step.language, facts) for step in steps]
    missing = dict.fromkeys(name for command in commands for name in command.missing)
    if missing:
        names = ", ".join(f"⟨{name}⟩" for name in missing)
        made.append(b.context(f"Fill in what this incident does not know: {esc(names, 500)}."))
    if book.summary:
        made.append(b.section(esc(book.summary, 900)))
    made += [b.section(_symptoms(section)) for section in book.sections if section.kind is Kind.SYMPTOMS]
    intros = {section.title: section.intro for section in book.sections}
    section = ""
    for step, command in zip(steps, commands, strict=True):
        title = ""
        if step.section != section:
            section = step.section
            intro = _prose(intros.get(section, ""), facts, 700)
            title = f"*{esc(section)}*\n" + (f"{intro}\n" if intro else "")
        made.append(b.section(title + _step(step, command.text, facts)))
    if len(book.steps) > MAX_STEPS:
        made.append(b.context(f"{len(book.steps) - MAX_STEPS} more steps: see {esc(book.url)}"))
    if book.queries or book.dashboards:
        made += b.paragraphs(_look(book, facts, places))[:MAX_LOOK]
    return f"Runbook for this incident: {esc(book.title)} ({len(book.steps)} steps).", made


def checklist(catalog: Catalog) -> Message:
    """The first-response checklist."""
    steps = catalog.checklist.items
    lines = "\n".join(f":white_medium_square: {esc(step.text)}" for step in steps)
    title = catalog.checklist.title
    return f"{esc(title)}: {len(steps)} points.", [b.section(f"*{esc(title)}*"), *b.paragraphs(lines)]


def triage(roll: Roll, severity: str) -> Message:
    """Alerts that want a human's judgement."""
    first = roll.shown[0].alert
    state = f"{roll.counts.firing:,} firing" if roll.counts.firing else "resolved"
    summary = first.fact("summary", "description", "title")
    where = ", ".join(v for v in (first.fact("service", "job"), first.fact("region", "cluster")) if v)
    text = f"Triage ({severity}): {esc(first.name, 150)}, {state}" + (f" on {esc(where, 150)}" if where else "")
    lines = [f":mag: *{text}*"]
    if summary:
        lines.append(esc(summary, 500))
    lines.append("Look at it. If it is an incident: `/incident declare &lt;title&gt;`.")
    return f"{text}.", [b.section("\n".join(lines))]


def triage_storm(counts: Counts, where: str) -> Message:
    """Very many alerts that want a human's judgement, in one message."""
    state = f"{counts.firing:,} firing" if counts.firing else "all resolved"
    text = f"Triage storm {esc(where, 150)}: {counts.groups:,} alert groups, {state}"
    lines = [f":mag: *{text}*"]
    if counts.names:
        lines.append(most(counts))
    lines.append("New groups join this message. If it is an incident: `/incident declare &lt;title&gt;`.")
    return f"{text}.", [b.section("\n".join(lines))]


def plain(text: str) -> Message:
    """One line about what somebody did; the text is mrkdwn already."""
    return shorten(text, TEXT), [b.section(text)]


def note(data: Mapping[str, Any]) -> Message:
    """A note that somebody put on the timeline."""
    text = f":memo: {data['author']} noted: {esc(str(data['text']), 2500)}"
    warning = [b.context(f":warning: {esc(str(data['warning']))}")] if data.get("warning") else []
    return text, [b.section(text), *warning]


def operators(text: str) -> Message:
    """What failed for good, and the fix."""
    said = f":warning: {esc(text, 2500)}"
    return said, [b.section(said)]


def _prose(text: str, facts: Mapping[str, str], limit: int) -> str:
    return esc(render(text, "", facts).text, limit)


def _look(book: Runbook, facts: Mapping[str, str], places: Places) -> str:
    """Where to look: the dashboards by their titles, each query to open or to copy."""
    lines = ["*Queries and dashboards*"]
    for query in book.queries:
        filled = render(query.expr, query.language, facts)
        address = "" if filled.missing else places.link(query.language, filled.text, facts)
        title = link(address, query.title) if address else esc(query.title)
        lines.append(f"• {title}: `{code(filled.text.replace('`', ' '), 400)}`")
    if book.dashboards:
        lines.append(f"• Dashboards: {esc(', '.join(book.dashboards), 300)}")
    return "\n".join(lines)


def _symptoms(section: Section) -> str:
    lines = (f"• {line[2:]}" if line.startswith("- ") else line for line in section.intro.splitlines())
    return f"*{esc(section.title)}*\n" + esc("\n".join(lines), 2800)


def _reason(found: Match) -> str:
    return esc(found.reason.replace("`", "'"), 300)


def _step(step: Step, command: str, facts: Mapping[str, str]) -> str:
    lines = [f"{step.number}. {_prose(step.text, facts, 1000)}"]
    if step.approval:
        lines.append(f":lock: Needs the approval of {esc(step.approval, 100)}.")
    if command:
        lines.append(f"```{code(command, 1200)}```")
    if step.rollback:
        within = f" within {spell(step.rollback_within)}" if step.rollback_within else ""
        lines.append(f":leftwards_arrow_with_hook: Rollback{within}: {_prose(step.rollback, facts, 400)}")
    if step.no_rollback:
        lines.append(f":leftwards_arrow_with_hook: No rollback: {esc(step.no_rollback, 300)}")
    return "\n".join(lines)


def _line(event: Event) -> str:
    return f"{event.occurred_at:%H:%M} {esc(event.text, 160)}"


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
        label = f"No change, +{spell(incident.rule.update_every)}"
        made.append(b.button(label, "incident_same", incident.number))
    return made


def _moment(value: Any) -> datetime | None:
    return datetime.fromisoformat(value) if isinstance(value, str) and value else None


def _sentence(text: str) -> str:
    short = esc(text, 300)
    return short if short.endswith((".", "!", "?", "…")) else f"{short}."

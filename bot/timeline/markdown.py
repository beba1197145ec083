"""The export for humans: Markdown that becomes the postmortem."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from datetime import datetime, timedelta

from bot.incidents.model import Event, Incident, Role
from bot.text import clip
from bot.timeline.dossier import AlertRow, Dossier, Rendered, filename, utc
from bot.timeline.escape import inline, table
from bot.timeline.followups import follow_ups
from bot.timeline.milestones import Milestones, milestones

RECORDED_LATER = timedelta(seconds=60)
COMMAND = 300  # characters; JSON and CSV have all of it
UNKNOWN = "not recorded"
# Seeds 001 ("Audit And Postmortem") and 004 (5.4): what a report has to hold; people write it, not the bot.
ANALYSIS = ("Root cause", "Contributing factors", "What went well", "What went poorly", "Lessons")
CORRECTIVE = ("Action", "Owner", "Due date", "Status")


def render_markdown(dossier: Dossier) -> Rendered:
    """Render as Markdown: events by the time they occurred, all times in UTC."""
    moments = milestones(dossier.incident, dossier.events)
    lines = [
        *_head(dossier.incident),
        *_milestones(moments),
        *_alerts(dossier.alerts),
        *_timeline(dossier.events),
        *_action_items(dossier.events),
        *_analysis(moments),
    ]
    return Rendered(
        content=("\n".join(lines).rstrip("\n") + "\n").encode(),
        content_type="text/markdown; charset=utf-8",
        filename=filename(dossier.incident.number, "md"),
    )


def _head(incident: Incident) -> Iterator[str]:
    yield f"# {inline(incident.number)}: {inline(incident.title)}"
    yield ""
    if incident.drill:
        yield "- **Drill:** yes, nothing was really broken"
    if incident.private:
        yield "- **Private:** share with the people involved only"
    yield f"- **Severity:** {incident.severity.value}"
    yield f"- **Status:** {incident.status.value}"
    for label, value in (
        ("Service", incident.service),
        ("Region", incident.region),
        ("Impact", incident.impact),
        ("Tenants", incident.tenants),
    ):
        yield f"- **{label}:** {inline(value) or UNKNOWN}"
    yield f"- **Incident commander:** {inline(incident.lead.name) if incident.lead else UNKNOWN}"
    for role, person in sorted(incident.roles.items()):
        if role != Role.LEAD:
            yield f"- **{inline(role.replace('_', ' ').capitalize())}:** {inline(person.name)}"
    yield f"- **Declared by:** {inline(incident.declared_by.name)}"
    for label, value in (
        ("Kind", "" if incident.kind == "operational" else incident.kind),
        ("Summary", incident.summary),
        ("Correlation id", incident.correlation_id),
        ("Trace id", incident.trace_id),
        ("Error code", incident.error_code),
        ("Resource name", incident.resource_name),
        ("Host role", incident.host_role),
        ("Runbook", incident.runbook_id),
        ("Channel", incident.channel_name),
    ):
        if value:
            yield f"- **{label}:** {inline(value)}"
    yield ""


def _milestones(moments: Milestones) -> Iterator[str]:
    yield "## Milestones"
    yield ""
    yield from table(
        ("Milestone", "Time (UTC)"),
        (
            (label, _moment(moment))
            for label, moment in (
                ("Started", moments.started),
                ("Detected", moments.detected),
                ("Declared", moments.declared),
                ("Acknowledged", moments.acknowledged),
                ("Mitigated", moments.mitigated),
                ("Resolved", moments.resolved),
                ("Closed", moments.closed),
            )
        ),
    )
    yield ""
    for label, seconds in (
        ("Time to detect", moments.time_to_detect),
        ("Time to acknowledge", moments.time_to_acknowledge),
        ("Time to mitigate", moments.time_to_mitigate),
        ("Time to resolve", moments.time_to_resolve),
    ):
        if seconds is not None:
            yield f"- **{label}:** {duration(seconds)}"
    yield ""


def _alerts(alerts: tuple[AlertRow, ...]) -> Iterator[str]:
    if not alerts:
        return
    yield "## Alerts"
    yield ""
    yield from table(
        ("Alert", "Status", "Started (UTC)", "Ended (UTC)", "Value", "Labels"),
        (
            (
                inline(alert.name),
                inline(alert.status),
                _moment(alert.starts_at),
                _moment(alert.ends_at),
                inline(alert.value),
                inline(", ".join(f"{name}={value}" for name, value in sorted(alert.labels.items()))),
            )
            for alert in alerts
        ),
    )
    yield ""


def _timeline(events: tuple[Event, ...]) -> Iterator[str]:
    superseded = {old: event.seq for event in events if isinstance(old := event.data.get("supersedes"), int)}
    yield "## Timeline"
    yield ""
    yield from table(
        ("Seq", "Occurred (UTC)", "Kind", "Who", "What", "Note"),
        (
            (
                str(event.seq),
                utc(event.occurred_at),
                inline(event.kind),
                inline(event.actor.name or event.actor.id),
                inline(event.text),
                _note(event, superseded.get(event.seq)),
            )
            for event in sorted(events, key=lambda event: (event.occurred_at, event.seq))
        ),
    )
    yield ""


def _note(event: Event, later: int | None) -> str:
    notes = [] if later is None else [f"superseded by line {later}"]
    author = event.data.get("author")
    if isinstance(author, Mapping) and author.get("id") != event.actor.id:  # who said it is not who noted it
        notes.append(f"said by {inline(str(author.get('name') or author.get('id') or 'somebody'))}")
    if event.recorded_at - event.occurred_at > RECORDED_LATER:
        notes.append(f"recorded later, at {utc(event.recorded_at)}")
    if event.source:
        notes.append(inline(event.source))
    if command := event.data.get("command"):  # the trace of an intervention (seed 001)
        notes.append(f"ran: {inline(clip(str(command), COMMAND))}")
    return "; ".join(notes)


def _action_items(events: tuple[Event, ...]) -> Iterator[str]:
    yield "## Action items"
    yield ""
    items = follow_ups(events)
    if items:
        yield from table(
            CORRECTIVE,
            (
                (
                    inline(item.text),
                    inline(item.owner) or "nobody yet",
                    inline(item.due) or "not set",
                    f"done {utc(item.done_at)}" if item.done_at else "open",
                )
                for item in items
            ),
        )
    else:
        yield "None were noted during the incident."
    yield ""


def _analysis(moments: Milestones) -> Iterator[str]:
    yield "## Retrospective"
    yield ""
    due = moments.retrospective_due
    yield (
        f"Due by {due.isoformat()}, five business days after the resolution (public holidays are not counted out)."
        if due
        else "Due five business days after the resolution; the incident is not resolved yet."
    )
    yield ""
    for heading in ANALYSIS:
        yield f"### {heading}"
        yield ""
    yield "### Corrective actions"
    yield ""
    yield from table(CORRECTIVE, (("", "", "", ""),))


def _moment(moment: datetime | None) -> str:
    return "" if moment is None else utc(moment)


def duration(seconds: int) -> str:
    """Write whole seconds as humans say them, such as `1 h 05 min 09 s`."""
    minutes, rest = divmod(seconds, 60)
    hours, minutes = divmod(minutes, 60)
    if hours:
        return f"{hours} h {minutes:02} min {rest:02} s"
    return f"{minutes} min {rest:02} s" if minutes else f"{rest} s"

"""The export for humans: Markdown that becomes the postmortem."""

from __future__ import annotations

from collections.abc import Collection, Iterator, Sequence
from datetime import UTC, datetime, timedelta

from bot.incidents.cadence import spell
from bot.incidents.model import Event, Incident, Role
from bot.incidents.policy import Policy, Severity
from bot.timeline import history
from bot.timeline.dossier import AlertRow, Dossier, Rendered, filename
from bot.timeline.entries import clock, entry, field
from bot.timeline.escape import at_start, block, cell, strict, table, title
from bot.timeline.followups import follow_ups
from bot.timeline.milestones import Milestones, earlier_rounds, milestones
from bot.timeline.words import Names, deletions, shown

UNKNOWN = "not recorded"
# Seeds 001 ("Audit And Postmortem") and 004 (5.4): what a report has to hold; people write it, not the bot.
ANALYSIS = ("Contributing factors", "What went well", "What went poorly", "Lessons")
CORRECTIVE = ("Action", "Owner", "Due date", "Status")


def render_markdown(dossier: Dossier) -> Rendered:
    """Render as Markdown: events by the time they occurred, all times in UTC and to the minute."""
    moments = milestones(dossier.incident, dossier.events)
    names = Names(dossier.incident, dossier.events)
    end, resolution = moments.resolved or moments.closed, history.resolution(dossier.events)
    lines = [
        *_head(dossier.incident, names),
        *_what_happened(dossier.incident, resolution),
        *_milestones(moments, earlier_rounds(dossier.events)),
        *_severities(history.severities(dossier.incident, dossier.events, names, end), dossier.incident.policy),
        *_alerts(dossier.alerts),
        *_pages(history.pages(dossier.events, names)),
        *_updates(dossier, names, end),
        *_timeline(dossier.events, names, resolution.lines),
        *_participants(history.participants(dossier.incident, dossier.events, names)),
        *_action_items(dossier.events),
        *_analysis(moments),
    ]
    return Rendered(
        content=("\n".join(lines).rstrip("\n") + "\n").encode(),
        content_type="text/markdown; charset=utf-8",
        filename=filename(dossier.incident.number, "md"),
    )


def _head(incident: Incident, names: Names) -> Iterator[str]:
    yield f"# {title(f'{incident.number}: {incident.title}')}"
    yield ""
    if incident.drill:
        yield "- **Drill:** yes, no real outage"
    if incident.private:
        yield "- **Private:** share with the people involved only"
    yield from field("Severity", incident.policy.with_level(incident.severity))
    yield f"- **Status:** {incident.status.value}"
    for label, value in (
        ("Service", incident.service),
        ("Region", incident.region),
        ("Impact", incident.impact),
        ("Tenants", incident.tenants),
    ):
        yield from field(label, value or UNKNOWN)
    lead = incident.lead
    yield from field("Incident commander", names.of(lead.id, lead.name) if lead else UNKNOWN)
    for role, person in sorted(incident.roles.items()):
        if role != Role.LEAD:
            yield from field(history.role_name(role), names.of(person.id, person.name))
    yield from field("Declared by", names.actor(incident.declared_by))
    for label, value in (
        ("Kind", "" if incident.kind == "operational" else incident.kind),
        ("Correlation id", incident.correlation_id),
        ("Trace id", incident.trace_id),
        ("Error code", incident.error_code),
        ("Resource name", incident.resource_name),
        ("Host role", incident.host_role),
        ("Runbook", incident.runbook_id),
        ("Channel", f"#{incident.channel_name}" if incident.channel_name else ""),
    ):
        if value.strip():
            yield from field(label, value)
    yield ""


def _what_happened(incident: Incident, resolution: history.Resolution) -> Iterator[str]:
    for heading, texts in (
        ("## Summary", (incident.summary,)),
        ("### Root cause", resolution.causes),
        ("### Fix", resolution.fixes),
    ):
        yield heading
        yield ""
        written = [lines for text in texts if (lines := block(text))]
        if written and resolution.reopened and heading != "## Summary":
            yield f"As recorded before the incident was reopened at {clock(resolution.reopened)}:"
            yield ""
        for lines in written or [[f"{UNKNOWN.capitalize()}."]]:
            yield from lines
            yield ""


def _milestones(moments: Milestones, earlier: Sequence[tuple[str, datetime]]) -> Iterator[str]:
    yield "## Milestones"
    yield ""
    yield from table(
        ("Milestone", "Time (UTC)"),
        (
            (label, _stamp(moment))
            for label, moment in (
                ("Started", moments.started),
                ("Detected", moments.detected),
                ("Declared", moments.declared),
                ("Acknowledged", moments.acknowledged),
                *((kind.capitalize(), moment) for kind, moment in earlier),
                *(
                    (label, moment)
                    for label, moment in (
                        ("Mitigated", moments.mitigated),
                        ("Resolved", moments.resolved),
                        ("Closed", moments.closed),
                    )
                    if (label.lower(), moment) not in earlier  # an incident may keep a moment from before
                ),
            )
            if moment
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


def _level(recorded: str, policy: Policy) -> str:
    """Name a severity as it was recorded: by the company's name, with its level; what is none stays as it is."""
    return policy.with_level(Severity(recorded)) if recorded in set(Severity) else recorded


def _severities(ratings: Sequence[history.Rating], policy: Policy) -> Iterator[str]:
    if not ratings:
        return
    yield "## Severity over time"
    yield ""
    yield from table(
        ("Severity", "From (UTC)", "For", "By", "Why"),
        (
            (
                cell(_level(rating.severity, policy)),
                _stamp(rating.since),
                spell(max((rating.until - rating.since).total_seconds(), 0)) if rating.until else "ongoing",
                cell(rating.by),
                cell(rating.why),
            )
            for rating in ratings
        ),
    )
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
                cell(alert.name),
                cell(alert.status),
                _stamp(alert.starts_at),
                _stamp(alert.ends_at),
                cell(alert.value),
                cell(", ".join(f"{name}={value}" for name, value in sorted(alert.labels.items()))),
            )
            for alert in alerts
        ),
    )
    yield ""


def _pages(pages: Sequence[history.Page]) -> Iterator[str]:
    if not pages:
        return
    yield "## Pages"
    yield ""
    yield from table(
        ("Paged (UTC)", "Whom", "Why", "Reached", "Answered"),
        (
            (
                _stamp(page.at),
                cell(page.whom),
                cell(page.why),
                cell("; ".join(f"{who} {clock(at)}" for at, who in page.reached)) or "nobody",
                _answer(page),
            )
            for page in pages
        ),
    )
    yield ""


def _answer(page: history.Page) -> str:
    if page.answered is None:
        return "no answer"
    at, who = page.answered
    return f"{cell(who)} {clock(at)}, after {spell((at - page.at).total_seconds())}"


def _updates(dossier: Dossier, names: Names, end: datetime | None) -> Iterator[str]:
    found, missing = history.updates(dossier.incident, dossier.events, names), history.overdue(dossier.events)
    if not found and missing is None:
        return
    yield "## Gaps between updates"
    yield ""
    if found:
        yield from table(
            ("Update (UTC)", "By", "Gap", "Note"),
            (
                (
                    _stamp(update.at),
                    cell(update.by),
                    spell(update.gap),
                    "; ".join(
                        note
                        for note in (
                            f"overdue since {clock(update.due_at)}" if update.due_at else "",
                            "no change" if update.is_no_change else "",
                        )
                        if note
                    ),
                )
                for update in found
            ),
        )
        yield ""
        longest = max(found, key=lambda update: update.gap)
        begin = longest.at - timedelta(seconds=longest.gap)
        yield f"The longest gap was {spell(longest.gap)}, from {clock(begin)} to {clock(longest.at)}."
    else:
        yield "No update was posted."
    if missing:
        until = f" until the end at {clock(end)}" if end and end > missing else ""
        yield f"An update was overdue from {clock(missing)}{until}."
    yield ""


def _timeline(events: tuple[Event, ...], names: Names, told: Collection[int]) -> Iterator[str]:
    yield "## Timeline"
    yield ""
    yield "All times are UTC. The JSON and CSV exports list every event, deliveries included."
    yield ""
    deleted = deletions(events)
    day = ""
    for event in shown(events):
        if (today := f"{event.occurred_at.astimezone(UTC):%Y-%m-%d}") != day:
            yield from ([""] if day else [])
            day = today
            yield f"### {day}"
            yield ""
        yield from entry(event, names, was_deleted=event.seq in deleted, is_told=event.seq in told)
    yield ""


def _participants(people: Sequence[history.Participant]) -> Iterator[str]:
    yield "## Participants"
    yield ""
    for one in people:
        roles = f" ({', '.join(role.lower() for role in one.roles)})" if one.roles else ""
        seen = f": {clock(one.first)} to {clock(one.last)}" if one.first and one.last else ""
        yield f"- {at_start(strict(one.name)) or UNKNOWN}{roles}{seen}"
    if not people:
        yield "Nobody took part."
    yield ""


def _action_items(events: tuple[Event, ...]) -> Iterator[str]:
    yield "## Action items"
    yield ""
    items = follow_ups(events)
    if items:
        yield from table(
            CORRECTIVE,
            (
                (
                    cell(item.text),
                    cell(item.owner) or "nobody yet",
                    cell(item.due) or "not set",
                    f"done {_stamp(item.done_at)}" if item.done_at else "open",
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
        f"Due by {due.isoformat()}, five business days after the resolution (public holidays not considered)."
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


def _stamp(moment: datetime | None) -> str:
    """Write a moment to the minute, with its day."""
    return f"{moment.astimezone(UTC):%Y-%m-%d %H:%M}" if moment else ""


def duration(seconds: int) -> str:
    """Write whole seconds as humans say them, such as `1 h 05 min 09 s`."""
    minutes, rest = divmod(seconds, 60)
    hours, minutes = divmod(minutes, 60)
    if hours:
        return f"{hours} h {minutes:02} min {rest:02} s"
    return f"{minutes} min {rest:02} s" if minutes else f"{rest} s"

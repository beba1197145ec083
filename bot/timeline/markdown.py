"""The export for humans: Markdown that becomes the postmortem."""

from __future__ import annotations

from collections.abc import Callable, Collection, Iterator, Sequence
from datetime import UTC, datetime, timedelta

from bot.incidents.cadence import spell
from bot.incidents.model import Event, Incident, Role, Task
from bot.incidents.policy import Policy, Severity
from bot.timeline import history
from bot.timeline.dossier import AlertRow, Dossier, Rendered, filename
from bot.timeline.entries import clock, entry, field, stamp
from bot.timeline.escape import at_start, block, cell, strict, table, title
from bot.timeline.followups import follow_ups
from bot.timeline.milestones import Milestones, earlier_rounds, later_acknowledgements, milestones
from bot.timeline.words import Names, deletions, shown

UNKNOWN = "not recorded"
# Seeds 001 ("Audit And Postmortem") and 004 (5.4): what a report has to hold; people write it, not the bot.
ANALYSIS = ("Contributing factors", "What went well", "What went poorly", "Lessons")
ITEMS = ("Action", "Kind", "Owner", "Due date", "Status")
NOBODY, NOT_SET = "nobody yet", "not set"
OCCURRENCES = 20  # of one alert; the JSON export has all
CORRECTIVE = ("Action", "Owner", "Due date", "Status")


def render_markdown(dossier: Dossier) -> Rendered:
    """Render as Markdown: events by the time they occurred, all times in UTC and to the minute."""
    moments = milestones(dossier.incident, dossier.events)
    names = Names(dossier.incident, dossier.events)
    end, resolution = moments.resolved or moments.closed, history.resolution(dossier.events)
    time = _time(dossier)
    lines = [
        *_head(dossier.incident, names),
        *_what_happened(dossier.incident, resolution, time),
        *_milestones(moments, dossier.events),
        *_severities(
            history.severities(dossier.incident, dossier.events, names, end), dossier.incident.policy, moments
        ),
        *_alerts(dossier.alerts),
        *_pages(history.pages(dossier.events, names)),
        *_updates(dossier, names, end, time),
        *_timeline(dossier.events, names, resolution.lines),
        *_participants(history.participants(dossier.incident, dossier.events, names), time),
        *_action_items(dossier.events, dossier.incident.tasks, names),
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


def _time(dossier: Dossier) -> Callable[[datetime], str]:
    """Return how to write a moment that stands alone: with its day where the incident spans several days in UTC."""
    incident = dossier.incident
    moments = (incident.declared_at, incident.resolved_at, *(e.occurred_at for e in dossier.events if _counts(e)))
    return clock if len({moment.astimezone(UTC).date() for moment in moments if moment}) == 1 else stamp


def _counts(event: Event) -> bool:
    """Return True for what is part of the incident; an export may be made at any later time."""
    return event.kind != "exported"


def _what_happened(
    incident: Incident, resolution: history.Resolution, time: Callable[[datetime], str]
) -> Iterator[str]:
    for heading, texts in (
        ("## Summary", (incident.summary,)),
        ("### Root cause", resolution.causes),
        ("### Fix", resolution.fixes),
    ):
        yield heading
        yield ""
        written = [lines for text in texts if (lines := block(text))]
        if written and resolution.reopened and heading != "## Summary":
            yield f"As recorded before the incident was reopened at {time(resolution.reopened)}:"
            yield ""
        for lines in written or [[f"{UNKNOWN.capitalize()}."]]:
            yield from lines
            yield ""


def _milestones(moments: Milestones, events: Sequence[Event]) -> Iterator[str]:
    yield "## Milestones"
    yield ""
    earlier = earlier_rounds(events)
    again = [moment for moment in later_acknowledgements(events) if moment != moments.acknowledged]
    rows = [
        ("Started", moments.started),
        ("Detected", moments.detected),
        ("Declared", moments.declared),
        ("Acknowledged", moments.acknowledged),
        *((kind.capitalize(), moment) for kind, moment in earlier),
        *(("Acknowledged", moment) for moment in again),
        *(
            (label, moment)
            for label, moment in (
                ("Mitigated", moments.mitigated),
                ("Resolved", moments.resolved),
                ("Closed", moments.closed),
            )
            if (label.lower(), moment) not in earlier  # an incident may keep a moment from before
        ),
    ]
    happened = sorted(((label, moment) for label, moment in rows if moment), key=lambda row: row[1])
    yield from table(("Milestone", "Time (UTC)"), ((label, stamp(moment)) for label, moment in happened))
    yield ""
    begin = moments.started or moments.declared
    for label, seconds, over in (
        ("Time to detect", moments.time_to_detect, 0),
        (
            "Time to acknowledge",
            moments.time_to_acknowledge,
            moments.seconds_over(moments.declared, moments.acknowledged),
        ),
        ("Time to mitigate", moments.time_to_mitigate, moments.seconds_over(begin, moments.mitigated)),
        ("Time to resolve", moments.time_to_resolve, moments.seconds_over(begin, moments.resolved)),
    ):
        if seconds is not None:
            closed = f", of which closed: {duration(over)}" if over else ""
            yield f"- **{label}:** {duration(seconds)}{closed}"
    yield ""


def _level(recorded: str, policy: Policy) -> str:
    """Name a severity as it was recorded: by the company's name, with its level; what is none stays as it is."""
    return policy.with_level(Severity(recorded)) if recorded in set(Severity) else recorded


def _severities(ratings: Sequence[history.Rating], policy: Policy, moments: Milestones) -> Iterator[str]:
    if not ratings:
        return
    yield "## Severity over time"
    yield ""
    yield from table(
        ("Severity", "From (UTC)", "For", "By", "Why"),
        (
            (
                cell(_level(rating.severity, policy)),
                stamp(rating.since),
                _lasted(rating, moments),
                cell(rating.by),
                cell(rating.why),
            )
            for rating in ratings
        ),
    )
    yield ""


def _lasted(rating: history.Rating, moments: Milestones) -> str:
    """Say for how long a severity lasted, and for how much of that the incident was over."""
    if rating.until is None:
        return "ongoing"
    over = moments.seconds_over(rating.since, rating.until)
    closed = f", of which closed: {spell(over)}" if over else ""
    return f"{spell((rating.until - rating.since).total_seconds())}{closed}"


def _alerts(alerts: tuple[AlertRow, ...]) -> Iterator[str]:
    if not alerts:
        return
    yield "## Alerts"
    yield ""
    kept, left_out = _first_and_last(alerts)
    yield from table(
        ("Alert", "Status", "Started (UTC)", "Ended (UTC)", "Value", "Labels"),
        (
            (
                cell(alert.name),
                cell(alert.status),
                stamp(alert.starts_at),
                stamp(alert.ends_at),
                cell(alert.value),
                cell(_labels(alert)),
            )
            for alert in kept
        ),
    )
    yield ""
    if left_out:
        yield (
            f"And {left_out} more: of an alert that fired more than {OCCURRENCES} times, the table lists the first "
            f"{OCCURRENCES // 2} and the last {OCCURRENCES // 2}. The JSON export lists all."
        )
        yield ""


def _labels(alert: AlertRow) -> str:
    return ", ".join(f"{name}={value}" for name, value in sorted(alert.labels.items()))


def _first_and_last(alerts: Sequence[AlertRow]) -> tuple[list[AlertRow], int]:
    """Return the alerts without what one that fired very often has in the middle, and how many are left out."""
    times: dict[tuple[str, str], list[int]] = {}
    for index, alert in enumerate(alerts):
        times.setdefault((alert.name, _labels(alert)), []).append(index)
    half = OCCURRENCES // 2
    left_out = {index for found in times.values() if len(found) > OCCURRENCES for index in found[half:-half]}
    return [alert for index, alert in enumerate(alerts) if index not in left_out], len(left_out)


def _pages(pages: Sequence[history.Page]) -> Iterator[str]:
    if not pages:
        return
    yield "## Pages"
    yield ""
    yield from table(
        ("Paged (UTC)", "Whom", "Why", "Reached", "Answered"),
        (
            (
                stamp(page.at),
                cell(page.whom),
                cell(page.why),
                cell("; ".join(f"{who} {clock(at, beside=page.at)}" for at, who in page.reached)) or "nobody",
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
    return f"{cell(who)} {clock(at, beside=page.at)}, after {spell((at - page.at).total_seconds())}"


def _updates(dossier: Dossier, names: Names, end: datetime | None, time: Callable[[datetime], str]) -> Iterator[str]:
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
                    stamp(update.at),
                    cell(update.by),
                    spell(update.gap),
                    "; ".join(
                        note
                        for note in (
                            f"overdue since {clock(update.due_at, beside=update.at)}" if update.due_at else "",
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
        yield f"The longest gap was {spell(longest.gap)}, from {time(begin)} to {time(longest.at)}."
    else:
        yield "No update was posted."
    if missing:
        until = f" until the end at {time(end)}" if end and end > missing else ""
        yield f"An update was overdue from {time(missing)}{until}."
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


def _participants(people: Sequence[history.Participant], time: Callable[[datetime], str]) -> Iterator[str]:
    yield "## Participants"
    yield ""
    for one in people:
        roles = f" ({', '.join(role.lower() for role in one.roles)})" if one.roles else ""
        seen = f": {time(one.first)} to {time(one.last)}" if one.first and one.last else ""
        yield f"- {at_start(strict(one.name)) or UNKNOWN}{roles}{seen}"
    if not people:
        yield "Nobody took part."
    yield ""


def _action_items(events: tuple[Event, ...], tasks: Sequence[Task], names: Names) -> Iterator[str]:
    yield "## Action items"
    yield ""
    rows = [
        *(
            (cell(task.text), "task", cell(names.of(task.owner_id, task.owner)) or NOBODY, NOT_SET, "open")
            for task in tasks
            if task.is_open
        ),
        *(
            (
                cell(item.text),
                "follow-up",
                cell(item.owner) or NOBODY,
                cell(item.due) or NOT_SET,
                f"done {stamp(item.done_at)}" if item.done_at else "open",
            )
            for item in follow_ups(events)
        ),
    ]
    if rows:
        yield from table(ITEMS, rows)
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


def duration(seconds: int) -> str:
    """Write whole seconds as humans say them, such as `1 h 05 min 09 s`."""
    minutes, rest = divmod(seconds, 60)
    hours, minutes = divmod(minutes, 60)
    if hours:
        return f"{hours} h {minutes:02} min {rest:02} s"
    return f"{minutes} min {rest:02} s" if minutes else f"{rest} s"

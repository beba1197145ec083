"""The live card, the announcement and the topic: an incident's state at a glance."""

from __future__ import annotations

from collections.abc import Mapping
from datetime import datetime
from typing import Any

from bot.board import Board
from bot.incidents import alert_text
from bot.incidents.alert_text import ended
from bot.incidents.away import fix_of, what_is_wrong
from bot.incidents.away import sentence as sentence_of
from bot.incidents.cadence import spell
from bot.incidents.model import Alert, Event, Incident, Status, TimerKind
from bot.incidents.moments import clock
from bot.incidents.policy import Severity
from bot.incidents.reconcile import Flag
from bot.incidents.runs import Done, Run
from bot.incidents.subject import common, subject_of
from bot.slack import alert_says
from bot.slack import blocks as b
from bot.slack.mrkdwn import clock_time, date_time, due_time, esc, link, shorten
from bot.store.alerts import Counts, Shown

MARKS = {
    Severity.SEV1: ":red_circle:",
    Severity.SEV2: ":large_orange_circle:",
    Severity.SEV3: ":large_yellow_circle:",
    Severity.SEV4: ":white_circle:",
}
STATUS_MARKS = {
    Status.TRIAGE: ":hourglass_flowing_sand:",
    Status.INVESTIGATING: ":mag:",
    Status.IDENTIFIED: ":bulb:",
    Status.MONITORING: ":eyes:",
    Status.RESOLVED: ":white_check_mark:",
    Status.CLOSED: ":lock:",
    Status.CANCELLED: ":no_entry_sign:",
    Status.MERGED: ":twisted_rightwards_arrows:",
    Status.DECLINED: ":no_entry_sign:",
}
ALERTS_SHOWN = 8
NAMES_SHOWN = 5
GROUPS_SHOWN = 5
MITIGATIONS_SHOWN = 3
NUMBERS_SHOWN = 3
DASHBOARD = ("dashboard_url", "dashboard", "grafana_url")  # the facts that link one
SECTION = 2900  # characters of alerts; Slack takes 3,000 in one block
ACT = 200  # characters of what somebody did
LINK = 600  # characters of an alert's link that is shown


def card(board: Board, next_step: str = "") -> tuple[str, list[b.Block]]:
    """Give the card's notification text and blocks: eight at most. `next_step` is mrkdwn."""
    incident = board.incident
    made = [
        b.header(f"{MARKS[incident.severity]} {incident.number} {incident.severity_name}: {incident.title}"),
        b.fields(_facts(board)),
    ]
    if incident.away is not None:
        made.insert(1, b.section(f":warning: {away(incident)}"))
    alerts = _alerts(board)
    if alerts:
        made.append(b.section(alerts))
    work = _work(board, next_step)
    if work:
        made.append(b.section(work))
    if said := _said(board):
        made.append(b.section(said))
    if board.held_up:
        since, until = (clock_time(incident, moment) for moment in (board.held_up.since, board.held_up.until))
        made.append(
            b.context(f":hourglass: Slack could not be reached from {since} to {until}. Late messages are marked.")
        )
    made.append(b.actions(buttons(incident)))
    return sentence(incident), made


def _said(board: Board) -> str:
    """Return the last update, and what people did lately that no message tells."""
    update = board.incident.last_update
    parts = [f"*Last update*\n{esc(update, 1200)}"] if update else []
    if board.latest:
        parts.append("\n".join(["*Latest*", *(_act(board.incident, event) for event in reversed(board.latest))]))
    return "\n".join(parts)


def _act(incident: Incident, event: Event) -> str:
    who = event.actor.name
    said = esc(shorten(" ".join(event.text.split()), ACT))
    by = "" if who in event.text else f" ({esc(who, 80)})"
    return f"{clock(incident, event.occurred_at)} {said}{by}"


def away(incident: Incident) -> str:
    """Say why an incident goes on outside its channel, and what to do."""
    assert incident.away is not None  # noqa: S101 - asked only then
    what = sentence_of(what_is_wrong(incident.channel_name, incident.away.reason))
    return f"{esc(what, 200)}. {fix_of(incident.away.reason)}, or continue here."


def sentence(incident: Incident) -> str:
    """Say the state in a full sentence, for notifications and screen readers."""
    lead = f"{esc(incident.lead.name, 80)} has the lead" if incident.lead else "Nobody has the lead yet"
    due = f"; next update at {clock_time(incident, incident.next_update_at)}" if incident.next_update_at else ""
    title = ended(esc(incident.title, 200))
    return f"{incident.number}, {incident.severity_name}, is {incident.status.value}: {title} {lead}{due}."


def buttons(incident: Incident) -> list[b.Block]:
    """Return the buttons that make sense in this state, the one that is needed next first."""
    number = incident.number
    more = b.button("More…", "incident_more", number)
    if not incident.status.is_open:
        is_merged = incident.status is Status.MERGED
        label, action = ("Unmerge", "incident_unmerge") if is_merged else ("Reopen", "incident_reopen")
        back = b.button(label, action, number)
        return [back, b.button("Export timeline", "incident_export", number), more]
    wanted = [("Update", "incident_update")]
    if incident.lead is None:
        wanted.insert(0, ("Take lead", "incident_lead"))
    if incident.acknowledged_at is None:
        wanted.insert(0, ("Acknowledge", "incident_ack"))
    elif incident.rule.update_every and incident.last_update:
        wanted.append((no_change(incident), "incident_same"))
    if incident.lead is not None:
        wanted.append(("Take lead", "incident_lead"))
    first, *rest = wanted
    made = [b.button(*first, number, "primary"), *(b.button(*each, number) for each in rest)]
    return [*made, b.button("Resolve", "incident_resolve", number, "danger"), more]


def no_change(incident: Incident) -> str:
    """Label the button that says that nothing has changed."""
    every = incident.regular_every
    return f"No change, +{spell(every)}" if every else "No change"


def announcement(board: Board) -> tuple[str, list[b.Block]]:
    """Give the announcement: one message in the announcements channel, edited in place."""
    incident = board.incident
    where = f" in <#{incident.channel_id}>" if incident.channel_id else ""
    lead = f"<@{incident.lead.id}>" if incident.lead else "nobody yet"
    lines = [
        f"{state_of(incident)}: {esc(incident.title, 300)}{where}",
        f"Lead: {lead}  |  Impact: {alert_says.impact(incident, 300)}",
    ]
    if incident.next_update_at:
        lines.append(f"Next update: {next_update(incident)}")
    if incident.resolved_at:
        lines.append(f"Resolved: {date_time(incident.resolved_at)}")
    if incident.last_update:
        lines.append(f"Last update: {esc(incident.last_update, 600)}")
    return sentence(incident), [b.section("\n".join(lines))]


def state_of(incident: Incident) -> str:
    """Name an incident with its severity and status, each by word and emoji."""
    severity = f"{MARKS[incident.severity]} *{incident.number}* {incident.severity_name}"
    return f"{severity} {STATUS_MARKS[incident.status]} *{incident.status.value}*"


def topic(incident: Incident) -> str:
    """Give the channel's topic."""
    lead = esc(incident.lead.name, 60) if incident.lead else "none yet"
    state = f"{incident.severity_name} {incident.status.value} | lead: {lead} | "
    return state + esc(incident.title, 250 - len(state))


def next_page(incident: Incident) -> str:
    """Say who is paged next, when, and what keeps that from happening."""
    if incident.drill:
        return "None: this is a test"
    if not incident.rule.ladder:
        key = f"`severities.{incident.rule.key or incident.severity.value}.ladder`"
        # Unless told otherwise, the severities with a channel climb the ladder called "default".
        return f"None: no ladder. Set {f'`ladders.default` or {key}' if incident.rule.channel else key}"
    if not incident.status.is_open:
        return "None"
    climb = next((t for t in incident.timers if t.kind is TimerKind.UPDATE_CLIMB), None)
    above = incident.ladder_level + 1
    timer = incident.next_page
    if climb is not None and above <= len(incident.rule.ladder) and (timer is None or climb.due_at <= timer.due_at):
        name = esc(incident.rule.ladder[above - 1].name)
        return f"{name} at {due_time(incident, climb.due_at)}, unless an update is posted"
    if incident.acknowledged_at:
        who = incident.acknowledged_by.name if incident.acknowledged_by else "somebody"
        return f"None ({esc(who, 80)} acknowledged, {clock_time(incident, incident.acknowledged_at)})"
    if timer is None or timer.level > len(incident.rule.ladder):
        return "None: everyone on the ladder is paged"
    level = incident.rule.ladder[timer.level - 1]
    return f"{esc(level.name)} at {due_time(incident, timer.due_at)}, unless acknowledged"


def next_update(incident: Incident) -> str:
    """Say when the next update is due."""
    if incident.paused_until:
        return f"Paused until {due_time(incident, incident.paused_until)}"
    if incident.next_update_at:
        due = due_time(incident, incident.next_update_at)
        return f":warning: Overdue since {due}" if incident.update_is_overdue else due
    return "None" if not incident.status.is_open else f"No cadence for {incident.severity_name}"


def _facts(board: Board) -> list[tuple[str, str]]:
    incident = board.incident
    started = incident.started_at or incident.declared_at
    facts = [
        ("Status", f"{STATUS_MARKS[incident.status]} {incident.status.value.capitalize()}"),
        ("Severity", f"{MARKS[incident.severity]} {incident.severity_name}"),
        ("Impact", esc(incident.impact, 500) or "Not stated yet: press Update"),
        ("Lead", _lead(incident)),
        ("Started", date_time(started)),
        ("Next update", next_update(incident)),
        ("Next page", next_page(incident)),
    ]
    of_one = board.alerts and not incident.heard.of_all  # a storm is about none of its alerts alone
    about = common(subject_of(shown.alert) for shown in board.alerts).place if of_one else ""
    if incident.service:
        facts.append(("Service", esc(incident.service, 200)))
    if about and about != incident.service:
        facts.append(("About", esc(about, 200)))
    tenants = incident.tenants or board.fact("tenant", "tenant_id", "customer")
    if tenants:
        facts.append(("Tenants", esc(tenants, 200)))
    pagerduty = _pagerduty(board)
    if pagerduty:
        facts.append(("PagerDuty", pagerduty))
    return facts


def _lead(incident: Incident) -> str:
    return f"<@{incident.lead.id}>" if incident.lead else "Nobody yet: press Take lead"


def _pagerduty(board: Board) -> str:
    told = [g.data for g in board.groups if g.data.get("status")]
    states = [link(data.get("url", ""), data["status"]) for data in told[:GROUPS_SHOWN]]
    return ", ".join(states) + _more(len(told) - GROUPS_SHOWN)


def _alerts(board: Board) -> str:
    if not board.alerts:
        return ""
    counts = board.counts
    groups = f" in {counts.groups:,} groups" if counts.groups > 1 else ""
    lines = [f"*Alerts*: {counts.firing:,} firing, {counts.resolved:,} resolved{groups}"]
    if counts.total > ALERTS_SHOWN and counts.names:
        lines.append(most(counts))
    text = alert_says.says(board)
    lines += [*([text] if text else []), *alert_says.broken(shown.alert for shown in board.alerts), *_notes(board)]
    named = board.alerts[:ALERTS_SHOWN]
    told = [_line(shown) for shown in named]
    room = SECTION - sum(len(line) + 1 for line in (*lines, *told))
    for shown, line in zip(named, told, strict=True):
        links = alert_links(shown, board.fact(*DASHBOARD))
        fits = bool(links) and len(links) + 2 <= room
        room -= len(links) + 2 if fits else 0
        lines.append(f"{line}  {links}" if fits else line)
    hidden = counts.total - ALERTS_SHOWN
    if hidden > 0:
        lines.append(f"and {hidden:,} more")
    return "\n".join(lines)


def alert_links(shown: Shown, dashboard: str = "") -> str:
    """Return the links that Grafana gives with an alert; `dashboard` is linked elsewhere in the message already."""
    own = shown.alert.fact(*DASHBOARD)
    found = [
        ("" if own == dashboard else own, "Dashboard"),
        (shown.alert.fact("panel_url"), "Panel"),
        (shown.alert.fact("silence_url") if shown.firing else "", "Silence"),
    ]
    made = [link(url, label) for url, label in found if url.startswith(("http://", "https://")) and len(url) <= LINK]
    return " | ".join(each for each in made if each.startswith("<"))


def most(counts: Counts) -> str:
    """Say which alerts fire most."""
    named = ", ".join(f"{esc(name, 80)} {count:,}" for name, count in counts.names[:NAMES_SHOWN])
    more = len(counts.names) - NAMES_SHOWN
    return f"Most: {named}" + (f" and {more:,} more names" if more > 0 else "")


def _notes(board: Board) -> list[str]:
    """Say what else is to be known of the alerts: those that their source kept back, and those that flap."""
    lines = []
    left_out = sum(int(g.data.get("truncated") or 0) for g in board.groups)
    if left_out:
        what = "alert" if left_out == 1 else "alerts"
        lines.append(f"Alertmanager left out {left_out:,} more {what}: open Alertmanager to see all")
    flapping = [g.data["flapping"] for g in board.groups if g.data.get("flapping")]
    if flapping:
        named = ", ".join(dict.fromkeys(esc(str(f["name"]), 80) for f in flapping[-GROUPS_SHOWN:]))
        last = max(datetime.fromisoformat(f["at"]) for f in flapping)
        more = _more(len(flapping) - GROUPS_SHOWN)
        lines.append(f":repeat: Flapping: {named}{more}; last changed {clock_time(board.incident, last)}")
    hold = next((t for t in board.incident.timers if t.kind is TimerKind.FLAP_HOLD), None)
    if hold is not None:
        lines.append(f":warning: Firing again: reopens at {due_time(board.incident, hold.due_at)} if still firing")
    return lines


def _more(count: int) -> str:
    return f" and {count:,} more" if count > 0 else ""


def _line(shown: Shown) -> str:
    mark, state = _standing(shown)
    return f"{mark} {esc(alert_text.called(shown.alert), 120)} {state}{_detail(shown.alert)}"


def _standing(shown: Shown) -> tuple[str, str]:
    if shown.firing and shown.flag is Flag.MISSED:
        return ":grey_question:", "no longer reported by its source, never resolved"
    if not shown.firing and shown.flag is Flag.STILL:
        return ":grey_question:", "resolved here, still firing at its source"
    return (":fire:", "firing") if shown.firing else (":white_check_mark:", "resolved")


def _detail(alert: Alert) -> str:
    subject = subject_of(alert)
    named = [
        ("severity", alert.labels.get("severity") or alert.labels.get("priority") or alert.labels.get("urgency", "")),
        ("service", subject.service),
        ("workload", subject.workload),
        ("region", subject.region or subject.cluster or alert.fact("zone")),
        ("pod", subject.pod),
        ("node", f"{subject.node}, {subject.mountpoint}" if subject.mountpoint else subject.node),
        ("target", subject.target),
        ("instance", "" if subject.pod or subject.node else subject.instance),
        ("metric", alert.fact("metric", "primary_metric")),
        ("threshold", alert.fact("threshold")),
        ("value", alert_text.value(alert)),
    ]
    shown = ", ".join(f"{name} {esc(value, 80)}" for name, value in named if value)
    return f" ({shown})" if shown else ""


def _work(board: Board, next_step: str) -> str:
    """Say where to look, how far the runbook has come, and what is to be taken back."""
    incident, run = board.incident, board.incident.run
    lines = [line for line in [_links(board)] if line]
    if run is not None:
        lines.append(f":book: Runbook `{esc(run.book)}`: {counted(run)}" + (f" Next: {next_step}" if next_step else ""))
    elif incident.runbook_id:
        lines.append(f":book: Runbook `{esc(incident.runbook_id)}`")
    for made in incident.mitigations[:MITIGATIONS_SHOWN]:
        due = due_time(incident, made.due_at)
        when = f":warning: rollback was due at {due}" if incident.is_late(made) else f"roll back by {due}"
        said = f"{esc(made.text, 150)} ({esc(made.name, 80)})"
        lines.append(f":leftwards_arrow_with_hook: *In place*: {said}: {when}")
    more = len(incident.mitigations) - MITIGATIONS_SHOWN
    return "\n".join([*lines, *([f"More changes in place: {more}"] if more > 0 else [])])


def counted(run: Run) -> str:
    """Say how far a runbook has come."""
    skipped = run.count(Done.SKIPPED)
    return f"{run.count(Done.DONE)} of {run.total} done{f', {skipped} skipped' if skipped else ''}."


def _bridge(kept: Mapping[str, Any] | None) -> str:
    """Say where responders meet; empty where nowhere is known."""
    if not kept:
        return ""
    numbers = ", ".join(esc(number, 80) for number in kept["numbers"][:NUMBERS_SHOWN])
    where = link(kept["url"], "Conference bridge") if kept["url"] else "Conference bridge" if numbers else ""
    return f":telephone_receiver: {where}{': ' + numbers if numbers else ''}" if where else ""


def _links(board: Board) -> str:
    found = [
        (board.fact(*DASHBOARD), "Dashboard"),
        (board.fact("runbook_url", "runbook"), "Runbook"),
        (next((s.alert.url for s in board.alerts if s.alert.url), ""), "Source"),
    ]
    links = [link(url, label) for url, label in found if url.startswith(("http://", "https://"))]
    met = [group.data for group in board.groups if group.data.get("bridge")]
    newest = max(met, key=lambda data: str(data.get("bridge_at")), default={})
    links += [said] if (said := _bridge(newest.get("bridge"))) else []
    return "  |  ".join(links)

"""A catch-up for whoever joins late: the state, what happened, who does what, what comes next. Deterministic."""

from __future__ import annotations

from bot.board import Board
from bot.incidents.model import Event, Incident, Role
from bot.incidents.moments import clock, in_time
from bot.incidents.people import word_of
from bot.incidents.runs import Run
from bot.slack import alert_says
from bot.slack import blocks as b
from bot.slack.card import counted, next_page, next_update, sentence
from bot.slack.messages import QUIET_KINDS, Message
from bot.slack.mrkdwn import clock_time, due_time, esc

LINES = 8  # of what happened
TASKS = 5


def catch_up(board: Board) -> Message:
    """Say what has been missed."""
    incident = board.incident
    told = [event for event in board.events if event.kind not in QUIET_KINDS]
    lines = [_line(incident, event) for event in in_time(told[-LINES:])]
    skipped = len(told) - len(lines)
    before = [f"_Earlier lines, not shown: {skipped}_"] if skipped > 0 else []
    news = incident.summary and incident.summary not in {incident.impact, incident.title}
    summary = f"{esc(incident.summary, 600)}\n" if news else ""
    text = alert_says.says(board)
    summary += f"{text}\n" if text else ""
    impact = alert_says.impact(incident, 300)
    state = f"{summary}*Impact*: {impact}\n*Since*: {clock_time(incident, incident.started_at or incident.declared_at)}"
    state += f"\n*Alerts firing*: {board.counts.firing:,}"
    made = [
        b.header(f"Catch-up: {incident.number}"),
        b.section(f"{sentence(incident)}\n{state}"),
        b.section("\n".join(["*What happened* (UTC)", *before, *lines])),
        b.section(f"*Who does what*\n{_people(incident)}"),
        b.section(f"*What comes next*\n{_next(incident)}"),
    ]
    return f"Catch-up. {sentence(incident)}", made


def _line(incident: Incident, event: Event) -> str:
    return f"{clock(incident, event.occurred_at)} {esc(event.actor.name, 40)}: {esc(event.text, 160)}"


def _people(incident: Incident) -> str:
    lines = [
        f"{word_of(Role(role))}: <@{person.id}>" for role, person in sorted(incident.roles.items()) if role in set(Role)
    ]
    if not incident.lead:
        lines.insert(0, "Nobody has the lead")
    open_tasks = [task for task in incident.tasks if task.is_open]
    lines += [
        f"Task {task.id}: {esc(task.text, 120)} ({esc(task.owner, 60) or 'nobody'})" for task in open_tasks[:TASKS]
    ]
    more = len(open_tasks) - TASKS
    return "\n".join([*lines, *([f"More open tasks: {more}"] if more > 0 else [])])


def _next(incident: Incident) -> str:
    lines = [f"Next update: {next_update(incident)}", f"Next page: {next_page(incident)}"]
    run: Run | None = incident.run
    if run is not None:
        step = f", next is step {run.next_step}" if run.next_step else ""
        lines.append(f"Runbook `{esc(run.book)}`: {counted(run)[:-1]}{step}")
    lines += [f"Roll back by {due_time(incident, m.due_at)}: {esc(m.text, 120)}" for m in incident.mitigations[:TASKS]]
    return "\n".join(lines)

"""What is still open in an incident: what its end would end, or leaves behind."""

from __future__ import annotations

from bot.board import Board
from bot.incidents import alert_text
from bot.slack.mrkdwn import due_time, esc

NAMED = 3  # alerts, tasks and changes that are named
LONGEST = 80  # characters of each


def left_open(board: Board) -> list[str]:
    """Return a line each for alerts that fire, open tasks, changes in place and an offered handoff; mrkdwn."""
    incident, firing = board.incident, board.counts.firing
    lines = []
    if firing:
        names = dict.fromkeys(esc(alert_text.called(s.alert), LONGEST) for s in board.alerts if s.firing)
        lines.append(f"*Still firing*: {_count(firing, 'alert')} ({_some(list(names))})")
    tasks = [f"{task.id} {esc(task.text, LONGEST)}" for task in incident.tasks if task.is_open]
    if tasks:
        lines.append(f"*Open*: {_count(len(tasks), 'task')} ({_some(tasks)})")
    changes = [f"{esc(m.text, LONGEST)}, roll back by {due_time(incident, m.due_at)}" for m in incident.mitigations]
    if changes:
        lines.append(f"*In place*: {_count(len(changes), 'change')} ({_some(changes)})")
    if incident.handoff:
        lines.append(f"*Offered*: the handoff to {esc(incident.handoff.to.name, LONGEST)}")
    return lines


def _count(number: int, what: str) -> str:
    return f"{number:,} {what}" if number == 1 else f"{number:,} {what}s"


def _some(names: list[str]) -> str:
    more = len(names) - NAMED
    return "; ".join(names[:NAMED]) + (f"; and {more:,} more" if more > 0 else "")

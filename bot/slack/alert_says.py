"""What an incident's alerts say in words, for its card and for whoever is paged: it follows them, with its time."""

from __future__ import annotations

from collections.abc import Iterable

from bot.board import Board
from bot.incidents import alert_text
from bot.incidents.model import Alert, Incident
from bot.incidents.subject import subject_of
from bot.slack.mrkdwn import clock_time, esc
from bot.store.alerts import Shown

TEXT = 700  # characters of what an alert says
BROKEN_NAMED = 3  # rules


def says(board: Board) -> str:
    """Return what the alerts say as mrkdwn; of alerts that differ, the first that fires, and which one it is."""
    leading = _leading(board)
    if leading is None:
        return ""
    shown, text = leading
    of = _of(board, shown)
    of = f" of {esc(of, 120)}" if of else ""
    return f"*Alert text*{of}, {clock_time(board.incident, shown.told_at)}: {esc(text, TEXT)}"


def plain(board: Board) -> str:
    """Return the same as plain text, for a page in another medium."""
    leading = _leading(board)
    if leading is None:
        return ""
    shown, text = leading
    of = _of(board, shown)
    return f"{text[:TEXT]} ({f'{of}, ' if of else ''}{clock_time(board.incident, shown.told_at)})"


def broken(alerts: Iterable[Alert]) -> list[str]:
    """Return a line for each rule whose annotation is a template that failed."""
    found = {
        f":warning: Fix the rule {esc(alert.name, 80)}: its template of `{esc(name, 40)}` is broken"
        for alert in alerts
        for name in alert_text.broken(alert)
    }
    return sorted(found)[:BROKEN_NAMED]


def impact(incident: Incident, limit: int, otherwise: str = "not stated yet") -> str:
    """Return what people say of the impact, as mrkdwn without a full stop."""
    return alert_text.unstopped(esc(incident.impact, limit)) or otherwise


def _leading(board: Board) -> tuple[Shown, str] | None:
    for shown in board.alerts:
        text = alert_text.description(shown.alert)
        if shown.firing and text and alert_text.line(text) not in board.incident.title:
            return shown, text
    return None


def _of(board: Board, shown: Shown) -> str:
    """Return which alert it is, where others say something else."""
    others = {alert_text.description(other.alert) for other in board.alerts if other.firing}
    if len(others) < 2:
        return ""
    exact = subject_of(shown.alert).exact
    return " on ".join(part for part in (alert_text.called(shown.alert), exact) if part)

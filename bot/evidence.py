"""What an incident's alerts say, for the choice of a runbook and its commands; PagerDuty's with all that it knows."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace

from bot.board import Board
from bot.incidents.model import Alert
from bot.incidents.sources import PAGERDUTY
from bot.runbooks.match import INCIDENT_KEY
from bot.store.alerts import Group

KEPT = "alerts"  # where a PagerDuty incident's facts hold what its alerts say


def evidence(board: Board) -> list[Alert]:
    """Give the alerts of an incident, firing ones first.

    What PagerDuty's alerts say of themselves stands before its incident, whose title and service are of its own making.
    """
    groups = {group.key: group for group in board.groups if group.source == PAGERDUTY}
    found: list[Alert] = []
    for shown in board.alerts:
        alert = shown.alert
        group = groups.get(alert.group_key) if alert.source == PAGERDUTY else None
        if group is not None:
            found += _details(group, alert)
            alert = replace(alert, labels={**alert.labels, INCIDENT_KEY: group.hash})
        found.append(alert)
    return found


def _details(group: Group, alert: Alert) -> Sequence[Alert]:
    kept = group.data.get(KEPT)
    return [
        replace(alert, name=labels.get("alertname") or alert.name, labels=labels, annotations=annotations)
        for labels, annotations in (kept if isinstance(kept, list) else ())
        if labels or annotations
    ]

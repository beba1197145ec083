"""What happens to an inbound notification, inside one transaction: what is news, which rule it meets, what follows."""

from __future__ import annotations

import hashlib
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any

from bot.desk import Desk
from bot.incidents import commands as c
from bot.incidents.intake import News, Rule, Then, Verdict, judge, news, worst_first
from bot.incidents.model import Actor, Alert, Delivery, Incident
from bot.store import alerts, incidents
from bot.store.alerts import Group
from bot.store.tx import Tx
from bot.text import clip

ALERTMANAGER = "alertmanager"
PAGERDUTY = "pagerduty"
TITLE = 200  # characters


@dataclass(frozen=True, slots=True)
class Notification:
    """One Alertmanager notification: a group's alerts, firing and resolved."""

    group_key: str
    firing: tuple[Alert, ...]
    resolved: tuple[Alert, ...]


class Reception:
    """Takes notifications in."""

    def __init__(self, desk: Desk, rules: Sequence[Rule]) -> None:
        self._desk = desk
        self._rules = rules

    def alertmanager(self, tx: Tx, notification: Notification) -> str:
        """Take an Alertmanager notification in; gives what became of it, in a word or two."""
        # Alertmanager's own PagerDuty receiver uses this hash as the dedup key, so both sides of a group can meet.
        hash_ = hashlib.sha256(notification.group_key.encode()).hexdigest()
        group = alerts.group(tx.connection, ALERTMANAGER, notification.group_key, hash_)
        known = alerts.known(tx.connection, group.id)
        fresh = news(notification.firing, notification.resolved, known, tx.now)
        incident = self._open_incident(tx, group) or self._relative(tx, group)
        any_open = any(occurrence.is_open for occurrence in known.values())
        incident_id = incidents.identity(tx.connection, incident.number) if incident else None
        past = "" if incident else self._tell_past(tx, group, fresh.closed)
        changed = self._save(tx, group, fresh, incident_id)
        if incident is not None:
            if fresh.opened or fresh.closed:
                self._desk.apply(tx, incident.number, c.AlertsChanged(fresh.opened, fresh.closed))
                return f"attached to {incident.number}"
            if changed:
                self._desk.refresh(tx, incident.number)
            return f"repeat of {incident.number}"
        if fresh.opened:
            return self._meet_rules(tx, group, fresh.opened, again=any_open)
        if (fresh.closed or changed) and group.data.get("triage"):
            self._refresh_triage(tx, group)
        if past:
            return f"noted on {past}"
        return "recorded" if fresh.closed else "nothing new"

    def attach_pagerduty(self, tx: Tx, group: Group, alert: Alert) -> str:
        """Take a triggered PagerDuty incident in: join the Alertmanager group it stems from, or meet the rules."""
        incident = self._open_incident(tx, group)
        if incident is not None:
            return f"repeat of {incident.number}"
        incident = self._relative(tx, group)
        if incident is not None:
            return f"attached to {incident.number}"
        fresh = news((alert,), (), alerts.known(tx.connection, group.id), tx.now)
        self._save(tx, group, fresh, None)
        if not fresh.opened:
            return "nothing new"
        return self._meet_rules(tx, group, fresh.opened, again=False)

    def raise_pagerduty(self, tx: Tx, group: Group, alert: Alert) -> str:
        """Take a new priority in: one that had no incident yet may deserve one now."""
        known = alerts.known(tx.connection, group.id).get(alert.fingerprint)
        if group.incident_id is not None or known is None or not known.is_open:
            return ""
        alerts.repeat_alert(tx.connection, group.id, alert)
        return self._meet_rules(tx, group, (alert,), again=True)

    def reopen_pagerduty(self, tx: Tx, group: Group, alert: Alert) -> None:
        """Note that a PagerDuty incident that was over is not: its alert fires again."""
        known = alerts.known(tx.connection, group.id).get(alert.fingerprint)
        if known is not None and not known.is_open:
            alerts.open_alert(tx.connection, group.id, group.incident_id, alert, tx.now)
        if group.data.get("triage"):
            self._refresh_triage(tx, group)

    def close_pagerduty(self, tx: Tx, group: Group, moment: datetime) -> None:
        """Note that a PagerDuty incident is over: its alert stops firing."""
        for shown in alerts.firing(alerts.of_group(tx.connection, group.id)):
            ended = Alert(PAGERDUTY, group.key, shown.alert.fingerprint, shown.alert.name, ends_at=moment)
            alerts.close_alert(tx.connection, group.id, ended, tx.now)
        if group.data.get("triage"):
            self._refresh_triage(tx, group)

    def incident_of(self, tx: Tx, group: Group) -> Incident | None:
        """Give the incident that a group belongs or belonged to."""
        if group.incident_id is None:
            return None
        return incidents.load(tx.connection, incidents.number_of(tx.connection, group.incident_id))

    def _open_incident(self, tx: Tx, group: Group) -> Incident | None:
        incident = self.incident_of(tx, group)
        return incident if incident and incident.status.is_open else None

    def _relative(self, tx: Tx, group: Group) -> Incident | None:
        """Find the open incident of the same group at the other source, and join it."""
        for other in alerts.relatives(tx.connection, group.hash, group.source):
            incident = self._open_incident(tx, other)
            if incident is not None:
                alerts.set_group(tx.connection, group.id, incident_id=other.incident_id)
                return incident
        return None

    def _tell_past(self, tx: Tx, group: Group, closed: Sequence[Alert]) -> str:
        """Note on an incident that is over which of its alerts have ended since; gives its number if any have."""
        incident = self.incident_of(tx, group)
        if incident is None or group.incident_id is None:
            return ""
        shown = alerts.firing(alerts.of_incident(tx.connection, group.incident_id))
        its_own = {s.alert.fingerprint for s in shown if s.alert.group_key == group.key}
        ended = tuple(alert for alert in closed if alert.fingerprint in its_own)
        if not ended:
            return ""
        self._desk.apply(tx, incident.number, c.AlertsChanged((), ended))
        return incident.number

    def _save(self, tx: Tx, group: Group, fresh: News, incident_id: int | None) -> bool:
        for alert in fresh.opened:
            alerts.open_alert(tx.connection, group.id, incident_id, alert, tx.now)
        for alert in fresh.closed:
            alerts.close_alert(tx.connection, group.id, alert, tx.now)
        changed = [alerts.repeat_alert(tx.connection, group.id, alert) for alert in fresh.repeated]
        return any(changed)

    def _meet_rules(self, tx: Tx, group: Group, opened: Sequence[Alert], *, again: bool) -> str:
        verdict = judge(opened, self._rules)
        if verdict.then is Then.DECLARE:
            return self._declare(tx, group, verdict, worst_first(opened, self._rules))
        if verdict.then is Then.TRIAGE:
            return self._triage(tx, group, verdict, again=again)
        return "recorded"

    def _declare(self, tx: Tx, group: Group, verdict: Verdict, opened: Sequence[Alert]) -> str:
        lead = opened[0]
        starts = [a.starts_at for a in opened if a.starts_at]
        incident, incident_id = self._desk.declare(
            tx,
            c.Declare(
                number="",
                title=title_of(lead),
                severity=verdict.severity,
                actor=Actor("alert", lead.source, lead.name),
                source=lead.source,
                summary=_first(opened, "summary", "description"),
                impact=_first(opened, "impact", "description", "summary"),
                service=_first(opened, "service", "subsystem", "component", "job"),
                region=_first(opened, "region", "cluster"),
                tenants=", ".join(dict.fromkeys(v for a in opened if (v := a.fact("tenant", "tenant_id", "customer")))),
                correlation_id=_first(opened, "correlation_id"),
                resource_name=_first(opened, "resource_name"),
                host_role=_first(opened, "host_role"),
                alerts=tuple(opened),
                started_at=min(*starts, tx.now) if starts else None,
            ),
        )
        alerts.set_group(tx.connection, group.id, incident_id=incident_id)
        for other in alerts.relatives(tx.connection, group.hash, group.source):
            # The other source told of the same group before, below the bar for an incident, and it still fires.
            still_fires = alerts.firing(alerts.of_group(tx.connection, other.id))
            if still_fires and self._open_incident(tx, other) is None:
                alerts.set_group(tx.connection, other.id, incident_id=incident_id)
        return f"declared {incident.number}"

    def _triage(self, tx: Tx, group: Group, verdict: Verdict, *, again: bool) -> str:
        data = dict(group.data)
        if again and data.get("triage"):
            self._refresh_triage(tx, group)
            return "triage"
        data["triage"] = int(data.get("triage") or 0) + 1
        data["severity"] = verdict.severity.value
        alerts.set_group(tx.connection, group.id, data=data)
        facts = {"group_id": group.id, "severity": verdict.severity.value}
        self._desk.post(tx, _triage_scope(group, data), Delivery("triage", "triage", "triage", facts))
        return "triage"

    def _refresh_triage(self, tx: Tx, group: Group) -> None:
        facts = {"group_id": group.id, "severity": group.data.get("severity", "sev3")}
        self._desk.post(
            tx,
            _triage_scope(group, group.data),
            Delivery("refresh_triage", "refresh_triage", "triage", facts, needs=("triage",), coalesce=True),
        )


def _triage_scope(group: Group, data: Mapping[str, Any]) -> str:
    return f"group:{group.id}:{data.get('triage')}"


def _first(found: Sequence[Alert], *names: str) -> str:
    return next((value for alert in found if (value := alert.fact(*names))), "")


def title_of(alert: Alert) -> str:
    """Name an incident after an alert: `HighErrorRate on checkout: 5xx above 5%`."""
    where = alert.fact("service", "subsystem", "job") if alert.source == ALERTMANAGER else ""
    said = alert.fact("summary", "title")
    title = alert.name + (f" on {where}" if where else "")
    return clip(" ".join((title + (f": {said}" if said and said != alert.name else "")).split()), TITLE)

"""What happens to an inbound notification, inside one transaction: what is news, which rule it meets, what follows."""

from __future__ import annotations

import hashlib
from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass, replace
from datetime import datetime, timedelta

from bot import naming
from bot.desk import Desk
from bot.gate import Gate, Passage
from bot.incidents import commands as c
from bot.incidents.intake import News, Occurrence, Rule, Then, Verdict, judge, news, worst_first
from bot.incidents.model import SYSTEM, Actor, Alert, Delivery, Incident, Status
from bot.incidents.sources import ALERTMANAGER, PAGERDUTY, is_alertmanager
from bot.incidents.storm import Course, FlapPolicy, StormPolicy, flapping
from bot.incidents.triage import Decision, Outcome
from bot.notices import tested
from bot.store import alerts, incidents, triage
from bot.store.alerts import Group
from bot.store.tx import Tx

# An incident that was resolved longer ago than this stays over: what comes back is another one.
COMES_BACK_WITHIN = timedelta(days=1)


@dataclass(frozen=True, slots=True)
class Notification:
    """One Alertmanager notification: a group's alerts, firing and resolved, and how many it has left out.

    `key_hash` is the hash of the whole group key, of which `group_key` may be a short form; empty: of `group_key`.
    `tester` names who tries whether a notification arrives, and `unread` says which alerts could not be read, and why.
    """

    group_key: str
    firing: tuple[Alert, ...]
    resolved: tuple[Alert, ...]
    truncated: int = 0
    source: str = ALERTMANAGER
    key_hash: str = ""
    tester: str = ""
    unread: tuple[str, ...] = ()
    receiver: str = ""


class Reception:
    """Takes notifications in."""

    def __init__(
        self,
        desk: Desk,
        rules: Sequence[Rule],
        storms: StormPolicy = StormPolicy(),  # noqa: B008 - frozen
        flaps: FlapPolicy = FlapPolicy(),  # noqa: B008
    ) -> None:
        self._desk = desk
        self._rules = rules
        self._gate = Gate(storms)
        self._flaps = flaps

    def alertmanager(self, tx: Tx, notification: Notification) -> str:
        """Take an Alertmanager notification in; gives what became of it, in a word or two."""
        # Alertmanager's own PagerDuty receiver uses this hash as the dedup key, so both sides of a group can meet.
        hash_ = notification.key_hash or hashlib.sha256(notification.group_key.encode()).hexdigest()
        group = alerts.group(tx.connection, notification.source, notification.group_key, hash_)
        known = alerts.known(tx.connection, group.id)
        own = self.incident_of(tx, group)
        incident = own if own and own.status.is_open else self._relative(tx, group)
        over = own.resolved_at if own and incident is None else None
        fresh = news(notification.firing, notification.resolved, known, tx.now, over)
        any_open = any(occurrence.is_open for occurrence in known.values())
        incident_id = incidents.identity(tx.connection, incident.number) if incident else None
        ended = () if incident else self._ended(tx, group, fresh.closed)
        changed = self._save(tx, group, fresh, incident_id)
        flaps = self._flapping(tx, group, fresh, known)
        before, group = group, self._keep_facts(tx, group, fresh, flaps, notification.truncated)
        changed = changed or group.data != before.data
        left_out = notification.truncated if not before.data.get("truncated") else 0
        if incident is not None:
            if fresh.opened or fresh.closed or changed:
                self._desk.apply(tx, incident.number, c.AlertsChanged(fresh.opened, fresh.closed, flaps, left_out))
            self._settle(tx, group, incident.number)
            return f"{'attached to' if fresh.opened or fresh.closed else 'repeat of'} {incident.number}"
        past = self._tell_past(tx, group, ended, flaps)
        if fresh.opened:
            return self._meet_rules(tx, group, fresh.opened, again=any_open, flaps=flaps, left_out=left_out)
        if fresh.closed or changed:
            self._desk.refresh_triage(tx, group)
        if past:
            return f"noted on {past}"
        return "recorded" if fresh.closed else "nothing new"

    def tested(self, tx: Tx, notification: Notification) -> str:
        """Say that a notification has arrived which only tries the way; returns what became of it."""
        return tested(tx, self._desk, notification.source, notification.tester)

    def attach_pagerduty(self, tx: Tx, group: Group, alert: Alert, actor: Actor, *, again: bool = False) -> str:
        """Take a triggered PagerDuty incident in: join the Alertmanager group it stems from, or meet the rules.

        `again` says that it has been triggered before; where its incident here is over, that comes back.
        """
        own = self.incident_of(tx, group)
        if own is not None and own.status.is_open:
            return f"repeat of {own.number}"
        incident = self._relative(tx, group)
        if incident is not None:
            self._settle(tx, group, incident.number)
            return f"attached to {incident.number}"
        if own is not None and again:
            why = f"PagerDuty triggered it again: {alert.name}"
            return self._come_back(tx, group, own, c.ComeBack(actor, why, (alert,)))
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
        alerts.repeat_alerts(tx.connection, group.id, (alert,), tx.now)
        return self._meet_rules(tx, group, (alert,), again=True)

    def reopen_pagerduty(self, tx: Tx, group: Group, alert: Alert, actor: Actor, *, fires: bool) -> str:
        """Take in that a PagerDuty incident which was over is not; gives what became of it, or nothing to tell.

        `fires` is False for one that we opened there: it has no alert of its own.
        """
        known = alerts.known(tx.connection, group.id).get(alert.fingerprint)
        own = self.incident_of(tx, group)
        if own is not None and own.status.is_open:
            if known is not None and not known.is_open:
                alerts.open_alerts(tx.connection, group.id, group.incident_id, (alert,), tx.now)
            return ""
        incident = self._relative(tx, group)
        if incident is not None:
            self._settle(tx, group, incident.number)
            return f"attached to {incident.number}"
        if own is not None:
            why = f"it was reopened in PagerDuty: {alert.name}"
            return self._come_back(tx, group, own, c.ComeBack(actor, why, (alert,) if fires else ()))
        return self._begin_anew(tx, group, alert)

    def _come_back(self, tx: Tx, group: Group, over: Incident, back: c.ComeBack) -> str:
        """Reopen the incident of a group, which is over, and page; where it ended long ago or otherwise, open another.

        An incident that was cancelled, declined or merged was none: what comes back is news.
        """
        recent = over.resolved_at is not None and tx.now - over.resolved_at <= COMES_BACK_WITHIN
        if recent and over.status in {Status.RESOLVED, Status.CLOSED}:
            firing = alerts.open_fingerprints(tx.connection, group.id)
            new = [alert for alert in back.alerts if alert.fingerprint not in firing]
            alerts.open_alerts(tx.connection, group.id, group.incident_id, new, tx.now)
            self._desk.apply(tx, over.number, back)
            return f"reopened {over.number}"
        return self._begin_anew(tx, group, back.alerts[0]) if back.alerts else ""

    def _begin_anew(self, tx: Tx, group: Group, alert: Alert) -> str:
        """Have an alert meet the rules as one that begins, even where its last end was never heard of."""
        alerts.close_group(tx.connection, group.id, tx.now, tx.now)
        alerts.open_alerts(tx.connection, group.id, None, (alert,), tx.now)
        return self._meet_rules(tx, group, (alert,), again=False)

    def close_pagerduty(self, tx: Tx, group: Group, moment: datetime) -> None:
        """Note that a PagerDuty incident is over: its alert stops firing."""
        alerts.close_group(tx.connection, group.id, moment, tx.now)
        self._desk.refresh_triage(tx, group)

    def incident_of(self, tx: Tx, group: Group) -> Incident | None:
        """Give the incident that a group belongs or belonged to."""
        if group.incident_id is None:
            return None
        return incidents.take(tx.connection, incidents.number_of(tx.connection, group.incident_id))

    def _open_incident(self, tx: Tx, group: Group) -> Incident | None:
        incident = self.incident_of(tx, group)
        return incident if incident and incident.status.is_open else None

    def _relative(self, tx: Tx, group: Group) -> Incident | None:
        """Find the open incident of the same group at the other source, or of the same trouble before, and join it."""
        for other in self._relatives(tx, group):
            incident = self._open_incident(tx, other)
            if incident is not None:
                alerts.set_group(tx.connection, group.id, incident_id=other.incident_id)
                return incident
        return None

    def _relatives(self, tx: Tx, group: Group) -> list[Group]:
        """Find the groups of the same trouble; PagerDuty's keys are told apart by its services."""
        service = group.data.get("service_id")
        others = alerts.relatives(tx.connection, group)
        if group.source != PAGERDUTY or not service:
            return others
        return [g for g in others if g.source != PAGERDUTY or g.data.get("service_id") in {None, service}]

    def _ended(self, tx: Tx, group: Group, closed: Sequence[Alert]) -> tuple[Alert, ...]:
        """Pick the alerts that still belong to the group's incident, which is over."""
        if not closed or group.incident_id is None:
            return ()
        its_own = alerts.open_fingerprints(tx.connection, group.id, group.incident_id)
        return tuple(alert for alert in closed if alert.fingerprint in its_own)

    def _tell_past(self, tx: Tx, group: Group, ended: tuple[Alert, ...], flaps: frozenset[str]) -> str:
        """Note on an incident that is over which of its alerts have ended since; gives its number if any have."""
        if not ended or group.incident_id is None:
            return ""
        number = incidents.number_of(tx.connection, group.incident_id)
        self._desk.apply(tx, number, c.AlertsChanged((), ended, flaps))
        return number

    def _save(self, tx: Tx, group: Group, fresh: News, incident_id: int | None) -> bool:
        unseen = tuple(replace(alert, ends_at=None) for alert in fresh.lapsed)
        alerts.close_alerts(tx.connection, group.id, unseen, tx.now)
        alerts.open_alerts(tx.connection, group.id, incident_id, fresh.opened, tx.now)
        alerts.close_alerts(tx.connection, group.id, fresh.closed, tx.now)
        return alerts.repeat_alerts(tx.connection, group.id, fresh.repeated, tx.now)

    def _flapping(self, tx: Tx, group: Group, fresh: News, known: Mapping[str, Occurrence]) -> frozenset[str]:
        """Give the fingerprints of the changed alerts that flap."""
        again = {alert.fingerprint for alert in (*fresh.opened, *fresh.closed)} & known.keys()
        if not again:
            return frozenset()
        begun = alerts.begun(tx.connection, group.id, tx.now - self._flaps.within)
        return flapping(
            {fingerprint: times for fingerprint, times in begun.items() if fingerprint in again}, self._flaps
        )

    def _keep_facts(self, tx: Tx, group: Group, fresh: News, flaps: Collection[str], truncated: int) -> Group:
        """Remember what the card says of the group as a whole: what its source left out, and what flaps."""
        data = {k: v for k, v in group.data.items() if k != "truncated"} | (
            {"truncated": truncated} if truncated else {}
        )
        changed = (*fresh.opened, *fresh.closed)
        if changed:
            data.pop("flapping", None)
        name = next((alert.name for alert in changed if alert.fingerprint in flaps), None)
        if name is not None:
            data["flapping"] = {"name": name, "at": tx.now.isoformat()}
        if data == group.data:
            return group
        alerts.set_group(tx.connection, group.id, data=data)
        return replace(group, data=data)

    def _meet_rules(
        self,
        tx: Tx,
        group: Group,
        opened: Sequence[Alert],
        *,
        again: bool,
        flaps: frozenset[str] = frozenset(),
        left_out: int = 0,
    ) -> str:
        opened = worst_first(opened, self._rules)
        verdict = judge(opened[:1], self._rules)
        if verdict.then is Then.RECORD:
            return "recorded"
        declares = verdict.then is Then.DECLARE
        only_flaps = all(alert.fingerprint in flaps for alert in opened)
        if declares and only_flaps and (held := self._hold(tx, group, verdict, opened)):
            return held
        if not declares and (again or only_flaps) and triage.stands(group):
            self._desk.refresh_triage(tx, group)
            return "triage"
        passage = self._gate.ask(tx, verdict.then, opened, verdict.severity)
        if passage.into is not None:
            return self._join(tx, group, passage, opened, into=passage.into, left_out=left_out)
        if declares:
            return self._declare(tx, group, passage, opened, left_out)
        return self._triage(tx, group, passage)

    def _hold(self, tx: Tx, group: Group, verdict: Verdict, opened: Sequence[Alert]) -> str:
        """Note on the group's last incident, which is over, that what flaps fires again; empty where it has none."""
        over = self.incident_of(tx, group)
        if over is None or verdict.severity.value < over.severity.value:  # worse than ever is news
            return ""
        alerts.set_group(tx.connection, group.id, incident_id=group.incident_id)
        after = self._desk.apply(tx, over.number, c.FiresAgain(tuple(opened), self._flaps.hold))
        return f"{'attached to' if after.status.is_open else 'held on'} {over.number}"

    def _declare(self, tx: Tx, group: Group, passage: Passage, opened: Sequence[Alert], left_out: int) -> str:
        why, severity = "", passage.severity
        if passage.course is Course.BEGIN:
            why = naming.why_storm(passage.family, self._gate.policy, passage.before)
            command = naming.of_storm(opened, severity, tx.now, family=passage.family, summary=why, left_out=left_out)
        else:
            placed = is_alertmanager(opened[0].source)  # PagerDuty's titles say it already
            command = naming.of_group(opened, severity, tx.now, placed=placed, left_out=left_out)
        incident, incident_id = self._desk.declare(tx, command)
        self._gate.settle(tx, passage, number=incident.number, incident_id=incident_id)
        if why:
            self._desk.apply(tx, incident.number, c.AddNote(why, SYSTEM))
        self.link(tx, group, incident_id, incident.number)
        return f"declared {incident.number}"

    def _join(
        self, tx: Tx, group: Group, passage: Passage, opened: Sequence[Alert], *, into: int, left_out: int
    ) -> str:
        """Put a group into a storm's incident, and raise that where the group is the worst so far."""
        self._gate.settle(tx, passage)
        number = incidents.number_of(tx.connection, into)
        self.link(tx, group, into, number)
        incident = self._desk.apply(tx, number, c.AlertsChanged(tuple(opened), left_out=left_out))
        if passage.is_worse and passage.severity.value < incident.severity.value:
            lead = opened[0]
            raised = c.SetSeverity(passage.severity, Actor("alert", lead.source, lead.name), "it joined the storm")
            self._desk.apply(tx, number, raised)
        return f"joined {number}"

    def link(self, tx: Tx, group: Group, incident_id: int, number: str, decision: Decision | None = None) -> None:
        """Have an incident take a group; where it waited for a look, by a person's decision or without one."""
        alerts.set_group(tx.connection, group.id, incident_id=incident_id)
        self._settle(tx, group, number, decision)
        for other in self._relatives(tx, group):
            # The other source told of the same group before, below the bar for an incident, and it still fires.
            still_fires = alerts.open_fingerprints(tx.connection, other.id)
            if still_fires and self._open_incident(tx, other) is None:
                alerts.set_group(tx.connection, other.id, incident_id=incident_id)
                self._settle(tx, triage.locked(tx.connection, other), number)

    def _settle(self, tx: Tx, group: Group, number: str, decision: Decision | None = None) -> None:
        """Have the message in which a group waited say which incident has taken it."""
        scope, made = triage.scope_of(group), triage.decision_of(group)
        if decision is None:
            if scope is None or (made is not None and not made.keeps_quiet):
                return
            joined = Decision(scope, Outcome.JOINED, tx.now, number=number)
            decision = replace(made, number=number) if made else joined
        self._desk.refresh_triage(tx, triage.keep(tx.connection, group, decision))

    def go_on(self, tx: Tx, scope: str, incident_id: int) -> str:
        """Have an incident take the groups that a message's storm still brings; says so, unless the storm is over."""
        return naming.new_ones(self._gate.policy) if self._gate.go_on(tx, scope, incident_id) else ""

    def ranked(self, opened: Sequence[Alert]) -> list[Alert]:
        """Put the alert first after which an incident of these is named."""
        return worst_first(opened, self._rules)

    def _triage(self, tx: Tx, group: Group, passage: Passage) -> str:
        storm = self._gate.settle(tx, passage)
        data = {**group.data, "severity": passage.severity.value}
        if storm is not None:
            alerts.set_group(tx.connection, group.id, data=data)
            alerts.put_in_storm(tx.connection, group.id, storm.scope)
            if passage.course is Course.BEGIN:
                where = {"where": passage.family.where}
                self._desk.post(tx, storm.scope, Delivery("triage_storm", "triage", "triage", where))
            else:
                self._desk.refresh_triage(tx, replace(group, storm=storm.scope))
            return "triage"
        data["triage"] = int(data.get("triage") or 0) + 1
        alerts.set_group(tx.connection, group.id, data=data)
        alerts.put_in_storm(tx.connection, group.id, None)
        facts = {"group_id": group.id, "severity": passage.severity.value}
        scope = triage.scope_of(replace(group, data=data, storm=None))
        assert scope is not None  # noqa: S101 - it has just been counted
        self._desk.post(tx, scope, Delivery("triage", "triage", "triage", facts))
        return "triage"

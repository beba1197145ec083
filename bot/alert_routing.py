"""Where alerts that begin go: which rule they meet, and what follows. Inside one transaction."""

from __future__ import annotations

from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass, field, replace

from bot import naming
from bot.desk import Desk
from bot.gate import Gate, Passage
from bot.incidents import commands as c
from bot.incidents import gathering
from bot.incidents.heard import Heard, Joined
from bot.incidents.intake import STALE_WITHIN, News, Occurrence, Rule, Then, Verdict
from bot.incidents.model import Actor, Alert, Delivery, Incident
from bot.incidents.sources import PAGERDUTY, is_alertmanager
from bot.incidents.storm import Course, FlapPolicy, StormPolicy, flapping
from bot.incidents.triage import Decision, Outcome
from bot.judging import Judge
from bot.store import alerts, incidents, triage
from bot.store.alerts import Group
from bot.store.tx import Tx


@dataclass(frozen=True, slots=True)
class Arrival:
    """How alerts begin that no open incident has.

    `again` says that others of their group fire already, `flaps` names those that come and go, and `late` holds the
    occurrences that have just ended of those that may be late copies.
    """

    again: bool = False
    flaps: frozenset[str] = frozenset()
    late: Mapping[str, Occurrence] = field(default_factory=dict)
    left_out: int = 0


class AlertRouting:
    """Opens, joins or asks for a look, by the rules; what the sources' receptions share."""

    def __init__(
        self,
        desk: Desk,
        rules: Sequence[Rule],
        storms: StormPolicy = StormPolicy(),  # noqa: B008 - frozen
        flaps: FlapPolicy = FlapPolicy(),  # noqa: B008
    ) -> None:
        self._desk = desk
        self._judge = Judge(rules)
        self._gate = Gate(storms)
        self._flaps = flaps

    def _join_open(self, tx: Tx, group: Group, alert: Alert, actor: Actor) -> str:
        """Have a PagerDuty incident join the open incident of its trouble; empty where there is none."""
        incident = self._relative(tx, group)
        if incident is None:
            return ""
        self._settle(tx, group, incident.number)
        if any(is_alertmanager(other.source) for other in self._relatives(tx, group)):  # whose alert it is
            self._heed_priority(tx, incident, alert, actor)
            return f"attached to {incident.number}"
        incident_id = incidents.identity(tx.connection, incident.number)
        alerts.open_alerts(tx.connection, group.id, incident_id, (alert,), tx.now)
        changed = c.AlertsChanged((alert,), joined=self._judge.joined((alert,)))
        self._desk.apply(tx, incident.number, changed)
        return f"joined {incident.number}"

    def _heed_priority(self, tx: Tx, incident: Incident, alert: Alert, actor: Actor) -> None:
        """Raise an open incident to what the rules declare for an alert that PagerDuty has given a priority."""
        priority, verdict = alert.labels.get("priority"), self._judge.verdict((alert,))
        if priority and verdict.then is Then.DECLARE and verdict.severity.value < incident.severity.value:
            why = f"its priority in PagerDuty is {priority}"
            self._desk.apply(tx, incident.number, c.GetsWorse(verdict.severity, why, actor))

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
        """Find the groups of the same trouble; one key of two Alertmanagers, or of two PagerDuty services, is two."""
        others = alerts.relatives(tx.connection, group)
        if group.source != PAGERDUTY:
            return [other for other in others if not is_alertmanager(other.source)]
        service = group.data.get("service_id")
        return [
            o for o in others if not service or o.source != PAGERDUTY or o.data.get("service_id") in {None, service}
        ]

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

    def _meet_rules(self, tx: Tx, group: Group, opened: Sequence[Alert], arrival: Arrival) -> str:
        opened = self.ranked(opened)
        verdict = self._judge.verdict(opened[:1])
        if verdict.then is Then.RECORD:
            return "recorded"
        declares = verdict.then is Then.DECLARE
        held_back = {*arrival.flaps, *arrival.late}
        if declares and all(alert.fingerprint in held_back for alert in opened):
            held = self._hold(tx, group, verdict, opened, arrival)
            if held:
                return held
        only_flaps = all(alert.fingerprint in arrival.flaps for alert in opened)
        if not declares and (arrival.again or only_flaps) and triage.stands(group):
            self._desk.refresh_triage(tx, group)
            return "triage"
        passage = self._gate.ask(tx, verdict.then, opened, verdict.severity)
        if passage.into is not None:
            return self._join(tx, group, passage, opened, into=passage.into, left_out=arrival.left_out)
        if declares:
            return self._declare(tx, group, passage, opened, arrival.left_out)
        return self._triage(tx, group, passage)

    def _hold(self, tx: Tx, group: Group, verdict: Verdict, opened: Sequence[Alert], arrival: Arrival) -> str:
        """Note on the group's last incident, which is over, what fires again; empty where it has none."""
        over = self.incident_of(tx, group)
        if over is None or verdict.severity.value < over.severity.value:  # worse than ever is news
            return ""
        alerts.set_group(tx.connection, group.id, incident_id=group.incident_id)
        flaps = any(alert.fingerprint in arrival.flaps for alert in opened)
        if flaps:
            until = (over.resolved_at or tx.now) + self._flaps.hold
        else:
            until = max(last.closed_at or tx.now for last in arrival.late.values()) + STALE_WITHIN
        after = self._desk.apply(tx, over.number, c.FiresAgain(tuple(opened), until, flaps))
        return f"{'attached to' if after.status.is_open else 'held on'} {over.number}"

    def _declare(self, tx: Tx, group: Group, passage: Passage, opened: Sequence[Alert], left_out: int) -> str:
        why, severity = "", passage.severity
        if passage.course is Course.BEGIN:
            why = naming.why_storm(passage.family, self._gate.policy)
            said = gathering.told(why, passage.before)
            command = naming.of_storm(opened, severity, tx.now, family=passage.family, summary=said, left_out=left_out)
            heard = Heard.of(self._judge.joined(opened), of_all=True)
        else:
            placed = is_alertmanager(opened[0].source)  # PagerDuty's titles say it already
            command = naming.of_group(opened, severity, tx.now, placed=placed, left_out=left_out)
            heard = Heard.of(self._judge.joined(opened))
        incident, incident_id = self._desk.declare(tx, replace(command, heard=heard))
        self._gate.settle(tx, passage, number=incident.number, incident_id=incident_id)
        if why:
            self._desk.apply(tx, incident.number, c.OfferMerge(why, passage.before))
        self.link(tx, group, incident_id, incident.number)
        self._carry(tx, group, incident.number, opened)
        return f"declared {incident.number}"

    def _join(
        self, tx: Tx, group: Group, passage: Passage, opened: Sequence[Alert], *, into: int, left_out: int
    ) -> str:
        """Put a group into a storm's incident, and raise that where the group is the worst so far."""
        self._gate.settle(tx, passage)
        number = incidents.number_of(tx.connection, into)
        self.link(tx, group, into, number)
        joined = self._judge.joined(opened)
        self._desk.apply(tx, number, c.AlertsChanged(tuple(opened), left_out=left_out, joined=joined))
        self._carry(tx, group, number, opened)
        return f"joined {number}"

    def _carry(self, tx: Tx, group: Group, number: str, opened: Collection[Alert]) -> None:
        """Tell an incident of what follows a group into it: alerts that fire since before, and may be the worst."""
        new = {alert.fingerprint for alert in opened}
        if alerts.open_fingerprints(tx.connection, group.id) <= new:
            return
        before = [alert for alert in triage.firing(tx.connection, [group.id])[group.id] if alert.fingerprint not in new]
        if carried := self._judge.joined(before):
            self._desk.apply(tx, number, c.AlertsChanged(carried=carried))

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
        return self._judge.ranked(opened)

    def heard(self, opened: Sequence[Alert]) -> tuple[Joined, ...]:
        """Give what alerts say to the incident that a person has them join."""
        return self._judge.joined(opened)

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

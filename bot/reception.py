"""What happens to an inbound notification, inside one transaction: what is news, which rule it meets, what follows."""

from __future__ import annotations

import hashlib
from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass, field, replace
from datetime import datetime, timedelta

from bot import naming
from bot.desk import Desk
from bot.gate import Gate, Passage
from bot.incidents import commands as c
from bot.incidents.apart import TOGETHER_FOR, Parting, key_of
from bot.incidents.heard import Heard, Joined
from bot.incidents.intake import STALE_WITHIN, News, Occurrence, Rule, Then, Verdict, news
from bot.incidents.model import SYSTEM, Actor, Alert, Delivery, Incident, Status
from bot.incidents.sources import ALERTMANAGER, PAGERDUTY, is_alertmanager
from bot.incidents.storm import Course, FlapPolicy, StormPolicy, flapping
from bot.incidents.triage import Decision, Outcome
from bot.judging import Judge
from bot.notices import tested
from bot.store import alerts, elsewhere, incidents, triage
from bot.store.alerts import Group
from bot.store.elsewhere import Elsewhere
from bot.store.tx import Tx

# An incident that was resolved longer ago than this stays over: what comes back is another one.
COMES_BACK_WITHIN = timedelta(days=1)


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
        self._judge = Judge(rules)
        self._gate = Gate(storms)
        self._flaps = flaps

    def alertmanager(self, tx: Tx, notification: Notification) -> str:
        """Take an Alertmanager notification in; gives what became of it, in a word or two."""
        # Alertmanager's own PagerDuty receiver uses this hash as the dedup key, so both sides of a group can meet.
        hash_ = notification.key_hash or hashlib.sha256(notification.group_key.encode()).hexdigest()
        group = alerts.group(tx.connection, notification.source, notification.group_key, hash_)
        known = alerts.known(tx.connection, group.id)
        own = self.incident_of(tx, group)
        new = [alert for alert in notification.firing if not _fires(known, alert)]
        if new and not (own and own.status.is_open):
            elsewhere.hold(tx.connection, new)
        unknown = [*new, *(alert for alert in notification.resolved if not _fires(known, alert))]
        there = elsewhere.find(tx.connection, group, unknown)
        group, begun = self._part(tx, group, own, [alert for alert in new if alert.fingerprint not in there])
        parted = {alert.fingerprint for place, some in begun.items() if place is not None for alert in some}
        here = replace(notification, firing=tuple(a for a in notification.firing if a.fingerprint not in parted))
        outcomes = {self._take(tx, group, here, known, there): None}
        for place, some in begun.items():
            if place is not None:
                part = replace(here, group_key=key_of(group.key, place), firing=tuple(some), resolved=(), truncated=0)
                apart = alerts.group(tx.connection, group.source, part.group_key, "")
                outcomes[self._take(tx, apart, part, alerts.known(tx.connection, apart.id), {})] = None
        told = [outcome for outcome in outcomes if outcome != "nothing new"]
        return ", ".join(told or outcomes)

    def _part(
        self, tx: Tx, group: Group, own: Incident | None, new: Sequence[Alert]
    ) -> tuple[Group, dict[str | None, list[Alert]]]:
        """Sort alerts that have begun by whose incident is theirs: the group's own, or one apart."""
        placed = [(alert, place) for alert in self.ranked(new) if (place := self._judge.place(alert)) is not None]
        if not placed:
            return group, {}
        before = Parting.of(group.data)
        settled = own is not None and own.status.is_open and tx.now - own.declared_at > TOGETHER_FOR
        if settled and not before.together:  # it has its alerts from a version that did not ask
            earlier = alerts.latest(tx.connection, group)
            before = Parting(tuple({place for alert in earlier if (place := self._judge.place(alert)) is not None}))
        parting, begun = before.part(placed, settled=settled)
        if parting != Parting.of(group.data):
            group = replace(group, data={**group.data, **parting.to_json()})
            alerts.set_group(tx.connection, group.id, data=group.data)
        return group, begun

    def _take(
        self,
        tx: Tx,
        group: Group,
        notification: Notification,
        known: Mapping[str, Occurrence],
        there: Mapping[str, Elsewhere],
    ) -> str:
        """Take in what concerns one group; `there` holds its alerts that fire in other groups of its source."""
        own = self.incident_of(tx, group)
        incident = own if own and own.status.is_open else self._relative(tx, group) or self._same(tx, group, there)
        over = own.resolved_at if own and incident is None else None
        seen = {**known, **{fingerprint: found.occurrence for fingerprint, found in there.items()}}
        whole = news(notification.firing, notification.resolved, seen, tx.now, in_hand=incident is not None, over=over)
        fresh = self._follow(tx, there, whole)
        any_open = any(occurrence.is_open for occurrence in seen.values()) and not fresh.lapsed
        incident_id = incidents.identity(tx.connection, incident.number) if incident else None
        ended = () if incident else self._ended(tx, group, fresh.closed)
        had = alerts.latest(tx.connection, group) if fresh.opened and _is_declined(group) else ()
        changed = self._save(tx, group, fresh, incident_id)
        flaps = self._flapping(tx, group, fresh, known)
        before, group = group, self._keep_facts(tx, group, fresh, flaps, notification.truncated)
        changed = changed or group.data != before.data
        left_out = notification.truncated if not before.data.get("truncated") else 0
        if incident is not None:
            if fresh.opened or fresh.closed or changed:
                joined = self._judge.joined(fresh.opened)
                news_ = c.AlertsChanged(fresh.opened, fresh.closed, flaps, left_out, joined)
                self._desk.apply(tx, incident.number, news_)
            self._settle(tx, group, incident.number)
            return f"{'attached to' if whole.opened or whole.closed else 'repeat of'} {incident.number}"
        past = self._tell_past(tx, group, ended, flaps)
        if fresh.opened:
            arrival = Arrival(
                again=(any_open or all(a.fingerprint in fresh.late for a in fresh.opened))
                and not self._is_something_else(had, fresh.opened),
                flaps=flaps,
                late={fp: known[fp] for fp in fresh.late},
                left_out=left_out,
            )
            return self._meet_rules(tx, group, fresh.opened, arrival)
        if fresh.closed or changed:
            self._desk.refresh_triage(tx, group)
        if past:
            return f"noted on {past}"
        return "recorded" if whole.closed else "nothing new"

    def _same(self, tx: Tx, group: Group, there: Mapping[str, Elsewhere]) -> Incident | None:
        """Find the open incident in which alerts of a group fire under another key, and join it."""
        parts = {key_of(group.key, place) for place in Parting.of(group.data).apart}
        others = {found.group.id: found.group for found in there.values() if found.group.key not in parts}
        for other in others.values():
            incident = self._open_incident(tx, other)
            if incident is not None:
                alerts.set_group(tx.connection, group.id, incident_id=other.incident_id)
                return incident
        return None

    def _follow(self, tx: Tx, there: Mapping[str, Elsewhere], whole: News) -> News:
        """Write what a notification says of alerts that fire in other groups, and give the rest of it."""
        for group in {found.group.id: found.group for found in there.values()}.values():

            def of(some: Sequence[Alert], held: Group = group) -> tuple[Alert, ...]:
                return tuple(a for a in some if a.fingerprint in there and there[a.fingerprint].group.id == held.id)

            ends = News(closed=of(whole.closed), repeated=of(whole.repeated), lapsed=of(whole.lapsed))
            ended = self._ended(tx, group, ends.closed)
            changed = self._save(tx, group, ends, None)
            if not (ends.closed or ends.lapsed or changed):
                continue
            incident = self._open_incident(tx, group)
            if incident is not None:
                self._desk.apply(tx, incident.number, c.AlertsChanged((), ends.closed))
            elif not self._tell_past(tx, group, ended, frozenset()):
                self._desk.refresh_triage(tx, group)

        def own(some: Sequence[Alert]) -> tuple[Alert, ...]:
            return tuple(alert for alert in some if alert.fingerprint not in there)

        return replace(whole, closed=own(whole.closed), repeated=own(whole.repeated), lapsed=own(whole.lapsed))

    def _is_something_else(self, had: Sequence[Alert], opened: Sequence[Alert]) -> bool:
        """Tell whether alerts of a group that was declined are of a kind that nobody has looked at."""
        kinds = {self._judge.kind(alert) for alert in had}
        return bool(kinds) and any(joined.kind not in kinds for joined in self._judge.joined(opened))

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
        if joined := self._join_open(tx, group, alert, actor):
            return joined
        if own is not None and again:
            why = f"PagerDuty triggered it again: {alert.name}"
            return self._come_back(tx, group, own, c.ComeBack(actor, why, (alert,)))
        fresh = news((alert,), (), alerts.known(tx.connection, group.id), tx.now)
        self._save(tx, group, fresh, None)
        if not fresh.opened:
            return "nothing new"
        return self._meet_rules(tx, group, fresh.opened, Arrival())

    def raise_pagerduty(self, tx: Tx, group: Group, alert: Alert, actor: Actor, *, worse: bool) -> str:
        """Take a new priority in: it may deserve an incident, or make the severity of its open one `worse`."""
        incident = self._open_incident(tx, group)
        if incident is not None:
            if worse:
                self._heed_priority(tx, incident, alert, actor)
            return ""
        known = alerts.known(tx.connection, group.id).get(alert.fingerprint)
        if group.incident_id is not None or known is None or not known.is_open:
            return ""
        alerts.repeat_alerts(tx.connection, group.id, (alert,), tx.now)
        return self._meet_rules(tx, group, (alert,), Arrival(again=True))

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
        if joined := self._join_open(tx, group, alert, actor):
            return joined
        if own is not None:
            why = f"it was reopened in PagerDuty: {alert.name}"
            return self._come_back(tx, group, own, c.ComeBack(actor, why, (alert,) if fires else ()))
        return self._begin_anew(tx, group, alert)

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
        return self._meet_rules(tx, group, (alert,), Arrival())

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
            why = naming.why_storm(passage.family, self._gate.policy, passage.before)
            command = naming.of_storm(opened, severity, tx.now, family=passage.family, summary=why, left_out=left_out)
            heard = Heard.of(self._judge.joined(opened), of_all=True)
        else:
            placed = is_alertmanager(opened[0].source)  # PagerDuty's titles say it already
            command = naming.of_group(opened, severity, tx.now, placed=placed, left_out=left_out)
            heard = Heard.of(self._judge.joined(opened))
        incident, incident_id = self._desk.declare(tx, replace(command, heard=heard))
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
        joined = self._judge.joined(opened)
        self._desk.apply(tx, number, c.AlertsChanged(tuple(opened), left_out=left_out, joined=joined))
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


def _fires(known: Mapping[str, Occurrence], alert: Alert) -> bool:
    last = known.get(alert.fingerprint)
    return last is not None and last.is_open


def _is_declined(group: Group) -> bool:
    made = triage.decision_of(group)
    return made is not None and made.keeps_quiet

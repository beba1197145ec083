"""What happens to an inbound notification, inside one transaction: what is news, which rule it meets, what follows."""

from __future__ import annotations

import hashlib
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from datetime import datetime, timedelta

from bot.alert_routing import AlertRouting, Arrival
from bot.incidents import commands as c
from bot.incidents.apart import TOGETHER_FOR, Parting, key_of
from bot.incidents.intake import News, Occurrence, news
from bot.incidents.model import Actor, Alert, Incident, Status
from bot.incidents.sources import ALERTMANAGER
from bot.notices import tested
from bot.store import alerts, elsewhere, incidents, triage
from bot.store.alerts import Group
from bot.store.elsewhere import Elsewhere
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


class Reception(AlertRouting):
    """Takes notifications in."""

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
            if own is None or own.number != incident.number:
                self._carry(tx, group, incident.number, fresh.opened)
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


def _fires(known: Mapping[str, Occurrence], alert: Alert) -> bool:
    last = known.get(alert.fingerprint)
    return last is not None and last.is_open


def _is_declined(group: Group) -> bool:
    made = triage.decision_of(group)
    return made is not None and made.keeps_quiet

"""Where commands meet rows: load, decide, save, and enqueue what follows, all in one transaction."""

from __future__ import annotations

from collections.abc import Collection, Iterable
from datetime import datetime, timedelta
from functools import partial

from bot import telemetry
from bot.engine.port import Engine, Job, Work
from bot.incidents import commands as c
from bot.incidents.away import ONLY_THERE
from bot.incidents.machine import decide
from bot.incidents.model import PAGE_LANES, Actor, Decision, Delivery, Incident, Refused, TimerKind
from bot.incidents.policy import Policy
from bot.store import alerts, deliveries, incidents, triage
from bot.store.alerts import Group
from bot.store.tx import Tx


def operators_scope(subject: int | str) -> str:
    """Where a message to the operators waits; each subject has a scope of its own, so that none holds up another."""
    return f"operators:{subject}"


class Desk:
    """Applies commands to incidents inside a caller's transaction."""

    def __init__(self, engine: Engine, policy: Policy) -> None:
        self._engine = engine
        self._policy = policy

    def declare(self, tx: Tx, command: c.Declare) -> tuple[Incident, int]:
        """Open an incident under the next number (the command's own is replaced); gives it and its row's id."""
        number = incidents.allocate_number(tx.connection, tx.now)
        decision = decide(None, c.with_number(command, number), self._policy, tx.now)
        incident_id = incidents.save_new(tx.connection, decision.incident, decision.events)
        self._follow(tx, None, decision, incident_id)
        return decision.incident, incident_id

    def apply(self, tx: Tx, number: str, command: c.Command) -> Incident:
        """Do what a command asks.

        Raises:
            Refused: it does not fit the incident's state, or there is no such incident.
        """
        before = incidents.take(tx.connection, number)
        if before is None:
            raise Refused("no_incident", f"There is no {number}. See `/incident list`.")
        return self._apply(tx, before, command)

    def refresh(self, tx: Tx, number: str) -> None:
        """Have an incident's live messages show what has changed beside its own state."""
        self.apply(tx, number, c.Refresh())

    def refresh_triage(self, tx: Tx, group: Group) -> None:
        """Have the message show it in which a group waits for a look, or has waited."""
        edit = triage.edit_of(group)
        if edit is not None:
            self.post(tx, *edit)

    def merge(self, tx: Tx, number: str, into: str, actor: Actor, *, told: bool = False) -> Incident:
        """Make an incident a part of another one, where its alerts go on; returns what has become of it.

        `told` says that the other one's people are told of it otherwise.

        Raises:
            Refused: one of them is over, or they are the same.
        """
        # The one with the smaller number first, so that two who merge both ways do not wait for each other.
        there = {each: incidents.take(tx.connection, each) for each in sorted((number, into))}
        other = there[into]
        from_id, to_id = incidents.identity(tx.connection, number), incidents.identity(tx.connection, into)
        if other is None or from_id is None or to_id is None:
            raise Refused("no_incident", f"There is no {into}. See `/incident list`.")
        groups = tuple(group.id for group in alerts.groups_of(tx.connection, from_id))
        gone = self.apply(tx, number, c.MergeInto(into, actor, other.channel_id, groups))
        self.apply(tx, into, c.MergedFrom(number, gone.title, actor, gone.heard, told))
        alerts.hand_over(tx.connection, from_id, to_id)  # the cards show it: they are rendered when they are sent
        return gone

    def gather(self, tx: Tx, numbers: Iterable[str], into: str, actor: Actor) -> tuple[str, ...]:
        """Merge those of several incidents that are open into another one; returns which.

        Raises:
            Refused: none of them is open, or the other one is not.
        """
        there = {each: incidents.take(tx.connection, each) for each in sorted({*numbers, into})}
        still = tuple(each for each, found in there.items() if each != into and found and found.status.is_open)
        if not still:
            raise Refused("no_change", "These incidents are over or merged already. See `/incident list`.")
        for each in still:
            self.merge(tx, each, into, actor, told=True)
        self.apply(tx, into, c.Gathered(still, actor))
        return still

    def unmerge(self, tx: Tx, number: str, actor: Actor, why: str = "") -> Incident:
        """Undo a merge: the incident is investigated again, and its alert groups belong to it again.

        Raises:
            Refused: it is merged into none.
        """
        before = incidents.load(tx.connection, number)
        chain = _goes_on_in(tx, before.merged_into if before else "")
        for each in sorted({number, *chain}):
            incidents.take(tx.connection, each)
        after = self.apply(tx, number, c.Unmerge(actor, why))
        merges = [e.data for e in incidents.timeline(tx.connection, number) if e.kind == "merged" and "into" in e.data]
        groups = merges[-1].get("groups", ()) if merges else ()
        to_id = incidents.identity(tx.connection, number)
        for each in chain:
            from_id = incidents.identity(tx.connection, each)
            if from_id is not None and to_id is not None:
                alerts.hand_back(tx.connection, from_id, to_id, groups)
            self.apply(tx, each, c.SplitOff(number, actor) if each == chain[0] else c.Refresh())
        return after

    def fire_timers(self, tx: Tx, number: str) -> None:
        """Fire the incident's timers that are due, in the order in which they were due."""
        incident = incidents.take(tx.connection, number)
        while incident is not None:
            due = incident.due(tx.now)
            if due is None:
                return
            tx.on_commit(partial(telemetry.TIMERS.observe, (tx.now - due.due_at).total_seconds()))
            firing = 0
            if due.kind is TimerKind.FLAP_HOLD and incident.resolved_at:
                firing = alerts.firing_since(tx.connection, number, incident.resolved_at)
            incident = self._apply(tx, incident, c.TimerFired(due.key, firing), fired=frozenset({due.key}))

    def post(self, tx: Tx, scope: str, delivery: Delivery) -> None:
        """Put a delivery that belongs to no incident into the outbox."""
        self._wake_at(tx, scope, deliveries.add(tx.connection, scope, None, [delivery], tx.now))

    def wake(self, tx: Tx) -> None:
        """Enqueue everything that the rows say is to be done; the start of every process."""
        for scope, next_at in deliveries.wakes(tx.connection):
            self._engine.enqueue(tx, Job(Work.DELIVERIES, scope), next_at)
        for number, due_at in incidents.armed(tx.connection):
            self._engine.enqueue(tx, Job(Work.TIMERS, number), due_at)

    def sweep(self, tx: Tx, alive: Collection[str], late: timedelta) -> None:
        """Enqueue what has been due for longer than `late`: another process has written it, or its wake-up was lost.

        `alive` holds the processes whose claims on deliveries count.
        """
        before = tx.now - late
        # At a moment, so that no lane that is held up by a dead worker holds this up too.
        for scope in deliveries.due_scopes(tx.connection, before, alive):
            self._engine.enqueue(tx, Job(Work.DELIVERIES, scope), tx.now)
        for number in incidents.due(tx.connection, before):
            self._engine.enqueue(tx, Job(Work.TIMERS, number), tx.now)

    def _apply(self, tx: Tx, before: Incident, command: c.Command, *, fired: frozenset[str] = frozenset()) -> Incident:
        decision = decide(before, command, self._policy, tx.now)
        incident_id = incidents.save(tx.connection, before, decision.incident, decision.events, fired)
        if (before.away is None) != (decision.incident.away is None):
            _move(tx, decision.incident)
        self._follow(tx, before, decision, incident_id)
        if decision.incident.channel_id != before.channel_id:
            self._show_the_way(tx, incident_id)
        return decision.incident

    def _show_the_way(self, tx: Tx, incident_id: int) -> None:
        """Have the messages in which an incident's groups had waited name its channel, now that it is there."""
        edits = (triage.edit_of(group) for group in alerts.groups_of(tx.connection, incident_id))
        for scope, edit in dict(edit for edit in edits if edit is not None).items():
            self.post(tx, scope, edit)

    def _follow(self, tx: Tx, before: Incident | None, decision: Decision, incident_id: int) -> None:
        number = decision.incident.number
        moments = deliveries.add(tx.connection, number, incident_id, decision.deliveries, tx.now)
        self._wake_at(tx, number, moments)
        if moments and before is not None and any(d.lane in PAGE_LANES for d in decision.deliveries):
            self._engine.enqueue(tx, Job(Work.PAGES, number))
        known = {t.key for t in before.timers} if before else set()
        for timer in decision.incident.timers:
            if timer.key not in known:
                self._engine.enqueue(tx, Job(Work.TIMERS, number), timer.due_at)

    def _wake_at(self, tx: Tx, scope: str, moments: Iterable[datetime]) -> None:
        for moment in sorted(moments):
            self._engine.enqueue(tx, Job(Work.DELIVERIES, scope), moment if moment > tx.now else None)


def _move(tx: Tx, incident: Incident) -> None:
    """Have what is still to be said wait for the incident's new place."""
    for row in deliveries.unfinished(tx.connection, incident.number):
        needs = incident.moved(row.needs)
        if row.kind == "refresh_card":
            needs = ("card" if incident.home_slot == "channel" else "thread",)
        if row.kind not in ONLY_THERE and needs != row.needs:
            deliveries.need(tx.connection, row.id, needs)


def _goes_on_in(tx: Tx, number: str) -> list[str]:
    """Return the incident that another one was merged into, and those that it was merged into itself since."""
    chain: list[str] = []
    while number and number not in chain:
        chain.append(number)
        found = incidents.load(tx.connection, number)
        number = found.merged_into if found else ""
    return chain

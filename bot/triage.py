"""What people decide of alerts that wait for a look: an incident of their own, a part of another one, or nothing.

A decision is about a message, and about all groups that still wait in it: their rows are locked until it is made, so
that of several there is one.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace
from datetime import datetime

from sqlalchemy import Connection

from bot import naming
from bot.desk import Desk
from bot.incidents import commands as c
from bot.incidents.heard import Heard
from bot.incidents.model import Actor, Alert, Incident, Refused
from bot.incidents.moments import at_or_on
from bot.incidents.policy import Severity
from bot.incidents.sources import PAGERDUTY
from bot.incidents.storm import Family
from bot.incidents.triage import Decision, Outcome
from bot.reception import Reception
from bot.store import incidents, storms, triage
from bot.store.alerts import Group
from bot.store.triage import Member
from bot.store.tx import Tx
from bot.text import clip

WORDS = {
    Outcome.ACCEPTED: "accepted the alerts",
    Outcome.MERGED: "merged the alerts",
    Outcome.DECLINED: "declined the alerts",
}


class TooLate(Refused):
    """Somebody else has decided already; the message says who, what and when."""


@dataclass(frozen=True, slots=True)
class Filled:
    """What the declare form says."""

    title: str
    severity: Severity
    service: str = ""
    impact: str = ""


@dataclass(frozen=True, slots=True)
class _Waiting:
    """The groups that wait in a message, with their alerts that fire: the one first that names an incident of them."""

    scope: str
    groups: tuple[Group, ...]
    opened: tuple[Alert, ...]

    @property
    def left_out(self) -> int:
        """Count the alerts that their source did not name."""
        return sum(int(group.data.get("truncated") or 0) for group in self.groups)

    @property
    def severity(self) -> Severity:
        """The worst that the rules say of them."""
        return min((Severity(group.data.get("severity", "sev3")) for group in self.groups), key=lambda s: s.value)


class Triage:
    """Makes decisions."""

    def __init__(self, desk: Desk, reception: Reception) -> None:
        self._desk = desk
        self._reception = reception

    def draft(self, connection: Connection, scope: str, now: datetime) -> c.Declare:
        """Give the incident that Accept would declare, for the form.

        Raises:
            TooLate: it is decided.
            Refused: there is nothing to decide.
        """
        members = triage.members(connection, scope) if triage.is_scope(scope) else []
        return self._draft(connection, self._waiting(connection, scope, members, now), now)

    def accept(self, tx: Tx, scope: str, filled: Filled, actor: Actor) -> Incident:
        """Declare one incident from all that waits in a message.

        Raises:
            TooLate: it is decided.
            Refused: there is nothing to decide.
        """
        waiting = self._take(tx, scope)
        command = replace(
            self._draft(tx.connection, waiting, tx.now),
            title=clip(" ".join(filled.title.split()), naming.TITLE),
            severity=filled.severity,
            service=filled.service,
            impact=filled.impact,
            actor=actor,
        )
        command = replace(command, heard=self._heard(waiting))
        incident, incident_id = self._desk.declare(tx, command)
        self._attach(tx, waiting, incident_id, _decision(tx, scope, Outcome.ACCEPTED, actor, number=incident.number))
        return incident

    def merge(self, tx: Tx, scope: str, number: str, actor: Actor) -> Incident:
        """Have an open incident take all that waits in a message.

        Raises:
            TooLate: it is decided.
            Refused: there is nothing to decide, or the incident is over.
        """
        waiting = self._take(tx, scope)
        incident, incident_id = incidents.take(tx.connection, number), incidents.identity(tx.connection, number)
        if incident is None or incident_id is None or not incident.is_shown_to(actor.id):
            raise Refused("no_incident", f"There is no {number[:40]}. Pick another one.")
        if not incident.status.is_open:
            raise Refused("not_open", f"{number} is {incident.status.value}. Pick another one, or reopen it first.")
        self._attach(tx, waiting, incident_id, _decision(tx, scope, Outcome.MERGED, actor, number=number))
        joined = self._reception.heard(waiting.opened)
        changed = c.AlertsChanged(waiting.opened, left_out=waiting.left_out, joined=joined, expected=True)
        return self._desk.apply(tx, number, changed)

    def decline(self, tx: Tx, scope: str, why: str, actor: Actor) -> None:
        """Say that what waits in a message needs no incident: it is quiet until it has resolved and fires anew.

        Raises:
            TooLate: it is decided.
            Refused: there is nothing to decide.
        """
        waiting = self._take(tx, scope)
        decision = _decision(tx, scope, Outcome.DECLINED, actor, why=why)
        for group in waiting.groups:
            self._desk.refresh_triage(tx, triage.keep(tx.connection, group, decision))
        if triage.is_storm(scope):  # nobody has decided of what comes from now on: it waits in another message
            storms.end(tx.connection, scope)
            self._show(tx, scope)

    def undo(self, tx: Tx, scope: str) -> None:
        """Take a decline back: the groups of a message wait for a decision again.

        Raises:
            Refused: none of them is declined.
        """
        members = triage.take(tx.connection, scope) if triage.is_scope(scope) else []
        quiet = [member.group for member in members if member.is_quiet]
        if not quiet:
            raise Refused("no_change", "Nothing is declined here. Decide in the newest message.")
        for group in quiet:
            self._desk.refresh_triage(tx, triage.forget(tx.connection, group))
        if triage.is_storm(scope):
            self._show(tx, scope)

    def _heard(self, waiting: _Waiting) -> Heard:
        storm = triage.is_storm(waiting.scope) and len(waiting.groups) > 1
        return Heard.of(self._reception.heard(waiting.opened), of_all=storm)

    def _take(self, tx: Tx, scope: str) -> _Waiting:
        members = triage.take(tx.connection, scope) if triage.is_scope(scope) else []
        return self._waiting(tx.connection, scope, members, tx.now)

    def _waiting(self, connection: Connection, scope: str, members: Sequence[Member], now: datetime) -> _Waiting:
        groups = tuple(member.group for member in members if member.waits)
        if not groups:
            raise _nothing(members, now)
        firing = triage.firing(connection, [group.id for group in groups])
        opened = self._reception.ranked([alert for group in groups for alert in firing[group.id]])
        return _Waiting(scope, groups, tuple(opened))

    def _draft(self, connection: Connection, waiting: _Waiting, now: datetime) -> c.Declare:
        opened, left_out = waiting.opened, waiting.left_out
        if triage.is_storm(waiting.scope) and len(waiting.groups) > 1:
            family = _family(connection, waiting.scope)
            summary = f"{len(waiting.groups)} alert groups {family.where} were accepted together."
            return naming.of_storm(opened, waiting.severity, now, family=family, summary=summary, left_out=left_out)
        placed = opened[0].source != PAGERDUTY  # whose titles say it already
        return naming.of_group(opened, waiting.severity, now, placed=placed, left_out=left_out)

    def _attach(self, tx: Tx, waiting: _Waiting, incident_id: int, decision: Decision) -> None:
        """Have an incident take what waited, and what its storm still brings."""
        more = self._reception.go_on(tx, waiting.scope, incident_id)
        self._note(tx, waiting, decision, more)
        for group in waiting.groups:
            self._reception.link(tx, group, incident_id, decision.number, decision)
        if triage.is_storm(waiting.scope):
            self._show(tx, waiting.scope)

    def _note(self, tx: Tx, waiting: _Waiting, decision: Decision, more: str) -> None:
        """Put a decision on the incident's timeline."""
        count, lead = len(waiting.groups), waiting.opened[0]
        what = clip(lead.name, naming.TITLE)
        if triage.is_storm(waiting.scope):
            what = f"{count} alert group{'s' * (count > 1)} {_family(tx.connection, waiting.scope).where}"
        text = f"{decision.outcome.value.capitalize()} from triage: {what}{more and f'; {more}'}"
        facts = {"triage": waiting.scope, "decision": decision.outcome.value, "groups": count}
        actor = Actor("human", decision.user, decision.name)
        note = c.Record("note", text, actor, data=facts, source=lead.url, refresh=False)
        self._desk.apply(tx, decision.number, note)

    def _show(self, tx: Tx, scope: str) -> None:
        """Have a storm's message show at once what was decided; its other edits take their time."""
        self._desk.post(tx, scope, triage.edit(scope))


def _family(connection: Connection, scope: str) -> Family:
    label, _, value = storms.key_of(connection, scope).partition(":")[2].partition("=")
    return Family(label, value)


def _decision(tx: Tx, scope: str, outcome: Outcome, actor: Actor, *, number: str = "", why: str = "") -> Decision:
    return Decision(scope, outcome, tx.now, actor.id, actor.name, number, why)


def _nothing(members: Sequence[Member], now: datetime) -> Refused:
    """Say why there is nothing to decide."""
    made = max((member.decision for member in members if member.decision), key=lambda d: d.at, default=None)
    if made is not None:
        return TooLate("decided", said_before(made, now))
    if not members:
        return Refused("no_triage", "These alerts are no longer in the database. Wait for the next message.")
    if all(member.moved for member in members):
        return Refused("moved", "These alerts fired again. Decide in the newest message.")
    return Refused("resolved", "Nothing is left to decide: all these alerts have resolved or have an incident.")


def said_before(made: Decision, now: datetime) -> str:
    """Tell somebody whose decision comes second who was first."""
    when = at_or_on(made.at, now)
    if made.outcome is Outcome.JOINED:
        return f"{made.into.capitalize() if made.private else made.number} took these alerts {when}. Continue there."
    what = f"{made.name} {WORDS[made.outcome]} {when}"
    if made.outcome is Outcome.DECLINED:
        return f"{what}: {made.why}" + (f" (The alerts have since joined {made.into}.)" if made.number else "")
    return f"{what}: see {made.into}."

"""Alert groups that wait for a look, by the message they wait in: one of their own, or one of a storm.

A message's scope is `group:<group>:<serial>` or `storm:<storm>:<serial>`. What was decided is kept with each group,
and counts for the message that it was decided in.
"""

from __future__ import annotations

import re
from collections.abc import Collection, Mapping
from dataclasses import dataclass, replace
from typing import Any

from sqlalchemy import ColumnElement, Connection, select

from bot.incidents.digest import PACE
from bot.incidents.model import Alert, Delivery, Status
from bot.incidents.triage import Decision
from bot.store import alerts as rows
from bot.store import deliveries, storms
from bot.store.alerts import Group, Roll
from bot.store.tables import alert_groups, alerts, incidents

_SCOPE = re.compile(r"(group|storm):([0-9]{1,9}):[0-9]{1,9}")
COUNTED = 500
NO_FACTS: Mapping[str, Any] = {}


@dataclass(frozen=True, slots=True)
class Member:
    """A group of a message: its decision there, whether it still waits for one, and whether it has moved on."""

    group: Group
    decision: Decision | None
    waits: bool
    moved: bool

    @property
    def is_quiet(self) -> bool:
        """True while it was declined here and nothing has come of it since."""
        return self.decision is not None and self.decision.keeps_quiet and not self.moved


@dataclass(frozen=True, slots=True)
class Look:
    """All that a message about waiting groups shows. `channels` are those of the incidents that took them."""

    scope: str
    roll: Roll
    members: tuple[Member, ...] = ()
    channels: Mapping[str, str] | None = None
    severity: str = ""
    where: str = ""

    @property
    def waits(self) -> bool:
        """True while somebody has to decide."""
        return any(member.waits for member in self.members)

    @property
    def declined(self) -> bool:
        """True while some of its groups are quiet because they were declined, and could wait again."""
        return self.roll.counts.firing > 0 and any(member.is_quiet for member in self.members)

    @property
    def moved(self) -> bool:
        """True once its groups wait in another message."""
        return all(member.moved for member in self.members)

    @property
    def decisions(self) -> tuple[Decision, ...]:
        """What was decided, each once, the first of them first."""
        found = {member.decision for member in self.members if member.decision}
        return tuple(sorted(found, key=lambda decision: (decision.at, decision.number)))


def is_scope(text: str) -> bool:
    """True when a text from outside can name a message."""
    return _SCOPE.fullmatch(text) is not None


def is_storm(scope: str) -> bool:
    """True when many groups share the message."""
    return scope.startswith("storm:")


def scope_of(group: Group) -> str | None:
    """Name the newest message in which a group waits, or has waited."""
    if group.storm:
        return group.storm
    serial = group.data.get("triage")
    return f"group:{group.id}:{serial}" if serial else None


def decision_of(group: Group) -> Decision | None:
    """Give what was decided of a group in its newest message."""
    return _decision(group, scope_of(group))


def stands(group: Group) -> bool:
    """True when a group's newest message still speaks for it: it waits there, or was declined there."""
    decision = decision_of(group)
    return scope_of(group) is not None and (decision is None or decision.keeps_quiet)


def edit_of(group: Group) -> tuple[str, Delivery] | None:
    """Give the edit of a group's newest message, with its scope; None where it has none."""
    scope = scope_of(group)
    if scope is None:
        return None
    if is_storm(scope):
        return scope, edit(scope, wait=PACE)
    return scope, edit(scope, {"group_id": group.id, "severity": group.data.get("severity", "sev3")})


def edit(scope: str, facts: Mapping[str, Any] = NO_FACTS, wait: int = 0) -> Delivery:
    """Give the edit of a message, held back for so many seconds."""
    kind = "refresh_triage_storm" if is_storm(scope) else "refresh_triage"
    return Delivery(kind, kind, "triage", facts, needs=("triage",), coalesce=True, wait=wait)


def keep(connection: Connection, group: Group, decision: Decision) -> Group:
    """Save what was decided of a group."""
    data = {**group.data, "decided": decision.to_json()}
    rows.set_group(connection, group.id, data=data)
    return replace(group, data=data)


def forget(connection: Connection, group: Group) -> Group:
    """Have a group wait again: nothing was decided of it."""
    data = {name: value for name, value in group.data.items() if name != "decided"}
    rows.set_group(connection, group.id, data=data)
    return replace(group, data=data)


def locked(connection: Connection, group: Group) -> Group:
    """Give a group as it is now, locked."""
    return rows.group(connection, group.source, group.key, "")


def take(connection: Connection, scope: str) -> list[Member]:
    """Give a message's groups, locked: whoever else wants to decide, or to join, waits until the transaction ends."""
    _lock(connection, scope)
    if is_storm(scope):
        storms.take_scope(connection, scope)
        _lock(connection, scope)  # those too that joined meanwhile
    return members(connection, scope)


def members(connection: Connection, scope: str) -> list[Member]:
    """Give a message's groups, as they stand."""
    fires = select(alerts.c.id).where(alerts.c.group_id == alert_groups.c.id, alerts.c.closed_at.is_(None)).exists()
    query = (
        select(alert_groups, incidents.c.status.label("stands"), fires.label("fires"))
        .select_from(alert_groups.outerjoin(incidents, incidents.c.id == alert_groups.c.incident_id))
        .where(_within(scope))
        .order_by(alert_groups.c.id)
    )
    found = []
    kept = [(row, rows.group_of(row)) for row in connection.execute(query).mappings()]
    decided = {group.id: decision for _, group in kept if (decision := _decision(group, scope))}
    hidden = _private(connection, {decision.number for decision in decided.values()})
    for row, group in kept:
        decision = decided.get(group.id)
        if decision is not None and decision.number in hidden:
            decision = replace(decision, private=True)
        moved = scope_of(group) != scope
        taken = row["stands"] is not None and Status(row["stands"]).is_open
        found.append(Member(group, decision, bool(row["fires"]) and not (decision or moved or taken), moved))
    return found


def waiting(connection: Connection) -> int:
    """Count the groups that wait for somebody to decide, as far as they are among the first `COUNTED` that fire."""
    fires = select(alerts.c.id).where(alerts.c.group_id == alert_groups.c.id, alerts.c.closed_at.is_(None)).exists()
    query = select(alert_groups).where(alert_groups.c.incident_id.is_(None), fires).limit(COUNTED)
    found = (rows.group_of(row) for row in connection.execute(query).mappings())
    return sum(scope_of(group) is not None and decision_of(group) is None for group in found)


def look(connection: Connection, scope: str, severity: str = "") -> Look | None:
    """Give what a message shows; None where there is nothing to show any more."""
    found = tuple(members(connection, scope))
    if not found:
        return None
    storm = is_storm(scope)
    roll = rows.storm_roll(connection, scope) if storm else rows.group_roll(connection, found[0].group.id)
    if not roll.shown:
        return None
    numbers = {member.decision.number for member in found if member.decision and not member.decision.private}
    places = select(incidents.c.number, incidents.c.channel_id).where(incidents.c.number.in_(sorted(numbers)))
    channels = {row.number: row.channel_id for row in connection.execute(places)}
    return Look(scope, roll, found, channels, severity, where(connection, scope) if storm else "")


def where(connection: Connection, scope: str) -> str:
    """Say where a storm is, as its message does: `in cluster eu-1`."""
    first = deliveries.by_slots(connection, scope, ("triage",))
    return str(first[0].data.get("where", "")) if first else ""


def firing(connection: Connection, groups: Collection[int]) -> dict[int, list[Alert]]:
    """Give the alerts of groups that fire, by group, the longest first."""
    query = (
        select(alerts, alert_groups.c.source, alert_groups.c.group_key)
        .join(alert_groups, alert_groups.c.id == alerts.c.group_id)
        .where(alerts.c.group_id.in_(sorted(groups)), alerts.c.closed_at.is_(None))
        .order_by(alerts.c.opened_at, alerts.c.id)
    )
    found: dict[int, list[Alert]] = {group_id: [] for group_id in groups}
    for row in connection.execute(query).mappings():
        found[row["group_id"]].append(rows.alert_of(row))
    return found


def _private(connection: Connection, numbers: Collection[str]) -> set[str]:
    query = select(incidents.c.number).where(incidents.c.number.in_(sorted(numbers)), incidents.c.private.is_(True))
    return set(connection.execute(query).scalars()) if numbers else set()


def _lock(connection: Connection, scope: str) -> None:
    query = select(alert_groups.c.id).where(_within(scope)).order_by(alert_groups.c.id).with_for_update()
    connection.execute(query).all()


def _within(scope: str) -> ColumnElement[bool]:
    found = _SCOPE.fullmatch(scope)
    if found is None:
        raise ValueError(f"{scope[:60]!r} names no message.")
    return alert_groups.c.storm == scope if is_storm(scope) else alert_groups.c.id == int(found.group(2))


def _decision(group: Group, scope: str | None) -> Decision | None:
    kept = group.data.get("decided")
    return Decision.from_json(kept) if kept and kept["scope"] == scope else None

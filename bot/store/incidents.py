"""Incidents, their timeline and their timers, to rows and back."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping
from dataclasses import asdict, fields
from datetime import datetime
from functools import cache
from typing import Any

from sqlalchemy import Connection, RowMapping, bindparam, insert, select, update

from bot.incidents.away import Away
from bot.incidents.digest import Digest
from bot.incidents.heard import Heard
from bot.incidents.model import (
    OPEN_STATUSES,
    Actor,
    Event,
    Handoff,
    Incident,
    Person,
    Status,
    Task,
    TaskState,
    Timer,
    TimerKind,
)
from bot.incidents.policy import Policy, Severity
from bot.incidents.runs import Mitigation, Run
from bot.store.tables import counters, events, incidents, timers
from bot.store.upsert import upsert

_COLUMNS = tuple(f.name for f in fields(Incident) if f.name != "timers")


# Made once: building a statement anew takes longer than running it.
_BY_NUMBER = select(incidents).where(incidents.c.number == bindparam("number"))
_TO_CHANGE = _BY_NUMBER.with_for_update()
LOOKED_AT = 20  # updates, to find one that said something
_ID = select(incidents.c.id).where(incidents.c.number == bindparam("number"))
_ARMED = (
    select(timers)
    .where(timers.c.incident_id == bindparam("incident"), timers.c.state == "armed")
    .order_by(timers.c.due_at, timers.c.key)
)
_END_TIMER = (
    update(timers)
    .where(timers.c.incident_id == bindparam("incident"), timers.c.key == bindparam("name"), timers.c.state == "armed")
    .values(state=bindparam("ends_as"))
)
_DECLARE = insert(incidents)
_APPEND = insert(events).inline()
_ARM = insert(timers).inline()


@cache
def _counting(dialect: str) -> Any:
    first = upsert(dialect, counters)
    counted = first.on_conflict_do_update(index_elements=["day"], set_={"last": counters.c.last + 1})
    return counted.returning(counters.c.last)


def allocate_number(connection: Connection, now: datetime) -> str:
    """Take the next number of the UTC day; the database counts."""
    day = f"{now:%Y%m%d}"
    taken = connection.execute(_counting(connection.dialect.name), {"day": day, "last": 1}).scalar_one()
    return f"INC-{day}-{taken:03}"


def load(connection: Connection, number: str) -> Incident | None:
    """Give an incident with its armed timers."""
    row = connection.execute(_BY_NUMBER, {"number": number}).mappings().first()
    return _incident(connection, row) if row else None


def take(connection: Connection, number: str) -> Incident | None:
    """Give an incident as `load` does, to be changed: whoever else wants to waits until the transaction ends."""
    row = connection.execute(_TO_CHANGE, {"number": number}).mappings().first()
    return _incident(connection, row) if row else None


def by_channel(connection: Connection, channel_id: str) -> Incident | None:
    """Give the newest incident whose own channel this is."""
    row = (
        connection.execute(
            select(incidents).where(incidents.c.channel_id == channel_id).order_by(incidents.c.id.desc()).limit(1)
        )
        .mappings()
        .first()
    )
    return _incident(connection, row) if row and channel_id else None


def identity(connection: Connection, number: str) -> int | None:
    """Give the row's id."""
    return connection.execute(_ID, {"number": number}).scalar()


def number_of(connection: Connection, incident_id: int) -> str:
    """Give the number of a row's id."""
    return str(connection.execute(select(incidents.c.number).where(incidents.c.id == incident_id)).scalar_one())


def list_open(connection: Connection, limit: int = 50) -> list[Incident]:
    """Give the open incidents, worst and oldest first."""
    rows = (
        connection.execute(
            select(incidents)
            .where(incidents.c.status.in_([s.value for s in OPEN_STATUSES]))
            .order_by(incidents.c.severity, incidents.c.id)
            .limit(limit)
        )
        .mappings()
        .all()
    )
    return [_incident(connection, row) for row in rows]


def page(connection: Connection, *, limit: int, before: int | None, status: str | None) -> list[tuple[int, Incident]]:
    """Give incidents, newest first, with their row ids; `before` is the id that the last page ended with."""
    query = select(incidents).order_by(incidents.c.id.desc()).limit(limit)
    if before is not None:
        query = query.where(incidents.c.id < before)
    if status == "open":
        query = query.where(incidents.c.status.in_([s.value for s in OPEN_STATUSES]))
    elif status:
        query = query.where(incidents.c.status == status)
    rows = connection.execute(query).mappings().all()
    return [(row["id"], _incident(connection, row)) for row in rows]


def save_new(connection: Connection, incident: Incident, lines: Iterable[Event]) -> int:
    """Write an incident that has just been declared; gives its row's id."""
    incident_id = connection.execute(_DECLARE, _row(incident)).inserted_primary_key
    assert incident_id is not None  # noqa: S101 - an insert of one row always has a key
    _append(connection, incident_id[0], lines)
    _arm(connection, incident_id[0], incident.timers)
    return int(incident_id[0])


def save(
    connection: Connection, before: Incident, after: Incident, lines: Iterable[Event], fired: frozenset[str]
) -> int:
    """Write what a decision changed; timers that vanish become fired (where named in `fired`) or cancelled."""
    incident_id = identity(connection, before.number)
    assert incident_id is not None  # noqa: S101 - it was loaded in this transaction
    changed = _row(after, [name for name in _COLUMNS if getattr(before, name) != getattr(after, name)])
    if changed:
        connection.execute(update(incidents).where(incidents.c.id == incident_id).values(changed))
    _append(connection, incident_id, lines)
    kept = {t.key for t in after.timers}
    ended = [
        {"incident": incident_id, "name": t.key, "ends_as": "fired" if t.key in fired else "cancelled"}
        for t in before.timers
        if t.key not in kept
    ]
    if ended:
        connection.execute(_END_TIMER, ended)
    known = {t.key for t in before.timers}
    _arm(connection, incident_id, (t for t in after.timers if t.key not in known))
    return incident_id


def timeline(connection: Connection, number: str) -> tuple[Event, ...]:
    """Give an incident's events in the order of their seq."""
    rows = connection.execute(
        select(events)
        .join(incidents, incidents.c.id == events.c.incident_id)
        .where(incidents.c.number == number)
        .order_by(events.c.seq)
    ).mappings()
    return tuple(_event(row) for row in rows)


def event(connection: Connection, number: str, seq: int) -> Event | None:
    """Give one line of an incident's timeline."""
    mine = (incidents.c.number == number) & (events.c.seq == seq)
    joined = select(events).join(incidents, incidents.c.id == events.c.incident_id)
    row = connection.execute(joined.where(mine)).mappings().first()
    return _event(row) if row else None


# What people and their tools do that no message in the channel tells.
_ACTS = ("acknowledged", "role_assigned", "cadence_paused", "note", "followup_added")


def acts(connection: Connection, number: str, most: int) -> tuple[Event, ...]:
    """Return the latest of what people and their tools did without a message in the channel, newest first."""
    joined = select(events).join(incidents, incidents.c.id == events.c.incident_id)
    mine = (incidents.c.number == number) & events.c.kind.in_(_ACTS) & (events.c.actor_type == "human")
    rows = connection.execute(joined.where(mine).order_by(events.c.seq.desc()).limit(most)).mappings()
    return tuple(_event(row) for row in rows)


def last_update(connection: Connection, number: str) -> Event | None:
    """Give the last update that said something, of an incident's timeline."""
    mine = (incidents.c.number == number) & (events.c.kind == "update_posted")
    joined = select(events).join(incidents, incidents.c.id == events.c.incident_id)
    newest = joined.where(mine).order_by(events.c.seq.desc()).limit(LOOKED_AT)
    found = (_event(row) for row in connection.execute(newest).mappings())
    return next((event for event in found if not event.data.get("no_change")), None)


def armed(connection: Connection) -> list[tuple[str, datetime]]:
    """Give every armed timer as (incident number, due), earliest first."""
    rows = connection.execute(
        select(incidents.c.number, timers.c.due_at)
        .join(incidents, incidents.c.id == timers.c.incident_id)
        .where(timers.c.state == "armed")
        .order_by(timers.c.due_at)
    )
    return [(row.number, row.due_at) for row in rows]


def due(connection: Connection, now: datetime) -> list[str]:
    """Give the numbers of incidents with an armed timer whose time has come."""
    rows = connection.execute(
        select(incidents.c.number)
        .join(timers, incidents.c.id == timers.c.incident_id)
        .where(timers.c.state == "armed", timers.c.due_at <= now)
        .group_by(incidents.c.number)
    )
    return [row.number for row in rows]


def _event(row: RowMapping) -> Event:
    return Event(
        seq=row["seq"],
        occurred_at=row["occurred_at"],
        recorded_at=row["recorded_at"],
        kind=row["kind"],
        actor=Actor(row["actor_type"], row["actor_id"], row["actor_name"]),
        text=row["text"],
        data=row["data"],
        source=row["source"],
    )


def _append(connection: Connection, incident_id: int, lines: Iterable[Event]) -> None:
    rows = [
        {
            "incident_id": incident_id,
            "seq": e.seq,
            "occurred_at": e.occurred_at,
            "recorded_at": e.recorded_at,
            "kind": e.kind,
            "actor_type": e.actor.type,
            "actor_id": e.actor.id,
            "actor_name": e.actor.name,
            "text": e.text,
            "data": dict(e.data),
            "source": e.source,
        }
        for e in lines
    ]
    if rows:
        connection.execute(_APPEND, rows)


def _arm(connection: Connection, incident_id: int, new: Iterable[Timer]) -> None:
    rows = [
        {
            "incident_id": incident_id,
            "key": t.key,
            "kind": t.kind.value,
            "level": t.level,
            "due_at": t.due_at,
            "state": "armed",
        }
        for t in new
    ]
    if rows:
        connection.execute(_ARM, rows)


# How a field that is no plain value is written.
_WRITE: Mapping[str, Callable[[Any], Any]] = {
    "severity": lambda severity: severity.value,
    "status": lambda status: status.value,
    "policy": lambda policy: policy.to_json(),
    "digest": lambda digest: digest.to_json(),
    "heard": lambda heard: heard.to_json(),
    "runs": lambda runs: [run.to_json() for run in runs],
    "mitigations": lambda mitigations: [mitigation.to_json() for mitigation in mitigations],
    "handoff": lambda handoff: {**asdict(handoff), "at": handoff.at.isoformat()} if handoff else None,
    "tasks": lambda tasks: [asdict(task) for task in tasks],
    "subscribers": list,
    "away": lambda away: away.to_json() if away else None,
    "declared_by": asdict,
    "acknowledged_by": lambda actor: asdict(actor) if actor else None,
    "roles": lambda roles: {str(role): asdict(person) for role, person in roles.items()},
}


def _handoff(written: Mapping[str, Any] | None) -> Handoff | None:
    if written is None:
        return None
    people = {name: Person(**written[name]) for name in ("to", "by")}
    return Handoff(**people, at=datetime.fromisoformat(written["at"]), slot=written["slot"])


def _row(incident: Incident, columns: Iterable[str] = _COLUMNS) -> dict[str, Any]:
    values = {name: getattr(incident, name) for name in columns}
    return {name: _WRITE[name](value) if name in _WRITE else value for name, value in values.items()}


def _incident(connection: Connection, row: RowMapping) -> Incident:
    armed_rows = connection.execute(_ARMED, {"incident": row["id"]}).mappings()
    values: dict[str, Any] = {name: row[name] for name in _COLUMNS}
    values["severity"] = Severity(row["severity"])
    values["status"] = Status(row["status"])
    values["policy"] = Policy.from_json(row["policy"])
    values["digest"] = Digest.from_json(row["digest"])
    values["heard"] = Heard.from_json(row["heard"])
    values["runs"] = tuple(Run.from_json(run) for run in row["runs"])
    values["mitigations"] = tuple(Mitigation.from_json(mitigation) for mitigation in row["mitigations"])
    values["handoff"] = _handoff(row["handoff"])
    values["away"] = Away.from_json(row["away"]) if row["away"] else None
    values["tasks"] = tuple(Task(**{**task, "state": TaskState(task["state"])}) for task in row["tasks"])
    values["subscribers"] = tuple(row["subscribers"])
    values["declared_by"] = Actor(**row["declared_by"])
    values["acknowledged_by"] = Actor(**row["acknowledged_by"]) if row["acknowledged_by"] else None
    values["roles"] = {role: Person(**person) for role, person in row["roles"].items()}
    values["timers"] = tuple(Timer(t["key"], TimerKind(t["kind"]), t["due_at"], t["level"]) for t in armed_rows)
    return Incident(**values)

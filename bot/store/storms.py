"""What is remembered of families of alert groups: their rate, and their latest storm."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime

from sqlalchemy import ColumnElement, Connection, select, update

from bot.incidents.model import Status
from bot.incidents.policy import Severity
from bot.incidents.storm import Count, Mark
from bot.store.tables import incidents, storms
from bot.store.upsert import upsert


@dataclass(frozen=True, slots=True)
class Storm:
    """A family's row. `serial` counts its storms, `incident_id` is the incident that takes the latest one's groups.

    A storm of alerts that want a look has none until somebody has accepted or merged it.
    """

    id: int
    serial: int
    incident_id: int | None
    count: Count

    @property
    def scope(self) -> str:
        """Where the message of the latest storm waits, if it is one of alerts that want a look."""
        return f"storm:{self.id}:{self.serial}"


def take(connection: Connection, key: str) -> Storm:
    """Give a family's row, made if it is new: whoever else asks for it waits until the transaction ends."""
    made = upsert(connection, storms).values(key=key, recent=[], serial=0, groups=0)
    connection.execute(made.on_conflict_do_nothing(index_elements=["key"]))
    row = connection.execute(select(storms).where(storms.c.key == key).with_for_update()).mappings().one()
    count = Count(
        recent=tuple(Mark(datetime.fromisoformat(at), number) for at, number in row["recent"]),
        joined_at=row["joined_at"],
        groups=row["groups"],
        severity=Severity(row["severity"]) if row["severity"] else None,
    )
    return Storm(row["id"], row["serial"], row["incident_id"], count)


def save(connection: Connection, storm: Storm) -> None:
    """Write what has been counted."""
    count = storm.count
    connection.execute(
        update(storms)
        .where(storms.c.id == storm.id)
        .values(
            recent=[[mark.at.isoformat(), mark.number] for mark in count.recent],
            serial=storm.serial,
            incident_id=storm.incident_id,
            joined_at=count.joined_at,
            groups=count.groups,
            severity=count.severity.value if count.severity else None,
        )
    )


def take_scope(connection: Connection, scope: str) -> None:
    """Lock the row of the storm whose message this is: no group joins it until the transaction ends."""
    connection.execute(select(storms.c.id).where(storms.c.id == _id(scope)).with_for_update()).all()


def key_of(connection: Connection, scope: str) -> str:
    """Give the key under which the storm of a message was taken."""
    return str(connection.execute(select(storms.c.key).where(storms.c.id == _id(scope))).scalar_one())


def end(connection: Connection, scope: str) -> None:
    """Let no further group join the storm of a message, if it is still the family's latest."""
    connection.execute(update(storms).where(_latest(scope)).values(joined_at=None))


def go_on(connection: Connection, scope: str, incident_id: int) -> bool:
    """Let further groups of a message's storm join an incident; False where it is not the latest, or has ended."""
    rages = _latest(scope) & storms.c.joined_at.is_not(None)
    return connection.execute(update(storms).where(rages).values(incident_id=incident_id)).rowcount == 1


def incident_of(connection: Connection, incident_id: int) -> tuple[str, bool]:
    """Give the number of a storm's incident, and whether that is open, as it stands: it is not locked."""
    row = connection.execute(select(incidents.c.number, incidents.c.status).where(incidents.c.id == incident_id)).one()
    return row.number, Status(row.status).is_open


def _latest(scope: str) -> ColumnElement[bool]:
    return (storms.c.id == _id(scope)) & (storms.c.serial == int(scope.rpartition(":")[2]))


def _id(scope: str) -> int:
    return int(scope.split(":")[1])

"""The gate that alert groups pass: each opens something of its own, until they come too fast and are one storm."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace

from bot.incidents.intake import Then
from bot.incidents.model import Alert
from bot.incidents.policy import Severity
from bot.incidents.storm import ALL, Count, Course, Family, Ruling, StormPolicy, family_of, rule
from bot.store import incidents, storms, triage
from bot.store.storms import Storm
from bot.store.tx import Tx


@dataclass(frozen=True, slots=True)
class Passage:
    """What the gate says of a group, and the rows that it has counted in, as they were before.

    `own` is None for a group without a family, `everything` where a storm of its family takes it anyway.
    """

    ruling: Ruling
    family: Family
    severity: Severity
    before: tuple[str, ...]
    own: Storm | None
    everything: Storm | None

    @property
    def course(self) -> Course:
        """What the group does."""
        return self.ruling.course

    @property
    def storm(self) -> Storm:
        """The row of the storm that it begins or joins."""
        found = self.everything if self.ruling.overall else self.own
        assert found is not None  # noqa: S101 - a ruling names only what it was asked about
        return found

    @property
    def into(self) -> int | None:
        """The incident that it joins; None where it opens something of its own, or waits for a look with others."""
        return self.storm.incident_id if self.course is Course.JOIN else None


class Gate:
    """Counts groups by rows, so that it holds over all processes."""

    def __init__(self, policy: StormPolicy) -> None:
        self.policy = policy

    def ask(self, tx: Tx, kind: Then, alerts: Sequence[Alert], severity: Severity) -> Passage:
        """Rule on a group; its rows stay locked until the transaction ends. `settle` must follow."""
        family = family_of(alerts, self.policy.by)
        own = None if family == ALL else self._take(tx, kind, family)
        count = own.count if own else None
        # A storm that rages takes its groups without the row that all families share.
        joins = count is not None and count.rages(self.policy, tx.now)
        everything = None if joins else self._take(tx, kind, ALL)
        ruling = rule(count, everything.count if everything else Count(), self.policy, severity, tx.now)
        counted = everything.count if ruling.overall and everything else count or Count()
        before = tuple(mark.number for mark in counted.within(self.policy, tx.now) if mark.number)
        return Passage(ruling, ALL if ruling.overall else family, severity, before, own, everything)

    def settle(self, tx: Tx, passage: Passage, *, number: str = "", incident_id: int | None = None) -> Storm | None:
        """Save what was counted, and the incident that the group has opened; gives the storm's row as it is now."""
        begins = passage.course is Course.BEGIN
        saved: dict[bool, Storm] = {}
        for overall, row, count in (
            (False, passage.own, passage.ruling.own),
            (True, passage.everything, passage.ruling.everything),
        ):
            if row is None:
                continue
            if number and count.recent:
                count = replace(count, recent=(*count.recent[:-1], replace(count.recent[-1], number=number)))  # noqa: PLW2901
            made = replace(row, count=count)
            if begins and overall is passage.ruling.overall:
                made = replace(made, serial=row.serial + 1, incident_id=incident_id)
            storms.save(tx.connection, made)
            saved[overall] = made
        return None if passage.course is Course.OPEN else saved[passage.ruling.overall]

    def go_on(self, tx: Tx, scope: str, incident_id: int) -> bool:
        """Let an incident take what a storm of alerts that want a look still brings; False where that is over."""
        return triage.is_storm(scope) and storms.go_on(tx.connection, scope, incident_id)

    def _take(self, tx: Tx, kind: Then, family: Family) -> Storm:
        row = storms.take(tx.connection, f"{kind.value}:{family.key}")
        waits = kind is Then.TRIAGE and row.serial > 0 and row.incident_id is None  # for somebody to decide
        return replace(row, count=replace(row.count, is_open=waits or _has_open_incident(tx, row)))


def _has_open_incident(tx: Tx, storm: Storm) -> bool:
    """Tell whether a storm's incident is open, and keep it so until the transaction ends."""
    if storm.incident_id is None:
        return False
    number, stands = storms.incident_of(tx.connection, storm.incident_id)
    if not stands:  # not locked: whoever holds it may be one of its groups, and wait for the storm
        return False
    incident = incidents.take(tx.connection, number)
    return incident is not None and incident.status.is_open

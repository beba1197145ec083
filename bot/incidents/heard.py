"""What people have heard that an incident is about, so that nothing new among its alerts is swallowed. Pure."""

from __future__ import annotations

import hashlib
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, replace
from datetime import datetime
from typing import Any, Self

from bot.incidents.policy import Severity

KINDS = 1_000  # kinds of trouble that are remembered; the oldest are forgotten first
WAITING = 20  # kinds that are named in one message


@dataclass(frozen=True, slots=True)
class Joined:
    """An alert that joins an open incident and that no rule silences.

    `kind` names the trouble for people: `PostgresDown on postgres`. `declares` says that its rule asks for an incident
    of this severity, and not only for a look.
    """

    kind: str
    severity: Severity
    declares: bool


@dataclass(frozen=True, slots=True)
class Heard:
    """What an incident's alerts have told so far.

    `severity` is the worst that a rule has said of them: what people have lowered stays low. `kinds` holds digests
    of the kinds of trouble that people know of. `waiting` names those that the next message will tell, and `told_at`
    is the moment of the last one.
    """

    severity: Severity | None = None
    kinds: tuple[str, ...] = ()
    waiting: tuple[str, ...] = ()
    more: int = 0
    loud: bool = False
    told_at: datetime | None = None
    of_all: bool = False

    @classmethod
    def of(cls, alerts: Iterable[Joined], *, of_all: bool = False) -> Self:
        """Return what an incident that opens for these alerts tells by that."""
        return cls(of_all=of_all).with_known(alerts)

    def worse(self, alerts: Iterable[Joined]) -> Severity | None:
        """Return the worst severity that a rule says of the alerts, where that is worse than all before."""
        worst = _worst(alerts)
        return worst if worst and (self.severity is None or worst.value < self.severity.value) else None

    def unknown(self, alerts: Iterable[Joined]) -> tuple[Joined, ...]:
        """Return the alerts whose kind people have not heard of, the worst of each kind."""
        if self.of_all:
            return ()
        known, found = set(self.kinds), dict[str, Joined]()
        for alert in sorted(alerts, key=lambda each: (not each.declares, each.severity.value)):
            if _digest(alert.kind) not in known:
                found.setdefault(alert.kind, alert)
        return tuple(found.values())

    def with_known(self, alerts: Iterable[Joined]) -> Self:
        """Return it with these alerts taken for known."""
        alerts = tuple(alerts)
        return self.with_all_of(type(self)(_worst(alerts), tuple(_digest(alert.kind) for alert in alerts)))

    def with_all_of(self, other: Self) -> Self:
        """Return it with what another incident's people know taken for known."""
        worst = min((s for s in (self.severity, other.severity) if s), key=lambda s: s.value, default=None)
        kinds = dict.fromkeys([*self.kinds, *other.kinds])
        return replace(self, severity=worst, kinds=tuple(kinds)[-KINDS:], of_all=self.of_all or other.of_all)

    def with_waiting(self, alerts: Iterable[Joined]) -> Self:
        """Return it with these kinds waiting for the next message."""
        alerts = tuple(alerts)
        names = (*self.waiting, *(alert.kind for alert in alerts))
        loud = self.loud or any(alert.declares for alert in alerts)
        return replace(self, waiting=names[:WAITING], more=self.more + max(len(names) - WAITING, 0), loud=loud)

    def told(self, now: datetime) -> Self:
        """Return it with nothing waiting."""
        return replace(self, waiting=(), more=0, loud=False, told_at=now)

    def to_json(self) -> dict[str, Any] | None:
        """Return a JSON-ready copy; None where no alert has told anything."""
        if self == type(self)():
            return None
        return {
            "severity": self.severity.value if self.severity else None,
            "kinds": list(self.kinds),
            "waiting": list(self.waiting),
            "more": self.more,
            "loud": self.loud,
            "told_at": self.told_at.isoformat() if self.told_at else None,
            "of_all": self.of_all,
        }

    @classmethod
    def from_json(cls, data: Mapping[str, Any] | None) -> Self:
        """Return what `to_json` wrote."""
        if data is None:
            return cls()
        return cls(
            severity=Severity(data["severity"]) if data["severity"] else None,
            kinds=tuple(data["kinds"]),
            waiting=tuple(data["waiting"]),
            more=data["more"],
            loud=data["loud"],
            told_at=datetime.fromisoformat(data["told_at"]) if data["told_at"] else None,
            of_all=data["of_all"],
        )


def _worst(alerts: Iterable[Joined]) -> Severity | None:
    return min((alert.severity for alert in alerts), key=lambda s: s.value, default=None)


def _digest(kind: str) -> str:
    return hashlib.blake2b(kind.encode(), digest_size=5).hexdigest()

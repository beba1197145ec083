"""What alerts do, counted: however many of them change, the timeline and the card hear of it in bounded numbers."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field, replace
from datetime import datetime, timedelta
from typing import Any

LINES = 20  # changes that are told one by one, and edits of the card that are made at once, in a window
WINDOW = timedelta(minutes=10)
PACE = 5  # seconds between edits of the card beyond those
NAMES = 20  # alert names that are counted each for itself
NAMED = 5  # of them, in a line

Counts = tuple[int, int]  # fired, resolved


@dataclass(frozen=True, slots=True)
class Change:
    """An alert of this name fired, or else was resolved; `flaps` where that is no news."""

    name: str
    fired: bool
    flaps: bool = False


@dataclass(frozen=True, slots=True)
class Digest:
    """A window of an incident's alert changes.

    `loud` counts those that do not flap; in a `crowded` window none is told by itself. `tally` counts, by alert name,
    those that have not been told; the empty name stands for all names beyond the first. `flapping` holds the names
    among them that flap, `left_out` how many alerts their source did not name. `edits` counts edits of the card.
    """

    since: datetime | None = None
    loud: int = 0
    edits: int = 0
    crowded: bool = False
    tally: Mapping[str, Counts] = field(default_factory=dict)
    flapping: tuple[str, ...] = ()
    left_out: int = 0

    @property
    def room(self) -> int:
        """How many more changes are told one by one in this window."""
        return 0 if self.crowded else max(LINES - self.loud, 0)

    @property
    def pause(self) -> int:
        """How many seconds the next edit of the card waits, so that what comes meanwhile goes along."""
        return PACE if self.crowded or self.edits >= LINES else 0

    def at(self, now: datetime) -> Digest:
        """Give the window that a change falls into: a new one, where the last is over and all of it has been told."""
        over = self.since is None or now - self.since >= WINDOW
        return Digest(since=now) if over and not self.waits else self

    @property
    def waits(self) -> bool:
        """True while something has not been told."""
        return bool(self.tally or self.left_out)

    def is_due(self, now: datetime) -> bool:
        """True when what has not been told should have been."""
        return self.waits and self.since is not None and now - self.since >= WINDOW

    def counted(self, changes: Iterable[Change]) -> Digest:
        """Count changes."""
        tally = {name: list(counts) for name, counts in self.tally.items()}
        flapping, loud = set(self.flapping), self.loud
        for change in changes:
            name = change.name if change.name in tally or len(tally) < NAMES else ""
            tally.setdefault(name, [0, 0])[0 if change.fired else 1] += 1
            if not change.flaps:
                loud += 1
            elif name:
                flapping.add(name)
        counts = {name: (fired, resolved) for name, (fired, resolved) in tally.items()}
        return replace(self, loud=loud, tally=counts, flapping=tuple(sorted(flapping)))

    def told(self, now: datetime) -> Digest:
        """Begin the next window after all has been told; after one that had too much, it tells nothing by itself."""
        return Digest(since=now, crowded=self.loud > LINES)

    @property
    def totals(self) -> Counts:
        """How many fired and how many were resolved."""
        return sum(fired for fired, _ in self.tally.values()), sum(over for _, over in self.tally.values())

    def text(self, lead: str) -> str:
        """Say it in a line: `In 10 min 480 alerts fired, 20 resolved: Down 300 fired; Slow 180 fired, 20 resolved`."""
        fired, resolved = self.totals
        said = _counts(fired, resolved, " alert") if self.tally else ""
        ranked = sorted((item for item in self.tally.items() if item[0]), key=lambda item: (-sum(item[1]), item[0]))
        names = "; ".join(f"{name} {_counts(*counts)}" for name, counts in ranked[:NAMED])
        more = len(ranked) - NAMED
        others = f"; and {more} more names" if more > 0 else "; and others" if "" in self.tally else ""
        parts = [f"{lead} {said}: {names}{others}".lstrip()] if said else []
        if self.flapping:
            parts.append(f"Flapping: {', '.join(self.flapping[:NAMED])}")
        if self.left_out:
            parts.append(left_out(self.left_out))
        return ". ".join(parts)

    def data(self) -> dict[str, Any]:
        """Give the counts for an event's data."""
        fired, resolved = self.totals
        made: dict[str, Any] = {
            "fired": fired,
            "resolved": resolved,
            "names": {name or "others": list(counts) for name, counts in self.tally.items()},
        }
        if self.flapping:
            made["flapping"] = list(self.flapping)
        if self.left_out:
            made["left_out"] = self.left_out
        return made

    def to_json(self) -> dict[str, Any] | None:
        """Give a JSON-ready copy; None where nothing has changed yet."""
        if self.since is None:
            return None
        return {
            "since": self.since.isoformat(),
            "loud": self.loud,
            "edits": self.edits,
            "crowded": self.crowded,
            "tally": {name: list(counts) for name, counts in self.tally.items()},
            "flapping": list(self.flapping),
            "left_out": self.left_out,
        }

    @classmethod
    def from_json(cls, data: Mapping[str, Any] | None) -> Digest:
        """Read what `to_json` wrote."""
        if data is None:
            return cls()
        return cls(
            since=datetime.fromisoformat(data["since"]),
            loud=data["loud"],
            edits=data["edits"],
            crowded=data["crowded"],
            tally={name: (fired, resolved) for name, (fired, resolved) in data["tally"].items()},
            flapping=tuple(data["flapping"]),
            left_out=data["left_out"],
        )


def left_out(count: int) -> str:
    """Say that a notification was cut short at its source."""
    return f"Alertmanager left {count:,} more alert{'s' if count > 1 else ''} out of its notification"


def _counts(fired: int, resolved: int, what: str = "") -> str:
    parts = [(fired, "fired"), (resolved, "resolved")]
    told = [(count, verb) for count, verb in parts if count]
    first = [f"{count:,}{what}{'s' if what and count > 1 else ''} {verb}" for count, verb in told[:1]]
    return ", ".join([*first, *(f"{count:,} {verb}" for count, verb in told[1:])])

"""Which alerts of one group share its incident, and which get one of their own. Pure.

A route that groups by namespace, or by nothing, puts one service's outage under the key of another's. Alerts that come
together share an incident: they probably have one cause. A service that starts to fail later gets an incident of its
own, under a key of its own.
"""

from __future__ import annotations

import hashlib
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from datetime import timedelta
from typing import Any, Self

from bot.incidents.model import Alert

TOGETHER_FOR = timedelta(minutes=10)  # from the incident's declaration: two group intervals of Alertmanager
PLACES = 200  # that a group remembers
LONGEST = 200  # characters of a place in a key

Placed = tuple[Alert, str]


@dataclass(frozen=True, slots=True)
class Parting:
    """What a group remembers: the places whose alerts share its own incident, and those that stand apart from it."""

    together: tuple[str, ...] = ()
    apart: tuple[str, ...] = ()

    @classmethod
    def of(cls, data: Mapping[str, Any]) -> Self:
        """Return what a group's data say."""
        return cls(tuple(data.get("together") or ()), tuple(data.get("apart") or ()))

    def to_json(self) -> dict[str, Any]:
        """Return it for the group's data."""
        return {"together": list(self.together), "apart": list(self.apart)}

    def part(self, begun: Iterable[Placed], *, settled: bool) -> tuple[Self, dict[str | None, list[Alert]]]:
        """Sort alerts that have begun by the place whose incident they belong to; None is the group's own.

        `settled` says that the group's incident has been open for a while, so that another place is another trouble.
        """
        together = list(self.together) if settled else []
        apart = list(self.apart)
        found: dict[str | None, list[Alert]] = {}
        for alert, place in begun:
            if place in apart:
                found.setdefault(place, []).append(alert)
            elif place in together or not settled or not together or len(apart) >= PLACES:
                if place not in together and len(together) < PLACES:
                    together.append(place)
                found.setdefault(None, []).append(alert)
            else:
                apart.append(place)
                found.setdefault(place, []).append(alert)
        kept = together or self.together
        return type(self)(tuple(kept), tuple(apart)), found


def key_of(group_key: str, place: str) -> str:
    """Return the key under which a place of a group stands apart."""
    if len(place) > LONGEST:
        place = f"{place[:LONGEST]}#{hashlib.sha256(place.encode()).hexdigest()}"
    return f"{group_key} [{place}]"

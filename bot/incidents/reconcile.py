"""Our alerts beside those that their source reports: where the two differ, and since when."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from enum import StrEnum

from bot.incidents.model import Status


class Flag(StrEnum):
    """How an alert differs from what its source reports.

    `missed`: it fires with us, the source has it no longer, and no word of its end has come. `still`: it is over with
    us and fires at the source. `outlived`: it fires with us and at the source, but its incident is over.
    """

    MISSED = "missed"
    STILL = "still"
    OUTLIVED = "outlived"


OVER = frozenset({Status.RESOLVED, Status.CLOSED})


@dataclass(frozen=True, slots=True)
class Reported:
    """An alert as its source has it now. A `muted` one (silenced, inhibited) fires, but nobody is notified of it.

    One that is not `active` yet has not been handed to its receivers.
    """

    fingerprint: str
    labels: Mapping[str, str]
    muted: bool = False
    active: bool = True
    receivers: tuple[str, ...] = ()
    starts_at: datetime | None = None
    annotations: Mapping[str, str] = field(default_factory=dict)
    url: str = ""


@dataclass(frozen=True, slots=True)
class Look:
    """What a source reports at a moment. With `problems` it is not everything: what is absent may fire all the same."""

    reported: tuple[Reported, ...] = ()
    problems: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True)
class Held:
    """An occurrence as we have it; `incident_status` is None where it belongs to no incident."""

    id: int
    fingerprint: str
    labels: Mapping[str, str]
    is_open: bool
    flag: Flag | None = None
    incident_status: Status | None = None
    begun_at: datetime | None = None
    ended_at: datetime | None = None


def compare(held: Iterable[Held], look: Look) -> dict[int, Flag | None]:
    """Say for each occurrence how it differs, or None where both sides agree; by id, in ascending order.

    What the look leaves open is not in the answer. Alerts that only the source has are none of ours. Of one alert's
    occurrences that are over the newest speaks, and none of them while another one is open.
    """
    by_fingerprint = {r.fingerprint: r for r in look.reported}
    # A fingerprint is a digest of the labels; one that was made elsewhere is known by the labels themselves.
    by_labels = {frozenset(r.labels.items()): r for r in look.reported if r.labels}
    rows = sorted(held, key=lambda row: row.id)
    is_open = {row.fingerprint for row in rows if row.is_open}
    newest = {row.fingerprint: row.id for row in rows}
    found: dict[int, Flag | None] = {}
    for row in rows:
        there = by_fingerprint.get(row.fingerprint) or by_labels.get(frozenset(row.labels.items()))
        if there is None and look.problems:
            continue
        if row.is_open:
            found[row.id] = _open(row, there)
        elif row.fingerprint not in is_open and newest[row.fingerprint] == row.id:
            anew = there is not None and is_later(there, row.ended_at)  # not this one: another that never reached us
            found[row.id] = Flag.STILL if there and not there.muted and not anew else None
    return found


def is_later(alert: Reported, moment: datetime | None) -> bool:
    """Tell whether an alert is known to have begun after a moment."""
    return alert.starts_at is not None and moment is not None and alert.starts_at > moment


def _open(row: Held, there: Reported | None) -> Flag | None:
    if there is None:
        return Flag.MISSED
    return Flag.OUTLIVED if row.incident_status in OVER and not there.muted else None


@dataclass(frozen=True, slots=True)
class Since:
    """A difference and the moment of the look that saw it first."""

    flag: Flag
    at: datetime


def remember(
    found: Mapping[int, Flag | None], earlier: Mapping[int, Since], held: Iterable[int], now: datetime
) -> dict[int, Since]:
    """Bring up to date since when each difference lasts; one that a look leaves open lasts on while it is `held`."""
    lasting = {id_: earlier[id_] for id_ in held if id_ in earlier and id_ not in found}
    for id_, flag in found.items():
        if flag is not None:
            known = earlier.get(id_)
            lasting[id_] = known if known and known.flag is flag else Since(flag, now)
    return lasting


def ripe(found: Mapping[int, Flag | None], since: Mapping[int, Since], now: datetime, after: timedelta) -> set[int]:
    """Give the differences that have lasted, so that a notification under way is not overtaken."""
    return {id_ for id_, flag in found.items() if flag is not None and now - since[id_].at >= after}

"""Storms and flapping: when many alert groups are one incident, and when an alert that fires again is no news. Pure.

A storm is a rate: past so many groups of one family (a cluster, else a service) within a while, the next ones join one
incident instead of opening channels. A rate over all families bounds the number of channels whatever the labels say.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, replace
from datetime import datetime, timedelta
from enum import StrEnum

from bot.incidents.model import Alert
from bot.incidents.policy import Severity
from bot.incidents.subject import subject_of

LONGEST_NAME = 80  # characters of a value in a text
ABOUT = frozenset({"service", "namespace", "pod", "node", "instance"})  # labels that an exporter has for itself too
LONGEST_KEY = 200  # characters; values that differ only after them are one family


@dataclass(frozen=True, slots=True)
class StormPolicy:
    """How many groups within a while are a storm.

    More than `over` of one family or `overall` of all of them within `within` are. `by` lists the labels that make a
    family, the first that a group has counts. A storm that no group has joined for `join_for` is over.
    """

    over: int = 5
    overall: int = 20
    within: timedelta = timedelta(minutes=5)
    by: tuple[str, ...] = ("cluster", "service")
    join_for: timedelta = timedelta(minutes=30)


@dataclass(frozen=True, slots=True)
class Family:
    """Groups that probably have one cause; without a label, all groups there are."""

    label: str = ""
    value: str = ""

    @property
    def key(self) -> str:
        """What tells it from other families."""
        return f"{self.label}={self.value}"[:LONGEST_KEY]

    @property
    def where(self) -> str:
        """Say where it is: `in cluster eu-1`."""
        value = self.value if len(self.value) <= LONGEST_NAME else f"{self.value[: LONGEST_NAME - 1]}…"
        return f"in {self.label} {value}" if self.label else "across services"


ALL = Family()


def family_of(alerts: Sequence[Alert], by: Iterable[str]) -> Family:
    """Give a group's family: the first label of `by` that all its alerts share; else `ALL`.

    Labels that say what an alert is about, such as `service`, count only where they do: an exporter is no family.
    """
    subjects = [subject_of(alert) for alert in alerts]
    for label in by:
        if label in ABOUT:
            values = {str(getattr(subject, label)) for subject in subjects}
        else:
            values = {alert.labels.get(label, "") for alert in alerts}
        if len(values) == 1 and (value := values.pop()):
            return Family(label, value)
    return ALL


@dataclass(frozen=True, slots=True)
class Mark:
    """A group that was let through to something of its own: when, and the number of its incident, if it got one."""

    at: datetime
    number: str = ""


@dataclass(frozen=True, slots=True)
class Count:
    """What is remembered of a family: its latest groups, at most as many as the rate; and its latest storm.

    `is_open` says that the storm has somewhere to join: its incident is open. `severity` is the worst that joined.
    """

    recent: tuple[Mark, ...] = ()
    is_open: bool = False
    joined_at: datetime | None = None
    groups: int = 0
    severity: Severity | None = None

    def rages(self, policy: StormPolicy, now: datetime) -> bool:
        """True while new groups join the storm."""
        return self.is_open and self.joined_at is not None and now - self.joined_at <= policy.join_for

    def within(self, policy: StormPolicy, now: datetime) -> tuple[Mark, ...]:
        """Give the groups that count towards the rate."""
        return tuple(mark for mark in self.recent if now - mark.at < policy.within)

    def counted(self, rate: int, now: datetime) -> Count:
        """Count a group that comes now."""
        return replace(self, recent=(*self.recent, Mark(now))[-rate:])

    def joined(self, severity: Severity, now: datetime, *, begins: bool) -> Count:
        """Let a group into the storm."""
        before = None if begins else self.severity
        return replace(
            self,
            is_open=True,
            joined_at=now,
            groups=1 if begins else self.groups + 1,
            severity=severity if before is None else min(before, severity, key=lambda s: s.value),
        )


class Course(StrEnum):
    """What a group does: opens something of its own, begins a storm, or joins one."""

    OPEN = "open"
    BEGIN = "begin"
    JOIN = "join"


@dataclass(frozen=True, slots=True)
class Ruling:
    """What a group does, in its own family's storm or (`overall`) in that of all; and both counts afterwards."""

    course: Course
    own: Count
    everything: Count
    overall: bool = False


def rule(own: Count | None, everything: Count, policy: StormPolicy, severity: Severity, now: datetime) -> Ruling:
    """Decide what a group does; `own` is None for one without a family.

    A family counts every group, so that a storm whose incident was resolved too early begins anew at once. Over all
    families only those count that would open something: another family's storm, however large, is one thing.
    """
    family = (own or Count()).counted(policy.over, now)
    if own is not None and own.rages(policy, now):
        return Ruling(Course.JOIN, family.joined(severity, now, begins=False), everything)
    total = everything.counted(policy.overall, now)
    if everything.rages(policy, now):
        return Ruling(Course.JOIN, family, total.joined(severity, now, begins=False), overall=True)
    if len(everything.within(policy, now)) >= policy.overall:
        return Ruling(Course.BEGIN, family, total.joined(severity, now, begins=True), overall=True)
    if own is not None and len(own.within(policy, now)) >= policy.over:
        return Ruling(Course.BEGIN, family.joined(severity, now, begins=True), total)
    return Ruling(Course.OPEN, family, total)


def is_worse(severity: Severity, before: Severity | None) -> bool:
    """True when a group is worse than all that joined the storm before: what people have lowered stays low else."""
    return before is not None and severity.value < before.value


@dataclass(frozen=True, slots=True)
class FlapPolicy:
    """When an alert flaps: it has begun more than `over` times within `within`.

    One that flaps and fires again within `hold` after its incident was resolved is noted there; if it still fires when
    the hold is over, the incident reopens.
    """

    over: int = 3
    within: timedelta = timedelta(hours=1)
    hold: timedelta = timedelta(minutes=15)


def flapping(begun: Mapping[str, int], policy: FlapPolicy) -> frozenset[str]:
    """Give the fingerprints that flap, of those that have begun so many times within the policy's while."""
    return frozenset(fingerprint for fingerprint, times in begun.items() if times > policy.over)

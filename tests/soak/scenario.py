"""What a soak does: how large it is, and what happens to each incident. Drawn from a seed, which a run prints."""

from __future__ import annotations

import os
import random
from dataclasses import dataclass, replace
from enum import StrEnum

LEVELS = ("On-call SRE", "SRE Team Lead", "Engineering Manager", "VP Engineering")
PEOPLE = ("alice", "bob", "charlie", "dana")  # by level


class Verb(StrEnum):
    """What people and Alertmanager do to an incident once it is there."""

    ACK = "ack"
    NOTE = "note"
    UPDATE = "update"
    LEAD = "lead"
    STATUS = "status"
    PAUSE = "pause"
    RESOLVE = "resolve"
    REPEAT = "repeat"


@dataclass(frozen=True, slots=True)
class Size:
    """How large a soak is; all times in seconds.

    Incidents begin over the first two thirds of `seconds`, in which a replica is killed every `kill_every`. `after`
    are the ladder's offsets. What is late by less than `late` may still come, so that nothing is said of it.
    """

    seconds: float
    incidents: int
    kill_every: float
    after: tuple[int, int, int, int]
    update_every: int
    late: float = 60.0

    @property
    def config(self) -> str:
        """The configuration: a short ladder and cadence, and no storm however many come."""
        rungs = "\n".join(
            f"    - {{after: {after}s, name: {name}, slack: [{who}@example.com]}}"
            for after, name, who in zip(self.after, LEVELS, PEOPLE, strict=True)
        )
        return f"""
severities: {{sev2: {{update_every: {self.update_every}s}}}}
storms: {{over: 100000, overall: 100000}}
ladders:
  default:
{rungs}
"""


SHORT = Size(seconds=8, incidents=24, kill_every=2, after=(0, 1, 2, 4), update_every=4)
FULL = Size(seconds=60, incidents=200, kill_every=4, after=(0, 2, 5, 9), update_every=20)


def full() -> Size:
    """Give the full size, as SITREP_SOAK_SECONDS, _INCIDENTS and _KILL_EVERY change it."""

    def asked(name: str, default: float) -> float:
        return float(os.environ.get(f"SITREP_SOAK_{name}", default))

    return replace(
        FULL,
        seconds=asked("SECONDS", FULL.seconds),
        incidents=int(asked("INCIDENTS", FULL.incidents)),
        kill_every=asked("KILL_EVERY", FULL.kill_every),
    )


def chosen_seed() -> int:
    """Give the seed that SITREP_SOAK_SEED names, or any."""
    return int(os.environ.get("SITREP_SOAK_SEED") or random.randrange(1_000_000))


@dataclass(frozen=True, slots=True)
class Act:
    """Something done to an incident, `wait` seconds after what was done before."""

    wait: float
    verb: Verb
    user: str = "bob"


@dataclass(frozen=True, slots=True)
class Story:
    """One incident: `mark` is a word that only its title holds.

    It begins at `at` seconds, by a webhook (that of two Alertmanager peers at once, with `peers`) or by a command.
    """

    mark: str
    at: float
    by_webhook: bool
    peers: bool
    acts: tuple[Act, ...]
    left_open: bool


def stories(size: Size, dice: random.Random) -> list[Story]:
    """Draw what happens to the incidents."""
    return [
        Story(
            mark=f"soak-{number:04}",
            at=dice.uniform(0, size.seconds * 2 / 3),
            by_webhook=(webhook := dice.random() < 0.5),
            peers=webhook and dice.random() < 0.3,
            acts=tuple(_acts(size, dice, webhook=webhook)),
            left_open=dice.random() < 0.1,
        )
        for number in range(size.incidents)
    ]


def _acts(size: Size, dice: random.Random, *, webhook: bool) -> list[Act]:
    """Draw one of: nobody comes; somebody acknowledges; it is worked on to its end; it is over soon."""

    def soon() -> float:
        return dice.uniform(0.1, size.seconds / 6)

    def act(verb: Verb) -> Act:
        return Act(soon(), verb, dice.choice(PEOPLE[1:]))

    kind = dice.choices(("alone", "acknowledged", "worked on", "over soon"), (40, 25, 25, 10))[0]
    if kind == "alone":
        made = [act(Verb.NOTE) for _ in range(dice.randrange(3))]
    elif kind == "acknowledged":
        made = [act(Verb.ACK), *(act(dice.choice((Verb.NOTE, Verb.UPDATE))) for _ in range(dice.randrange(3)))]
    elif kind == "worked on":
        middle = [act(verb) for verb in (Verb.ACK, Verb.LEAD, Verb.UPDATE, Verb.STATUS, Verb.NOTE, Verb.UPDATE)]
        dice.shuffle(middle)
        made = [*middle, *([act(Verb.RESOLVE)] if dice.random() < 0.7 else [])]
    else:
        made = [act(Verb.RESOLVE)]
    if webhook:
        for _ in range(dice.randrange(3)):
            made.insert(dice.randrange(len(made) + 1), act(Verb.REPEAT))
    return made

"""How runbooks are worked through: runs, completion, what is skipped, and how long steps take. Pure."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass
from datetime import timedelta
from statistics import median

from bot.incidents.runs import Done, Run

KEEP = timedelta(days=90)  # how far back is looked
MOST = 500  # runs that are looked at, the newest


@dataclass(frozen=True, slots=True)
class StepTold:
    """One step over all runs. `seconds` is the median from what was ticked before, or from the posting."""

    number: int
    done: int
    skipped: int
    seconds: float | None


@dataclass(frozen=True, slots=True)
class Execution:
    """All runs of a runbook. `completed` counts those without an open step; `completion` is the mean share of steps."""

    runs: int
    completed: int
    completion: float | None
    steps: tuple[StepTold, ...]


def summed_up(runs: Sequence[Run]) -> Execution:
    """Sum up the runs of one runbook, whatever their versions: steps are told by their numbers."""
    shares = [len(run.ticks) / run.total for run in runs if run.total]
    numbers = range(1, max((run.total for run in runs), default=0) + 1)
    took: dict[int, list[float]] = {number: [] for number in numbers}
    for run in runs:
        for number, seconds in durations(run):
            took.setdefault(number, []).append(seconds)
    return Execution(
        runs=len(runs),
        completed=sum(run.next_step is None for run in runs),
        completion=sum(shares) / len(shares) if shares else None,
        steps=tuple(
            StepTold(
                number,
                _count(runs, number, Done.DONE),
                _count(runs, number, Done.SKIPPED),
                median(took[number]) if took[number] else None,
            )
            for number in numbers
        ),
    )


def durations(run: Run) -> Iterator[tuple[int, float]]:
    """Give how many seconds each step that is done has taken, in the order in which they were ticked."""
    before = run.posted_at
    for number, tick in sorted(run.ticks.items(), key=lambda item: (item[1].at, item[0])):
        if tick.state is Done.DONE:
            yield number, max((tick.at - before).total_seconds(), 0.0)
        before = max(tick.at, before)


def _count(runs: Iterable[Run], number: int, state: Done) -> int:
    return sum(number in run.ticks and run.ticks[number].state is state for run in runs)

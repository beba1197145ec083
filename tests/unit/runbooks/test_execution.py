from __future__ import annotations

from datetime import timedelta

from bot.incidents.runs import Done, Run, Tick
from bot.runbooks.execution import Execution, StepTold, summed_up
from tests.unit.runbooks.sheets import NOW


def run(total: int, **ticks: tuple[Done, int]) -> Run:
    """Give a run whose steps were ticked so many seconds after it was posted."""
    made = {
        int(name[1:]): Tick(state, "U1", "Alice", NOW + timedelta(seconds=after))
        for name, (state, after) in ticks.items()
    }
    return Run("ops.one", "v1", "One", "SRE", total, "runbook", NOW, ticks=made)


def test_runs_are_summed_up_by_step() -> None:
    """Runs, those that were finished, the share of steps; each step's time counts from the tick before it."""
    whole = run(2, s1=(Done.DONE, 60), s2=(Done.DONE, 100))
    half = run(2, s2=(Done.SKIPPED, 30))
    later = run(2, s2=(Done.DONE, 30), s1=(Done.DONE, 50))
    assert summed_up([whole, half, later]) == Execution(
        runs=3, completed=2, completion=2.5 / 3, steps=(StepTold(1, 2, 0, 40.0), StepTold(2, 2, 1, 35.0))
    )


def test_no_run_is_no_fault() -> None:
    """A runbook that was never posted has no steps to tell of."""
    assert summed_up([]) == Execution(0, 0, None, ())

"""`python -m tests.bench`: measures the real service and prints one Markdown table of medians."""

from __future__ import annotations

import argparse
import sys
import tempfile
import time
from collections.abc import Mapping, Sequence
from contextlib import ExitStack
from pathlib import Path
from statistics import median

from tests.bench import table
from tests.bench.scenes import ONCE, SCENES, Figures, references
from tests.bench.stage import NAMES, databases, stage

CLOSED = 10_000
# What `make bench` plays, so that it takes 20 minutes; a database or scenes that are named get all columns.
BRIEF = {"sqlite": tuple(SCENES), "postgresql": ("ingest", "opening", "bursts", "timers")}


def main() -> None:
    parser = argparse.ArgumentParser(prog="python -m tests.bench", description=__doc__)
    parser.add_argument("--rows", default="", help=f"only these scenes, with commas: {', '.join(SCENES)}")
    parser.add_argument("--database", choices=NAMES, help="only this one, and all scenes of it")
    parser.add_argument("--closed", type=int, default=CLOSED, help="closed incidents of the second column; 0: none")
    parser.add_argument("--runs", type=int, default=3, help="how often each scene is played; figures are medians")
    parser.add_argument("--scale", type=float, default=1.0, help="a fraction of the load, to try the bench itself")
    parser.add_argument("--write", type=Path, help="a Markdown file to put the table into, between its marks")
    chosen = parser.parse_args()
    rows = tuple(filter(None, chosen.rows.split(",")))
    plan: dict[tuple[str, int], Sequence[str]] = {}
    for kind in [chosen.database] if chosen.database else NAMES:
        plan[kind, 0] = rows or (tuple(SCENES) if chosen.database else BRIEF[kind])
        if chosen.closed and (rows or chosen.database or kind == "sqlite"):
            plan[kind, chosen.closed] = plan[kind, 0]
    made = bench(plan, runs=chosen.runs, scale=chosen.scale)
    if chosen.write:
        table.write(chosen.write, made)
    else:
        sys.stdout.write(made)


def bench(plan: Mapping[tuple[str, int], Sequence[str]], *, runs: int, scale: float) -> str:
    """Play scenes on each kind of database with so many closed incidents in it, and give the table."""
    figures: dict[tuple[str, int], Figures] = {column: {} for column in plan}
    with tempfile.TemporaryDirectory(prefix="sitrep-bench-") as name, ExitStack() as stack:
        folder = Path(name)
        made = {kind: stack.enter_context(databases(kind, folder)) for kind in dict.fromkeys(kind for kind, _ in plan)}
        if any("ingest" in scenes for scenes in plan.values()):
            figures[next(iter(plan))] |= references(folder, runs, scale)
        for scene in SCENES:
            columns = [column for column, scenes in plan.items() if scene in scenes]
            played: dict[tuple[str, int], list[Figures]] = {column: [] for column in columns}
            begun = time.monotonic()
            # By turns, so that a machine that is slower for a while is so for all columns.
            for _ in range(1 if scene in ONCE else runs):
                for kind, closed in columns:
                    with stage(made[kind], folder, closed=closed, scale=scale) as set_up:
                        played[kind, closed].append(SCENES[scene](set_up))
            for column, all_ in played.items():
                figures[column] |= {name: median(each[name] for each in all_) for name in all_[0]}
            sys.stderr.write(f"{scene}: {time.monotonic() - begun:.0f} s\n")
    heads = {column: _head(*column) for column in plan}
    beside = {heads[kind, closed]: heads[kind, 0] for kind, closed in plan if closed and (kind, 0) in plan}
    return table.render([(heads[column], figures[column]) for column in plan], beside)


def _head(kind: str, closed: int) -> str:
    return f"{NAMES[kind]}, {closed:,} closed" if closed else NAMES[kind]


if __name__ == "__main__":
    main()

"""`python -m tests.bench`: measures the real service and prints one Markdown table of medians."""

from __future__ import annotations

import argparse
import sys
import tempfile
import time
from collections.abc import Mapping, Sequence
from contextlib import ExitStack
from pathlib import Path

from tests.bench import table
from tests.bench.scenes import SCENES, Figures, references
from tests.bench.stage import NAMES, databases, stage

CLOSED = 10_000
# What `make bench` plays, so that it takes minutes; a database or scenes that are named get all columns.
BRIEF = {"sqlite": tuple(SCENES), "postgresql": ("ingest", "opening", "bursts", "timers")}


def main() -> None:
    parser = argparse.ArgumentParser(prog="python -m tests.bench", description=__doc__)
    parser.add_argument("--rows", default="", help=f"only these scenes, with commas: {', '.join(SCENES)}")
    parser.add_argument("--database", choices=NAMES, help="only this one, and all scenes of it")
    parser.add_argument("--closed", type=int, default=CLOSED, help="closed incidents of the second column; 0: none")
    parser.add_argument("--runs", type=int, default=3, help="runs that each figure is the median of")
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
    columns: list[tuple[str, Figures]] = []
    beside = {}
    with tempfile.TemporaryDirectory(prefix="sitrep-bench-") as name, ExitStack() as stack:
        folder = Path(name)
        made = {kind: stack.enter_context(databases(kind, folder)) for kind in dict.fromkeys(kind for kind, _ in plan)}
        for (kind, closed), scenes in plan.items():
            head = f"{NAMES[kind]}, {closed:,} closed" if closed else NAMES[kind]
            beside[head] = NAMES[kind] if closed else ""
            figures: Figures = {}
            if "ingest" in scenes and not columns:
                figures |= references(folder, runs, scale)
            for scene in scenes:
                begun = time.monotonic()
                with stage(made[kind], folder, closed=closed, runs=runs, scale=scale) as set_up:
                    figures |= SCENES[scene](set_up)
                sys.stderr.write(f"{head}: {scene}, {time.monotonic() - begun:.0f} s\n")
            columns.append((head, figures))
    return table.render(columns, beside)


if __name__ == "__main__":
    main()

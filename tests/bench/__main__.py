"""`python -m tests.bench`: measures the real service and prints one Markdown table of medians."""

from __future__ import annotations

import argparse
import sys
import tempfile
import time
from pathlib import Path

from tests.bench import table
from tests.bench.scenes import SCENES, Figures, references
from tests.bench.stage import NAMES, databases, stage

CLOSED = 10_000


def main() -> None:
    parser = argparse.ArgumentParser(prog="python -m tests.bench", description=__doc__)
    parser.add_argument("--rows", default=",".join(SCENES), help="which scenes, with commas: %(default)s")
    parser.add_argument("--database", default="both", choices=[*NAMES, "both"])
    parser.add_argument("--closed", type=int, default=CLOSED, help="closed incidents of the second column; 0: none")
    parser.add_argument("--runs", type=int, default=3, help="runs that each figure is the median of")
    parser.add_argument("--scale", type=float, default=1.0, help="a fraction of the load, to try the bench itself")
    parser.add_argument("--write", type=Path, help="a Markdown file to put the table into, between its marks")
    chosen = parser.parse_args()
    kinds = list(NAMES) if chosen.database == "both" else [chosen.database]
    made = bench(kinds, chosen.rows.split(","), closed=chosen.closed, runs=chosen.runs, scale=chosen.scale)
    if chosen.write:
        table.write(chosen.write, made)
    else:
        sys.stdout.write(made)


def bench(kinds: list[str], scenes: list[str], *, closed: int, runs: int, scale: float) -> str:
    """Play the scenes on each kind of database, and give the table."""
    columns: list[tuple[str, Figures]] = []
    beside = {}
    with tempfile.TemporaryDirectory(prefix="sitrep-bench-") as name:
        folder = Path(name)
        machine = references(folder, runs, scale) if "ingest" in scenes else {}
        for kind in kinds:
            with databases(kind, folder) as made:
                for count in (0, closed) if closed else (0,):
                    head = f"{NAMES[kind]}, {count:,} closed" if count else NAMES[kind]
                    beside[head] = NAMES[kind] if count else ""
                    figures: Figures = {}
                    for scene in scenes:
                        begun = time.monotonic()
                        with stage(made, folder, closed=count, runs=runs, scale=scale) as set_up:
                            figures |= SCENES[scene](set_up)
                        sys.stderr.write(f"{head}: {scene}, {time.monotonic() - begun:.0f} s\n")
                    columns.append((head, figures))
    return table.render(machine, columns, beside)


if __name__ == "__main__":
    main()

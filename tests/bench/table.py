"""The table: rows with their targets, the figures beside them, and its place in a Markdown file."""

from __future__ import annotations

import re
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

from tests.bench.scenes import Figures

BEGIN, END = "<!-- bench -->", "<!-- /bench -->"
STRAY = 0.10  # by how much a figure may differ with many closed incidents in the database


@dataclass(frozen=True)
class Row:
    """One line; `good` says whether a figure meets the target."""

    key: str
    label: str
    unit: str
    target: str = ""
    good: Callable[[float], bool] | None = None
    digits: int = 0

    def show(self, value: float) -> str:
        unit = f" {self.unit}" if self.unit else ""
        return f"{value:,.{self.digits}f}{unit}"


def at_least(limit: float) -> Callable[[float], bool]:
    return lambda value: value >= limit


def under(limit: float) -> Callable[[float], bool]:
    return lambda value: value < limit


ROWS = (
    Row("bare", "Webhooks: a bare Starlette handler that reads the body", "/s"),
    Row("commit", "Webhooks: the group-commit ceiling (a handler whose only work is one row)", "/s"),
    Row("repeats", "Webhooks: repeats of open groups", "/s", "1,980 /s on SQLite", at_least(1980)),
    Row("new_groups", "Webhooks: new groups, recorded", "/s"),
    Row("new_incidents", "Webhooks: new groups, each opening an incident", "/s"),
    Row("ready_0", "Alert to channel ready, Slack at 0 ms", "ms"),
    Row("ready_100", "Alert to channel ready, Slack at 100 ms", "ms", "300 ms", under(300.5)),
    *(
        row
        for size in (50, 200)
        for row in (
            Row(f"burst_{size}_acknowledged", f"Burst of {size} declarations: acknowledged", "/s", digits=1),
            Row(f"burst_{size}_ready", f"Burst of {size}: channels ready", "/s", "40 /s", at_least(40), digits=1),
            Row(f"burst_{size}_p99", f"Burst of {size}: acknowledgement, p99", "ms", "under 500 ms", under(500)),
            Row(f"burst_{size}_slowest", f"Burst of {size}: acknowledgement, slowest", "ms"),
        )
    ),
    Row("timers", "Timers fired, 1,000 due at once of 10,000", "/s"),
    Row("lag_p50", "Timer lag, 50 due each second of 10,000: p50", "ms"),
    Row("lag_p99", "Timer lag, 50 due each second of 10,000: p99", "ms", "under 2,000 ms", under(2000)),
    Row("idle_memory", "Memory, idle", "MB", "under 130 MB", under(130)),
    Row("memory_after", "Memory after 1,000 incidents", "MB"),
    Row("idle_cpu", "Processor, idle", "%", "under 1%", under(1), digits=1),
    Row("start", "Start to ready", "s", "under 2 s", under(2), digits=2),
    *(
        Row(f"export_{fmt}{where}", f"Export of 10,000 events as {fmt}, {how}", "s", digits=2)
        for where, how in (("", "HTTP"), ("_cli", "command line"))
        for fmt in ("md", "json", "csv")
    ),
)

NOTE = (
    "Medians. Bold: misses the target. In brackets: differs by more than 10% from the column before. The ceiling "
    "commits the rows of all requests that wait together (plain driver, WAL, `synchronous=FULL`), behind the same "
    "server and load."
)


def render(columns: Sequence[tuple[str, Figures]], beside: Mapping[str, str]) -> str:
    """Make the table.

    Args:
        columns: each column's head and figures.
        beside: for a column that another is to be compared with, the other's head.
    """
    by_head = dict(columns)
    lines = [_line(["", *by_head, "Target"]), _line(["---", *("---:" for _ in columns), "---"])]
    for row in ROWS:
        if any(row.key in figures for _, figures in columns):
            cells = [_cell(row, figures, by_head.get(beside.get(head, ""))) for head, figures in columns]
            lines.append(_line([row.label, *cells, row.target]))
    return "\n".join([*lines, "", NOTE]) + "\n"


def _line(cells: Sequence[str]) -> str:
    return f"| {' | '.join(cells)} |"


def _cell(row: Row, figures: Figures, empty: Figures | None) -> str:
    if row.key not in figures:
        return ""
    value = figures[row.key]
    cell = row.show(value)
    if row.good and not row.good(value):
        cell = f"**{cell}**"
    if empty and empty.get(row.key) and abs(change := value / empty[row.key] - 1) > STRAY:
        cell += f" ({change:+.0%})"
    return cell


def write(path: Path, table: str) -> None:
    """Put the table between the marks of a Markdown file.

    Raises:
        SystemExit: the file has no marks.
    """
    text = path.read_text(encoding="utf-8")
    fresh, count = re.subn(f"{BEGIN}.*?{END}", lambda _: f"{BEGIN}\n{table}{END}", text, flags=re.DOTALL)
    if not count:
        raise SystemExit(f"Put {BEGIN} and {END} into {path} first.")
    path.write_text(fresh, encoding="utf-8")

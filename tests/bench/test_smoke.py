"""The bench itself, on a small scale, so that it does not rot between two releases."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest
from sqlalchemy import Connection

from bot.incidents.model import Status
from bot.migrate import migrate
from bot.store import incidents
from bot.store.sqlite import connect
from bot.timeline.collect import collect
from tests.bench import lives, table
from tests.bench.__main__ import bench


def test_rows_in_bulk_are_incidents(tmp_path: Path) -> None:
    """Closed, armed and long incidents that are written as rows read as real ones do."""
    url = f"sqlite:///{tmp_path / 'bench.db'}"
    migrate(url)
    due = datetime.now(UTC) + timedelta(seconds=30)
    engine = connect(url, begin="BEGIN IMMEDIATE")
    with engine.begin() as connection:
        lives.closed(connection, 3)
        lives.armed(connection, 2, ["C1", "C2"])
        lives.fall_due(connection, [due])
        number = lives.long_one(connection, 200)
        rows = [incident for _, incident in incidents.page(connection, limit=10, before=None, status=None)]
        assert [i.status for i in rows] == [Status.INVESTIGATING] * 3 + [Status.CLOSED] * 3
        assert [len(i.timers) for i in rows] == [4, 4, 4, 0, 0, 0]
        assert [i.number for i in rows if i.due(due)] == [rows[2].number]
        assert all(kinds(connection, i.number)[-1] == "closed" for i in rows[3:])
        assert len(kinds(connection, number)) == 200
    engine.dispose()


def kinds(connection: Connection, number: str) -> list[str]:
    dossier = collect(connection, number)
    assert dossier is not None
    assert dossier.alerts
    return [event.kind for event in dossier.events]


def test_a_small_bench_prints_its_rows() -> None:
    """The real service is started, loaded and measured; each row has a figure."""
    lines = bench({("sqlite", 0): ["ingest"]}, runs=1, scale=0.02).splitlines()
    labels = {line.split(" | ")[0].removeprefix("| "): line.split(" | ")[1] for line in lines if line.count(" | ") == 2}
    for row in table.ROWS:
        if row.key in {"bare", "commit", "repeats", "new_groups", "new_incidents"}:
            assert row.unit in labels[row.label], lines


def test_a_table_tells_what_misses_and_what_strays() -> None:
    """A figure that misses its target is bold; one that differs with closed incidents says by how much."""
    made = table.render([("A", {"start": 1.0}), ("B", {"start": 2.5})], {"B": "A"})
    assert "| Start to ready | 1.00 s | **2.50 s** (+150%) | under 2 s |" in made


def test_the_table_goes_between_its_marks(tmp_path: Path) -> None:
    """Only what stands between the marks of a file changes; a file without marks is left alone."""
    page = tmp_path / "README.md"
    page.write_text(f"before\n{table.BEGIN}\nold\n{table.END}\nafter\n")
    table.write(page, "new\n")
    assert page.read_text() == f"before\n{table.BEGIN}\nnew\n{table.END}\nafter\n"
    page.write_text("no marks")
    with pytest.raises(SystemExit, match="Put <!-- bench -->"):
        table.write(page, "new\n")

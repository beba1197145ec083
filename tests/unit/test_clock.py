"""The clock that tests and the demo move by a file."""

from __future__ import annotations

import threading
from concurrent.futures import ThreadPoolExecutor
from datetime import timedelta
from pathlib import Path

from bot.clock import FileClock
from tests.patience import PATIENCE


class SlowFile:
    """A file whose first reading takes until it is told to go on."""

    def __init__(self) -> None:
        self.text = "0"
        self.begun, self.go_on = threading.Event(), threading.Event()

    def read_text(self) -> str:
        self.begun.set()
        assert self.go_on.wait(PATIENCE)
        return self.text


def test_nobody_takes_the_last_offset_for_fresh_while_another_reads() -> None:
    """Whoever asks after the file was written gets what it says, though another thread began to read it before."""
    file = SlowFile()
    clock = FileClock(file)  # type: ignore[arg-type]
    with ThreadPoolExecutor(2) as pool:
        first = pool.submit(lambda: clock.offset)
        assert file.begun.wait(PATIENCE)
        file.text = "1800"
        second = pool.submit(lambda: clock.offset)
        file.go_on.set()
        assert second.result(PATIENCE) == first.result(PATIENCE) == timedelta(minutes=30)


def test_a_file_that_is_half_written_changes_nothing(tmp_path: Path) -> None:
    """An absent or empty file is no offset; what is no number leaves the last one."""
    path = tmp_path / "clock"
    clock = FileClock(path)
    clock._REREAD = 0
    assert clock.offset == timedelta()
    path.write_text("60")
    assert clock.offset == timedelta(minutes=1)
    path.write_text("6x")
    assert clock.offset == timedelta(minutes=1)
    path.write_text("")
    assert clock.offset == timedelta()

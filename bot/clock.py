"""What time it is. Aware UTC everywhere; a test or the demo can move it by a file."""

from __future__ import annotations

import threading
import time
from contextlib import suppress
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Protocol


class Clock(Protocol):
    """Tells the time. `moves` is true when time can jump, so that sleepers must look again often."""

    moves: bool

    @property
    def offset(self) -> timedelta:
        """By how much the clock has been moved on purpose."""
        ...

    def now(self) -> datetime:
        """Give the present moment, aware UTC."""
        ...


class SystemClock:
    """The machine's clock."""

    moves = False
    offset = timedelta()

    def now(self) -> datetime:
        """Give the machine's time."""
        return datetime.now(UTC)


class FileClock:
    """The machine's clock, moved by the number of seconds that a file holds (an empty or absent file: zero)."""

    moves = True
    _REREAD = 0.02  # seconds; a file read costs some 20 microseconds, too much for every call under load

    def __init__(self, path: Path) -> None:
        self._path = path
        self._offset = timedelta()
        self._read_at = 0.0
        self._reading = threading.Lock()  # nobody takes the last offset for fresh while another still reads

    @property
    def offset(self) -> timedelta:
        """The seconds in the file."""
        with self._reading:
            moment = time.monotonic()
            if moment - self._read_at >= self._REREAD:
                self._read_at = moment
                # A writer that truncates before it writes is seen half-way: keep the last offset.
                with suppress(FileNotFoundError, ValueError):
                    self._offset = timedelta(seconds=float(self._path.read_text() or 0))
            return self._offset

    def now(self) -> datetime:
        """Give the machine's time plus the offset."""
        return datetime.now(UTC) + self.offset


def machine_clock(moved_by: Path | None) -> Clock:
    """Give the machine's clock, moved by a file where one is named."""
    return FileClock(moved_by) if moved_by else SystemClock()


class DatabaseClock:
    """The database's clock, for replicas on machines whose clocks differ; moved as `base` is."""

    def __init__(self, base: Clock) -> None:
        self._base = base
        self._skew = timedelta()
        self.moves = base.moves

    @property
    def offset(self) -> timedelta:
        """By how much `base` has been moved on purpose."""
        return self._base.offset

    def told(self, database: datetime) -> datetime:
        """Take what the database's clock says just now; gives the bot's time at that moment."""
        self._skew = database - datetime.now(UTC)
        return database + self._base.offset

    def now(self) -> datetime:
        """Give the database's time as far as it is known between two transactions."""
        return self._base.now() + self._skew

"""What time it is. Aware UTC everywhere; a test or the demo can move it by a file."""

from __future__ import annotations

import time
from contextlib import suppress
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Protocol


class Clock(Protocol):
    """Tells the time. `moves` is true when time can jump, so that sleepers must look again often."""

    moves: bool

    def now(self) -> datetime:
        """Give the present moment, aware UTC."""
        ...


class SystemClock:
    """The machine's clock."""

    moves = False

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

    def now(self) -> datetime:
        """Give the machine's time plus the offset."""
        moment = time.monotonic()
        if moment - self._read_at >= self._REREAD:
            self._read_at = moment
            # A writer that truncates before it writes is seen half-way: keep the last offset.
            with suppress(FileNotFoundError, ValueError):
                self._offset = timedelta(seconds=float(self._path.read_text() or 0))
        return datetime.now(UTC) + self._offset

"""The demo's simulated time."""

import threading
import time
from pathlib import Path

# small steps, so that timers fire in their order and the bot can keep up
STEP_SIMULATED, STEP_REAL = 15.0, 0.1  # seconds


class TestClock:
    """A file that holds the offset from the real clock, in seconds; the bot reads it too."""

    __test__ = False  # its name is no reason for pytest to collect it

    def __init__(self, path: Path) -> None:
        self.path = path
        self._offset = 0.0
        self._lock = threading.Lock()
        self._write()

    def now(self) -> float:
        """Return simulated epoch seconds."""
        return time.time() + self._offset

    def advance(self, seconds: float) -> None:
        """Let that much simulated time pass, in small steps; blocks a 150th of it."""
        with self._lock:
            while seconds > 0:
                step = min(seconds, STEP_SIMULATED)
                self._offset += step
                self._write()
                seconds -= step
                time.sleep(STEP_REAL)

    def _write(self) -> None:
        # replaced as a whole, so that a reader never sees half of it
        fresh = self.path.with_suffix(".new")
        fresh.write_text(f"{self._offset:.3f}\n")
        fresh.replace(self.path)

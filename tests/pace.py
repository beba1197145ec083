"""How much slower than at rest the machine is while a test measures: seconds alone would say more of it than of us."""

from __future__ import annotations

import json
import subprocess
import sys
from types import TracebackType
from typing import Self

# A fixed piece of work, a tenth of the time; its length by the clock over its length by the processor.
WORK = """
import json, sys, threading, time
over = threading.Event()
threading.Thread(target=lambda: (sys.stdin.read(), over.set()), daemon=True).start()
found = []
print("ready", flush=True)
while not over.wait(0.09):
    began, used = time.perf_counter(), time.process_time()
    while time.process_time() - used < 0.01:
        sum(range(200))
    found.append((time.perf_counter() - began) / (time.process_time() - used))
print(json.dumps(found))
"""


class Pace:
    """Measures beside a test, in a process of its own, how long a fixed piece of work takes."""

    def __enter__(self) -> Self:
        self._samples: list[float] = []
        self._process = subprocess.Popen(
            [sys.executable, "-c", WORK], stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True
        )
        assert self._process.stdout is not None
        assert self._process.stdout.readline() == "ready\n"
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        out, _ = self._process.communicate()
        self._samples = sorted(json.loads(out))

    def stretched(self, seconds: float) -> float:
        """Return what a limit of a machine at rest is on this one: its 99th percentile of slowness times as long."""
        worst = self._samples[min(len(self._samples) - 1, int(len(self._samples) * 0.99))] if self._samples else 1.0
        return seconds * max(worst, 1.0)

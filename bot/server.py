"""The web server: it says that it is leaving before it goes."""

from __future__ import annotations

import os
import signal
import threading
import time
from types import FrameType

import structlog
import uvicorn

from bot.services import Running

log = structlog.get_logger()

DRAIN = 1.0  # seconds in which `/readyz` says 503 and requests are still answered, for a load balancer to notice
# Seconds for which an idle connection stays open: longer than load balancers keep theirs (60 by default), so that none
# sends a request into a connection that is just being closed, and answers 502 in our place.
KEEP_ALIVE = 75
LEAVE_WITHIN = 9.0  # seconds from the signal to the end, whatever hangs; after 10 most supervisors kill


class Server(uvicorn.Server):
    """As uvicorn's, but a SIGTERM first turns `/readyz` to 503; a second signal ends it at once."""

    def __init__(self, config: uvicorn.Config, running: Running) -> None:
        super().__init__(config)
        self._running = running
        self._leave_at: float | None = None

    def handle_exit(self, sig: int, frame: FrameType | None) -> None:
        """Begin to leave; a terminal's Ctrl-C has no load balancer to wait for."""
        if sig == signal.SIGTERM and self._leave_at is None:
            self._leave_at = time.monotonic() + DRAIN
            last = threading.Timer(LEAVE_WITHIN, _go)
            last.daemon = True
            last.start()
        else:
            super().handle_exit(sig, frame)

    async def on_tick(self, counter: int) -> bool:
        """Take no more work, and leave when it is time."""
        if self._leave_at is not None:
            self._running.drain()
            if time.monotonic() >= self._leave_at and not self.should_exit:
                super().handle_exit(signal.SIGTERM, None)
        return await super().on_tick(counter)


def _go() -> None:
    """End without a goodbye, as a database that hangs would keep us from ending: what is held is in its rows."""
    log.error("stopped_hard", after_seconds=LEAVE_WITHIN, fix="Check the database: it does not answer.")
    os._exit(1)

"""The port to the engine.

An engine only wakes; a job that runs twice, late or never must change nothing that the rows do not allow.
"""

from __future__ import annotations

from collections.abc import Awaitable, Callable
from dataclasses import dataclass
from datetime import datetime
from enum import StrEnum
from typing import Protocol

from bot.store.tx import Tx


class Work(StrEnum):
    """What to look at: due timers, pages to send, or whatever is to be sent.

    Pages have a lane of their own beside the others', so that chatter that hangs never holds them up.
    """

    TIMERS = "timers"
    PAGES = "pages"
    DELIVERIES = "deliveries"


@dataclass(frozen=True, slots=True, order=True)
class Job:
    """A wake-up: `work` for a `scope` (an incident's number, an alert group, the operators)."""

    work: Work
    scope: str


Handler = Callable[[Job], Awaitable[None]]


class Engine(Protocol):
    """Jobs are enqueued inside a unit of work, and exist only if it commits.

    Immediate jobs of one lane (`work` and `scope`) never run at the same time. A job whose handler raises runs again
    later. `remembers` is true when jobs outlive the process.
    """

    remembers: bool

    def enqueue(self, tx: Tx, job: Job, at: datetime | None = None) -> None:
        """Wake for `job` after the commit: at once, or at a moment (aware UTC, by the bot's clock)."""
        ...

    async def start(self, handler: Handler) -> None:
        """Begin to run jobs."""
        ...

    def pause(self) -> None:
        """Take no new jobs."""
        ...

    async def stop(self) -> None:
        """Take no new jobs and let those that run finish."""
        ...

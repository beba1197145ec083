"""The engine of one process: asyncio for what is due now, APScheduler for one wake-up at the earliest due job.

APScheduler is never given a job a timer: 10,000 `add_job` calls take seconds, and it drops what is late by default.
"""

from __future__ import annotations

import asyncio
import heapq
import itertools
from collections import defaultdict
from contextlib import suppress
from datetime import UTC, datetime

import structlog
from apscheduler.job import Job as Alarm
from apscheduler.jobstores.base import JobLookupError
from apscheduler.schedulers.asyncio import AsyncIOScheduler

from bot.clock import Clock
from bot.engine.port import Handler, Job
from bot.errors import DatabaseUnavailable
from bot.store.tx import Tx

log = structlog.get_logger()

RETRY_AFTER = 1.0  # seconds until a job whose handler raised runs again; doubles up to RETRY_MAX
RETRY_MAX = 30.0
STOP_WITHIN = 5.0  # seconds that a job under way gets; what it leaves is found by its rows at the next start
JUMP_CHECK = 0.05  # seconds between looks at a clock that can jump


class EmbeddedEngine:
    """An `Engine` in memory. Nothing is lost with the process: at start everything is enqueued from its rows."""

    remembers = False

    def __init__(self, clock: Clock) -> None:
        self._clock = clock
        self._scheduler = AsyncIOScheduler(timezone=UTC, job_defaults={"misfire_grace_time": None})
        self._later: list[tuple[datetime, int, Job]] = []
        self._order = itertools.count()
        self._running: set[Job] = set()
        self._again: set[Job] = set()
        self._failures: dict[Job, int] = defaultdict(int)
        self._tasks: set[asyncio.Task[None]] = set()
        self._alarm: Alarm | None = None
        self._handler: Handler | None = None
        self._ready: list[Job] = []
        self._stopping = False

    def enqueue(self, tx: Tx, job: Job, at: datetime | None = None) -> None:
        """Wake for `job` once `tx` is committed."""
        if at is None and job == tx.inside:
            return
        tx.on_commit(lambda: self._accept(job, at))

    async def start(self, handler: Handler) -> None:
        """Begin to run jobs."""
        self._handler = handler
        self._scheduler.start()
        if self._clock.moves:
            self._scheduler.add_job(self._wake, "interval", seconds=JUMP_CHECK, max_instances=1, coalesce=True)
        ready, self._ready = self._ready, []
        for job in ready:
            self._begin(job)
        await self._wake()

    def pause(self) -> None:
        """Take no new jobs; the next start finds them by their rows."""
        self._stopping = True

    async def stop(self) -> None:
        """Take no new jobs and let those that run finish."""
        self.pause()
        if self._scheduler.running:
            self._scheduler.shutdown(wait=False)
        if self._tasks:
            _, late = await asyncio.wait(self._tasks, timeout=STOP_WITHIN)
            for task in late:
                task.cancel()
            await asyncio.gather(*late, return_exceptions=True)

    def _accept(self, job: Job, at: datetime | None) -> None:
        if self._stopping:
            return
        if at is None or at <= self._clock.now():
            self._begin(job)
        else:
            earliest = self._later[0][0] if self._later else None
            heapq.heappush(self._later, (at, next(self._order), job))
            if earliest is None or at < earliest:
                self._schedule()

    def _begin(self, job: Job) -> None:
        if self._handler is None:
            self._ready.append(job)
        elif job in self._running:
            self._again.add(job)
        elif not self._stopping:
            self._running.add(job)
            task = asyncio.get_running_loop().create_task(self._run(job, self._handler))
            self._tasks.add(task)
            task.add_done_callback(self._tasks.discard)

    async def _run(self, job: Job, handler: Handler) -> None:
        try:
            while True:
                self._again.discard(job)
                await handler(job)
                self._failures.pop(job, None)
                if job not in self._again or self._stopping:
                    return
        except DatabaseUnavailable as error:
            delay = self._try_again(job)
            reason = str(error)
            log.warning("job_failed", work=job.work.value, scope=job.scope, again_in_seconds=delay, reason=reason)
        except Exception:
            delay = self._try_again(job)
            log.exception("job_failed", work=job.work.value, scope=job.scope, again_in_seconds=delay)
        finally:
            self._running.discard(job)

    def _try_again(self, job: Job) -> float:
        """Look again soon, for the rows still say what is to do; gives the seconds until then."""
        self._failures[job] += 1
        delay = float(min(RETRY_AFTER * 2 ** (self._failures[job] - 1), RETRY_MAX))
        asyncio.get_running_loop().call_later(delay, self._begin, job)
        return delay

    async def _wake(self) -> None:
        # A coroutine, because APScheduler runs plain functions in a thread.
        now = self._clock.now()
        while self._later and self._later[0][0] <= now:
            self._begin(heapq.heappop(self._later)[2])
        self._schedule()

    def _schedule(self) -> None:
        if not self._scheduler.running:
            return
        if self._alarm is not None:
            with suppress(JobLookupError):
                self._alarm.remove()
        self._alarm = None
        if self._later:
            # Counted from the machine's clock, which may stand elsewhere than the bot's.
            at = datetime.now(UTC) + (self._later[0][0] - self._clock.now())
            # Each under a name of its own: APScheduler drops a job that is due while one of its name still runs.
            self._alarm = self._scheduler.add_job(self._wake, "date", run_date=at)

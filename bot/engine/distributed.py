"""The engine of many replicas: Procrastinate's jobs on the same PostgreSQL, deferred in the same transaction.

Stalled jobs are recovered by Procrastinate's documented recipe (https://procrastinate.readthedocs.io, "Retry stalled
jobs"), with a shorter heartbeat: a responder does not wait half a minute for a page.
"""

from __future__ import annotations

import asyncio
import logging
from collections.abc import Callable, Sequence
from contextlib import suppress
from datetime import datetime, timedelta
from typing import Any

import structlog
from procrastinate import App, BaseRetryStrategy, JobContext, PsycopgConnector, RetryDecision, SyncPsycopgConnector
from procrastinate.connector import BaseConnector
from procrastinate.exceptions import ConnectorException
from procrastinate.jobs import Job as Stored
from procrastinate.manager import JobManager

from bot.clock import Clock
from bot.engine.port import Handler, Job, Work
from bot.errors import DatabaseUnavailable
from bot.store.postgres import conninfo
from bot.store.tx import Tx

log = structlog.get_logger()

HEARTBEAT = 2.0  # seconds between signs of life
STALLED = 8.0  # seconds without one, after which another replica takes a worker's jobs over
RECOVERY = 3.0  # seconds between looks for stalled jobs
POLL = 1.0  # seconds between looks for jobs whose time has come; immediate ones are announced by NOTIFY
JUMP_CHECK = 0.05  # seconds between looks at a clock that can jump
CONCURRENCY = 256  # jobs at a time in one replica; nearly all of them wait for Slack or for their turn
STOP_WITHIN = 5.0  # seconds that a job under way gets; then it is handed back
AGAIN = 1.0  # seconds until a worker that fell with its connection starts anew
RETRY_MAX = 30  # seconds between attempts at a job whose handler raises
# The pool waits twice as long after each attempt in vain: it must begin anew before that becomes minutes.
CONNECT_WITHIN = 5.0  # seconds
TASK = "sitrep.wake"

PRIORITY = {Work.PAGES: 30, Work.TIMERS: 20, Work.DELIVERIES: 10}
# Behind all others: a look for an immediate job must not read past thousands that are not due yet.
LATER = -10


def _moment(clock: Clock) -> datetime:
    """Give the present moment as jobs keep it: the database's. Procrastinate's default is this machine's clock."""
    return clock.now() - clock.offset


class _Again(BaseRetryStrategy):
    """Runs a job whose handler raised again, and hands back one that a stop cut short."""

    def __init__(self, clock: Clock) -> None:
        self._clock = clock

    def get_retry_decision(self, *, exception: BaseException, job: Stored) -> RetryDecision:
        wait = timedelta()
        if not isinstance(exception, asyncio.CancelledError):
            wait = timedelta(seconds=min(2 ** min(job.attempts, 5), RETRY_MAX))
        # With its own lock and a time in the future it would hold up every later job of the lane.
        return RetryDecision(retry_at=_moment(self._clock) + wait, lock=f"again:{job.id}")


class _Registered(JobManager):
    """Says under which number a worker is about to take jobs."""

    def __init__(self, connector: BaseConnector, on_worker: Callable[[int], None]) -> None:
        super().__init__(connector)
        self._on_worker = on_worker

    async def register_worker(self) -> int:
        worker = await super().register_worker()
        self._on_worker(worker)
        return worker


class DistributedEngine:
    """An `Engine` whose jobs are rows; any replica runs them, and another one if it dies.

    `on_worker` is told each number under which this process takes jobs, before it takes the first.
    """

    remembers = True

    def __init__(self, url: str, clock: Clock, on_worker: Callable[[int], None] = lambda _worker: None) -> None:
        self._clock = clock
        self._app = App(
            connector=PsycopgConnector(
                conninfo=conninfo(url),
                min_size=2,
                max_size=6,
                timeout=CONNECT_WITHIN,
                reconnect_timeout=CONNECT_WITHIN,
                kwargs={"connect_timeout": 3},
            )
        )
        self._app.job_manager = _Registered(self._app.connector, on_worker)
        # Deferring happens on the unit of work's own connection, in a writer's thread; this one is never opened.
        self._deferring = self._app.with_connector(SyncPsycopgConnector(conninfo=conninfo(url)))
        self._task = self._app.task(name=TASK, retry=_Again(clock), pass_context=True)(self._run)
        self._handler: Handler | None = None
        self._running: set[int] = set()
        self._worker: int | None = None
        self._lost: set[int | None] = set()
        self._tasks: list[asyncio.Task[None]] = []
        self._stopping = False
        logging.getLogger("procrastinate").setLevel(logging.CRITICAL)  # what matters is logged here

    def enqueue(self, tx: Tx, job: Job, at: datetime | None = None) -> None:
        """Wake for `job` once `tx` is committed; the same one twice in a transaction is one."""
        if at is None and job == tx.inside:
            return
        if not tx.wakes:
            tx.before_commit(lambda: self._defer(tx))
        tx.wakes[job, at] = None

    def _defer(self, tx: Tx) -> None:
        jobs = [self._stored(job, at, tx.now) for job, at in tx.wakes]
        driver: Any = tx.connection.connection.driver_connection
        self._deferring.job_manager.batch_defer_jobs(jobs, connection=driver)

    def _stored(self, job: Job, at: datetime | None, now: datetime) -> Stored:
        later = at is not None and at > now
        options: dict[str, Any] = {"priority": LATER if later else PRIORITY[job.work]}
        if at is None:
            options["lock"] = f"{job.work}:{job.scope}"
        elif later:
            # Only immediate jobs carry a lock: one that waits for its time would hold up its whole lane.
            options["schedule_at"] = at - self._clock.offset
        due = at.isoformat() if at is not None and later else ""
        return self._task.configure(**options).make_new_job(work=job.work.value, scope=job.scope, due=due)

    async def start(self, handler: Handler) -> None:
        """Begin to run jobs."""
        self._handler = handler
        await self._app.open_async()
        self._tasks = [asyncio.create_task(self._work()), asyncio.create_task(self._recover())]
        if self._clock.moves:
            self._tasks.append(asyncio.create_task(self._jump()))

    def pause(self) -> None:
        """Take no new jobs; those that run finish, or are handed back after a while."""
        if self._stopping:
            return  # a second cancellation would cut short the worker's own stop
        self._stopping = True
        for task in self._tasks:
            task.cancel()

    async def stop(self) -> None:
        """Wait for what runs, and let go of the database."""
        self.pause()
        await asyncio.gather(*self._tasks, return_exceptions=True)
        with suppress(ConnectorException):
            await self._app.close_async()

    async def _run(self, context: JobContext, *, work: str, scope: str, due: str = "") -> None:  # noqa: ARG002 - for `_jump`
        assert self._handler is not None  # noqa: S101 - set before the worker starts
        number = context.job.id or 0
        self._worker = context.job.worker_id
        self._running.add(number)
        job = Job(Work(work), scope)
        try:
            await self._handler(job)
        except DatabaseUnavailable as error:
            log.warning("job_failed", work=work, scope=scope, attempts=context.job.attempts, reason=str(error))
            raise
        except Exception:
            # The rows still say what is to do; look again soon.
            log.exception("job_failed", work=work, scope=scope, attempts=context.job.attempts)
            raise
        finally:
            self._running.discard(number)

    async def _work(self) -> None:
        """Keep a worker running: it ends when its connection does."""
        while not self._stopping:
            try:
                await self._app.run_worker_async(
                    concurrency=CONCURRENCY,
                    fetch_job_polling_interval=POLL,
                    update_heartbeat_interval=HEARTBEAT,
                    stalled_worker_timeout=STALLED,
                    shutdown_graceful_timeout=STOP_WITHIN,
                    delete_jobs="always",
                    install_signal_handlers=False,
                )
            except Exception as error:  # noqa: BLE001 - whatever ended it, the next one tries again
                log.warning("worker_ended", reason=str(error), again_in_seconds=AGAIN)
            if not self._stopping:
                await asyncio.sleep(AGAIN)

    async def _recover(self) -> None:
        """Take over the jobs of workers that have died, and our own whose end could not be written."""
        while not self._stopping:
            await asyncio.sleep(RECOVERY)
            try:
                await self._recover_once()
            except Exception as error:  # noqa: BLE001 - the database is away; look again soon
                log.warning("recovery_failed", reason=str(error))

    async def _recover_once(self) -> None:
        manager = self._app.job_manager
        stalled = {job.id: job for job in await manager.get_stalled_jobs(seconds_since_heartbeat=STALLED)}
        if self._worker is not None:
            doing = {job.id: job for job in await manager.list_jobs_async(status="doing", worker_id=self._worker)}
            # Seen so twice, it is none that is just beginning or ending.
            lost = {number for number in doing if number not in self._running}
            stalled |= {number: doing[number] for number in lost & self._lost}
            self._lost = lost
        for job in stalled.values():
            await self._put_back(job)
        await manager.prune_stalled_workers(STALLED)

    async def take_over(self, workers: Sequence[int]) -> None:
        """Take over at once what workers were doing whose process is known to have ended."""
        for worker in workers:
            for job in await self._app.job_manager.list_jobs_async(status="doing", worker_id=worker):
                await self._put_back(job)

    async def _put_back(self, job: Stored) -> None:
        manager = self._app.job_manager
        # Another replica that recovers may have been quicker, and the job is under way anew.
        if not await manager.list_jobs_async(id=job.id, status="doing", worker_id=job.worker_id):
            return
        with suppress(ConnectorException):
            await manager.retry_job(job, retry_at=_moment(self._clock))
            log.info("job_recovered", job=job.id, work=job.task_kwargs)

    async def _jump(self) -> None:
        """Run what has become due because the clock was moved; its stored time is the machine's."""
        manager = self._app.job_manager
        seen = self._clock.offset
        while not self._stopping:
            await asyncio.sleep(JUMP_CHECK)
            if self._clock.offset == seen:
                continue
            seen = self._clock.offset
            with suppress(ConnectorException):
                for job in await manager.list_jobs_async(status="todo"):
                    due = str(job.task_kwargs.get("due") or "")
                    if due and datetime.fromisoformat(due) <= self._clock.now():
                        await self._hasten(job)

    async def _hasten(self, job: Stored) -> None:
        """Put a job in place of one that waits, to run at once."""
        manager = self._app.job_manager
        assert job.id is not None  # noqa: S101 - it was read from its row
        if await manager.cancel_job_by_id_async(job.id, delete_job=True):
            kwargs = {**job.task_kwargs, "due": ""}
            await self._task.configure(priority=PRIORITY[Work(str(kwargs["work"]))]).defer_async(**kwargs)

"""The contract of the engine's port. Every adapter passes this suite; a new one is added to `ENGINES`."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest

from bot.clock import Clock, SystemClock
from bot.engine.distributed import DistributedEngine
from bot.engine.embedded import EmbeddedEngine
from bot.engine.port import Engine, Handler, Job, Work
from bot.store.database import database_clock, open_store
from bot.store.tx import Store, Tx
from tests.migrated import put
from tests.pace import Pace
from tests.patience import PATIENCE

pytestmark = pytest.mark.anyio

ENGINES: dict[str, Callable[[str, Clock], Engine]] = {
    "embedded": lambda _url, clock: EmbeddedEngine(clock),
    "distributed": DistributedEngine,
}
# Seconds: the embedded engine sets an alarm, the distributed one looks each second.
ON_TIME = {"embedded": 0.2, "distributed": 1.5}
ONE = Job(Work.TIMERS, "INC-20261121-001")
OTHER = Job(Work.TIMERS, "INC-20261121-002")


class HandClock:
    """A clock that the test turns."""

    moves = True

    def __init__(self) -> None:
        self.offset = timedelta(hours=-8)

    def now(self) -> datetime:
        return datetime.now(UTC) + self.offset


class Bench:
    """An engine with its store, and a log of what ran."""

    def __init__(self, engine: Engine, store: Store, clock: HandClock) -> None:
        self.engine = engine
        self.store = store
        self.clock = clock
        self.ran: list[Job] = []

    async def enqueue(self, job: Job, at: datetime | None = None, *, fail: bool = False) -> None:
        def work(tx: Tx) -> None:
            self.engine.enqueue(tx, job, at)
            if fail:
                raise RuntimeError("roll back")

        await self.store.write(work)

    async def note(self, job: Job) -> None:
        self.ran.append(job)

    async def start(self, handler: Handler | None = None) -> None:
        await self.engine.start(handler or self.note)

    async def until(self, count: int, seconds: float = PATIENCE) -> None:
        async with asyncio.timeout(seconds):
            while len(self.ran) < count:
                await asyncio.sleep(0.005)


@pytest.fixture
def anyio_backend() -> str:
    return "asyncio"


@pytest.fixture(params=ENGINES)
def name(request: pytest.FixtureRequest) -> str:
    return str(request.param)


@pytest.fixture
def url(name: str, tmp_path: Path, request: pytest.FixtureRequest) -> str:
    if name == "distributed":
        found: str = request.getfixturevalue("migrated_postgres_url")
    else:
        found = f"sqlite:///{tmp_path / 'contract.db'}"
    put(found)
    return found


@pytest.fixture
def bench(name: str, url: str) -> Callable[[], object]:
    @asynccontextmanager
    async def make() -> AsyncIterator[Bench]:
        hands = HandClock()
        clock = database_clock(url, hands)
        store = open_store(url, clock)
        engine = ENGINES[name](url, clock)
        try:
            yield Bench(engine, store, hands)
        finally:
            await engine.stop()
            await store.close()

    return make


async def test_a_job_runs_after_its_commit(bench) -> None:
    """What is enqueued in a committed transaction runs."""
    async with bench() as b:
        await b.start()
        await b.enqueue(ONE)
        await b.until(1)
        assert b.ran == [ONE]


async def test_a_job_of_a_rolled_back_transaction_never_runs(bench) -> None:
    """What is enqueued in a transaction that fails does not exist."""
    async with bench() as b:
        await b.start()
        with pytest.raises(RuntimeError):
            await b.enqueue(ONE, fail=True)
        await b.enqueue(OTHER)
        await b.until(1)
        await asyncio.sleep(0.1)
        assert b.ran == [OTHER]


async def test_what_is_enqueued_before_the_start_runs_at_the_start(bench) -> None:
    """A wake-up that comes before the engine runs is not lost."""
    async with bench() as b:
        await b.enqueue(ONE)
        await b.start()
        await b.until(1)


async def test_a_job_with_a_time_waits_for_it(bench) -> None:
    """A job at a moment runs when the bot's clock reaches it, and not before."""
    async with bench() as b:
        await b.start()
        await b.enqueue(ONE, b.clock.now() + timedelta(minutes=5))
        await asyncio.sleep(0.2)
        assert b.ran == []
        b.clock.offset += timedelta(minutes=5)
        await b.until(1)


async def test_a_job_whose_time_has_passed_runs_at_once(bench) -> None:
    """A late job is run, however late it is."""
    async with bench() as b:
        await b.start()
        await b.enqueue(ONE, b.clock.now() - timedelta(days=3))
        await b.until(1)


async def test_an_earlier_job_does_not_wait_for_a_later_one(bench) -> None:
    """Jobs run in the order of their moments, not of their enqueuing."""
    async with bench() as b:
        await b.start()
        await b.enqueue(ONE, b.clock.now() + timedelta(hours=1))
        await b.enqueue(OTHER, b.clock.now() + timedelta(minutes=1))
        b.clock.offset += timedelta(minutes=2)
        await b.until(1)
        assert b.ran == [OTHER]
        b.clock.offset += timedelta(hours=1)
        await b.until(2)


async def test_none_of_many_moments_close_together_is_passed_over(bench) -> None:
    """An alarm that is set while the last one still rings is heard: many jobs a few milliseconds apart all run."""
    async with bench() as b:
        b.clock.moves = False
        jobs = [Job(Work.TIMERS, f"INC-20261121-{n:03}") for n in range(150)]
        await b.start()
        begin = b.clock.now() + timedelta(seconds=0.3)
        for n, job in enumerate(jobs):
            await b.enqueue(job, begin + timedelta(milliseconds=2 * n))
        await b.until(len(jobs))
        assert sorted(b.ran) == jobs


async def test_jobs_of_one_lane_never_run_at_the_same_time(bench) -> None:
    """One lane's jobs take turns; what comes meanwhile is not lost."""
    inside = most = 0

    async with bench() as b:

        async def slow(job: Job) -> None:
            nonlocal inside, most
            inside += 1
            most = max(most, inside)
            await asyncio.sleep(0.05)
            inside -= 1
            b.ran.append(job)

        await b.start(slow)
        await b.enqueue(ONE)
        await asyncio.sleep(0.01)
        await b.enqueue(ONE)
        await b.until(2)
        assert most == 1


async def test_lanes_do_not_wait_for_each_other(bench) -> None:
    """A job that hangs holds up its own lane only."""
    async with bench() as b:
        hold = asyncio.Event()

        async def handler(job: Job) -> None:
            if job == ONE:
                await hold.wait()
            b.ran.append(job)

        await b.start(handler)
        await b.enqueue(ONE)
        await b.enqueue(OTHER)
        await b.enqueue(Job(Work.DELIVERIES, ONE.scope))
        await b.until(2)
        assert ONE not in b.ran
        hold.set()
        await b.until(3)


async def test_a_job_that_fails_runs_again(bench) -> None:
    """A handler that raises is called again for the same job."""
    async with bench() as b:
        tries = 0

        async def handler(job: Job) -> None:
            nonlocal tries
            tries += 1
            if tries == 1:
                raise RuntimeError("the database went away")
            b.ran.append(job)

        await b.start(handler)
        await b.enqueue(ONE)
        await b.until(1)
        assert tries == 2


async def test_stopping_lets_a_running_job_finish(bench) -> None:
    """A stop waits for what is under way."""
    async with bench() as b:
        began = asyncio.Event()

        async def handler(job: Job) -> None:
            began.set()
            await asyncio.sleep(0.1)
            b.ran.append(job)

        await b.start(handler)
        await b.enqueue(ONE)
        await asyncio.wait_for(began.wait(), PATIENCE)
        await b.engine.stop()
        assert b.ran == [ONE]


@pytest.mark.timing
async def test_with_the_machines_own_clock_a_job_runs_on_time(name: str, url: str) -> None:
    """In production nobody turns the clock: a job runs soon after its moment, and not before."""
    clock = database_clock(url, SystemClock())
    store = open_store(url, clock)
    engine = ENGINES[name](url, clock)
    ran: list[datetime] = []

    async def handler(_job: Job) -> None:
        ran.append(datetime.now(UTC))

    await engine.start(handler)
    due = [clock.now() + timedelta(seconds=s) for s in (0.6, 0.3)]
    for moment in due:
        await store.write(lambda tx, m=moment: engine.enqueue(tx, ONE, m))
    with Pace() as pace:
        async with asyncio.timeout(PATIENCE):
            while len(ran) < 2:
                await asyncio.sleep(0.01)
    await engine.stop()
    await store.close()
    for happened, moment in zip(ran, sorted(due), strict=True):
        assert timedelta() <= happened - moment < timedelta(seconds=pace.stretched(ON_TIME[name]))

"""What the service is measured against, served by the same uvicorn settings: a handler that does nothing, and one
whose only work is to commit one row in a group.

`python -m tests.bench.reference <port> <database file>`
"""

from __future__ import annotations

import asyncio
import queue
import sqlite3
import sys
import threading
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager, suppress
from pathlib import Path

import uvicorn
from starlette.applications import Starlette
from starlette.requests import Request
from starlette.responses import JSONResponse, Response
from starlette.routing import Route

GROUP = 64


class Writer:
    """Commits one row for each waiting request, all together: the plain driver, WAL, `synchronous=FULL`."""

    def __init__(self, path: Path) -> None:
        self._path = path
        self._queue: queue.SimpleQueue[tuple[bytes, asyncio.Future[None]] | None] = queue.SimpleQueue()
        self._loop = asyncio.get_running_loop()
        self._thread = threading.Thread(target=self._run, daemon=True)
        self._thread.start()

    async def write(self, body: bytes) -> None:
        done: asyncio.Future[None] = self._loop.create_future()
        self._queue.put((body, done))
        await done

    def stop(self) -> None:
        self._queue.put(None)
        self._thread.join()

    def _run(self) -> None:
        connection = sqlite3.connect(self._path, isolation_level=None)
        connection.execute("PRAGMA journal_mode = WAL")
        connection.execute("PRAGMA synchronous = FULL")
        connection.execute("CREATE TABLE inbox (id INTEGER PRIMARY KEY, body BLOB)")
        while (first := self._queue.get()) is not None:
            jobs = [first]
            with suppress(queue.Empty):
                while len(jobs) < GROUP and (job := self._queue.get_nowait()) is not None:
                    jobs.append(job)
            connection.execute("BEGIN IMMEDIATE")
            connection.executemany("INSERT INTO inbox (body) VALUES (?)", [(body,) for body, _ in jobs])
            connection.execute("COMMIT")
            self._loop.call_soon_threadsafe(_answer, [done for _, done in jobs])
        connection.close()


def _answer(waiting: list[asyncio.Future[None]]) -> None:
    for done in waiting:
        if not done.done():
            done.set_result(None)


def make_app(path: Path) -> Starlette:
    writers: list[Writer] = []

    @asynccontextmanager
    async def lifespan(_app: Starlette) -> AsyncIterator[None]:
        writers.append(Writer(path))
        yield
        writers[0].stop()

    async def bare(request: Request) -> Response:
        await request.body()
        return JSONResponse({"receipt": "", "outcome": "nothing"}, status_code=202)

    async def commit(request: Request) -> Response:
        await writers[0].write(await request.body())
        return JSONResponse({"receipt": "", "outcome": "committed"}, status_code=202)

    async def ready(_request: Request) -> Response:
        return JSONResponse({"status": "ready"})

    routes = [
        Route("/bare", bare, methods=["POST"]),
        Route("/commit", commit, methods=["POST"]),
        Route("/readyz", ready),
    ]
    return Starlette(routes=routes, lifespan=lifespan)


if __name__ == "__main__":
    uvicorn.run(make_app(Path(sys.argv[2])), host="127.0.0.1", port=int(sys.argv[1]), log_config=None, access_log=False)

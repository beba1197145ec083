"""What a scene plays on: a database that is made ready, the real service, the workspace and the load."""

from __future__ import annotations

import http.client
import json
import os
import shutil
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from contextlib import AbstractContextManager, ExitStack, closing, contextmanager
from dataclasses import dataclass, field
from datetime import UTC, datetime
from pathlib import Path
from typing import Any, Protocol

import psycopg
from psycopg import sql
from sqlalchemy import Connection, Engine, make_url

from bot.clock import SystemClock
from bot.desk import Desk
from bot.engine.distributed import DistributedEngine
from bot.migrate import migrate
from bot.store import postgres, sqlite
from bot.store.tx import Tx
from tests.bench import lives
from tests.bench.bodies import slash
from tests.bench.slack import Slack, slack
from tests.conftest import API_TOKEN, LADDER, ROOT, WEBHOOK_TOKEN, wait_for
from tests.crash.world import QuickProcess
from tests.ports import free_port
from tests.postgres import Postgres

CONNECTIONS = 32
HEADERS = {"content-type": "application/json", "authorization": f"Bearer {WEBHOOK_TOKEN}"}
NAMES = {"sqlite": "SQLite", "postgresql": "PostgreSQL"}


class Databases(Protocol):
    """Databases of one kind, each a copy of one that was filled once."""

    def open(self, closed: int) -> AbstractContextManager[str]:
        """Give the URL of a fresh database with that many closed incidents in it."""
        ...

    def engine(self, url: str, *, reading: bool = False) -> Engine:
        """Give an engine to fill it with, or to look at it beside the service."""
        ...

    def wake(self, url: str) -> None:
        """Give the rows that were written the jobs that come with them, where jobs are rows too."""
        ...


class Sqlite:
    """Files."""

    def __init__(self, folder: Path) -> None:
        self._folder = folder
        self._made: dict[int, Path] = {}
        self._count = 0

    @contextmanager
    def open(self, closed: int) -> Iterator[str]:
        source = self._made.get(closed) or self._make(closed)
        self._count += 1
        copy = self._folder / f"copy-{self._count}.db"
        shutil.copyfile(source, copy)
        os.sync()  # what is still to be written of the copy must not stand in the way of the commits to come
        yield f"sqlite:///{copy}"
        for file in self._folder.glob(f"{copy.name}*"):
            file.unlink()

    def engine(self, url: str, *, reading: bool = False) -> Engine:
        return sqlite.connect(url, begin="BEGIN" if reading else "BEGIN IMMEDIATE")

    def wake(self, url: str) -> None:
        """Nothing: a start looks at all rows."""

    def _make(self, closed: int) -> Path:
        path = self._made[closed] = self._folder / f"closed-{closed}.db"
        migrate(f"sqlite:///{path}")
        _fill(self.engine(f"sqlite:///{path}"), closed)
        return path


class Postgresql:
    """Databases of one server."""

    def __init__(self, server: str) -> None:
        self._server = server
        self._made: dict[int, str] = {}
        self._count = 0

    @contextmanager
    def open(self, closed: int) -> Iterator[str]:
        source = self._made.get(closed) or self._make(closed)
        self._count += 1
        copy = f"bench_{os.getpid()}_{self._count}"
        self._do("CREATE DATABASE {} TEMPLATE {}", copy, source)
        self._do("CHECKPOINT")
        yield self._url(copy)
        self._do("DROP DATABASE {} WITH (FORCE)", copy)

    def close(self) -> None:
        for name in self._made.values():
            self._do("DROP DATABASE {} WITH (FORCE)", name)

    def engine(self, url: str, *, reading: bool = False) -> Engine:  # noqa: ARG002
        return postgres.connect(url)

    def wake(self, url: str) -> None:
        desk = Desk(DistributedEngine(url, SystemClock()), lives.POLICY)
        engine = self.engine(url)
        with engine.begin() as connection:
            Tx(connection, datetime.now(UTC)).run(desk.wake)
        engine.dispose()

    def _make(self, closed: int) -> str:
        name = self._made[closed] = f"bench_{os.getpid()}_closed_{closed}"
        self._do("CREATE DATABASE {}", name)
        migrate(self._url(name))
        _fill(self.engine(self._url(name)), closed)
        with psycopg.connect(self._url(name), autocommit=True) as connection:
            connection.execute("VACUUM ANALYZE")  # as autovacuum has long done where incidents came one by one
        return name

    def _url(self, name: str) -> str:
        return make_url(self._server).set(database=name).render_as_string(hide_password=False)

    def _do(self, statement: str, *names: str) -> None:
        with psycopg.connect(self._server, autocommit=True) as connection:
            connection.execute(sql.SQL(statement).format(*map(sql.Identifier, names)))


def _fill(engine: Engine, closed: int) -> None:
    if closed:
        with engine.begin() as connection:
            lives.closed(connection, closed)
    engine.dispose()


@contextmanager
def databases(kind: str, folder: Path) -> Iterator[Databases]:
    """Give databases of a kind; PostgreSQL is the one that SITREP_TEST_POSTGRES_URL names, or one of our own."""
    if kind == "sqlite":
        yield Sqlite(folder)
        return
    made = Postgresql(os.environ.get("SITREP_TEST_POSTGRES_URL") or Postgres(folder / "postgres").url)
    try:
        yield made
    finally:
        made.close()


@dataclass
class Stage:
    """One database with the service upon it, and a workspace."""

    databases: Databases
    url: str
    slack: Slack
    service: QuickProcess
    scale: float
    numbers: int = field(default=0)

    @property
    def port(self) -> int:
        return int(self.service.environ["SITREP_PORT"])

    @property
    def pid(self) -> int:
        assert self.service.child is not None
        return self.service.child.pid

    def fill(self, work: Callable[[Connection], Any]) -> Any:
        """Write rows while no service runs."""
        engine = self.databases.engine(self.url)
        try:
            with engine.begin() as connection:
                return work(connection)
        finally:
            engine.dispose()

    def reader(self) -> Engine:
        """Give an engine to look at the rows with while the service runs."""
        return self.databases.engine(self.url, reading=True)

    def start(self) -> float:
        """Start the service; gives the seconds until it was ready."""
        begun = time.monotonic()
        self.service.start()
        return time.monotonic() - begun

    def flood(self, body: str, *, groups: int = 0, seconds: float = 3.0) -> dict[str, Any]:
        """Post a body over 32 connections: that many groups over and over, or (0) each time a group of its own."""
        spec = flood_spec(self.port, "/webhooks/alertmanager", body, groups=groups, seconds=seconds * self.scale)
        if not groups:
            self.numbers += 1_000_000
            spec["first"] = self.numbers
        return load(spec)

    def webhook(self, *bodies: str) -> float:
        """Post bodies all at once; gives the moment at which the first was sent (epoch seconds)."""
        rows = self._burst("/webhooks/alertmanager", [{"body": body, "headers": HEADERS} for body in bodies])
        assert all(status == 202 for status, _, _ in rows), rows
        return min(sent for _, sent, _ in rows)

    def declare(self, count: int) -> tuple[float, list[float], float]:
        """Declare incidents all at once; gives when that began, the seconds to each answer, and the last's moment."""
        who = {"user": self.slack.user, "channel": self.slack.channel, "secret": self.slack.secret}
        self.numbers += count
        requests = [slash(f"declare Checkout is down, report {self.numbers + n} sev2", **who) for n in range(count)]
        rows = self._burst("/slack/events", requests)
        assert all(status == 200 for status, _, _ in rows), rows
        begun = min(sent for _, sent, _ in rows)
        return begun, sorted(now - sent for _, sent, now in rows), max(now for _, _, now in rows)

    def _burst(self, path: str, requests: list[dict[str, Any]]) -> list[tuple[int, float, float]]:
        answer = load({"mode": "burst", "port": self.port, "path": path, "requests": requests})
        return [tuple(row) for row in answer["answers"]]

    def wait_ready(self, count: int, timeout: float) -> float:
        """Wait until so many channels are ready; gives the moment of the last (epoch seconds)."""

        def enough() -> list[float] | None:
            ready = sorted(self.slack.ready().values())
            return ready if len(ready) >= count else None

        return float(wait_for(enough, timeout, f"{count} channels")[-1])


@contextmanager
def stage(kind: Databases, folder: Path, *, closed: int, scale: float) -> Iterator[Stage]:
    """Set everything up except the service's start."""
    with ExitStack() as stack:
        url = stack.enter_context(kind.open(closed))
        workspace = stack.enter_context(slack())
        config = folder / "sitrep.yaml"
        config.write_text(LADDER)
        environ = {
            "SITREP_DATABASE_URL": url,
            "SITREP_CONFIG": str(config),
            "SITREP_PORT": str(free_port()),
            "SITREP_RUNBOOKS": str(ROOT / "runbooks"),
            "SITREP_API_TOKENS": f"viewer:{API_TOKEN}",
            "SLACK_BOT_TOKEN": workspace.token,
            "SLACK_SIGNING_SECRET": workspace.secret,
            "SLACK_API_URL": workspace.api_url,
            "ALERTMANAGER_WEBHOOK_TOKEN": WEBHOOK_TOKEN,
        }
        service = QuickProcess(environ, folder / "log")
        service.cold = True
        try:
            yield Stage(kind, url, workspace, service, scale)
        except BaseException as error:
            if service.log.exists():
                error.add_note(f"The service's log ends with:\n{service.log.read_text()[-3000:]}")
            raise
        finally:
            service.kill()
            if service.child is not None:
                service.wait_dead()


def flood_spec(port: int, path: str, body: str, *, groups: int, seconds: float) -> dict[str, Any]:
    return {
        "mode": "flood",
        "port": port,
        "path": path,
        "headers": HEADERS,
        "body": body,
        "first": 0,
        "numbers": groups,
        "connections": CONNECTIONS,
        "seconds": seconds,
    }


def load(spec: dict[str, Any]) -> dict[str, Any]:
    """Run the load generator."""
    command = [sys.executable, "-m", "tests.bench.load"]
    done = subprocess.run(command, cwd=ROOT, input=json.dumps(spec), stdout=subprocess.PIPE, text=True, check=True)
    return dict(json.loads(done.stdout))


@contextmanager
def reference(folder: Path) -> Iterator[int]:
    """Run what the service is measured against; gives its port."""
    port = free_port()
    command = [sys.executable, "-m", "tests.bench.reference", str(port), str(folder / f"reference-{port}.db")]
    with subprocess.Popen(command, cwd=ROOT) as child:
        try:
            wait_for(lambda: _answers(port), what="the reference")
            yield port
        finally:
            child.terminate()


def _answers(port: int) -> bool:
    with closing(http.client.HTTPConnection("127.0.0.1", port, timeout=2)) as connection:
        try:
            connection.request("GET", "/readyz")
            return connection.getresponse().status == 200
        except OSError:
            return False

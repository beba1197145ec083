"""A locked file that proves to other processes on this machine whether the process that made it still lives.

The kernel lets go of the lock when the last thread of the process has ended, whatever ended it, and not before: a
process that hangs or is stopped keeps it. Nothing else is believed: no process id (it is used again), no host name (two
machines may share one), no lost connection (its process may go on). Only files in memory count, since no other machine
sees those: a folder on a shared disk can show a file whose lock is held elsewhere.
"""

from __future__ import annotations

import fcntl
import hashlib
import os
import stat
import uuid
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path

import structlog

log = structlog.get_logger()

# Containers of one Kubernetes pod share it, and it outlives a container that is started again.
MEMORY = Path("/dev/shm")  # noqa: S108 - files are made under new names, for their owner alone
INODE, REPLICA, WORKER = "inode", "replica", "worker"


@dataclass(frozen=True, slots=True)
class Remains:
    """What a process that has ended was known as. Its lock is held until `dismiss`, so that one successor acts."""

    replicas: tuple[str, ...]
    workers: tuple[int, ...]
    path: Path
    descriptor: int

    def dismiss(self, *, done: bool) -> None:
        """Let go of it; what is done is removed, the rest is left to another successor."""
        if done:
            self.path.unlink(missing_ok=True)
        os.close(self.descriptor)


class Lifeline:
    """This process's own file, and a look at those of others that serve the same database.

    Args:
        database: names the database; files of services on other databases are left alone.
        folder: where the files are; nothing is made where it is not in memory.
    """

    def __init__(self, database: str, folder: Path = MEMORY) -> None:
        self._prefix = prefix_of(database)
        self._folder = folder
        self._descriptor: int | None = None
        self._path: Path | None = None

    def hold(self) -> None:
        """Make this process's file and lock it until the process ends; without one, others wait for a time-out."""
        if not in_memory(self._folder):
            log.info(
                "lifeline_off",
                reason=f"{self._folder} is not a tmpfs; failover after a crash takes longer. Mount a tmpfs there.",
            )
            return
        name = f"{self._prefix}{uuid.uuid4().hex}"
        hidden, path = self._folder / f".{name}", self._folder / name
        try:
            # It gets its name when it is locked: nobody finds it and takes it for one whose process has ended.
            self._descriptor = os.open(hidden, os.O_RDWR | os.O_CREAT | os.O_EXCL | os.O_APPEND, 0o600)
            fcntl.flock(self._descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
            self.note(INODE, os.fstat(self._descriptor).st_ino)
            hidden.rename(path)
            self._path = path
        except OSError as error:
            log.warning("lifeline_off", reason=str(error))
            self.release(clean=True)

    def note(self, word: str, value: str | int) -> None:
        """Write down under what this process is about to claim work."""
        if self._descriptor is not None:
            with suppress(OSError):  # what is not written down waits for its time-out
                os.write(self._descriptor, f"{word} {value}\n".encode())

    def release(self, *, clean: bool) -> None:
        """Close the file; with nothing left to take over (`clean`) it is removed."""
        if self._path is not None and clean:
            self._path.unlink(missing_ok=True)
        if self._descriptor is not None:
            os.close(self._descriptor)
        self._path = self._descriptor = None

    def ended(self) -> list[Remains]:
        """Return what processes on this machine have left that have ended, each locked by us."""
        if self._path is None:
            return []
        others = (path for path in self._folder.glob(f"{self._prefix}*") if path != self._path)
        return [remains for path in others if (remains := _take(path)) is not None]


def prefix_of(database: str) -> str:
    """Return how the names of the files begin of those that serve a database."""
    return f"sitrep-{hashlib.sha256(database.encode()).hexdigest()[:16]}-"


def in_memory(folder: Path) -> bool:
    """True where a folder is the root of a file system in this machine's memory."""
    kind = ""
    with suppress(OSError):
        for line in Path("/proc/self/mountinfo").read_text().splitlines():
            mount, _, source = line.partition(" - ")
            if mount.split()[4] == str(folder):
                kind = source.split()[0]  # the last one mounted covers those before it
    return kind == "tmpfs"


def _take(path: Path) -> Remains | None:
    """Lock a file and read it; None where its process lives, or another successor has it."""
    try:
        descriptor = os.open(path, os.O_RDWR | os.O_NOFOLLOW)
    except OSError:
        return None
    try:
        fcntl.flock(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
        found = os.fstat(descriptor)
        if stat.S_ISREG(found.st_mode) and found.st_uid == os.geteuid() and found.st_nlink:
            lines = [line.split() for line in os.read(descriptor, found.st_size).decode().splitlines()]
            replicas = tuple(value for word, value in lines if word == REPLICA)
            workers = tuple(int(value) for word, value in lines if word == WORKER)
            if lines[:1] == [[INODE, str(found.st_ino)]]:  # no copy, whose lock says nothing
                return Remains(replicas, workers, path, descriptor)
    except (OSError, ValueError):
        pass
    os.close(descriptor)
    return None

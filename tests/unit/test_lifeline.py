"""The proof that another process on this machine has ended."""

from __future__ import annotations

import shutil
import signal
import subprocess
import sys
import uuid
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from bot.lifeline import MEMORY, REPLICA, WORKER, Lifeline, in_memory
from tests.quick import ROOT

LIVES = """
import sys, threading
from bot.lifeline import REPLICA, WORKER, Lifeline
threading.Thread(target=threading.Event().wait, daemon=True).start()
mine = Lifeline(sys.argv[1])
mine.hold()
mine.note(REPLICA, "first")
mine.note(WORKER, 7)
mine.note(REPLICA, "second")
print("holds", flush=True)
sys.stdin.read()
"""
needs_memory = pytest.mark.skipif(not in_memory(MEMORY), reason=f"{MEMORY} is not in memory: nothing is proved here")

Start = Callable[[], subprocess.Popen[str]]


@pytest.fixture
def database() -> str:
    """A name of its own, so that no other test's files are seen."""
    return f"postgresql://127.0.0.1/{uuid.uuid4().hex}"


@pytest.fixture
def mine(database: str) -> Iterator[Lifeline]:
    """This process's lifeline."""
    lifeline = Lifeline(database)
    lifeline.hold()
    yield lifeline
    lifeline.release(clean=True)


@pytest.fixture
def start(database: str) -> Iterator[Start]:
    """Starts another process that serves the database."""
    running: list[subprocess.Popen[str]] = []

    def begin() -> subprocess.Popen[str]:
        process = subprocess.Popen(
            [sys.executable, "-c", LIVES, database], cwd=ROOT, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True
        )
        running.append(process)
        assert process.stdout is not None
        assert process.stdout.readline() == "holds\n"
        return process

    yield begin
    for process in running:
        process.kill()
        process.communicate()


@needs_memory
def test_only_the_end_of_a_process_lets_go_of_its_lifeline(mine: Lifeline, start: Start) -> None:
    """Alive or stopped it holds it, on whatever process id; killed, it leaves what it was known as."""
    process = start()
    assert mine.ended() == []
    process.send_signal(signal.SIGSTOP)
    assert mine.ended() == []
    process.kill()
    process.wait()
    (remains,) = mine.ended()
    assert (remains.replicas, remains.workers) == (("first", "second"), (7,))
    remains.dismiss(done=True)
    assert mine.ended() == []


@needs_memory
def test_one_successor_acts_and_another_may_where_it_did_not(mine: Lifeline, start: Start, database: str) -> None:
    """While one has the remains nobody else gets them; what it could not do is left to the next."""
    process = start()
    process.kill()
    process.wait()
    other = Lifeline(database)
    other.hold()
    (remains,) = mine.ended()
    assert other.ended() == []
    remains.dismiss(done=False)
    (again,) = other.ended()
    assert mine.ended() == []
    again.dismiss(done=True)
    assert mine.ended() == other.ended() == []
    other.release(clean=True)


@needs_memory
def test_a_copy_of_a_lifeline_proves_nothing(mine: Lifeline, start: Start) -> None:
    """Somebody copies the file of a process that lives: the copy has no lock, and is not believed."""
    start()
    (theirs,) = [path for path in MEMORY.glob(f"{mine._prefix}*") if path != mine._path]
    copy = theirs.with_name(f"{mine._prefix}copy")
    shutil.copy2(theirs, copy)
    try:
        assert mine.ended() == []
    finally:
        copy.unlink()


@needs_memory
def test_services_on_other_databases_are_left_alone(start: Start) -> None:
    """Worker 7 of another database is another worker."""
    process = start()
    process.kill()
    process.wait()
    stranger = Lifeline("postgresql://127.0.0.1/other")
    stranger.hold()
    try:
        assert stranger.ended() == []
    finally:
        stranger.release(clean=True)


@needs_memory
def test_a_stop_leaves_no_file(database: str) -> None:
    """Whoever has said goodbye leaves nothing to take over."""
    lifeline = Lifeline(database)
    lifeline.hold()
    assert list(MEMORY.glob(f"{lifeline._prefix}*"))
    lifeline.release(clean=True)
    assert list(MEMORY.glob(f"*{lifeline._prefix}*")) == []


def test_a_folder_on_a_disk_is_not_used(tmp_path: Path, database: str) -> None:
    """Another machine might see it without seeing its locks: nothing is made there, and nobody is taken for dead."""
    assert not in_memory(tmp_path)
    lifeline = Lifeline(database, tmp_path)
    lifeline.hold()
    lifeline.note(REPLICA, "first")
    lifeline.note(WORKER, 7)
    assert list(tmp_path.iterdir()) == []
    assert lifeline.ended() == []
    lifeline.release(clean=True)

"""The `sitrep` command in processes of their own that need not import it: forked from one that has (1.5 s each)."""

from __future__ import annotations

import importlib
import multiprocessing
import os
import runpy
import subprocess
import sys
import tempfile
import threading
import time
from collections.abc import Mapping
from contextlib import chdir
from multiprocessing import connection
from pathlib import Path

from tests.quick import ROOT, quick_start

_context = multiprocessing.get_context("forkserver")
_context.set_forkserver_preload(["tests.preloaded"])
_lock = threading.Lock()  # an exit code can be read once, and starting a process looks at all that have ended


class Fork:
    """A command that runs; to its tests it is as a `subprocess.Popen`."""

    def __init__(
        self,
        words: tuple[str, ...],
        environ: Mapping[str, str],
        stdout: Path,
        stderr: Path,
        constants: Mapping[str, float] | None = None,
    ) -> None:
        arguments = (words, dict(environ), str(ROOT), str(stdout), str(stderr), dict(constants or {}))
        self._process = _context.Process(target=become, args=arguments, daemon=True)
        with _lock, chdir(ROOT):  # the process that all are forked from finds `tests` there
            self._process.start()
        assert self._process.pid is not None
        self.pid = self._process.pid

    @property
    def returncode(self) -> int | None:
        return self.poll()

    def poll(self) -> int | None:
        with _lock:
            return self._process.exitcode

    def wait(self, timeout: float | None = None) -> int:
        connection.wait([self._process.sentinel], timeout)
        code = self.poll()
        if code is None:
            raise subprocess.TimeoutExpired(["sitrep"], timeout or 0)
        return code

    def send_signal(self, number: int) -> None:
        if self.poll() is None:
            os.kill(self.pid, number)

    def terminate(self) -> None:
        self.send_signal(15)


def sitrep(environ: Mapping[str, str], *words: str, timeout: float = 60) -> subprocess.CompletedProcess[bytes]:
    """Run a command to its end; it sees no more of the environment than `environ`, and PATH."""
    with tempfile.TemporaryDirectory() as folder:
        out, err = Path(folder, "out"), Path(folder, "err")
        fork = Fork(words, {"PATH": os.environ["PATH"], **environ}, out, err)
        try:
            code = fork.wait(timeout)
        except subprocess.TimeoutExpired:
            fork.send_signal(9)
            raise
        return subprocess.CompletedProcess(["sitrep", *words], code, out.read_bytes(), err.read_bytes())


def become(
    words: tuple[str, ...],
    environ: Mapping[str, str],
    folder: str,
    stdout: str,
    stderr: str,
    constants: Mapping[str, float],
) -> None:
    """Be what `python -m bot` is, in a process that has just been forked; `constants` are set first, by their names."""
    os.chdir(folder)
    os.environ.clear()
    os.environ.update(environ)
    time.tzset()
    for descriptor, path in ((1, stdout), (2, stderr)):
        file = os.open(path, os.O_WRONLY | os.O_CREAT | os.O_APPEND, 0o644)
        os.dup2(file, descriptor)
        os.close(file)
    for name, value in constants.items():
        module, _, constant = name.rpartition(".")
        setattr(importlib.import_module(module), constant, value)
    sys.argv = ["bot", *words]
    with quick_start():
        runpy.run_module("bot", run_name="__main__", alter_sys=True)

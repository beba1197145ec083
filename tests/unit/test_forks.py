"""The tests' own short cut: a process that is forked is as one that was started."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

import pytest

from tests.forks import ROOT, Fork, sitrep


@pytest.mark.parametrize(
    ("words", "code"), [(("manifest",), 0), (("export", "INC-20260101-001"), 1), (("nothing",), 2)]
)
def test_a_forked_command_says_what_a_started_one_says(words: tuple[str, ...], code: int, tmp_path: Path) -> None:
    """Output, errors and exit code are the same, whatever the environment of the tests has in it."""
    environ = {"SITREP_DATABASE_URL": f"sqlite:///{tmp_path / 'none.db'}", "COLUMNS": "100", "PATH": "/usr/bin:/bin"}
    started = subprocess.run(
        [sys.executable, "-m", "bot", *words], env=environ, cwd=ROOT, capture_output=True, check=False
    )
    forked = sitrep(environ, *words)
    assert (forked.returncode, forked.stdout, forked.stderr) == (started.returncode, started.stdout, started.stderr)
    assert forked.returncode == code


def test_a_fork_that_is_killed_tells_of_its_signal(tmp_path: Path) -> None:
    """Until then it has no exit code, and waiting for it in vain ends in time."""
    environ = {"SITREP_DATABASE_URL": f"sqlite:///{tmp_path / 'sitrep.db'}", "SITREP_PORT": "0"}
    fork = Fork(("serve",), environ, tmp_path / "out", tmp_path / "err")
    with pytest.raises(subprocess.TimeoutExpired):
        fork.wait(0.1)
    assert fork.poll() is None
    fork.send_signal(9)
    assert (fork.wait(10), fork.poll(), fork.returncode) == (-9, -9, -9)
    fork.send_signal(9)  # nobody else is hit

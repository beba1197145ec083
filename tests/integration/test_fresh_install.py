"""The commands before the service has ever run: they say that there is nothing yet, and why."""

from __future__ import annotations

import json
import sqlite3
from pathlib import Path

import pytest

from tests.forks import sitrep
from tests.migrated import put

LISTS = [
    (("outbox", "list"), "Nothing is queued and nothing has failed.\n"),
    (("outbox", "list", "--failed"), "Nothing has failed.\n"),
    (("inbox", "list"), "No dead letters: everything that came in could be read.\n"),
]


@pytest.mark.parametrize("words", [words for words, _ in LISTS])
@pytest.mark.parametrize("made", ["absent", "no bytes", "no tables"])
def test_a_list_before_the_first_start_says_so(words: tuple[str, ...], made: str, tmp_path: Path) -> None:
    """No file, a file of no bytes and a file without tables: a sentence with the path, and success."""
    path = tmp_path / "sitrep.db"
    if made == "no bytes":
        path.touch()
    elif made == "no tables":
        with sqlite3.connect(path) as connection:
            connection.execute("PRAGMA user_version = 1")
        connection.close()
    done = sitrep({"SITREP_DATABASE_URL": f"sqlite:///{path}"}, *words)
    assert (done.returncode, done.stderr) == (0, b"")
    why = "there is no database at {} `sitrep serve` creates it." if made == "absent" else ""
    why = why or "the database at {} is empty. `sitrep serve` fills it."
    assert done.stdout.decode() == f"Nothing yet: {why}\n".format(f"{path}." if made == "absent" else path)
    assert path.exists() is (made != "absent")


def test_a_machine_gets_an_empty_list(tmp_path: Path) -> None:
    """`--json` stays JSON; the sentence goes to the other stream."""
    done = sitrep({"SITREP_DATABASE_URL": f"sqlite:///{tmp_path / 'sitrep.db'}"}, "outbox", "list", "--json")
    assert done.returncode == 0
    assert json.loads(done.stdout) == {"deliveries": [], "older": 0}
    assert done.stderr.startswith(b"Nothing yet: ")


@pytest.mark.parametrize(("words", "said"), LISTS)
def test_an_empty_list_is_said(words: tuple[str, ...], said: str, tmp_path: Path) -> None:
    """A database with its tables and no rows is no silence."""
    put(f"sqlite:///{tmp_path / 'sitrep.db'}")
    done = sitrep({"SITREP_DATABASE_URL": f"sqlite:///{tmp_path / 'sitrep.db'}"}, *words)
    assert (done.returncode, done.stdout.decode(), done.stderr) == (0, said, b"")


@pytest.mark.parametrize("words", [("outbox", "list"), ("inbox", "list"), ("export", "INC-20261121-001")])
def test_a_misspelled_database_is_named(words: tuple[str, ...], tmp_path: Path) -> None:
    """Where there is no database, a slip in the name of the variable is the likely reason."""
    done = sitrep(
        {"SITREP_DATABSE_URL": "sqlite:////var/lib/sitrep.db", "SITREP_DATABASE_URL": f"sqlite:///{tmp_path}/x"}, *words
    )
    assert b"SITREP_DATABSE_URL is set, but Sitrep does not read it: did you mean" in done.stdout + done.stderr


@pytest.mark.parametrize("words", [("outbox", "list"), ("inbox", "list"), ("outbox", "retry", "1")])
def test_a_file_that_is_no_database_is_an_error(words: tuple[str, ...], tmp_path: Path) -> None:
    """What cannot be read is not "nothing yet"."""
    (tmp_path / "sitrep.db").write_text("x" * 5000)
    done = sitrep({"SITREP_DATABASE_URL": f"sqlite:///{tmp_path / 'sitrep.db'}"}, *words)
    assert (done.returncode, done.stdout) == (1, b"")
    assert b"file is not a database" in done.stderr
    assert b"Traceback" not in done.stderr


def test_what_needs_a_database_still_asks_for_one(tmp_path: Path) -> None:
    """`retry` without a database cannot do what it was told."""
    done = sitrep({"SITREP_DATABASE_URL": f"sqlite:///{tmp_path / 'sitrep.db'}"}, "outbox", "retry", "1")
    assert done.returncode == 1
    assert done.stderr.startswith(b"sitrep: There is no database at ")


def test_the_folder_is_left_as_it_was(tmp_path: Path) -> None:
    """Looking makes no file."""
    for words, _ in LISTS:
        sitrep({"SITREP_DATABASE_URL": f"sqlite:///{tmp_path / 'sitrep.db'}"}, *words)
    assert list(tmp_path.iterdir()) == []

"""Databases on which the migrations ran once, to be copied: a test that is not about them need not wait for them."""

from __future__ import annotations

import atexit
import hashlib
import shutil
import tempfile
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from functools import cache
from pathlib import Path

import psycopg
from psycopg import sql
from sqlalchemy import make_url

from bot.migrate import LOCK, SCRIPTS, migrate
from bot.store.postgres import is_postgres
from bot.store.sqlite import sqlite_path
from tests.postgres import database

_lock = threading.Lock()  # tests start services in threads, and Alembic serves one at a time


def put(url: str) -> None:
    """Put a migrated file where an SQLite URL points to and nothing is yet; a start then finds nothing to do."""
    if is_postgres(url):
        return
    path = sqlite_path(url)
    if not path.exists():
        with _lock:
            made = _file()
        shutil.copyfile(made, path)


@contextmanager
def migrated(server_url: str) -> Iterator[str]:
    """Make a migrated database on a PostgreSQL server and give its URL; it is dropped afterwards."""
    with _lock:
        template = _template(server_url)
    with database(server_url, template=template) as url:
        yield url


@cache
def _file() -> Path:
    folder = Path(tempfile.mkdtemp(prefix="sitrep-migrated-"))
    atexit.register(shutil.rmtree, folder, ignore_errors=True)
    migrate(f"sqlite:///{folder / 'sitrep.db'}")
    return folder / "sitrep.db"


@cache
def _template(server_url: str) -> str:
    """Give the template's name; the first of the workers that share the server makes it, other migrations another."""
    scripts = b"".join(file.read_bytes() for file in sorted((SCRIPTS / "versions").glob("*.py")))
    name = f"sitrep_template_{hashlib.sha256(scripts).hexdigest()[:12]}"
    with psycopg.connect(server_url, autocommit=True) as connection:
        connection.execute("SELECT pg_advisory_lock(%s)", [LOCK])
        if not connection.execute("SELECT 1 FROM pg_database WHERE datname = %s", [name]).fetchone():
            making = sql.Identifier(f"{name}_making")
            connection.execute(sql.SQL("DROP DATABASE IF EXISTS {}").format(making))
            connection.execute(sql.SQL("CREATE DATABASE {}").format(making))
            migrate(make_url(server_url).set(database=f"{name}_making").render_as_string(hide_password=False))
            connection.execute(sql.SQL("ALTER DATABASE {} RENAME TO {}").format(making, sql.Identifier(name)))
    return name

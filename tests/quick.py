"""What each start of the service reads anew, and none changes, is read once in this process."""

from __future__ import annotations

import ssl
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from functools import cache
from pathlib import Path
from unittest.mock import patch

from bot.runbooks.catalog import Catalog
from bot.runbooks.templates import Templates

ROOT = Path(__file__).resolve().parent.parent
RUNBOOKS = ROOT / "runbooks"

_read = Catalog.read
_read_templates = Templates.read
_lock = threading.Lock()  # two that replace a function at once would put each other's back
certificates = cache(ssl.create_default_context)  # by where they are read from


@cache
def shipped() -> Catalog:
    """The runbooks that ship."""
    catalog = _read(RUNBOOKS)
    assert not catalog.problems
    return catalog


@cache
def templates() -> Templates:
    """The templates that ship, compiled."""
    return _read_templates(RUNBOOKS / "templates")


@contextmanager
def quick_start() -> Iterator[None]:
    """Start without reading the runbooks, templates (0.1 s each) and certificates that ship again; others are read."""

    def read_templates(path: Path) -> Templates:
        return templates() if path == RUNBOOKS / "templates" else _read_templates(path)

    with (
        _lock,
        patch.object(Catalog, "read", lambda path: shipped() if path == RUNBOOKS else _read(path)),
        patch.object(Templates, "read", read_templates),
        patch.object(ssl, "create_default_context", certificates),
    ):
        yield

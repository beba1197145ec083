"""Ports that nobody else takes: each of the tests' workers has some of its own, and gives each of them in turn."""

from __future__ import annotations

import itertools
import os
import secrets
import socket
from contextlib import suppress

# Below those that outgoing connections are given: one stays free until its service listens, and while that is dead.
LOWEST, ALL = 15_000, 17_000
SHARE = 500  # of one worker


def _mine() -> int:
    """Return the first of this worker's ports; without workers it is by chance, as runs may go on side by side."""
    worker = os.environ.get("PYTEST_XDIST_WORKER", "")
    place = int(worker.removeprefix("gw")) if worker else secrets.randbelow(ALL // SHARE)
    return LOWEST + place * SHARE % ALL


_first = _mine()
_turns = itertools.count(secrets.randbelow(SHARE))


def free_port() -> int:
    """Give a port on loopback that nothing listens to and that nobody else is given."""
    while True:
        port = _first + next(_turns) % SHARE
        with socket.socket() as probe, suppress(OSError):
            probe.bind(("127.0.0.1", port))
            return port

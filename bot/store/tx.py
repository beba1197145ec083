"""The unit of work: a short transaction on a plain connection, with no network call in it."""

from __future__ import annotations

from collections.abc import Callable
from datetime import datetime
from typing import Any, Protocol, TypeVar

from sqlalchemy import Connection

T = TypeVar("T")


class Tx:
    """A transaction under way. `now` is its moment; what is hooked on the commit never runs after a rollback.

    `wakes` is the engine's own: what it has been asked for, to be written in one go before the commit. `inside` is the
    job that runs the unit of work, which needs no wake-up for itself.
    """

    def __init__(self, connection: Connection, now: datetime) -> None:
        self.connection = connection
        self.now = now
        self.inside: Any = None
        self.wakes: dict[Any, None] = {}  # an ordered set
        self._closing: list[Callable[[], None]] = []
        self.hooks: list[Callable[[], None]] = []

    def before_commit(self, hook: Callable[[], None]) -> None:
        """Run `hook` in the transaction, after the body of the unit of work."""
        self._closing.append(hook)

    def on_commit(self, hook: Callable[[], None]) -> None:
        """Run `hook` on the event loop once the transaction is durable."""
        self.hooks.append(hook)

    def run(self, work: Callable[[Tx], T]) -> T:
        """Run a unit of work up to its commit, which is the store's."""
        result = work(self)
        for hook in self._closing:
            hook()
        return result


class Store(Protocol):
    """Where rows are kept. The body of a unit of work is a plain function, so that both databases run the same one.

    It may be run again, after a deadlock say, so it changes nothing but rows.
    """

    async def write(self, work: Callable[[Tx], T]) -> T:
        """Run `work` in a transaction and commit it.

        Raises:
            DatabaseUnavailable: it is not known to be written.
        """
        ...

    async def read(self, work: Callable[[Connection], T]) -> T:
        """Run `work` on a consistent view of the rows.

        Raises:
            DatabaseUnavailable: the database does not answer.
        """
        ...

    async def close(self) -> None:
        """Finish what is under way and let go of the database."""
        ...

"""The unit of work: a short transaction on a plain connection, with no network call in it."""

from __future__ import annotations

from collections.abc import Callable
from datetime import datetime
from typing import Protocol, TypeVar

from sqlalchemy import Connection

T = TypeVar("T")


class Tx:
    """A transaction under way. `now` is its moment; what is hooked on the commit never runs after a rollback."""

    def __init__(self, connection: Connection, now: datetime) -> None:
        self.connection = connection
        self.now = now
        self.hooks: list[Callable[[], None]] = []

    def on_commit(self, hook: Callable[[], None]) -> None:
        """Run `hook` on the event loop once the transaction is durable."""
        self.hooks.append(hook)


class Store(Protocol):
    """Where rows are kept. The body of a unit of work is a plain function, so that both databases run the same one."""

    async def write(self, work: Callable[[Tx], T]) -> T:
        """Run `work` in a transaction and commit it.

        Raises:
            DatabaseUnavailable: nothing was written.
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

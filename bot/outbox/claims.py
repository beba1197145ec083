"""Claims of deliveries, gathered: those that are asked for while a commit is under way are written with the next."""

from __future__ import annotations

import asyncio

from bot.errors import DatabaseUnavailable
from bot.store import deliveries
from bot.store.deliveries import Outgoing
from bot.store.tx import Store, Tx

Asked = tuple[Outgoing, str, asyncio.Future[bool]]


class Claims:
    """Marks deliveries as being sent, several in one commit."""

    def __init__(self, store: Store) -> None:
        self._store = store
        self._asked: list[Asked] = []
        self._worker: asyncio.Task[None] | None = None

    async def take(self, row: Outgoing, by: str) -> bool:
        """Claim a delivery for a process; False when another one got there first, or it is not known to be written."""
        future: asyncio.Future[bool] = asyncio.get_running_loop().create_future()
        self._asked.append((row, by, future))
        if self._worker is None or self._worker.done():
            self._worker = asyncio.create_task(self._work())
        return await future

    async def _work(self) -> None:
        while self._asked:
            # In one order everywhere: two replicas that want the same ones must not wait for each other.
            asked, self._asked = sorted(self._asked, key=lambda each: each[0].id), []
            try:
                ours = await self._store.write(lambda tx, a=asked: _claim(tx, a))  # type: ignore[misc]
            except DatabaseUnavailable:
                # If one was claimed all the same, the next look finds it so, and looks before it sends.
                ours = [False] * len(asked)
            except Exception as error:  # noqa: BLE001 - handed to all that wait
                for _, _, future in asked:
                    if not future.done():
                        future.set_exception(error)
                continue
            for (_, _, future), is_ours in zip(asked, ours, strict=True):
                if not future.done():
                    future.set_result(is_ours)


def _claim(tx: Tx, asked: list[Asked]) -> list[bool]:
    return [deliveries.claim(tx.connection, row, by, tx.now) for row, by, _ in asked]

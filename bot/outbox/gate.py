"""Lets so many calls out at a time, paging and opening before chatter; and so many units of work in."""

from __future__ import annotations

import asyncio
import heapq
import itertools
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager

from bot.engine.port import Work

SLOTS = 32  # calls to the outside at a time; more would only fill the event loop and Slack's limits
# Units of work of jobs at a time. More would stand in the store's queue before a responder's, who gets 3 s.
PACE = 4

TURN = {Work.PAGES: 0, Work.TIMERS: 1, Work.DELIVERIES: 2}

_PAGING = frozenset({"page", "page_pagerduty", "pagerduty_state"})
_OPENING = frozenset({"channel", "card", "thread", "invite", "notification"})


def priority(kind: str) -> int:
    """Give a kind's place: the lower, the earlier."""
    return 0 if kind in _PAGING else 1 if kind in _OPENING else 2


class Gate:
    """A semaphore whose waiters come in by priority, then in the order in which they came."""

    def __init__(self, slots: int = SLOTS) -> None:
        self._free = slots
        self._order = itertools.count()
        self._waiting: list[tuple[int, int, asyncio.Future[None]]] = []

    @asynccontextmanager
    async def enter(self, place: int) -> AsyncIterator[None]:
        """Wait for a slot and hold it."""
        if self._free:
            self._free -= 1
        else:
            turn: asyncio.Future[None] = asyncio.get_running_loop().create_future()
            heapq.heappush(self._waiting, (place, next(self._order), turn))
            try:
                await turn
            except asyncio.CancelledError:
                if turn.done() and not turn.cancelled():
                    self._pass_on()
                raise
        try:
            yield
        finally:
            self._pass_on()

    def _pass_on(self) -> None:
        while self._waiting:
            turn = heapq.heappop(self._waiting)[2]
            if not turn.done():
                turn.set_result(None)
                return
        self._free += 1

"""The head of a request within bounds of size and time, which uvicorn leaves open."""

from __future__ import annotations

import asyncio
from typing import Any

from uvicorn.protocols.http.httptools_impl import HttpToolsProtocol

HEAD = 64 * 1024  # bytes of a request's line and headers; Slack's and PagerDuty's have some 2,000
HEAD_WITHIN = 20.0  # seconds from a connection, or a request's first byte, to the end of its headers


class BoundedHeads(HttpToolsProtocol):
    """As uvicorn's, but whoever never ends their headers is refused, and holds no memory."""

    _head = 0
    _reads_head = True
    _limit: asyncio.TimerHandle | None = None

    def connection_made(self, transport: asyncio.Transport) -> None:  # type: ignore[override]
        """Take a connection; its first request's head must come in time."""
        super().connection_made(transport)
        self._begin()

    def connection_lost(self, exc: Exception | None) -> None:
        """Forget the connection."""
        self._end()
        super().connection_lost(exc)

    def data_received(self, data: bytes) -> None:
        """Take bytes; of a head only so many."""
        super().data_received(data)
        if self._reads_head and not self.transport.is_closing():
            self._head += len(data)
            if self._head > HEAD:
                self.send_400_response("Request header too large.")

    def on_message_begin(self) -> None:
        """Begin a request."""
        super().on_message_begin()
        self._begin()

    def on_headers_complete(self) -> None:
        """End a request's head."""
        self._end()
        super().on_headers_complete()

    def _begin(self) -> None:
        self._end()
        self._reads_head, self._head = True, 0
        self._limit = self.loop.call_later(HEAD_WITHIN, self._close)

    def _end(self) -> None:
        self._reads_head = False
        if self._limit is not None:
            self._limit.cancel()
            self._limit = None

    def _close(self) -> Any:
        self.transport.close()

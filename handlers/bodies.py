"""Bodies of requests: collected within bounds of size, memory and time, before anything reads them whole."""

from __future__ import annotations

import asyncio
from collections import Counter
from collections.abc import Awaitable, Callable
from contextlib import suppress
from dataclasses import dataclass

from starlette.responses import JSONResponse
from starlette.types import ASGIApp, Message, Receive, Scope, Send

from handlers.http import problem

READ_WITHIN = 60.0  # seconds for a whole body
DISCARD_WITHIN = 30.0  # seconds in which the rest of a body that is refused is read, and
IDLE = 3.0  # so many without a byte of it
# Bytes of it. Whoever still sends when the connection is closed reads of a reset, not our answer.
DISCARD = 64 * 1024**2
TIMES = 4  # as often as the largest body fits into memory at once
RETRY = {"connection": "close", "retry-after": "5"}


@dataclass(frozen=True, slots=True)
class Allowance:
    """What is taken of a request: bytes at most, and whether they are kept or only read to their end.

    Bodies of one `pool` share its memory, so that strangers never use up that of those with a token. `setting` is what
    raises the limit.
    """

    limit: int
    keep: bool = True
    pool: str = ""
    setting: str = ""


class _Gone(Exception):  # noqa: N818 - a state
    """The sender went away."""


class _TooLarge(Exception):  # noqa: N818
    """The body is larger than what is taken."""


class _Crowded(Exception):  # noqa: N818
    """There is no memory for the body beside those under way."""


class LimitBody:
    """Passes requests on with their bodies collected; one over its limit is answered 413, whoever sends it.

    Args:
        app: what comes after.
        allow: what is taken of a request.
        refused: is told of a request that was answered 413, with its declared size; 0 where it declared none.
    """

    def __init__(
        self, app: ASGIApp, allow: Callable[[Scope], Allowance], refused: Callable[[Scope, int, int], Awaitable[None]]
    ) -> None:
        self._app = app
        self._allow = allow
        self._refused = refused
        self._held: Counter[str] = Counter()

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Pass a request on, its body collected, unless it is too large."""
        if scope["type"] != "http" or scope["method"] not in {"POST", "PUT", "PATCH"}:
            await self._app(scope, receive, send)
            return
        headers = dict(scope["headers"])
        declared = headers.get(b"content-length", b"")
        size = int(declared) if declared.isdigit() else 0
        allowed = self._allow(scope)
        if size > allowed.limit:
            await self._too_large(scope, receive, send, allowed, size)
            return
        if not allowed.keep and b"expect" in headers:
            await self._pass(scope, receive, send, b"")  # it waits for a word before it sends
            return
        chunks: list[bytes] = []
        try:
            async with asyncio.timeout(READ_WITHIN):
                await self._collect(receive, allowed, chunks)
            await self._pass(scope, receive, send, b"".join(chunks))
        except _Gone:
            return
        except _TooLarge:
            self._let_go(allowed, chunks)
            await self._too_large(scope, receive, send, allowed, 0)
        except _Crowded:
            self._let_go(allowed, chunks)
            made = problem(503, "busy", "Send it again: too many large bodies arrive at once.", headers=RETRY)
            await _answer(made, scope, receive, send)
        except TimeoutError:
            message = f"Send it again, within {READ_WITHIN:.0f} seconds."
            await problem(503, "too_slow", message, headers=RETRY)(scope, receive, send)
        finally:
            self._let_go(allowed, chunks)

    def _let_go(self, allowed: Allowance, chunks: list[bytes]) -> None:
        self._held[allowed.pool] -= sum(map(len, chunks))
        chunks.clear()

    async def _collect(self, receive: Receive, allowed: Allowance, chunks: list[bytes]) -> None:
        size, more = 0, True
        while more:
            message = await receive()
            if message["type"] != "http.request":
                raise _Gone
            chunk = message.get("body", b"")
            size += len(chunk)
            if size > allowed.limit:
                raise _TooLarge
            if allowed.keep and chunk:
                if self._held[allowed.pool] + len(chunk) > max(TIMES * allowed.limit, DISCARD):
                    raise _Crowded
                self._held[allowed.pool] += len(chunk)
                chunks.append(chunk)
            more = message.get("more_body", False)

    async def _pass(self, scope: Scope, receive: Receive, send: Send, body: bytes) -> None:
        first: Message | None = {"type": "http.request", "body": body, "more_body": False}

        async def replay() -> Message:
            nonlocal first
            if first is not None:
                message, first = first, None
                return message
            return await receive()

        await self._app(scope, replay, send)

    async def _too_large(self, scope: Scope, receive: Receive, send: Send, allowed: Allowance, size: int) -> None:
        message = f"Send at most {allowed.limit} bytes{allowed.setting and f', or raise {allowed.setting}'}."
        made = problem(413, "too_large", message, headers={"connection": "close"})
        await self._refused(scope, size, allowed.limit)
        await _answer(made, scope, receive, send, max(TIMES * allowed.limit, DISCARD))


async def _answer(made: JSONResponse, scope: Scope, receive: Receive, send: Send, most: int = DISCARD) -> None:
    """Answer at once, and read on until the sender has ended: only then it reads the answer."""

    async def hold(message: Message) -> None:
        await send({**message, "more_body": True} if message["type"] == "http.response.body" else message)

    await made(scope, receive, hold)
    with suppress(TimeoutError):
        async with asyncio.timeout(DISCARD_WITHIN):
            while most > 0:
                async with asyncio.timeout(IDLE):
                    message = await receive()
                most -= len(message.get("body", b""))
                if message["type"] != "http.request" or not message.get("more_body", False):
                    break
    await send({"type": "http.response.body", "body": b"", "more_body": False})

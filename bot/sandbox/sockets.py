"""Slack's side of Socket Mode: tickets, connections, and envelopes that wait for their acknowledgement.

Source: https://docs.slack.dev/apis/events-api/using-socket-mode.
"""

import asyncio
import json
import threading
import uuid
from collections.abc import Callable, Coroutine
from concurrent.futures import Future
from dataclasses import dataclass, field
from typing import Any, TypeVar

from aiohttp import WSCloseCode, WSMsgType, web

from bot.sandbox.model import APP_ID, Json

T = TypeVar("T")

MAX_LINKS = 10  # open connections of one app
_HOST = "127.0.0.1"
_PATIENCE = 3.0  # seconds that a connection which ends waits for answers
_WAIT = 10.0  # seconds until the thread counts as stuck


@dataclass(frozen=True, slots=True)
class Envelope:
    """What Slack hands over: `accepts` whether an answer may hold a payload; events that come again say so.

    `kind` is `slash_commands`, `interactive` or `events_api`.
    """

    kind: str
    payload: Json
    accepts: bool = True
    retry: int = 0
    reason: str = ""

    def message(self, ident: str) -> Json:
        """What goes over the socket."""
        out: Json = {"envelope_id": ident, "type": self.kind, "accepts_response_payload": self.accepts}
        out["payload"] = self.payload
        if self.kind == "events_api":
            out |= {"retry_attempt": self.retry, "retry_reason": self.reason}
        return out


@dataclass(frozen=True, slots=True)
class _Link:
    """One open connection."""

    socket: web.WebSocketResponse
    transport: asyncio.Transport
    asked: list[Future[Json]] = field(default_factory=list)

    async def end(self, code: int) -> None:
        """Close it properly, once what was asked over it has been answered."""
        asked = [asyncio.wrap_future(answer) for answer in self.asked if not answer.done()]
        if asked:
            await asyncio.wait(asked, timeout=_PATIENCE)
        await self.socket.close(code=code)


class Sockets:
    """The connections of one app. It listens on loopback, in a thread of its own, from the first ticket on.

    Attributes:
        strays: what the app sent that Slack had not asked for: an answer to an unknown envelope, a second answer,
            a payload where none is taken, what is no JSON.
        lose: says whose answer is lost on its way, with its connection; it is asked until one is.
        used: True once an app has connected; from then on Slack sends nothing over HTTP any more.
    """

    def __init__(self) -> None:
        self.strays: list[str] = []
        self.used = False
        self.lose: Callable[[Envelope], bool] | None = None
        self._lock = threading.RLock()
        self._tickets: set[str] = set()
        self._links: list[_Link] = []
        # All there ever were: an answer that comes too late is no stray, and helps nobody.
        self._sent: dict[str, tuple[Envelope, Future[Json]]] = {}
        self._turn = 0
        self._thread: threading.Thread | None = None
        self._loop: asyncio.AbstractEventLoop | None = None
        self._over: asyncio.Event | None = None
        self._port: Future[int] = Future()

    @property
    def count(self) -> int:
        """How many connections are open."""
        with self._lock:
            return len(self._links)

    def open(self) -> str:
        """Give the address of a new connection; its ticket is good for one."""
        with self._lock:
            if self._thread is None:
                self._port = Future()
                self._thread = threading.Thread(target=self._run, name="sandbox-sockets", daemon=True)
                self._thread.start()
            ticket = str(uuid.uuid4())
            self._tickets.add(ticket)
        return f"ws://{_HOST}:{self._port.result(_WAIT)}/link/?ticket={ticket}&app_id={APP_ID}"

    def stop(self) -> None:
        """Cut all connections and end the thread; tickets that were not used are worth nothing."""
        with self._lock:
            thread, self._thread = self._thread, None
            self.forget()
        if thread is not None and self._loop is not None and self._over is not None:
            self._loop.call_soon_threadsafe(self._over.set)
            thread.join(_WAIT)

    def forget(self) -> None:
        """Have all tickets expire that were not used."""
        with self._lock:
            self._tickets.clear()

    def deliver(self, envelope: Envelope, timeout: float) -> Json:
        """Send an envelope over one of the connections and give the payload of its answer, mostly an empty one.

        Raises:
            ConnectionError: there is no connection.
            TimeoutError: nobody has acknowledged it in time.
        """
        answer = Future[Json]()
        self._do(self._hand_over(envelope, answer))
        return answer.result(timeout)

    def disconnect(self, reason: str = "refresh_requested", *, close: bool = True) -> None:
        """Tell each connection that it ends; `warning` comes about 10 s before, so it is left open (`close`)."""
        said = {"type": "disconnect", "reason": reason, "debug_info": {"host": "sandbox"}}
        for link in self._all(taken=close):
            self._do(_send(link, said))
            if close:
                self._do(link.end(WSCloseCode.GOING_AWAY))

    def close(self, count: int = MAX_LINKS) -> None:
        """Close the connections properly, without a word before; `count` of them, the oldest first."""
        for link in self._all(count, taken=True):
            self._do(link.end(WSCloseCode.OK))

    def cut(self) -> None:
        """End all connections without a goodbye, as a network does."""
        for link in self._all(taken=True):
            self._do(_abort(link))

    # -- the thread -------------------------------------------------------------------------------------------

    def _all(self, count: int = MAX_LINKS, *, taken: bool = False) -> list[_Link]:
        """The oldest connections; what is `taken` away is sent nothing any more."""
        with self._lock:
            links = self._links[:count]
            if taken:
                self._links = self._links[count:]
            return links

    def _do(self, work: Coroutine[Any, Any, T]) -> T:
        if self._loop is None or self._thread is None:
            work.close()
            raise ConnectionError("Slack is away")
        return asyncio.run_coroutine_threadsafe(work, self._loop).result(_WAIT)

    def _run(self) -> None:
        asyncio.run(self._serve())

    async def _serve(self) -> None:
        self._loop, self._over = asyncio.get_running_loop(), asyncio.Event()
        app = web.Application()
        app.router.add_get("/link/", self._connect)
        runner = web.AppRunner(app, access_log=None, shutdown_timeout=0.1)
        await runner.setup()
        site = web.TCPSite(runner, _HOST, 0)
        await site.start()
        self._port.set_result(runner.addresses[0][1])
        await self._over.wait()
        await site.stop()
        for link in self._all():
            link.transport.abort()
        await runner.cleanup()

    async def _connect(self, request: web.Request) -> web.StreamResponse:
        with self._lock:
            ticket = request.query.get("ticket", "")
            if ticket not in self._tickets:
                return web.Response(status=408)
            self._tickets.remove(ticket)
        socket = web.WebSocketResponse()
        await socket.prepare(request)
        assert isinstance(request.transport, asyncio.Transport)  # noqa: S101 - it has just been upgraded
        link = _Link(socket, request.transport)
        with self._lock:
            hello = self._hello()
            if not (full := len(self._links) >= MAX_LINKS):
                self._links.append(link)
                self.used = True
        if full:
            await _send(link, {"type": "disconnect", "reason": "too_many_websockets", "debug_info": {}})
            await socket.close()
            return socket
        try:
            await _send(link, hello)
            async for message in socket:
                if message.type is WSMsgType.TEXT:
                    self._take(link, message.data)
        finally:
            with self._lock:
                self._links = [other for other in self._links if other is not link]
        return socket

    def _hello(self) -> Json:
        return {
            "type": "hello",
            "num_connections": self.count + 1,
            "debug_info": {"host": "sandbox", "build_number": 10, "approximate_connection_time": 18060},
            "connection_info": {"app_id": APP_ID},
        }

    async def _hand_over(self, envelope: Envelope, answer: Future[Json]) -> None:
        ident = str(uuid.uuid4())
        with self._lock:
            if not self._links:
                raise ConnectionError("no connection is open")
            self._turn += 1
            link = self._links[self._turn % len(self._links)]
            self._sent[ident] = (envelope, answer)
            link.asked.append(answer)
        await _send(link, envelope.message(ident))

    def _take(self, link: _Link, text: str) -> None:
        try:
            said = json.loads(text)
            ident, payload = said["envelope_id"], said.get("payload") or {}
        except (ValueError, TypeError, KeyError):
            self.strays.append(f"no answer: {text}")
            return
        with self._lock:
            envelope, answer = self._sent.get(ident, (None, None))
        if envelope is None or answer is None:
            self.strays.append(f"unknown envelope: {text}")
        elif answer.done():
            self.strays.append(f"answered twice: {text}")
        elif self.lose is not None and self.lose(envelope):
            self.lose = None
            link.transport.abort()
        else:
            if payload and not envelope.accepts:
                self.strays.append(f"no payload is taken: {text}")
            answer.set_result(payload)


async def _send(link: _Link, message: Json) -> None:
    if not link.socket.closed:
        await link.socket.send_str(json.dumps(message))


async def _abort(link: _Link) -> None:
    link.transport.abort()

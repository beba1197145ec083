"""Serving an application on loopback from a daemon thread: quick to start and to end, its connections cut at will."""

import asyncio
import socket
import struct
import threading
import time

import uvicorn
from starlette.applications import Starlette
from starlette.requests import Request
from uvicorn.protocols.http.h11_impl import H11Protocol

START_SECONDS = 10.0
_GRACE_SECONDS = 2.0
_TURNS = 4  # of the loop, until a connection that has just been accepted is known


class _Protocol(H11Protocol):
    """Hands the connection to the application, so that a fault can cut it."""

    def connection_made(self, transport: asyncio.Transport) -> None:  # type: ignore[override]
        self.app_state = {**self.app_state, "transport": transport}
        super().connection_made(transport)


class _Server(uvicorn.Server):
    """Starts its end within 10 ms and sleeps through none of it, so that each test can have a server of its own."""

    async def main_loop(self) -> None:
        counter = 0
        while not await self.on_tick(counter):
            counter = (counter + 1) % 864_000
            await asyncio.sleep(0.01)

    async def shutdown(self, sockets: list[socket.socket] | None = None) -> None:
        for server in self.servers:
            server.close()
        for sock in sockets or []:
            sock.close()
        for _ in range(_TURNS):
            await asyncio.sleep(0)
        for connection in list(self.server_state.connections):
            connection.shutdown()
        if self.server_state.tasks:
            await asyncio.wait(self.server_state.tasks, timeout=_GRACE_SECONDS)
        for connection in list(self.server_state.connections):
            connection.transport.abort()
        await asyncio.sleep(0)


class Listener:
    """Serves one application at a time; port 0 takes a free one, which is kept from then on."""

    def __init__(self, host: str, port: int) -> None:
        self.host = host
        self.port = port
        self._thread: threading.Thread | None = None
        self._server: uvicorn.Server | None = None
        self._socket: socket.socket | None = None

    @property
    def url(self) -> str:
        """The base URL, without a slash at the end."""
        return f"http://{self.host}:{self.port}"

    @property
    def serves(self) -> bool:
        """True between `start` and `stop`."""
        return self._server is not None

    def bind(self) -> None:
        """Take the port, so that the address is known before the application is made."""
        self._socket = socket.socket(socket.AF_INET, socket.SOCK_STREAM)
        self._socket.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        self._socket.bind((self.host, self.port))
        self.port = self._socket.getsockname()[1]

    def start(self, app: Starlette, *, dated: bool = True) -> None:
        """Serve; returns when requests are answered. Unless `dated` the application itself tells the date."""
        config = uvicorn.Config(
            app,
            http=_Protocol,
            loop="asyncio",
            ws="none",
            lifespan="off",
            log_config=None,
            access_log=False,
            date_header=dated,
        )
        self._server = _Server(config)
        self._thread = threading.Thread(target=self._server.run, args=([self._socket],), name="sandbox", daemon=True)
        self._thread.start()
        deadline = time.monotonic() + START_SECONDS
        while not self._server.started:
            if not self._thread.is_alive() or time.monotonic() > deadline:
                raise RuntimeError("the sandbox server did not start")
            time.sleep(0.005)

    def stop(self) -> None:
        """End the thread; connections are refused from then on."""
        if self._server is None or self._thread is None:
            return
        self._server.should_exit = True
        self._thread.join(START_SECONDS)
        if self._socket is not None:
            self._socket.close()
        self._server = None


def cut(request: Request, *, reset: bool) -> None:
    """End a request's connection without an answer; `reset` makes it look like a refusal."""
    transport: asyncio.Transport = request.scope["state"]["transport"]
    if reset:
        sock: socket.socket = transport.get_extra_info("socket")
        sock.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
    transport.abort()

"""The workspace over HTTP: uvicorn in a daemon thread, events to the bot in another."""

import asyncio
import queue
import socket
import threading
import time
from types import TracebackType
from typing import Self

import uvicorn
from starlette.applications import Starlette
from starlette.requests import Request
from starlette.responses import PlainTextResponse, RedirectResponse, Response
from starlette.routing import Route
from uvicorn.protocols.http.h11_impl import H11Protocol

from bot.sandbox.model import Json
from bot.sandbox.page import Page, Toolbar
from bot.sandbox.people import Sender
from bot.sandbox.web_api import WebApi
from bot.sandbox.workspace import Workspace

_START_SECONDS = 10.0
_GRACE_SECONDS = 2.0


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
        for connection in list(self.server_state.connections):
            connection.shutdown()
        if self.server_state.tasks:
            await asyncio.wait(self.server_state.tasks, timeout=_GRACE_SECONDS)


class SandboxServer:
    """Serves one workspace.

    Args:
        workspace: what to serve.
        host: where to listen.
        port: 0 takes a free one; a second `start()` listens on the same again.
        bot_url: the bot's base URL; settable, since the bot mostly starts later.
        emit_events: tell the bot of joins, messages and reactions, as the Events API does.
        toolbar: what the web page's buttons for alerts and for the clock do.
    """

    def __init__(
        self,
        workspace: Workspace,
        *,
        host: str = "127.0.0.1",
        port: int = 0,
        bot_url: str | None = None,
        emit_events: bool = False,
        toolbar: Toolbar | None = None,
    ) -> None:
        self.workspace = workspace
        self.bot_url = bot_url
        self.toolbar = toolbar
        self.people = Sender(workspace, lambda: self.bot_url)
        self._host = host
        self._port = port
        self._emit_events = emit_events
        self._events: queue.SimpleQueue[Json | None] = queue.SimpleQueue()
        self._threads: list[threading.Thread] = []
        self._server: uvicorn.Server | None = None
        self._api: WebApi | None = None
        self._socket: socket.socket | None = None

    @property
    def port(self) -> int:
        """The port it listens on; 0 before the first start if none was given."""
        return self._port

    @property
    def url(self) -> str:
        """The base URL, without a slash at the end."""
        return f"http://{self._host}:{self._port}"

    @property
    def api_url(self) -> str:
        """What an official client takes as its base URL."""
        return f"{self.url}/api/"

    def start(self) -> Self:
        """Listen and serve; returns when requests are answered."""
        self._socket = socket.socket(socket.AF_INET, socket.SOCK_STREAM)
        self._socket.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        self._socket.bind((self._host, self._port))
        self._port = self._socket.getsockname()[1]
        self.workspace.base_url = self.url
        self._api = WebApi(self.workspace)
        config = uvicorn.Config(
            self._app(self._api),
            http=_Protocol,
            loop="asyncio",
            ws="none",
            lifespan="off",
            log_config=None,
            access_log=False,
        )
        self._server = _Server(config)
        serve = threading.Thread(target=self._server.run, args=([self._socket],), name="sandbox", daemon=True)
        self._threads = [serve]
        if self._emit_events:
            self.workspace.event_sink = self._events.put
            self._threads.append(threading.Thread(target=self._send_events, name="sandbox-events", daemon=True))
        for thread in self._threads:
            thread.start()
        deadline = time.monotonic() + _START_SECONDS
        while not self._server.started:
            if not serve.is_alive() or time.monotonic() > deadline:
                raise RuntimeError("the sandbox server did not start")
            time.sleep(0.005)
        return self

    def stop(self) -> None:
        """End the server and its threads; connections are refused from then on until `start()`."""
        if self._server is None or self._api is None:
            return
        self.workspace.event_sink = None
        self._events.put(None)
        self._api.close()
        self._server.should_exit = True
        for thread in self._threads:
            thread.join(_START_SECONDS)
        if self._socket is not None:
            self._socket.close()
        self._server = None

    def __enter__(self) -> Self:
        self.start()
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.stop()
        self.people.close_client()

    def _app(self, api: WebApi) -> Starlette:
        routes = [
            *api.routes(),
            Route("/files/{file_id}/{name}", self._file),
            Route("/archives/{channel}/{message}", self._permalink),
            *Page(self.workspace, self.people, lambda: self.toolbar).routes(),
        ]
        return Starlette(routes=routes)

    async def _file(self, request: Request) -> Response:
        file = self.workspace.files.get(request.path_params["file_id"])
        if file is None or file.content is None:
            return PlainTextResponse("no such file", status_code=404)
        # never text/html: what was uploaded must not run in the page's origin
        headers = {"X-Content-Type-Options": "nosniff"}
        return PlainTextResponse(file.content, headers=headers)

    async def _permalink(self, request: Request) -> Response:
        channel = self.workspace.channels.get(request.path_params["channel"])
        stamp = request.path_params["message"].removeprefix("p")
        if channel is None:
            return PlainTextResponse("no such channel", status_code=404)
        return RedirectResponse(f"/?channel={channel.name or channel.id}#m{stamp}")

    def _send_events(self) -> None:
        while (event := self._events.get()) is not None:
            if self.bot_url is not None:
                self.people.event(event)

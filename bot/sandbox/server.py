"""The workspace over HTTP: uvicorn in a daemon thread, events to the bot in another."""

import queue
import threading
from types import TracebackType
from typing import Self

from starlette.applications import Starlette
from starlette.requests import Request
from starlette.responses import PlainTextResponse, RedirectResponse, Response
from starlette.routing import Route

from bot.sandbox.model import Json
from bot.sandbox.page import Page, Toolbar
from bot.sandbox.people import Sender
from bot.sandbox.serving import START_SECONDS, Listener
from bot.sandbox.web_api import WebApi
from bot.sandbox.workspace import Workspace


class SandboxServer:
    """Serves one workspace; over its `sockets` too, where an app asks for Socket Mode.

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
        self._listener = Listener(host, port)
        self._emit_events = emit_events
        self._events: queue.SimpleQueue[Json | None] = queue.SimpleQueue()
        self._teller: threading.Thread | None = None
        self._api: WebApi | None = None

    @property
    def port(self) -> int:
        """The port it listens on; 0 before the first start if none was given."""
        return self._listener.port

    @property
    def url(self) -> str:
        """The base URL, without a slash at the end."""
        return self._listener.url

    @property
    def api_url(self) -> str:
        """What an official client takes as its base URL."""
        return f"{self.url}/api/"

    def start(self) -> Self:
        """Listen and serve; returns when requests are answered."""
        self._listener.bind()
        self.workspace.base_url = self.url
        self._api = WebApi(self.workspace)
        if self._emit_events:
            self.workspace.event_sink = self._events.put
            self._teller = threading.Thread(target=self._send_events, name="sandbox-events", daemon=True)
            self._teller.start()
        self._listener.start(self._app(self._api), dated=False)
        return self

    def stop(self) -> None:
        """End the server and its threads; connections are refused from then on until `start()`."""
        if not self._listener.serves or self._api is None:
            return
        self.workspace.event_sink = None
        self._api.close()
        self.workspace.sockets.stop()
        self._listener.stop()
        if self._teller is not None:
            self._events.put(None)
            self._teller.join(START_SECONDS)
            self._teller = None

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
            if self.bot_url is not None or self.workspace.sockets.used:
                self.people.event(event)

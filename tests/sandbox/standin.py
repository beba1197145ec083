"""A tiny bot for these tests: verifies signatures, keeps what it got, and answers as it is told."""

import json
import ssl
import threading
import time
from collections.abc import Callable
from typing import Any
from urllib.parse import parse_qsl

import httpx
import uvicorn
from slack_sdk.signature import SignatureVerifier
from starlette.applications import Starlette
from starlette.requests import Request
from starlette.responses import JSONResponse, Response
from starlette.routing import Route

# loading the CA certificates for each request would take longer than the request
NO_TLS = ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT)


class StandIn:
    """`answer` maps a received payload to a JSON answer (None: an empty 200) or to a whole response."""

    def __init__(self, signing_secret: str = "sandbox-signing-secret") -> None:
        self.received: list[dict[str, Any]] = []
        self.headers: list[dict[str, str]] = []
        self.answer: Callable[[dict[str, Any]], Any] = lambda _: None
        self.ready = True
        self._verifier = SignatureVerifier(signing_secret)
        routes = [
            Route("/slack/events", self._events, methods=["POST"]),
            Route("/webhooks/alertmanager", self._alerts, methods=["POST"]),
            Route("/readyz", self._ready),
        ]
        config = uvicorn.Config(Starlette(routes=routes), port=0, log_config=None, access_log=False, lifespan="off")
        self._server = uvicorn.Server(config)
        self._thread = threading.Thread(target=self._server.run, daemon=True)

    def start(self) -> "StandIn":
        self._thread.start()
        while not self._server.started:
            time.sleep(0.005)
        return self

    def stop(self) -> None:
        self._server.should_exit = True
        self._thread.join(5)

    def reset(self) -> None:
        self.received.clear()
        self.headers.clear()
        self.answer = lambda _: None

    @property
    def url(self) -> str:
        host, port = self._server.servers[0].sockets[0].getsockname()[:2]
        return f"http://{host}:{port}"

    async def _events(self, request: Request) -> Response:
        body = await request.body()
        if not self._verifier.is_valid_request(body, dict(request.headers)):
            return JSONResponse({"error": "bad signature"}, status_code=401)
        return self._take(request, decode(body, request.headers["content-type"]))

    async def _alerts(self, request: Request) -> Response:
        return self._take(request, json.loads(await request.body()))

    def _take(self, request: Request, payload: dict[str, Any]) -> Response:
        self.received.append(payload)
        self.headers.append(dict(request.headers))
        answer = self.answer(payload)
        if isinstance(answer, Response):
            return answer
        return Response() if answer is None else JSONResponse(answer)

    async def _ready(self, _request: Request) -> Response:
        return JSONResponse({}, status_code=200 if self.ready else 503)


def decode(body: bytes, content_type: str) -> dict[str, Any]:
    if content_type.startswith("application/json"):
        return dict(json.loads(body))
    form = dict(parse_qsl(body.decode()))
    return dict(json.loads(form["payload"])) if "payload" in form else form


def api(server_url: str, method: str, **args: Any) -> dict[str, Any]:
    """One Web API call as the stand-in makes it."""
    headers = {"Authorization": "Bearer xoxb-sandbox"}
    return dict(httpx.post(f"{server_url}/api/{method}", headers=headers, json=args, verify=NO_TLS).json())

"""The PagerDuty account over HTTP: both APIs on one loopback address, with faults on demand."""

import asyncio
import contextlib
import json
import time
from collections.abc import Callable
from types import TracebackType
from typing import Self

from starlette.applications import Starlette
from starlette.requests import Request
from starlette.responses import HTMLResponse, JSONResponse, Response
from starlette.routing import Route

from bot.sandbox.faults import Fault
from bot.sandbox.model import Call, Json
from bot.sandbox.pagerduty import Account, PagerDutyError
from bot.sandbox.serving import Listener, cut

Answer = tuple[int, Json]


class PagerDutyServer:
    """Serves one account; `url` is the base of both its APIs."""

    def __init__(self, account: Account, *, host: str = "127.0.0.1", port: int = 0) -> None:
        self.account = account
        self._listener = Listener(host, port)
        self._closing = asyncio.Event()
        self._loop: asyncio.AbstractEventLoop | None = None

    @property
    def url(self) -> str:
        """The base URL, without a slash at the end."""
        return self._listener.url

    def start(self) -> Self:
        """Listen and serve; a second start listens on the same port again."""
        self._closing = asyncio.Event()
        self._listener.bind()
        self._listener.start(Starlette(routes=self._routes()))
        return self

    def stop(self) -> None:
        """End the server; connections are refused from then on until `start()`."""
        if self._loop is not None and self._listener.serves:
            self._loop.call_soon_threadsafe(self._closing.set)
        self._listener.stop()
        self._loop = None

    def __enter__(self) -> Self:
        return self.start()

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.stop()

    def _routes(self) -> list[Route]:
        account = self.account
        one = "/incidents/{id}"
        table: list[tuple[str, str, Callable[[Request, Json], Json]]] = [
            ("POST", "/incidents", lambda r, b: account.create_incident(b["incident"], _sender(r))),
            ("GET", "/incidents", lambda r, _: account.list_incidents(_query(r))),
            ("GET", one, lambda r, _: account.get_incident(r.path_params["id"])),
            ("GET", f"{one}/alerts", lambda r, _: account.list_alerts(r.path_params["id"], _query(r))),
            ("PUT", one, lambda r, b: account.put_incident(r.path_params["id"], b["incident"], _sender(r))),
            (
                "POST",
                f"{one}/responder_requests",
                lambda r, b: account.request_responders(r.path_params["id"], b, _sender(r)),
            ),
            ("GET", "/oncalls", lambda r, _: account.list_oncalls(_query(r))),
            ("GET", "/priorities", lambda r, _: account.list_priorities(_query(r))),
            ("GET", "/users", lambda r, _: account.list_users(_query(r))),
            ("GET", "/users/me", lambda _r, _b: account.me()),
        ]
        routes = [self._route(verb, path, self._rest(verb, act)) for verb, path, act in table]
        return [*routes, self._route("POST", "/v2/enqueue", lambda _, body: account.enqueue(body))]

    def _rest(self, verb: str, act: Callable[[Request, Json], Json]) -> Callable[[Request, Json], Answer]:
        def answer(request: Request, body: Json) -> Answer:
            try:
                if request.headers.get("authorization") != f"Token token={self.account.api_token}":
                    raise PagerDutyError(401, 2006, "Unauthorized")  # noqa: TRY301 - one way out for all refusals
                return 201 if verb == "POST" else 200, act(request, body)
            except PagerDutyError as error:
                return error.status, error.body

        return answer

    def _route(self, verb: str, path: str, act: Callable[[Request, Json], Answer]) -> Route:
        async def endpoint(request: Request) -> Response:
            raw = await request.body()
            body = json.loads(raw) if raw else {}
            with self.account.lock:
                args = {**body, "path": request.url.path, "query": _query(request)}
                call = Call(len(self.account.calls) + 1, f"{verb} {path}", args, time.monotonic())
                self.account.calls.append(call)
            return await self._serve(request, call, lambda: act(request, body))

        return Route(path, endpoint, methods=[verb])

    async def _serve(self, request: Request, call: Call, act: Callable[[], Answer]) -> Response:
        fault = self.account.faults.take(call.method, call.args)
        if self.account.latency:
            await asyncio.sleep(self.account.latency)
        if fault is not None and fault.kind != "drop_after":
            return await self._fail(request, call, fault)
        call.status, answer = act()
        call.ok = call.status < 400
        if fault is not None:
            return await self._fail(request, call, fault)
        return JSONResponse(answer, status_code=call.status)

    async def _fail(self, request: Request, call: Call, fault: Fault) -> Response:
        call.error = fault.error or fault.kind
        match fault.kind:
            case "error":
                call.status = fault.status
                told = {"message": fault.error or "Refused", "code": 2001, "errors": []}
                return JSONResponse({"error": told}, status_code=fault.status)
            case "ratelimited":
                call.status = 429
                headers = {} if fault.retry_after is None else {"Retry-After": str(fault.retry_after)}
                told = {"message": "Rate Limit Exceeded", "code": 2020, "errors": []}
                return JSONResponse({"error": told}, status_code=429, headers=headers)
            case "http500":
                call.status = 500
                return JSONResponse({"error": {"message": "Internal Server Error", "code": 2000}}, status_code=500)
            case "html":
                call.status = 503
                return HTMLResponse("<!doctype html><html><body>Service Unavailable</body></html>", status_code=503)
            case "hang":
                self._loop = asyncio.get_running_loop()
                with contextlib.suppress(TimeoutError):
                    await asyncio.wait_for(self._closing.wait(), fault.seconds)
        call.status = 0
        cut(request, reset=fault.kind == "refuse")
        # lets the loop notice the lost connection before the response, which then goes nowhere
        await asyncio.sleep(0.01)
        return Response()


def _query(request: Request) -> dict[str, list[str]]:
    return {name: request.query_params.getlist(name) for name in request.query_params}


def _sender(request: Request) -> str:
    return request.headers.get("from", "")

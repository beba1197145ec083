"""The Web API over HTTP: tokens, faults, latency and hooks around the methods; uploads too."""

import asyncio
import contextlib
import json
from collections.abc import Callable
from email.utils import formatdate
from urllib.parse import parse_qsl

from starlette.requests import Request
from starlette.responses import HTMLResponse, JSONResponse, PlainTextResponse, Response
from starlette.routing import Route

from bot.sandbox import api_chat, api_conversations, api_people, scopes, views
from bot.sandbox.answers import answer_later
from bot.sandbox.args import Args
from bot.sandbox.faults import Fault
from bot.sandbox.model import Call, Json, SlackError
from bot.sandbox.serving import cut
from bot.sandbox.workspace import Workspace

CONNECT = "apps.connections.open"
METHODS = {**api_chat.METHODS, **api_conversations.METHODS, **api_people.METHODS, **views.METHODS}

_OUTAGE_PAGE = "<!doctype html><html><body><h1>Server Error</h1><p>Something went wrong.</p></body></html>"


def act(workspace: Workspace, method: str, values: Json) -> Json:
    """Run one method and return Slack's answer; errors are answers too."""
    handler = METHODS.get(method)
    if handler is None:
        return {"ok": False, "error": "unknown_method", "req_method": method}
    try:
        with workspace.lock:
            scopes.check(workspace, method, values)
            return {"ok": True, **handler(workspace, Args(workspace, values))}
    except SlackError as error:
        return {"ok": False, "error": error.code, **error.extra}


class WebApi:
    """The routes `/api/<method>`, `/upload/<file id>` and `/response/<id>` of one workspace."""

    def __init__(self, workspace: Workspace) -> None:
        self._workspace = workspace
        self._closing = asyncio.Event()
        self._loop: asyncio.AbstractEventLoop | None = None

    def close(self) -> None:
        """Let go of the calls that hang; may be called from any thread."""
        if self._loop is not None:
            self._loop.call_soon_threadsafe(self._closing.set)

    def routes(self) -> list[Route]:
        """What to mount at the server's root."""
        return [
            Route("/api/{method:path}", self._call, methods=["GET", "POST"]),
            Route("/upload/{file_id}", self._upload, methods=["POST"]),
            Route("/response/{entry}", self._respond, methods=["POST"]),
        ]

    async def _call(self, request: Request) -> Response:
        method = request.path_params["method"]
        values, malformed = _read(request, await request.body())
        token = _token(request, values, in_body=method != CONNECT)
        call = self._workspace.record_call(method, values)
        response = await self.serve(request, call, lambda: self._answer(method, values, token, malformed=malformed))
        if token == self._workspace.bot_token:
            response.headers["x-oauth-scopes"] = ",".join(self._workspace.scopes)
        elif token == self._workspace.app_token:
            response.headers["x-oauth-scopes"] = ",".join(self._workspace.app_scopes)
        return response

    def _answer(self, method: str, values: Json, token: str | None, *, malformed: bool) -> Json:
        if method == CONNECT:
            return self._connect(token)
        if method != "api.test" and token != self._workspace.bot_token:
            return {"ok": False, "error": "not_authed" if token is None else "invalid_auth"}
        if malformed:
            return {"ok": False, "error": "invalid_json"}
        return act(self._workspace, method, values)

    def _connect(self, token: str | None) -> Json:
        workspace = self._workspace
        if token == workspace.bot_token:
            return {"ok": False, "error": "not_allowed_token_type"}
        if token != workspace.app_token:
            return {"ok": False, "error": "not_authed" if token is None else "invalid_auth"}
        if "connections:write" not in workspace.app_scopes:
            provided = ",".join(workspace.app_scopes)
            return {"ok": False, "error": "missing_scope", "needed": "connections:write", "provided": provided}
        answer: Json = {"ok": True, "url": workspace.sockets.open()}
        if not workspace.socket_mode:
            # An address all the same: Slack says it in passing, and then sends nothing.
            answer["response_metadata"] = {"messages": ["[WARN] Socket Mode is not turned on."]}
        return answer

    async def _upload(self, request: Request) -> Response:
        file_id, body = request.path_params["file_id"], await request.body()
        call = self._workspace.record_call("files.upload", {"file_id": file_id, "length": len(body)})

        def store() -> Json:
            file = self._workspace.files.get(file_id)
            if file is None or file.complete:
                return {"ok": False, "error": "file_not_found"}
            if len(body) != file.declared_length:
                return {"ok": False, "error": "length_mismatch"}
            file.content = body
            return {"ok": True}

        def shown(answer: Json) -> Response:
            return PlainTextResponse(f"OK - {len(body)}") if answer["ok"] else JSONResponse(answer, status_code=400)

        return await self.serve(request, call, store, shown)

    async def _respond(self, request: Request) -> Response:
        entry, (answer, malformed) = request.path_params["entry"], _read(request, await request.body())
        call = self._workspace.record_call("response_url", answer | {"id": entry})

        def respond() -> Json:
            try:
                if malformed:
                    raise SlackError("invalid_payload")  # noqa: TRY301 - one way out for all refusals
                with self._workspace.lock:
                    answer_later(self._workspace, self._workspace.spend_response_url(entry), answer)
            except SlackError as error:
                return {"ok": False, "error": error.code, **error.extra}
            return {"ok": True}

        def shown(outcome: Json) -> Response:
            if outcome["ok"]:
                return PlainTextResponse("ok")
            return JSONResponse(outcome, status_code=404 if outcome["error"].endswith("_url") else 400)

        return await self.serve(request, call, respond, shown)

    async def serve(
        self,
        request: Request,
        call: Call,
        handler: Callable[[], Json],
        shown: Callable[[Json], Response] = JSONResponse,
    ) -> Response:
        """Answer one recorded call with `handler`'s answer as `shown`, through latency, faults and hooks."""
        response = await self._serve(request, call, handler, shown)
        # By the workspace's clock, as Slack's header is by Slack's.
        response.headers["date"] = formatdate(self._workspace.now(), usegmt=True)
        return response

    async def _serve(
        self, request: Request, call: Call, handler: Callable[[], Json], shown: Callable[[Json], Response]
    ) -> Response:
        workspace = self._workspace
        fault = workspace.faults.take(call.method, call.args)
        if fault is None and workspace.tiers is not None:
            fault = workspace.tiers.take(call.method, call.args)
        if seconds := workspace.latency_by_method.get(call.method, workspace.latency):
            await asyncio.sleep(seconds)
        if fault is not None and fault.kind != "drop_after":
            return await self._fail(request, call, fault)
        if workspace.before_call is not None:
            workspace.before_call(call.index, call.method, call.args)
        answer = handler()
        response = shown(answer)
        call.ok, call.error, call.status = bool(answer["ok"]), answer.get("error"), response.status_code
        if workspace.after_call is not None:
            workspace.after_call(call.index, call.method, call.args)
        if fault is not None:
            return await self._fail(request, call, fault)
        return response

    async def _fail(self, request: Request, call: Call, fault: Fault) -> Response:
        call.error = fault.error or fault.kind
        match fault.kind:
            case "error":
                call.status = 200
                return JSONResponse({"ok": False, "error": fault.error or "fatal_error"})
            case "ratelimited":
                call.status = 429
                headers = {} if fault.retry_after is None else {"Retry-After": str(fault.retry_after)}
                body = {"ok": False, "error": fault.error or "ratelimited"}
                return JSONResponse(body, status_code=429, headers=headers)
            case "http500":
                call.status = 500
                return JSONResponse({"ok": False, "error": fault.error or "internal_error"}, status_code=500)
            case "html":
                call.status = 503
                return HTMLResponse(_OUTAGE_PAGE, status_code=503)
            case "hang":
                await self._hang(fault.seconds)
        call.status = 0
        cut(request, reset=fault.kind == "refuse")
        # lets the loop notice the lost connection before the response, which then goes nowhere
        await asyncio.sleep(0.01)
        return Response()

    async def _hang(self, seconds: float) -> None:
        self._loop = asyncio.get_running_loop()
        with contextlib.suppress(TimeoutError):
            await asyncio.wait_for(self._closing.wait(), seconds)


def _read(request: Request, body: bytes) -> tuple[Json, bool]:
    values: Json = dict(request.query_params)
    if request.headers.get("content-type", "").startswith("application/json"):
        try:
            sent = json.loads(body or b"{}")
        except ValueError:
            return values, True
        if not isinstance(sent, dict):
            return values, True
        return values | sent, False
    return values | dict(parse_qsl(body.decode(errors="replace"), keep_blank_values=True)), False


def _token(request: Request, values: Json, *, in_body: bool) -> str | None:
    header = request.headers.get("authorization", "")
    sent = values.pop("token", None)
    if header.lower().startswith("bearer "):
        return header[7:].strip()
    return sent if in_body and isinstance(sent, str) and sent else None

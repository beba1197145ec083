"""What all HTTP handlers share: the error envelope, the size limit, tokens."""

from __future__ import annotations

import base64
import uuid
from typing import Any

from starlette.requests import Request
from starlette.responses import JSONResponse
from starlette.types import ASGIApp, Message, Receive, Scope, Send

from bot import telemetry
from bot.incidents.model import Incident


def problem(
    status: int, code: str, message: str, *, details: Any = None, headers: dict[str, str] | None = None
) -> JSONResponse:
    """Answer with the error envelope; the message says what to do."""
    body = {
        "error": {
            "code": code,
            "message": message,
            "correlation_id": str(uuid.uuid4()),
            "details": details if details is not None else {},
        }
    }
    return JSONResponse(body, status_code=status, headers=headers)


def hidden(request: Request, incident: Incident) -> bool:
    """True for a private incident, unless the token's role is admin: for others there is none of that number."""
    return incident.private and request.state.role != "admin"


def credentials(request: Request) -> str | None:
    """Give the token of a request: Bearer, or Basic with any user and the token as password; None without one."""
    scheme, _, value = request.headers.get("authorization", "").partition(" ")
    if scheme.lower() == "bearer" and value:
        return value.strip()
    if scheme.lower() == "basic":
        try:
            return base64.b64decode(value, validate=True).decode().partition(":")[2]
        except ValueError:  # no Base64, no ASCII, or no UTF-8 in it
            return None
    return None


class LimitBody:
    """Refuses bodies over `limit` bytes with 413 before anything reads them whole."""

    def __init__(self, app: ASGIApp, limit: int) -> None:
        self._app = app
        self._limit = limit

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Pass a request on, its body collected, unless it is too large."""
        if scope["type"] != "http" or scope["method"] not in {"POST", "PUT", "PATCH"}:
            await self._app(scope, receive, send)
            return
        length = dict(scope["headers"]).get(b"content-length", b"")
        if length.isdigit() and int(length) > self._limit:
            await self._refuse(scope, receive, send)
            return
        chunks: list[bytes] = []
        size = 0
        more = True
        while more:
            message = await receive()
            if message["type"] != "http.request":
                return  # the sender went away
            chunk = message.get("body", b"")
            size += len(chunk)
            if size > self._limit:
                await self._refuse(scope, receive, send)
                return
            chunks.append(chunk)
            more = message.get("more_body", False)
        body: Message | None = {"type": "http.request", "body": b"".join(chunks), "more_body": False}

        async def replay() -> Message:
            nonlocal body
            if body is not None:
                first, body = body, None
                return first
            return await receive()

        await self._app(scope, replay, send)

    async def _refuse(self, scope: Scope, receive: Receive, send: Send) -> None:
        source = str(scope["path"]).removeprefix("/webhooks/")
        if source in telemetry.SOURCES:
            telemetry.webhook(source, "too_large")
        message = f"Send at most {self._limit} bytes, or raise SITREP_MAX_BODY."
        await problem(413, "too_large", message, headers={"connection": "close"})(scope, receive, send)

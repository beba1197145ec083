"""What all HTTP handlers share: the error envelope, tokens."""

from __future__ import annotations

import base64
import uuid
from typing import Any

from starlette.requests import HTTPConnection, Request
from starlette.responses import JSONResponse

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


def credentials(request: HTTPConnection) -> str | None:
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

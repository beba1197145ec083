"""`POST /slack/events`: reads what Slack sends over HTTP, and hands it to Bolt."""

from __future__ import annotations

import json
from typing import Any
from urllib.parse import parse_qsl

from slack_bolt.adapter.starlette.async_handler import to_starlette_response
from slack_bolt.async_app import AsyncApp, AsyncBoltRequest
from starlette.requests import Request
from starlette.responses import Response
from starlette.routing import Route

from handlers.http import problem

PATH = "/slack/events"


def read(raw: str, content_type: str) -> dict[str, Any]:
    """Return what a request's body says: an event's JSON, an interaction's `payload`, or a command's fields.

    Bolt takes every form that holds the word "payload" anywhere for an interaction, and answers a command with it 404.

    Raises:
        ValueError: the body is none of these.
    """
    if content_type == "application/json" or raw.startswith("{"):
        body = json.loads(raw)
    else:
        fields = dict(parse_qsl(raw, keep_blank_values=True))
        body = json.loads(fields["payload"]) if "payload" in fields else fields
    if not isinstance(body, dict):
        raise ValueError("no object")  # noqa: TRY004 - what is wrong is the body's text
    return body


def slack_route(bolt: AsyncApp | None) -> Route:
    """Return the route of Slack's requests; without Bolt, Slack is off, and it says so."""

    async def off(_request: Request) -> Response:
        return problem(503, "integration_off", "Set SLACK_BOT_TOKEN and SLACK_SIGNING_SECRET and restart.")

    async def events(request: Request) -> Response:
        assert bolt is not None  # noqa: S101 - routed so
        try:
            raw = (await request.body()).decode()
            body = read(raw, request.headers.get("content-type", "").partition(";")[0].strip().lower())
        except (ValueError, RecursionError):
            return problem(400, "bad_request", "Send what Slack sends: a form, or JSON with its content type.")
        # Bolt parses a body of HTTP itself; one of Socket Mode it takes as it is.
        handed = AsyncBoltRequest(
            body=body,
            query=dict(request.query_params),
            headers=dict(request.headers),
            mode="socket_mode",
        )
        handed.mode, handed.raw_body = "http", raw  # so that the signature is checked
        return to_starlette_response(await bolt.async_dispatch(handed))

    return Route(PATH, events if bolt else off, methods=["POST"])

"""What the bot says in answer to an interaction: in the HTTP response, or later through a `response_url`."""

import json
from typing import Any

from starlette.requests import Request
from starlette.responses import JSONResponse, PlainTextResponse, Response
from starlette.routing import Route

from bot.sandbox.api_chat import apply_update, checked_blocks, remove
from bot.sandbox.model import Json, Message, ResponseUrl, SlackError
from bot.sandbox.workspace import Workspace


def show(ws: Workspace, user: str, channel: str, answer: Json) -> Message | None:
    """Show an answer with text or blocks: only to that user, or to all when it says `in_channel`.

    Raises SlackError when Slack would refuse the blocks.
    """
    text, blocks = str(answer.get("text") or ""), checked_blocks(answer.get("blocks"))
    if not text.strip() and not blocks:
        return None
    private = answer.get("response_type") != "in_channel"
    fields: dict[str, Any] = {"blocks": blocks, "thread_ts": answer.get("thread_ts")}
    return ws.post(channel, ws.bot.id, text, ephemeral_to=user if private else None, **fields)


def answer_later(ws: Workspace, entry: ResponseUrl, answer: Json) -> None:
    """Apply what was posted to a `response_url`. Raises SlackError for what Slack refuses."""
    channel = ws.channel(entry.channel)
    original = channel.find(entry.message_ts) if entry.message_ts else None
    if answer.get("delete_original"):
        if original is None:
            raise SlackError("message_not_found")
        remove(ws, channel, original)
        return
    if answer.get("replace_original") and original is not None:
        text, blocks = str(answer.get("text") or ""), checked_blocks(answer.get("blocks"))
        if not text.strip() and not blocks:
            raise SlackError("no_text")
        apply_update(ws, original, text, blocks)
        ws.changed(original)
        return
    if show(ws, entry.user, entry.channel, answer) is None:
        raise SlackError("no_text")


def route(ws: Workspace) -> Route:
    """`POST /response/<id>`: 5 uses in 30 minutes."""

    async def respond(request: Request) -> Response:
        body = await request.body()
        call = ws.record_call("response_url", {"id": request.path_params["entry"]})
        try:
            answer = json.loads(body)
        except ValueError:
            answer = None
        call.status = 200
        try:
            if not isinstance(answer, dict):
                raise SlackError("invalid_payload")  # noqa: TRY301 - one way out for all refusals
            call.args.update(answer)
            with ws.lock:
                answer_later(ws, ws.spend_response_url(request.path_params["entry"]), answer)
        except SlackError as error:
            call.status, call.error = (404 if error.code.endswith("_url") else 400), error.code
            return JSONResponse({"ok": False, "error": error.code}, status_code=call.status)
        call.ok = True
        return PlainTextResponse("ok")

    return Route("/response/{entry}", respond, methods=["POST"])

"""What the bot says in answer to an interaction: in the HTTP response, or later through a `response_url`."""

from typing import Any

from bot.sandbox.api_chat import apply_update, checked_blocks, remove
from bot.sandbox.asks import Ask
from bot.sandbox.model import Json, Message, ResponseUrl, SlackError
from bot.sandbox.workspace import Workspace


def show(ws: Workspace, user: str, channel: str, answer: Json, ask: Ask | None = None) -> Message | None:
    """Show an answer to `ask` with text or blocks: only to that user, or to all when it says `in_channel`.

    Raises SlackError when Slack would refuse the blocks.
    """
    text, blocks = str(answer.get("text") or ""), checked_blocks(answer.get("blocks"))
    if not text.strip() and not blocks:
        return None
    private = answer.get("response_type") != "in_channel"
    fields: dict[str, Any] = {"blocks": blocks, "thread_ts": answer.get("thread_ts"), "answers": ask}
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
    if show(ws, entry.user, entry.channel, answer, entry.ask) is None:
        raise SlackError("no_text")

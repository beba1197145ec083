"""The `chat.*` and `reactions.*` methods."""

import json
import re
from collections.abc import Callable
from typing import Any

from bot.sandbox.args import Args
from bot.sandbox.blocks import TOO_LONG, check_message_blocks
from bot.sandbox.model import Channel, Json, Message, SlackError, invalid
from bot.sandbox.workspace import Workspace

POST_TEXT = 40_000
UPDATE_TEXT = 4_000
METADATA_BYTES = 16_000


def checked_blocks(blocks: Any) -> list[Json]:
    """The blocks if Slack would take them. Raises SlackError `invalid_blocks`."""
    if blocks is None:
        return []
    if not isinstance(blocks, list):
        raise invalid("invalid_blocks_format", ["must be an array [json-pointer:/blocks]"])
    if wrong := check_message_blocks(blocks):
        raise invalid(TOO_LONG if wrong[-1].startswith(TOO_LONG) else "invalid_blocks", wrong)
    return blocks


def _content(args: Args, most: int) -> tuple[str, list[Json]]:
    text, blocks = args.maybe("text"), checked_blocks(args.json("blocks"))
    if not text.strip() and not blocks:
        raise SlackError("no_text")
    if len(text) > most:
        raise SlackError("msg_too_long")
    return text, blocks


def _metadata(args: Args) -> Json | None:
    raw = args.values.get("metadata")
    try:
        value = args.json("metadata")
    except SlackError:
        raise SlackError("invalid_metadata_format") from None
    if value is None or raw == "":
        return None
    shape = isinstance(value, dict) and isinstance(value.get("event_type"), str)
    if not shape or not isinstance(value.get("event_payload"), dict):
        raise SlackError("invalid_metadata_format")
    if not value["event_type"] or set(value) - {"event_type", "event_payload", "entities"}:
        raise SlackError("invalid_metadata_format")
    if any(not _plain(v) for v in value["event_payload"].values()):
        raise SlackError("invalid_metadata_schema")
    if len(json.dumps(value)) > METADATA_BYTES:
        raise SlackError("metadata_too_large")
    return dict(value)


def _plain(value: Any) -> bool:
    if isinstance(value, list):
        return all(isinstance(v, (str, int, float, bool)) for v in value)
    return isinstance(value, (str, int, float, bool))


def _thread(args: Args, channel: Channel) -> str | None:
    ts = args.maybe("thread_ts")
    if not ts:
        return None
    parent = channel.find(ts)
    if parent is None or parent.ephemeral_to:
        raise SlackError("thread_not_found")
    return parent.thread_ts or parent.ts


def post_message(ws: Workspace, args: Args) -> Json:
    channel = args.target()
    text, blocks = _content(args, POST_TEXT)
    thread, metadata = _thread(args, channel), _metadata(args)
    message = ws.post(channel.id, ws.bot.id, text, blocks=blocks, metadata=metadata, thread_ts=thread)
    return {"channel": channel.id, "ts": message.ts, "message": message.api(with_metadata=True)}


def post_ephemeral(ws: Workspace, args: Args) -> Json:
    channel = args.target()
    user = ws.users.get(args.text("user"))
    text, blocks = _content(args, POST_TEXT)
    if user is None or user.id not in channel.members:
        raise SlackError("user_not_in_channel")
    thread = _thread(args, channel)
    answers = ws.asks.recent(user.id, channel.id)
    only = {"ephemeral_to": user.id, "answers": answers}
    message = ws.post(channel.id, ws.bot.id, text, blocks=blocks, thread_ts=thread, **only)
    return {"message_ts": message.ts}


def _own(ws: Workspace, message: Message, refusal: str) -> Message:
    if message.user != ws.bot.id or message.subtype:
        raise SlackError(refusal)
    return message


def update(ws: Workspace, args: Args) -> Json:
    channel = args.channel()
    message = _own(ws, args.message(channel, "ts"), "cant_update_message")
    metadata, before = _metadata(args), message.api()
    only_metadata = metadata is not None and "text" not in args and "blocks" not in args
    if not only_metadata:
        text, blocks = _content(args, UPDATE_TEXT)
        apply_update(ws, message, text if "text" in args else None, blocks if "blocks" in args else None)
    if metadata is not None:
        message.metadata = metadata
    ws.emit_changed(message, before)
    shown = message.api(with_metadata=True)
    return {"channel": channel.id, "ts": message.ts, "text": message.text, "message": shown}


def apply_update(ws: Workspace, message: Message, text: str | None, blocks: list[Json] | None) -> None:
    """Slack's rules: a text without blocks removes the old blocks, and only then does "(edited)" show."""
    if blocks:
        message.blocks = ws.with_ids(blocks)
    elif text is not None:
        message.blocks = []
        message.edited = {"user": ws.bot.id, "ts": ws.new_ts()}
    if text is not None:
        message.text = text
    known = {b["block_id"] for b in message.blocks}
    message.selections = {block: state for block, state in message.selections.items() if block in known}


def delete(ws: Workspace, args: Args) -> Json:
    channel = args.channel()
    message = _own(ws, args.message(channel, "ts"), "cant_delete_message")
    remove(ws, channel, message)
    return {"channel": channel.id, "ts": message.ts}


def remove(ws: Workspace, channel: Channel, message: Message) -> None:
    """Take a message away, its pin too."""
    if message.ephemeral_to is None:
        ws.delete(channel.id, message.ts)
        return
    channel.log.remove(message)
    ws.changed(message)


def get_permalink(ws: Workspace, args: Args) -> Json:
    channel = args.channel(member=False, archived_ok=True)
    message = args.message(channel, "message_ts")
    return {"channel": channel.id, "permalink": ws.permalink(message)}


def _emoji(args: Args) -> str:
    name = args.text("name").strip(":")
    if not re.fullmatch(r"[a-z0-9_+'-]+(::skin-tone-[2-6])?", name):
        raise SlackError("invalid_name")
    return name


def reactions_add(ws: Workspace, args: Args) -> Json:
    channel, name = args.channel(), _emoji(args)
    ws.react(channel.id, args.text("timestamp"), ws.bot.id, name)
    return {}


def reactions_remove(ws: Workspace, args: Args) -> Json:
    channel, name = args.channel(), _emoji(args)
    ws.unreact(channel.id, args.text("timestamp"), ws.bot.id, name)
    return {}


METHODS: dict[str, Callable[[Workspace, Args], Json]] = {
    "chat.postMessage": post_message,
    "chat.postEphemeral": post_ephemeral,
    "chat.update": update,
    "chat.delete": delete,
    "chat.getPermalink": get_permalink,
    "reactions.add": reactions_add,
    "reactions.remove": reactions_remove,
}

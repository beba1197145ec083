"""What Slack says of a message: who, when, what; read again where an event does not tell."""

from __future__ import annotations

import asyncio
import re
from collections.abc import Coroutine, Mapping, Sequence
from datetime import UTC, datetime
from typing import Any

from bot.errors import OutwardError, Permanent
from bot.incidents import envelope
from bot.incidents.capturing import stamp
from bot.slack.block_text import attachments_text, blocks_text, either, files_text, lines
from bot.slack.gateway import Gateway

READ_WITHIN = 1.5  # seconds that Slack gets to tell about a message
LONGEST = 4000  # characters of a message that a timeline keeps
GONE: Mapping[str, Any] = {}  # there is no such message
_ERROR = re.compile(
    r"\b(\w*(error|exception)|errno|traceback|panic|fatal|stack ?trace|segfault|core dumped)\b"
    r"|\bHTTP[ /\d.]*[45]\d\d\b",
    re.IGNORECASE,
)


async def message_of(gateway: Gateway, channel: str, ts: str) -> Mapping[str, Any]:
    """Read one message, also a reply in a thread; `GONE` when there is none.

    Raises:
        OutwardError: Slack did not tell.
    """
    try:
        answer = await gateway.call(
            "conversations.replies", channel=channel, ts=ts, oldest=ts, latest=ts, inclusive=True, limit=5
        )
    except Permanent as error:
        if error.reason in {"thread_not_found", "message_not_found"}:
            return GONE
        raise
    return next((m for m in answer.get("messages") or [] if m.get("ts") == ts), GONE)


async def message_or_refusal(gateway: Gateway, channel: str, ts: str) -> Mapping[str, Any] | Permanent:
    """Read one message; gives the error where asking again would not help.

    Raises:
        OutwardError: Slack did not tell.
    """
    try:
        return await message_of(gateway, channel, ts)
    except Permanent as error:
        return error


async def permalink(gateway: Gateway, channel: str, ts: str) -> str:
    """Give a message's address.

    Raises:
        OutwardError: Slack did not tell.
    """
    answer = await gateway.call("chat.getPermalink", channel=channel, message_ts=ts)
    return str(answer.get("permalink") or "")


async def in_time(*asked: Coroutine[Any, Any, Any]) -> Sequence[Any]:
    """Ask for several things at once; gives None for each that Slack did not tell in time, or refused."""
    tasks = [asyncio.ensure_future(each) for each in asked]
    if not tasks:
        return []
    _, late = await asyncio.wait(tasks, timeout=READ_WITHIN)
    for task in late:
        task.cancel()
    return [None if task in late else _told(task) for task in tasks]


def _told(task: asyncio.Future[Any]) -> Any:
    try:
        return task.result()
    except OutwardError:
        return None


def text_of(message: Mapping[str, Any]) -> str:
    """Return what a message says, as mrkdwn: its text or its blocks, its attachments, and what its files are called.

    Of a text and blocks that say the same, the text is taken.
    """
    own = either(str(message.get("text") or "").strip(), blocks_text(message.get("blocks")))
    attached = attachments_text(message.get("attachments"), alone=not own)
    if own and either(own, attached) == own:
        attached = ""
    return lines([own, attached, files_text(message.get("files"))]).strip()


def author_of(message: Mapping[str, Any]) -> str:
    """Give the id of whoever wrote a message: a user's, else a bot's."""
    return str(message.get("user") or message.get("bot_id") or "")


def is_unfurled(event: Mapping[str, Any]) -> bool:
    """True where Slack has changed a message only to show what its links lead to."""
    before, after = event.get("previous_message"), event.get("message")
    if not isinstance(before, Mapping) or not isinstance(after, Mapping) or edited_at(before) != edited_at(after):
        return False
    is_same = all((before.get(key) or None) == (after.get(key) or None) for key in ("text", "blocks", "files"))
    return is_same and bool(after.get("attachments"))


def edited_at(message: Mapping[str, Any]) -> str:
    """Give the time stamp of a message's last edit, or nothing."""
    edited = message.get("edited")
    return str(edited.get("ts") or "")[:32] if isinstance(edited, Mapping) else ""


def moment_of(ts: str) -> datetime:
    """Give the moment that a message's time stamp names."""
    seconds, micros = stamp(ts)
    return datetime.fromtimestamp(seconds, UTC).replace(microsecond=micros)


def looks_like_an_error(text: str) -> bool:
    """True for what was pasted from a log or an API's answer."""
    return bool(envelope.read(text)) or _ERROR.search(text[: envelope.READ]) is not None

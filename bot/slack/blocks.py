"""Block Kit pieces, each kept within Slack's limits (https://api.slack.com/reference/block-kit/blocks)."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from typing import Any

from bot.slack.mrkdwn import safe_cut, shorten
from bot.text import clip

Block = dict[str, Any]


def header(text: str) -> Block:
    """A heading in plain text."""
    return {"type": "header", "text": {"type": "plain_text", "text": clip(text, 150), "emoji": True}}


def section(text: str) -> Block:
    """A paragraph in mrkdwn."""
    return {"type": "section", "text": {"type": "mrkdwn", "text": shorten(text, 3000)}}


def fields(pairs: Iterable[tuple[str, str]]) -> Block:
    """Labels and values, in two columns; ten at most."""
    return {
        "type": "section",
        "fields": [
            {"type": "mrkdwn", "text": shorten(f"*{label}*\n{value}", 2000)} for label, value in list(pairs)[:10]
        ],
    }


def context(*texts: str) -> Block:
    """Small print."""
    return {"type": "context", "elements": [{"type": "mrkdwn", "text": shorten(t, 2000)} for t in texts[:10]]}


def actions(buttons: Sequence[Block]) -> Block:
    """A row of buttons."""
    return {"type": "actions", "elements": list(buttons)}


def button(label: str, action_id: str, value: str, style: str = "") -> Block:
    """A button; `style` is primary or danger."""
    made: Block = {
        "type": "button",
        "text": {"type": "plain_text", "text": label, "emoji": True},
        "action_id": action_id,
        "value": value,
    }
    if style:
        made["style"] = style
    return made


def paragraphs(text: str, limit: int = 2900) -> list[Block]:
    """Split a long text into sections at line ends."""
    parts: list[str] = []
    rest = text.strip()
    while len(rest) > limit:
        cut = rest.rfind("\n", 0, limit)
        cut = cut if cut > 0 else safe_cut(rest, limit) or limit
        parts.append(rest[:cut])
        rest = rest[cut:].lstrip("\n")
    if rest:
        parts.append(rest)
    return [section(p) for p in parts]

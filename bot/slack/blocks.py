"""Block Kit pieces, each kept within Slack's limits (https://api.slack.com/reference/block-kit/blocks)."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from typing import Any

from bot.slack.mrkdwn import safe_cut, shorten
from bot.text import clip

Block = dict[str, Any]
ROOM = 11_000  # characters of a message's blocks
ROOM_OF_ONE = 50  # that a block counts for itself
LONGEST = (2000, 1200, 800, 500, 300, 150)  # of one text, tried in turn


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


def box(text: str, value: str, about: str = "") -> Block:
    """A box to tick: 75 characters at most, and as many of what is known about it."""
    made: Block = {"text": {"type": "plain_text", "text": clip(text, 75), "emoji": True}, "value": value}
    if about:
        made["description"] = {"type": "plain_text", "text": clip(about, 75), "emoji": True}
    return made


def boxes(action_id: str, options: Sequence[Block], ticked: Sequence[Block], block_id: str) -> Block:
    """Boxes to tick; ten at most."""
    element: Block = {"type": "checkboxes", "action_id": action_id, "options": list(options)}
    if ticked:
        element["initial_options"] = list(ticked)
    return {"type": "actions", "block_id": clip(block_id, 255), "elements": [element]}


def fit(blocks: Sequence[Mapping[str, Any]]) -> list[Block]:
    """Shorten the longest texts of a message until Slack takes all of them together.

    Slack documents no such limit: it answers `msg_blocks_too_long` from about 12,000 characters on, and blocks count
    for themselves too (github.com/slackapi/bolt-js/issues/2509).
    """
    made = [dict(block) for block in blocks]
    for longest in LONGEST:
        if _length(made) <= ROOM:
            break
        made = [_shortened(block, longest) for block in made]
    return made


def _length(blocks: Sequence[Block]) -> int:
    return sum(ROOM_OF_ONE + sum(len(text["text"]) for text in _texts(block)) for block in blocks)


def _texts(block: Block) -> list[Block]:
    """Give the text objects of a block, its buttons' too."""
    own = [block["text"]] if isinstance(block.get("text"), dict) else []
    parts = [
        *block.get("fields", ()),
        *block.get("elements", ()),
        *([block["accessory"]] if "accessory" in block else ()),
    ]
    return own + [part["text"] if isinstance(part["text"], dict) else part for part in parts if "text" in part]


def _shortened(block: Block, longest: int) -> Block:
    if block["type"] == "section" and "text" in block:
        return {**block, "text": _cut(block["text"], longest)}
    if "fields" in block:
        return {**block, "fields": [_cut(each, longest) for each in block["fields"]]}
    if block["type"] == "context":
        return {**block, "elements": [_cut(each, longest) for each in block["elements"]]}
    return block


def _cut(text: Block, longest: int) -> Block:
    said = shorten(text["text"], longest)
    if said != text["text"] and said.count("```") % 2:
        said = shorten(text["text"], longest - 4) + "\n```"
    return {**text, "text": said}


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

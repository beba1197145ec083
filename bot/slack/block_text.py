"""What Block Kit blocks and attachments say, as mrkdwn: what a reader of the message sees, without its buttons."""

from __future__ import annotations

import html
import re
from collections.abc import Iterable, Mapping
from typing import Any

from bot.slack.mrkdwn import esc

DEEPEST = 6  # blocks within attachments within forwarded messages
INDENT = "    "
_LABEL = re.compile(r"<([^<>|]*)\|[^<>]*>")
_UNLABELLED = r"<\1>"
_WORD = re.compile(r"[^\W_]+")


def blocks_text(blocks: Any, depth: int = 0) -> str:
    """Return what blocks say, a line for each."""
    return lines(_block(block, depth) for block in _each(blocks))


def attachments_text(attachments: Any, *, alone: bool, depth: int = 0) -> str:
    """Return what attachments say; previews of links only where a message says nothing else (`alone`)."""
    return lines(_attachment(each, depth) for each in _each(attachments) if alone or not _is_preview(each))


def either(text: str, more: str) -> str:
    """Return the plain text where blocks say the same or less, and else what the blocks say: readers see only those."""
    is_told = not _words(more).strip() or _words(more) in _words(text)
    return text if text and is_told else more or text


def lines(parts: Iterable[str]) -> str:
    """Put parts on lines of their own; empty ones are left out."""
    return "\n".join(part.strip("\n") for part in parts if part.strip())


def _words(text: str) -> str:
    """Return what two ways of writing the same have in common: its words, each between spaces."""
    return f" {' '.join(_WORD.findall(html.unescape(_LABEL.sub(_UNLABELLED, text)).casefold()))} "


def _each(items: Any) -> list[Mapping[str, Any]]:
    return [item for item in items if isinstance(item, Mapping)] if isinstance(items, list | tuple) else []


def _word(item: Mapping[str, Any], key: str) -> str:
    value = item.get(key)
    return str(value) if isinstance(value, str | int) and not isinstance(value, bool) else ""


def _text(item: Any) -> str:
    """Return a text object as mrkdwn; in plain text nothing is a mention."""
    if isinstance(item, str):
        return item
    if not isinstance(item, Mapping):
        return ""
    text = _word(item, "text")
    return text if item.get("type") == "mrkdwn" else esc(html.unescape(text))


def _block(block: Mapping[str, Any], depth: int) -> str:
    match block.get("type"):
        case "section":
            return lines([_text(block.get("text")), *(_text(field) for field in _each(block.get("fields")))])
        case "context":
            parts = (_picture(e) if e.get("type") == "image" else _text(e) for e in _each(block.get("elements")))
            return " ".join(part for part in parts if part)
        case "image":
            return _picture(block)
        case "rich_text":
            return _rich(block.get("elements"))
        case "markdown":
            return esc(_word(block, "text"))
        case "table":
            return lines(_row(row) for row in block.get("rows") or () if isinstance(row, list))
        case "video":
            return lines([_text(block.get("title")), _text(block.get("description"))])
        case "actions" | "input":  # asks, and says nothing
            return ""
        case _:
            return _text(block.get("text")) or (blocks_text(block.get("blocks"), depth + 1) if depth < DEEPEST else "")


def _picture(block: Mapping[str, Any]) -> str:
    name = _text(block.get("title")) or esc(_word(block, "alt_text"))
    return f"[image: {name}]" if name else ""


def _row(cells: list[Any]) -> str:
    found = (_block(cell, DEEPEST) if cell.get("type") == "rich_text" else _text(cell) for cell in _each(cells))
    return " | ".join(" ".join(cell.split()) for cell in found)


def _rich(elements: Any) -> str:
    """Return a rich text: sections, lists, quotes and preformatted text."""
    parts = []
    for part in _each(elements):
        said = "".join(_element(element) for element in _each(part.get("elements")))
        match part.get("type"):
            case "rich_text_list":
                parts.append(_list(part))
            case "rich_text_quote":
                parts.append("\n".join(f"&gt; {line}" for line in said.strip("\n").split("\n")) if said.strip() else "")
            case "rich_text_preformatted":
                parts.append(f"```\n{said.strip(chr(10))}\n```" if said.strip() else "")
            case _:
                parts.append(said)
    return lines(parts)


def _list(part: Mapping[str, Any]) -> str:
    indent, offset = part.get("indent"), part.get("offset")
    margin = INDENT * (min(indent, 8) if isinstance(indent, int) else 0)
    first = 1 + (offset if isinstance(offset, int) else 0)
    items = []
    for number, item in enumerate(_each(part.get("elements")), start=first):
        mark = f"{number}." if part.get("style") == "ordered" else "•"
        items.append(f"{margin}{mark} " + "".join(_element(element) for element in _each(item.get("elements"))))
    return "\n".join(items)


def _element(element: Mapping[str, Any]) -> str:
    """Return a piece of rich text."""
    match element.get("type"):
        case "text":
            text, style = esc(_word(element, "text")), element.get("style")
            is_code = isinstance(style, Mapping) and style.get("code") and text.strip()
            return f"`{text}`" if is_code else text
        case "link":
            url, label = esc(_word(element, "url")), esc(_word(element, "text"))
            return f"<{url}|{label}>" if label and label != url else f"<{url}>"
        case "user":
            return f"<@{_word(element, 'user_id')}>"
        case "usergroup":
            return f"<!subteam^{_word(element, 'usergroup_id')}>"
        case "channel":
            return f"<#{_word(element, 'channel_id')}>"
        case "broadcast":
            return f"<!{_word(element, 'range')}>"
        case "emoji":
            return f":{_word(element, 'name')}:"
        case "date":
            shown = f"{_word(element, 'timestamp')}^{_word(element, 'format')}"
            return f"<!date^{shown}|{esc(_word(element, 'fallback'))}>"
        case "color":
            return _word(element, "value")
        case _:
            return esc(_word(element, "text"))


def _is_preview(attachment: Mapping[str, Any]) -> bool:
    """True for what Slack adds to a message because of a link in it; a forwarded message is none."""
    is_from_link = any(attachment.get(key) for key in ("from_url", "original_url", "app_unfurl_url", "is_app_unfurl"))
    return is_from_link and not (attachment.get("is_share") or attachment.get("message_blocks"))


def _attachment(attachment: Mapping[str, Any], depth: int) -> str:
    if depth >= DEEPEST:
        return ""
    title, link = _word(attachment, "title"), _word(attachment, "title_link")
    fields = (
        ": ".join(part for part in (_word(field, "title").strip(), _word(field, "value").strip()) if part)
        for field in _each(attachment.get("fields"))
    )
    forwarded = lines(
        either(_word(message, "text"), blocks_text(message.get("blocks"), depth + 1))
        for each in _each(attachment.get("message_blocks"))
        if isinstance(message := each.get("message"), Mapping)
    )
    is_forwarded = bool(forwarded or attachment.get("is_share"))
    author = _word(attachment, "author_name")
    said = lines(
        [
            _word(attachment, "pretext"),
            (f"Forwarded from {author}:" if is_forwarded else author) if author else "",
            f"<{link}|{title}>" if title and link else title,
            either(_word(attachment, "text"), lines([blocks_text(attachment.get("blocks"), depth + 1), forwarded])),
            *fields,
            files_text(attachment.get("files")),
        ]
    )
    return said if _words(said) != _words(author) else _word(attachment, "fallback") or said


def files_text(files: Any) -> str:
    """Return what files are called, a line for each."""
    return lines(f"[file: {_word(each, 'title') or _word(each, 'name') or 'unnamed'}]" for each in _each(files))

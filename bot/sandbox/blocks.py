"""Block Kit's documented limits, checked as strictly as the real workspace does."""

import json
from collections.abc import Callable, Mapping
from typing import Any

from bot.sandbox.checks import Findings
from bot.sandbox.elements import check_element, image

Item = Mapping[str, Any]

MESSAGE_BLOCKS = 50
# Of all blocks together; only the error tells, and developers who met it (github.com/slackapi/bolt-js/issues/2509).
MESSAGE_LENGTH = 12_000
BLOCK_LENGTH = 40  # that a block counts for itself, about
TOO_LONG = "msg_blocks_too_long"
VIEW_BLOCKS = 100
VIEW_BYTES = 250_000

_SELECTS = frozenset({"static_select", "users_select", "conversations_select"})
_CHOICES = _SELECTS | {"checkboxes", "radio_buttons"}
_ACTIONS = _CHOICES | {"button", "overflow", "datepicker", "datetimepicker"}
_ACCESSORY = _CHOICES | {"button", "overflow", "image", "datepicker"}
_INPUT = _CHOICES | {"plain_text_input", "datepicker", "datetimepicker"}
_CONTEXT = frozenset({"image", "mrkdwn", "plain_text"})


def check_message_blocks(blocks: Any) -> list[str]:
    """What Slack would refuse in a message's `blocks`; empty when all is well."""
    found = Findings()
    _blocks(found, blocks, MESSAGE_BLOCKS, least=0)
    if not found.messages and _length(blocks) + BLOCK_LENGTH * len(blocks or ()) > MESSAGE_LENGTH:
        found.add("/blocks", TOO_LONG)
    return found.messages


def _length(part: Any) -> int:
    """Count the characters of all texts."""
    if isinstance(part, Mapping):
        return sum(len(v) if k == "text" and isinstance(v, str) else _length(v) for k, v in part.items())
    return sum(map(_length, part)) if isinstance(part, list) else 0


def check_view(view: Any) -> list[str]:
    """What Slack would refuse in a modal or a Home tab; empty when all is well."""
    found = Findings()
    if not found.mapping("/view", view):
        return found.messages
    kind = view.get("type")
    common = ("private_metadata", "callback_id", "external_id")
    if kind == "home":
        found.keys("/view", view, common, ("blocks",))
    elif kind == "modal":
        also = ("close", "submit", "clear_on_close", "notify_on_close", "submit_disabled")
        found.keys("/view", view, (*common, *also), ("title", "blocks"))
        for key in ("title", "submit", "close"):
            found.text(f"/view/{key}", view.get(key), 24, plain=True)
        found.boolean("/view", view, "clear_on_close", "notify_on_close")
    else:
        found.add("/view/type", f"unsupported type: {kind}")
    found.string("/view", view, "private_metadata", 3000, least=0)
    found.string("/view", view, "callback_id", 255, least=0)
    found.string("/view", view, "external_id", 255, least=0)
    blocks = view.get("blocks")
    _blocks(found, blocks, VIEW_BLOCKS, least=0)
    has_input = isinstance(blocks, list) and any(isinstance(b, Mapping) and b.get("type") == "input" for b in blocks)
    if kind == "modal" and has_input and not view.get("submit"):
        found.add("/view/submit", "missing required field: submit")
    if len(json.dumps(view)) > VIEW_BYTES:
        found.add("/view", "view_too_large")
    return found.messages


def _blocks(found: Findings, blocks: Any, most: int, least: int) -> None:
    for n, block in enumerate(found.items("", {"blocks": blocks}, "blocks", most, least)):
        at = f"/blocks/{n}"
        if not found.mapping(at, block):
            continue
        check = _BLOCKS.get(str(block.get("type")))
        if check is None:
            found.add(f"{at}/type", f"unsupported type: {block.get('type')}")
            continue
        check(found, at, block)
        found.block_id(at, block)


def _section(found: Findings, at: str, block: Item) -> None:
    found.keys(at, block, ("block_id", "text", "fields", "accessory", "expand"))
    if not block.get("text") and not block.get("fields"):
        found.add(at, "missing required field: text")
    found.text(f"{at}/text", block.get("text"), 3000)
    for n, entry in enumerate(found.items(at, block, "fields", 10)):
        found.text(f"{at}/fields/{n}", entry, 2000)
    check_element(found, f"{at}/accessory", block.get("accessory"), _ACCESSORY)


def _header(found: Findings, at: str, block: Item) -> None:
    found.keys(at, block, ("block_id",), ("text",))
    found.text(f"{at}/text", block.get("text"), 150, plain=True)


def _divider(found: Findings, at: str, block: Item) -> None:
    found.keys(at, block, ("block_id",))


def _elements(most: int, allowed: frozenset[str]) -> Callable[[Findings, str, Item], None]:
    def check(found: Findings, at: str, block: Item) -> None:
        found.keys(at, block, ("block_id",), ("elements",))
        for n, element in enumerate(found.items(at, block, "elements", most)):
            check_element(found, f"{at}/elements/{n}", element, allowed)

    return check


def _input(found: Findings, at: str, block: Item) -> None:
    found.keys(at, block, ("block_id", "hint", "optional", "dispatch_action"), ("label", "element"))
    found.text(f"{at}/label", block.get("label"), 2000, plain=True)
    found.text(f"{at}/hint", block.get("hint"), 2000, plain=True)
    found.boolean(at, block, "optional", "dispatch_action")
    check_element(found, f"{at}/element", block.get("element"), _INPUT)


def _image(found: Findings, at: str, block: Item) -> None:
    image(found, at, block, ("title", "block_id"))
    found.text(f"{at}/title", block.get("title"), 2000, plain=True)


def _rich_text(found: Findings, at: str, block: Item) -> None:
    found.keys(at, block, ("block_id",), ("elements",))
    kinds = {"rich_text_section", "rich_text_list", "rich_text_preformatted", "rich_text_quote"}
    for n, element in enumerate(found.items(at, block, "elements", 1000, least=0)):
        here = f"{at}/elements/{n}"
        if found.mapping(here, element) and element.get("type") not in kinds:
            found.add(f"{here}/type", f"unsupported type: {element.get('type')}")


_BLOCKS: dict[str, Callable[[Findings, str, Item], None]] = {
    "section": _section,
    "header": _header,
    "divider": _divider,
    "context": _elements(10, _CONTEXT),
    "actions": _elements(25, _ACTIONS),
    "input": _input,
    "image": _image,
    "rich_text": _rich_text,
}

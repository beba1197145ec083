"""Limits of Block Kit's elements and composition objects."""

import re
from collections.abc import Callable, Mapping
from typing import Any

from bot.sandbox.checks import Findings

Item = Mapping[str, Any]

URL_LIMIT = 3000
_COMMON = ("action_id", "confirm")
_DATE = re.compile(r"\d{4}-\d{2}-\d{2}")


def check_element(found: Findings, at: str, item: Any, allowed: frozenset[str]) -> None:
    """Check one interactive or picture element; its type must be one of `allowed`."""
    if item is None or not found.mapping(at, item):
        return
    kind = item.get("type")
    if kind not in allowed:
        found.add(f"{at}/type", f"unsupported type: {kind}")
        return
    if kind in ("mrkdwn", "plain_text"):
        found.text(at, item, 3000)
        return
    _ELEMENTS[kind](found, at, item)
    if kind != "image":
        found.action_id(at, item)
        _confirm(found, f"{at}/confirm", item.get("confirm"))


def image(found: Findings, at: str, item: Item, also: tuple[str, ...] = ()) -> None:
    """An image element or block."""
    found.keys(at, item, ("image_url", "slack_file", *also), ("alt_text",))
    if ("image_url" in item) == ("slack_file" in item):
        found.add(at, "missing required field: image_url")
    found.string(at, item, "image_url", URL_LIMIT)
    found.string(at, item, "alt_text", 2000)


def _confirm(found: Findings, at: str, item: Any) -> None:
    if item is None or not found.mapping(at, item):
        return
    found.keys(at, item, ("style",), ("title", "text", "confirm", "deny"))
    for key, most, plain in (("title", 100, True), ("text", 300, False), ("confirm", 30, True), ("deny", 30, True)):
        found.text(f"{at}/{key}", item.get(key), most, plain=plain)
    _style(found, at, item)


def _style(found: Findings, at: str, item: Item) -> None:
    if "style" in item and item["style"] not in ("primary", "danger"):
        found.add(f"{at}/style", f"unsupported style: {item['style']}")


def _button(found: Findings, at: str, item: Item) -> None:
    found.keys(at, item, (*_COMMON, "url", "value", "style", "accessibility_label"), ("text",))
    found.text(f"{at}/text", item.get("text"), 75, plain=True)
    found.string(at, item, "value", 2000, least=0)
    found.string(at, item, "url", URL_LIMIT)
    found.string(at, item, "accessibility_label", 75)
    _style(found, at, item)


def _option(found: Findings, at: str, item: Any, *, plain: bool, url: bool = False) -> None:
    if not found.mapping(at, item):
        return
    found.keys(at, item, ("description", "url") if url else ("description",), ("text", "value"))
    found.text(f"{at}/text", item.get("text"), 75, plain=plain)
    found.text(f"{at}/description", item.get("description"), 75, plain=plain)
    found.string(at, item, "value", 150)
    found.string(at, item, "url", URL_LIMIT)


def _options(found: Findings, at: str, item: Item, most: int, *, plain: bool, url: bool = False) -> list[Any]:
    options = found.items(at, item, "options", most)
    for n, option in enumerate(options):
        _option(found, f"{at}/options/{n}", option, plain=plain, url=url)
    values = [o.get("value") for o in options if isinstance(o, Mapping)]
    if len(values) != len(set(values)):
        found.add(f"{at}/options", "option values must be unique")
    return options


def _placeholder(found: Findings, at: str, item: Item) -> None:
    found.text(f"{at}/placeholder", item.get("placeholder"), 150, plain=True)
    found.boolean(at, item, "focus_on_load")


def _initial(found: Findings, at: str, chosen: Any, options: list[Any]) -> None:
    if chosen is not None and chosen not in options:
        found.add(at, "must be one of the provided options")


def _static_select(found: Findings, at: str, item: Item) -> None:
    keys = (*_COMMON, "options", "option_groups", "initial_option", "placeholder", "focus_on_load")
    found.keys(at, item, keys)
    _placeholder(found, at, item)
    if ("options" in item) == ("option_groups" in item):
        found.add(at, "missing required field: options")
    options = list(_options(found, at, item, 100, plain=True))
    for n, group in enumerate(found.items(at, item, "option_groups", 100)):
        here = f"{at}/option_groups/{n}"
        if found.mapping(here, group):
            found.keys(here, group, (), ("label", "options"))
            found.text(f"{here}/label", group.get("label"), 75, plain=True)
            options += _options(found, here, group, 100, plain=True)
    _initial(found, f"{at}/initial_option", item.get("initial_option"), options)


def _picker(*also: str) -> Callable[[Findings, str, Item], None]:
    def check(found: Findings, at: str, item: Item) -> None:
        found.keys(at, item, (*_COMMON, "placeholder", "focus_on_load", *also))
        _placeholder(found, at, item)
        for key in also:
            if key.startswith("initial"):
                found.string(at, item, key, 255)

    return check


def _checkboxes(found: Findings, at: str, item: Item) -> None:
    found.keys(at, item, (*_COMMON, "initial_options", "focus_on_load"), ("options",))
    options = _options(found, at, item, 10, plain=False)
    for n, chosen in enumerate(found.items(at, item, "initial_options", 10)):
        _initial(found, f"{at}/initial_options/{n}", chosen, options)


def _radio_buttons(found: Findings, at: str, item: Item) -> None:
    found.keys(at, item, (*_COMMON, "initial_option", "focus_on_load"), ("options",))
    options = _options(found, at, item, 10, plain=False)
    _initial(found, f"{at}/initial_option", item.get("initial_option"), options)


def _overflow(found: Findings, at: str, item: Item) -> None:
    found.keys(at, item, _COMMON, ("options",))
    _options(found, at, item, 5, plain=True, url=True)


def _plain_text_input(found: Findings, at: str, item: Item) -> None:
    keys = ("initial_value", "multiline", "min_length", "max_length", "dispatch_action_config")
    found.keys(at, item, ("action_id", "placeholder", "focus_on_load", *keys))
    _placeholder(found, at, item)
    found.boolean(at, item, "multiline")
    for key, least in (("min_length", 0), ("max_length", 1)):
        value = item.get(key)
        if value is not None and (not isinstance(value, int) or not least <= value <= 3000):
            found.add(f"{at}/{key}", f"must be between {least} and 3000")
    most = item.get("max_length")
    found.string(at, item, "initial_value", most if isinstance(most, int) else 3000, least=0)


def _datepicker(found: Findings, at: str, item: Item) -> None:
    found.keys(at, item, (*_COMMON, "placeholder", "initial_date", "focus_on_load"))
    _placeholder(found, at, item)
    value = item.get("initial_date")
    if value is not None and not (isinstance(value, str) and _DATE.fullmatch(value)):
        found.add(f"{at}/initial_date", "must be a date such as 2026-12-01")


def _datetimepicker(found: Findings, at: str, item: Item) -> None:
    found.keys(at, item, (*_COMMON, "initial_date_time", "focus_on_load"))
    value = item.get("initial_date_time")
    if value is not None and (not isinstance(value, int) or len(str(value)) != 10):
        found.add(f"{at}/initial_date_time", "must be a UNIX timestamp of 10 digits")


_ELEMENTS: dict[str, Callable[[Findings, str, Item], None]] = {
    "image": image,
    "button": _button,
    "static_select": _static_select,
    "users_select": _picker("initial_user"),
    "conversations_select": _picker(
        "initial_conversation", "default_to_current_conversation", "response_url_enabled", "filter"
    ),
    "checkboxes": _checkboxes,
    "radio_buttons": _radio_buttons,
    "overflow": _overflow,
    "plain_text_input": _plain_text_input,
    "datepicker": _datepicker,
    "datetimepicker": _datetimepicker,
}

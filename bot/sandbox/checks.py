"""The small checks that Block Kit validation is made of; findings read like Slack's own messages."""

from collections.abc import Iterable, Mapping
from typing import Any


class Findings:
    """What is wrong so far, each with a JSON pointer to the place; also the ids that must be unique."""

    def __init__(self) -> None:
        self.messages: list[str] = []
        self._action_ids: set[str] = set()
        self._block_ids: set[str] = set()

    def add(self, at: str, what: str) -> None:
        """Note that `what` is wrong at the pointer `at`."""
        self.messages.append(f"{what} [json-pointer:{at}]")

    def keys(self, at: str, item: Mapping[str, Any], allowed: Iterable[str], required: Iterable[str] = ()) -> None:
        """Only `allowed` keys may be there, and all of `required`."""
        for key in required:
            if item.get(key) is None:
                self.add(at, f"missing required field: {key}")
        for key in item:
            if key not in {*allowed, *required, "type"}:
                self.add(at, f"invalid additional property: {key}")

    def string(self, at: str, item: Mapping[str, Any], key: str, most: int, least: int = 1) -> None:
        """If `key` is there it is a string of `least` to `most` characters."""
        if key not in item or item[key] is None:
            return
        value = item[key]
        if not isinstance(value, str):
            self.add(f"{at}/{key}", "must be a string")
        elif len(value) > most:
            self.add(f"{at}/{key}", f"must be less than {most + 1} characters")
        elif len(value) < least:
            self.add(f"{at}/{key}", f"must be more than {least - 1} characters")

    def boolean(self, at: str, item: Mapping[str, Any], *keys: str) -> None:
        """If a key is there it is true or false."""
        for key in keys:
            if key in item and not isinstance(item[key], bool):
                self.add(f"{at}/{key}", "must be a boolean")

    def items(self, at: str, item: Mapping[str, Any], key: str, most: int, least: int = 1) -> list[Any]:
        """The list under `key`, of `least` to `most` items; empty when it is wrong or absent."""
        value = item.get(key)
        if value is None:
            return []
        if not isinstance(value, list):
            self.add(f"{at}/{key}", "must be an array")
            return []
        if len(value) > most:
            self.add(f"{at}/{key}", f"no more than {most} items allowed")
        if len(value) < least:
            self.add(f"{at}/{key}", f"no less than {least} items allowed")
        return value

    def mapping(self, at: str, value: Any) -> bool:
        """`value` is an object."""
        if isinstance(value, Mapping):
            return True
        self.add(at, "must be an object")
        return False

    def text(self, at: str, value: Any, most: int, *, plain: bool = False, least: int = 1) -> None:
        """A text object of 1 to `most` characters; `plain` admits plain_text only."""
        if value is None or not self.mapping(at, value):
            return
        kind = value.get("type")
        if kind == "plain_text":
            self.keys(at, value, ("emoji",), ("text",))
            self.boolean(at, value, "emoji")
        elif kind == "mrkdwn" and not plain:
            self.keys(at, value, ("verbatim",), ("text",))
            self.boolean(at, value, "verbatim")
        else:
            wanted = "plain_text" if plain else "plain_text or mrkdwn"
            self.add(f"{at}/type", f"unsupported type: {kind} (expected {wanted})")
            return
        self.string(at, value, "text", most, least)

    def action_id(self, at: str, item: Mapping[str, Any]) -> None:
        """At most 255 characters and unique in the message or view."""
        self.string(at, item, "action_id", 255)
        self._unique(at, item.get("action_id"), "action_id", self._action_ids)

    def block_id(self, at: str, item: Mapping[str, Any]) -> None:
        """At most 255 characters and unique in the message or view."""
        self.string(at, item, "block_id", 255)
        self._unique(at, item.get("block_id"), "block_id", self._block_ids)

    def _unique(self, at: str, value: Any, name: str, seen: set[str]) -> None:
        if isinstance(value, str):
            if value in seen:
                self.add(
                    f"{at}/{name}",
                    f"duplicate {name}: {value}" if name == "action_id" else f"`{name}` {value} already exists",
                )
            seen.add(value)

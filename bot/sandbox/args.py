"""A Web API call's arguments, read as Slack reads them: form strings or JSON alike."""

import json
from collections.abc import Mapping
from typing import Any

from bot.sandbox.model import Channel, Json, Message, SlackError, invalid
from bot.sandbox.workspace import Workspace


class Args:
    """Typed access to one call's arguments; what is missing or malformed raises `invalid_arguments`."""

    def __init__(self, workspace: Workspace, values: Mapping[str, Any]) -> None:
        self.workspace = workspace
        self.values = values

    def __contains__(self, name: str) -> bool:
        return self.values.get(name) is not None

    def text(self, name: str) -> str:
        """A required string."""
        value = self.values.get(name)
        if value is None or value == "":
            raise invalid("invalid_arguments", [f"missing required field: {name}"])
        if isinstance(value, (dict, list)):
            raise invalid("invalid_arguments", [f"must be a string [json-pointer:/{name}]"])
        return str(value)

    def maybe(self, name: str, default: str = "") -> str:
        """An optional string."""
        value = self.values.get(name)
        return default if value is None else str(value)

    def flag(self, name: str, *, default: bool = False) -> bool:
        """An optional boolean: true, `true` and 1 mean yes."""
        value = self.values.get(name)
        return default if value is None else str(value).lower() in ("1", "true")

    def json(self, name: str) -> Any:
        """An optional value that may come as JSON text."""
        value = self.values.get(name)
        if not isinstance(value, str):
            return value
        try:
            return json.loads(value) if value else None
        except ValueError:
            code = "invalid_blocks_format" if name == "blocks" else "invalid_arguments"
            raise invalid(code, [f"must be valid JSON [json-pointer:/{name}]"]) from None

    def listed(self, name: str) -> list[str]:
        """A list that may come as `a,b`."""
        value = self.values.get(name)
        if isinstance(value, list):
            return [str(v) for v in value]
        return [part.strip() for part in str(value or "").split(",") if part.strip()]

    def limit(self, default: int, most: int = 1000) -> int:
        """The page size."""
        try:
            value = int(self.values.get("limit") or default)
        except ValueError:
            raise SlackError("invalid_limit") from None
        if not 1 <= value <= most:
            raise SlackError("invalid_limit")
        return value

    def page(self, items: list[Any], default: int = 100, most: int = 1000) -> tuple[list[Any], Json]:
        """One page of `items` and the `response_metadata` that leads to the next."""
        size = self.limit(default, most)
        cursor = self.maybe("cursor")
        if cursor and not (cursor.startswith("next:") and cursor[5:].isdigit()):
            raise SlackError("invalid_cursor")
        start = int(cursor[5:]) if cursor else 0
        more = start + size < len(items)
        return items[start : start + size], {"next_cursor": f"next:{start + size}" if more else ""}

    def channel(self, name: str = "channel", *, member: bool = True, archived_ok: bool = False) -> Channel:
        """The channel as the bot may use it.

        Raises SlackError `channel_not_found` (private ones unseen by the bot too), `is_archived`, `not_in_channel`.
        """
        return self._usable(self.workspace.channels.get(self.text(name)), member=member, archived_ok=archived_ok)

    def target(self) -> Channel:
        """Where a message goes: a channel id, a channel name, or a user id (the direct conversation)."""
        wanted = self.text("channel")
        user = self.workspace.users.get(wanted)
        if user is not None:
            if user.deleted or user.is_bot:
                raise SlackError("channel_not_found")
            return self.workspace.direct(user.id)
        named = [c for c in self.workspace.channels.values() if c.name and c.name == wanted.removeprefix("#")]
        found = self.workspace.channels.get(wanted) or (named[0] if named else None)
        return self._usable(found, member=True, archived_ok=False)

    def _usable(self, channel: Channel | None, *, member: bool, archived_ok: bool) -> Channel:
        inside = channel is not None and self.workspace.bot.id in channel.members
        if channel is None or (channel.is_private and not inside):
            raise SlackError("channel_not_found")
        if channel.archived and not archived_ok:
            raise SlackError("is_archived")
        if member and not inside:
            raise SlackError("not_in_channel")
        return channel

    def message(self, channel: Channel, name: str) -> Message:
        """The message whose `ts` is in the argument `name`; ephemeral ones cannot be reached."""
        message = channel.find(self.text(name))
        if message is None or message.ephemeral_to or message.subtype == "tombstone":
            raise SlackError("message_not_found")
        return message

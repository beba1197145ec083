"""The things a workspace holds, as plain records. Moments are epoch seconds; `ts` is Slack's `seconds.micros`."""

from dataclasses import dataclass, field
from datetime import datetime, timedelta
from typing import Any
from zoneinfo import ZoneInfo

from bot.sandbox.asks import Ask

Json = dict[str, Any]

TEAM_ID = "T0SANDBOX"
TEAM_NAME = "Sandbox"
APP_ID = "A0SITREP"
BOT_ID = "B0SITREP"


class SlackError(Exception):
    """The Web API answers `{"ok": false, "error": <code>}`, with `extra` beside it."""

    def __init__(self, code: str, **extra: Any) -> None:
        super().__init__(code)
        self.code = code
        self.extra = extra


def invalid(code: str, messages: list[str]) -> SlackError:
    """An error whose `response_metadata.messages` says what is wrong, as Slack's validators do."""
    return SlackError(code, errors=messages, response_metadata={"messages": [f"[ERROR] {m}" for m in messages]})


@dataclass(slots=True)
class User:
    """A person, or the bot itself."""

    id: str
    name: str
    real_name: str
    email: str
    deleted: bool = False
    guest: bool = False
    is_bot: bool = False
    zone: str = "UTC"
    display_name: str | None = None  # the name, unless told

    def api(self) -> Json:
        """What `users.info` shows."""
        shown = self.name if self.display_name is None else self.display_name
        profile = {"real_name": self.real_name, "display_name": shown, "email": self.email}
        offset = datetime.now(ZoneInfo(self.zone)).utcoffset() or timedelta()
        return {
            "id": self.id,
            "team_id": TEAM_ID,
            "name": self.name,
            "real_name": self.real_name,
            "deleted": self.deleted,
            "is_bot": self.is_bot,
            "is_restricted": self.guest,
            "is_ultra_restricted": False,
            "tz": self.zone,
            "tz_offset": int(offset.total_seconds()),
            "profile": profile,
        }


@dataclass(slots=True)
class File:
    """An upload; `content` is None until its bytes have arrived."""

    id: str
    name: str
    title: str
    user: str
    created: float
    declared_length: int
    content: bytes | None = None
    complete: bool = False
    url: str = ""

    def api(self) -> Json:
        """The file object of `files.info` and of messages."""
        return {
            "id": self.id,
            "name": self.name,
            "title": self.title,
            "user": self.user,
            "created": int(self.created),
            "timestamp": int(self.created),
            "size": len(self.content or b""),
            "mode": "hosted",
            "url_private": self.url,
            "url_private_download": self.url,
            "permalink": self.url,
        }


@dataclass(slots=True)
class Message:
    """One message; `ephemeral_to` names the only user who sees it."""

    ts: str
    channel: str
    user: str
    text: str
    blocks: list[Json] = field(default_factory=list)
    metadata: Json | None = None
    thread_ts: str | None = None
    edited: Json | None = None
    ephemeral_to: str | None = None
    files: list[File] = field(default_factory=list)
    reactions: dict[str, list[str]] = field(default_factory=dict)
    subtype: str | None = None
    bot: bool = False
    extra: Json = field(default_factory=dict)
    # what people have chosen in the message's own selects: block_id -> action_id -> state
    selections: dict[str, Json] = field(default_factory=dict)
    # what an ephemeral one answers, for the page; Slack does not tell
    answers: Ask | None = None

    @property
    def is_reply(self) -> bool:
        """True for a reply in a thread, false for its parent."""
        return self.thread_ts is not None and self.thread_ts != self.ts

    def api(self, *, with_metadata: bool = False) -> Json:
        """The message object as the Web API and the interaction payloads show it."""
        out: Json = {"type": "message", "user": self.user, "ts": self.ts, "text": self.text, "team": TEAM_ID}
        if self.bot:
            out |= {"bot_id": BOT_ID, "app_id": APP_ID}
        optional: Json = {
            "subtype": self.subtype,
            "blocks": self.blocks,
            "thread_ts": self.thread_ts,
            "edited": self.edited,
            "files": [f.api() for f in self.files],
            "reactions": [{"name": n, "users": u, "count": len(u)} for n, u in self.reactions.items()],
            "metadata": self.metadata if with_metadata else None,
        }
        out.update({key: value for key, value in optional.items() if value})
        return out | self.extra


@dataclass(slots=True)
class Channel:
    """A public or private channel, or a direct conversation (`is_im`)."""

    id: str
    name: str
    created: float
    creator: str
    is_private: bool = False
    is_im: bool = False
    members: list[str] = field(default_factory=list)
    topic: str = ""
    purpose: str = ""
    archived: bool = False
    log: list[Message] = field(default_factory=list)
    pins: list[str] = field(default_factory=list)
    bookmarks: list[Json] = field(default_factory=list)

    def find(self, ts: str) -> Message | None:
        """The message with that `ts`, ephemeral ones included."""
        return next((m for m in reversed(self.log) if m.ts == ts), None)

    def api(self, viewer: str) -> Json:
        """The conversation object; `is_member` is said for `viewer` (a user id)."""
        out: Json = {
            "id": self.id,
            "created": int(self.created),
            "creator": self.creator,
            "is_archived": self.archived,
            "is_im": self.is_im,
            "context_team_id": TEAM_ID,
        }
        if self.is_im:
            return out | {"user": next((m for m in self.members if m != viewer), viewer), "is_open": True}
        return out | {
            "name": self.name,
            "name_normalized": self.name,
            "is_channel": not self.is_private,
            "is_group": self.is_private,
            "is_private": self.is_private,
            "is_mpim": False,
            "is_general": self.name == "general",
            "is_member": viewer in self.members,
            "num_members": len(self.members),
            "topic": {"value": self.topic, "creator": self.creator, "last_set": 0},
            "purpose": {"value": self.purpose, "creator": self.creator, "last_set": 0},
        }


@dataclass(slots=True)
class Usergroup:
    """A user group such as @sre."""

    id: str
    handle: str
    name: str
    users: list[str]

    def api(self) -> Json:
        """The object of `usergroups.list`."""
        return {
            "id": self.id,
            "team_id": TEAM_ID,
            "is_usergroup": True,
            "handle": self.handle,
            "name": self.name,
            "description": "",
            "date_delete": 0,
            "user_count": len(self.users),
            "users": list(self.users),
        }


@dataclass(slots=True)
class View:
    """A modal on somebody's screen, or somebody's Home tab (`type` home)."""

    id: str
    user: str
    body: Json
    root_id: str
    previous_id: str | None = None
    version: int = 1
    errors: dict[str, str] = field(default_factory=dict)
    opened_by: Ask | None = None

    @property
    def type(self) -> str:
        """`modal` or `home`."""
        return str(self.body.get("type", "modal"))

    @property
    def hash(self) -> str:
        """Changes with each update; `views.update` may ask for it."""
        return f"{self.version}.{self.id.lower()}"

    def api(self, state: Json | None = None) -> Json:
        """The view object with Slack's own fields; `state` is `values` by block and action."""
        defaults: Json = {
            "private_metadata": "",
            "callback_id": "",
            "external_id": "",
            "clear_on_close": False,
            "notify_on_close": False,
            "title": None,
            "submit": None,
            "close": None,
        }
        return (
            defaults
            | self.body
            | {
                "id": self.id,
                "team_id": TEAM_ID,
                "hash": self.hash,
                "state": {"values": state or {}},
                "root_view_id": self.root_id,
                "previous_view_id": self.previous_id,
                "app_id": APP_ID,
                "app_installed_team_id": TEAM_ID,
                "bot_id": BOT_ID,
            }
        )


@dataclass(slots=True)
class Trigger:
    """A `trigger_id` handed to the bot; `born` is on the monotonic clock."""

    id: str
    user: str
    born: float
    view: str | None = None
    used: bool = False


@dataclass(slots=True)
class ResponseUrl:
    """Where the bot may answer an interaction for 30 minutes, 5 times."""

    id: str
    user: str
    channel: str
    message_ts: str | None
    born: float
    uses: int = 0
    ask: Ask | None = None


@dataclass(slots=True)
class Call:
    """One Web API call as it was received; `at` is on the monotonic clock, `status` the HTTP status (0: no answer)."""

    index: int
    method: str
    args: Json
    at: float
    status: int = 0
    ok: bool = False
    error: str | None = None

"""The workspace itself: who and what is in it. Thread-safe; the Web API and the people's side work upon it."""

import copy
import json
import threading
import time
from collections.abc import Callable, Iterable, Mapping
from typing import Any, TypeVar

from bot.manifest import SCOPES
from bot.sandbox.asks import Asks
from bot.sandbox.faults import FaultRegistry, Tiers
from bot.sandbox.model import (
    Call,
    Channel,
    File,
    Json,
    Message,
    ResponseUrl,
    SlackError,
    Trigger,
    User,
    Usergroup,
    View,
)
from bot.sandbox.sockets import Sockets

T = TypeVar("T")
CallHook = Callable[[int, str, Mapping[str, Any]], None]

TRIGGER_SECONDS = 3.0
RESPONSE_URL_SECONDS = 30 * 60
RESPONSE_URL_USES = 5
MAX_PINS = 100


# In different zones, so that one sees why times are said in UTC.
PEOPLE = {"alice": "Europe/Berlin", "bob": "America/New_York", "charlie": "Asia/Kolkata", "dana": "Etc/UTC"}


class Workspace:
    """Users, channels, messages, views and what was called.

    Args:
        bot_token: the only token that the Web API accepts.
        signing_secret: signs what people send to the bot.
        app_token: the app-level token, with which Socket Mode is opened.
        now: epoch seconds; message timestamps follow it.

    Attributes:
        faults: what the Web API shall do wrong.
        tiers: Slack's rate limits; None lets everything through.
        latency: seconds that each Web API call takes before it acts; `latency_by_method` overrides it by method.
        before_call, after_call: called with (index, method, args) right before acting, and right after acting but
            before the answer is sent.
        calls: every Web API call; `index` counts from 1. Uploads (`files.upload`) and answers to a `response_url`
            (`response_url`) count too, and the faults and hooks hold for them.
        monotonic: the clock of `trigger_id`s, in seconds.
        shortcuts: what the page offers, as in the app's manifest: `{"callback_id", "name", "type"}` where `type` is
            `message` or `global`.
        scopes: what the app was installed with; all that the manifest asks for unless a test changes it.
        event_sink: gets each event that Slack would send to the bot; None switches them off.
        sockets: the app's connections; once there has been one, what people do goes over them.
        socket_mode: whether Socket Mode is turned on in the app's settings.
        app_scopes: what the app-level token was made with.
    """

    def __init__(
        self,
        *,
        bot_token: str = "xoxb-sandbox",  # noqa: S107 - made up; opens nothing but this stand-in
        signing_secret: str = "sandbox-signing-secret",  # noqa: S107 - likewise
        app_token: str = "xapp-sandbox",  # noqa: S107 - likewise
        now: Callable[[], float] = time.time,
    ) -> None:
        self.lock = threading.RLock()
        self.bot_token = bot_token
        self.signing_secret = signing_secret
        self.app_token = app_token
        self.now = now
        self.monotonic: Callable[[], float] = time.monotonic
        self.faults = FaultRegistry()
        self.tiers: Tiers | None = None
        self.latency = 0.0
        self.latency_by_method: dict[str, float] = {}
        self.before_call: CallHook | None = None
        self.after_call: CallHook | None = None
        self.event_sink: Callable[[Json], None] | None = None
        self.shortcuts: list[Json] = []
        self.scopes: list[str] = list(SCOPES)
        self.sockets = Sockets()
        self.asks = Asks()
        self.socket_mode = True
        self.app_scopes = ["connections:write"]
        self.base_url = "http://sandbox.invalid"
        self.version = 1
        self.calls: list[Call] = []
        self.users: dict[str, User] = {}
        self.channels: dict[str, Channel] = {}
        self.usergroups: dict[str, Usergroup] = {}
        self.files: dict[str, File] = {}
        self.views: dict[str, View] = {}
        self.stacks: dict[str, list[str]] = {}
        self.homes: dict[str, str] = {}
        self.triggers: dict[str, Trigger] = {}
        self.response_urls: dict[str, ResponseUrl] = {}
        self._last_ts = 0
        self._last_id = 0
        self.bot = self.add_user("sitrep", real_name="Sitrep", is_bot=True)

    @classmethod
    def demo(cls, **kwargs: Any) -> "Workspace":
        """A workspace with alice, bob, charlie and dana, and the channels ops-alerts, incidents and general."""
        workspace = cls(**kwargs)
        people = [workspace.add_user(name, zone=zone).id for name, zone in PEOPLE.items()]
        workspace.add_channel("ops-alerts", members=[workspace.bot.id, *people])
        workspace.add_channel("incidents", members=[workspace.bot.id, *people])
        workspace.add_channel("general", members=people)
        return workspace

    # -- building ---------------------------------------------------------------------------------------------

    def add_user(
        self,
        name: str,
        email: str | None = None,
        real_name: str | None = None,
        *,
        deleted: bool = False,
        guest: bool = False,
        is_bot: bool = False,
        zone: str = "UTC",
        display_name: str | None = None,
    ) -> User:
        """Add a person; the address is `<name>@example.com` and the name shown is `name`, unless told."""
        with self.lock:
            address = "" if is_bot else f"{name}@example.com"
            user = User(
                id=self.new_id("U"),
                name=name,
                real_name=real_name or name.title(),
                email=address if email is None else email,
                deleted=deleted,
                guest=guest,
                is_bot=is_bot,
                zone=zone,
                display_name=display_name,
            )
            self.users[user.id] = user
            return self.changed(user)

    def add_channel(self, name: str, *, private: bool = False, members: Iterable[str] = (), topic: str = "") -> Channel:
        """Add a channel; members are user ids or names."""
        with self.lock:
            ids = [self.user(m).id for m in members]
            channel = Channel(self.new_id("C"), name, self.now(), ids[0] if ids else self.bot.id, is_private=private)
            channel.members, channel.topic = ids, topic
            self.channels[channel.id] = channel
            return self.changed(channel)

    def add_usergroup(self, handle: str, users: Iterable[str] = (), name: str | None = None) -> Usergroup:
        """Add a user group; users are ids or names."""
        with self.lock:
            members = [self.user(u).id for u in users]
            group = Usergroup(self.new_id("S"), handle, name or handle.title(), members)
            self.usergroups[group.id] = group
            return group

    # -- reading ----------------------------------------------------------------------------------------------

    def user(self, name_or_id: str) -> User:
        """The user of that id or name. Raises KeyError when there is none."""
        with self.lock:
            if found := self.users.get(name_or_id):
                return found
            wanted = name_or_id.removeprefix("@")
            for user in self.users.values():
                if wanted == user.name:
                    return user
        raise KeyError(f"no user {name_or_id!r}")

    def channel(self, name_or_id: str) -> Channel:
        """The channel of that id or name (a `#` may stand before it). Raises KeyError when there is none."""
        with self.lock:
            if found := self.channels.get(name_or_id):
                return found
            wanted = name_or_id.removeprefix("#")
            for channel in self.channels.values():
                if wanted and wanted == channel.name:
                    return channel
        raise KeyError(f"no channel {name_or_id!r}")

    def direct(self, user: str) -> Channel:
        """The direct conversation of the bot with that user, opened if need be."""
        with self.lock:
            person = self.user(user)
            for channel in self.channels.values():
                if channel.is_im and person.id in channel.members:
                    return channel
            members = [self.bot.id, person.id]
            channel = Channel(self.new_id("D"), "", self.now(), self.bot.id, is_im=True, members=members)
            self.channels[channel.id] = channel
            return self.changed(channel)

    def messages(self, channel: str, thread_ts: str | None = None) -> list[Message]:
        """The channel's own messages, oldest first (system and ephemeral ones too); or a thread, its parent first."""
        with self.lock:
            log = self.channel(channel).log
            if thread_ts is None:
                return [m for m in log if not m.is_reply]
            return [m for m in log if thread_ts in (m.ts, m.thread_ts)]

    def texts(self, channel: str, thread_ts: str | None = None, *, user: str | None = None) -> list[str]:
        """The texts of what was said to all; with `user` also what only that person sees."""
        viewer = self.user(user).id if user else None
        visible = (None, viewer)
        return [m.text for m in self.messages(channel, thread_ts) if not m.subtype and m.ephemeral_to in visible]

    def ephemerals(self, user: str, channel: str | None = None) -> list[Message]:
        """What only that person sees, oldest first."""
        with self.lock:
            viewer = self.user(user).id
            channels = [self.channel(channel)] if channel else list(self.channels.values())
            return sorted((m for c in channels for m in c.log if m.ephemeral_to == viewer), key=lambda m: m.ts)

    def find(self, channel: str, needle: str) -> Message | None:
        """The oldest message, replies included, that has `needle` in its text or blocks."""
        with self.lock:
            for message in self.channel(channel).log:
                if needle in message.text or needle in json.dumps(message.blocks, ensure_ascii=False):
                    return message
            return None

    def pinned(self, channel: str) -> list[Message]:
        """The pinned messages, in the order of pinning."""
        with self.lock:
            place = self.channel(channel)
            return [m for ts in place.pins if (m := place.find(ts))]

    def open_views(self, user: str) -> list[View]:
        """The modals on that person's screen, the topmost last."""
        with self.lock:
            return [self.views[v] for v in self.stacks.get(self.user(user).id, [])]

    def home(self, user: str) -> View | None:
        """That person's Home tab, if the bot has published one."""
        with self.lock:
            return self.views.get(self.homes.get(self.user(user).id, ""))

    def count(self, method: str) -> int:
        """How often a Web API method was called."""
        with self.lock:
            return sum(1 for call in self.calls if call.method == method)

    def wait_for(self, condition: Callable[[], Any], timeout: float = 5.0, every: float = 0.01) -> Any:
        """Ask `condition` until it is truthy and return what it said. Raises TimeoutError after `timeout` seconds."""
        deadline = time.monotonic() + timeout
        while True:
            if answer := condition():
                return answer
            if time.monotonic() > deadline:
                raise TimeoutError(f"still not so after {timeout} s")
            time.sleep(every)

    # -- changing ---------------------------------------------------------------------------------------------

    def changed(self, thing: T) -> T:
        """Tell the page that something is new; hands `thing` through."""
        with self.lock:
            self.version += 1
        return thing

    def new_id(self, prefix: str) -> str:
        """A fresh id such as `C00000042`."""
        with self.lock:
            self._last_id += 1
            return f"{prefix}{self._last_id:08d}"

    def new_ts(self) -> str:
        """A fresh message timestamp, later than all before it."""
        with self.lock:
            self._last_ts = max(self._last_ts + 1, int(self.now() * 1_000_000))
            return f"{self._last_ts // 1_000_000}.{self._last_ts % 1_000_000:06d}"

    def post(self, channel: str, user: str, text: str, **fields: Any) -> Message:
        """Add a message without any check; `fields` are those of `Message`."""
        with self.lock:
            place, author = self.channel(channel), self.user(user)
            fields["blocks"] = self.with_ids(fields.get("blocks") or [])
            message = Message(self.new_ts(), place.id, author.id, text, bot=author.is_bot, **fields)
            place.log.append(message)
            if not author.is_bot and message.ephemeral_to is None and message.subtype is None:
                self.emit(message.api() | {"channel": place.id, "channel_type": _channel_type(place)})
            return self.changed(message)

    def join(self, channel: str, user: str, inviter: str | None = None) -> bool:
        """Make somebody a member; False when they are one already. Posts Slack's own note and emits the event."""
        with self.lock:
            place, person = self.channel(channel), self.user(user)
            if person.id in place.members:
                return False
            place.members.append(person.id)
            extra = {"inviter": inviter} if inviter else {}
            note = f"<@{person.id}> has joined the channel"
            self.post(place.id, person.id, note, subtype="channel_join", extra=extra)
            kind = {"channel_type": "G" if place.is_private else "C"}
            self.emit({"type": "member_joined_channel", "user": person.id, "channel": place.id} | kind | extra)
            return True

    def react(self, channel: str, ts: str, user: str, name: str) -> None:
        """Add an emoji. Raises SlackError `message_not_found` or `already_reacted`."""
        with self.lock:
            _place, person, message = self._on_message(channel, ts, user)
            given = message.reactions.setdefault(name, [])
            if person.id in given:
                raise SlackError("already_reacted")
            given.append(person.id)
            self._emit_reaction("reaction_added", person, message, name)

    def unreact(self, channel: str, ts: str, user: str, name: str) -> None:
        """Take one's emoji away. Raises SlackError `message_not_found` or `no_reaction`."""
        with self.lock:
            _place, person, message = self._on_message(channel, ts, user)
            given = message.reactions.get(name, [])
            if person.id not in given:
                raise SlackError("no_reaction")
            given.remove(person.id)
            if not given:
                del message.reactions[name]
            self._emit_reaction("reaction_removed", person, message, name)

    def pin(self, channel: str, ts: str, user: str) -> None:
        """Pin a message. Raises SlackError `message_not_found`, `already_pinned` or `too_many_pins`."""
        with self.lock:
            place, person, message = self._on_message(channel, ts, user)
            if ts in place.pins:
                raise SlackError("already_pinned")
            if len(place.pins) >= MAX_PINS:
                raise SlackError("too_many_pins")
            place.pins.append(ts)
            note = f"<@{person.id}> pinned a message to this channel."
            extra = {"item_type": "C", "item": {"type": "message", "ts": ts}}
            self.post(place.id, person.id, note, subtype="pinned_item", extra=extra)
            self._emit_pin("pin_added", person, message)

    def unpin(self, channel: str, ts: str, user: str) -> None:
        """Unpin a message. Raises SlackError `message_not_found` or `no_pin`."""
        with self.lock:
            place, person, message = self._on_message(channel, ts, user)
            if ts not in place.pins:
                raise SlackError("no_pin")
            place.pins.remove(ts)
            self._emit_pin("pin_removed", person, message)

    def edit(self, channel: str, ts: str, text: str) -> None:
        """Have a message's author rewrite it: `message_changed`. Raises SlackError `message_not_found`."""
        with self.lock:
            _place, author, message = self._on_message(channel, ts, None)
            before = message.api()
            message.text, message.blocks = text, []
            message.edited = {"user": author.id, "ts": self.new_ts()}
            self.emit_changed(message, before)

    def delete(self, channel: str, ts: str) -> None:
        """Take a message away, its pin too: `message_deleted`; one with replies leaves a tombstone, as in Slack.

        Raises SlackError `message_not_found`.
        """
        with self.lock:
            place, _author, message = self._on_message(channel, ts, None)
            place.pins = [pinned for pinned in place.pins if pinned != ts]
            before = message.api()
            if any(m.thread_ts == ts and m is not message for m in place.log):
                message.subtype, message.text, message.blocks = "tombstone", "This message was deleted.", []
                message.reactions, message.files = {}, []
                self.emit_changed(message, before)
                return
            place.log.remove(message)
            about: Json = {"deleted_ts": ts, "previous_message": before}
            self._emit_hidden("message_deleted", place, about)
            self.changed(message)

    def emit_changed(self, message: Message, before: Json) -> None:
        """Tell of a message that says something else than `before`, its earlier object."""
        about = {"message": message.api(), "previous_message": before}
        self._emit_hidden("message_changed", self.channel(message.channel), about)
        self.changed(message)

    def permalink(self, message: Message) -> str:
        """A message's address; a reply's names its thread."""
        link = f"{self.base_url}/archives/{message.channel}/p{message.ts.replace('.', '')}"
        return f"{link}?thread_ts={message.thread_ts}&cid={message.channel}" if message.is_reply else link

    def _on_message(self, channel: str, ts: str, user: str | None) -> tuple[Channel, User, Message]:
        """Give what somebody (its author, unless told) acts upon."""
        place = self.channel(channel)
        message = place.find(ts)
        if message is None or message.ephemeral_to or message.subtype == "tombstone":
            raise SlackError("message_not_found")
        return place, self.user(user or message.user), message

    def _emit_reaction(self, kind: str, person: User, message: Message, name: str) -> None:
        item = {"type": "message", "channel": message.channel, "ts": message.ts}
        self.emit({"type": kind, "user": person.id, "reaction": name, "item_user": message.user, "item": item})
        self.changed(message)

    def _emit_pin(self, kind: str, person: User, message: Message) -> None:
        place = self.channel(message.channel)
        shown = message.api() | {"permalink": self.permalink(message)}
        if message.ts in place.pins:
            shown["pinned_to"] = [place.id]
        item: Json = {"type": "message", "channel": place.id, "message": shown}
        item |= {"created": int(self.now()), "created_by": person.id}
        about: Json = {"channel_id": place.id, "item": item, "item_user": message.user, "pin_count": len(place.pins)}
        if kind == "pin_removed":
            about["has_pins"] = bool(place.pins)
        self.emit({"type": kind, "user": person.id} | about)
        self.changed(message)

    def _emit_hidden(self, subtype: str, place: Channel, about: Json) -> None:
        event = {"type": "message", "subtype": subtype, "hidden": True, "channel": place.id, "ts": self.new_ts()}
        self.emit(event | {"channel_type": _channel_type(place)} | about)

    def emit(self, event: Json) -> None:
        """Hand an event to whoever sends events to the bot."""
        if self.event_sink is not None:
            self.event_sink({"event_ts": self.new_ts()} | event)

    def with_ids(self, blocks: Iterable[Json]) -> list[Json]:
        """A copy of the blocks in which every block and element has its id, as Slack stores them."""
        out = copy.deepcopy(list(blocks))
        for block in out:
            block.setdefault("block_id", self.new_id("b"))
            parts = [block.get("accessory"), block.get("element"), *block.get("elements", [])]
            for part in parts:
                if isinstance(part, dict) and part.get("type") not in _WITHOUT_ACTION:
                    part.setdefault("action_id", self.new_id("a"))
        return out

    def mint_trigger(self, user: str, view: str | None = None) -> str:
        """A `trigger_id` for that user id; `view` is the modal from which it comes."""
        with self.lock:
            trigger = Trigger(f"{self.new_id('1')}.{self.new_id('2')}.sandbox", user, self.monotonic(), view)
            self.triggers[trigger.id] = trigger
            return trigger.id

    def mint_response_url(self, user: str, channel: str, message_ts: str | None = None) -> str:
        """A `response_url` for that user and channel id; `message_ts` is the message it belongs to."""
        with self.lock:
            entry = ResponseUrl(self.new_id("r"), user, channel, message_ts, self.now())
            entry.ask = self.asks.recent(user, channel)
            self.response_urls[entry.id] = entry
            return f"{self.base_url}/response/{entry.id}"

    def spend_trigger(self, trigger_id: str) -> Trigger:
        """Use a `trigger_id` up. Raises SlackError when it is unknown, spent or older than 3 s."""
        with self.lock:
            trigger = self.triggers.get(trigger_id)
            if trigger is None:
                raise SlackError("invalid_trigger_id")
            if trigger.used:
                raise SlackError("exchanged_trigger_id")
            if self.monotonic() - trigger.born > TRIGGER_SECONDS:
                raise SlackError("expired_trigger_id")
            trigger.used = True
            return trigger

    def spend_response_url(self, entry_id: str) -> ResponseUrl:
        """Use a `response_url` once. Raises SlackError when it is unknown, too old or used up."""
        with self.lock:
            entry = self.response_urls.get(entry_id)
            if entry is None:
                raise SlackError("invalid_url")
            if self.now() - entry.born > RESPONSE_URL_SECONDS or entry.uses >= RESPONSE_URL_USES:
                raise SlackError("expired_url")
            entry.uses += 1
            return entry

    def record_call(self, method: str, args: Json) -> Call:
        """Note that a Web API call has arrived."""
        with self.lock:
            call = Call(len(self.calls) + 1, method, args, self.monotonic())
            self.calls.append(call)
            return call


_WITHOUT_ACTION = {
    "image",
    "mrkdwn",
    "plain_text",
    "rich_text_section",
    "rich_text_list",
    "rich_text_preformatted",
    "rich_text_quote",
}


def _channel_type(channel: Channel) -> str:
    if channel.is_im:
        return "im"
    return "group" if channel.is_private else "channel"

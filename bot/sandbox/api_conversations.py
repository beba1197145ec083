"""The `conversations.*`, `pins.*` and `bookmarks.*` methods."""

import re
from collections.abc import Callable
from typing import Any

from bot.sandbox import rooms
from bot.sandbox.args import Args
from bot.sandbox.model import Channel, Json, Message, SlackError
from bot.sandbox.workspace import MAX_PINS, Workspace

TOPIC_LIMIT = 250
_NAME_LIMIT = 80


def _shown(ws: Workspace, channel: Channel) -> Json:
    return {"channel": channel.api(ws.bot.id)}


def _checked_name(ws: Workspace, name: str, current: Channel | None = None) -> str:
    if not name:
        raise SlackError("invalid_name_required")
    if len(name) > _NAME_LIMIT:
        raise SlackError("invalid_name_maxlength")
    if not re.fullmatch(r"[a-z0-9_-]+", name):
        raise SlackError("invalid_name_specials" if re.search(r"\w", name) else "invalid_name_punctuation")
    if not re.search(r"[a-z0-9]", name):
        raise SlackError("invalid_name_punctuation")
    if any(c.name == name and c is not current for c in ws.channels.values()):
        raise SlackError("name_taken")
    return name


def create(ws: Workspace, args: Args) -> Json:
    name = _checked_name(ws, args.maybe("name"))
    return _shown(ws, ws.add_channel(name, private=args.flag("is_private"), members=[ws.bot.id]))


def list_(ws: Workspace, args: Args) -> Json:
    types = args.listed("types") or ["public_channel"]
    if unknown := set(types) - {"public_channel", "private_channel", "im", "mpim"}:
        raise SlackError("invalid_types", types=sorted(unknown))
    seen = [c for c in ws.channels.values() if _kind(c) in types]
    seen = [c for c in seen if ws.bot.id in c.members or _kind(c) == "public_channel"]
    if args.flag("exclude_archived"):
        seen = [c for c in seen if not c.archived]
    page, meta = args.page(seen)
    return {"channels": [c.api(ws.bot.id) for c in page], "response_metadata": meta}


def _kind(channel: Channel) -> str:
    if channel.is_im:
        return "im"
    return "private_channel" if channel.is_private else "public_channel"


def info(ws: Workspace, args: Args) -> Json:
    return _shown(ws, args.channel(member=False, archived_ok=True))


def join(ws: Workspace, args: Args) -> Json:
    channel = args.channel(member=False)
    if channel.is_private or channel.is_im:
        raise SlackError("method_not_supported_for_channel_type")
    if ws.join(channel.id, ws.bot.id):
        return _shown(ws, channel)
    return _shown(ws, channel) | {"warning": "already_in_channel"}


def invite(ws: Workspace, args: Args) -> Json:
    channel = args.channel()
    users = args.listed("users")
    if not users:
        raise SlackError("no_user")
    refused = {u: error for u in users if (error := _invite_error(ws, channel, u))}
    if refused and (not args.flag("force") or len(refused) == len(users)):
        errors = [{"user": user, "ok": False, "error": error} for user, error in refused.items()]
        raise SlackError(next(iter(refused.values())), errors=errors)
    for user in users:
        if user not in refused:
            ws.join(channel.id, user, inviter=ws.bot.id)
    errors = [{"user": user, "ok": False, "error": error} for user, error in refused.items()]
    return {**_shown(ws, channel), **({"errors": errors} if errors else {})}


def _invite_error(ws: Workspace, channel: Channel, user_id: str) -> str | None:
    user = ws.users.get(user_id)
    if user is None or user.deleted:
        return "user_not_found"
    if user.id == ws.bot.id:
        return "cant_invite_self"
    if user.id in channel.members:
        return "already_in_channel"
    return "user_is_restricted" if user.guest else None


def members(_ws: Workspace, args: Args) -> Json:
    page, meta = args.page(args.channel(member=False, archived_ok=True).members)
    return {"members": page, "response_metadata": meta}


def _in_window(args: Args) -> Callable[[Message], bool]:
    oldest, latest = args.maybe("oldest", "0"), args.maybe("latest")
    inclusive = args.flag("inclusive")
    low, high = _micros(oldest), _micros(latest) if latest and latest != "now" else None

    def inside(message: Message) -> bool:
        at = _micros(message.ts)
        if inclusive:
            return low <= at and (high is None or at <= high)
        return low < at and (high is None or at < high)

    return inside


def _micros(ts: str) -> int:
    match = re.fullmatch(r"(\d{1,12})(?:\.(\d{0,6})\d*)?", ts)
    if match is None:
        raise SlackError("invalid_ts_oldest")
    return int(match[1]) * 1_000_000 + int((match[2] or "").ljust(6, "0"))


def _history_entry(channel: Channel, message: Message, *, with_metadata: bool) -> Json:
    out = message.api(with_metadata=with_metadata)
    replies = [m for m in channel.log if m.thread_ts == message.ts and m is not message and not m.ephemeral_to]
    if replies and not message.is_reply:
        users = list(dict.fromkeys(m.user for m in replies))
        out |= {"thread_ts": message.ts, "reply_count": len(replies), "latest_reply": replies[-1].ts}
        out |= {"reply_users": users, "reply_users_count": len(users)}
    elif message.is_reply:
        parent = channel.find(message.thread_ts or "")
        out["parent_user_id"] = parent.user if parent else ""
    if message.ts in channel.pins:
        out["pinned_to"] = [channel.id]
    return out


def _listing(args: Args, channel: Channel, found: list[Message]) -> Json:
    page, meta = args.page(found, most=999)
    with_metadata = args.flag("include_all_metadata")
    shown = [_history_entry(channel, m, with_metadata=with_metadata) for m in page]
    return {"messages": shown, "has_more": bool(meta["next_cursor"]), "response_metadata": meta}


def history(_ws: Workspace, args: Args) -> Json:
    channel = args.channel(archived_ok=True)
    inside = _in_window(args)
    found = [m for m in channel.log if not m.is_reply and not m.ephemeral_to and inside(m)]
    return _listing(args, channel, found[::-1]) | {"pin_count": len(channel.pins)}


def replies(_ws: Workspace, args: Args) -> Json:
    channel = args.channel(archived_ok=True)
    asked = channel.find(args.text("ts"))
    if asked is None or asked.ephemeral_to:
        raise SlackError("thread_not_found")
    root = asked.thread_ts or asked.ts
    inside = _in_window(args)
    thread = [m for m in channel.log if root in (m.ts, m.thread_ts) and not m.ephemeral_to]
    return _listing(args, channel, [m for m in thread if m.ts == root or inside(m)])


def set_topic(ws: Workspace, args: Args) -> Json:
    channel = args.channel()
    topic = args.maybe("topic")
    if len(topic) > TOPIC_LIMIT:
        raise SlackError("too_long")
    if topic != channel.topic:
        channel.topic = topic
        note = f"<@{ws.bot.id}> set the channel topic: {topic}" if topic else f"<@{ws.bot.id}> cleared channel topic"
        ws.post(channel.id, ws.bot.id, note, subtype="channel_topic", extra={"topic": topic})
    return _shown(ws, channel)


def set_purpose(ws: Workspace, args: Args) -> Json:
    channel = args.channel()
    purpose = args.maybe("purpose")
    if len(purpose) > TOPIC_LIMIT:
        raise SlackError("too_long")
    channel.purpose = purpose
    note = f"<@{ws.bot.id}> set the channel description: {purpose}"
    ws.post(channel.id, ws.bot.id, note, subtype="channel_purpose", extra={"purpose": purpose})
    return {"purpose": purpose}


def archive(ws: Workspace, args: Args) -> Json:
    channel = args.channel(archived_ok=True)
    if channel.name == "general":
        raise SlackError("cant_archive_general")
    rooms.archive(ws, channel.id, ws.bot.id)
    return {}


def unarchive(ws: Workspace, args: Args) -> Json:
    channel = args.channel(member=False, archived_ok=True)
    rooms.unarchive(ws, channel.id, ws.bot.id)
    return {}


def rename(ws: Workspace, args: Args) -> Json:
    channel = args.channel()
    rooms.rename(ws, channel.id, _checked_name(ws, args.maybe("name"), current=channel), ws.bot.id)
    return _shown(ws, channel)


def open_(ws: Workspace, args: Args) -> Json:
    if "channel" in args:
        return _shown(ws, args.channel())
    users = args.listed("users")
    if len(users) != 1:
        raise SlackError("users_list_not_supplied" if not users else "method_not_supported_for_channel_type")
    user = ws.users.get(users[0])
    if user is None:
        raise SlackError("user_not_found")
    if user.deleted or user.is_bot:
        raise SlackError("user_disabled" if user.deleted else "cannot_dm_bot")
    channel = ws.direct(user.id)
    return {"channel": channel.api(ws.bot.id) if args.flag("return_im") else {"id": channel.id}}


def pins_add(ws: Workspace, args: Args) -> Json:
    channel = args.channel()
    ws.pin(channel.id, args.text("timestamp"), ws.bot.id)
    return {}


def pins_remove(ws: Workspace, args: Args) -> Json:
    channel = args.channel()
    ws.unpin(channel.id, args.text("timestamp"), ws.bot.id)
    return {}


def pins_list(ws: Workspace, args: Args) -> Json:
    channel = args.channel(archived_ok=True)
    common = {"type": "message", "channel": channel.id, "created_by": ws.bot.id}
    return {"items": [common | {"message": m.api()} for m in ws.pinned(channel.id)]}


def bookmarks_add(ws: Workspace, args: Args) -> Json:
    channel = args.channel("channel_id")
    if args.text("type") != "link":
        raise SlackError("invalid_bookmark_type")
    bookmark: dict[str, Any] = {
        "id": ws.new_id("Bk"),
        "channel_id": channel.id,
        "title": args.text("title"),
        "link": args.text("link"),
        "emoji": args.maybe("emoji"),
        "type": "link",
    }
    if not re.match(r"https?://", bookmark["link"]):
        raise SlackError("invalid_link")
    if len(channel.bookmarks) >= MAX_PINS:
        raise SlackError("too_many_bookmarks")
    channel.bookmarks.append(bookmark)
    return ws.changed({"bookmark": bookmark})


def bookmarks_list(_ws: Workspace, args: Args) -> Json:
    return {"bookmarks": list(args.channel("channel_id", archived_ok=True).bookmarks)}


METHODS: dict[str, Callable[[Workspace, Args], Json]] = {
    "conversations.create": create,
    "conversations.list": list_,
    "conversations.info": info,
    "conversations.join": join,
    "conversations.invite": invite,
    "conversations.members": members,
    "conversations.history": history,
    "conversations.replies": replies,
    "conversations.setTopic": set_topic,
    "conversations.setPurpose": set_purpose,
    "conversations.archive": archive,
    "conversations.unarchive": unarchive,
    "conversations.rename": rename,
    "conversations.open": open_,
    "pins.add": pins_add,
    "pins.remove": pins_remove,
    "pins.list": pins_list,
    "bookmarks.add": bookmarks_add,
    "bookmarks.list": bookmarks_list,
}

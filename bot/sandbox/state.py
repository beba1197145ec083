"""What the web page shows one person, as JSON."""

import time
from collections.abc import Iterable
from typing import Any

from bot.sandbox.model import TEAM_NAME, Channel, Json, Message, View
from bot.sandbox.workspace import Workspace

# more would be slow to draw, and nobody scrolls so far in a demo
_SHOWN_MESSAGES = 400


def snapshot(ws: Workspace, user: str) -> Json:
    """Everything on that person's screen; `now` is the workspace's clock in epoch seconds."""
    with ws.lock:
        viewer = ws.user(user)
        return {
            "version": ws.version,
            "now": ws.now(),
            "team": TEAM_NAME,
            "me": viewer.id,
            "bot": ws.bot.id,
            "users": [
                {"id": u.id, "name": u.name, "real_name": u.real_name, "bot": u.is_bot, "zone": u.zone}
                for u in ws.users.values()
                if not u.deleted
            ],
            "usergroups": {g.id: g.handle for g in ws.usergroups.values()},
            "channels": [_channel(c, viewer.id) for c in _visible(ws.channels.values(), viewer.id)],
            "views": [_view(v) for v in ws.open_views(viewer.id)],
            "home": _view(home) if (home := ws.home(viewer.id)) else None,
            "shortcuts": list(ws.shortcuts),
        }


def unchanged(ws: Workspace) -> Json:
    """The cheap answer when nothing is new."""
    return {"version": ws.version, "now": ws.now(), "wall": time.time()}


def _visible(channels: Iterable[Channel], viewer: str) -> list[Channel]:
    return [c for c in channels if viewer in c.members or not (c.is_private or c.is_im)]


def _channel(channel: Channel, viewer: str) -> Json:
    log = [m for m in channel.log if m.ephemeral_to in (None, viewer)]
    return {
        "id": channel.id,
        "name": channel.name or "sitrep",
        "private": channel.is_private,
        "direct": channel.is_im,
        "archived": channel.archived,
        "created": channel.created,
        "topic": channel.topic,
        "members": channel.members,
        "pins": channel.pins,
        "bookmarks": [{"title": b["title"], "link": b["link"]} for b in channel.bookmarks],
        "messages": [_message(m) for m in log[-_SHOWN_MESSAGES:]],
    }


def _message(message: Message) -> Json:
    out: dict[str, Any] = {"ts": message.ts, "user": message.user, "text": message.text}
    optional: Json = {
        "blocks": message.blocks,
        "thread": message.thread_ts if message.is_reply else None,
        "edited": bool(message.edited),
        "ephemeral": message.ephemeral_to is not None,
        "answers": {"ts": message.answers.ts, "said": message.answers.said} if message.answers else None,
        "subtype": message.subtype,
        "reactions": message.reactions,
        "selections": message.selections,
        "files": [
            {"name": f.name, "title": f.title, "url": f.url, "preview": _preview(f.content)} for f in message.files
        ],
    }
    return out | {key: value for key, value in optional.items() if value}


def _preview(content: bytes | None) -> str:
    try:
        return "\n".join((content or b"").decode().splitlines()[:12])[:1500]
    except UnicodeDecodeError:
        return ""


def _view(view: View) -> Json:
    body = view.body
    shown = {key: body.get(key) for key in ("title", "submit", "close", "blocks")}
    return shown | {"id": view.id, "type": view.type, "hash": view.hash, "errors": view.errors}

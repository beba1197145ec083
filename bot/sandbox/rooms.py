"""What becomes of a channel: archived and brought back, renamed, left, deleted. Each tells the bot, as Slack does."""

from bot.sandbox.model import Channel, SlackError
from bot.sandbox.workspace import Workspace


def leave(ws: Workspace, channel: str, user: str, by: str | None = None) -> bool:
    """Take somebody out of a channel, removed `by` another or by themselves; False where they are not in it."""
    with ws.lock:
        place, person = ws.channel(channel), ws.user(user)
        if person.id not in place.members:
            return False
        place.members.remove(person.id)
        ws.post(place.id, person.id, f"<@{person.id}> has left the channel", subtype="channel_leave")
        if person.id == ws.bot.id:  # an app hears of its own removal by an event of its own
            ws.emit({"type": _of(place, "left"), "channel": place.id, "actor_id": ws.user(by or user).id})
        else:
            kind = "G" if place.is_private else "C"
            event = {"type": "member_left_channel", "user": person.id, "channel": place.id, "channel_type": kind}
            ws.emit(event)
        return True


def archive(ws: Workspace, channel: str, user: str) -> None:
    """Archive a channel. Raises SlackError `already_archived`."""
    _put_away(ws, channel, user, archived=True)


def unarchive(ws: Workspace, channel: str, user: str) -> None:
    """Bring an archived channel back. Raises SlackError `not_archived`."""
    _put_away(ws, channel, user, archived=False)


def _put_away(ws: Workspace, channel: str, user: str, *, archived: bool) -> None:
    with ws.lock:
        place, person = ws.channel(channel), ws.user(user)
        if place.archived == archived:
            raise SlackError("already_archived" if archived else "not_archived")
        place.archived = archived
        verb, what = ("archived", "archive") if archived else ("un-archived", "unarchive")
        ws.post(place.id, person.id, f"<@{person.id}> {verb} the channel", subtype=f"channel_{what}")
        ws.emit({"type": _of(place, what), "channel": place.id, "user": person.id})


def rename(ws: Workspace, channel: str, name: str, user: str) -> None:
    """Give a channel another name."""
    with ws.lock:
        place, person = ws.channel(channel), ws.user(user)
        old, place.name = place.name, name
        note = f"<@{person.id}> has renamed the channel from {old} to {name}"
        ws.post(place.id, person.id, note, subtype="channel_name", extra={"old_name": old, "name": name})
        about = {"id": place.id, "name": name, "created": int(place.created)}
        ws.emit({"type": _of(place, "rename"), "channel": about})


def delete(ws: Workspace, channel: str, user: str) -> None:
    """Delete a channel with all that is in it, as an admin can."""
    with ws.lock:
        place = ws.channel(channel)
        del ws.channels[place.id]
        ws.emit({"type": _of(place, "deleted"), "channel": place.id, "actor_id": ws.user(user).id})
        ws.changed(place)


def _of(channel: Channel, what: str) -> str:
    """Name an event of a channel: private ones have events of their own."""
    return f"{'group' if channel.is_private else 'channel'}_{what}"

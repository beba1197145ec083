"""The payloads that Slack sends to an app's request URL."""

import time
from typing import Any

from bot.sandbox import views
from bot.sandbox.model import APP_ID, TEAM_ID, TEAM_NAME, Channel, Json, Message, User, View
from bot.sandbox.workspace import Workspace

VERIFICATION_TOKEN = "sandbox-verification"  # noqa: S105 - a field that Slack deprecated


def common(ws: Workspace, user: User, kind: str) -> Json:
    """What every interaction payload begins with."""
    return {
        "type": kind,
        "team": {"id": TEAM_ID, "domain": TEAM_NAME.lower()},
        "enterprise": None,
        "is_enterprise_install": False,
        "user": {"id": user.id, "username": user.name, "name": user.name, "team_id": TEAM_ID},
        "api_app_id": APP_ID,
        "token": VERIFICATION_TOKEN,
        "trigger_id": ws.mint_trigger(user.id),
    }


def slash_command(ws: Workspace, user: User, channel: Channel, command: str, text: str) -> dict[str, str]:
    """The form fields of a slash command."""
    return {
        "token": VERIFICATION_TOKEN,
        "team_id": TEAM_ID,
        "team_domain": TEAM_NAME.lower(),
        "channel_id": channel.id,
        "channel_name": _channel_name(channel, conceal=True),
        "user_id": user.id,
        "user_name": user.name,
        "command": command,
        "text": text,
        "api_app_id": APP_ID,
        "is_enterprise_install": "false",
        "response_url": ws.mint_response_url(user.id, channel.id),
        "trigger_id": ws.mint_trigger(user.id),
    }


def action(element: Json, block_id: str, state: Json | None) -> Json:
    """One entry of `actions`: a button's value, or what was chosen."""
    out: Json = {"type": element["type"], "action_id": element["action_id"], "block_id": block_id}
    out["action_ts"] = f"{time.time():.6f}"
    for key in ("text", "value", "style", "placeholder"):
        if key in element and (key != "value" or element["type"] == "button"):
            out[key] = element[key]
    return out | (state or {})


def message_action(ws: Workspace, user: User, message: Message, entry: Json) -> Json:
    """`block_actions` from a message; an ephemeral one is not repeated in the payload, as in Slack."""
    channel = ws.channel(message.channel)
    container: Json = {"type": "message", "message_ts": message.ts, "channel_id": channel.id}
    container["is_ephemeral"] = message.ephemeral_to is not None
    if message.thread_ts:
        container["thread_ts"] = message.thread_ts
    out = common(ws, user, "block_actions") | {
        "container": container,
        "channel": {"id": channel.id, "name": _channel_name(channel)},
        "state": {"values": views.state_of(message.blocks, message.selections)},
        "response_url": ws.mint_response_url(user.id, channel.id, message.ts),
        "actions": [entry],
    }
    if message.ephemeral_to is None:
        out["message"] = message.api(with_metadata=True)
    return out


def view_action(ws: Workspace, user: User, view: View, entry: Json, chosen: Json) -> Json:
    """`block_actions` from a modal or a Home tab."""
    out = common(ws, user, "block_actions")
    ws.triggers[out["trigger_id"]].view = view.id
    return out | {
        "container": {"type": "view", "view_id": view.id},
        "view": view.api(views.state_of(view.body["blocks"], chosen)),
        "actions": [entry],
    }


def view_submission(ws: Workspace, user: User, view: View, chosen: Json) -> Json:
    """`view_submission` with the state of every input."""
    shown = view.api(views.state_of(view.body["blocks"], chosen))
    return common(ws, user, "view_submission") | {"view": shown, "response_urls": []}


def view_closed(ws: Workspace, user: User, view: View, *, cleared: bool) -> Json:
    """`view_closed`, which has no trigger."""
    out = common(ws, user, "view_closed")
    del out["trigger_id"]
    return out | {"view": view.api(), "is_cleared": cleared}


def shortcut(ws: Workspace, user: User, callback_id: str, message: Message | None) -> Json:
    """A message shortcut when there is a message, else a global one."""
    stamp = {"callback_id": callback_id, "action_ts": f"{time.time():.6f}"}
    if message is None:
        return common(ws, user, "shortcut") | stamp
    channel = ws.channel(message.channel)
    return (
        common(ws, user, "message_action")
        | stamp
        | {
            "message_ts": message.ts,
            "message": message.api(with_metadata=True),
            "channel": {"id": channel.id, "name": _channel_name(channel)},
            "response_url": ws.mint_response_url(user.id, channel.id, message.ts),
        }
    )


def event_callback(ws: Workspace, event: Json, event_id: str | None = None) -> Json:
    """The envelope of the Events API."""
    authorization: dict[str, Any] = {"enterprise_id": None, "team_id": TEAM_ID, "user_id": ws.bot.id, "is_bot": True}
    return {
        "token": VERIFICATION_TOKEN,
        "team_id": TEAM_ID,
        "context_team_id": TEAM_ID,
        "api_app_id": APP_ID,
        "event": {"event_ts": ws.new_ts()} | event,
        "type": "event_callback",
        "event_id": event_id or ws.new_id("Ev"),
        "event_time": int(ws.now()),
        "authorizations": [authorization | {"is_enterprise_install": False}],
        "is_ext_shared_channel": False,
        "event_context": "sandbox",
    }


def _channel_name(channel: Channel, *, conceal: bool = False) -> str:
    if channel.is_im:
        return "directmessage"
    # in slash commands Slack hides the name of a private channel
    return "privategroup" if conceal and channel.is_private else channel.name

"""The Slack app's manifest: what the app must be allowed, sent and called. It needs nothing else of the bot.

Source: https://api.slack.com/reference/manifests.
"""

from __future__ import annotations

from typing import Any

import yaml

NAME = "Sitrep"
ANY_HOST = "https://sitrep.example.com"
PATH = "/slack/events"

# Each bot scope with what fails without it.
SCOPES = {
    "commands": "the slash command and the shortcuts",
    "chat:write": "every message",
    "channels:manage": "opening incident channels, their topics, invitations",
    "channels:read": "finding channels, who joins",
    "channels:history": "looking for a message after a lost answer",
    "channels:join": "posting in a public channel that nobody invited the bot to",
    "groups:write": "private incident channels",
    "groups:read": "finding private channels",
    "groups:history": "looking for a message in a private channel after a lost answer",
    "im:write": "direct messages",
    "im:history": "looking for a direct message after a lost answer",
    "users:read": "people's names",
    "users:read.email": "the ladder's e-mail addresses",
    "usergroups:read": "the ladder's @usergroups",
    "pins:read": "what people pin, for the timeline",
    "pins:write": "pinning the card",
    "reactions:read": "reactions, for the timeline",
    "reactions:write": "confirming that a message is on a timeline",
    "files:write": "exports as files",
}

EVENTS = (
    "member_joined_channel",
    "pin_added",
    "pin_removed",
    "reaction_added",
    "reaction_removed",
    "message.channels",
    "message.groups",
    "app_home_opened",
    "channel_archive",
    "channel_unarchive",
    "channel_deleted",
    "channel_left",
    "channel_rename",
    "group_archive",
    "group_unarchive",
    "group_deleted",
    "group_left",
    "group_rename",
    "member_left_channel",
)

SHORTCUTS = (
    {
        "name": "Declare an incident",
        "type": "global",
        "callback_id": "incident_declare",
        "description": "Open the form that declares an incident",
    },
    {
        "name": "Declare an incident",
        "type": "message",
        "callback_id": "incident_from_message",
        "description": "Declare an incident from this message",
    },
    {
        "name": "Add to timeline",
        "type": "message",
        "callback_id": "timeline_add",
        "description": "Put this message on the incident's timeline",
    },
    {
        "name": "Work on the incident",
        "type": "message",
        "callback_id": "incident_work",
        "description": "Run any incident command from this thread",
    },
    {
        "name": "Work on an incident",
        "type": "global",
        "callback_id": "incident_work_on_one",
        "description": "Choose an open incident and what to do",
    },
    {
        "name": "Make it a follow-up",
        "type": "message",
        "callback_id": "followup_add",
        "description": "Note this message as a follow-up of the incident",
    },
)

_CREATE = '# The Slack app. Create it at api.slack.com/apps with "From a manifest".\n'
_CHANGE = "# For an existing app: paste this under App Manifest, then reinstall the app.\n"
_FILL_IN = f"""\
# Put your own host in place of {ANY_HOST[8:]}, or set SITREP_PUBLIC_URL and run `sitrep manifest` again.
# If Slack cannot reach your network, use `sitrep manifest --socket-mode`.
"""
_NOT_SECURE = "# Slack calls https:// addresses only: set SITREP_PUBLIC_URL to one.\n"
_SOCKET = "# Socket Mode: make an app-level token (xapp-) with connections:write, and set SLACK_APP_TOKEN to it.\n"


def manifest(
    *, command: str = "/incident", public_url: str = "", socket_mode: bool = False, severities: str = "sev1-4"
) -> str:
    """Give the manifest as YAML, with what is left to fill in as comments before it.

    Args:
        command: the slash command, with its slash.
        public_url: where Slack reaches the bot, without a slash at the end; unset, it is left to be filled in.
        severities: the severities as people type them.
        socket_mode: the bot calls Slack, so there are no addresses.
    """
    url = None if socket_mode else (public_url or ANY_HOST) + PATH
    said = _CREATE + _CHANGE
    if socket_mode:
        said += _SOCKET
    elif not public_url:
        said += _FILL_IN
    elif not public_url.startswith("https://"):
        said += _NOT_SECURE
    return said + yaml.safe_dump(_content(command, url, severities), sort_keys=False, allow_unicode=True, width=120)


def _content(command: str, url: str | None, severities: str) -> dict[str, Any]:
    request = {"request_url": url} if url else {}
    slash = {
        "command": command,
        **({"url": url} if url else {}),
        "description": "Declare and run an incident",
        "usage_hint": f"declare <title> [{severities}] | update <text> | ack | lead | resolve | help",
        "should_escape": True,
    }
    return {
        "display_information": {
            "name": NAME,
            "description": "Opens incident channels, keeps the update cadence and the escalation ladder, "
            "writes the timeline.",
        },
        "features": {
            "app_home": {
                "home_tab_enabled": True,
                "messages_tab_enabled": True,
                "messages_tab_read_only_enabled": True,
            },
            "bot_user": {"display_name": NAME, "always_online": True},
            "shortcuts": [dict(shortcut) for shortcut in SHORTCUTS],
            "slash_commands": [slash],
        },
        "oauth_config": {"scopes": {"bot": list(SCOPES)}},
        "settings": {
            "event_subscriptions": {**request, "bot_events": list(EVENTS)},
            "interactivity": {"is_enabled": True, **request},
            "org_deploy_enabled": False,
            "socket_mode_enabled": url is None,
            "token_rotation_enabled": False,
        },
    }

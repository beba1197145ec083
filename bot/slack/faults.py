"""Slack's errors, sorted by what they mean for a delivery, each with the fix an operator needs.

Source: Slack's method pages; https://api.slack.com/web and https://api.slack.com/docs/rate-limits.
"""

from __future__ import annotations

import asyncio
import re
from typing import Any

import aiohttp
from slack_sdk.errors import SlackApiError, SlackRequestError

from bot.errors import Ambiguous, OutwardError, Permanent, Retryable

METHOD = re.compile(r"[a-z]+(\.\w+)+(: (HTTP \d+|no connection|\w+))?")
TRANSIENT = frozenset({"service_unavailable", "team_added_to_org", "request_timeout", "org_login_required"})
# Slack says of these that part of the request may have been carried out.
MAYBE = frozenset({"internal_error", "fatal_error"})
THROTTLED = frozenset({"ratelimited", "rate_limited", "message_limit_exceeded"})

_REINSTALL = "Reinstall the app and set SLACK_BOT_TOKEN to the new token."
# Nothing at all gets through until somebody mends it.
LOCKED_OUT = frozenset({"not_authed", "invalid_auth", "token_revoked", "token_expired", "account_inactive"})
FIXES = {
    "not_authed": "Set SLACK_BOT_TOKEN.",
    "invalid_auth": _REINSTALL,
    "token_revoked": _REINSTALL,
    "token_expired": _REINSTALL,
    "account_inactive": _REINSTALL,
    "missing_scope": "Add the scope to the app (`sitrep manifest` names all) and reinstall it.",
    "channel_not_found": "Create the channel, or invite the bot to it: `/invite @Sitrep`.",
    "thread_not_found": "Nothing to do: someone deleted the thread's first message.",
    "not_in_channel": "Invite the bot to the channel: `/invite @Sitrep`.",
    "is_archived": "Unarchive the channel.",
    "restricted_action": "Allow the app to do this in the workspace's settings.",
    "restricted_action_read_only_channel": "Let the app post there, in the channel's settings.",
    "restricted_action_thread_only_channel": "Let the app post there, in the channel's settings.",
    "user_not_found": "Name someone who is in this Slack workspace.",
    "users_not_found": "Name someone who is in this Slack workspace.",
    "user_disabled": "Name someone else.",
    "cannot_dm_bot": "Name a person.",
    "usergroup_not_found": "Name a user group that exists.",
    "too_many_pins": "Unpin something in the channel.",
    "message_not_found": "Nothing to do: someone deleted the message.",
    "cant_update_message": "Nothing to do: the message belongs to another app.",
    "name_taken": "Rename or archive the channel that has the name.",
}
# The reasons in words, for people; the codes are for logs and metrics.
WORDS = {
    "not_authed": "no token was sent",
    "invalid_auth": "Slack does not know the bot's token",
    "token_revoked": "the bot's token was revoked",
    "token_expired": "the bot's token has expired",
    "account_inactive": "the bot's account is deactivated",
    "missing_scope": "the app lacks a scope",
    "channel_not_found": "the channel was deleted, or is hidden from the bot",
    "thread_not_found": "the thread's first message was deleted",
    "not_in_channel": "the bot is not in the channel",
    "is_archived": "the channel is archived",
    "restricted_action": "the workspace's settings do not allow it",
    "restricted_action_read_only_channel": "the bot is not allowed to post in the channel",
    "restricted_action_thread_only_channel": "the channel takes replies in threads only",
    "user_not_found": "there is no such person in this Slack workspace",
    "users_not_found": "there is no such person in this Slack workspace",
    "user_not_visible": "the bot cannot see this person",
    "user_disabled": "the person's Slack account is deactivated",
    "cannot_dm_bot": "it is an app, not a person",
    "usergroup_not_found": "there is no such user group",
    "too_many_pins": "the channel has as many pins as Slack allows",
    "message_not_found": "the message was deleted",
    "cant_update_message": "the message belongs to another app",
    "name_taken": "the channel's name is taken",
    "invite_failed": "",
    "nobody_found": "",
    "defect": "a defect in Sitrep",
    "slack_off": "Slack is switched off",
    "slack_no_answer": "Slack did not answer",
    "slack_throttled": "Slack asked the bot to wait",
    "slack_unreachable": "Slack could not be reached",
    "pagerduty_off": "PagerDuty is switched off",
    "nobody_on_call": "nobody is on call",
}
# Why Slack does not invite somebody: what is so, and what to do. Source: conversations.invite's errors.
_GUEST = ("is a guest, and only a workspace admin can add guests", "Ask an admin to add them, or name someone else.")
_ELSEWHERE = ("is in another workspace", "Ask an admin to add the channel to that workspace, or name someone else.")
INVITE = {
    "cant_invite": ("cannot be invited by the bot", "Invite them by hand: `/invite @name`."),
    "user_not_found": ("is no longer in this Slack workspace", "Name someone else."),
    "user_disabled": ("has a deactivated Slack account", "Name someone else."),
    "user_is_restricted": _GUEST,
    "is_restricted": _GUEST,
    "user_is_ultra_restricted": _GUEST,
    "ura_max_channels": ("is a guest in as many channels as allowed", "Ask an admin, or name someone else."),
    "org_user_not_in_team": _ELSEWHERE,
    "user_team_not_in_channel": _ELSEWHERE,
    "cant_invite_to_channel": ("cannot be invited to this channel", "Invite them by hand: `/invite @name`."),
    "no_permission": ("cannot be invited by the bot", "Allow the app to invite people, or invite them by hand."),
    "restricted_action": (
        "cannot be invited by the bot: the workspace's settings do not allow it",
        "Invite them by hand: `/invite @name`.",
    ),
}


def spelled(code: str) -> str:
    """Return an error code that has no words of its own so that it can be read."""
    return code.replace("pagerduty", "PagerDuty").replace("_", " ")


def words(error: OutwardError) -> str:
    """Say in words why a call did not succeed, with what else is known of it."""
    said = WORDS.get(error.reason, spelled(error.reason))
    detail = error.detail
    if not detail or METHOD.fullmatch(detail):  # a method's name tells people nothing
        return said
    return f"{said}: {detail}" if said else detail


def not_invited(name: str, code: str) -> str:
    """Say whom Slack did not let in, why, and what to do."""
    what, fix = INVITE.get(code, (f"was not let in by Slack ({spelled(code)})", "Invite them by hand."))
    return f"{name} {what}. {fix}"


def sort(error: Exception, method: str) -> OutwardError:
    """Turn what the SDK raised into the outcome it stands for."""
    if isinstance(error, SlackApiError):
        return _answer(error, method)
    if isinstance(error, aiohttp.ClientConnectorError):
        return Retryable("slack_unreachable", f"{method}: no connection")
    if isinstance(error, (aiohttp.ClientError, asyncio.TimeoutError, SlackRequestError, OSError)):
        return Ambiguous("slack_no_answer", f"{method}: {type(error).__name__}")
    raise error


def _answer(error: SlackApiError, method: str) -> OutwardError:
    response: Any = error.response
    # The SDK gives its own response object, aiohttp's, or a plain dict, by what went wrong.
    status = getattr(response, "status_code", None) or getattr(response, "status", None) or 0
    data = getattr(response, "data", None)
    code = str(data.get("error", "")) if isinstance(data, dict) else ""
    if status == 429 or code in THROTTLED:
        headers = getattr(response, "headers", None) or {}
        return Retryable("slack_throttled", method, after=_seconds(headers.get("Retry-After")))
    if status >= 500 or code in MAYBE or not code:
        return Ambiguous(code or "slack_no_answer", f"{method}: HTTP {status}")
    if code in TRANSIENT:
        return Retryable(code, method)
    detail = method
    if isinstance(data, dict):
        if data.get("needed"):
            detail += f" needs the scope {data['needed']}"
        messages = (data.get("response_metadata") or {}).get("messages")
        if messages:
            detail += f": {'; '.join(str(m) for m in messages)[:300]}"
    return Permanent(code, FIXES.get(code, f"See the error in Slack's documentation of {method}."), detail)


def _seconds(value: Any) -> float | None:
    try:
        return max(float(value), 0.0)
    except (TypeError, ValueError):
        return None

"""Slack's errors, sorted by what they mean for a delivery, each with the fix an operator needs.

Source: Slack's method pages; https://api.slack.com/web and https://api.slack.com/docs/rate-limits.
"""

from __future__ import annotations

import asyncio
from typing import Any

import aiohttp
from slack_sdk.errors import SlackApiError, SlackRequestError

from bot.errors import Ambiguous, OutwardError, Permanent, Retryable

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
    "not_in_channel": "Invite the bot to the channel: `/invite @Sitrep`.",
    "is_archived": "Unarchive the channel.",
    "restricted_action": "Allow the app to do this in the workspace's settings.",
    "user_not_found": "Correct the person in the ladder (SITREP_CONFIG).",
    "users_not_found": "Use the e-mail address of the person's active Slack account in the ladder (SITREP_CONFIG).",
    "usergroup_not_found": "Correct the @usergroup in the ladder (SITREP_CONFIG).",
    "too_many_pins": "Unpin something in the channel.",
    "message_not_found": "Nothing: somebody deleted the message.",
    "cant_update_message": "Nothing: the message belongs to another app.",
    "name_taken": "Free the channel's name.",
}


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
    return Permanent(code, FIXES.get(code, f"See Slack's page of {method}."), detail)


def _seconds(value: Any) -> float | None:
    try:
        return max(float(value), 0.0)
    except (TypeError, ValueError):
        return None

"""The app-level token: what opens Socket Mode, and what Slack says when it does not, each with the fix.

Source: https://docs.slack.dev/reference/methods/apps.connections.open.
"""

from __future__ import annotations

from dataclasses import dataclass

from slack_sdk.web.async_client import AsyncWebClient

from bot.errors import Permanent
from bot.slack.faults import sort

METHOD = "apps.connections.open"

_NEW = "Set SLACK_APP_TOKEN to an app-level token of this app (Basic Information, App-Level Tokens)."
_FIXES = {
    "not_authed": _NEW,
    "invalid_auth": _NEW,
    "token_revoked": _NEW,
    "token_expired": _NEW,
    "account_inactive": _NEW,
    "not_allowed_token_type": "Set SLACK_APP_TOKEN to the app-level token (xapp-...); this is another one.",
    "missing_scope": "Make an app-level token with the scope connections:write and set SLACK_APP_TOKEN to it.",
}
TURN_ON = "Turn it on under Socket Mode in the app's settings, or unset SLACK_APP_TOKEN."


@dataclass(frozen=True, slots=True)
class Ticket:
    """Where to connect, once and soon. Where Socket Mode `is_off` Slack gives one all the same, and sends nothing."""

    url: str
    is_off: bool


async def open_connection(client: AsyncWebClient, token: str) -> Ticket:
    """Ask for a connection.

    Raises:
        OutwardError: by what became of it.
    """
    try:
        answer = await client.apps_connections_open(app_token=token)
    except Exception as error:
        outcome = sort(error, METHOD)
        if isinstance(outcome, Permanent):
            raise Permanent(outcome.reason, _FIXES.get(outcome.reason, outcome.fix), METHOD) from error
        raise outcome from error
    said = (answer.get("response_metadata") or {}).get("messages") or []
    return Ticket(str(answer["url"]), any("not turned on" in str(message) for message in said))

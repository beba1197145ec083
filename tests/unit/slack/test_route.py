"""How a request of Slack's is read from its body."""

from __future__ import annotations

import json
from typing import Any
from urllib.parse import urlencode

import pytest

from bot.sandbox import payloads
from bot.sandbox.workspace import Workspace
from handlers.slack.route import read

FORM, JSON = "application/x-www-form-urlencoded", "application/json"
# Words that Bolt or Slack use to tell kinds of requests apart.
WORDS = (
    "payload",
    "payload={}",
    "&payload=%7B%7D",
    "{",
    "ssl_check=1",
    "url_verification",
    "command",
    "view_submission",
)
KINDS = ("slash_command", "block_actions", "view_submission", "shortcut", "message_action", "event_callback")


def made(kind: str) -> dict[str, Any]:
    """Return a request of a kind, as the sandbox makes it."""
    workspace = Workspace.demo()
    alice, channel = workspace.user("alice"), workspace.channel("general")
    match kind:
        case "slash_command":
            return dict(payloads.slash_command(workspace, alice, channel, "/incident", "list"))
        case "event_callback":
            return payloads.event_callback(workspace, {"type": "message", "text": "hello", "channel": channel.id})
        case "message_action":
            said = workspace.post(channel.id, alice.id, "hello")
            return payloads.shortcut(workspace, alice, "timeline_add", said)
        case _:
            return payloads.common(workspace, alice, kind) | {"callback_id": "declare", "value": "x"}


def sent(kind: str, body: dict[str, Any]) -> tuple[str, str]:
    """Return a request's raw body and content type."""
    if kind == "event_callback":
        return json.dumps(body), JSON
    return urlencode(body if kind == "slash_command" else {"payload": json.dumps(body)}), FORM


@pytest.mark.parametrize("kind", KINDS)
@pytest.mark.parametrize("word", WORDS)
def test_no_word_in_any_field_changes_what_a_request_is(kind: str, word: str) -> None:
    """Each kind of request is read as it was sent, whichever field holds a word that requests are made of."""
    whole = made(kind)
    for field in [name for name, value in whole.items() if isinstance(value, str)]:
        body = {**whole, field: word}
        assert read(*sent(kind, body)) == body, field


@pytest.mark.parametrize("raw", ["payload=", "payload=[]", "payload=%7B", "payload=1"])
def test_what_is_no_request_is_refused(raw: str) -> None:
    """An interaction without an object is an error, and not taken for a command."""
    with pytest.raises(ValueError, match=r"."):
        read(raw, FORM)

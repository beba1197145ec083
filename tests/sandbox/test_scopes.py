"""What every answer of the Web API carries: the scopes and the date; and what happens where a scope is missing."""

from __future__ import annotations

from email.utils import parsedate_to_datetime

import httpx
import pytest
from slack_sdk import WebClient
from slack_sdk.errors import SlackApiError

from bot.manifest import SCOPES
from bot.sandbox import SandboxServer, Workspace


def test_every_answer_names_the_scopes_and_the_workspaces_date(server: SandboxServer, workspace: Workspace) -> None:
    """Answers and refusals alike; the date is the workspace's and stands there once."""
    workspace.now = lambda: 1_700_000_000.0
    for method in ("auth.test", "conversations.info", "no.such"):
        headers = {"Authorization": f"Bearer {workspace.bot_token}"}
        answer = httpx.post(f"{server.api_url}{method}", headers=headers)
        assert answer.headers["x-oauth-scopes"] == ",".join(workspace.scopes)
        (date,) = answer.headers.get_list("date")
        assert parsedate_to_datetime(date).timestamp() == 1_700_000_000


def test_a_wrong_token_is_told_the_date_but_no_scopes(server: SandboxServer) -> None:
    """A refused token has no scopes."""
    answer = httpx.post(f"{server.api_url}auth.test", headers={"Authorization": "Bearer xoxb-other"})
    assert "x-oauth-scopes" not in answer.headers
    assert "date" in answer.headers


def test_a_workspace_grants_what_the_manifest_asks_for() -> None:
    """Unless a test says otherwise, the app was installed from the manifest."""
    assert Workspace.demo().scopes == list(SCOPES)


@pytest.mark.parametrize(
    ("scope", "method", "args"),
    [
        ("chat:write", "chat.postMessage", {"channel": "incidents", "text": "hi"}),
        ("channels:manage", "conversations.create", {"name": "incident-1"}),
        ("groups:write", "conversations.create", {"name": "incident-1", "is_private": True}),
        ("groups:read", "conversations.list", {"types": "public_channel,private_channel"}),
        ("channels:history", "conversations.history", {"channel": "incidents"}),
        ("groups:history", "conversations.history", {"channel": "quiet"}),
        ("users:read.email", "users.lookupByEmail", {"email": "alice@example.com"}),
        ("pins:write", "pins.add", {"channel": "incidents", "timestamp": "1.0"}),
    ],
)
def test_a_method_without_its_scope_is_refused(
    server: SandboxServer, workspace: Workspace, client: WebClient, scope: str, method: str, args: dict[str, object]
) -> None:
    """`missing_scope` names what is needed and what is there, as Slack does."""
    workspace.add_channel("quiet", private=True, members=[workspace.bot.id])
    if "channel" in args:
        args = args | {"channel": workspace.channel(str(args["channel"])).id}
    workspace.scopes.remove(scope)
    with pytest.raises(SlackApiError) as caught:
        client.api_call(method, params=args)
    answer = caught.value.response.data
    assert (answer["error"], answer["needed"]) == ("missing_scope", scope)
    assert answer["provided"] == ",".join(workspace.scopes)

"""Requests that come in Slack's name."""

from __future__ import annotations

from bot.sandbox.server import SandboxServer
from bot.sandbox.signing import Signing
from bot.sandbox.workspace import Workspace
from tests.conftest import Client, InProcess


def test_without_a_signing_secret_slack_is_heard_over_its_socket_alone(
    environ: dict[str, str], slack: SandboxServer, workspace: Workspace
) -> None:
    """Socket Mode needs no secret; a request over HTTP that nobody can verify is refused and changes nothing."""
    settings = {k: v for k, v in environ.items() if k != "SLACK_SIGNING_SECRET"}
    running = InProcess({**settings, "SLACK_APP_TOKEN": "xapp-1"})
    running.start()
    slack.bot_url = running.url
    client = Client(running.url, workspace)
    try:
        for signing in (Signing(), Signing(unsigned=True)):
            reply = client.people.slash("alice", "general", "declare Not from Slack sev1", signing=signing)
            assert reply.status == 503
            assert reply.json["error"]["code"] == "integration_off"
        assert client.incidents() == []
    finally:
        client.close()
        running.stop()

"""A call to Slack whose claim is lost on the way to the wire."""

from __future__ import annotations

import asyncio

import pytest

from bot import lease
from bot.clock import SystemClock
from bot.lease import LeaseLost
from bot.sandbox.server import SandboxServer
from bot.sandbox.workspace import Workspace
from bot.slack.gateway import Gateway
from bot.slack.throttles import Throttles


def test_what_is_lost_while_the_connection_is_made_is_not_sent(slack: SandboxServer, workspace: Workspace) -> None:
    """Ours when the call begins and another's when its first byte would go out, a message is not posted."""
    asked = []

    def holds() -> bool:
        asked.append(None)
        return len(asked) == 1

    async def post() -> None:
        gateway = Gateway(workspace.bot_token, slack.api_url, Throttles(SystemClock()))
        lease.hold(holds)
        try:
            with pytest.raises(LeaseLost):
                await gateway.call("chat.postMessage", channel="general", text="Too late")
        finally:
            await gateway.close()

    asyncio.run(post())
    assert len(asked) == 2
    assert workspace.find("general", "Too late") is None

from collections.abc import Iterator

import pytest
from slack_sdk import WebClient

from bot.sandbox import SandboxServer, Workspace
from tests.sandbox.standin import StandIn

# of methods that the bot itself does not call
MORE = ["im:read", "bookmarks:read", "bookmarks:write", "files:read"]


@pytest.fixture
def workspace() -> Workspace:
    made = Workspace.demo()
    made.scopes += MORE
    return made


@pytest.fixture
def server(workspace: Workspace) -> Iterator[SandboxServer]:
    with SandboxServer(workspace) as running:
        yield running


@pytest.fixture
def client(server: SandboxServer) -> WebClient:
    # a dropped connection shall be seen by the test, not hidden by the SDK's own second try
    return WebClient(token=server.workspace.bot_token, base_url=server.api_url, retry_handlers=[], timeout=5)


@pytest.fixture(scope="module")
def shared_bot() -> Iterator[StandIn]:
    bot = StandIn().start()
    yield bot
    bot.stop()


@pytest.fixture
def bot(server: SandboxServer, shared_bot: StandIn) -> StandIn:
    shared_bot.reset()
    server.bot_url = shared_bot.url
    return shared_bot

"""The faults' harness: the service as a process of its own, on the database that a test asks for."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest

from bot.sandbox.pagerduty import Account
from bot.sandbox.pagerduty_server import PagerDutyServer
from bot.sandbox.server import SandboxServer
from bot.sandbox.workspace import Workspace
from tests.conftest import Client, Hands, wait_for
from tests.crash.world import QuickProcess
from tests.integration.world import World
from tests.patience import START
from tests.ports import free_port


@pytest.fixture
def environ(environ: dict[str, str]) -> dict[str, str]:
    """The service's environment, with a port that stays free while its process is dead."""
    return environ | {"SITREP_PORT": str(free_port())}


@pytest.fixture
def account(hands: Hands) -> Account:
    """A PagerDuty account."""
    return Account(now=lambda: hands.now().timestamp())


@pytest.fixture
def pagerduty_environ(account: Account) -> Iterator[dict[str, str]]:
    """The variables that let the service use the account."""
    with PagerDutyServer(account) as server:
        yield {
            "PAGERDUTY_API_TOKEN": account.api_token,
            "PAGERDUTY_API_URL": server.url,
            "PAGERDUTY_EVENTS_URL": server.url,
            "PAGERDUTY_FROM": "sitrep@example.com",
        }


@pytest.fixture
def process(environ: dict[str, str], tmp_path: Path, slack: SandboxServer) -> Iterator[QuickProcess]:
    """The service, running; its log is shown where a test fails."""
    running = QuickProcess(environ, tmp_path / "log")
    try:
        running.launch()
        wait_for(running._ready, START, "the service")
        slack.bot_url = running.url
        yield running
    finally:
        running.kill()
        running.wait_dead()
        print(running.log.read_text()[-6000:])  # noqa: T201 - pytest keeps it for a failure


@pytest.fixture
def bot(process: QuickProcess, workspace: Workspace) -> Iterator[Client]:
    client = Client(process.url, workspace)
    yield client
    client.close()


@pytest.fixture
def world(bot: Client, environ: dict[str, str]) -> World:
    return World(bot, environ)

from __future__ import annotations

from collections.abc import Iterator

import pytest

from bot.sandbox import SandboxServer, Workspace
from tests.e2e.browser import Browser
from tests.e2e.sandbox_page.here import Controls, Here
from tests.sandbox.standin import StandIn


@pytest.fixture(scope="module")
def browser(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Browser]:
    with Browser(tmp_path_factory.mktemp("browser")) as running:
        yield running


@pytest.fixture
def here(browser: Browser) -> Iterator[Here]:
    bot, controls = StandIn().start(), Controls()
    with SandboxServer(Workspace.demo(), bot_url=bot.url, toolbar=controls) as server:
        yield Here(browser, server, bot, controls)
    bot.stop()

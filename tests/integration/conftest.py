"""What integration tests share beside the harness."""

from __future__ import annotations

import pytest

from tests.conftest import Client
from tests.integration.world import World


@pytest.fixture
def world(bot: Client, environ: dict[str, str]) -> World:
    """The rows behind the service."""
    return World(bot, environ)

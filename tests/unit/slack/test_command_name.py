"""Messages name the slash command as it is called in the workspace."""

from __future__ import annotations

import json
from datetime import UTC, datetime

import pytest

from bot.incidents.model import Incident, Status
from bot.incidents.policy import Severity
from bot.slack import messages
from bot.slack.messages import Message

INCIDENT = Incident(
    "INC-20261121-001", "Checkout is down", Severity.SEV2, Status.INVESTIGATING, datetime(2026, 11, 21, tzinfo=UTC)
)
COMMAND = "/sitrep"


@pytest.mark.parametrize(
    "message",
    [
        messages.storm(INCIDENT, "More than 5 alert groups", [INCIDENT], COMMAND),
        messages.overdue(INCIDENT, {"late_seconds": 90, "due_at": None}, [], COMMAND),
        messages.alerts_joined(INCIDENT, {"joined": "DiskFills"}, [], COMMAND),
    ],
    ids=["storm", "overdue", "joined"],
)
def test_the_commands_own_name_is_used(message: Message) -> None:
    """Where a message tells people what to type."""
    said = json.dumps(message)
    assert f"{COMMAND} " in said
    assert "/incident " not in said

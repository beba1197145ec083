"""A level of the ladder whose people have all left reaches nobody: the next one is paged at once, and it is said."""

from __future__ import annotations

from pathlib import Path

import pytest

from bot.sandbox.workspace import Workspace
from tests.conftest import Client

LADDER = """
runbooks: {{checklists: false}}
ladders:
  default:
    - {{after: 0s, name: On-call SRE, slack: ["{first}"]}}
    - {{after: 5m, name: Team Lead, slack: ["{second}"]}}
    - {{after: 60m, name: Engineering Manager, slack: [dana@example.com]}}
"""


def named(workspace: Workspace, form: str, name: str) -> str:
    """Return how a ladder names somebody."""
    if form == "group":
        return f"@{workspace.add_usergroup(f'on-call-{name}', [name]).handle}"
    return workspace.user(name).id if form == "id" else f"{name}@example.com"


@pytest.fixture(params=["id", "e-mail", "group"])
def environ(environ: dict[str, str], workspace: Workspace, request: pytest.FixtureRequest) -> dict[str, str]:
    first, second = (named(workspace, request.param, name) for name in ("alice", "bob"))
    Path(environ["SITREP_CONFIG"]).write_text(LADDER.format(first=first, second=second))
    for name in ("alice", "bob"):
        workspace.user(name).deleted = True
    return environ


def test_a_deactivated_person_is_passed_by_at_once(bot: Client) -> None:
    """By id, by e-mail or as the only member of a group: no page to them counts as delivered, and nobody waits."""
    number = bot.slash("declare Checkout is down sev2", "charlie").split()[1]
    delivered = bot.wait_event(number, "page_delivered")
    assert delivered["text"].startswith("Page delivered to dana")
    failed = [event["text"] for event in bot.events(number) if event["text"].startswith("Page failed")]
    assert len(failed) == 2

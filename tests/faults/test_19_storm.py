"""Fault 19: a storm of alerts, with a kill in the middle of it, alerts that are left out, and one that flaps."""

from __future__ import annotations

from collections.abc import Iterable
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any

import httpx
import pytest

from bot.sandbox.workspace import Workspace
from tests.conftest import Client, Hands, both_databases, room_of, wait_for
from tests.crash.world import QuickProcess, said
from tests.integration.test_storms import SEV1, channels, firing, group, later, storm_of
from tests.integration.world import World
from tests.patience import PATIENCE, UNFINISHED

GROUPS = 500  # of ten alerts each
SENDERS = 16
KILLED_AFTER = 150  # answers
FLAPPING, PARTLY_OVER = 407, 409  # groups of the storm's middle: the first ones open incidents of their own
LINES = 60  # on a timeline at most, whatever rages
LADDER = """
runbooks: {checklists: false}
ladders:
  default:
    - {after: 0s, name: On-call SRE, slack: [alice@example.com]}
"""


@pytest.fixture
def environ(environ: dict[str, str]) -> dict[str, str]:
    Path(environ["SITREP_CONFIG"]).write_text(LADDER + SEV1)
    return environ


def deliver(bot: Client, bodies: Iterable[dict[str, Any]]) -> list[dict[str, Any]]:
    """Send notifications from many connections, and again where they are to be; gives those that got no answer."""

    def send(made: dict[str, Any]) -> dict[str, Any] | None:
        try:
            answer = wait_for(lambda: answered(bot.alertmanager(made)), PATIENCE, "the notification to be taken")
        except httpx.TransportError:
            return made
        assert answer.status_code == 202, answer.text
        return None

    with ThreadPoolExecutor(SENDERS) as pool:
        return [made for made in pool.map(send, bodies) if made is not None]


def answered(answer: httpx.Response) -> httpx.Response | None:
    """Give an answer that is none to a machine which is too busy."""
    return None if answer.status_code == 503 else answer


@both_databases
def test_fault_19_five_thousand_alerts_in_a_minute_and_a_kill(
    bot: Client, world: World, workspace: Workspace, hands: Hands, process: QuickProcess
) -> None:
    """Six channels, nothing lost, doubled or falsely resolved; the one that flaps opens nothing and fills nothing."""
    storm = [group(n, alerts=10, truncated=2) for n in range(GROUPS)]
    with ThreadPoolExecutor(1) as pool:
        under_way = pool.submit(deliver, bot, storm)
        taken = "SELECT count(*) AS total FROM alert_groups"
        wait_for(lambda: world.rows(taken)[0]["total"] >= KILLED_AFTER, PATIENCE, "the first of the storm")
        process.kill()
        process.wait_dead()
        unanswered = under_way.result()
    assert unanswered
    process.start()
    assert deliver(bot, unanswered) == []  # as Alertmanager does
    for _ in range(4):
        later(hands, 15)
        ended = hands.now().isoformat()
        assert deliver(bot, [group(FLAPPING, alerts=10, status="resolved", endsAt=ended)]) == []
        assert deliver(bot, [group(FLAPPING, alerts=10, startsAt=hands.now().isoformat(), truncated=2)]) == []
    # Of one group four alerts are over; six more of its ten are only left out.
    ended = hands.now().isoformat()
    assert deliver(bot, [group(PARTLY_OVER, alerts=10, named=4, status="resolved", truncated=6, endsAt=ended)]) == []
    assert firing(world) == GROUPS * 10 - 4

    number = storm_of(bot)
    wait_for(lambda: _quiet(world), PATIENCE, "the end of all deliveries")
    assert len(channels(bot)) == len(bot.incidents()) == 6
    assert {incident["status"] for incident in bot.incidents()} == {"investigating"}
    card = world.card(number)
    assert f"in {GROUPS - 5} groups" in card
    assert "Alertmanager left out" in card
    assert "Flapping: " in card
    for incident in bot.incidents():
        assert len(bot.events(incident["number"])) < LINES
        assert len(said(workspace, room_of(workspace, incident["number"]), "")) < LINES
    keys = [m.metadata["event_payload"]["key"] for c in workspace.channels.values() for m in c.log if m.metadata]
    assert len(keys) == len(set(keys))
    assert world.rows("SELECT id FROM deliveries WHERE state = 'failed'") == []


def _quiet(world: World) -> bool:
    return not world.rows(f"SELECT id FROM deliveries WHERE {UNFINISHED}")  # noqa: S608 - a constant

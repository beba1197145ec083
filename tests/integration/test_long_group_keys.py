"""PagerDuty's incident key is the hash of an alert group's whole key, however long that is."""

from __future__ import annotations

import hashlib

import pytest

from tests.conftest import Client
from tests.integration.bodies import alert, body, pagerduty
from tests.integration.world import World

PAIRS = ", ".join(f'label_{n:02}="value-{"x" * 20}"' for n in range(14))
KEYS = [
    pytest.param(f'{{}}:{{alertname="KubePodNotReady", {PAIRS}}}', id="many labels"),
    pytest.param('{}:{path="' + "é" * 700 + '"}', id="not ASCII"),
    pytest.param("k" * 500, id="as long as is kept whole"),
    pytest.param("k" * 501, id="one character longer"),
]


def outcomes(bot: Client, key: str, order: str) -> list[str]:
    """Send a group and the PagerDuty incident that Alertmanager opened for it; returns what became of each."""
    incident_key = hashlib.sha256(key.encode()).hexdigest()
    send = {
        "a": lambda: bot.alertmanager(body(alert(), group=key)),
        "p": lambda: bot.pagerduty(pagerduty("incident.triggered", incident_key=incident_key)),
    }
    answers = [send[side]() for side in order]
    assert [a.status_code for a in answers] == [202, 202], [a.text for a in answers]
    return [answer.json()["outcome"] for answer in answers]


@pytest.mark.parametrize("key", KEYS)
@pytest.mark.parametrize("order", ["ap", "pa"])
def test_a_group_with_a_long_key_and_its_pagerduty_incident_are_one(bot: Client, key: str, order: str) -> None:
    """Whichever of the two comes first declares, and the other joins its incident."""
    first, second = outcomes(bot, key, order)
    number = first.removeprefix("declared ")
    assert (first, second) == (f"declared {number}", f"attached to {number}")
    assert len(bot.incidents()) == 1


def test_keys_that_begin_alike_are_two_groups(bot: Client, world: World) -> None:
    """Two long keys that differ in their last label alone are two groups, each with its own hash."""
    for end in "ab":
        assert bot.alertmanager(body(alert(), group=f"{'k' * 600}{end}")).status_code == 202
    rows = world.rows("SELECT group_key, group_hash FROM alert_groups")
    assert len({row["group_key"] for row in rows}) == len({row["group_hash"] for row in rows}) == 2

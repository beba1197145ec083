"""PagerDuty's open incidents beside ours: a resolution whose webhook was lost is noticed."""

from __future__ import annotations

import pytest

from bot.sandbox import Fault
from bot.sandbox.pagerduty import Account
from tests.conftest import Client, Hands, wait_for
from tests.integration.world import World

NEVER_CAME = "the resolved notification never came"


@pytest.fixture(autouse=True)
def _look_often(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("bot.app.AUDIT_TURNED", 0.1)


def looks(account: Account, hands: Hands, minutes: float = 11) -> None:
    """Let the auditor look, then look again after some minutes, and once more."""
    for advance in (0.0, minutes, 0.0):
        hands.advance(minutes=advance)
        wanted = account.count("GET /incidents") + 2
        wait_for(lambda wanted=wanted: account.count("GET /incidents") >= wanted, what="looks")


def declare(bot: Client, account: Account) -> tuple[str, str]:
    """Have PagerDuty open an incident and tell of it; gives our number and channel."""
    incident = account.open_one("Database is down")
    answer = bot.pagerduty(account.event("incident.triggered", incident)).json()
    outcome, _, number = answer["outcome"].partition(" ")
    assert outcome == "declared"
    bot.wait_opened(number)
    return number, bot.room(number)


def notes(bot: Client, number: str) -> list[str]:
    return [e["text"] for e in bot.events(number) if e["kind"] == "note" and "flag" in e["data"]]


def test_a_resolution_whose_webhook_was_lost_is_flagged_once(
    bot: Client, world: World, hands: Hands, account: Account
) -> None:
    """PagerDuty has it open no longer: the incident is told what to check, and stays open."""
    number, channel = declare(bot, account)
    looks(account, hands, 30)
    assert notes(bot, number) == []
    account.incidents[0].status = "resolved"
    looks(account, hands)
    looks(account, hands)
    assert notes(bot, number) == [f"PagerDuty no longer reports Database is down, and {NEVER_CAME}"]
    wait_for(lambda: bot.workspace.find(channel, f"{NEVER_CAME}. Check it"), what="the message")
    assert bot.incident(number)["status"] == "investigating"


def test_a_pagerduty_that_does_not_answer_flags_nothing(bot: Client, hands: Hands, account: Account) -> None:
    """Without an answer nothing is known of what is open."""
    number, _ = declare(bot, account)
    account.incidents[0].status = "resolved"
    account.faults.add(Fault("GET /incidents", "http500", times=None))
    looks(account, hands, 30)
    assert notes(bot, number) == []

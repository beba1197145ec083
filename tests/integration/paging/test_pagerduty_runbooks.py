"""The runbook of an incident that PagerDuty has opened: by its title, and by what its alerts say where a key is set."""

from __future__ import annotations

import pytest

from bot.outbox.runbooks import LOOK
from bot.runbooks.minimum import GENERAL_ID
from bot.sandbox import Fault
from bot.sandbox.faults import Kind
from bot.sandbox.pagerduty import Account, Incident
from tests.conftest import Client

pytestmark = pytest.mark.timeout(90)
ALERTS = "GET /incidents/{id}/alerts"
DETAILS = {"details": {"firing": "Labels:\n - alertname = RedisDown\n - namespace = shop\n", "num_firing": "1"}}


def triggered(bot: Client, account: Account, title: str, *bodies: dict[str, object]) -> tuple[str, Incident]:
    """Have a tool open an incident in PagerDuty, which tells us of it; gives our number."""
    incident = account.open_one(title)
    incident.alerts += bodies
    answer = bot.pagerduty(account.event("incident.triggered", incident)).json()
    number = str(answer["outcome"]).removeprefix("declared ")
    bot.wait_event(number, "runbook_posted")
    return number, incident


def test_the_title_alone_is_enough(bot: Client, account: Account) -> None:
    """A common configuration writes the alert's name into the title."""
    number, _ = triggered(bot, account, "RedisDown: Redis instance down")
    assert bot.incident(number)["runbook_id"] == "ops.redis.down"
    assert "in the title" in bot.wait_event(number, "runbook_posted")["data"]["reason"]


def test_its_alerts_are_asked(bot: Client, account: Account) -> None:
    """Where the title says nothing, the labels of PagerDuty's alerts choose the runbook and fill its commands."""
    number, _ = triggered(bot, account, "It is odd", DETAILS)
    assert bot.incident(number)["runbook_id"] == "ops.redis.down"
    assert account.count(ALERTS) == 1
    channel = bot.room(number)
    assert any("-n shop" in str(message.blocks) for message in bot.workspace.channel(channel).log)


@pytest.mark.parametrize("fault", ["http500", "ratelimited", "hang", "refuse"])
def test_a_failure_costs_neither_page_nor_runbook(bot: Client, account: Account, fault: Kind) -> None:
    """PagerDuty fails, refuses or hangs: the page goes out, and the general runbook is posted in its stead."""
    account.faults.add(Fault(ALERTS, fault, seconds=10 * LOOK))
    number, _ = triggered(bot, account, "It is odd", DETAILS)
    assert bot.incident(number)["runbook_id"] == GENERAL_ID
    bot.wait_event(number, "page_delivered")

"""What PagerDuty forgets, and what an acknowledgement that no longer counts must not silence there."""

from __future__ import annotations

from bot.sandbox import Fault
from bot.sandbox.pagerduty import Account
from tests.conftest import Client, Hands, wait_for
from tests.integration.paging.test_paging import STATUS, by_pagerduty, page_one, settle, turn
from tests.integration.world import World


def test_a_page_whose_acknowledgement_times_out_is_acknowledged_again(
    bot: Client, hands: Hands, account: Account, world: World
) -> None:
    """Alice acknowledged in Slack: PagerDuty's time-out of the page is said, and the page is answered anew, once."""
    number, channel = page_one(bot, hands, account)
    bot.slash("ack", channel=channel)
    wait_for(lambda: account.count(STATUS) == 1, what="the answer")
    turn(hands, 30 * 60)
    account.incidents[-1].status = "triggered"
    assert by_pagerduty(account, bot, "incident.unacknowledged") == f"noted on {number}"
    wait_for(lambda: account.count(STATUS) == 2, what="the answer again")
    settle(hands, world)
    assert account.incidents[-1].status == "acknowledged"
    assert account.count(STATUS) == 2
    assert bot.incident(number)["acknowledged_by"]["name"] == "alice"
    assert bot.workspace.find(channel, "the acknowledgement by alice stands")


def test_a_person_who_takes_a_page_back_is_not_overruled(
    bot: Client, hands: Hands, account: Account, world: World
) -> None:
    """Where a user puts the page back to triggered, PagerDuty pages on; the acknowledgement given here stands."""
    number, channel = page_one(bot, hands, account)
    bot.slash("ack", channel=channel)
    wait_for(lambda: account.count(STATUS) == 1, what="the answer")
    turn(hands, 60)
    account.incidents[-1].status = "triggered"
    by_pagerduty(account, bot, "incident.unacknowledged", "PUALICE1")
    settle(hands, world)
    assert account.incidents[-1].status == "triggered"
    assert bot.incident(number)["acknowledged_by"]["name"] == "alice"


def test_an_answer_that_became_void_is_not_given(bot: Client, hands: Hands, account: Account, world: World) -> None:
    """An acknowledgement that waits for PagerDuty to take calls, and is void by then, silences no page there."""
    number, channel = page_one(bot, hands, account)
    by_pagerduty(account, bot, "incident.acknowledged", "PUALICE1")
    turn(hands, 60)
    account.faults.add(Fault("*", "ratelimited", retry_after=300, times=1))
    by_pagerduty(account, bot, "incident.unacknowledged", "PUALICE1")
    assert bot.incident(number)["acknowledged_by"] is None
    account.incidents[-1].status = "triggered"
    settle(hands, world)
    assert account.count(STATUS) == 0
    assert account.incidents[-1].status == "triggered"
    assert channel


def test_priorities_are_known_by_their_order(bot: Client, account: Account, hands: Hands, world: World) -> None:
    """Names that no table knows count by their place in the account's list, which was asked for ahead and is kept."""
    wait_for(lambda: account.count("GET /priorities") >= 1, what="the account's priorities")
    names = "SELECT name FROM pagerduty_priorities ORDER BY place"
    wait_for(lambda: [row["name"] for row in world.rows(names)] == account.priorities, what="the names")
    before = account.count("GET /priorities")
    for place, severity in enumerate(("sev1", "sev2", None)):
        incident = account.open_one(f"Trouble {place}")
        incident.urgency = "low"
        named = {"summary": account.priorities[place], "type": "priority_reference"}
        outcome = bot.pagerduty(account.event("incident.triggered", incident, priority=named)).json()["outcome"]
        if severity is None:
            assert outcome == "triage"
        else:
            assert bot.incident(outcome.removeprefix("declared "))["severity"] == severity
    assert account.count("GET /priorities") == before
    account.faults.add(Fault("GET /priorities", "http500", times=None))
    hands.advance(minutes=61)
    wait_for(lambda: account.count("GET /priorities") > before, what="the next look")
    incident = account.open_one("More trouble")
    named = {"summary": account.priorities[0], "type": "priority_reference"}
    outcome = bot.pagerduty(account.event("incident.triggered", incident, priority=named)).json()["outcome"]
    assert bot.incident(outcome.removeprefix("declared "))["severity"] == "sev1"

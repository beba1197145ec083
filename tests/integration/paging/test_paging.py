"""Paging through PagerDuty by the real service: once each, also while Slack is down, and answered as it is here."""

from __future__ import annotations

import time
from collections.abc import Callable
from typing import Any

import pytest

from bot.sandbox import Fault
from bot.sandbox.pagerduty import Account
from tests.conftest import Client, Hands, wait_for
from tests.integration.bodies import alert, body
from tests.integration.bodies import pagerduty as recorded
from tests.integration.world import World
from tests.patience import UNFINISHED

CREATE, STATUS, EVENT = "POST /incidents", "PUT /incidents/{id}", "POST /v2/enqueue"
REQUEST = "POST /incidents/{id}/responder_requests"


@pytest.fixture
def by_events(environ: dict[str, str], account: Account) -> None:
    """Give the service the routing key alone."""
    del environ["PAGERDUTY_API_TOKEN"], environ["PAGERDUTY_FROM"]
    environ["PAGERDUTY_ROUTING_KEY"] = account.routing_key


def turn(hands: Hands, seconds: float) -> None:
    """Turn the clock and let the service see it."""
    hands.advance(seconds)
    time.sleep(0.1)


def wait_turning(hands: Hands, condition: Callable[[], Any], what: str, step: float = 20) -> Any:
    """Turn the clock step by step until something is so."""

    def look() -> Any:
        found = condition()
        if not found:
            turn(hands, step)
        return found

    return wait_for(look, what=what)


def settle(hands: Hands, world: World) -> None:
    """Turn the clock until all that waits for its moment has gone out."""
    unfinished = f"SELECT id FROM deliveries WHERE {UNFINISHED}"  # noqa: S608 - a constant
    wait_turning(hands, lambda: not world.rows(unfinished), "the deliveries")


def delivered(bot: Client, number: str) -> list[dict[str, Any]]:
    """The pages that went out through PagerDuty, by the timeline."""
    events = [e for e in bot.events(number) if e["kind"] == "page_delivered"]
    return [e["data"] for e in events if e["data"].get("via") == "pagerduty"]


def climbs(bot: Client, number: str) -> list[tuple[int, str]]:
    """The levels that were reached, and why."""
    return [
        (e["data"]["level"], e["data"]["reason"]) for e in bot.events(number) if e["kind"] in {"paged", "escalated"}
    ]


def sent(account: Account) -> list[str]:
    """The calls that have arrived, but for those that ask ahead, or compare alerts with their source."""
    asked = [c for c in account.calls if c.method != "GET /priorities" and "statuses[]" not in c.args["query"]]
    return [call.method for call in asked]


def by_pagerduty(account: Account, bot: Client, kind: str, agent: str = "") -> str:
    """Have PagerDuty send a webhook about its newest incident; gives what became of it."""
    answer = bot.pagerduty(account.event(kind, account.incidents[-1], agent))
    assert answer.status_code == 202, answer.text
    return str(answer.json()["outcome"])


def page_one(bot: Client, hands: Hands, account: Account) -> tuple[str, str]:
    """Open an incident and let its second level be paged; gives its number and channel."""
    number, channel = bot.open_one()
    turn(hands, 300)
    wait_for(lambda: delivered(bot, number), what="the page")
    assert len(account.notices) == 1
    return number, channel


def test_a_level_is_paged_through_pagerduty(bot: Client, hands: Hands, account: Account) -> None:
    """The level's escalation policy is notified by one incident that says what is broken; Slack shows that it was."""
    number, channel = page_one(bot, hands, account)
    (incident,) = account.incidents
    assert incident.key.startswith(f"sitrep/{number}/page_pagerduty/")
    assert len(incident.key) <= 255
    assert incident.title == f"[{number}] sev2: Checkout is down"
    assert "Paged because: SRE Team Lead (level 2): nobody has acknowledged for 5 min" in incident.details["details"]
    assert [(n.policy, n.why) for n in account.notices] == [("PLEADS01", "incident")]
    (told,) = delivered(bot, number)
    assert (told["level"], told["people"], told["incident"]) == (2, ["Maeve Lead"], incident.id)
    event = next(e for e in bot.events(number) if e["data"].get("via") == "pagerduty")
    assert event["text"] == "Page delivered through PagerDuty to Maeve Lead"
    wait_for(
        lambda: bot.workspace.find(channel, "*SRE Team Lead* is paged through PagerDuty: nobody has acknowledged"),
        what="the word in Slack",
    )


def test_paging_goes_on_while_slack_is_down(bot: Client, hands: Hands, account: Account, world: World) -> None:
    """Slack is down for 30 min, PagerDuty answers 500, 429 and not at all: each level is notified exactly once."""
    number, channel = bot.open_one()
    outage = Fault("*", "http500", times=None)
    bot.workspace.faults.add(outage)
    account.faults.add(
        Fault(CREATE, "http500"),
        Fault(CREATE, "ratelimited", retry_after=60),
        Fault(CREATE, "drop_before"),
        Fault(CREATE, "drop_after"),
    )
    turn(hands, 300)
    wait_turning(hands, lambda: len(delivered(bot, number)) == 1, "the page of level 2", step=15)
    assert account.count(CREATE) == 4  # the fourth acted, and was found by its key
    account.faults.add(Fault(CREATE, "drop_after"))
    hands.set(15 * 60 + 1)
    wait_turning(hands, lambda: len(delivered(bot, number)) == 2, "the page of level 3", step=15)
    assert [(n.policy, n.why) for n in account.notices] == [("PLEADS01", "incident"), ("PDEFAULT", "incident")]
    assert hands.offset < 30 * 60
    hands.set(30 * 60)
    time.sleep(0.3)
    dana = bot.workspace.user("dana").id
    assert not bot.workspace.find(channel, f"<@{dana}>")
    bot.workspace.faults.clear()
    settle(hands, world)
    pages = [m for m in bot.workspace.messages(channel) if f"<@{dana}> you are paged" in m.text]
    assert len(pages) == 1
    assert len(account.notices) == 2
    assert len(account.incidents) == 2


def test_after_an_acknowledgement_nobody_is_paged(bot: Client, hands: Hands, account: Account, world: World) -> None:
    """A page that waits for PagerDuty to take calls again is dropped when somebody acknowledges meanwhile."""
    number, channel = bot.open_one()
    account.faults.add(Fault(CREATE, "ratelimited", retry_after=120))
    turn(hands, 300)
    wait_for(lambda: account.count(CREATE) == 1, what="the first attempt")
    bot.slash("ack", channel=channel)
    settle(hands, world)
    assert account.incidents == []
    assert account.count(CREATE) == 1
    assert account.count(STATUS) == 0
    assert delivered(bot, number) == []


def test_an_acknowledgement_while_the_roster_is_read_stops_the_page(
    bot: Client, hands: Hands, account: Account, world: World
) -> None:
    """Between the look at who is on call and the page itself somebody acknowledges: nobody is woken."""
    number, channel = bot.open_one()
    account.latency = 1
    turn(hands, 300)
    wait_for(lambda: account.count("GET /oncalls"), what="the look at the roster")
    bot.slash("ack", channel=channel)
    world.settle()
    assert account.notices == []
    assert delivered(bot, number) == []


def test_a_page_without_an_answer_is_looked_for_after_an_acknowledgement(
    bot: Client, hands: Hands, account: Account, world: World
) -> None:
    """An attempt that may have acted is found by its key: what it opened is acknowledged, and not opened again."""
    number, channel = bot.open_one()
    account.faults.add(Fault(CREATE, "drop_after"))
    turn(hands, 300)
    wait_for(lambda: account.incidents, what="the attempt")
    bot.slash("ack", channel=channel)
    settle(hands, world)
    assert [i.status for i in account.incidents] == ["acknowledged"]
    assert (account.count(CREATE), len(delivered(bot, number))) == (1, 1)


def test_what_happens_here_is_answered_there(bot: Client, hands: Hands, account: Account, world: World) -> None:
    """An acknowledgement and the end reach the incident that a page has opened, each once."""
    _, channel = page_one(bot, hands, account)
    (incident,) = account.incidents
    bot.slash("ack", channel=channel)
    wait_for(lambda: incident.status == "acknowledged", what="the acknowledgement at PagerDuty")
    bot.slash("resolve Rolled back", channel=channel)
    wait_for(lambda: incident.status == "resolved", what="the resolution at PagerDuty")
    world.settle()
    assert incident.log == ["acknowledged", "resolved"]
    assert len(account.notices) == 1


def test_what_has_been_told_is_not_told_again(bot: Client, hands: Hands, account: Account, world: World) -> None:
    """An update that comes late answers there as well; what is acknowledged already needs no further call."""
    number, channel = page_one(bot, hands, account)
    bot.slash("ack", channel=channel)
    wait_for(lambda: account.incidents[0].status == "acknowledged", what="the acknowledgement at PagerDuty")
    hands.set(15 * 60 + 30)
    bot.wait_event(number, "update_overdue")
    before = sent(account)
    bot.slash("update Found it", channel=channel)
    bot.wait_event(number, "update_posted")
    world.settle()
    assert sent(account) == before


def test_what_is_reopened_is_not_ended_there(bot: Client, hands: Hands, account: Account, world: World) -> None:
    """Reopened before the end could be told, the incident goes on, and so does the page of whoever has not come."""
    number, channel = page_one(bot, hands, account)
    account.faults.add(Fault("GET /incidents/{id}", "ratelimited", retry_after=60))
    bot.slash("resolve Rolled back", channel=channel)
    wait_for(lambda: account.count("GET /incidents/{id}") == 1, what="the first attempt")
    bot.slash("reopen It is back", channel=channel)
    bot.wait_event(number, "reopened")
    settle(hands, world)
    assert [i.status for i in account.incidents] == ["triggered"]


def test_what_was_not_opened_there_is_not_answered(bot: Client, account: Account, world: World) -> None:
    """An incident that nobody was paged for through PagerDuty sends nothing there."""
    _, channel = bot.open_one()
    bot.slash("ack", channel=channel)
    bot.slash("resolve Rolled back", channel=channel)
    world.settle()
    assert sent(account) == []


def test_an_answer_without_an_answer_is_sent_again(bot: Client, hands: Hands, account: Account, world: World) -> None:
    """500s and lost answers delay the acknowledgement and do no harm."""
    _, channel = page_one(bot, hands, account)
    account.faults.add(Fault(STATUS, "http500"), Fault(STATUS, "drop_before"), Fault(STATUS, "drop_after"))
    bot.slash("ack", channel=channel)
    wait_turning(hands, lambda: account.incidents[0].status == "acknowledged", "the acknowledgement")
    settle(hands, world)
    assert account.incidents[0].log == ["acknowledged"]


def test_our_page_that_comes_back_joins_its_incident(bot: Client, hands: Hands, account: Account, world: World) -> None:
    """PagerDuty tells of the incident that we opened: no second one here; an acknowledgement there counts here."""
    number, channel = page_one(bot, hands, account)
    assert by_pagerduty(account, bot, "incident.triggered") == f"attached to {number}"
    assert [i["number"] for i in bot.incidents()] == [number]
    assert account.incidents[0].id in world.card(number)
    assert "PagerDuty incident triggered" in bot.wait_event(number, "note")["text"]
    account.incidents[0].status = "acknowledged"
    assert by_pagerduty(account, bot, "incident.acknowledged", "PUALICE1") == f"noted on {number}"
    world.settle()
    assert bot.incident(number)["acknowledged_by"]["name"] == "alice@example.com"
    turn(hands, 11 * 60)
    world.settle()
    assert [level for level, reason in climbs(bot, number) if reason != "update_overdue"] == [1, 2]
    assert set(sent(account)) == {CREATE, "GET /oncalls"}  # it does not bounce back
    bot.slash("resolve Rolled back", channel=channel)
    wait_for(lambda: account.incidents[0].status == "resolved", what="the resolution at PagerDuty")
    assert by_pagerduty(account, bot, "incident.resolved", "PUSITREP") == f"noted on {number}"
    assert "alert_resolved" not in bot.kinds(number)
    assert "alert_fired" not in bot.kinds(number)


def test_our_page_may_come_back_before_its_answer(bot: Client, hands: Hands, account: Account, world: World) -> None:
    """The webhook overtakes the answer, which is lost: it is known by its key, and nothing is opened again."""
    number, _ = bot.open_one()
    account.faults.add(Fault(CREATE, "drop_after"), Fault("GET /incidents", "http500", times=None))
    turn(hands, 300)
    wait_for(lambda: account.incidents, what="the attempt")
    assert by_pagerduty(account, bot, "incident.acknowledged", "PUALICE1") == f"noted on {number}"
    assert by_pagerduty(account, bot, "incident.triggered") == f"attached to {number}"
    settle(hands, world)
    assert len(delivered(bot, number)) == 1
    assert (len(account.incidents), account.count(CREATE)) == (1, 1)
    assert bot.incident(number)["acknowledged_by"]["name"] == "alice@example.com"
    assert len(bot.incidents()) == 1


def test_another_sitreps_page_is_recorded_only(bot: Client, account: Account) -> None:
    """A page of a Sitrep that is not this one declares nothing here: two would page each other without end."""
    account.open_one("[INC-20261121-001] sev1: x", key="sitrep/INC-20261121-001/page_pagerduty/1/1795230000000000")
    assert by_pagerduty(account, bot, "incident.triggered") == "recorded: a page of another Sitrep"
    assert by_pagerduty(account, bot, "incident.acknowledged", "PUALICE1") == "recorded: a page of another Sitrep"
    account.open_one("odd", key=f"sitrep/x/{'9' * 40}/²")
    assert by_pagerduty(account, bot, "incident.triggered") == "recorded: a page of another Sitrep"
    assert bot.incidents() == []


def test_responders_join_the_incident_that_pagerduty_has(
    bot: Client, hands: Hands, account: Account, world: World
) -> None:
    """An incident that came from PagerDuty gets responders there, once, though the answer is lost; none is opened."""
    theirs = account.open_one("Orders are slow")
    number = by_pagerduty(account, bot, "incident.triggered").removeprefix("declared ")
    bot.wait_opened(number)
    account.faults.add(Fault(REQUEST, "http500"), Fault(REQUEST, "drop_after"))
    turn(hands, 300)
    wait_turning(hands, lambda: delivered(bot, number), "the page")
    assert account.incidents == [theirs]
    assert [(n.policy, n.incident, n.why) for n in account.notices[1:]] == [("PLEADS01", theirs.id, "request")]
    assert delivered(bot, number)[0]["way"] == "responders"
    assert f"[{number}] sev2: Orders are slow" in theirs.requests[0]["message"]
    bot.slash("ack", channel=bot.room(number))
    bot.slash("resolve Rolled back", channel=bot.room(number))
    world.settle()
    assert theirs.status == "triggered"  # it is not ours to end
    assert account.count(STATUS) == 0


def test_where_responders_are_refused_an_incident_is_opened(bot: Client, hands: Hands, account: Account) -> None:
    """A request that PagerDuty refuses for good is no reason to page nobody."""
    account.open_one("Orders are slow")
    number = by_pagerduty(account, bot, "incident.triggered").removeprefix("declared ")
    bot.wait_opened(number)
    account.faults.add(Fault(REQUEST, "error", status=402))
    turn(hands, 300)
    wait_for(lambda: delivered(bot, number), what="the page")
    (told,) = delivered(bot, number)
    assert (told["way"], len(account.incidents)) == ("incident", 2)
    assert "pagerduty_not_in_plan" in told["problems"][0]


def test_an_empty_roster_climbs_on(bot: Client, hands: Hands, account: Account, world: World) -> None:
    """Nobody is on call for level 2: that is recorded with the fix, the operators hear of it, and level 3 is paged."""
    account.oncall["PLEADS01"] = []
    number, channel = bot.open_one()
    turn(hands, 300)
    failed = bot.wait_event(number, "page_failed")
    assert failed["text"].startswith("Page through PagerDuty failed: nobody is on call: PLEADS01. Put someone on call")
    dana = bot.workspace.user("dana").id
    wait_for(lambda: bot.workspace.find(channel, f"<@{dana}> you are paged as *VP*"), what="the page of level 3")
    world.settle()
    assert climbs(bot, number) == [(1, "declared"), (2, "not_acknowledged"), (3, "nobody_reached")]
    kinds = bot.kinds(number)
    assert kinds.index("page_failed") < kinds.index("escalated", kinds.index("escalated") + 1)
    assert bot.workspace.find("ops-alerts", "nobody is on call")
    assert [n.policy for n in account.notices] == ["PDEFAULT"]
    turn(hands, 10 * 60)
    world.settle()
    assert [level for level, reason in climbs(bot, number) if reason != "update_overdue"] == [1, 2, 3]


def test_nobody_anywhere_ends_at_the_top(
    configured: Callable[[str], None], account: Account, request: pytest.FixtureRequest
) -> None:
    """A ladder that reaches nobody at all is climbed once, level by level, and ends."""
    account.oncall["PLEADS01"] = []
    configured(
        "ladders:\n  default:\n"
        "    - {after: 0s, name: A, slack: [nobody@example.com], pagerduty: {escalation_policy: PLEADS01}}\n"
        "    - {after: 5m, name: B, slack: ['@no-such-group']}\n"
        "    - {after: 9m, name: C}\n"
        "    - {after: 10m, name: D, pagerduty: {escalation_policy: PLEADS01, service: PSERVICE}}\n"
    )
    bot: Client = request.getfixturevalue("bot")
    bot.slash("declare Checkout is down sev2")
    number = bot.incidents()[0]["number"]
    wait_for(lambda: len(climbs(bot, number)) == 4, what="the top")
    World(bot, request.getfixturevalue("environ")).settle()
    assert climbs(bot, number) == [(1, "declared"), (2, "nobody_reached"), (3, "nobody_reached"), (4, "nobody_reached")]
    failed = [e["data"]["level"] for e in bot.events(number) if e["kind"] == "page_failed" and "level" in e["data"]]
    assert set(failed) == {1, 2, 3, 4}
    assert account.notices == []


def test_an_empty_group_in_slack_climbs_on(
    configured: Callable[[str], None], hands: Hands, request: pytest.FixtureRequest
) -> None:
    """A user group without members is an empty roster as well: a mention of it reaches nobody."""
    configured(
        "ladders:\n  default:\n"
        "    - {after: 0s, name: A, slack: [alice@example.com]}\n"
        "    - {after: 5m, name: B, slack: ['@empty']}\n"
        "    - {after: 15m, name: C, slack: [dana@example.com]}\n"
    )
    bot: Client = request.getfixturevalue("bot")
    bot.workspace.add_usergroup("empty", [])
    number, channel = bot.open_one()
    turn(hands, 300)
    dana = bot.workspace.user("dana").id
    wait_for(lambda: bot.workspace.find(channel, f"<@{dana}> you are paged as *C*"), what="the page of level 3")
    assert climbs(bot, number) == [(1, "declared"), (2, "not_acknowledged"), (3, "nobody_reached")]


def test_a_roster_that_cannot_be_read_stops_no_page(bot: Client, hands: Hands, account: Account) -> None:
    """Who is on call is nice to know; a key that may not read it pages all the same."""
    account.faults.add(Fault("GET /oncalls", "error", status=403, times=None))
    number, _ = page_one(bot, hands, account)
    assert delivered(bot, number)[0]["people"] == []


def test_a_refused_page_names_the_fix_and_climbs_on(bot: Client, hands: Hands, account: Account) -> None:
    """A revoked token is told on the timeline and to the operators, with the variable; the next level is paged."""
    account.api_token = "another"
    number, _ = bot.open_one()
    turn(hands, 300)
    failed = bot.wait_event(number, "page_failed")
    assert "PagerDuty unauthorized" in failed["text"]
    assert "PAGERDUTY_API_TOKEN" in failed["text"]
    wait_for(lambda: (3, "nobody_reached") in climbs(bot, number), what="level 3")
    wait_for(lambda: bot.workspace.find("ops-alerts", "PAGERDUTY_API_TOKEN"), what="the word to the operators")


@pytest.mark.usefixtures("by_events")
def test_with_a_routing_key_alone_events_do_it(bot: Client, hands: Hands, account: Account, world: World) -> None:
    """The same by the Events API: paged once in spite of lost answers, acknowledged, resolved, and no loop."""
    number, channel = bot.open_one()
    account.faults.add(Fault(EVENT, "http500"), Fault(EVENT, "drop_after"), Fault(EVENT, "ratelimited", retry_after=30))
    turn(hands, 300)
    wait_turning(hands, lambda: delivered(bot, number), "the page")
    (incident,) = account.incidents
    assert incident.key.startswith(f"sitrep/{number}/page_pagerduty/")
    assert [(n.policy, n.why) for n in account.notices] == [("PDEFAULT", "incident")]
    assert by_pagerduty(account, bot, "incident.triggered") == f"attached to {number}"
    bot.slash("ack", channel=channel)
    wait_for(lambda: incident.status == "acknowledged", what="the acknowledgement at PagerDuty")
    bot.slash("resolve Rolled back", channel=channel)
    wait_for(lambda: incident.status == "resolved", what="the resolution at PagerDuty")
    world.settle()
    assert set(sent(account)) == {EVENT}
    assert [i["number"] for i in bot.incidents()] == [number]


@pytest.mark.usefixtures("by_events")
def test_an_event_that_cannot_be_looked_for_is_silenced(
    bot: Client, hands: Hands, account: Account, world: World
) -> None:
    """Acknowledged while the outcome of an event is not known: it is not sent again, and its key is acknowledged."""
    number, channel = bot.open_one()
    account.faults.add(Fault(EVENT, "drop_after"))
    turn(hands, 300)
    wait_for(lambda: account.incidents, what="the attempt")
    bot.slash("ack", channel=channel)
    settle(hands, world)
    assert [i.status for i in account.incidents] == ["acknowledged"]
    assert [call.args["event_action"] for call in account.calls] == ["trigger", "acknowledge"]
    assert delivered(bot, number) == []


def test_an_overdue_update_pages_there_until_it_is_posted(
    bot: Client, hands: Hands, account: Account, world: World
) -> None:
    """The climb of an overdue update survives an acknowledgement; the update that was missing answers its page."""
    number, channel = bot.open_one()
    bot.slash("ack", channel=channel)
    for _ in range(20):
        turn(hands, 61)
    wait_for(lambda: delivered(bot, number), what="the page of the climb")
    assert climbs(bot, number)[-1] == (2, "update_overdue")
    bot.slash("update Found it", channel=channel)
    wait_for(lambda: account.incidents[0].status == "acknowledged", what="the acknowledgement at PagerDuty")
    world.settle()
    assert len(account.notices) == 1


def test_a_recorded_event_of_theirs_still_declares(bot: Client) -> None:
    """An incident of PagerDuty's own with any other key goes through the rules as before."""
    answer = bot.pagerduty(recorded("incident.triggered", incident_key="sitrep-without-a-slash"))
    assert answer.json()["outcome"].startswith("declared")


def test_without_slack_pagerduty_is_paged_at_once(
    environ: dict[str, str], account: Account, request: pytest.FixtureRequest
) -> None:
    """Where nothing can be said in Slack, a level that is named there only is passed over, and PagerDuty's is paged."""
    del environ["SLACK_BOT_TOKEN"], environ["SLACK_SIGNING_SECRET"]
    bot: Client = request.getfixturevalue("bot")
    number = bot.alertmanager(body(alert("aa"))).json()["outcome"].removeprefix("declared ")
    wait_for(lambda: delivered(bot, number), what="the page")
    time.sleep(0.3)
    assert climbs(bot, number) == [(1, "declared"), (2, "nobody_reached")]
    assert [n.policy for n in account.notices] == ["PLEADS01"]

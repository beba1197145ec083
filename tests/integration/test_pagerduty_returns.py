"""PagerDuty incidents that come back, acknowledgements that PagerDuty takes back, and who counts as a person."""

from __future__ import annotations

import hashlib
from datetime import timedelta
from typing import Any

import pytest

from tests.conftest import Client, Hands
from tests.integration.bodies import alert, body, pagerduty
from tests.integration.test_pagerduty import LADDER, send, status
from tests.integration.world import World

ROBIN = {"id": "PROBIN1", "type": "user_reference", "summary": "Robin Oncall"}
SAM = {"id": "PSAM001", "type": "user_reference", "summary": "Sam Second"}
ORCHESTRATION = {"id": "PEO0001", "type": "event_orchestration_reference", "summary": "Auto-pause"}


class Story:
    """One PagerDuty incident's events, each at the moment at which it is sent unless it says how long ago."""

    def __init__(self, bot: Client, hands: Hands) -> None:
        self.bot, self.hands, self.sent = bot, hands, 0

    def send(self, kind: str, agent: dict[str, str] | None = ROBIN, ago: float = 0, **data: Any) -> str:
        self.sent += 1
        event = pagerduty(f"incident.{kind}", event_id=f"story-{self.sent}", **data)
        event["event"]["occurred_at"] = (self.hands.now() - timedelta(seconds=ago)).isoformat()
        event["event"]["agent"] = agent
        return send(self.bot, event)


@pytest.fixture
def story(bot: Client, hands: Hands) -> Story:
    return Story(bot, hands)


def opened(bot: Client, story: Story, **data: Any) -> str:
    number = story.send("triggered", **data).removeprefix("declared ")
    bot.wait_opened(number)
    return number


def paged(bot: Client, number: str) -> list[str]:
    return [str(e["data"]["reason"]) for e in bot.events(number) if e["kind"] == "paged"]


def acknowledged_by(bot: Client, number: str) -> str | None:
    who = bot.incident(number)["acknowledged_by"]
    return who["name"] if who else None


# -- what comes back -------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("closed", [False, True])
def test_reopened_after_our_resolve(bot: Client, world: World, hands: Hands, story: Story, closed: bool) -> None:
    """An incident that was resolved, or closed, here reopens and pages from the first level when PagerDuty reopens."""
    number = opened(bot, story)
    story.send("acknowledged")
    story.send("resolved")
    bot.slash("resolve Fixed by restart", channel=bot.room(number))
    if closed:
        bot.slash("status closed", channel=bot.room(number))
    hands.advance(minutes=20)
    assert story.send("reopened") == f"reopened {number}"
    assert bot.incident(number)["status"] == "investigating"
    assert paged(bot, number) == ["declared", "reopened"]
    assert acknowledged_by(bot, number) is None
    assert len(world.rows(LADDER)) == 3
    assert "1 firing" in world.card(number)
    assert bot.workspace.find(bot.room(number), f"Robin Oncall reopened {number}")
    again = story.send("reopened", ago=0)
    assert again == f"noted on {number}"
    assert paged(bot, number) == ["declared", "reopened"]


def test_triggered_again_after_our_resolve(bot: Client, world: World, hands: Hands, story: Story) -> None:
    """The same PagerDuty incident that triggers anew reopens ours; a copy of the first trigger does not."""
    number = opened(bot, story)
    copy = pagerduty("incident.triggered", event_id="a-copy")
    bot.slash("resolve Fixed", channel=bot.room(number))
    assert send(bot, copy) in {"nothing new", "recorded: newer events came before it", f"noted on {number}"}
    assert bot.incident(number)["status"] == "resolved"
    hands.advance(minutes=5)
    assert story.send("triggered") == f"reopened {number}"
    assert paged(bot, number) == ["declared", "reopened"]


def test_the_same_key_after_the_end_is_a_new_incident(bot: Client, hands: Hands, story: Story) -> None:
    """Another PagerDuty incident with the key of one that is over declares and pages."""
    number = opened(bot, story)
    story.send("resolved")
    bot.slash("resolve Fixed", channel=bot.room(number))
    hands.advance(minutes=5)
    second = opened(bot, story, id="PSECOND")
    assert second != number
    assert paged(bot, second) == ["declared"]


@pytest.mark.parametrize("ended", ["cancelled", "long ago"])
def test_what_was_no_incident_or_long_ago_is_another_one(bot: Client, hands: Hands, story: Story, ended: str) -> None:
    """A reopening whose incident here was cancelled, or resolved more than a day ago, declares a new one."""
    number = opened(bot, story)
    if ended == "cancelled":
        bot.slash("cancel false alarm", channel=bot.room(number))
        bot.sure("alice", bot.room(number), "Cancel incident")
    else:
        bot.slash("resolve Fixed", channel=bot.room(number))
        hands.advance(minutes=25 * 60)
    before = bot.incident(number)["status"]
    outcome = story.send("reopened")
    assert outcome.startswith("declared ")
    second = outcome.removeprefix("declared ")
    assert second != number
    assert paged(bot, second) == ["declared"]
    assert bot.incident(number)["status"] == before


def test_an_old_reopening_does_not_undo_a_newer_end(bot: Client, hands: Hands, story: Story) -> None:
    """A reopening that PagerDuty itself has followed by a resolution is noted, when it comes late."""
    number = opened(bot, story)
    hands.advance(minutes=10)
    story.send("resolved")
    bot.slash("resolve Fixed", channel=bot.room(number))
    assert story.send("reopened", ago=300) == f"noted on {number}"
    assert bot.incident(number)["status"] == "resolved"


def test_reopened_while_ours_is_open(bot: Client, world: World, hands: Hands, story: Story) -> None:
    """It is said, and an acknowledgement given before it no longer counts, whoever gave it."""
    number = opened(bot, story)
    bot.slash("ack", channel=bot.room(number))
    story.send("resolved")
    hands.advance(minutes=5)
    story.send("reopened")
    assert acknowledged_by(bot, number) is None
    assert paged(bot, number) == ["declared", "acknowledgement_void"]
    world.settle()
    assert bot.workspace.find(bot.room(number), "PagerDuty incident reopened by Robin Oncall")
    assert bot.workspace.find(bot.room(number), "no longer counts: the PagerDuty incident was reopened")


# -- acknowledgements ------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("agent", [None, ROBIN])
def test_an_acknowledgement_that_pagerduty_takes_back(
    bot: Client, world: World, hands: Hands, story: Story, agent: dict[str, str] | None
) -> None:
    """A time-out, and a person's hand, void the acknowledgement given there: the card and the ladder follow."""
    number = opened(bot, story)
    story.send("acknowledged")
    assert acknowledged_by(bot, number) == "Robin Oncall"
    hands.advance(minutes=30)
    story.send("unacknowledged", agent)
    assert acknowledged_by(bot, number) is None
    assert "acknowledged at" not in world.card(number)
    assert paged(bot, number) == ["declared", "acknowledgement_void"]
    assert len(world.rows(LADDER)) == 3
    why = "Robin Oncall took it back in PagerDuty" if agent else "it timed out in PagerDuty"
    assert bot.workspace.find(bot.room(number), f"no longer counts: {why}. Paging again.")
    story.send("acknowledged", SAM)
    assert acknowledged_by(bot, number) == "Sam Second"
    assert world.rows(LADDER) == []


def test_an_acknowledgement_given_here_stands(bot: Client, world: World, hands: Hands, story: Story) -> None:
    """Whoever acknowledged in Slack is on it, whatever PagerDuty's own clock says."""
    number = opened(bot, story)
    bot.slash("ack", channel=bot.room(number))
    story.send("acknowledged")
    hands.advance(minutes=30)
    story.send("unacknowledged", None)
    assert acknowledged_by(bot, number) == "alice"
    assert paged(bot, number) == ["declared"]
    world.settle()
    said = "The acknowledgement in PagerDuty timed out; the acknowledgement by alice stands"
    assert bot.workspace.find(bot.room(number), said)


def test_order_is_by_the_moment_and_not_by_arrival(bot: Client, hands: Hands, story: Story) -> None:
    """An acknowledgement that a time-out has overtaken counts no more; one after the time-out stays."""
    number = opened(bot, story)
    hands.advance(minutes=40)
    story.send("unacknowledged", None, ago=300)
    story.send("acknowledged", ROBIN, ago=600)
    assert acknowledged_by(bot, number) is None
    story.send("acknowledged", SAM, ago=60)
    story.send("unacknowledged", None, ago=200)
    assert acknowledged_by(bot, number) == "Sam Second"


@pytest.mark.parametrize(
    "agent",
    [
        ORCHESTRATION,
        {"id": "PWF", "type": "incident_workflow_reference", "summary": "Auto-ack"},
        {"id": "PINT01", "type": "events_api_v2_inbound_integration_reference", "summary": "Prometheus"},
        {"id": "PBOT", "type": "bot_user_reference", "summary": "Robot"},
        {"id": None, "type": None, "summary": None},
        None,
    ],
)
def test_an_integration_is_no_person(bot: Client, world: World, story: Story, agent: Any) -> None:
    """What acknowledges by itself is noted and said, and the ladder goes on; a person's still counts."""
    number = opened(bot, story)
    armed = world.rows(LADDER)
    story.send("acknowledged", agent)
    assert acknowledged_by(bot, number) is None
    assert world.rows(LADDER) == armed
    assert status(world, number) == "acknowledged"
    name = (agent or {}).get("summary") or "an unnamed agent"
    text = f"Acknowledged in PagerDuty by {name}, not by a person: paging goes on"
    assert [e["kind"] for e in bot.events(number) if e["text"] == text] == ["note"]
    world.settle()
    assert bot.workspace.find(bot.room(number), text)
    story.send("acknowledged", ROBIN)
    assert acknowledged_by(bot, number) == "Robin Oncall"


def test_automation_before_the_trigger_acknowledges_nothing(bot: Client, world: World, story: Story) -> None:
    """An integration's acknowledgement that overtakes the trigger leaves the ladder of what it declares running."""
    story.send("acknowledged", ORCHESTRATION)
    number = story.send("triggered", ago=30).removeprefix("declared ")
    assert acknowledged_by(bot, number) is None
    assert len(world.rows(LADDER)) == 3


# -- which incidents are one -----------------------------------------------------------------------------------------


def test_two_services_with_one_key_are_two_incidents(bot: Client, story: Story) -> None:
    """A de-duplication key means something within its service only; within one it joins the open incident."""
    key = "disk-full"
    service = {"id": "PSA", "type": "service_reference", "summary": "Billing"}
    first = opened(bot, story, id="PDISK1", incident_key=key, service=service)
    second = opened(bot, story, id="PDISK2", incident_key=key, service={**service, "id": "PSB", "summary": "Checkout"})
    assert first != second
    assert story.send("triggered", id="PDISK3", incident_key=key, service=service) == f"joined {first}"
    assert bot.kinds(first).count("alert_fired") == 2


def test_a_group_with_a_long_key_is_joined(bot: Client, story: Story) -> None:
    """Alertmanager's hash of a group key of more than 500 characters leads to that group's incident, of any service."""
    labels = ", ".join(f'label_{n:02}="value-{"x" * 20}"' for n in range(20))
    group = '{}:{alertname="KubePodNotReady", ' + labels + "}"
    number = bot.alertmanager(body(alert("aa"), group=group)).json()["outcome"].removeprefix("declared ")
    key = hashlib.sha256(group.encode()).hexdigest()
    assert story.send("triggered", incident_key=key) == f"attached to {number}"
    other = {"id": "POTHER", "type": "service_reference", "summary": "Another"}
    assert story.send("triggered", id="PTWO", incident_key=key, service=other) == f"attached to {number}"
    assert len(bot.incidents()) == 1


# -- priorities ------------------------------------------------------------------------------------------------------


def priority(name: str | None) -> dict[str, str] | None:
    return {"id": "PP", "type": "priority_reference", "summary": name} if name else None


@pytest.mark.parametrize("name", ["P1", "SEV-1", "Critical"])
def test_a_raised_priority_raises_the_severity(
    bot: Client, world: World, hands: Hands, story: Story, name: str
) -> None:
    """A sev2 whose priority becomes the highest is sev1, and whoever had acknowledged the sev2 is paged anew."""
    number = opened(bot, story, priority=None)
    assert bot.incident(number)["severity"] == "sev2"
    bot.slash("ack", channel=bot.room(number))
    hands.advance(minutes=3)
    story.send("priority_updated", priority=priority(name))
    assert bot.incident(number)["severity"] == "sev1"
    assert acknowledged_by(bot, number) is None
    assert len(paged(bot, number)) == 2
    assert len(world.rows(LADDER)) == 3
    world.settle()
    assert bot.workspace.find(bot.room(number), f"raised the severity to *sev1*: its priority in PagerDuty is {name}")


def test_the_priority_of_what_joins_a_group_is_heard(bot: Client, story: Story) -> None:
    """A P1 that Alertmanager opened in PagerDuty raises its group's sev2; without a priority it does not."""
    for group, name, severity in (('{}:{a="1"}', "P1", "sev1"), ('{}:{a="2"}', None, "sev2")):
        sent = body(alert(f"a{severity}", labels={"alertname": group, "severity": "critical"}), group=group)
        number = bot.alertmanager(sent).json()["outcome"].removeprefix("declared ")
        key = hashlib.sha256(group.encode()).hexdigest()
        facts = {"id": f"PG{severity}", "incident_key": key, "priority": priority(name)}
        assert story.send("triggered", **facts) == f"attached to {number}"
        assert bot.incident(number)["severity"] == severity


def test_a_lowered_priority_is_noted(bot: Client, world: World, hands: Hands, story: Story) -> None:
    """The severity stays where PagerDuty lowers or drops the priority, and the channel says so."""
    number = opened(bot, story, priority=priority("P1"))
    hands.advance(minutes=1)
    for name, was in (("P4", "P1"), (None, "P4")):
        story.send("priority_updated", priority=priority(name))
        world.settle()
        said = f"PagerDuty priority is now {name or 'unset'} (was {was}); the severity stays sev1"
        assert bot.workspace.find(bot.room(number), said)
    assert bot.incident(number)["severity"] == "sev1"
    assert paged(bot, number) == ["declared"]


def test_what_people_lowered_stays_low(bot: Client, hands: Hands, story: Story) -> None:
    """A priority that falls, or comes again, does not undo what a responder has set."""
    number = opened(bot, story, priority=priority("P1"))
    bot.slash("severity sev3", channel=bot.room(number))
    hands.advance(minutes=1)
    story.send("priority_updated", priority=priority("P1"))
    story.send("priority_updated", priority=priority("P2"))
    assert bot.incident(number)["severity"] == "sev3"
    story.send("priority_updated", priority=priority("P1"))
    assert bot.incident(number)["severity"] == "sev1"


def test_names_of_the_highest_priority(bot: Client, story: Story) -> None:
    """However an account spells it, its highest priority opens a sev1."""
    for number, name in enumerate(("P1", "SEV-1", "Sev 1", "P1 - Critical", "p1", "CRITICAL", "Prio 1")):
        service = {"id": f"PS{number}", "type": "service_reference", "summary": f"service {number}"}
        facts = {"incident_key": f"pk{number}", "priority": priority(name), "urgency": "low", "service": service}
        outcome = story.send("triggered", id=f"QPRIO{number}", **facts)
        assert bot.incident(outcome.removeprefix("declared "))["severity"] == "sev1", name

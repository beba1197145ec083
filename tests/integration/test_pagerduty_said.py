"""What happens in PagerDuty is said where responders look for it."""

from __future__ import annotations

from typing import Any

from tests.conftest import Client, Hands
from tests.integration.bodies import pagerduty
from tests.integration.test_pagerduty import NOTED, declare, send
from tests.integration.world import World

WAR_ROOM = "https://meet.example.com/war-room"
TASK = {"name": "Call the <bank>", "description": "Is 3DS down?", "status": "todo", "type": "incident_task"}


def about(kind: str, event_id: str, **data: Any) -> dict[str, Any]:
    """Make an event that refers to the triggered fixture's incident and holds just these facts."""
    event = pagerduty("incident.conference_bridge.updated", event_id=event_id)
    event["event"]["event_type"] = f"incident.{kind}"
    reference = event["event"]["data"]["incident"]
    event["event"]["data"] = {"incident": reference, **data}
    return event


def times(bot: Client, number: str, said: str) -> int:
    """Count the messages of an incident's channel that say this."""
    return sum(said in message.text for message in bot.workspace.messages(bot.room(number)))


def test_a_bridge_is_in_the_channel_and_on_the_card(bot: Client, world: World) -> None:
    """One that comes with the trigger, and one that is set later, are posted once each; the card links the newest."""
    number = declare(bot)
    world.settle()
    first = f"Conference bridge (PagerDuty): {WAR_ROOM}, +1 1234123412,,987654321#"
    assert times(bot, number, first) == 1
    assert f"<{WAR_ROOM}|Conference bridge>: +1 1234123412,,987654321#" in world.card(number)
    moved = {"conference_url": "https://meet.example/2", "conference_numbers": [{"label": "US", "number": "+1 555"}]}
    send(bot, pagerduty("incident.conference_bridge.updated", **moved))
    send(bot, pagerduty("incident.escalated"))  # which brings the first one again, and occurred before
    world.settle()
    second = "Conference bridge (PagerDuty): https://meet.example/2, US +1 555"
    assert [times(bot, number, said) for said in (first, second)] == [1, 1]
    assert "<https://meet.example/2|Conference bridge>: US +1 555" in world.card(number)


def test_a_bridge_that_is_no_address_is_no_link(bot: Client, world: World) -> None:
    """What only looks like a link is shown as text, escaped: it mentions nobody."""
    hostile = {"conference_url": "javascript:<!channel>", "conference_number": "<!here>"}
    number = declare(bot, pagerduty("incident.triggered", conference_bridge=hostile))
    world.settle()
    told = "\n".join(m.text for m in bot.workspace.messages(bot.room(number)))
    assert "&lt;!here&gt;" in told
    assert "<!" not in told.replace("<!date", "")
    assert "|Conference bridge>" not in world.card(number)


def test_who_was_asked_and_who_declined(bot: Client, world: World) -> None:
    """The channel says whom Robin asked and that Maeve declined, and then accepted."""
    number = declare(bot)
    policy = {"id": "PJF", "type": "escalation_policy_reference", "summary": "Databases"}
    maeve = {"id": "PVM", "type": "user_reference", "summary": "Maeve"}
    ask = {"user": None, "escalation_policy": policy, "message": "Please help", "state": "pending"}
    send(bot, about("responder.added", "r0", **ask))
    for state in ("declined", "accepted"):
        send(bot, about("responder.replied", f"r-{state}", user=maeve, escalation_policy=policy, state=state))
    world.settle()
    for said in (
        "asked the escalation policy Databases to respond: Please help",
        "Maeve (Databases) declined the request to respond",
        "Maeve (Databases) accepted the request to respond",
    ):
        assert bot.workspace.find(bot.room(number), said), said


def test_tasks_roles_actions_and_fields_say_what_they_are(bot: Client, world: World) -> None:
    """Each is taken in, named on the timeline in plain text, and bounded."""
    number = declare(bot)
    reference = about("x", "x")["event"]["data"]["incident"]
    role = {"role": {"summary": "Incident Commander"}, "assignee": {"summary": "Sam"}, "incident": reference}
    sent = [
        about("task.created", "t1", **TASK, assignees=[{"summary": "Sam"}]),
        about("task.updated", "t2", **{**TASK, "status": "complete"}),
        about("action_invocation.terminated", "a1", action={"summary": "Restart"}, state="failed"),
        about("custom_field_values.updated", "c1", custom_fields=[{"name": "prod", "value": True}, "junk", {}]),
        about("task.created", "t3", name="n" * 10_000),
        about("role.assigned", "r1", incident=None, incident_role_assignments=[role, None]),
        about("responder.added", "n1", user={"summary": None, "id": None}, message={"odd": 1}, state=7),
    ]
    known = len(bot.events(number))
    for event in sent:
        assert send(bot, event) == NOTED.format(number)
    texts = [e["text"] for e in bot.events(number)[known:]]
    assert texts[:4] == [
        "PagerDuty task created: Call the <bank> (Is 3DS down?), for Sam",
        "PagerDuty task Call the <bank>: done",
        "PagerDuty action Restart: failed",
        "PagerDuty fields: prod = true, a field = unset",
    ]
    assert len(texts[4]) < 400
    assert texts[5] == "Incident Commander in PagerDuty is Sam"
    assert texts[6].endswith("asked someone to respond")
    world.settle()
    assert bot.workspace.find(bot.room(number), "Incident Commander in PagerDuty is Sam")


def test_a_service_that_is_renamed(bot: Client, world: World) -> None:
    """The open incidents of a service say its new name, once; those of others and a change of nothing say nothing."""
    number = declare(bot)
    renamed = pagerduty("service.updated", event_id="renamed", summary="Cashier <API>")
    assert send(bot, renamed) == NOTED.format(number)
    assert bot.events(number)[-1]["text"] == "The PagerDuty service Checkout API is called Cashier <API> now"
    again = pagerduty("service.updated", event_id="renamed-again", summary="Cashier <API>")
    assert send(bot, again) == "recorded: service.updated"
    other = pagerduty("service.updated", event_id="other", id="POTHER1", summary="Something")
    assert send(bot, other) == "recorded: service.updated"
    bot.slash("resolve Done", channel=bot.room(number))
    late = pagerduty("service.updated", event_id="late", summary="Till")
    assert send(bot, late) == "recorded: service.updated"


def test_v2_is_kept_and_answered_with_v3(bot: Client, world: World, hands: Hands) -> None:
    """A legacy body is a dead letter, and its 400 says how to subscribe to what is taken."""
    legacy = {"messages": [{"event": "incident.trigger", "incident": {"id": "PKQ", "title": "x"}}]}
    answer = bot.pagerduty(legacy)
    assert answer.status_code == 400
    error = answer.json()["error"]
    assert "PagerDuty's V2 webhook. Sitrep takes V3 webhooks" in error["message"]
    (kept,) = world.rows("SELECT state, source FROM inbox")
    assert (kept["state"], kept["source"]) == ("dead", "pagerduty")
    unsigned = bot.pagerduty(legacy, secret="wrong")
    assert unsigned.status_code == 401
    assert "Sitrep takes V3 webhooks" in unsigned.json()["error"]["message"]

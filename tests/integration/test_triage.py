"""Alerts that wait for a look: accepted, merged or declined by buttons, once, and with the outcome in the message."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Mapping
from typing import Any

import pytest

from bot.sandbox.model import Message
from bot.sandbox.people import Reply
from tests.conftest import Client, both_databases, wait_for
from tests.integration.bodies import GROUP, body, pagerduty, warning
from tests.integration.test_intake_faults import EVIL, ODD, hold_harmless
from tests.integration.world import World

BUTTONS = ["triage_accept", "triage_merge", "triage_decline"]
FACTS = {
    "summary": "80% used",
    "value": "81%",
    "threshold": "80%",
    "impact": "Orders fail once it is full",
    "runbook_url": "https://runbooks.example/disk",
}


def send(bot: Client, sent: Mapping[str, Any]) -> str:
    answer = bot.alertmanager(sent)
    assert answer.status_code == 202, answer.text
    return str(answer.json()["outcome"])


def fires(*fingerprints: str, at: str = "2026-11-21T06:55:43Z", **changes: Any) -> dict[str, Any]:
    """Make a notification of warnings that fire."""
    made = {"annotations": FACTS, "startsAt": at, **changes}
    return body(*(warning(fingerprint, **made) for fingerprint in fingerprints))


def ends(*fingerprints: str) -> dict[str, Any]:
    """Make a notification of warnings that are over."""
    return body(*(warning(fingerprint, "resolved") for fingerprint in fingerprints), status="resolved")


def waiting(bot: Client, world: World) -> list[Message]:
    """Give the messages about alerts that wait, or waited, for a look."""
    world.settle()
    return [m for m in bot.workspace.messages("ops-alerts") if m.text.startswith("Triage")]


def spoken(message: Message) -> str:
    """Everything that a message shows."""
    return message.text + json.dumps(message.blocks, ensure_ascii=False)


def buttons(message: Message) -> list[str]:
    """Give the actions of a message's buttons."""
    return [
        element["action_id"] for block in message.blocks for element in block.get("elements", ()) if "value" in element
    ]


def press(bot: Client, user: str, message: Message, verb: str, *, stale: list[Any] | None = None) -> None:
    """Press a button, of the message as it was where `stale` holds its blocks of then."""
    fresh, message.blocks = message.blocks, stale or message.blocks
    try:
        reply = bot.people.press(user, "ops-alerts", message.ts, f"triage_{verb}")
    finally:
        message.blocks = fresh
    assert reply.ok, reply


def form(bot: Client, user: str) -> Any:
    """Give the one form that is open."""
    (view,) = bot.workspace.open_views(user)
    return view


def submit(bot: Client, user: str, values: Mapping[str, Any] | None = None) -> Reply:
    """Submit the open form."""
    reply = bot.people.submit(user, form(bot, user).id, values)
    assert reply.ok, reply
    return reply


def told(bot: Client, world: World, user: str) -> list[str]:
    """Give what was whispered to somebody."""
    world.settle()
    return [m.text for m in bot.workspace.ephemerals(user, "ops-alerts")]


def person(bot: Client, name: str) -> str:
    return f"<@{bot.workspace.user(name).id}>"


def test_the_message_has_what_a_decision_needs(bot: Client, world: World) -> None:
    """What fires, where, how much, since when, where to look; and three buttons."""
    assert send(bot, fires("aa")) == "triage"
    (message,) = waiting(bot, world)
    assert message.text == "Triage (sev3): DiskFills, 1 firing on orders-db."
    for wanted in (
        "80% used",
        "value 81%, threshold 80%",
        "Since 2026-11-21 06:55 UTC",
        "<https://runbooks.example/disk|Runbook>",
        "<http://prometheus.example/graph|Source>",
    ):
        assert wanted in spoken(message)
    assert buttons(message) == BUTTONS


@both_databases
def test_accept_declares_from_the_group(bot: Client, world: World) -> None:
    """The form is filled in from the alerts; its incident has them, their source and a runbook, and who accepted."""
    send(bot, fires("aa", "bb"))
    (message,) = waiting(bot, world)
    press(bot, "bob", message, "accept")
    inputs = {block["block_id"]: block["element"] for block in form(bot, "bob").body["blocks"]}
    assert {name: element.get("initial_value") for name, element in inputs.items() if name != "severity"} == {
        "title": "DiskFills on orders-db: 80% used",
        "service": "orders-db",
        "impact": "Orders fail once it is full",
    }
    assert inputs["severity"]["initial_option"]["value"] == "sev3"
    submit(bot, "bob", {"title": "Orders' disk fills", "severity": "sev2"})
    ((number, title),) = ((i["number"], i["title"]) for i in bot.incidents())
    bot.wait_opened(number)
    incident = bot.incident(number)
    assert (title, incident["severity"], incident["service"]) == ("Orders' disk fills", "sev2", "orders-db")
    assert (incident["source"], incident["impact"]) == ("alertmanager", FACTS["impact"])
    assert incident["declared_by"] == {"type": "human", "id": bot.workspace.user("bob").id, "name": "bob"}
    assert incident["runbook_id"]
    assert bot.kinds(number)[:3] == ["alert_fired", "alert_fired", "declared"]
    note = bot.wait_event(number, "note")
    assert (note["text"], note["actor"]["name"]) == ("Accepted from triage: DiskFills", "bob")
    assert "2 firing, 0 resolved" in world.card(number)

    (message,) = waiting(bot, world)
    assert buttons(message) == []
    channel = bot.workspace.channel(bot.room(number)).id
    assert f"Accepted by {person(bot, 'bob')} at " in spoken(message)
    assert f"UTC: *{number}* in <#{channel}>" in spoken(message)
    assert any(f"Declared {number} (sev2)" in text for text in told(bot, world, "bob"))
    assert send(bot, fires("aa", "bb")) == f"repeat of {number}"
    assert send(bot, fires("aa", "bb", "cc")) == f"attached to {number}"
    assert send(bot, ends("aa")) == f"attached to {number}"
    assert len(waiting(bot, world)) == 1


def test_a_minor_incident_has_no_channel_to_link_to_until_it_is_raised(bot: Client, world: World) -> None:
    """The message names the incident, and its channel as soon as there is one."""
    send(bot, fires("aa"))
    press(bot, "bob", waiting(bot, world)[0], "accept")
    submit(bot, "bob")
    (incident,) = bot.incidents()
    number = incident["number"]
    (message,) = waiting(bot, world)
    assert f": *{number}*" in spoken(message)
    assert "<#" not in spoken(message)
    assert bot.workspace.find("ops-alerts", f"{number}, sev3, is investigating")
    bot.slash(f"{number} severity sev2")
    wait_for(lambda: f"*{number}* in <#" in spoken(waiting(bot, world)[0]), what="the channel")


@both_databases
def test_merge_attaches_the_group_to_an_open_incident(bot: Client, world: World) -> None:
    """The form lists the open incidents, the newest first; the chosen one gets the alerts on timeline and card."""
    first, _ = bot.open_one("declare Orders are slow sev2")
    over, _ = bot.open_one("declare Something else sev2")
    bot.slash(f"{over} resolve it was nothing")
    last, _ = bot.open_one("declare Checkout is down sev1")
    send(bot, fires("aa", "bb"))
    (message,) = waiting(bot, world)
    press(bot, "bob", message, "merge")
    (chosen,) = form(bot, "bob").body["blocks"]
    options = [(option["value"], option["text"]["text"]) for option in chosen["element"]["options"]]
    assert options == [(last, f"{last} sev1: Checkout is down"), (first, f"{first} sev2: Orders are slow")]
    submit(bot, "bob", {"incident": first})
    world.settle()
    assert bot.kinds(first).count("alert_fired") == 2
    notes = [(e["text"], e["actor"]["name"]) for e in bot.events(first) if e["kind"] == "note"]
    assert notes == [("Merged from triage: DiskFills", "bob")]
    wait_for(lambda: "2 firing, 0 resolved" in world.card(first), what="the card")
    assert "alert_fired" not in bot.kinds(last)
    (message,) = waiting(bot, world)
    assert buttons(message) == []
    channel = bot.workspace.channel(bot.room(first)).id
    assert f"Merged by {person(bot, 'bob')} at " in spoken(message)
    assert f"UTC into *{first}* in <#{channel}>" in spoken(message)
    assert send(bot, ends("aa")) == f"attached to {first}"
    assert len(bot.incidents()) == 3


def test_a_private_incident_is_not_told_of(bot: Client, world: World) -> None:
    """Only whoever has a part in it can choose it; the message and the whispers do not name it."""
    assert bot.slash("declare") == ""
    submit(bot, "alice", {"title": "Keys are out", "visible": "private"})
    ((number,),) = ([i["number"] for i in world.rows("SELECT number FROM incidents")],)
    send(bot, fires("aa"))
    (message,) = waiting(bot, world)
    stale = message.blocks
    press(bot, "bob", message, "merge")
    assert told(bot, world, "bob") == ["No incident is open. Press Accept to declare one."]
    press(bot, "alice", message, "merge")
    submit(bot, "alice")
    (message,) = waiting(bot, world)
    assert "into *a private incident*" in spoken(message)
    press(bot, "bob", message, "accept", stale=stale)
    assert told(bot, world, "bob")[1].endswith(" UTC: see a private incident.")
    for said in (spoken(message), *told(bot, world, "bob")):
        assert number not in said
        assert "<#" not in said


def test_merge_needs_an_incident_that_is_open(bot: Client, world: World) -> None:
    """Without one the person is told what to do instead; one that ends meanwhile is refused in the form."""
    send(bot, fires("aa"))
    (message,) = waiting(bot, world)
    press(bot, "bob", message, "merge")
    assert bot.workspace.open_views("bob") == []
    assert told(bot, world, "bob") == ["No incident is open. Press Accept to declare one."]
    number, _ = bot.open_one()
    press(bot, "bob", message, "merge")
    bot.slash(f"{number} resolve it was nothing")
    wrong = submit(bot, "bob").errors
    assert wrong == {"incident": f"{number} is resolved. Pick another one, or reopen it first."}
    (message,) = waiting(bot, world)
    assert buttons(message) == BUTTONS


@both_databases
def test_a_declined_group_is_quiet_until_it_has_resolved_and_fires_anew(bot: Client, world: World) -> None:
    """The message says who, when and why; further alerts edit it, and only a new beginning posts another."""
    send(bot, fires("aa"))
    (message,) = waiting(bot, world)
    press(bot, "bob", message, "decline")
    submit(bot, "bob", {"why": "Known: <!channel> it is being resized"})
    (message,) = waiting(bot, world)
    assert buttons(message) == ["triage_undo"]
    assert f"Declined by {person(bot, 'bob')} at " in spoken(message)
    assert " UTC: Known: &lt;!channel&gt; it is being resized" in spoken(message)
    (kept,) = world.rows("SELECT data FROM alert_groups")
    data = json.loads(kept["data"]) if isinstance(kept["data"], str) else kept["data"]
    assert (data["decided"]["name"], data["decided"]["why"][:5]) == ("bob", "Known")

    before = world.snapshot()
    assert send(bot, fires("aa")) == "nothing new"
    assert world.snapshot() == before
    assert send(bot, fires("aa", "bb")) == "triage"
    (message,) = waiting(bot, world)
    assert "2 firing" in message.text
    assert buttons(message) == ["triage_undo"]
    assert send(bot, ends("aa", "bb")) == "recorded"
    (message,) = waiting(bot, world)
    assert "DiskFills, resolved" in message.text
    assert "Declined by" in spoken(message)

    assert send(bot, fires("aa", at="2026-11-21T07:20:00Z")) == "triage"
    old, new = waiting(bot, world)
    assert "Declined by" in spoken(old)
    assert buttons(old) == []
    assert "Declined by" not in spoken(new)
    assert buttons(new) == BUTTONS
    press(bot, "alice", new, "accept")
    submit(bot, "alice")
    assert len(bot.incidents()) == 1
    old, new = waiting(bot, world)
    assert "Declined by" in spoken(old)
    assert "Accepted by" in spoken(new)


def test_a_reason_is_required(bot: Client, world: World) -> None:
    """Declining without one is refused in the form."""
    send(bot, fires("aa"))
    press(bot, "bob", waiting(bot, world)[0], "decline")
    assert submit(bot, "bob").errors == {"why": "Say why this is not an incident. The triage message shows the reason."}
    assert buttons(waiting(bot, world)[0]) == BUTTONS


def test_whoever_decides_second_is_told_who_was_first(bot: Client, world: World) -> None:
    """By a form that was open already as by a button of the message as it was: a whisper, and nothing else."""
    send(bot, fires("aa"))
    (message,) = waiting(bot, world)
    stale = message.blocks
    press(bot, "alice", message, "accept")
    press(bot, "bob", message, "decline")
    submit(bot, "alice")
    (incident,) = bot.incidents()
    number = incident["number"]
    submit(bot, "bob", {"why": "Known"})
    (said,) = told(bot, world, "bob")
    assert said.startswith("alice accepted the alerts at ")
    assert said.endswith(f" UTC: see {number}.")
    for verb in ("accept", "merge", "decline"):
        press(bot, "charlie", message, verb, stale=stale)
        assert bot.workspace.open_views("charlie") == []
    assert told(bot, world, "charlie") == [said] * 3
    assert len(bot.incidents()) == 1
    (message,) = waiting(bot, world)
    assert "Declined" not in spoken(message)


def test_what_resolves_before_a_decision_has_no_buttons(bot: Client, world: World) -> None:
    """The message says so; a stale press and a form that was open are told that there is nothing left to decide."""
    send(bot, fires("aa"))
    (message,) = waiting(bot, world)
    stale = message.blocks
    press(bot, "alice", message, "accept")
    send(bot, ends("aa"))
    (message,) = waiting(bot, world)
    assert message.text == "Triage (sev3): DiskFills, resolved on orders-db."
    assert buttons(message) == []
    over = "Nothing is left to decide: all these alerts have resolved or have an incident."
    assert submit(bot, "alice").errors == {"title": over}
    press(bot, "bob", message, "decline", stale=stale)
    assert told(bot, world, "bob") == [over]
    assert bot.incidents() == []

    send(bot, fires("aa", at="2026-11-21T07:20:00Z"))
    press(bot, "bob", message, "decline", stale=stale)
    assert told(bot, world, "bob")[1:] == ["These alerts fired again. Decide in the newest message."]
    old, new = waiting(bot, world)
    assert buttons(old) == []
    assert buttons(new) == BUTTONS


@pytest.mark.parametrize(
    "value", ["", "group:999999999:1", "group:x", "storm:1:1", "group:99999999999999999999:1", "x|y"]
)
def test_a_button_of_another_database_is_told(bot: Client, world: World, value: str) -> None:
    """A message whose groups are not there can't be decided, whatever its buttons say."""
    send(bot, fires("aa"))
    (message,) = waiting(bot, world)
    stale = json.loads(json.dumps(message.blocks).replace('"group:1:1"', json.dumps(value or " ")))
    press(bot, "bob", message, "accept", stale=stale)
    assert told(bot, world, "bob") == ["These alerts are no longer in the database. Wait for the next message."]


def test_a_group_that_declares_by_itself_has_nothing_left_to_decide(bot: Client, world: World) -> None:
    """A critical alert of the group opens an incident: the message names it and loses its buttons."""
    send(bot, fires("aa"))
    worse = warning("bb", labels={"alertname": "DiskFull", "severity": "critical", "service": "orders-db"})
    number = send(bot, body(warning("aa", annotations=FACTS), worse)).removeprefix("declared ")
    bot.wait_opened(number)
    (message,) = waiting(bot, world)
    assert buttons(message) == []
    assert f"*{number}* in <#" in spoken(message)

    bot.slash(f"{number} resolve Cleaned up")
    assert send(bot, body(warning("aa", annotations=FACTS), worse, warning("cc"))) == "triage"
    messages = waiting(bot, world)
    assert [buttons(m) for m in messages] == [[], BUTTONS]


def test_a_declined_group_that_becomes_critical_declares_all_the_same(bot: Client, world: World) -> None:
    """Declining a warning silences no incident; the message keeps who declined, and names what came of it."""
    send(bot, fires("aa"))
    press(bot, "bob", waiting(bot, world)[0], "decline")
    submit(bot, "bob", {"why": "Known"})
    worse = warning("bb", labels={"alertname": "DiskFull", "severity": "critical", "service": "orders-db"})
    number = send(bot, body(warning("aa", annotations=FACTS), worse)).removeprefix("declared ")
    bot.wait_opened(number)
    (message,) = waiting(bot, world)
    assert f"Declined by {person(bot, 'bob')} at " in spoken(message)
    assert f"The alerts have since joined *{number}* in <#" in spoken(message)
    bot.slash(f"{number} resolve Cleaned up")
    assert send(bot, body(warning("aa", annotations=FACTS), worse, warning("cc"))) == "triage"
    assert [buttons(m) for m in waiting(bot, world)] == [[], BUTTONS]


@both_databases
def test_the_same_trouble_at_both_sources_is_decided_once(bot: Client, world: World) -> None:
    """Accepting Alertmanager's message takes PagerDuty's incident of the same group along, and its message says so."""
    key = hashlib.sha256(GROUP.encode()).hexdigest()
    low = {"incident_key": key, "priority": None, "urgency": "low"}
    assert bot.pagerduty(pagerduty("incident.triggered", **low)).json()["outcome"] == "triage"
    assert send(bot, fires("aa")) == "triage"
    theirs, ours = sorted(waiting(bot, world), key=lambda m: "DiskFills" in m.text)
    stale = theirs.blocks
    press(bot, "bob", ours, "accept")
    submit(bot, "bob")
    (incident,) = bot.incidents()
    theirs, ours = sorted(waiting(bot, world), key=lambda m: "DiskFills" in m.text)
    assert f"Joined *{incident['number']}*" in spoken(theirs)
    assert "Accepted by" in spoken(ours)
    assert buttons(theirs) == buttons(ours) == []
    press(bot, "alice", theirs, "decline", stale=stale)
    (said,) = told(bot, world, "alice")
    assert said.startswith(f"{incident['number']} took these alerts at ")
    assert bot.pagerduty(pagerduty("incident.resolved", **low)).json()["outcome"] == f"noted on {incident['number']}"


def test_after_its_incident_is_over_a_further_alert_asks_for_a_look_again(bot: Client, world: World) -> None:
    """What was accepted once is no reason to be silent of what comes after the end."""
    send(bot, fires("aa"))
    press(bot, "bob", waiting(bot, world)[0], "accept")
    submit(bot, "bob")
    number = bot.incidents()[0]["number"]
    world.settle()
    bot.slash(f"{number} resolve Cleaned up")
    assert send(bot, fires("aa")) == "nothing new"
    assert send(bot, fires("aa", "bb")) == "triage"
    assert [buttons(m) for m in waiting(bot, world)] == [[], BUTTONS]


def test_a_declined_pagerduty_incident_that_is_reopened_asks_again(bot: Client, world: World) -> None:
    """PagerDuty's reopening is a new beginning; accepted then, what happens to it is told on the timeline."""
    low = {"priority": None, "urgency": "low"}
    assert bot.pagerduty(pagerduty("incident.triggered", **low)).json()["outcome"] == "triage"
    press(bot, "bob", waiting(bot, world)[0], "decline")
    submit(bot, "bob", {"why": "Known"})
    for name in ("incident.resolved", "incident.reopened"):
        assert bot.pagerduty(pagerduty(name, **low)).status_code == 202
    old, new = waiting(bot, world)
    assert buttons(old) == []
    assert buttons(new) == BUTTONS
    press(bot, "bob", new, "accept")
    title = form(bot, "bob").body["blocks"][0]["element"]["initial_value"]
    assert title == "Checkout answers 5xx"
    submit(bot, "bob")
    (incident,) = bot.incidents()
    assert incident["source"] == "pagerduty"
    assert bot.pagerduty(pagerduty("incident.annotated", **low)).json()["outcome"] == f"noted on {incident['number']}"


def test_hostile_labels_are_text(bot: Client, world: World) -> None:
    """Mark-up, overrides and endless texts in every field do no harm in the message, the forms and the outcome."""
    evil = EVIL + ODD
    facts = dict.fromkeys(("summary", "value", "threshold", "impact", "metric", "instance", "tenant", "region"), evil)
    urls = {"runbook_url": "javascript:alert(1)", "dashboard_url": f"https://x/{EVIL}"}
    labels = {"alertname": evil, "severity": "warning", "service": evil * 20}
    sent = warning("aa", labels=labels, annotations={**facts, **urls}, generatorURL="https://x/" + "y" * 5000)
    assert send(bot, body(sent)) == "triage"
    (message,) = waiting(bot, world)
    assert buttons(message) == BUTTONS
    number, _ = bot.open_one(f"declare {'x' * 180} sev2")
    press(bot, "alice", message, "merge")
    press(bot, "bob", message, "accept")
    submit(bot, "bob")
    world.settle()
    assert len(bot.incidents()) == 2
    (message,) = waiting(bot, world)
    assert "&lt;!channel&gt;" in spoken(message)
    for hidden in ("<!channel>", "<@UEVIL>", "<https://evil", "javascript:", "yyyy"):
        assert hidden not in spoken(message)
    hold_harmless(bot, world)
    submit(bot, "alice", {"incident": number})
    assert told(bot, world, "alice")[0].startswith("bob accepted the alerts at ")


@both_databases
def test_a_decline_is_undone(bot: Client, world: World) -> None:
    """By anybody, while its alerts fire: it waits again and can be accepted; a second press is told."""
    send(bot, fires("aa"))
    press(bot, "bob", waiting(bot, world)[0], "decline")
    submit(bot, "bob", {"why": "Known"})
    (message,) = waiting(bot, world)
    assert buttons(message) == ["triage_undo"]
    stale = message.blocks
    press(bot, "alice", message, "undo")
    (message,) = waiting(bot, world)
    assert buttons(message) == BUTTONS
    assert "Declined by" not in spoken(message)
    press(bot, "dana", message, "undo", stale=stale)
    assert told(bot, world, "dana") == ["Nothing is declined here. Decide in the newest message."]
    press(bot, "alice", message, "accept")
    submit(bot, "alice")
    assert len(bot.incidents()) == 1


@pytest.mark.parametrize("end", ["resolved", "critical"])
def test_a_decline_of_what_is_over_or_taken_has_no_undo(bot: Client, world: World, end: str) -> None:
    """Once its alerts have resolved, or an incident has them, there is nothing to decide."""
    send(bot, fires("aa"))
    press(bot, "bob", waiting(bot, world)[0], "decline")
    submit(bot, "bob", {"why": "Known"})
    stale = waiting(bot, world)[0].blocks
    if end == "resolved":
        send(bot, body(warning("aa", "resolved", annotations=FACTS), status="resolved"))
    else:
        worse = warning("bb", labels={"alertname": "DiskFull", "severity": "critical", "service": "orders-db"})
        send(bot, body(warning("aa", annotations=FACTS), worse))
    wait_for(lambda: buttons(waiting(bot, world)[0]) == [], what="the button to go")
    press(bot, "dana", waiting(bot, world)[0], "undo", stale=stale)
    world.settle()
    assert buttons(waiting(bot, world)[0]) == []

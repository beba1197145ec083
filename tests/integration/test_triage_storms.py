"""Storms of alerts that wait for a look: decided as a whole, and going on with the incident that took them."""

from __future__ import annotations

from datetime import timedelta
from pathlib import Path
from typing import Any

import pytest

from bot.sandbox.model import Message
from tests.conftest import LADDER, Client, Hands, both_databases, wait_for
from tests.integration.bodies import pagerduty
from tests.integration.test_storms import channels, group, later
from tests.integration.test_triage import BUTTONS, buttons, form, person, press, send, spoken, submit, waiting
from tests.integration.world import World

RULES = """
intake:
  - {matchers: ['severity="critical"'], then: declare, severity: sev2}
  - {matchers: ['severity="error"'], then: triage, severity: sev2}
  - {matchers: ['severity="warning"'], then: triage, severity: sev3}
  - {matchers: ['source="pagerduty"'], then: triage, severity: sev3}
"""
EDITED = 6  # seconds; a message that many share is edited each 5
PATIENCE = 15.0  # seconds: a storm's message is edited every 5


@pytest.fixture
def environ(environ: dict[str, str]) -> dict[str, str]:
    """The service's environment: an error is worth a look as a warning is, and worse."""
    Path(environ["SITREP_CONFIG"]).write_text(LADDER + RULES)
    return environ


def warn(bot: Client, *numbers: int, **changes: Any) -> list[str]:
    """Send a warning's notification for each group; gives what became of them."""
    return [send(bot, group(number, **{"severity": "warning", **changes})) for number in numbers]


def storm(bot: Client, world: World, hands: Hands, groups: int = 12) -> Message:
    """Let a storm of warnings come; the first five groups have a message each. Gives the one that the others share."""
    assert warn(bot, *range(groups)) == ["triage"] * groups
    hands.advance(EDITED)
    said = f"Triage storm in cluster eu-1: {groups - 5} alert groups, {groups - 5} firing."
    wait_for(lambda: [m.text for m in shared(bot, world)] == [said], PATIENCE, "the storm")
    assert asking(bot, world) == 5 + 1
    return shared(bot, world)[0]


def shared(bot: Client, world: World) -> list[Message]:
    """Give the messages that many groups share, the oldest first."""
    return [message for message in waiting(bot, world) if message.text.startswith("Triage storm")]


def asking(bot: Client, world: World) -> int:
    """Count the messages that ask somebody to decide."""
    return sum(buttons(message) == BUTTONS for message in waiting(bot, world))


def accept(bot: Client, message: Message, **values: str) -> str:
    """Accept a storm's message; gives the incident's number."""
    known = {incident["number"] for incident in bot.incidents()}
    press(bot, "bob", message, "accept")
    submit(bot, "bob", values)
    (number,) = {incident["number"] for incident in bot.incidents()} - known
    return str(number)


def message_of(bot: Client, world: World, number: int) -> Message:
    """Give the message that a group has of its own; those of one instant are posted in any order."""
    (message,) = [m for m in waiting(bot, world) if f"on service-{number}," in m.text]
    return message


def fired(bot: Client, number: str) -> int:
    return bot.kinds(number).count("alert_fired")


@both_databases
def test_a_storm_is_accepted_as_one_incident(bot: Client, world: World, hands: Hands) -> None:
    """All its groups that still wait go along, and what it brings after that joins them: nobody decides again."""
    storm(bot, world, hands)
    warn(bot, 5, status="resolved")
    worse = group(6, severity="warning")
    worse["alerts"].append({**worse["alerts"][0], "fingerprint": "worse", "labels": {"severity": "critical"}})
    declared = send(bot, worse).removeprefix("declared ")
    hands.advance(EDITED)
    wait_for(lambda: f"*{declared}*" in spoken(shared(bot, world)[0]), PATIENCE, "the edit")
    message = shared(bot, world)[0]
    assert buttons(message) == BUTTONS
    assert "Groups that need a decision: 5." in spoken(message)
    press(bot, "bob", message, "accept")
    assert form(bot, "bob").body["blocks"][0]["element"]["initial_value"] == "Alert storm in cluster eu-1"
    submit(bot, "bob", {"severity": "sev2"})
    number = next(i["number"] for i in bot.incidents() if i["title"] == "Alert storm in cluster eu-1")
    bot.wait_opened(number)
    assert "5 firing, 0 resolved in 5 groups" in world.card(number)
    note = "Accepted from triage: 5 alert groups in cluster eu-1; new ones join this incident until 30 min pass "
    assert bot.wait_event(number, "note")["text"] == note + "without one, or it is resolved."
    assert bot.incident(number)["declared_by"]["name"] == "bob"
    hands.advance(EDITED)
    wait_for(lambda: f"*{number}* in <#" in spoken(shared(bot, world)[0]), PATIENCE, "the channel")
    message = shared(bot, world)[0]
    assert buttons(message) == []
    assert f"Accepted by {person(bot, 'bob')}" in spoken(message)
    assert asking(bot, world) == 5

    opened = channels(bot)
    assert warn(bot, 7) == [f"repeat of {number}"]
    assert warn(bot, 77) == [f"joined {number}"]
    assert warn(bot, 77) == [f"repeat of {number}"]
    assert warn(bot, 77, alerts=2) == [f"attached to {number}"]
    assert warn(bot, 5, startsAt=hands.now().isoformat()) == [f"joined {number}"]
    hands.advance(EDITED)
    wait_for(lambda: "8 firing, 0 resolved in 7 groups" in world.card(number), PATIENCE, "the card")
    assert fired(bot, number) == 5 + 3
    assert (len(waiting(bot, world)), asking(bot, world)) == (6, 5)
    assert channels(bot) == opened
    assert f"*{number}* in <#" in spoken(shared(bot, world)[0])
    assert "Joined " in spoken(shared(bot, world)[0])


def test_a_storm_is_merged_or_declined_as_a_whole(bot: Client, world: World, hands: Hands) -> None:
    """Declined, its groups are quiet until they fire anew; the next storm's are merged, and its next ones join them."""
    message = storm(bot, world, hands, 8)
    press(bot, "bob", message, "decline")
    submit(bot, "bob", {"why": "The cluster is being upgraded"})
    message = shared(bot, world)[0]
    assert buttons(message) == ["triage_undo"]
    assert "The cluster is being upgraded" in spoken(message)
    assert warn(bot, 6, alerts=2) == ["triage"]
    assert len(waiting(bot, world)) == 6

    again = (hands.now() + timedelta(seconds=1)).isoformat()
    warn(bot, 5, 6, 7, alerts=2, status="resolved")
    assert warn(bot, 5, 6, 7, startsAt=again) == ["triage"] * 3
    hands.advance(EDITED)
    said = "Triage storm in cluster eu-1: 3 alert groups, 3 firing."
    wait_for(lambda: [m.text for m in shared(bot, world)][1:] == [said], PATIENCE, "the next storm")
    number, _ = bot.open_one("declare The cluster is down sev2")
    press(bot, "alice", shared(bot, world)[1], "merge")
    submit(bot, "alice", {"incident": number})
    message = shared(bot, world)[1]
    assert buttons(message) == []
    assert f"Merged by {person(bot, 'alice')}" in spoken(message)
    wait_for(lambda: "3 firing" in world.card(number), what="the card")
    assert fired(bot, number) == 3
    assert warn(bot, 20) == [f"joined {number}"]
    assert fired(bot, number) == 4
    assert len(waiting(bot, world)) == 7


def test_groups_that_come_while_the_form_is_open_go_along(bot: Client, world: World, hands: Hands) -> None:
    """They wait in the message until it is submitted, and are part of what was accepted then."""
    message = storm(bot, world, hands, 7)
    press(bot, "bob", message, "accept")
    assert warn(bot, 20) == ["triage"]
    submit(bot, "bob")
    (incident,) = bot.incidents()
    assert bot.wait_event(incident["number"], "note")["data"]["groups"] == 3
    assert warn(bot, 20, 21) == [f"repeat of {incident['number']}", f"joined {incident['number']}"]
    assert fired(bot, incident["number"]) == 4


def test_an_accepted_storm_lasts_as_long_as_groups_come(bot: Client, world: World, hands: Hands) -> None:
    """Each that joins within half an hour keeps it going; the first one after a longer while asks for a look."""
    number = accept(bot, storm(bot, world, hands, 7))
    for each in (20, 21):
        later(hands, minutes=29)
        assert warn(bot, each) == [f"joined {number}"]
    later(hands, minutes=31)
    assert warn(bot, 22) == ["triage"]
    assert (len(waiting(bot, world)), asking(bot, world)) == (7, 6)


def test_once_its_incident_is_over_a_storm_asks_for_a_look_again(bot: Client, world: World, hands: Hands) -> None:
    """The next groups share a new message; accepted, they have an incident of their own."""
    number = accept(bot, storm(bot, world, hands, 7))
    bot.slash(f"{number} resolve The network is back")
    assert warn(bot, 20, 21) == ["triage"] * 2
    first, second = shared(bot, world)
    assert buttons(first) == []
    again = accept(bot, second)
    assert warn(bot, 22) == [f"joined {again}"]
    assert (fired(bot, number), fired(bot, again)) == (2, 3)


def test_another_cluster_and_what_is_no_warning_do_not_join(bot: Client, world: World, hands: Hands) -> None:
    """An accepted storm takes what would have waited in its message, and nothing else."""
    number = accept(bot, storm(bot, world, hands, 7))
    assert warn(bot, 20, cluster="us-1") == ["triage"]
    assert warn(bot, 21, severity="critical")[0].startswith("declared")
    assert warn(bot, 22) == [f"joined {number}"]


def test_the_message_of_an_older_storm_redirects_no_newer_one(bot: Client, world: World, hands: Hands) -> None:
    """Accepted late, it takes its own groups; those of the next storm still wait for a decision of their own."""
    message = storm(bot, world, hands, 7)
    later(hands, minutes=31)
    assert warn(bot, *range(20, 26)) == ["triage"] * 6
    number = accept(bot, message)
    assert "join" not in bot.wait_event(number, "note")["text"]
    assert warn(bot, 30) == ["triage"]
    assert fired(bot, number) == 2
    assert [buttons(each) for each in shared(bot, world)] == [[], BUTTONS]


def test_only_what_is_worse_than_all_before_raises_what_people_decided(bot: Client, world: World, hands: Hands) -> None:
    """More of the same leaves the severity that they gave; a worse group is news, once."""
    number = accept(bot, storm(bot, world, hands, 7), severity="sev4")
    assert warn(bot, 20) == [f"joined {number}"]
    assert bot.incident(number)["severity"] == "sev4"
    assert warn(bot, 21, severity="error") == [f"joined {number}"]
    assert bot.incident(number)["severity"] == "sev2"
    assert bot.wait_event(number, "severity_changed")["actor"]["type"] == "alert"
    bot.slash(f"{number} severity sev3")
    assert warn(bot, 22, severity="error") == [f"joined {number}"]
    assert bot.incident(number)["severity"] == "sev3"


def test_a_declined_warning_that_fires_anew_joins_the_accepted_storm(bot: Client, world: World, hands: Hands) -> None:
    """Its own message says which incident took it since; nobody is asked again."""
    message = storm(bot, world, hands, 7)
    press(bot, "alice", message_of(bot, world, 0), "decline")
    submit(bot, "alice", {"why": "Known"})
    number = accept(bot, message)
    warn(bot, 0, status="resolved")
    assert warn(bot, 0, startsAt=hands.now().isoformat()) == [f"joined {number}"]
    mine = message_of(bot, world, 0)
    assert f"The alerts have since joined *{number}*" in spoken(mine)
    assert buttons(mine) == []


def test_a_pagerduty_incident_that_is_reopened_joins_the_accepted_storm(
    bot: Client, world: World, hands: Hands
) -> None:
    """It was over when the others were accepted; now that it is not, it goes where they are."""

    def event(kind: str, number: int) -> None:
        facts: dict[str, Any] = {"priority": None, "urgency": "low", "incident_key": f"key-{number}"}
        sent = pagerduty(f"incident.{kind}", event_id=f"{kind}-{number}", id=f"P{number}", **facts)
        assert bot.pagerduty(sent).status_code == 202

    for number in range(7):
        event("triggered", number)
    event("resolved", 6)
    hands.advance(EDITED)
    wait_for(lambda: "1 firing" in shared(bot, world)[0].text, PATIENCE, "the storm")
    accepted = accept(bot, shared(bot, world)[0])
    event("reopened", 6)
    assert fired(bot, accepted) == 2
    hands.advance(EDITED)
    wait_for(lambda: "Joined" in spoken(shared(bot, world)[0]), PATIENCE, "the outcome")
    assert (len(waiting(bot, world)), asking(bot, world)) == (6, 5)


def test_a_private_incident_takes_a_storm_without_being_told_of(bot: Client, world: World, hands: Hands) -> None:
    """What joins a private incident later is named no more than what was merged into it."""
    bot.slash("declare")
    submit(bot, "alice", {"title": "Keys are out", "visible": "private"})
    ((number,),) = ([i["number"] for i in world.rows("SELECT number FROM incidents")],)
    message = storm(bot, world, hands, 7)
    press(bot, "alice", message, "merge")
    submit(bot, "alice")
    warn(bot, 0, status="resolved")
    warn(bot, 0, startsAt=hands.now().isoformat())
    hands.advance(EDITED)
    wait_for(lambda: "Joined *a private incident*" in spoken(message_of(bot, world, 0)), PATIENCE, "the outcome")
    assert all(number not in spoken(each) for each in waiting(bot, world))

"""No dead ends: every end is shown before it is made, can be undone, and loses nobody's text."""

from __future__ import annotations

import pytest

from bot.sandbox.model import Message
from tests.conftest import Client, wait_for
from tests.integration.bodies import alert, body


def fire(bot: Client, name: str = "HighErrorRate", group: str = "g1") -> tuple[str, str]:
    """Let an alert declare an incident; gives its number and channel once it is open."""
    labels = {"alertname": name, "severity": "critical", "service": group}
    outcome = bot.alertmanager(body(alert(f"f-{group}", labels=labels), group=group)).json()["outcome"]
    number = outcome.removeprefix("declared ")
    bot.wait_opened(number)
    return number, bot.room(number)


def firing(bot: Client, number: str) -> int:
    """Count the alerts of an incident that its card shows as firing."""
    card = bot.workspace.pinned(bot.room(number))[0]
    text = str(card.blocks)
    return int(text.partition("*Alerts*: ")[2].partition(" firing")[0] or 0)


def test_a_cancel_shows_what_it_ends_and_asks_once(bot: Client) -> None:
    """Alerts that fire and open tasks are named; "Keep it open" changes nothing, and a cancel can be undone."""
    number, channel = fire(bot)
    bot.slash("task add Call the provider", "alice", channel)
    said = bot.slash("cancel A test alert", "alice", channel)
    assert "*Still firing*: 1 alert (HighErrorRate" in said
    assert "Call the provider" in said
    assert bot.sure("alice", channel, "Keep it open") == "Nothing has changed."
    assert bot.incident(number)["status"] == "investigating"
    bot.slash("cancel A test alert", "alice", channel)
    assert f"Cancelled {number}" in bot.sure("alice", channel, "Cancel incident")
    assert bot.wait_event(number, "cancelled")["data"]["why"] == "A test alert"
    assert "Reopen it first" in bot.slash("ack", "alice", channel)
    assert f"Reopened {number}" in bot.slash("reopen It was real", "alice", channel)
    assert bot.incident(number)["status"] == "investigating"
    assert "Acknowledged" in bot.slash("ack", "alice", channel)


def test_a_merge_is_undone_with_its_alerts(bot: Client) -> None:
    """Alerts go on in the other incident and come back; refusals name what works in each state."""
    a, a_channel = fire(bot, group="g1")
    b, _ = fire(bot, name="SlowQueries", group="g2")
    assert "*Still firing*: 1 alert" in bot.slash(f"merge {b}", "alice", a_channel)
    assert f"Merged {a} into {b}" in bot.sure("alice", a_channel, "Merge")
    wait_for(lambda: firing(bot, b) == 2, what="both alerts on the other card")
    assert f"was merged into {b}" in bot.slash("ack", "alice", a_channel)
    assert "unmerge" in bot.slash("reopen", "alice", a_channel)
    assert "its alerts are back" in bot.slash("unmerge It is another fault", "alice", a_channel)
    wait_for(lambda: (firing(bot, a), firing(bot, b)) == (1, 1), what="each alert on its own card")
    assert bot.incident(a)["status"] == "investigating"
    assert f"{a} was split off again" in bot.wait_event(b, "note")["text"]
    ended = body(alert("f-g1", "resolved", labels={"alertname": "HighErrorRate"}), group="g1", status="resolved")
    bot.alertmanager(ended)
    bot.wait_event(a, "alert_resolved")
    assert "not merged" in bot.slash("unmerge", "alice", a_channel)


def test_alerts_come_back_through_a_chain_of_merges(bot: Client) -> None:
    """Merged into B, and B into C: what is split off again has its own alerts, and C keeps those of B."""
    numbers = [fire(bot, group=f"g{n}") for n in range(3)]
    (a, a_channel), (b, b_channel), (c, _) = numbers
    for into, channel in ((b, a_channel), (c, b_channel)):
        bot.slash(f"merge {into}", "alice", channel)
        bot.sure("alice", channel, "Merge")
    wait_for(lambda: firing(bot, c) == 3, what="all alerts on the last card")
    bot.slash("unmerge", "alice", a_channel)
    wait_for(lambda: (firing(bot, a), firing(bot, c)) == (1, 2), what="its own alert")


def test_a_resolution_names_what_it_leaves_and_has_a_way_back(bot: Client) -> None:
    """Typed, it ends at once; the answer and the message say what still fires, and a press reopens."""
    number, channel = fire(bot)
    said = bot.slash("resolve Scaled the pool", "alice", channel)
    assert f"Resolved {number}" in said
    assert "*Still firing*: 1 alert" in said
    message = wait_for(lambda: bot.workspace.find(channel, f"{number} is resolved:"), what="the resolution")
    assert "*Still firing*: 1 alert" in str(message.blocks)
    assert bot.people.press("bob", channel, message.ts, "incident_reopen").ok
    bot.wait_event(number, "reopened")
    bot.slash("resolve", "alice", channel)
    form = bot.workspace.open_views("alice")[-1]
    assert "*Still firing*: 1 alert" in str(form.body["blocks"][0])


@pytest.mark.parametrize("typed", [False, True])
def test_whoever_resolves_second_loses_nothing(bot: Client, typed: bool) -> None:
    """The root cause, the fix and the follow-ups of a form in flight, or a typed text, are added."""
    number, channel = bot.open_one()
    bot.slash("resolve", "bob", channel)
    form = bot.workspace.open_views("bob")[-1]
    bot.slash("resolve Restarted it", "alice", channel)
    if typed:
        assert "Added your text" in bot.slash("resolve Scaled the pool", "bob", channel)
    else:
        said = {"fix": "Scaled the pool", "root_cause": "The pool was too small", "follow_ups": "Alert on it"}
        assert bot.people.submit("bob", form.id, said).json == {}
        assert bot.wait_event(number, "followup_added", count=1)
        assert "Root cause: The pool was too small" in bot.wait_event(number, "note")["text"]
    assert "Fix: Scaled the pool" in bot.wait_event(number, "note")["text"]
    assert bot.kinds(number).count("resolved") == 1


def test_the_lead_is_taken_from_somebody_only_knowingly(bot: Client) -> None:
    """The taker is asked once, by line and by button; whoever had it is mentioned."""
    number, channel = bot.open_one()
    bot.slash("lead", "bob", channel)
    assert "bob leads" in bot.slash("lead", "alice", channel)
    assert bot.sure("alice", channel, "Keep bob as lead") == "Nothing has changed."
    card = bot.workspace.pinned(channel)[0]
    bot.people.press("alice", channel, card.ts, "incident_lead")
    wait_for(lambda: "ask_" in str(bot.workspace.ephemerals("alice", channel)[-1].blocks), what="the question")
    assert bot.incident(number)["lead"]["name"] == "bob"
    bot.sure("alice", channel, "Take the lead")
    assert bot.incident(number)["lead"]["name"] == "alice"
    bob = bot.workspace.user("bob").id
    wait_for(lambda: bot.workspace.find(channel, f"took the lead from <@{bob}>"), what="the message to bob")


def test_a_handoff_can_be_declined_and_its_brief_stays(bot: Client) -> None:
    """By press or line, with a reason; whoever offered it is told. After Accept the brief is still there."""
    number, channel = bot.open_one()
    bot.slash("lead", "alice", channel)

    def offer(ended: int) -> Message:
        """Offer the command to bob once so many offers have ended, and wait until he has it."""
        wait_for(lambda: sum(": declined at" in text for text in bot.workspace.texts(channel)) == ended, what="the end")
        bot.slash("handoff @bob", "alice", channel)
        return wait_for(lambda: bot.workspace.find(channel, "offers you the lead"), what="the offer")

    bot.people.press("bob", channel, offer(0).ts, "incident_decline")
    alice = bot.workspace.user("alice").id
    wait_for(lambda: bot.workspace.find(channel, f"<@{alice}> still has the lead"), what="the answer")
    assert bot.incident(number)["lead"]["name"] == "alice"
    offer(1)
    assert "Only bob can decline" in bot.slash("decline", "dana", channel)
    assert "Declined. alice leads" in bot.slash("decline I am on a train", "bob", channel)
    assert "I am on a train" in [e["text"] for e in bot.events(number) if e["data"].get("handoff") == "declined"][-1]
    offer(2)
    assert f"You lead {number}" in bot.slash("accept", "bob", channel)
    ended = wait_for(lambda: bot.workspace.find(channel, ": accepted at"), what="its end")
    assert "Impact:" in str(ended.blocks)


def test_escalate_pages_the_next_level_at_once(bot: Client) -> None:
    """Also after an acknowledgement; at the top it says what else can be done."""
    number, channel = bot.open_one()
    bot.slash("ack", "alice", channel)
    assert "Paging level 2, SRE Team Lead" in bot.slash("escalate The failover does not help", "alice", channel)
    page = wait_for(lambda: bot.workspace.find(channel, "you are paged as *SRE Team Lead*"), what="the page")
    assert "The failover does not help" in str(page.blocks) + page.text
    bot.wait_event(number, "page_delivered", count=2)
    for level in (3, 4):
        assert f"Paging level {level}" in bot.slash("escalate", "alice", channel)
    assert "Page someone by name" in bot.slash("escalate", "alice", channel)

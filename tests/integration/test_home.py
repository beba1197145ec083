"""The App Home, and what somebody sees who joins late."""

from __future__ import annotations

from tests.conftest import Client, Hands, wait_for
from tests.integration.bodies import alert, body


def home(bot: Client, user: str, wanted: str) -> str:
    """Open somebody's Home and wait until it says so."""
    assert bot.people.open_home(user).status == 200

    def look() -> str:
        view = bot.workspace.home(user)
        shown = str(view.body["blocks"]) if view else ""
        return shown if wanted in shown else ""

    return str(wait_for(look, what=f"{wanted} in the Home of {user}"))


def test_the_home_says_first_what_needs_you(bot: Client, hands: Hands) -> None:
    """By incident: roles, overdue updates, unacknowledged incidents and tasks; what others have to do is not there."""
    assert "Nothing needs you now." in home(bot, "dana", "Needs you now")
    number, channel = bot.open_one()
    assert "Nobody has acknowledged" in home(bot, "dana", number)
    bot.slash("ack", "alice", channel)
    bot.slash("lead", "alice", channel)
    bot.slash("task add Call the provider @dana", "alice", channel)
    assert "Call the provider" in home(bot, "dana", "1 task for you")
    hands.advance(minutes=16)
    bot.wait_event(number, "update_overdue")
    assert "The update is overdue" in home(bot, "alice", "Post update")
    assert "The update is overdue" not in home(bot, "dana", "1 task for you")
    assert "Other open incidents: 1" in home(bot, "bob", number)
    bot.slash("resolve Done", "alice", channel)
    shown = home(bot, "alice", "Recently resolved")
    assert "Nothing needs you now." in shown
    assert "Healthy: " in shown


def test_what_needs_you_is_done_from_the_home(bot: Client) -> None:
    """Acknowledge, take the lead and end a task by the buttons of its incident; of two each has buttons of its own."""
    first, _ = bot.open_one()
    number, channel = bot.open_one("declare Search is slow sev2")
    bot.slash("task add Call the provider @dana", "alice", channel)
    home(bot, "dana", "1 task for you")
    view = bot.workspace.home("dana")
    assert view is not None
    for action, kind in (("incident_ack", "acknowledged"), ("incident_lead", "role_assigned")):
        assert bot.people.press_in_view("dana", view.id, f"{action}_{number}", number).ok
        assert bot.wait_event(number, kind)["actor"]["name"] == "dana"
    assert bot.people.press_in_view("dana", view.id, f"task_done_{number}-1", f"{number}|1").ok
    wait_for(lambda: "Task 1 done: Call the provider" in [e["text"] for e in bot.events(number)], what="the task")
    assert bot.incident(first)["acknowledged_at"] is None


def test_alerts_that_wait_for_a_look_are_told_of(bot: Client) -> None:
    """Until somebody has decided."""
    warning = alert("aa", labels={**alert()["labels"], "severity": "warning"})
    bot.alertmanager(body(warning))
    assert "1 alert group waits" in home(bot, "bob", "*Triage*")
    message = wait_for(lambda: bot.workspace.find("ops-alerts", "Triage"), what="the triage message")
    bot.people.press("bob", "ops-alerts", message.ts, "triage_decline")
    assert bot.people.submit("bob", bot.workspace.open_views("bob")[-1].id, {"why": "Known"}).ok
    assert "*Triage*" not in home(bot, "bob", "Nothing needs you now.")


def test_an_incident_is_declared_from_the_home(bot: Client) -> None:
    """The button opens the form; what it declares is told, and shown there."""
    home(bot, "bob", "Declare an incident")
    view = bot.workspace.home("bob")
    assert view is not None
    bot.people.press_in_view("bob", view.id, "home_declare", "home")
    form = bot.workspace.open_views("bob")[-1]
    assert bot.people.submit("bob", form.id, {"title": "Search is slow"}).ok
    direct = bot.workspace.direct("bob").id
    wait_for(lambda: "Declared INC-" in " ".join(bot.workspace.texts(direct)), what="the answer")
    wait_for(lambda: "Search is slow" in str(view.body["blocks"]), what="the Home that shows it")


def test_an_incident_is_worked_on_from_the_home(bot: Client) -> None:
    """Each open one has the menu and a catch-up; the answers come as direct messages."""
    number, _ = bot.open_one()
    home(bot, "bob", number)
    view = bot.workspace.home("bob")
    assert view is not None
    bot.people.press_in_view("bob", view.id, f"incident_more_{number}", number)
    assert "Nobody has acknowledged" in str(view.body["blocks"])
    assert bot.people.submit("bob", bot.workspace.open_views("bob")[-1].id, {"verb": "ack"}).json == {}
    bot.wait_event(number, "acknowledged")
    wait_for(lambda: "Nobody has acknowledged" not in str(view.body["blocks"]), what="the Home that shows it")
    direct = bot.workspace.direct("bob").id
    wait_for(lambda: f"Acknowledged {number}" in " ".join(bot.workspace.texts(direct)), what="the answer")
    bot.people.press_in_view("bob", view.id, f"incident_catchup_{number}", number)
    wait_for(lambda: "Catch-up." in " ".join(bot.workspace.texts(direct)), what="the catch-up")


def test_whoever_joins_late_is_caught_up(bot: Client, hands: Hands) -> None:
    """Privately, once, and only after the first minutes: whoever is called at the start knows why."""
    number, channel = bot.open_one()
    bot.slash("note The pool is full", "alice", channel)
    bot.workspace.join(channel, "bob")
    event = {
        "type": "member_joined_channel",
        "user": bot.workspace.user("bob").id,
        "channel": bot.workspace.channel(channel).id,
    }
    bot.people.event(event)
    hands.advance(minutes=6)
    bot.workspace.join(channel, "dana")
    late = event | {"user": bot.workspace.user("dana").id}
    for _ in range(2):
        bot.people.event(late, event_id="Ev-late")

    def whispered(user: str) -> list[str]:
        log = bot.workspace.channel(channel).log
        return [str(m.blocks) for m in log if m.ephemeral_to == bot.workspace.user(user).id]

    (shown,) = wait_for(lambda: whispered("dana"), what="the catch-up")
    assert number in shown
    assert "The pool is full" in shown
    assert whispered("bob") == []

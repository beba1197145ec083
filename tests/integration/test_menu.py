"""The menu: where nobody can type a line, every verb is one press away."""

from __future__ import annotations

from typing import Any

from bot.sandbox.model import Message
from handlers.slack import table
from handlers.slack.speech import Where
from tests.conftest import Client, wait_for

ALERTS = "ops-alerts"


def in_a_thread(bot: Client, title: str = "A disk is full") -> tuple[str, Message]:
    """Declare an incident that lives in a thread; gives its number and its card."""
    number = bot.slash(f"declare {title} sev4").split()[1]
    card = wait_for(lambda: bot.workspace.find(ALERTS, number), what="the card")
    wait_for(lambda: "runbook_posted" in bot.kinds(number), what="the runbook")
    return number, card


def menu(bot: Client, user: str, card: Message) -> Any:
    assert bot.people.press(user, card.channel, card.ts, "incident_more").ok
    return bot.workspace.open_views(user)[-1]


def verbs(view: Any) -> set[str]:
    (select,) = [b["element"] for b in view.body["blocks"] if b.get("block_id") == "verb"]
    return {option["value"] for group in select["option_groups"] for option in group["options"]}


def choose(bot: Client, user: str, card: Message, verb: str, values: dict[str, Any] | None = None) -> Any:
    """Choose a verb, and fill in what it asks for; gives the last answer."""
    view = menu(bot, user, card)
    reply = bot.people.submit(user, view.id, {"verb": verb})
    assert reply.ok, reply
    if values is not None:
        reply = bot.people.submit(user, view.id, values)
        assert (reply.ok, reply.json) == (True, {})
    return reply


def whispers(bot: Client, user: str) -> str:
    return " ".join(message.text for message in bot.workspace.ephemerals(user, ALERTS))


def test_the_menu_has_what_makes_sense(bot: Client) -> None:
    """Open: everything but what ends an end; resolved: nothing that needs it open, and nothing about other states."""
    number, card = in_a_thread(bot)
    elsewhere = {"accept", "decline", "escalate", "unmerge"}  # no handoff waits, it has no ladder, it is not merged
    about = {verb.name: verb.stage.value for verb in table.VERBS if verb.where is Where.INCIDENT}
    assert verbs(menu(bot, "bob", card)) == {n for n, stage in about.items() if stage != "over"} - elsewhere
    bot.slash(f"{number} resolve Done")
    wait_for(lambda: "Reopen" in str(card.blocks), what="the edited card")
    assert verbs(menu(bot, "bob", card)) == {n for n, stage in about.items() if stage != "open"} - elsewhere


def test_every_verb_of_the_menu_answers(bot: Client) -> None:
    """Each opens a form, or does it and says so; none leaves the form open with an error of its own."""
    number, card = in_a_thread(bot)
    in_a_thread(bot, "Another one")
    for verb in sorted(verbs(menu(bot, "bob", card))):
        reply = choose(bot, "bob", card, verb)
        assert "errors" not in reply.json, (verb, reply.json)
    assert bot.incident(number)["acknowledged_at"]


def test_work_goes_on_in_a_thread_without_a_typed_line(bot: Client) -> None:
    """Lead, severity, note, tasks, runbook and resolution by press and form; the answers come in the thread."""
    number, card = in_a_thread(bot)
    bob = bot.workspace.user("bob")
    choose(bot, "alice", card, "lead", {"who": bob.id})
    assert bot.incident(number)["lead"]["name"] == "bob"
    choose(bot, "alice", card, "note", {"text": "The log grows", "at": "yesterday 03:12 UTC"})
    assert bot.wait_event(number, "note")["text"] == "The log grows"
    choose(bot, "alice", card, "followup", {"text": "Rotate it", "due": "2026-12-01", "who": bob.id})
    assert bot.wait_event(number, "followup_added")["data"] == {
        "text": "Rotate it",
        "owner": "bob",
        "due": "2026-12-01",
    }
    choose(bot, "alice", card, "runbook", {"words": "redis-down"})
    bot.wait_event(number, "runbook_posted", 2)
    choose(bot, "alice", card, "status", {"status": "identified"})
    choose(bot, "alice", card, "mitigate", {"text": "Rotated"})
    assert bot.wait_event(number, "mitigated")["data"]["text"] == "Rotated"
    view = menu(bot, "alice", card)
    assert bot.people.submit("alice", view.id, {"verb": "update"}).json["response_action"] == "update"
    assert bot.people.submit("alice", view.id, {"state": "There is room again"}).json == {}
    view = menu(bot, "alice", card)
    bot.people.submit("alice", view.id, {"verb": "resolve"})
    bot.people.submit("alice", view.id, {"fix": "Rotated the log"})
    assert bot.wait_event(number, "resolved")["data"]["fix"] == "Rotated the log"
    wait_for(lambda: "bob leads" in whispers(bot, "alice"), what="the answers")
    wait_for(lambda: "03:12 UTC" in whispers(bot, "alice"), what="the answers")


def test_tasks_are_ended_by_press(bot: Client) -> None:
    """The list has a button for each open task, and one to add more; both work from a thread."""
    number, card = in_a_thread(bot)
    bot.slash(f"{number} task add Free some room")
    bot.slash(f"{number} task add Find out who logs")
    choose(bot, "bob", card, "task")
    shown = wait_for(lambda: [m for m in bot.workspace.ephemerals("bob", ALERTS) if m.blocks], what="the list")[0]
    bot.people.press("bob", ALERTS, shown.ts, "task_done_1")
    bot.people.press("bob", ALERTS, shown.ts, "task_skip_2")
    bot.people.press("bob", ALERTS, shown.ts, "task_done_2")
    wait_for(lambda: "Task 2 is already skipped" in whispers(bot, "bob"), what="the refusal")
    bot.people.press("bob", ALERTS, shown.ts, "task_add")
    bot.people.submit("bob", bot.workspace.open_views("bob")[-1].id, {"text": "Tell the owner"})
    assert bot.slash(f"{number} task list").splitlines() == [
        ":white_large_square: 3. Tell the owner",
        ":white_check_mark: 1. Free some room",
        ":fast_forward: 2. Find out who logs",
    ]


def test_a_refusal_stays_in_the_form(bot: Client) -> None:
    """Whoever comes second is told under the field, and can choose something else."""
    number, card = in_a_thread(bot)
    view = menu(bot, "bob", card)
    bot.slash(f"{number} resolve Done")
    errors = bot.people.submit("bob", view.id, {"verb": "ack"}).json["errors"]
    assert "Reopen it first" in errors["verb"]
    assert bot.people.submit("bob", view.id, {}).json["errors"] == {"verb": "Choose what to do."}


def test_a_shortcut_opens_the_menu(bot: Client) -> None:
    """On a message of the thread it is about that incident; elsewhere, or on no message, an open one is chosen."""
    bot.workspace.post("general", bot.workspace.user("dana").id, "Is it us?")
    lone = bot.workspace.find("general", "Is it us?")
    assert lone is not None
    assert bot.people.shortcut("dana", "incident_work", "general", lone.ts).ok
    direct = bot.workspace.direct("dana").id  # the bot is not in that channel
    wait_for(lambda: "No incident is open" in " ".join(bot.workspace.texts(direct)), what="the answer")
    number, card = in_a_thread(bot)
    reply = bot.workspace.post(ALERTS, bot.workspace.user("dana").id, "Looking", thread_ts=card.ts)
    assert bot.people.shortcut("dana", "incident_work", ALERTS, reply.ts).ok
    assert number in str(bot.workspace.open_views("dana")[-1].body["blocks"][0])
    assert bot.people.shortcut("dana", "incident_work", "general", lone.ts).ok
    view = bot.workspace.open_views("dana")[-1]
    bot.people.submit("dana", view.id, {"incident": number, "verb": "ack"})
    assert bot.incident(number)["acknowledged_at"]
    assert bot.people.shortcut("dana", "incident_work_on_one").ok
    view = bot.workspace.open_views("dana")[-1]
    bot.people.submit("dana", view.id, {"incident": number, "verb": "timeline"})
    wait_for(lambda: "The last" in " ".join(bot.workspace.texts(direct)), what="the answer")

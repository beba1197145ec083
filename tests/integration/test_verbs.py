"""Every verb, by everybody, everywhere: whatever is typed is answered with what happened or what to do."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest

from bot.sandbox.faults import Fault
from bot.sandbox.model import Message
from handlers.slack import table
from handlers.slack.speech import Stage, Verb, Where
from tests.conftest import LADDER, Client, Hands, InProcess, wait_for
from tests.integration.bodies import alert, body

HOSTILE = "<!channel> `*x*` \u202e & <@U0> <https://evil.example|x> {{ 7*7 }} ' OR 1=1 --"
WRONG = ("@nobody", "-1", "INC-20000101-001", "99999999999999999999", "next 0m", HOSTILE, "x" * 3000)


@pytest.fixture
def environ(environ: dict[str, str], tmp_path: Path) -> dict[str, str]:
    config = tmp_path / "sitrep.yaml"
    config.write_text(f"{LADDER}\nservices:\n  checkout: {{slack: [dana@example.com]}}\n")
    return environ


def said(message: Message) -> str:
    return f"{message.text} {message.blocks}"


def example(verb: Verb) -> str:
    return verb.example.replace("@ann", "@bob").replace("INC-20261121-001", "INC-20000101-001")


def say(bot: Client, text: str, user: str, channel: str) -> str:
    """Type a line; gives the answer, or what the form that opened is called."""
    before = {view.id for view in bot.workspace.open_views(user)}
    reply = bot.people.slash(user, channel, text)
    assert reply.status == 200, (text, reply)
    answer = str(reply.json.get("text", "")) if reply.body else ""
    forms = [view for view in bot.workspace.open_views(user) if view.id not in before]
    assert answer or forms, f"{text!r} was answered with nothing"
    assert "Traceback" not in answer
    assert "<!channel>" not in answer
    return answer or str(forms[-1].body["title"]["text"])


@pytest.mark.parametrize("verb", table.VERBS, ids=lambda verb: verb.name)
def test_a_verb_answers_whatever_is_typed(bot: Client, verb: Verb) -> None:
    """Complete, missing, wrong and hostile arguments; by a lead, a responder, a stranger; open, resolved, nowhere."""
    number, channel = bot.open_one()
    bot.slash("lead", "alice", channel)
    lines = [example(verb), verb.name, *(f"{verb.name} {wrong}" for wrong in WRONG)]
    if verb.where is Where.INCIDENT:
        for user in ("alice", "bob"):
            assert "belongs to no incident" in say(bot, example(verb), user, "general")
        assert "There is no INC-20000101-001" in say(bot, f"INC-20000101-001 {verb.name}", "bob", channel)
    for line in lines:
        say(bot, line, "dana", channel)
        say(bot, f"{number} {line}", "bob", "general")
        say(bot, line, "alice", channel)
    bot.slash("resolve Done", "alice", channel)
    for user, line in (("bob", example(verb)), ("alice", verb.name)):
        say(bot, line, user, channel)
    assert not [e for e in bot.events(number) if e["kind"] == "delivery_failed"]


@pytest.mark.parametrize("verb", [v for v in table.VERBS if v.stage is not Stage.ANY], ids=lambda verb: verb.name)
def test_a_verb_changes_nothing_at_the_wrong_stage(bot: Client, verb: Verb) -> None:
    """What the table says is for open incidents is refused by one that is over, and the other way round."""
    number = bot.slash("declare A disk is full sev4").split()[1]
    bot.wait_event(number, "runbook_posted")
    if verb.stage is Stage.OPEN:
        bot.slash(f"{number} resolve Done")
    before = bot.kinds(number)
    if verb.name == "resolve":  # what a second person says of the end is added to it
        before.append("note")
    answer = say(bot, f"{number} {example(verb)}", "bob", "general")
    assert bot.kinds(number) == before, answer


def test_the_bare_command_opens_what_is_wanted(bot: Client) -> None:
    """Outside a channel the form to declare; inside a panel with buttons that work."""
    assert say(bot, "", "alice", "general") == "Declare an incident"
    number, channel = bot.open_one()
    reply = bot.people.slash("alice", channel, "")
    actions = [e["action_id"] for block in reply.json["blocks"] for e in block.get("elements", ())]
    assert {"incident_update", "incident_resolve", "incident_catchup", "incident_mitigate"} <= set(actions)
    assert number in reply.json["text"]


def test_unknown_words_never_declare(bot: Client) -> None:
    """Outside a channel they are a title in the form; a slip of a verb is corrected; inside help is offered."""
    say(bot, "Checkout is down", "alice", "general")
    blocks = bot.workspace.open_views("alice")[-1].body["blocks"]
    assert next(b for b in blocks if b["block_id"] == "title")["element"]["initial_value"] == "Checkout is down"
    assert "Did you mean" in say(bot, "reslove it", "alice", "general")
    assert bot.incidents() == []
    _, channel = bot.open_one()
    assert "help" in say(bot, "qqqq", "alice", channel)


def test_missing_arguments_are_asked_for(bot: Client) -> None:
    """The form does what the line would, says what is wrong under its field, and answers in the channel."""
    number, channel = bot.open_one()
    assert say(bot, "sev", "bob", channel) == "Sev"
    view = bot.workspace.open_views("bob")[-1]
    assert view.body["blocks"][0]["element"]["initial_option"]["value"] == "2"
    assert bot.people.submit("bob", view.id, {"severity": "1", "why": "all <regions>"}).ok
    assert bot.wait_event(number, "severity_changed")["data"]["why"] == "all <regions>"
    assert say(bot, "merge", "bob", channel) == "No other incident is open."
    other = bot.slash("declare Another one sev4").split()[1]
    say(bot, "merge", "bob", channel)
    view = bot.workspace.open_views("bob")[-1]
    bot.slash(f"{other} resolve Gone", "alice")
    reply = bot.people.submit("bob", view.id, {"into": other})
    assert f"{other} is resolved" in reply.json["errors"]["into"]
    assert say(bot, "rename", "alice", channel) == "Rename"
    title = bot.workspace.open_views("alice")[-1].body["blocks"][0]["element"]["initial_value"]
    assert title == bot.incident(number)["title"]


def test_the_command_is_handed_over_by_accepting(bot: Client, hands: Hands) -> None:
    """The brief mentions whoever is asked; the role and the open tasks move; others cannot accept."""
    number, channel = bot.open_one()
    bot.slash("lead", "alice", channel)
    bot.slash("task add Call the provider <@" + bot.workspace.user("alice").id + ">", "alice", channel)
    assert "Offered the lead to bob" in bot.slash("handoff @bob", "alice", channel)
    offer = wait_for(lambda: bot.workspace.find(channel, "offers you the lead"), what="the offer")
    bot.people.press("dana", channel, offer.ts, "incident_accept")
    assert bot.incident(number)["lead"]["name"] == "alice"
    bot.people.press("bob", channel, offer.ts, "incident_accept")
    event = bot.wait_event(number, "handoff")
    assert (event["data"]["from"]["name"], event["data"]["to"]["name"], event["data"]["tasks"]) == ("alice", "bob", [1])
    assert bot.incident(number)["lead"]["name"] == "bob"
    wait_for(lambda: "incident_accept" not in str(offer.blocks) and ": accepted at" in said(offer), what="its end")
    assert "(bob)" in bot.slash("task list", "alice", channel)
    bot.slash("handoff @dana", "bob", channel)
    hands.advance(minutes=5.1)
    wait_for(lambda: bot.workspace.find(channel, "dana did not accept"), what="the notice")
    assert bot.incident(number)["lead"]["name"] == "bob"


def test_an_update_names_its_next(bot: Client, hands: Hands) -> None:
    """`next 30m` moves the reminder; `update same` goes back to the cadence of the severity."""
    number, channel = bot.open_one()
    bot.slash("ack", channel=channel)
    bot.slash("update The restore runs next 30m", channel=channel)
    hands.advance(minutes=16)
    assert "update_due" not in bot.kinds(number)
    hands.advance(minutes=9)
    bot.wait_event(number, "update_due")
    assert "Next update due" in bot.slash("update same", channel=channel)
    hands.advance(minutes=12.5)
    bot.wait_event(number, "update_due", 2)


def test_a_subscriber_gets_updates_directly(bot: Client) -> None:
    """Each update but one's own, until one has had enough."""
    _, channel = bot.open_one()
    assert "direct message" in bot.slash("subscribe", "dana", channel)
    bot.slash("update The pool is <scaled>", "alice", channel)
    direct = bot.workspace.direct("dana").id
    wait_for(lambda: "The pool is &lt;scaled&gt;" in " ".join(bot.workspace.texts(direct)), what="the message")
    bot.slash("unsubscribe", "dana", channel)
    assert "You don't get its updates" in bot.slash("unsubscribe", "dana", channel)


def test_an_update_stands_under_the_announcement(bot: Client) -> None:
    """The announcement is edited, and the update is in its thread; the form says where it goes."""
    number, channel = bot.open_one()
    bot.slash("subscribe", "dana", channel)
    bot.people.press("bob", channel, bot.workspace.pinned(channel)[0].ts, "incident_update")
    form = str(bot.workspace.open_views("bob")[-1].body)
    assert "the thread of its announcement in #incidents and one subscriber" in form
    bot.slash("update The pool is scaled", "alice", channel)
    announcement = wait_for(lambda: bot.workspace.find("incidents", number))

    def replies() -> str:
        return " ".join(bot.workspace.texts("incidents", announcement.ts))

    wait_for(lambda: "The pool is scaled" in replies(), what="the update in the thread")


def test_somebody_is_paged_by_name(bot: Client) -> None:
    """A person, and a service's people, after an acknowledgement too; why is in the page."""
    number, channel = bot.open_one()
    bot.slash("ack", channel=channel)
    assert bot.slash("page @bob the database is yours", "alice", channel) == "Paging bob."
    page = wait_for(lambda: bot.workspace.find(channel, "paged you"), what="the page")
    assert f"<@{bot.workspace.user('bob').id}>" in said(page)
    assert "the database is yours" in said(page)
    assert bot.slash("page CHECKOUT", "alice", channel) == "Paging checkout."
    wait_for(lambda: bot.kinds(number).count("page_delivered") == 3, what="the pages")
    assert "dana" in bot.slash("oncall checkout", "alice", "general")


def test_an_incident_is_merged_with_its_alerts(bot: Client) -> None:
    """Its alerts go on in the other; both timelines say so; nobody is paged for it any more."""
    number = bot.alertmanager(body(alert("aa"), group="one")).json()["outcome"].removeprefix("declared ")
    bot.wait_opened(number)
    other, channel = bot.open_one("declare Something larger sev1")
    assert "Still firing" in bot.slash(f"{number} merge {other}")
    assert f"Merged {number} into {other}." in bot.sure("alice", "general", "Merge")
    assert bot.incident(number)["status"] == "merged"
    assert bot.kinds(other).count("merged") == 1
    wait_for(lambda: "1 firing" in said(bot.workspace.pinned(channel)[0]), what="the alerts on the card")
    again = alert("bb", labels={**alert()["labels"], "pod": "p-9"})
    assert bot.alertmanager(body(alert("aa"), again, group="one")).json()["outcome"] == f"attached to {other}"
    assert "unmerge" in bot.slash(f"{number} ack")


def test_a_test_pages_nobody_and_says_so_everywhere(bot: Client) -> None:
    """Card, announcement and answers; no ladder, no PagerDuty; without a title a form asks for it."""
    assert say(bot, "test", "bob", "general") == "Rehearse an incident"
    bot.people.submit(
        "bob", bot.workspace.open_views("bob")[-1].id, {"title": "Restore the backup", "severity": "sev4"}
    )
    (rehearsed,) = bot.incidents()
    assert (rehearsed["title"], rehearsed["drill"]) == ("[TEST] Restore the backup", True)
    number, channel = bot.open_one("test Failover drill sev1")
    assert bot.incident(number)["drill"] is True
    assert "[TEST] Failover drill" in said(bot.workspace.pinned(channel)[0])
    assert "None: this is a test" in said(bot.workspace.pinned(channel)[0])
    assert "[TEST]" in said(wait_for(lambda: bot.workspace.find("incidents", number)))
    assert "paged" not in bot.kinds(number)


def test_a_catch_up_is_for_one_alone(bot: Client) -> None:
    """What happened, who does what, what comes next; nobody else sees it."""
    number, channel = bot.open_one()
    bot.slash("lead", "bob", channel)
    bot.slash("note The pool is <full> yesterday 00:01 UTC", channel=channel)
    reply = bot.people.slash("dana", channel, "catchup")
    shown = str(reply.json)
    for wanted in (number, "The pool is &lt;full&gt;", f"<@{bot.workspace.user('bob').id}>", "Next update"):
        assert wanted in shown
    assert reply.json["response_type"] == "ephemeral"
    assert bot.wait_event(number, "note")["occurred_at"][11:16] == "00:01"


def test_ends_other_than_a_resolution(bot: Client, service: InProcess) -> None:
    """Mitigated is watched, cancelled stops everything, and the summary and title are what people say."""
    number, channel = bot.open_one()
    assert "as mitigated. Its status is monitoring" in bot.slash("mitigate Rolled back", channel=channel)
    assert bot.wait_event(number, "mitigated")["text"] == "Mitigated: Rolled back"
    bot.slash("summary Writes fail since the failover", channel=channel)
    bot.slash("rename Writes fail in eu-1", channel=channel)
    incident: dict[str, Any] = bot.incident(number)
    assert (incident["summary"], incident["title"]) == ("Writes fail since the failover", "Writes fail in eu-1")
    bot.slash("cancel A test alert", channel=channel)
    bot.sure("alice", channel, "Cancel incident")
    assert bot.incident(number)["status"] == "cancelled"
    assert service.server is not None
    assert "Reopen" in bot.slash("update x", channel=channel)


def test_a_private_incident_is_nobodys_business(bot: Client) -> None:
    """A private channel with whoever declared it; in no announcement, list or answer of others; they cannot name it."""
    answer = bot.slash("private A laptop is gone sev2", "dana")
    assert "Only invited people see it" in answer
    number = next(word for word in answer.split() if word.startswith("INC-"))
    channel = bot.room(number)
    room = wait_for(lambda: next((c for c in bot.workspace.channels.values() if c.name == channel), None), what="it")
    wait_for(lambda: bot.workspace.user("dana").id in room.members, what="the invitation")
    wait_for(lambda: bot.workspace.pinned(channel), what="the card")
    assert room.is_private
    assert number not in " ".join(bot.workspace.texts("incidents") + bot.workspace.texts("ops-alerts"))
    assert "laptop" not in bot.slash("list", "bob")
    assert "laptop" in bot.slash("list", "dana")
    assert f"There is no {number}" in bot.slash(f"{number} timeline", "bob")
    assert bot.get(f"/api/v1/incidents/{number}").status_code == 404
    assert bot.get(f"/api/v1/incidents/{number}/timeline").status_code == 404
    assert bot.incidents() == []
    bot.slash("update Looking for it", "dana", channel)
    wait_for(lambda: bot.workspace.find(channel, "Update on"), what="the update")
    assert number not in " ".join(bot.workspace.texts("incidents"))


def test_a_private_incident_without_its_channel_shows_itself_nowhere(bot: Client) -> None:
    """Where Slack refuses the private channel, no thread takes its place; the operators hear of the failure alone."""
    bot.workspace.faults.add(Fault("conversations.create", "error", error="restricted_action"))
    bot.slash("private A laptop is gone", "dana")
    told = wait_for(lambda: bot.workspace.find("ops-alerts", "settings do not allow it"), what="the operators' message")
    assert "laptop" not in said(told)
    assert "laptop" not in " ".join(bot.workspace.texts("ops-alerts") + bot.workspace.texts("incidents"))

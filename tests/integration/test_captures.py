"""What people say becomes part of the timeline: by a pin, a reaction or a shortcut; and what becomes of it then."""

from __future__ import annotations

from typing import Any

import pytest

from bot.sandbox.model import Message
from tests.conftest import Client, both_databases, wait_for
from tests.integration.world import World

pytestmark = pytest.mark.events
CHECK = "white_check_mark"


def lines(bot: Client, number: str) -> list[dict[str, Any]]:
    return [event for event in bot.events(number) if event["kind"] == "pinned"]


def wait_line(bot: Client, number: str, count: int = 1) -> dict[str, Any]:
    return bot.wait_event(number, "pinned", count)


def marked(bot: Client, message: Message) -> bool:
    """True while the bot's own reaction is on a message."""
    return bot.workspace.bot.id in message.reactions.get(CHECK, [])


def say(bot: Client, channel: str, text: str, user: str = "bob", thread: str | None = None) -> Message:
    return bot.workspace.post(channel, user, text, thread_ts=thread)


def act(bot: Client, way: str, message: Message, user: str = "alice") -> None:
    {
        "pin": lambda: bot.workspace.pin(message.channel, message.ts, user),
        "unpin": lambda: bot.workspace.unpin(message.channel, message.ts, user),
        "react": lambda: bot.workspace.react(message.channel, message.ts, user, "pushpin"),
        "unreact": lambda: bot.workspace.unreact(message.channel, message.ts, user, "pushpin"),
        "shortcut": lambda: bot.people.shortcut(user, "timeline_add", message.channel, message.ts),
    }[way]()


def heard_all(bot: Client, world: World, channel: str) -> None:
    """Wait until the bot has heard of all that has happened: events come in order, and so does this one."""
    probe = say(bot, channel, "probe", "dana")
    bot.workspace.react(channel, probe.ts, "dana", "pushpin")
    wait_for(lambda: marked(bot, probe), what="the last event")
    world.settle()


def whispers(bot: Client, user: str) -> str:
    direct = [m.text for m in bot.workspace.direct(user).log]
    return " ".join([*(m.text for m in bot.workspace.ephemerals(user)), *direct])


def in_thread(bot: Client) -> tuple[str, Message]:
    """A sev3 with its card in the alerts channel; gives its number and a reply below the card."""
    number = next(word for word in bot.slash("declare Slow login sev3").split() if word.startswith("INC-"))
    bot.wait_event(number, "runbook_posted")
    card = bot.workspace.find("ops-alerts", number)
    assert card is not None
    return number, say(bot, "ops-alerts", "It is the LDAP pool", thread=card.ts)


@both_databases
@pytest.mark.parametrize("way", ["pin", "react", "shortcut"])
def test_a_message_is_put_on_the_timeline(bot: Client, way: str) -> None:
    """With its author, time, words and permalink; whoever did it is the actor, and a reaction confirms it."""
    number, channel = bot.open_one()
    message = say(bot, channel, f"The pool is &lt;empty&gt;, says <@{bot.workspace.user('dana').id}>")
    act(bot, way, message)
    line = wait_line(bot, number)
    assert line["text"].startswith("The pool is <empty>, says @")
    assert line["actor"]["id"] == bot.workspace.user("alice").id
    assert line["data"]["author"]["id"] == bot.workspace.user("bob").id
    assert line["data"]["author"]["name"].casefold() == "bob"
    assert (line["data"]["channel"], line["data"]["ts"]) == (message.channel, message.ts)
    assert line["occurred_at"] < line["recorded_at"]
    assert line["source"].endswith(f"/archives/{message.channel}/p{message.ts.replace('.', '')}")
    wait_for(lambda: marked(bot, message), what="the confirmation")


def test_however_often_it_is_done_there_is_one_line(bot: Client, world: World) -> None:
    """A pin, reactions of several people and the shortcut: one line, one confirmation, and the last one is told."""
    number, channel = bot.open_one()
    message = say(bot, channel, "The pool is empty")
    act(bot, "pin", message)
    act(bot, "react", message)
    act(bot, "react", message, "bob")
    wait_line(bot, number)
    act(bot, "shortcut", message, "charlie")
    wait_for(lambda: "on the timeline of" in whispers(bot, "charlie"), what="the answer")
    heard_all(bot, world, channel)
    mine = [line for line in lines(bot, number) if line["data"]["ts"] == message.ts]
    assert len(mine) == 1
    asked = [c for c in bot.workspace.calls if c.method == "reactions.add" and c.args["timestamp"] == message.ts]
    assert len(asked) == 1


@pytest.mark.parametrize(("way", "back"), [("pin", "unpin"), ("react", "unreact")])
def test_whoever_did_it_can_take_it_back(bot: Client, world: World, way: str, back: str) -> None:
    """The line stays and a later one supersedes it; the bot's reaction goes; nobody else's undoing changes anything."""
    number, channel = bot.open_one()
    message = say(bot, channel, "The pool is empty")
    act(bot, way, message)
    first = wait_line(bot, number)
    wait_for(lambda: marked(bot, message), what="the confirmation")
    if way == "react":
        act(bot, "react", message, "bob")
        act(bot, "unreact", message, "bob")
        heard_all(bot, world, channel)
        assert marked(bot, message)
        act(bot, back, message)
        later = wait_line(bot, number, 3)
    else:
        act(bot, back, message, "bob")
        heard_all(bot, world, channel)
        assert marked(bot, message)
        act(bot, "pin", message, "bob")
        act(bot, back, message)
        later = wait_line(bot, number, 3)
    assert later["data"] | {"supersedes": first["seq"], "removed": True} == later["data"]
    wait_for(lambda: not marked(bot, message), what="the reaction to go")
    export = bot.get(f"/api/v1/incidents/{number}/timeline", format="md").text
    assert "The pool is empty" not in export
    assert later["data"]["supersedes"] == first["seq"]
    assert first in lines(bot, number)
    act(bot, "react", message, "charlie")
    wait_line(bot, number, 4)
    wait_for(lambda: marked(bot, message), what="the confirmation")


def test_edits_and_the_deletion_are_kept(bot: Client, world: World) -> None:
    """Each edit is a line with the new words; an edit that changes no words is none; what was deleted stays said."""
    number, channel = bot.open_one()
    message = say(bot, channel, "Half of all logins fail")
    act(bot, "pin", message)
    first = wait_line(bot, number)
    bot.workspace.edit(channel, message.ts, "A tenth of all logins <!channel> fails")
    second = wait_line(bot, number, 2)
    assert second["text"] == "A tenth of all logins @channel fails"
    assert (second["data"]["supersedes"], second["data"]["edited"]) == (first["seq"], True)
    assert (second["source"], second["occurred_at"]) == (first["source"], first["occurred_at"])
    bot.workspace.edit(channel, message.ts, "A tenth of all logins <!channel> fails")
    heard_all(bot, world, channel)
    bot.workspace.delete(channel, message.ts)
    last = wait_line(bot, number, 4)
    assert (last["data"]["supersedes"], last["data"]["deleted"]) == (second["seq"], True)
    assert lines(bot, number)[:2] == [first, second]


def test_a_deleted_message_with_replies_leaves_a_tombstone(bot: Client) -> None:
    """Slack tells of it as of an edit; it is kept as a deletion."""
    number, channel = bot.open_one()
    message = say(bot, channel, "Half of all logins fail")
    say(bot, channel, "All of mine", thread=message.ts)
    act(bot, "react", message)
    wait_line(bot, number)
    bot.workspace.delete(channel, message.ts)
    assert wait_line(bot, number, 2)["data"]["deleted"] is True


@pytest.mark.parametrize("way", ["pin", "react", "shortcut"])
def test_what_is_said_in_a_thread_belongs_to_its_incident(bot: Client, way: str) -> None:
    """A sev3 lives in a thread of the alerts channel: a reply there is on its timeline, also after an edit."""
    number, reply = in_thread(bot)
    act(bot, way, reply)
    line = wait_line(bot, number)
    assert line["text"] == "It is the LDAP pool"
    assert "thread_ts=" in line["source"]
    wait_for(lambda: marked(bot, reply), what="the confirmation")
    bot.workspace.edit("ops-alerts", reply.ts, "It is the DNS")
    assert wait_line(bot, number, 2)["text"] == "It is the DNS"


def test_elsewhere_nothing_is_taken(bot: Client, world: World) -> None:
    """A pin or reaction where no incident is, another emoji, and the bot's own pin of its card change nothing."""
    number, channel = bot.open_one()
    bot.workspace.join("general", bot.workspace.bot.id)
    _, reply = in_thread(bot)
    for message in (say(bot, "general", "Lunch?"), say(bot, "ops-alerts", "Who is on call?")):
        act(bot, "pin", message)
        act(bot, "react", message)
    bot.workspace.react(reply.channel, reply.ts, "alice", "eyes")
    calls = len(bot.workspace.calls)
    heard_all(bot, world, channel)
    assert [line["data"]["text"] for line in lines(bot, number)] == ["probe"]
    assert "pinned" not in bot.kinds(bot.incidents()[0]["number"])
    assert bot.workspace.pinned(channel)
    assert len(bot.workspace.calls) - calls < 20


def test_slack_sends_an_event_again(bot: Client, world: World) -> None:
    """The repeat of an event changes nothing, not even after what it asked for was taken back."""
    number, channel = bot.open_one()
    message = say(bot, channel, "The pool is empty")
    alice = bot.workspace.user("alice").id
    item = {"type": "message", "channel": message.channel, "ts": message.ts}
    added = {"type": "reaction_added", "user": alice, "reaction": "pushpin::skin-tone-2", "item": item}
    assert bot.people.event(added, event_id="Ev1").status == 200
    wait_line(bot, number)
    assert bot.people.event(added | {"type": "reaction_removed"}, event_id="Ev2").status == 200
    wait_line(bot, number, 2)
    for event_id, event in (("Ev1", added), ("Ev2", added | {"type": "reaction_removed"})):
        assert bot.people.event(event, event_id=event_id, retry_num=1).status == 200
    world.settle()
    assert len(lines(bot, number)) == 2
    wait_for(lambda: not marked(bot, message), what="the reaction to go")


@pytest.mark.parametrize("kind", ["reaction", "pin"])
def test_it_was_taken_back_before_it_was_heard_of(bot: Client, world: World, kind: str) -> None:
    """Slack tells of both in the wrong order: nothing is on the timeline, and a later one is."""
    number, channel = bot.open_one()
    message = say(bot, channel, "The pool is empty")
    item: dict[str, Any] = {"type": "message", "channel": message.channel, "ts": message.ts}
    if kind == "pin":
        item = {"type": "message", "channel": message.channel, "message": message.api()}
    event = {"user": bot.workspace.user("alice").id, "reaction": "pushpin", "item": item}
    at = int(message.ts.split(".")[0])
    assert bot.people.event({**event, "type": f"{kind}_removed", "event_ts": f"{at + 2}.000100"}).status == 200
    assert bot.people.event({**event, "type": f"{kind}_added", "event_ts": f"{at + 1}.000100"}).status == 200
    world.settle()
    assert lines(bot, number) == []
    assert bot.people.event({**event, "type": f"{kind}_added", "event_ts": f"{at + 3}.000100"}).status == 200
    assert wait_line(bot, number)["text"] == "The pool is empty"


def test_an_older_edit_that_comes_late_changes_nothing(bot: Client, world: World) -> None:
    """Of two edits the later one counts, in whatever order they come."""
    number, channel = bot.open_one()
    message = say(bot, channel, "one")
    act(bot, "react", message)
    wait_line(bot, number)
    before = message.api()
    bob, seconds = message.user, int(message.ts.split(".")[0])
    event = {"type": "message", "subtype": "message_changed", "channel": message.channel, "hidden": True}
    for late, text in ((20, "three"), (10, "two")):
        edited = {"user": bob, "ts": f"{seconds + late}.000000"}
        bot.people.event(event | {"message": before | {"text": text, "edited": edited}, "ts": edited["ts"]})
    world.settle()
    assert [line["text"] for line in lines(bot, number)] == ["one", "three"]


def test_slack_does_not_say_what_the_message_is(bot: Client) -> None:
    """Then the event fails, so that Slack sends it again, and the message is on the timeline once it can be read."""
    number, channel = bot.open_one()
    message = say(bot, channel, "The pool is empty")
    item = {"type": "message", "channel": message.channel, "ts": message.ts}
    event = {"type": "reaction_added", "user": bot.workspace.user("alice").id, "reaction": "pushpin", "item": item}
    bot.workspace.latency_by_method["conversations.replies"] = 2.0
    assert bot.people.event(event, event_id="Ev1").status == 500
    assert lines(bot, number) == []
    bot.workspace.latency_by_method.clear()
    bot.workspace.latency_by_method["chat.getPermalink"] = 2.0
    assert bot.people.event(event, event_id="Ev1", retry_num=1).status == 200
    assert wait_line(bot, number)["source"] == ""


def test_a_message_that_cannot_be_read_is_refused(bot: Client, world: World) -> None:
    """Whoever wanted it on the timeline is told why, once, and what to do."""
    number, channel = bot.open_one()
    message = say(bot, channel, "The pool is empty")
    bot.workspace.scopes.remove("channels:history")
    act(bot, "react", message)
    why = "the app lacks a scope: conversations.replies needs the scope channels:history"
    wait_for(lambda: f"the bot can't read it ({why}). Add the scope" in whispers(bot, "alice"), what="the answer")
    world.settle()
    assert lines(bot, number) == []


def test_the_live_card_is_taken_once(bot: Client, world: World) -> None:
    """Somebody who pins it to the timeline keeps what it said; its later edits are no lines."""
    number, channel = bot.open_one()
    (card,) = bot.workspace.pinned(channel)
    act(bot, "react", card)
    wait_line(bot, number)
    bot.slash("sev 1", channel=channel)
    world.settle()
    heard_all(bot, world, channel)
    assert [line["data"]["ts"] == card.ts for line in lines(bot, number)] == [True, False]


@pytest.mark.parametrize(
    "text", ["<!channel> look", "<@U0|`x`> | a \\| b", "=HYPERLINK(1)", "\u202egnorw", "<https://evil.example|bank>"]
)
def test_hostile_text_is_kept_and_runs_nowhere(bot: Client, world: World, text: str) -> None:
    """It pages nobody, breaks no table, and is no formula."""
    number, channel = bot.open_one()
    message = say(bot, channel, text)
    act(bot, "pin", message)
    line = wait_line(bot, number)
    assert "\u202e" not in line["text"]
    bot.people.shortcut("alice", "followup_add", message.channel, message.ts)
    bot.people.submit("alice", bot.workspace.open_views("alice")[-1].id)
    bot.wait_event(number, "followup_added")
    world.settle()
    card = next(str(m.blocks) for m in bot.workspace.pinned(channel) if m.bot)
    assert "*Latest*" in card
    told = [card, *(f"{m.text}{m.blocks}" for m in bot.workspace.channel(channel).log if m.bot and m.ts > message.ts)]
    assert not [text for text in told if "<!channel>" in text or "<https://evil" in text]
    csv = bot.get(f"/api/v1/incidents/{number}/timeline", format="csv").text
    assert ",=HYPERLINK" not in csv
    md = bot.get(f"/api/v1/incidents/{number}/timeline", format="md").text
    assert md.count("**Message** (") == 1
    assert "<!channel>" not in md
    assert {len(row.replace("\\|", "").split("|")) for row in md.splitlines() if row.startswith("| <")} <= {6}


@pytest.mark.parametrize("way", ["pin", "react", "shortcut"])
def test_what_an_app_says_is_kept(bot: Client, way: str) -> None:
    """Blocks, attachments and files, with everyone by name; the fallback text that nobody sees is left out."""
    number, channel = bot.open_one()
    group = bot.workspace.add_usergroup("db-team", ["dana"])
    bob, there = bot.workspace.user("bob").id, bot.workspace.channel(channel).id
    bot.workspace.add_user("ci", is_bot=True)
    elements = [
        {"type": "text", "text": "ask "},
        {"type": "usergroup", "usergroup_id": group.id},
        {"type": "text", "text": " in "},
        {"type": "channel", "channel_id": there},
        {"type": "text", "text": ", see "},
        {"type": "link", "url": "https://ci.example/42?a=1&b=2", "text": "the log"},
    ]
    blocks = [
        {"type": "header", "text": {"type": "plain_text", "text": "Deploy failed"}},
        {"type": "rich_text", "elements": [{"type": "rich_text_section", "elements": elements}]},
        {"type": "context", "elements": [{"type": "mrkdwn", "text": f"by <@{bob}>"}]},
    ]
    extra = {"attachments": [{"title": "main", "fields": [{"title": "Tests", "value": "2 &lt; 3"}]}]}
    message = bot.workspace.post(channel, "ci", "fallback", blocks=blocks, extra=extra)
    act(bot, way, message)
    line = wait_line(bot, number)
    place = bot.workspace.channel(channel).name
    assert line["text"].splitlines() == [
        "Deploy failed",
        f"ask @db-team in #{place}, see the log (https://ci.example/42?a=1&b=2)",
        f"by @{bot.workspace.user('bob').name}",
        "main",
        "Tests: 2 < 3",
    ]


def test_a_preview_of_a_link_is_no_edit(bot: Client, world: World) -> None:
    """Slack adds it a moment later, as a change of the message."""
    number, channel = bot.open_one()
    message = say(bot, channel, "see <https://acme.slack.com/archives/C1/p1>")
    act(bot, "pin", message)
    wait_line(bot, number)
    before = message.api()
    shown = {"from_url": "https://acme.slack.com/archives/C1/p1", "message_blocks": [{"message": {"text": "x"}}]}
    event = {"type": "message", "subtype": "message_changed", "channel": message.channel, "hidden": True}
    bot.people.event(event | {"message": before | {"attachments": [shown]}, "previous_message": before, "ts": "9.1"})
    heard_all(bot, world, channel)
    assert [line["text"] for line in lines(bot, number)][:-1] == ["see https://acme.slack.com/archives/C1/p1"]


@pytest.mark.parametrize("labelled", ["<@{id}>", "<@{id}|bob>", "<@{id}|>"])
def test_one_person_has_one_name(bot: Client, labelled: str) -> None:
    """In a note, in a message and in the export, whatever handle came beside the mention."""
    number, channel = bot.open_one()
    person = bot.workspace.user("bob")
    person.display_name = "Bob Young"
    mention = labelled.format(id=person.id)
    bot.slash(f"note {mention} restarts it", channel=channel)
    assert bot.wait_event(number, "note")["text"] == "@Bob Young restarts it"
    act(bot, "pin", say(bot, channel, f"{mention} is on it"))
    line = wait_line(bot, number)
    assert (line["text"], line["data"]["author"]["name"]) == ("@Bob Young is on it", "Bob Young")
    export = bot.get(f"/api/v1/incidents/{number}/timeline", format="md").text
    assert "**Message** (Bob Young, added by " in export


def test_from_elsewhere_the_incident_is_chosen(bot: Client) -> None:
    """A form lists the open incidents; the answer comes to whoever chose, and the message is kept with its address."""
    first, _ = bot.open_one()
    second, _ = bot.open_one("declare Logins fail sev1")
    message = say(bot, "general", "Users are calling us " + '\n"x" ' * 2000)
    assert bot.people.shortcut("alice", "timeline_add", "general", message.ts).status == 200
    view = bot.workspace.open_views("alice")[-1]
    assert first in str(view.body)
    assert bot.people.submit("alice", view.id, {"incident": second}).json == {}
    line = wait_line(bot, second)
    assert line["text"].startswith("Users are calling us")
    assert line["source"].endswith(f"p{message.ts.replace('.', '')}")
    wait_for(lambda: f"Added to the timeline of {second}" in whispers(bot, "alice"), what="the answer")
    assert "pinned" not in bot.kinds(first)


def test_without_an_open_incident_there_is_nothing_to_choose(bot: Client) -> None:
    """The answer names the command that declares one."""
    message = say(bot, "general", "Users are calling us")
    for name in ("timeline_add", "followup_add"):
        assert bot.people.shortcut("alice", name, "general", message.ts).status == 200
    wait_for(lambda: whispers(bot, "alice").count("No incident is open. Declare one") == 2, what="the answers")


def test_an_incident_is_declared_from_a_message(bot: Client) -> None:
    """Its first line is the title; what looks like an error is in the error's field, and gives the incident its ids."""
    pasted = 'Login is down\n{"error": {"code": "quota_exceeded", "correlation_id": "c-9"}}'
    message = say(bot, "general", pasted)
    assert bot.people.shortcut("alice", "incident_from_message", "general", message.ts).status == 200
    view = bot.workspace.open_views("alice")[-1]
    assert bot.people.submit("alice", view.id).json == {}
    incident = bot.incidents()[0]
    assert (incident["title"], incident["correlation_id"]) == ("Login is down", "c-9")
    wait_for(lambda: f"Declared {incident['number']}" in whispers(bot, "alice"), what="the answer")
    plain = say(bot, "general", "Lunch is late")
    bot.people.shortcut("alice", "incident_from_message", "general", plain.ts)
    elements = [b["element"] for b in bot.workspace.open_views("alice")[-1].body["blocks"] if b["type"] == "input"]
    assert [e.get("initial_value") for e in elements if e["action_id"] in {"title", "error"}] == ["Lunch is late", None]


def test_the_global_shortcut_opens_the_form(bot: Client) -> None:
    """From nowhere: the answer comes as a direct message."""
    assert bot.people.shortcut("alice", "incident_declare").status == 200
    assert bot.people.submit("alice", bot.workspace.open_views("alice")[-1].id, {"title": "Login is down"}).json == {}
    wait_for(lambda: "Declared INC-" in whispers(bot, "alice"), what="the answer")


def test_a_message_is_made_a_follow_up(bot: Client) -> None:
    """With an owner, a day and its address; from elsewhere the incident is chosen; a day that is none is refused."""
    number, channel = bot.open_one()
    message = say(bot, channel, "Raise the pool's limit")
    bot.people.shortcut("alice", "followup_add", channel, message.ts)
    view = bot.workspace.open_views("alice")[-1]
    dana = bot.workspace.user("dana").id
    assert "due" in bot.people.submit("alice", view.id, {"due": "tomorrow"}).errors
    assert bot.people.submit("alice", view.id, {"due": "2026-12-01", "owner": dana}).json == {}
    event = bot.wait_event(number, "followup_added")
    assert (event["text"], event["data"]["due"]) == ("Raise the pool's limit", "2026-12-01")
    assert event["data"]["owner"].casefold() == "dana"
    assert event["source"].endswith(f"p{message.ts.replace('.', '')}")
    other = say(bot, "general", "Write to the customers")
    bot.people.shortcut("bob", "followup_add", "general", other.ts)
    assert bot.people.submit("bob", bot.workspace.open_views("bob")[-1].id).json == {}
    assert bot.wait_event(number, "followup_added", 2)["text"] == "Write to the customers"
    wait_for(lambda: f"Added the follow-up to {number}" in whispers(bot, "bob"), what="the answer")


class TestAnotherEmoji:
    """Which reaction counts is configured."""

    @pytest.fixture
    def environ(self, environ: dict[str, str]) -> dict[str, str]:
        with open(environ["SITREP_CONFIG"], "a") as file:  # noqa: PTH123
            file.write("slack: {timeline_reaction: ':memo:'}\n")
        return environ

    def test_only_the_configured_one_counts(self, bot: Client) -> None:
        """A pushpin is then like any other."""
        number, channel = bot.open_one()
        message = say(bot, channel, "The pool is empty")
        bot.workspace.react(channel, message.ts, "alice", "pushpin")
        bot.workspace.react(channel, message.ts, "bob", "memo")
        assert wait_line(bot, number)["actor"]["id"] == bot.workspace.user("bob").id

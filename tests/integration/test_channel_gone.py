"""An incident whose channel cannot be written goes on where people hear of it, and comes home."""

from __future__ import annotations

from collections.abc import Callable, Mapping

import pytest

from bot.incidents.moving import LOOK_AFTER
from bot.sandbox import rooms
from bot.sandbox.faults import Fault
from bot.sandbox.model import Message
from bot.sandbox.workspace import Workspace
from tests.conftest import Client, Hands, both_databases, wait_for
from tests.integration.world import World

pytestmark = pytest.mark.events
ALERTS = "ops-alerts"


def said(message: Message) -> str:
    return message.text + str(message.blocks)


def roots(bot: Client, number: str) -> list[Message]:
    """Give the incident's cards in the alerts channel."""
    return [m for m in bot.workspace.messages(ALERTS) if m.text.startswith(number) and m.subtype is None]


def thread(bot: Client, number: str) -> list[str]:
    """Give what was said below the incident's card in the alerts channel, oldest first."""
    return [said(m) for root in roots(bot, number) for m in bot.workspace.messages(ALERTS, root.ts)[1:]]


def count(texts: list[str], part: str) -> int:
    return sum(part in text for text in texts)


def everywhere(bot: Client, part: str) -> list[str]:
    """Give the names of the channels in which something was said to all, one for each time."""
    return [
        place.name or place.members[-1]
        for place in bot.workspace.channels.values()
        for message in place.log
        if part in said(message) and message.ephemeral_to is None and message.subtype is None
    ]


def archive(ws: Workspace, channel: str) -> None:
    rooms.archive(ws, channel, "alice")


def delete(ws: Workspace, channel: str) -> None:
    rooms.delete(ws, channel, "alice")


def kick_for_good(ws: Workspace, channel: str) -> None:
    ws.faults.add(Fault("conversations.join", "error", error="method_not_supported_for_channel_type", times=None))
    rooms.leave(ws, channel, ws.bot.id, by="alice")


def read_only(ws: Workspace, channel: str) -> None:
    room = ws.channel(channel).id
    only_there = Fault(
        "chat.postMessage",
        "error",
        error="restricted_action_read_only_channel",
        times=None,
        where=lambda args: args["channel"] == room,
    )
    ws.faults.add(only_there)


SPOILS = [
    (archive, "is archived", "Unarchive it"),
    (delete, "was deleted", "/invite @Sitrep"),
    (kick_for_good, "the bot was removed from", "Invite the bot with"),
    (read_only, "is not allowed to post", "Let the app post there"),
]


@pytest.fixture(params=[True, False], ids=["told by events", "no events"])
def tells(request: pytest.FixtureRequest, bot: Client) -> bool:
    """Whether Slack tells the bot what becomes of channels."""
    if not request.param:
        bot.workspace.event_sink = None
    return bool(request.param)


@pytest.mark.parametrize(("spoil", "why", "fix"), SPOILS)
def test_what_is_said_goes_on_in_the_alerts_channel(
    bot: Client, world: World, tells: bool, spoil: Callable[[Workspace, str], None], why: str, fix: str
) -> None:
    """The card is posted there once with the reason and the fix; updates and the resolution follow below it, once."""
    number, channel = bot.open_one()
    bot.slash(f"{number} ack")
    world.settle()
    spoil(bot.workspace, channel)
    if tells and spoil in {archive, delete}:
        bot.wait_event(number, "delivery_failed")
    bot.slash(f"{number} update The proxy is broken")
    bot.slash(f"{number} status identified")
    bot.slash(f"{number} resolve The proxy was restarted")
    wait_for(lambda: count(thread(bot, number), "was restarted"), what="the resolution")
    world.settle()
    (root,) = roots(bot, number)
    assert why in said(root).replace("The bot", "the bot")
    assert fix in said(root)
    assert f"#{channel}" in said(root)
    for part in ("Update on", "*identified*", "is resolved"):
        assert count(thread(bot, number), part) == 1, part
    assert "is_archived" not in "".join(thread(bot, number)) + said(root)
    assert bot.kinds(number).count("delivery_failed") == 1


@both_databases
def test_a_page_is_not_lost_with_the_channel(bot: Client, world: World, hands: Hands) -> None:
    """Archived between the first page and the second: both levels are mentioned in the thread, each once."""
    number, channel = bot.open_one()
    world.settle()
    bot.workspace.event_sink = None
    archive(bot.workspace, channel)
    hands.advance(minutes=5.1)
    bob = bot.workspace.user("bob").id
    wait_for(lambda: count(thread(bot, number), f"<@{bob}> you are paged"), what="the page")
    bot.wait_event(number, "page_delivered", 2)
    world.settle()
    assert count(thread(bot, number), f"<@{bob}> you are paged") == 1
    (root,) = roots(bot, number)
    page = next(m for m in bot.workspace.messages(ALERTS, root.ts) if f"<@{bob}> you are" in said(m))
    assert bot.people.press("bob", ALERTS, page.ts, "incident_ack", number).ok
    bot.wait_event(number, "acknowledged")
    world.settle()
    assert bot.kinds(number).count("escalated") == 1


def test_whoever_was_paged_in_a_channel_that_is_archived_is_paged_in_the_thread(bot: Client, world: World) -> None:
    """Nobody has answered, and the page's buttons are gone with the channel."""
    number, channel = bot.open_one()
    world.settle()
    archive(bot.workspace, channel)
    alice = bot.workspace.user("alice").id
    wait_for(lambda: count(thread(bot, number), f"<@{alice}> you are paged"), what="the page")
    world.settle()
    assert count(thread(bot, number), f"<@{alice}> you are paged") == 1
    assert count(thread(bot, number), "Runbook:") == 1


@pytest.mark.parametrize("nth", [1, 2, 3])
def test_a_channel_that_is_archived_while_it_opens(bot: Client, world: World, nth: int) -> None:
    """Whatever was posted before, the first level is told once, and the incident has its card and runbook."""
    bot.workspace.event_sink = None

    def before(_index: int, method: str, args: object) -> None:
        rows = [c for c in bot.workspace.channels.values() if c.name.startswith("incident-")]
        posts = [c for c in bot.workspace.calls if c.method == "chat.postMessage"]
        mine = [c for c in posts if rows and c.args.get("channel") == rows[0].id]
        if method == "chat.postMessage" and len(mine) == nth and rows and not rows[0].archived:
            rows[0].archived = True

    bot.workspace.before_call = before
    number = bot.slash("declare Checkout is down sev2").split()[1]
    bot.wait_event(number, "delivery_failed")
    bot.wait_event(number, "page_delivered")
    world.settle()
    bot.workspace.before_call = None
    alice = bot.workspace.user("alice").id
    told = count(thread(bot, number), f"<@{alice}>")
    in_channel = [m for m in bot.workspace.messages(bot.room(number)) if f"<@{alice}>" in said(m) and m.bot]
    mentioned = [m for m in in_channel if "declared" in m.text]
    assert (told, len(mentioned)) in {(1, 0), (1, 1)}, thread(bot, number)
    assert len(roots(bot, number)) == 1
    assert count(thread(bot, number), "Runbook:") >= 1
    assert "page_failed" not in bot.kinds(number)
    bot.workspace.channel(bot.room(number)).archived = False
    bot.slash(f"{number} update Here", channel="general")
    world.settle()
    assert everywhere(bot, "Update on").count(bot.room(number)) <= 1


@both_databases
def test_what_was_said_before_the_answer_was_lost_is_not_said_again(bot: Client, world: World) -> None:
    """An update lands in the channel, its answer is lost, and the channel is archived before it can be looked for."""
    number, channel = bot.open_one()
    bot.slash(f"{number} ack")
    world.settle()
    room = bot.workspace.channel(channel)

    def after(_index: int, method: str, args: Mapping[str, object]) -> None:
        if method == "chat.postMessage" and "Update on" in str(args["text"]):
            room.archived = True

    bot.workspace.after_call = after
    bot.workspace.faults.add(Fault("chat.postMessage", "drop_after", where=lambda a: "Update on" in str(a["text"])))
    bot.slash(f"{number} update Said once")
    wait_for(lambda: room.archived, what="the archiving")
    bot.slash(f"{number} status identified")
    wait_for(lambda: roots(bot, number), what="the card in the alerts channel")
    wait_for(lambda: count(thread(bot, number), "*identified*"), what="the message in the thread")
    world.settle()
    assert everywhere(bot, "Update on") == [channel]


@pytest.mark.parametrize("event", [True, False])
def test_it_comes_home(bot: Client, world: World, hands: Hands, event: bool) -> None:
    """Once the channel can be written the incident goes on in it: at once by Slack's event, else by a later look."""
    number, channel = bot.open_one()
    bot.slash(f"{number} ack")
    world.settle()
    archive(bot.workspace, channel)
    bot.wait_event(number, "delivery_failed")
    bot.slash(f"{number} update Said outside")
    world.settle()
    sink = bot.workspace.event_sink
    if not event:
        bot.workspace.event_sink = None
    rooms.unarchive(bot.workspace, channel, "alice")
    if not event:
        hands.advance(LOOK_AFTER + 1)
    wait_for(lambda: bot.workspace.find(channel, "continues here"), what="the way back")
    wait_for(lambda: count(thread(bot, number), "The channel is open now"), what="the word in the thread")
    bot.workspace.event_sink = sink
    bot.slash(f"{number} update Said at home")
    wait_for(lambda: bot.workspace.find(channel, "Update on"), what="the update")
    world.settle()
    assert count(thread(bot, number), "Said at home") == 0
    assert everywhere(bot, "continues here") == [channel]
    (card,) = bot.workspace.pinned(channel)
    assert "Said at home" in said(card)
    assert "is archived" not in said(roots(bot, number)[0])
    runbooks = [m for m in bot.workspace.messages(channel) if "Runbook:" in said(m)]
    assert len(runbooks) == 1
    archive(bot.workspace, channel)
    wait_for(lambda: "is archived" in said(roots(bot, number)[0]), what="the card, away once more")
    world.settle()
    assert len(roots(bot, number)) == 1


def test_a_bot_that_is_invited_again_comes_home(bot: Client, world: World) -> None:
    """Removed where it may not join by itself, it goes on in the thread until somebody brings it back."""
    number, channel = bot.open_one()
    bot.slash(f"{number} ack")
    world.settle()
    kick_for_good(bot.workspace, channel)
    bot.slash(f"{number} update Said outside")
    wait_for(lambda: count(thread(bot, number), "Said outside"), what="the update")
    bot.workspace.join(channel, bot.workspace.bot.id, inviter="alice")
    wait_for(lambda: bot.workspace.find(channel, "continues here"), what="the way back")
    assert "responder_joined" not in [e["kind"] for e in bot.events(number) if e["actor"]["name"] == "Sitrep"]


def private_one(bot: Client, world: World) -> tuple[str, str]:
    number = bot.slash("private Somebody is in our network").split()[1]
    channel = bot.room(number)
    wait_for(lambda: "runbook_posted" in kinds(world), what="the runbook")
    world.settle()
    return number, channel


def kinds(world: World) -> list[str]:
    """Give the kinds of all events; a private incident is shown to no reader of the API."""
    return [str(row["kind"]) for row in world.rows("SELECT kind FROM events ORDER BY seq")]


@pytest.mark.parametrize("spoil", [archive, delete, lambda ws, c: rooms.leave(ws, c, ws.bot.id, by="alice")])
def test_a_private_incident_stays_private(
    bot: Client, world: World, hands: Hands, spoil: Callable[[Workspace, str], None]
) -> None:
    """Its lead hears of it in direct messages, those who are paged too, the operators that it is so: nobody else."""
    number, channel = private_one(bot, world)
    bot.slash("lead", channel=channel)
    world.settle()
    spoil(bot.workspace, channel)
    bot.slash(f"{number} update The attacker is out")
    hands.advance(minutes=5.1)
    wait_for(lambda: "escalated" in kinds(world), what="the second level")
    world.settle()
    alice, bob = (bot.workspace.user(name).id for name in ("alice", "bob"))
    assert "The attacker is out" in "".join(said(m) for m in bot.workspace.messages(bot.workspace.direct("alice").id))
    assert set(everywhere(bot, "The attacker is out")) <= {alice, bob}
    assert set(everywhere(bot, "in our network")) <= {alice, bob, channel}
    (page,) = [m for m in bot.workspace.messages(bot.workspace.direct("bob").id) if "you are paged" in said(m)]
    assert everywhere(bot, f"{number} is private") == [ALERTS]
    assert roots(bot, number) == []
    assert bot.people.press("bob", bot.workspace.direct("bob").id, page.ts, "incident_ack", number).ok
    wait_for(lambda: "acknowledged" in kinds(world), what="the acknowledgement")


def test_a_rename_changes_nothing_but_the_name(bot: Client, world: World, hands: Hands) -> None:
    """The incident is known by the channel's id; the name that is shown follows, also where no event tells."""
    number, channel = bot.open_one()
    world.settle()
    rooms.rename(bot.workspace, channel, "checkout-is-down", "alice")
    wait_for(lambda: _name(bot, number) == "checkout-is-down", what="the name")
    bot.workspace.event_sink = None
    rooms.rename(bot.workspace, "checkout-is-down", "search-is-down", "bob")
    bot.slash("update Still looking", channel="search-is-down")
    wait_for(lambda: _name(bot, number) == "search-is-down", what="the name")
    world.settle()
    assert everywhere(bot, "Update on").count("search-is-down") == 1
    archive(bot.workspace, "search-is-down")
    bot.slash(f"{number} status identified")
    wait_for(lambda: roots(bot, number), what="the card")
    assert "#search-is-down is archived" in said(roots(bot, number)[0])


def _name(bot: Client, number: str) -> str:
    exported = bot.get(f"/api/v1/incidents/{number}/timeline", format="json").json()
    return str(exported["incident"]["channel"]["name"])


def test_answers_say_where_it_goes(bot: Client, world: World) -> None:
    """Whoever posts an update while the channel is shut reads where it went, and so does the form."""
    number, channel = bot.open_one()
    bot.slash(f"{number} ack")
    world.settle()
    assert "goes on in its thread" not in bot.slash(f"{number} update Before")
    archive(bot.workspace, channel)
    bot.wait_event(number, "delivery_failed")
    answer = bot.slash(f"{number} update After")
    assert f"#{channel} is archived" in answer
    assert "in its thread in the alerts channel" in answer
    assert "Unarchive it to move back" in answer
    assert "is archived" in bot.slash(f"{number} update same")
    assert "is archived" in bot.slash(f"{number} invite <@{bot.workspace.user('bob').id}>")
    bot.slash(f"{number} update")
    (view,) = bot.workspace.open_views("alice")
    assert "the incident's thread in the alerts channel" in str(view.body["blocks"])
    assert bot.people.submit("alice", view.id, {"state": "By the form"}).ok
    direct = bot.workspace.direct("alice").id
    wait_for(lambda: bot.workspace.find(direct, "Posted the update."), what="the word to the author")
    wait_for(lambda: count(thread(bot, number), "By the form"), what="the update")


def test_reopening_unarchives(bot: Client, world: World) -> None:
    """What was archived at the end is brought back first, so that all that is said is said there."""
    number, channel = bot.open_one()
    bot.slash(f"{number} resolve It was the proxy")
    world.settle()
    archive(bot.workspace, channel)
    looks = "SELECT id FROM deliveries WHERE kind = 'channel_check'"
    wait_for(lambda: world.rows(looks), what="the look that Slack's event asks for")
    world.settle()
    assert roots(bot, number) == []
    bot.slash(f"{number} reopen It is back")
    wait_for(lambda: bot.workspace.find(channel, "reopened"), what="the word in the channel")
    world.settle()
    assert not bot.workspace.channel(channel).archived
    assert roots(bot, number) == []
    assert bot.workspace.count("conversations.unarchive") == 1


def test_reopening_goes_on_in_the_thread_where_slack_refuses(bot: Client, world: World) -> None:
    """An app may not unarchive everywhere: the incident goes on at once, and says where and why."""
    number, channel = bot.open_one()
    bot.slash(f"{number} resolve It was the proxy")
    world.settle()
    archive(bot.workspace, channel)
    bot.workspace.faults.add(Fault("conversations.unarchive", "error", error="not_in_channel", times=None))
    bot.slash(f"{number} reopen It is back")
    wait_for(lambda: count(thread(bot, number), "reopened"), what="the word in the thread")
    world.settle()
    (root,) = roots(bot, number)
    assert "is archived" in said(root)
    assert count(thread(bot, number), "reopened") == 1
    assert bot.workspace.find(bot.workspace.direct("alice").id, "Could not unarchive the channel.") is not None


def test_an_unarchive_without_an_answer_is_not_repeated_in_vain(bot: Client, world: World) -> None:
    """The lost answer is looked for: the channel is open, and what waited for it is said once."""
    number, channel = bot.open_one()
    bot.slash(f"{number} resolve It was the proxy")
    world.settle()
    archive(bot.workspace, channel)
    bot.workspace.faults.add(Fault("conversations.unarchive", "drop_after"))
    bot.slash(f"{number} reopen It is back")
    wait_for(lambda: bot.workspace.find(channel, "reopened"), what="the word in the channel")
    world.settle()
    assert bot.workspace.count("conversations.unarchive") == 1
    assert everywhere(bot, f"reopened {number}") == [channel]

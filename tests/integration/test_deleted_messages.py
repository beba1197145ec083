"""A message that is kept live and that somebody deletes is posted again, once, at the next change."""

from __future__ import annotations

import pytest

from bot.sandbox.faults import Fault
from bot.sandbox.model import Message
from tests.conftest import Client, both_databases, wait_for
from tests.integration.test_channel_gone import count, everywhere, roots, said, thread
from tests.integration.world import World


def cards(bot: Client, number: str, channel: str) -> list[Message]:
    """Give the cards in a channel."""
    return [m for m in bot.workspace.messages(channel) if m.text.startswith(f"{number}, sev2, is") and not m.subtype]


@both_databases
@pytest.mark.parametrize("lost", [False, True], ids=["answered", "answers lost"])
def test_a_deleted_card_comes_back_pinned(bot: Client, world: World, lost: bool) -> None:
    """Several changes at once find it gone, and answers are lost: there is one card, and it is pinned."""
    number, channel = bot.open_one()
    world.settle()
    (card,) = bot.workspace.pinned(channel)
    bot.workspace.delete(channel, card.ts)
    if lost:
        new = Fault("chat.postMessage", "drop_after", where=lambda args: f"{number}, sev2, is" in str(args["text"]))
        bot.workspace.faults.add(new, Fault("pins.add", "drop_after"))
    bot.slash(f"{number} status identified")
    bot.slash(f"{number} update The proxy is broken")
    wait_for(lambda: bot.workspace.pinned(channel), what="the pinned card")
    world.settle()
    (again,) = cards(bot, number, channel)
    assert bot.workspace.pinned(channel) == [again]
    assert "The proxy is broken" in said(again)
    bot.slash(f"{number} status monitoring")
    world.settle()
    assert "is monitoring" in again.text
    assert len(cards(bot, number, channel)) == 1
    assert "delivery_failed" not in bot.kinds(number)
    assert count(bot.workspace.texts("ops-alerts"), number) == 0


@pytest.mark.parametrize("replies", [0, 2])
def test_a_deleted_thread_begins_anew(bot: Client, world: World, replies: int) -> None:
    """An incident without a channel loses its card, with replies or none: nothing is lost or said twice."""
    number = bot.slash("declare A small thing sev3").split()[1]
    bot.wait_event(number, "runbook_posted")
    world.settle()
    (root,) = roots(bot, number)
    for message in bot.workspace.messages("ops-alerts", root.ts)[1 + replies :]:
        bot.workspace.delete("ops-alerts", message.ts)
    bot.workspace.delete("ops-alerts", root.ts)
    for text in ("One", "Two", "Three"):
        bot.slash(f"{number} update {text}")
    bot.slash(f"{number} update Looking")
    wait_for(lambda: roots(bot, number), what="the new card")
    world.settle()
    (new,) = roots(bot, number)
    assert new.ts != root.ts
    assert "Looking" in said(new)
    for text in ("One", "Two", "Three", "Looking"):
        assert len(everywhere(bot, f"Update on {number}: {text}")) == 1, text
    bot.slash(f"{number} update Four")
    wait_for(lambda: count(thread(bot, number), f"Update on {number}: Four"), what="the update below the new card")


def test_a_deleted_announcement_comes_back(bot: Client, world: World) -> None:
    """The next change posts it again, and updates follow below it."""
    number, _channel = bot.open_one()
    world.settle()
    old = bot.workspace.find("incidents", number)
    assert old is not None
    bot.workspace.delete("incidents", old.ts)
    bot.slash(f"{number} update Looking")
    wait_for(lambda: bot.workspace.find("incidents", "Looking"), what="the announcement")
    world.settle()
    new = [m for m in bot.workspace.messages("incidents") if number in said(m) and not m.subtype]
    assert len(new) == 1
    assert count([said(m) for m in bot.workspace.messages("incidents", new[0].ts)[1:]], "Looking") == 1


@pytest.mark.events
@pytest.mark.parametrize("posted", ["", "checklist.recovery"])
def test_a_deleted_runbook_comes_back(bot: Client, world: World, posted: str) -> None:
    """Slack tells of it: a runbook or a checklist is posted again at once, the card too, each once."""
    part = " items." if posted else "Runbook:"
    number, channel = bot.open_one()
    if posted:
        bot.slash(f"runbook {posted}", channel=channel)
        bot.wait_event(number, "runbook_posted", 2)
    world.settle()
    old = bot.workspace.find(channel, part)
    (card,) = bot.workspace.pinned(channel)
    assert old is not None
    for message in (old, card):
        bot.workspace.delete(channel, message.ts)
    wait_for(lambda: bot.workspace.find(channel, part), what="the message, again")
    wait_for(lambda: bot.workspace.pinned(channel), what="the card, pinned")
    bot.slash(f"{number} status identified")
    world.settle()
    assert len([m for m in bot.workspace.messages(channel) if part in said(m)]) == 1
    assert len(cards(bot, number, channel)) == 1


@pytest.mark.parametrize("which", ["card", "Runbook:"])
def test_an_event_that_slack_repeats_posts_nothing_twice(bot: Client, world: World, which: str) -> None:
    """Slack sends the event again and again, also once the message is back."""
    number, channel = bot.open_one()
    world.settle()
    (card,) = bot.workspace.pinned(channel)
    gone = card if which == "card" else bot.workspace.find(channel, which)
    assert gone is not None
    bot.workspace.delete(channel, gone.ts)
    event = {"type": "message", "subtype": "message_deleted", "channel": gone.channel, "deleted_ts": gone.ts}
    for turn in range(4):
        assert bot.people.event(event | {"ts": gone.ts}, event_id="Ev1", retry_num=turn or None).status == 200
        if turn % 2:
            world.settle()
    shown = cards(bot, number, channel) if which == "card" else []
    shown = shown or [m for m in bot.workspace.messages(channel) if which in said(m)]
    assert len(shown) == 1


def test_a_deleted_runbook_comes_back_with_the_next_step(bot: Client, world: World) -> None:
    """Without an event, a step that a tool reports finds it gone: it comes back with what was done of it."""
    number, channel = bot.open_one()
    world.settle()
    old = bot.workspace.find(channel, "Runbook:")
    assert old is not None
    bot.workspace.delete(channel, old.ts)
    run = bot.events(number)
    book = next(e["data"]["runbook_id"] for e in run if e["kind"] == "runbook_posted")
    for step in (1, 2):
        token = {"authorization": "Bearer responder-token"}
        body = {"actor": "alice", "runbook_id": book, "step": step, "state": "done"}
        answer = bot.http.post(f"/api/v1/incidents/{number}/events", json=body, headers=token)
        assert answer.status_code == 201, answer.text
    wait_for(lambda: bot.workspace.find(channel, "Runbook:"), what="the runbook, again")
    world.settle()
    (new,) = [m for m in bot.workspace.messages(channel) if "Runbook:" in said(m)]
    assert said(new).count("Done by alice") == 2


@pytest.fixture
def environ(environ: dict[str, str]) -> dict[str, str]:
    return environ | {"SITREP_API_TOKENS": f"{environ['SITREP_API_TOKENS']},responder:responder-token"}

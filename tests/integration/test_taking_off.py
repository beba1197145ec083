"""What was put on a timeline by the shortcut can be taken off again, by a button and by whoever put it there."""

from __future__ import annotations

from typing import Any

import pytest

from bot.sandbox.model import Message
from tests.conftest import Client, both_databases, wait_for
from tests.integration.test_captures import act, heard_all, in_thread, lines, marked, say, wait_line
from tests.integration.world import World

pytestmark = pytest.mark.events
BUTTON = "timeline_take_off"


def told(bot: Client, user: str) -> list[Message]:
    """Give what somebody was told, privately; but not what commands have answered, which are typed in #general."""
    typed_in = bot.workspace.channel("general").id
    found = [m for m in bot.workspace.ephemerals(user) if m.channel != typed_in] + bot.workspace.direct(user).log
    return sorted({m.ts: m for m in found}.values(), key=lambda m: m.ts)


def wait_told(bot: Client, user: str, count: int) -> Message:
    """Wait for so many answers; gives the last."""
    wait_for(lambda: len(told(bot, user)) >= count, what="the answer")
    return told(bot, user)[count - 1]


def value(answer: Message) -> str:
    """Give the value of an answer's button, or nothing where it has none."""
    elements = (element for block in answer.blocks for element in block.get("elements", ()))
    return next((str(e["value"]) for e in elements if e.get("action_id") == BUTTON), "")


def press(bot: Client, answer: Message, user: str = "alice") -> None:
    reply = bot.people.press(user, answer.channel, answer.ts, BUTTON)
    assert reply.ok, reply


def added(bot: Client, message: Message, number: str) -> Message:
    """Have alice put a message on the timeline; gives the answer."""
    before = len(told(bot, "alice"))
    act(bot, "shortcut", message)
    answer = wait_told(bot, "alice", before + 1)
    assert answer.text == f"Added to the timeline of {number}."
    assert value(answer) == f"{message.channel}|{message.ts}|{number}"
    return answer


@both_databases
def test_whoever_added_it_takes_it_off(bot: Client) -> None:
    """The line stays and a later one supersedes it, the reaction goes; a second press says that it is off."""
    number, channel = bot.open_one()
    message = say(bot, channel, "The pool is empty")
    answer = added(bot, message, number)
    first = wait_line(bot, number)
    wait_for(lambda: marked(bot, message), what="the confirmation")
    press(bot, answer)
    assert wait_told(bot, "alice", 2).text == f"Taken off the timeline of {number}."
    later = wait_line(bot, number, 2)
    assert later["data"] | {"supersedes": first["seq"], "removed": True} == later["data"]
    assert later["actor"]["id"] == bot.workspace.user("alice").id
    wait_for(lambda: not marked(bot, message), what="the reaction to go")
    press(bot, answer)
    assert wait_told(bot, "alice", 3).text == f"It is no longer on the timeline of {number}."
    assert len(lines(bot, number)) == 2
    press(bot, added(bot, message, number))
    assert [line["data"].get("removed", False) for line in (wait_line(bot, number, 4), *lines(bot, number)[:3])] == [
        True,
        False,
        True,
        False,
    ]


def test_the_shortcut_used_again_offers_the_button_again(bot: Client, world: World) -> None:
    """To whoever added it; anybody else is told that it is there, and a pin or a reaction of theirs changes nothing."""
    number, channel = bot.open_one()
    message = say(bot, channel, "The pool is empty")
    added(bot, message, number)
    line = wait_line(bot, number)
    there = f"The message is already on the timeline of {number}: line {line['seq']}."
    act(bot, "shortcut", message)
    again = wait_told(bot, "alice", 2)
    assert again.text == there
    act(bot, "shortcut", message, "bob")
    assert (wait_told(bot, "bob", 1).text, value(wait_told(bot, "bob", 1))) == (there, "")
    act(bot, "pin", message)
    act(bot, "react", message, "bob")
    act(bot, "unpin", message)
    heard_all(bot, world, channel)  # whose own message is the second line
    press(bot, again)
    assert wait_line(bot, number, 3)["data"]["removed"] is True
    assert len(lines(bot, number)) == 3


def test_after_somebody_has_put_it_there_anew_the_old_button_is_no_more(bot: Client) -> None:
    """It says who can take it off, and how; whose button it is makes no difference."""
    number, channel = bot.open_one()
    message = say(bot, channel, "The pool is empty")
    answer = added(bot, message, number)
    press(bot, answer, "bob")
    assert wait_told(bot, "bob", 1).text.startswith("Someone else added it by the shortcut.")
    press(bot, answer)
    wait_line(bot, number, 2)
    act(bot, "pin", message)
    wait_line(bot, number, 3)
    press(bot, answer)
    own = "You added it again by a pin. Undo that to take it off."
    wait_for(lambda: own in [m.text for m in told(bot, "alice")], what="the answer")
    act(bot, "unpin", message)
    wait_line(bot, number, 4)
    act(bot, "react", message, "bob")
    wait_line(bot, number, 5)
    press(bot, answer)
    other = "Someone else added it by a reaction. Ask them to undo that."
    wait_for(lambda: other in [m.text for m in told(bot, "alice")], what="the answer")
    assert marked(bot, message) or wait_for(lambda: marked(bot, message), what="the confirmation")
    assert len(lines(bot, number)) == 5


def test_an_edit_is_taken_off_with_it_and_a_deletion_before_it(bot: Client) -> None:
    """What supersedes is the newest line; of a message that is gone there is nothing left to take off."""
    number, channel = bot.open_one()
    edited, deleted = say(bot, channel, "The pool is empty"), say(bot, channel, "It is DNS")
    answers = [added(bot, edited, number), added(bot, deleted, number)]
    wait_line(bot, number, 2)
    bot.workspace.edit(channel, edited.ts, "The pool is full")
    newest = wait_line(bot, number, 3)
    bot.workspace.delete(channel, deleted.ts)
    wait_line(bot, number, 4)
    for answer in answers:
        press(bot, answer)
    assert wait_line(bot, number, 5)["data"]["supersedes"] == newest["seq"]
    assert wait_told(bot, "alice", 4).text == f"It is no longer on the timeline of {number}."
    assert len(lines(bot, number)) == 5


def test_from_elsewhere_there_is_no_reaction_to_remove(bot: Client, world: World) -> None:
    """The answer and its button come as a direct message; nothing is asked of a channel that the bot is not in."""
    number, _ = bot.open_one()
    message = say(bot, "general", "Users are calling us")
    bot.people.shortcut("alice", "timeline_add", "general", message.ts)
    bot.people.submit("alice", bot.workspace.open_views("alice")[-1].id, {"incident": number})
    wait_line(bot, number)
    press(bot, wait_told(bot, "alice", 1))
    assert wait_line(bot, number, 2)["data"]["removed"] is True
    assert wait_told(bot, "alice", 2).text == f"Taken off the timeline of {number}."
    world.settle()
    assert not [call for call in bot.workspace.calls if call.method.startswith("reactions.")]
    assert "delivery_failed" not in bot.kinds(number)


def test_in_a_thread_the_reaction_goes_too(bot: Client) -> None:
    """A sev3's thread is its own place as a channel is; also after the end."""
    number, reply = in_thread(bot)
    answer = added(bot, reply, number)
    wait_for(lambda: marked(bot, reply), what="the confirmation")
    bot.slash(f"{number} resolve It was the DNS")
    press(bot, answer)
    assert wait_line(bot, number, 2)["data"]["removed"] is True
    wait_for(lambda: not marked(bot, reply), what="the reaction to go")


@pytest.mark.parametrize(
    ("forged", "said"),
    [
        ("", "Could not tell which message this button belongs to."),
        ("C1|now|INC-20261121-001", "Could not tell which message this button belongs to."),
        ("C1|1795230000.000100|INC-20261121-001|x", "Could not tell which message this button belongs to."),
        ("{channel}|1795230000.000100|{number}", "It is no longer on the timeline of INC-"),
        ("{channel}|{ts}|INC-20010101-001", "It is no longer on the timeline of INC-20010101-001"),
    ],
)
def test_a_value_that_fits_nothing_changes_nothing(bot: Client, forged: str, said: str) -> None:
    """It is told so; the line stays."""
    number, channel = bot.open_one()
    message = say(bot, channel, "The pool is empty")
    answer = added(bot, message, number)
    wait_line(bot, number)
    facts: dict[str, Any] = {"channel": message.channel, "ts": message.ts, "number": number}
    (button,) = next(block for block in answer.blocks if block["type"] == "actions")["elements"]
    button["value"] = forged.format(**facts)
    press(bot, answer)
    assert wait_told(bot, "alice", 2).text.startswith(said)
    assert len(lines(bot, number)) == 1

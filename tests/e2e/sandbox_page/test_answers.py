"""What comes of an act stands beside it: answers for one person alone, questions that were answered, errors."""

from __future__ import annotations

from typing import Any

import httpx
import pytest
from starlette.responses import Response

from tests.e2e.sandbox_page.here import NEEDS_BROWSER, Here, button, form, text

pytestmark = NEEDS_BROWSER
FAILED = "Could not reach Sitrep"


def respond(payload: dict[str, Any], **said: Any) -> None:
    assert httpx.post(payload["response_url"], json=said).status_code == 200


@pytest.mark.parametrize("way", ["response_url", "chat.postEphemeral"])
def test_an_answer_to_a_press_stands_under_its_message(here: Here, way: str) -> None:
    """What only I see, because I pressed a button far up, is not at the end of the channel."""
    here.card(button("Ask"), said="first")
    for number in range(3):
        here.card(button("Other"), said=f"later {number}")
    alice = here.workspace.user("alice").id

    def reply(payload: dict[str, Any]) -> None:
        if way == "response_url":
            respond(payload, text="only you", response_type="ephemeral", replace_original=False)
        else:
            here.api(way, channel=payload["channel"]["id"], user=alice, text="only you")

    here.answer(reply)
    tab = here.open_as("alice")
    tab.click("Ask")
    tab.sees("only you")
    said = "[...document.querySelectorAll('.message')].map((m) => m.innerText.match(/first|later \\d|only you/)[0])"
    assert tab.js(said) == ["first", "only you", "later 0", "later 1", "later 2"]
    assert "Only visible to you" in tab.js("document.querySelectorAll('.message')[1].innerText")


def test_an_answer_to_a_form_stands_under_what_opened_it(here: Here) -> None:
    """However long the form was open, the answer belongs to the message whose button was pressed."""
    here.card(button("Open"), said="first")
    here.card(button("Other"), said="later")
    place, alice = here.workspace.channel("incidents"), here.workspace.user("alice").id
    here.opens(form())
    tab = here.open_as("alice")
    tab.click("Open")
    tab.fill("a", "x")

    def reply(_: dict[str, Any]) -> None:
        here.api("chat.postEphemeral", channel=place.id, user=alice, text="only you")

    here.answer(reply)
    tab.submit()
    tab.sees("only you")
    assert "only you" in tab.js("document.querySelectorAll('.message')[1].innerText")


@pytest.mark.parametrize("line", ["/incident hlep me", "/incident", "/incident note a < b"])
def test_an_answer_to_a_command_names_it(here: Here, line: str) -> None:
    """The command is not in the channel, so its answer shows what was typed."""
    here.answer({"text": "There is no hlep."})
    tab = here.open_as("alice")
    tab.say(line)
    tab.sees("There is no hlep.")
    assert f"in answer to {line}" in tab.js("document.querySelector('.message').innerText")


@pytest.mark.parametrize(
    "becomes",
    [
        {"delete_original": True},
        {"replace_original": True, "text": "It is done."},
        {"replace_original": True, "text": "Sure?", "blocks": [{"type": "section", "text": text("Sure?")}]},
    ],
    ids=["deleted", "replaced by text", "replaced by blocks"],
)
def test_a_question_that_was_answered_changes_in_the_page(here: Here, becomes: dict[str, Any]) -> None:
    """The press on an ephemeral question shows what became of it; nobody can press it again."""
    question = {"type": "actions", "elements": [button("Yes"), button("No")]}
    here.answer({"text": "Really?", "blocks": [{"type": "section", "text": text("Really?")}, question]})
    tab = here.open_as("alice")
    tab.say("/incident maybe")
    tab.sees("Really?")
    here.answer(lambda payload: respond(payload, **becomes))
    tab.click("Yes")
    tab.until("!document.getElementById('messages').innerText.includes('Really?')", "another text")
    assert tab.js("document.querySelectorAll('.message .blocks button').length") == 0
    if "text" in becomes:
        tab.sees(becomes["text"])


@pytest.mark.parametrize("status", [500, 404, 401])
def test_a_press_that_fails_says_so_in_its_message(here: Here, status: int) -> None:
    """The error stands in the message whose button was pressed, and goes with the next press that works."""
    here.card(button("Ask"), said="first")
    here.card(button("Other"), said="second")
    here.answer(Response(status_code=status))
    tab = here.open_as("alice")
    tab.click("Ask")
    tab.shows(".message .told.bad")
    assert FAILED in tab.js("document.querySelector('.message').innerText")
    assert FAILED not in tab.js("document.querySelectorAll('.message')[1].innerText")
    here.answer(None)
    tab.click("Ask")
    tab.until("!document.querySelector('.message .told.bad')")


@pytest.mark.parametrize("status", [500, 404, 401])
def test_a_form_that_fails_says_so_in_itself(here: Here, status: int) -> None:
    """The form stays, with what was typed and the error."""
    here.card(button("Open"))
    here.opens(form())
    tab = here.open_as("alice")
    tab.click("Open")
    tab.fill("a", "typed")
    here.answer(Response(status_code=status))
    tab.click("Save")
    tab.sees(FAILED)
    assert FAILED in tab.js("document.querySelector('dialog').innerText")
    assert tab.js("document.querySelector('dialog textarea').value") == "typed"


def test_a_message_that_cannot_be_sent_is_kept(here: Here) -> None:
    """The error stands at the box, and the text stays in it; typing takes the error away."""
    tab = here.open_as("alice")
    here.workspace.channel("incidents").archived = True
    tab.say("hello")
    tab.until("document.getElementById('composer-note').checkVisibility()")
    assert "archived" in tab.js("document.getElementById('composer-note').textContent")
    assert tab.js("document.getElementById('say').value") == "hello"
    tab.js("document.getElementById('say').dispatchEvent(new Event('input'))")
    assert not tab.js("document.getElementById('composer-note').checkVisibility()")


def test_a_demo_that_has_ended_is_told(here: Here) -> None:
    """The page says so in the flow, and takes it back when there is an answer again."""
    tab = here.open_as("alice")
    here.server.stop()
    tab.sees("The demo does not answer.")
    here.server.start()
    tab.until("!document.getElementById('banner').checkVisibility()")

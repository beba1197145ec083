"""The page by keyboard: one tab stop a message, arrows between messages and inside menus, Enter, Escape."""

from __future__ import annotations

import pytest

from tests.e2e.browser import Tab
from tests.e2e.sandbox_page.here import NEEDS_BROWSER, Here, button, form, text

pytestmark = NEEDS_BROWSER


def focused(tab: Tab) -> str:
    """What the focused thing says: the card's name for a message, the text of a button, the id of a box."""
    return str(
        tab.js(
            """(() => {
              const node = document.activeElement;
              if (node.matches(".message")) return node.innerText.match(/card \\d|card/)[0];
              return node.id || node.textContent;
            })()"""
        )
    )


def start(tab: Tab, cards: int) -> None:
    """Put the focus on the first of so many messages."""
    tab.until(f"document.querySelectorAll('.message').length === {cards}")
    tab.js("document.querySelector('.message').focus()")


def test_each_message_is_one_tab_stop(here: Here) -> None:
    """Tab goes from message to message, each with a frame to be seen; nothing inside is a stop."""
    for number in (1, 2, 3):
        here.card(button("One"), button("Two"), said=f"card {number}")
    tab = here.open_as("alice")
    start(tab, 3)
    stops = "[...document.querySelectorAll('#messages, #messages *')].filter((n) => n.tabIndex >= 0)"
    assert tab.js(f"{stops}.every((n) => n.classList.contains('message')) && {stops}.length") == 3
    tab.press("Tab")
    assert focused(tab) == "card 2"
    assert tab.js("getComputedStyle(document.activeElement).outlineStyle") == "solid"
    tab.press("Tab")
    assert focused(tab) == "card 3"
    tab.press("Tab", shift=True)
    assert focused(tab) == "card 2"


@pytest.mark.parametrize(
    ("keys", "where"),
    [
        (["ArrowDown"], "card 2"),
        (["ArrowDown", "ArrowDown", "ArrowDown", "ArrowUp"], "card 2"),
        (["ArrowUp"], "card 1"),
        (["End"], "card 3"),
        (["End", "Home"], "card 1"),
        (["ArrowRight"], "One"),
        (["Enter"], "One"),
        (["ArrowRight", "ArrowRight"], "Two"),
        (["ArrowRight", "ArrowRight", "ArrowLeft"], "One"),
        (["ArrowRight", "ArrowLeft"], "card 1"),
        (["ArrowRight", "ArrowDown"], "card 2"),
        (["ArrowRight", "ArrowRight", "Escape"], "card 1"),
        (["Escape"], "say"),
        (["Escape", "ArrowUp"], "card 3"),
    ],
)
def test_arrows_lead_between_messages_and_to_their_buttons(here: Here, keys: list[str], where: str) -> None:
    """Up, down, home and end go between messages, left and right inside one, Escape a step out."""
    for number in (1, 2, 3):
        here.card(button("One"), button("Two"), said=f"card {number}")
    tab = here.open_as("alice")
    start(tab, 3)
    tab.press(*keys)
    assert focused(tab) == where


@pytest.mark.parametrize(("rights", "pressed"), [(0, "one"), (1, "two"), (2, "three")])
def test_enter_presses_a_button(here: Here, rights: int, pressed: str) -> None:
    """The bot hears of the button that has the focus, which stays there."""
    here.card(button("One"), button("Two"), button("Three"))
    tab = here.open_as("alice")
    start(tab, 1)
    tab.press("Enter", *["ArrowRight"] * rights, "Enter")
    assert here.asked()["actions"][0]["action_id"] == pressed
    assert focused(tab).lower() == pressed


@pytest.mark.parametrize(("rights", "where"), [(0, "card 1"), (2, "Two"), (6, "⋯")])
def test_the_focus_stays_while_messages_change(here: Here, rights: int, where: str) -> None:
    """A message that is drawn again keeps the focus where it was, and news takes it from nobody."""
    ts = here.card(button("One"), button("Two"), said="card 1")
    tab = here.open_as("alice")
    start(tab, 1)
    tab.press(*["ArrowRight"] * rights)
    assert focused(tab) == where
    place = here.workspace.channel("incidents")
    message = place.find(ts)
    assert message is not None
    blocks = [{"type": "section", "text": text("card 1 after")}, message.blocks[1]]
    here.api("chat.update", channel=place.id, ts=ts, text="after", blocks=blocks)
    here.api("chat.postMessage", channel="incidents", text="news")
    tab.sees("card 1 after")
    tab.sees("news")
    assert focused(tab) == where


@pytest.mark.parametrize("gone", [0, 1, 2])
def test_where_a_message_is_deleted_the_focus_is_with_its_neighbour(here: Here, gone: int) -> None:
    """It is not lost: the next message has it, or the last one."""
    stamps = [here.card(button("One"), said=f"card {number}") for number in (1, 2, 3)]
    tab = here.open_as("alice")
    start(tab, 3)
    tab.press(*["ArrowDown"] * gone)
    here.api("chat.delete", channel=here.workspace.channel("incidents").id, ts=stamps[gone])
    tab.until("document.querySelectorAll('.message').length === 2")
    assert focused(tab) == ["card 2", "card 3", "card 2"][gone]


def test_a_menu_is_worked_by_arrows(here: Here) -> None:
    """Arrows go round, Enter chooses, Escape closes and goes back to the button."""
    options = [{"text": text(f"Choice {n}"), "value": f"c{n}"} for n in (1, 2, 3)]
    here.card({"type": "overflow", "action_id": "more", "options": options})
    tab = here.open_as("alice")
    start(tab, 1)
    tab.press("Enter", "Enter")
    tab.shows("[role=menu]")
    assert focused(tab) == "Choice 1"
    tab.press("ArrowUp")
    assert focused(tab) == "Choice 3"
    tab.press("ArrowDown", "ArrowDown")
    assert focused(tab) == "Choice 2"
    tab.press("Escape")
    tab.until("!document.querySelector('[role=menu]')")
    assert focused(tab) == "⋯ More"
    tab.press("Enter")
    tab.shows("[role=menu]")
    tab.press("End", "Enter")
    assert here.asked()["actions"][0]["selected_option"]["value"] == "c3"


def test_a_message_is_pinned_by_its_menu(here: Here) -> None:
    """What stands at the edge of a message is reached by the keyboard as well."""
    ts = here.card(button("One"))
    tab = here.open_as("alice")
    start(tab, 1)
    tab.press(*["ArrowRight"] * 5)
    assert tab.js("document.activeElement.getAttribute('aria-label')") == "More about this message"
    tab.press("Enter")
    tab.shows("[role=menu]")
    tab.press("Enter")
    tab.sees("1 pinned")
    assert here.workspace.channel("incidents").pins == [ts]


@pytest.mark.parametrize("how", ["Escape", "Cancel", "Save"])
def test_a_form_is_closed_and_the_focus_comes_back(here: Here, how: str) -> None:
    """Escape closes a form as its buttons do; the focus goes back to what opened it."""
    here.card(button("Open"))
    here.opens(form())
    tab = here.open_as("alice")
    start(tab, 1)
    tab.press("Enter", "Enter")
    tab.shows("dialog")
    assert tab.js("document.activeElement.matches('dialog textarea')")
    if how == "Escape":
        tab.press("Escape")
    else:
        here.answer(None)
        tab.fill("a", "x")
        tab.click(how)
    tab.until("!document.querySelector('dialog')")
    assert focused(tab) == "Open"
    assert here.workspace.open_views("alice") == []


def test_the_channels_are_worked_by_arrows(here: Here) -> None:
    """Arrows go through the list, and the focus stays in it while it is drawn again."""
    tab = here.open_as("alice")
    tab.js("document.querySelector('#channels button').focus()")
    tab.press("ArrowDown", "ArrowDown", "ArrowUp")
    assert tab.js("document.activeElement.dataset.name") == "incidents"
    here.api("chat.postMessage", channel="ops-alerts", text="news")
    tab.shows("#channels .badge")
    assert tab.js("document.activeElement.dataset.name") == "incidents"

"""The side panel, and the time zones of the people."""

from __future__ import annotations

import json

import pytest

from bot.sandbox.workspace import PEOPLE
from tests.e2e.sandbox_page.here import NARROW, NEEDS_BROWSER, Here

pytestmark = NEEDS_BROWSER

MOMENT = 1_763_708_143  # 2025-11-21 06:55:43 UTC
LOCAL = {
    "alice": ("Berlin (UTC+1)", "2025-11-21 07:55"),
    "bob": ("New York (UTC-5)", "2025-11-21 01:55"),
    "charlie": ("Kolkata (UTC+5:30)", "2025-11-21 12:25"),
    "dana": ("UTC", "2025-11-21 06:55"),
}


@pytest.mark.parametrize(
    ("label", "does"),
    [
        ("Fire", "fire DatabaseConnectionFailures"),
        ("Start a storm", "storm"),
        ("Take Slack down", "down"),
        ("5 minutes pass", "advance 300"),
        ("15 minutes", "advance 900"),
    ],
)
def test_a_control_says_beside_itself_what_came_of_it(here: Here, label: str, does: str) -> None:
    """The note is in the panel, under the button, and covers nothing; a refusal stands in the same place."""
    tab = here.open_as("alice")
    tab.click(label)
    tab.sees(f"Done: {does}.")
    assert here.controls.done == [does]
    note = "[...document.querySelectorAll('#controls .told')].find((n) => n.textContent)"
    box = tab.js(f"{note}.getBoundingClientRect().toJSON()")
    under = f"document.elementsFromPoint({box['left'] + 3}, {box['top'] + 3})"
    assert not tab.js(f"{under}.some((n) => n.matches('button, select, a, textarea'))")
    here.controls.refuses = "The bot cannot be reached."
    tab.click("Bring Slack back" if label == "Take Slack down" else label)
    tab.sees("The bot cannot be reached.")
    assert tab.js(f"{note}.classList.contains('bad')")


def test_a_storm_can_be_resolved_while_it_fires(here: Here) -> None:
    """The button for its end is there as long as it makes sense."""
    tab = here.open_as("alice")
    tab.until("document.getElementById('calm').disabled")
    tab.click("Start a storm")
    tab.until("!document.getElementById('calm').disabled")
    tab.click("Resolve all")
    tab.until("document.getElementById('calm').disabled")
    assert here.controls.done == ["storm", "calm"]


def test_an_outage_is_shown_until_it_is_over(here: Here) -> None:
    """Everybody sees that Slack is down, whoever switched it off."""
    alice, bob = here.open_as("alice"), here.open_as("bob", NARROW[0])
    alice.click("Take Slack down")
    for tab in (alice, bob):
        tab.until("document.getElementById('banner').checkVisibility()")
    bob.click("Bring Slack back")
    for tab in (alice, bob):
        tab.until("!document.getElementById('banner').checkVisibility()")


def test_a_drill_is_begun_as_the_person(here: Here) -> None:
    """It is a command like any other, with its answer in the channel."""
    here.answer({"text": "The drill has a channel."})
    tab = here.open_as("charlie")
    tab.click("Start a drill")
    tab.sees("The drill has a channel.")
    tab.sees("its channel opens in a moment")
    sent = here.asked()
    assert (sent["command"], sent["user_name"]) == ("/incident", "charlie")
    assert sent["text"].startswith("test ")


@pytest.mark.parametrize("user", sorted(PEOPLE))
def test_each_person_sees_their_own_time(here: Here, user: str) -> None:
    """Zone and local time of who I am; a date token is said in that zone, and its fallback is not shown."""
    here.workspace.now = lambda: float(MOMENT)
    here.api("chat.postMessage", channel="incidents", text=f"at <!date^{MOMENT}^{{date_num}} {{time}}|fallback>")
    tab = here.open_as(user)
    zone, local = LOCAL[user]
    tab.until(f"document.getElementById('where').textContent === {json.dumps(f'{local[11:]} in {zone}')}")
    tab.sees(f"at {local}")
    assert "fallback" not in tab.text()
    assert tab.js("document.querySelector('.meta time').textContent") == local[11:]


def test_becoming_someone_else_changes_the_zone(here: Here) -> None:
    """The choice of a person shows their time at once, in the messages too."""
    here.api("chat.postMessage", channel="incidents", text=f"at <!date^{MOMENT}^{{time}}|fallback>")
    tab = here.open_as("alice")
    tab.sees("at 07:55")
    tab.js(
        "(() => { const me = document.getElementById('me');"
        " me.value = 'bob'; me.dispatchEvent(new Event('change')); })()"
    )
    tab.sees("at 01:55")
    tab.sees("in New York")

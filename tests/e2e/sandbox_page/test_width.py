"""The page on wide and narrow screens: nothing is cut off, and what folds away comes back."""

from __future__ import annotations

import pytest

from tests.e2e.sandbox_page.here import NARROW, NEEDS_BROWSER, SIZES, Here, button, form, visible

pytestmark = NEEDS_BROWSER
LONG = "a-very-long-word-without-a-break-" * 12

sizes = pytest.mark.parametrize("size", SIZES, ids=lambda s: str(s[0]))


@sizes
def test_nothing_is_wider_than_the_screen(here: Here, size: tuple[int, int]) -> None:
    """No horizontal scrolling, even with long words; the box to write in is on the screen."""
    for said in (LONG, f"`{LONG}`", f"https://example.com/{LONG}"):
        here.card(*(button(f"Button {n}", f"b{n}") for n in range(8)), said=said)
    tab = here.open_as("alice", size)
    tab.until("document.querySelectorAll('.message').length === 3")
    for node in ("document.documentElement", "document.getElementById('messages')"):
        assert tab.js(f"{node}.scrollWidth <= {node}.clientWidth"), node
    box = tab.js("document.getElementById('say').getBoundingClientRect().toJSON()")
    assert 0 <= box["left"] < box["right"] <= size[0]
    assert 0 <= box["top"] < box["bottom"] <= size[1]
    assert box["width"] > 150


@pytest.mark.parametrize("size", NARROW, ids=lambda s: str(s[0]))
@pytest.mark.parametrize("side", ["sidebar", "controls"])
def test_the_sides_fold_away(here: Here, size: tuple[int, int], side: str) -> None:
    """A button shows a side, its own button, Escape and a press beside it fold it away; the focus comes back."""
    tab = here.open_as("alice", size)
    assert visible(tab, f"#show-{side}")
    for fold in ("button", "Escape", "beside"):
        assert not visible(tab, f"#{side}")
        tab.js(f"document.getElementById('show-{side}').click()")
        assert visible(tab, f"#{side}")
        assert tab.js("document.documentElement.scrollWidth") <= size[0]
        if fold == "button":
            tab.js(f"document.querySelector('#{side} [data-shut]').click()")
        elif fold == "Escape":
            tab.press("Escape")
        else:
            tab.tap(size[0] - 10 if side == "sidebar" else 10, 500)
        tab.until(f"!document.getElementById('{side}').checkVisibility()", fold)
        tab.until(f"document.activeElement.id === 'show-{side}'", "the focus")


def test_on_a_wide_screen_nothing_is_folded(here: Here) -> None:
    """Both sides are there, and the buttons for them are not."""
    tab = here.open_as("alice")
    assert visible(tab, "#sidebar")
    assert visible(tab, "#controls")
    assert not visible(tab, "#show-sidebar")
    assert not visible(tab, "#show-controls")


def test_a_channel_is_chosen_from_the_folded_list(here: Here) -> None:
    """The choice shows the channel and folds the list away."""
    tab = here.open_as("alice", NARROW[0])
    tab.js("document.getElementById('show-sidebar').click()")
    tab.go("general")
    tab.until("document.getElementById('channel-name').textContent.includes('general')")
    assert not visible(tab, "#sidebar")


@sizes
def test_a_form_fits_the_screen(here: Here, size: tuple[int, int]) -> None:
    """A long form scrolls inside; its first field and its buttons are on the screen."""
    here.card(button("Open"))
    here.opens(form(fields=9))
    tab = here.open_as("alice", size)
    tab.click("Open")
    tab.shows("dialog")
    for selector in ("dialog textarea", "dialog .foot .primary"):
        box = tab.js(f"document.querySelector('{selector}').getBoundingClientRect().toJSON()")
        assert 0 <= box["left"] < box["right"] <= size[0]
        assert 0 <= box["top"] < box["bottom"] <= size[1]
    assert tab.js("document.documentElement.scrollWidth") <= size[0]

"""What a responder sees first, in a browser: card, runbook with its boxes, menu, a storm; on a phone too."""

from __future__ import annotations

import pytest

from bot.sandbox.server import SandboxServer
from handlers.slack.groups import GROUPS
from tests.conftest import Client
from tests.e2e.browser import CHROMIUM, Browser
from tests.e2e.test_drill import just_before, picture
from tests.integration.bodies import alert, body
from tests.integration.test_storms import group, send

pytestmark = pytest.mark.skipif(CHROMIUM is None, reason="chromium is not installed")


def test_the_first_view_and_the_menu(bot: Client, slack: SandboxServer, browser: Browser) -> None:
    """The card begins with Acknowledge; a box acknowledges too; More… says in words what can be done."""
    assert bot.alertmanager(body(alert(startsAt=just_before()))).status_code == 202
    (incident,) = bot.incidents()
    number = str(incident["number"])
    bot.wait_opened(number)
    channel = bot.room(number)
    assert channel.endswith("-high-error-rate-on-checkout")
    tab = browser.tab(f"{slack.url}/?user=alice&channel={channel}")
    tab.sees("First ten minutes")
    tab.scroll_to(f"{number} sev2")
    picture(tab, "first-view")
    tab.scroll_to("Runbook: ")
    picture(tab, "runbook")
    tab.js("document.querySelector('#messages input[type=checkbox]').click()")
    bot.wait_event(number, "acknowledged")
    tab.sees("1 of 9 done")
    tab.click("More…", 0)
    tab.sees("What do you want to do?")
    groups = tab.js("[...document.querySelectorAll('optgroup')].map((group) => group.label)")
    assert groups == list(GROUPS)
    tab.js("document.querySelector('dialog select').size = 24")  # a picture shows no open list
    picture(tab, "menu")


def test_a_storm_on_a_desk_and_on_a_phone(bot: Client, slack: SandboxServer, browser: Browser) -> None:
    """The offer to merge is one press, also where the screen is narrow."""
    number = send(bot, *(group(n) for n in range(6)))[-1].removeprefix("declared ")
    bot.wait_opened(number)
    channel = bot.room(number)
    desk = browser.tab(f"{slack.url}/?user=alice&channel={channel}")
    desk.sees("Merge these 5")
    desk.scroll_to("Merge these 5")
    picture(desk, "storm")
    phone = browser.tab(f"{slack.url}/?user=alice&channel={channel}", width=390, height=844)
    phone.sees("Merge these 5")
    phone.scroll_to("sev2: Alert storm")
    picture(phone, "phone")
    phone.click("Merge these 5")
    desk.sees("into this incident.")

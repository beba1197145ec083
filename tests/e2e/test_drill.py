"""A whole drill in a browser, with two people, from the alert to the export."""

from __future__ import annotations

import os
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest

from bot.sandbox.server import SandboxServer
from tests.conftest import Client, Hands, wait_for
from tests.e2e.browser import CHROMIUM, Browser, Tab
from tests.integration.bodies import alert, body
from tests.quick import shipped

STEPS = next(len(book.steps) for book in shipped() if book.id == "ops.api.error-rate")
pytestmark = [
    pytest.mark.skipif(CHROMIUM is None, reason="chromium is not installed"),
]


def picture(tab: Tab, name: str) -> None:
    """Keep what is to be seen in the folder of SITREP_PICTURES, where one is named: `docs` has some of them."""
    if folder := os.environ.get("SITREP_PICTURES"):
        Path(folder).mkdir(parents=True, exist_ok=True)
        tab.picture(Path(folder) / f"{name}.png")


def just_before() -> str:
    """When an alert began that has waited out its rule's `for` and Alertmanager's grouping."""
    return (datetime.now(UTC) - timedelta(minutes=3)).isoformat()


def test_a_drill_from_the_alert_to_the_export(
    bot: Client, slack: SandboxServer, hands: Hands, browser: Browser
) -> None:
    """Alert, accept, lead, steps, update, handoff, escalation, mitigation, resolution, export: each by its button."""

    def open_as(user: str) -> Tab:
        return browser.tab(f"{slack.url}/?user={user}&channel=ops-alerts")

    alice, bob = open_as("alice"), open_as("bob")
    labels = {"alertname": "HighErrorRate", "severity": "warning", "namespace": "shop"}
    assert (
        bot.alertmanager(body(alert("aa", labels={**alert()["labels"], **labels}, startsAt=just_before()))).status_code
        == 202
    )
    bob.sees("Accept")
    picture(bob, "triage")
    bob.click("Accept")
    bob.fill("severity", "sev2")
    bob.submit()
    number = str(wait_for(bot.incidents, what="the incident")[0]["number"])
    channel = bot.room(number)
    bot.wait_opened(number)
    bob.go("ops-alerts")
    bob.sees("Accepted by")
    for tab in (alice, bob):
        tab.go(channel)
        tab.sees(f"{number} sev2")
    alice.scroll_to(f"{number} sev2")
    picture(alice, "incident")

    # Nobody acknowledges for five minutes: the next level is paged. Then somebody does.
    hands.advance(minutes=5.1)
    bot.wait_event(number, "escalated")
    alice.sees("you are paged as")
    alice.click("Acknowledge", 0)
    bot.wait_event(number, "acknowledged")
    alice.click("Take lead", 0)
    bot.wait_event(number, "role_assigned")

    # Two people work through the runbook; each sees what the other does.
    alice.click("Done", 0)
    bot.wait_event(number, "runbook_step_done")
    bob.sees(f"1 of {STEPS} done")
    bob.click("Skip a step...")
    bob.fill("why", "there is one service only")
    bob.submit()
    bot.wait_event(number, "runbook_step_skipped")
    alice.sees(f"1 of {STEPS} done, 1 skipped")
    alice.scroll_to("Runbook: ")
    picture(alice, "checklist")

    alice.click("Update", 0)
    alice.fill("state", "The last rollout is the cause; we go back")
    alice.click("Add impact, next step, owner or ETA")
    alice.fill("action", "Alice rolls back")
    picture(alice, "update")
    alice.submit()
    bot.wait_event(number, "update_posted")
    bob.sees("The last rollout is the cause")

    alice.say("/incident handoff @bob")
    bob.sees("offers you the lead")
    bob.scroll_to("offers you the lead")
    picture(bob, "handoff")
    bob.click("Accept")
    bot.wait_event(number, "handoff")
    alice.sees("they have the lead now")

    bob.say("/incident catchup")
    bob.sees("Who does what")
    bob.scroll_to("Catch-up:")
    picture(bob, "catchup")

    bob.go("Sitrep home")
    bob.sees("You are incident commander")
    picture(bob, "home")
    bob.go(channel)
    bob.sees("Catch-up:")
    bob.say("/incident")
    bob.click("Mitigated")
    bot.wait_event(number, "mitigated")
    bob.click("Resolve", 0)
    bob.fill("fix", "Went back to revision 41")
    bob.submit()
    bot.wait_event(number, "resolved")
    alice.sees("Went back to revision 41")
    alice.click("Export timeline", 0)
    bot.wait_event(number, "exported")
    alice.sees(f"{number}-timeline.md")
    alice.scroll_to("is resolved")
    picture(alice, "resolved")

    bob.go("Sitrep home")
    bob.sees("Recently resolved")
    kinds = bot.kinds(number)
    assert [kinds.count(kind) for kind in ("declared", "handoff", "mitigated", "resolved", "exported")] == [1] * 5
    assert "delivery_failed" not in kinds
    assert bot.incident(number)["lead"]["name"] == "bob"

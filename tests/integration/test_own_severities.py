"""A company that calls its severities P1 and P2: people read and type its words; programs read the levels."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest

from tests.conftest import LADDER, Client, wait_for
from tests.integration.world import World

OWN = """
severities:
  p1: {like: sev1, name: P1 Critical}
  p2: {like: sev2, name: P2 Major}
  p3: {like: sev3}
intake:
  - {matchers: ['alertname="Boom"'], then: declare, severity: p1}
  - {matchers: [], then: triage, severity: p3}
"""
BUILT_IN = ("sev1", "sev2", "sev3", "SEV1", "SEV2")


@pytest.fixture
def environ(environ: dict[str, str]) -> dict[str, str]:
    Path(environ["SITREP_CONFIG"]).write_text(LADDER + OWN)
    return environ


def alert(name: str) -> dict[str, Any]:
    labels = {"alertname": name, "service": "checkout"}
    one = {
        "status": "firing",
        "labels": labels,
        "annotations": {},
        "startsAt": "2026-11-21T08:00:00Z",
        "endsAt": "0001-01-01T00:00:00Z",
        "generatorURL": "",
        "fingerprint": name,
    }
    return {
        "version": "4",
        "groupKey": f"{{}}:{{alertname={name}}}",
        "status": "firing",
        "receiver": "sitrep",
        "truncatedAlerts": 0,
        "groupLabels": labels,
        "commonLabels": labels,
        "commonAnnotations": {},
        "externalURL": "",
        "alerts": [one],
    }


def test_people_read_and_type_the_company_s_words(bot: Client, world: World) -> None:
    """From the declaration to the resolution no built-in name is shown; exports and the API keep the levels."""
    said = bot.slash("declare Checkout is down p2")
    number = next(word for word in said.split() if word.startswith("INC-"))
    bot.wait_opened(number)
    channel = next(name for name in (c.name for c in bot.workspace.channels.values()) if number[4:] in name)
    assert "(P2 Major, from “p2”)" in said
    assert "P2 Major" in world.card(number)
    assert "Give one severity: p1, p2, p3, sev4" in bot.slash("sev p9", "alice", channel)
    assert f"{number} is P1 Critical." in bot.slash("sev P1: all regions", "alice", channel)
    assert f"{number} is already P1 Critical" in bot.slash("sev 1", "alice", channel)
    changed = bot.wait_event(number, "severity_changed")
    assert changed["text"] == "Severity raised from P2 Major to P1 Critical: all regions"
    assert (changed["data"]["from"], changed["data"]["to"]) == ("sev2", "sev1")
    bot.slash("update Failing over next 30m", "alice", channel)
    bot.wait_event(number, "update_posted")
    wait_for(lambda: "P1 Critical" in bot.workspace.channel(channel).topic, what="the topic")
    bot.slash("resolve Failed over", "alice", channel)
    wait_for(lambda: bot.workspace.find(channel, "is resolved"), what="the resolution")
    world.settle()
    shown = "\n".join(
        f"{m.text}\n{m.blocks}"
        for name in (channel, "incidents")
        for m in bot.workspace.channel(name).log
        if "First ten minutes" not in str(m.blocks) and "runbook_" not in str(m.blocks)
    )
    for word in BUILT_IN:
        assert word not in shown, word
    assert "*P1 Critical " in shown
    assert bot.incident(number)["severity"] == "sev1"
    exported = bot.get(f"/api/v1/incidents/{number}/timeline", format="json").json()
    assert exported["incident"]["severity"] == "sev1"
    markdown = bot.get(f"/api/v1/incidents/{number}/timeline", format="md").text
    assert "- **Severity:** P1 Critical (sev1)" in markdown
    assert "P2 Major (sev2)" in markdown


def test_forms_offer_the_company_s_words(bot: Client) -> None:
    """The form to declare, and the one behind `sev`; a bare severity in an incident's channel names the verb."""
    assert bot.slash("Checkout is slow P1 critical") == ""
    blocks = {b["block_id"]: b["element"] for b in bot.workspace.open_views("alice")[-1].body["blocks"]}
    options = [option["text"]["text"] for option in blocks["severity"]["options"]]
    assert [option.split(":")[0] for option in options] == ["P1 Critical", "P2 Major", "p3", "sev4"]
    assert blocks["severity"]["initial_option"]["value"] == "sev1"
    view = bot.workspace.open_views("alice")[-1]
    assert bot.people.submit("alice", view.id).json == {}
    number = wait_for(bot.incidents, what="the incident")[0]["number"]
    bot.wait_opened(number)
    assert "P1 Critical" in bot.slash("list")
    assert "Did you mean `/incident sev p2`" in bot.slash(f"{number} p2")
    assert bot.slash(f"{number} sev") == ""
    element = bot.workspace.open_views("alice")[-1].body["blocks"][0]["element"]
    assert element["initial_option"]["text"]["text"].startswith("P1 Critical: ")
    assert "[p1|p2|p3|sev4]" in bot.slash("help declare").replace("&lt;", "<")


def test_rules_name_it_and_triage_shows_it(bot: Client, world: World) -> None:
    """What an intake rule calls p1 is declared as sev1; what waits for a look says p3, and its form offers all."""
    assert bot.alertmanager(alert("Boom")).status_code == 202
    assert bot.alertmanager(alert("Hm")).status_code == 202
    number = wait_for(bot.incidents, what="the incident")[0]["number"]
    assert bot.incident(number)["severity"] == "sev1"
    wait_for(lambda: bot.workspace.find("ops-alerts", "Triage (p3): Hm"), what="the triage")
    message = bot.workspace.find("ops-alerts", "Triage (p3): Hm")
    (press,) = [e for b in message.blocks for e in b.get("elements", ()) if e.get("action_id") == "triage_accept"]
    assert bot.people.press("alice", "ops-alerts", message.ts, "triage_accept", press["value"]).ok
    view = bot.workspace.open_views("alice")[-1]
    chosen = {b["block_id"]: b["element"] for b in view.body["blocks"]}["severity"]["initial_option"]
    assert chosen["text"]["text"].startswith("p3: ")


def test_an_open_incident_keeps_its_names(bot: Client, service: Any, environ: dict[str, str]) -> None:
    """After the file has changed and the service has restarted, the card says what it said; new ones say the new."""
    number, channel = bot.open_one("declare Checkout is down p2")
    service.stop()
    Path(environ["SITREP_CONFIG"]).write_text(LADDER + "severities: {p1: {like: sev2, name: Rot}}")
    service.start()
    assert "P2 Major" in bot.slash(f"{number}")
    assert f"{number} is P1 Critical." in bot.slash("sev p1", "alice", channel)
    assert "(Rot, from “p1”)" in bot.slash("declare Search is down p1")

"""What responders' tools report over HTTP, and what is told of how runbooks are worked through."""

from __future__ import annotations

from typing import Any

import httpx
import pytest

from tests.conftest import API_TOKEN, Client, both_databases, wait_for

RESPONDER = "responder-token"
ADMIN = "admin-token"
GENERAL = "ops.general.first-response"
STEP = {"actor": "deploy-bot", "runbook_id": GENERAL, "step": 2}


@pytest.fixture
def environ(environ: dict[str, str]) -> dict[str, str]:
    return environ | {"SITREP_API_TOKENS": f"viewer:{API_TOKEN},responder:{RESPONDER},admin:{ADMIN}"}


def report(bot: Client, number: str, body: Any, *, token: str = RESPONDER, key: str = "") -> httpx.Response:
    headers = {"authorization": f"Bearer {token}"} | ({"idempotency-key": key} if key else {})
    return bot.http.post(f"/api/v1/incidents/{number}/events", json=body, headers=headers)


def execution(bot: Client, book: str = GENERAL) -> dict[str, Any]:
    answer = bot.http.get(f"/api/v1/admin/runbooks/{book}/execution", headers={"authorization": f"Bearer {ADMIN}"})
    assert answer.status_code == 200, answer.text
    return dict(answer.json())


@both_databases
def test_a_tool_ticks_a_step(bot: Client) -> None:
    """The step is done in the channel too, with the command that was run and the time at which it was."""
    number, channel = bot.open_one()
    told = report(bot, number, STEP | {"command": "make status", "occurred_at": "2026-11-20T03:00:00+01:00"})
    assert told.status_code == 201, told.text
    event = told.json()["event"]
    assert (event["kind"], event["occurred_at"]) == ("runbook_step_done", "2026-11-20T02:00:00.000Z")
    assert event["actor"] == {"type": "human", "id": "api:deploy-bot", "name": "deploy-bot"}
    assert event["data"]["command"] == "make status"
    assert event in bot.events(number)
    wait_for(lambda: bot.workspace.find(channel, "Done by deploy-bot"), what="the tick in the channel")
    assert report(bot, number, STEP).json()["error"]["code"] == "no_change"
    assert report(bot, number, STEP | {"state": "undone"}).json()["event"]["kind"] == "runbook_step_undone"
    skipped = report(bot, number, STEP | {"state": "skipped", "why": "not here"}).json()["event"]
    assert (skipped["kind"], skipped["data"]["why"]) == ("runbook_step_skipped", "not here")


def test_a_tool_reports_an_intervention(bot: Client) -> None:
    """It is on the timeline and the card; with a rollback it is on the card until it is taken back."""
    number, channel = bot.open_one()
    event = report(bot, number, {"actor": "alice", "text": "Scaled <!here> to 9", "command": "kubectl scale"}).json()
    assert (event["event"]["kind"], event["event"]["data"]["command"]) == ("note", "kubectl scale")
    latest = "Scaled &lt;!here&gt; to 9 (alice)"
    wait_for(lambda: latest in str(bot.workspace.pinned(channel)[0].blocks), what="the note")
    frozen = {"actor": "alice", "text": "Froze deployments", "rollback": {"text": "thaw them", "within": "2h"}}
    assert report(bot, number, frozen).json()["event"]["data"]["mitigation"]["rollback"] == "thaw them"
    wait_for(lambda: "*In place*: Froze deployments" in str(bot.workspace.pinned(channel)[0].blocks), what="the card")


def test_a_report_that_is_sent_again_counts_once(bot: Client) -> None:
    """The same key gets the same event; another incident's is its own."""
    number, _ = bot.open_one()
    other, _ = bot.open_one("declare Something else sev2")
    body = {"actor": "alice", "text": "Restarted it"}
    first, again = (report(bot, number, body, key="k-1") for _ in range(2))
    assert (first.status_code, again.status_code) == (201, 200)
    assert first.json() == again.json()
    assert report(bot, other, body, key="k-1").status_code == 201
    assert bot.kinds(number).count("note") == 1
    refused = report(bot, number, STEP | {"step": 99}, key="k-2")
    assert refused.status_code == 409
    assert report(bot, number, STEP, key="k-2").status_code == 201  # what was refused has not used its key up


@pytest.mark.parametrize(
    ("body", "status", "code", "says"),
    [
        ({"text": "x"}, 400, "bad_body", "actor"),
        ({"actor": "a"}, 400, "bad_body", "text"),
        ({"actor": "a", "text": "x", "severity": 1}, 400, "bad_body", "severity"),
        (STEP | {"state": "skipped"}, 400, "bad_body", "why"),
        (STEP | {"state": []}, 400, "bad_body", "state"),
        (STEP | {"occurred_at": 0}, 400, "bad_body", "occurred_at"),
        (STEP | {"occurred_at": "0001-01-01T00:00:00+14:00"}, 400, "bad_body", "UTC"),
        ({"actor": "a", "text": "x", "rollback": {"text": "y", "within": "9999999999d"}}, 400, "bad_body", "within"),
        ([], 400, "bad_body", ""),
        (STEP | {"runbook_id": "ops.redis.outage"}, 409, "no_run", "not posted"),
        (STEP | {"step": 999}, 409, "no_step", "from 1 to"),
    ],
)
def test_what_is_wrong_with_a_report_is_told(bot: Client, body: Any, status: int, code: str, says: str) -> None:
    """The envelope names the field or the way out, and nothing is on the timeline."""
    number, _ = bot.open_one()
    before = bot.events(number)
    answer = report(bot, number, body)
    assert (answer.status_code, answer.json()["error"]["code"]) == (status, code)
    assert says in answer.text
    assert bot.events(number) == before


def test_a_viewer_reports_nothing(bot: Client) -> None:
    """Reports want the role responder, or admin."""
    number, _ = bot.open_one()
    assert report(bot, number, STEP, token=API_TOKEN).status_code == 403
    assert report(bot, number, STEP, token=ADMIN).status_code == 201
    assert report(bot, "INC-20200101-001", STEP).status_code == 404


def test_runs_are_told_by_runbook(bot: Client) -> None:
    """How often it was posted, how far people came, what they skipped; the metrics count the same."""
    assert execution(bot)["runs"] == 0
    for title in ("One", "Two"):
        number, _ = bot.open_one(f"declare {title} sev2")
        assert report(bot, number, STEP).status_code == 201
    assert report(bot, number, STEP | {"step": 1, "state": "skipped", "why": "known"}).status_code == 201
    told = execution(bot)
    assert (told["runs"], told["completed"]) == (2, 0)
    assert 0 < told["completion"] < 1
    assert [(s["number"], s["done"], s["skipped"]) for s in told["steps"][:3]] == [(1, 0, 1), (2, 2, 0), (3, 0, 0)]
    assert told["steps"][1]["seconds"] >= 0
    metrics = bot.http.get("/metrics").text
    assert f'sitrep_runbook_steps_total{{runbook="{GENERAL}",state="skipped"}}' in metrics

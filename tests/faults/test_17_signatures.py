"""Fault 17: who may speak to the bot, by the signatures of PagerDuty and Slack."""

from __future__ import annotations

import json
import subprocess
from collections.abc import Mapping
from concurrent.futures import ThreadPoolExecutor
from typing import Any

import pytest

from bot.sandbox.signing import Signing
from tests.conftest import PAGERDUTY_SECRET, Client, both_databases
from tests.forks import sitrep
from tests.integration.bodies import pagerduty
from tests.integration.test_intake_faults import NEW_SECRET, PD, problem, signatures
from tests.integration.world import World

OLD = 6 * 60  # seconds; Slack's own limit is 5 minutes
# How a request of Slack's is signed, and whether it may come in.
SIGNED: Mapping[str, tuple[Signing, bool]] = {
    "as Slack does": (Signing(), True),
    "almost too old": (Signing(age_seconds=240), True),
    "6 min old": (Signing(age_seconds=OLD), False),
    "6 min ahead": (Signing(age_seconds=-OLD), False),
    "another secret": (Signing(secret="another"), False),
    "not at all": (Signing(unsigned=True), False),
    "empty": (Signing(signature="v0="), False),
    "another version": (Signing(signature=f"v1={'0' * 64}"), False),
    "nonsense": (Signing(signature="nonsense"), False),
}
EMPTY = {
    "PAGERDUTY_WEBHOOK_SECRETS": "",
    "SLACK_SIGNING_SECRET": " ",
    "ALERTMANAGER_WEBHOOK_TOKEN": "",
}


@pytest.fixture
def environ(environ: dict[str, str]) -> dict[str, str]:
    """A secret is being rotated."""
    return environ | {"PAGERDUTY_WEBHOOK_SECRETS": f"{PAGERDUTY_SECRET}, {NEW_SECRET}"}


@both_databases
def test_fault_17_only_a_true_signature_comes_in(bot: Client, world: World) -> None:
    """PagerDuty's by any secret of a rotation, Slack's while it is fresh; all others are 401 and leave no trace."""
    for number, (name, made, good) in enumerate(signatures()):
        raw = json.dumps(pagerduty("pagey.ping", event_id=f"ping-{number}")).encode()
        value = made(raw)
        headers = {} if value is None else {"x-pagerduty-signature": value.encode("latin-1")}
        kept = len(world.rows("SELECT id FROM inbox"))
        answer = bot.http.post(PD, content=raw, headers=headers)
        if good:
            assert answer.status_code == 202, name
        else:
            problem(answer, 401, "bad_signature")
        assert len(world.rows("SELECT id FROM inbox")) == kept + good, name

    for name, (signing, good) in SIGNED.items():
        known = len(bot.incidents())
        reply = bot.people.slash("alice", "general", "declare Checkout is down", signing=signing)
        assert reply.status == (200 if good else 401), name
        assert len(bot.incidents()) == known + good, name
    # Signed for one text and sent with another.
    sent = bot.http.post("/slack/events", content=b"text=list", headers=Signing().headers(b"text=help", _secret(bot)))
    assert sent.status_code == 401


def _secret(bot: Client) -> str:
    return bot.workspace.signing_secret


def test_fault_17_an_empty_secret_is_no_secret(environ: dict[str, str]) -> None:
    """`serve` refuses to start and names the variable: it would take an empty signature for a true one."""

    def start(changes: Mapping[str, str]) -> subprocess.CompletedProcess[bytes]:
        return sitrep({**environ, **changes}, "serve")

    cases: list[dict[str, Any]] = [{name: value} for name, value in EMPTY.items()]
    cases.append({"PAGERDUTY_WEBHOOK_SECRETS": f"{PAGERDUTY_SECRET},"})  # a rotation that was not finished
    with ThreadPoolExecutor(2) as pool:
        for case, ended in zip(cases, pool.map(start, cases), strict=True):
            (name,) = case
            assert ended.returncode == 1, case
            said = ended.stderr.decode()
            assert said.startswith(f"sitrep: {name}: it is set but empty"), said
            assert "Traceback" not in said
            assert PAGERDUTY_SECRET not in said

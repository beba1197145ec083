"""Slack's answers are lost, refused or late: nothing is doubled and nothing is skipped."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any

import pytest

from bot.sandbox.faults import Fault, Kind
from bot.sandbox.model import Call
from bot.sandbox.workspace import Workspace
from tests.conftest import Client, wait_for
from tests.crash.world import opened_once, settled, sight
from tests.integration.bodies import alert, body
from tests.patience import PATIENCE

WAIT = 2  # seconds that Slack asks for


@pytest.fixture
def database(environ: dict[str, str]) -> Path:
    return Path(environ["SITREP_DATABASE_URL"].removeprefix("sqlite:///"))


def _open(bot: Client, database: Path) -> str:
    assert bot.alertmanager(body(alert("aa"), alert("bb"))).status_code == 202
    wait_for(lambda: settled(database), PATIENCE, "the end of all deliveries")
    return str(bot.incidents()[0]["number"])


def _key(args: Mapping[str, Any]) -> str:
    return str(args["metadata"]["event_payload"]["key"])


def _first_time(name: Callable[[Mapping[str, Any]], object]) -> Callable[[Mapping[str, Any]], bool]:
    """True for the first call of each name."""
    seen: set[object] = set()

    def where(args: Mapping[str, Any]) -> bool:
        new = name(args) not in seen
        seen.add(name(args))
        return new

    return where


@pytest.mark.parametrize(
    ("method", "name"),
    [
        ("conversations.create", lambda args: args["name"]),
        ("chat.postMessage", _key),  # the card, the announcement, the notification, the runbook
        ("pins.add", lambda args: args["timestamp"]),
        ("conversations.invite", lambda args: args["users"]),
        ("conversations.setTopic", lambda args: args["topic"]),
        ("chat.update", _key),
    ],
)
def test_a_lost_answer_doubles_nothing(
    method: str, name: Callable[[Mapping[str, Any]], object], bot: Client, workspace: Workspace, database: Path
) -> None:
    """Slack acts and the answer is lost, the first time for each thing: it is looked for, and is there once."""
    fault = Fault(method, "drop_after", times=None, where=_first_time(name))
    workspace.faults.add(fault)
    number = _open(bot, database)
    assert fault.hits >= 1
    assert sight(bot, number) == opened_once(number)


def test_every_other_lost_answer_doubles_nothing(bot: Client, workspace: Workspace, database: Path) -> None:
    """While the answers to half of the calls are lost, reading ones included, nothing is doubled or skipped."""
    counted: list[Mapping[str, Any]] = []

    def every_other(args: Mapping[str, Any]) -> bool:
        """Lose half of them in an order that repeats nothing: no loop of calls falls into step with it."""
        counted.append(args)
        return len(counted).bit_count() % 2 == 0

    fault = Fault("*", "drop_after", times=8, where=every_other)
    workspace.faults.add(fault)
    number = _open(bot, database)
    assert fault.hits == 8
    assert sight(bot, number) == opened_once(number)


def test_what_is_throttled_is_delayed_never_skipped(bot: Client, workspace: Workspace, database: Path) -> None:
    """Each message that Slack answers with 429 once goes out no sooner than Retry-After says, and goes out once."""
    workspace.faults.add(
        Fault("chat.postMessage", "ratelimited", retry_after=WAIT, times=None, where=_first_time(_key))
    )
    number = _open(bot, database)
    assert sight(bot, number) == opened_once(number)
    tries: dict[str, list[Call]] = defaultdict(list)
    for call in workspace.calls:
        if call.method == "chat.postMessage":
            tries[_key(call.args)].append(call)
    assert len(tries) == 4, "card, announcement, notification, runbook"
    for key, calls in tries.items():
        assert [call.status for call in calls] == [429, 200], key
        assert calls[1].at - calls[0].at >= WAIT, key


@pytest.mark.parametrize(("kind", "spared"), [("html", 0), ("http500", 3), ("html", 8)])
def test_an_outage_doubles_and_skips_nothing(
    kind: Kind, spared: int, bot: Client, workspace: Workspace, database: Path
) -> None:
    """While Slack answers a few calls with 5xx, as a page or as JSON, the opening waits, and then completes once."""
    fault = Fault("*", kind, after=spared, times=4)
    workspace.faults.add(fault)
    number = _open(bot, database)
    assert fault.hits == 4
    assert sight(bot, number) == opened_once(number)

"""A webhook that is refused is told in the operators' channel: once, with its fix, whatever comes."""

from __future__ import annotations

import json
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor

import httpx
import pytest

from bot.notices import WRITES
from tests.conftest import Client, Hands, InProcess, both_databases
from tests.integration.bodies import alert, body, pagerduty
from tests.integration.world import World
from tests.ports import free_port

LIMIT = 64 * 1024


@pytest.fixture
def environ(environ: dict[str, str]) -> dict[str, str]:
    return environ | {"SITREP_MAX_BODY": str(LIMIT)}


def told(bot: Client, world: World) -> list[str]:
    """Give what stands in the operators' channel, which is the alerts channel here."""
    world.settle()
    return [message.text for message in bot.workspace.messages("ops-alerts") if "webhook" in message.text]


def good(bot: Client) -> httpx.Response:
    return bot.alertmanager(body(alert(labels={"alertname": "Watchdog", "severity": "none"})))


def large(bot: Client) -> httpx.Response:
    return bot.alertmanager(b'{"s3cr3t": "' + b"x" * LIMIT + b'"}')


def broken(bot: Client) -> httpx.Response:
    return bot.alertmanager(b'{"s3cr3t": 1}')


def wrong_token(bot: Client) -> httpx.Response:
    return bot.alertmanager(body(alert()), token="s3cr3t")


def wrong_signature(bot: Client) -> httpx.Response:
    return bot.pagerduty(pagerduty("incident.triggered"), secret="s3cr3t")


def broken_event(bot: Client) -> httpx.Response:
    return bot.pagerduty(b'{"s3cr3t": 1}')


def large_event(bot: Client) -> httpx.Response:
    return bot.pagerduty(b"s3cr3t" * LIMIT)


@pytest.mark.parametrize(
    ("send", "status", "fix"),
    [
        (large, 413, "max_alerts"),
        (broken, 400, "sitrep inbox show"),
        (wrong_token, 401, "ALERTMANAGER_WEBHOOK_TOKEN"),
        (wrong_signature, 401, "PAGERDUTY_WEBHOOK_SECRETS"),
        (broken_event, 400, "sitrep inbox show"),
        (large_event, 413, "Check who sends it"),
    ],
)
def test_each_kind_is_told_once_with_its_fix(
    bot: Client, world: World, send: Callable[[Client], httpx.Response], status: int, fix: str
) -> None:
    """One message names the status, the size, the sender and the fix, and nothing of the body."""
    assert [send(bot).status_code for _ in range(3)] == [status] * 3
    (said,) = told(bot, world)
    for part in (str(status), "127.0.0.1", "bytes", fix):
        assert part in said
    assert "s3cr3t" not in said
    assert bot.incidents() == []


def test_it_is_told_again_once_it_has_been_well(bot: Client, world: World) -> None:
    """After a good one the next refusal is news, and says how many were not told."""
    for _ in range(3):
        wrong_token(bot)
    assert good(bot).status_code == 202
    wrong_token(bot)
    said = told(bot, world)
    assert len(said) == 2
    assert "Further cases since" in said[1]


def test_a_long_while_of_refusals_is_told_again(bot: Client, world: World, hands: Hands) -> None:
    """Whoever overlooked the first message is told the next day, with the number of those between."""
    wrong_token(bot)
    hands.advance(minutes=23 * 60)
    wrong_token(bot)
    assert len(told(bot, world)) == 1
    hands.advance(minutes=61)
    wrong_token(bot)
    assert "Further cases since" in told(bot, world)[1]


@both_databases
def test_two_replicas_tell_it_once(bot: Client, world: World, environ: dict[str, str], database_url: str) -> None:
    """Refusals at once on all replicas are one message; on SQLite there is but one replica."""
    clients = [bot]
    other = None
    if database_url.startswith("postgresql"):
        other = InProcess({**environ, "SITREP_PORT": str(free_port())})
        other.start()
        clients.append(Client(other.url, bot.workspace))
    with ThreadPoolExecutor(8) as pool:
        answers = list(pool.map(lambda n: wrong_token(clients[n % len(clients)]), range(8)))
    assert {answer.status_code for answer in answers} == {401}
    said = told(bot, world)
    if other is not None:
        clients[1].close()
        other.stop()
    assert len(said) == 1


def test_a_flood_of_strangers_fills_neither_channel_nor_database(bot: Client, world: World) -> None:
    """Hundreds of refusals, with made-up sources and tokens, are one message and a handful of writes."""
    sent = json.dumps(body(alert())).encode()
    for number in range(300):
        headers = {"authorization": f"Bearer guess-{number}"}
        answer = bot.http.post(f"/webhooks/alertmanager/made-up-{number}", content=sent, headers=headers)
        assert answer.status_code == 401
    assert len(told(bot, world)) == 1
    rows = world.rows("SELECT subject, count FROM notices")
    assert [row["subject"] for row in rows] == ["refused unauthorized alertmanager"]
    assert rows[0]["count"] < WRITES  # what the process has not written yet it still counts
    assert len(world.rows("SELECT id FROM deliveries")) == 1
    assert world.rows("SELECT id FROM inbox") == []


def test_a_sender_that_mends_and_breaks_in_turn_does_not_flood(bot: Client, world: World) -> None:
    """One peer with a wrong token beside one with the right token: two messages, and then they become rare."""
    for _ in range(6):
        wrong_token(bot)
        good(bot)
    assert len(told(bot, world)) == 2


def test_an_integration_that_is_off_is_told(
    environ: dict[str, str], bot: Client, world: World, service: InProcess
) -> None:
    """Whoever forgot the token learns of it when the first webhook comes, not after the outage."""
    del service.environ["ALERTMANAGER_WEBHOOK_TOKEN"]
    service.stop()
    service.start()
    assert good(bot).status_code == 503
    (said,) = told(bot, world)
    assert "Set ALERTMANAGER_WEBHOOK_TOKEN" in said


def test_without_a_database_the_refusal_is_answered_all_the_same(bot: Client, world: World) -> None:
    """The notice waits two seconds at most, and a later one counts what could not be written."""
    world.execute("ALTER TABLE notices RENAME TO gone")
    assert wrong_token(bot).status_code == 401
    world.execute("ALTER TABLE gone RENAME TO notices")
    assert wrong_token(bot).status_code == 401
    assert len(told(bot, world)) == 1

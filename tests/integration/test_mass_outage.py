"""The larger an outage, the louder: a body of thousands of alerts opens an incident, and repeats say nothing new."""

from __future__ import annotations

import json
import threading
import time
from typing import Any

import httpx
import pytest

from tests.conftest import NO_TLS, WEBHOOK_TOKEN, Client, Hands, wait_for
from tests.integration.bodies import body
from tests.integration.world import World

ANSWERED_WITHIN = 120.0  # seconds in which a sender that repeats itself has its 202, on whatever machine


def pods(count: int, **changes: Any) -> bytes:
    """Make a notification of many pods that are down, of about 900 bytes each."""
    alerts = [
        {
            "status": "firing",
            "labels": {
                "alertname": "TargetDown",
                "cluster": "eu-west-1-prod",
                "instance": f"10.42.{n // 250}.{n % 250}:8080",
                "job": "checkout",
                "namespace": "shop",
                "node": f"ip-10-0-{n // 250}-{n % 250}.eu-west-1.compute.internal",
                "pod": f"checkout-7d9f8b6c5-{n:05}",
                "service": "checkout",
                "severity": "critical",
            },
            "annotations": {"summary": "checkout is down", "description": "The pod does not answer. " * 14},
            "startsAt": "2026-11-21T06:55:43.4017449Z",
            "endsAt": "0001-01-01T00:00:00Z",
            "generatorURL": "http://prometheus.example:9090/graph?g0.expr=up%20%3D%3D%200&g0.tab=1",
            **changes,
        }
        for n in range(count)
    ]
    return json.dumps(body(*alerts, group='{}:{alertname="TargetDown", service="checkout"}')).encode()


def send(bot: Client, raw: bytes) -> str:
    """Send as Alertmanager does: a 503 is tried again until it is taken; gives what became of it."""

    def taken() -> str:
        headers = {"authorization": f"Bearer {WEBHOOK_TOKEN}"}
        answer = httpx.post(f"{bot.url}/webhooks/alertmanager", content=raw, headers=headers, timeout=60, verify=NO_TLS)
        assert answer.status_code in {202, 503}, answer.text
        return str(answer.json()["outcome"]) if answer.status_code == 202 else ""

    return str(wait_for(taken, timeout=ANSWERED_WITHIN, what="the 202"))


@pytest.mark.parametrize("count", [1_250, 6_000])
def test_thousands_of_pods_are_one_incident(bot: Client, world: World, hands: Hands, count: int) -> None:
    """More than 1 MiB at once opens one incident; the same again changes nothing, and the card counts all."""
    raw = pods(count)
    assert len(raw) > 1024 * 1024 * (count // 1_250)
    number = send(bot, raw).split()[-1]  # the first answer may have been a 503 of one that was taken in
    bot.wait_opened(number)
    hands.advance(minutes=5)
    assert send(bot, raw) == f"repeat of {number}"
    assert len(bot.incidents()) == 1
    assert f"{count:,} firing" in world.card(number)
    send(bot, pods(count, status="resolved", endsAt="2026-11-21T07:10:00Z"))
    assert f"0 firing, {count:,} resolved" in world.card(number)


def test_others_are_answered_while_a_large_body_is_read(bot: Client) -> None:
    """The event loop goes on: no other request waits for as long as the large one takes."""
    raw, waits, done = pods(6_000), [0.0], threading.Event()

    def ask() -> None:
        with httpx.Client(base_url=bot.url, verify=NO_TLS, timeout=60) as client:
            while not done.is_set():
                begun = time.monotonic()
                assert client.get("/healthz").status_code == 200
                waits.append(time.monotonic() - begun)

    asking = threading.Thread(target=ask)
    asking.start()
    begun = time.monotonic()
    send(bot, raw)
    took = time.monotonic() - begun
    done.set()
    asking.join()
    assert len(waits) > 10
    assert max(waits) < took / 2

"""Grafana's own webhook on Alertmanager's route, and odd Alertmanager bodies: what people see of them."""

from __future__ import annotations

import json
from typing import Any

import pytest

from tests.conftest import Client, Hands, wait_for
from tests.integration.bodies import alert, body, grafana, grafana_test
from tests.integration.world import World

CRITICAL = {"alertname": "High memory usage", "grafana_folder": "Shop", "team": "blue", "severity": "critical"}


def declared(bot: Client, sent: dict[str, Any]) -> str:
    answer = bot.alertmanager(sent)
    assert answer.status_code == 202, answer.text
    number = str(answer.json()["outcome"]).removeprefix("declared ")
    bot.wait_opened(number)
    return number


def operators(bot: Client, world: World) -> list[str]:
    """Give what stands in the operators' channel, which is the alerts channel here."""
    world.settle()
    return [message.text for message in bot.workspace.messages("ops-alerts")]


def test_a_grafana_alert_declares_and_its_values_and_links_are_shown(bot: Client, world: World) -> None:
    """The card has the value, the dashboard, the panel and the silence link; the resolved one marks it resolved."""
    sent = grafana(labels=CRITICAL, annotations={"summary": "Memory of the cart is above 90 %"})
    number = declared(bot, sent)
    card = world.card(number)
    for shown in ("value B=44.24, C=1", "viewPanel=4|Panel>", "orgId=1|Silence>", "abcd?orgId=1|Dashboard>"):
        assert shown in card
    assert card.count("|Dashboard>") == 1
    over = grafana("resolved", labels=CRITICAL, annotations={"summary": "Memory of the cart is above 90 %"})
    assert bot.alertmanager({**over, "state": "ok"}).json()["outcome"] == f"attached to {number}"
    card = world.card(number)
    assert "0 firing, 1 resolved" in card
    assert "|Silence>" not in card


def test_a_grafana_alert_without_a_severity_asks_for_a_look(bot: Client, world: World) -> None:
    """What Grafana sends without a severity is triaged, with its value and links."""
    assert bot.alertmanager(grafana()).json()["outcome"] == "triage"
    world.settle()
    (asked,) = bot.workspace.messages("ops-alerts")
    for shown in ("value B=44.24, C=1", "|Dashboard>", "|Panel>", "|Silence>"):
        assert shown in json.dumps(asked.blocks)


def test_links_of_many_alerts_stay_within_slacks_limits(bot: Client, world: World) -> None:
    """Forty alerts with long links of their own: the card is delivered, with as many links as fit."""
    alerts = [
        grafana(
            labels={**CRITICAL, "pod": f"cart-{n}"},
            fingerprint=f"{n:016x}",
            panelURL=f"https://grafana.example/d/{'p' * 400}?viewPanel={n}",
            silenceURL=f"https://grafana.example/alerting/silence/new?{'m' * 5000}{n}",
        )["alerts"][0]
        for n in range(40)
    ]
    number = declared(bot, {**grafana(), "alerts": alerts})
    card = world.card(number)
    assert "|Panel>" in card
    assert "|Silence>" not in card
    assert world.rows("SELECT * FROM deliveries WHERE state = 'failed'") == []


def test_an_alert_about_a_rule_without_data_names_the_rule(bot: Client) -> None:
    """The incident's title says which rule could not be evaluated."""
    labels = {"alertname": "DatasourceNoData", "rulename": "High memory usage", "severity": "critical"}
    assert bot.incident(declared(bot, grafana(labels=labels)))["title"].startswith(
        "DatasourceNoData: High memory usage"
    )


def test_a_press_of_the_test_button_is_seen_and_opens_nothing(bot: Client, world: World, hands: Hands) -> None:
    """One line in the operators' channel, none for presses within a minute, and the next one counts those."""
    for second in (1, 2, 3):
        answer = bot.alertmanager(grafana_test(second))
        assert (answer.status_code, answer.json()["outcome"]) == (202, "test")
    (said,) = operators(bot, world)
    assert "Grafana's test notification arrived" in said
    hands.advance(minutes=1.1)
    assert bot.alertmanager(grafana_test(4)).status_code == 202
    assert "last notice: 2." in operators(bot, world)[-1]
    assert bot.incidents() == []
    assert world.rows("SELECT * FROM alert_groups") == []


def test_presses_at_once_on_one_service_are_one_line(bot: Client, world: World) -> None:
    """A test with labels of one's own, and with a severity, is one all the same."""
    labels = {"alertname": "TestAlert", "instance": "Grafana", "severity": "critical"}
    for second in range(8):
        assert bot.alertmanager(grafana_test(second, labels=labels)).json()["outcome"] == "test"
    assert len(operators(bot, world)) == 1


def test_alertmanagers_test_with_a_real_severity_pages(bot: Client) -> None:
    """Whoever sends TestAlert as critical tests how they are paged: an incident opens."""
    declared(bot, body(alert(labels={"alertname": "TestAlert", "severity": "critical"})))


DISK = {"alertname": "DiskFull", "instance": "db-7:9100", "severity": "critical"}


@pytest.mark.parametrize(
    "odd",
    [
        pytest.param({"annotations": None, "generatorURL": None}, id="nulls"),
        pytest.param({"fingerprint": None}, id="no fingerprint"),
        pytest.param({"status": "FIRING", "startsAt": "just now"}, id="words"),
        pytest.param({"labels": {**DISK, "shard": 7, "primary": True}}, id="numbers as labels"),
    ],
)
def test_an_odd_alert_declares_once_and_resolves(bot: Client, world: World, odd: dict[str, Any]) -> None:
    """What is harmlessly odd opens an incident; the same again is a repeat, and its end is an end."""
    sent = body(alert(**{"labels": DISK, **odd}))
    number = declared(bot, sent)
    assert bot.alertmanager(sent).json()["outcome"] == f"repeat of {number}"
    bot.alertmanager(body(alert(**{"labels": DISK, **odd, "status": "RESOLVED", "endsAt": "2026-11-21T08:00:00Z"})))
    assert "0 firing, 1 resolved" in world.card(number)


def test_an_end_before_the_own_start_resolves(bot: Client, world: World) -> None:
    """Alertmanager's clock a minute behind Prometheus's: the resolved notification counts."""
    number = declared(bot, body(alert(startsAt="2026-11-21T07:00:00Z")))
    bot.alertmanager(body(alert(status="resolved", startsAt="2026-11-21T07:00:00Z", endsAt="2026-11-21T06:59:00Z")))
    assert "0 firing, 1 resolved" in world.card(number)


def test_a_bad_alert_is_left_out_and_told(bot: Client, world: World) -> None:
    """The good alert declares; the answer, the inbox and the operators' channel say which was left out."""
    answer = bot.alertmanager(body(alert(labels="severity=critical"), alert("bb", labels=DISK)))
    assert answer.status_code == 202
    assert answer.json()["outcome"].startswith("declared ")
    (why,) = answer.json()["left_out"]
    assert why.startswith("alerts.0: labels")
    (kept,) = world.rows("SELECT outcome FROM inbox")
    assert "alerts.0: labels" in kept["outcome"]
    (told,) = [said for said in operators(bot, world) if "Skipped alerts" in said]
    assert answer.json()["receipt"] in told
    assert "severity=critical" not in told


def test_broken_bodies_are_dead_letters_once(bot: Client, world: World) -> None:
    """The same broken body again is the same dead letter, so that a sender that repeats it fills no disk."""
    raw = json.dumps(body(alert(labels=[]))).encode()
    receipts = {bot.alertmanager(raw).json()["error"]["details"]["receipt"] for _ in range(3)}
    assert [letter["receipt"] for letter in world.dead()] == list(receipts)
    told = wait_for(lambda: [t for t in operators(bot, world) if "400" in t], what="the notice")
    assert len(told) == 1

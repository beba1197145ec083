"""What Alertmanager holds active for us and never reached us is taken in and told, once; nothing else is."""

from __future__ import annotations

from collections.abc import Iterator
from datetime import timedelta
from pathlib import Path
from typing import Any

import pytest

from bot.sandbox.server import SandboxServer
from tests.conftest import Client, Hands, InProcess, both_databases, wait_for
from tests.integration.bodies import alert, body, warning
from tests.integration.outside import AlertmanagerApi
from tests.integration.test_auditor import count, later, notes, said
from tests.integration.world import World
from tests.ports import free_port

NEVER = "never reached the bot"
LOST = {"labels": {"alertname": "DatabaseDown", "severity": "critical", "service": "orders", "region": "eu-west-1"}}
INFO = {"labels": {"alertname": "Watchdog", "severity": "none"}}


@pytest.fixture
def source() -> Iterator[AlertmanagerApi]:
    api = AlertmanagerApi()
    yield api
    api.stop()


@pytest.fixture
def environ(environ: dict[str, str], source: AlertmanagerApi, monkeypatch: pytest.MonkeyPatch) -> dict[str, str]:
    monkeypatch.setattr("bot.app.AUDIT_TURNED", 0.1)
    return {**environ, "ALERTMANAGER_API_URL": source.url}


def told(bot: Client) -> list[str]:
    """Give what the operators were told of alerts that never came."""
    return [m.text for m in bot.workspace.messages("ops-alerts") if NEVER in m.text]


def wait_told(bot: Client) -> str:
    (text,) = wait_for(lambda: told(bot), what="the word to the operators")
    return text


def unsaid(bot: Client, source: AlertmanagerApi, hands: Hands) -> None:
    """Hold that nothing is said or opened, however long it lasts."""
    for _ in range(3):
        later(source, hands, 12)
    assert told(bot) == []


@both_databases
def test_a_critical_alert_that_never_came_opens_its_incident(
    bot: Client, world: World, hands: Hands, source: AlertmanagerApi, service: InProcess, slack: SandboxServer
) -> None:
    """After ten minutes it is declared as if it had come, and pages; the operators hear why it may be, once."""
    source.lists(alert("zz", **LOST))
    source.wait_asked(2)
    hands.advance(minutes=9)
    source.wait_asked(2)
    assert bot.incidents() == []
    hands.advance(minutes=2)
    text = wait_told(bot)
    (incident,) = bot.incidents()
    number = incident["number"]
    assert incident["severity"] == "sev2"
    bot.wait_event(number, "page_delivered")
    assert "1 alert active in Alertmanager for sitrep never reached the bot: DatabaseDown on eu-west-1" in text
    assert f"declared {number}" in text
    for cause in ("ALERTMANAGER_WEBHOOK_TOKEN", "SITREP_MAX_BODY", "route", "sitrep doctor"):
        assert cause in text
    (note,) = [n for n in notes(bot, number) if "The bot found" in n]
    assert "in Alertmanager: the notification never arrived" in note
    service.stop()
    service.start()
    slack.bot_url = service.url
    for _ in range(2):
        later(source, hands, 12)
    assert len(told(bot)) == 1
    assert len(bot.incidents()) == 1


def test_a_start_in_between_does_not_begin_the_wait_anew(
    bot: Client, world: World, hands: Hands, source: AlertmanagerApi, service: InProcess, slack: SandboxServer
) -> None:
    """A service that is restarted every few minutes tells of it all the same."""
    source.lists(alert("zz", **LOST))
    for _ in range(2):
        wait_for(lambda: world.rows("SELECT 1 FROM unheard"), what="the first look")
        hands.advance(minutes=6)
        service.stop()
        service.start()
        slack.bot_url = service.url
    wait_told(bot)
    assert len(bot.incidents()) == 1


def test_a_warning_that_never_came_waits_for_a_look(bot: Client, hands: Hands, source: AlertmanagerApi) -> None:
    """What the rules triage is posted for triage, with its buttons, beside the word to the operators."""
    source.lists(warning("ww"))
    later(source, hands)
    assert "posted for triage" in wait_told(bot)
    wait_for(lambda: said(bot, "ops-alerts", "Triage"), what="the message")
    assert bot.incidents() == []


def test_the_rest_of_a_group_joins_its_incident(bot: Client, hands: Hands, source: AlertmanagerApi) -> None:
    """One came, then bodies were refused: the others of its group go where it is, and their webhook is a repeat."""
    known, lost = alert("aa"), alert("bb", labels={**alert()["labels"], "instance": "b"})
    outcome = bot.alertmanager(body(known)).json()["outcome"]
    number = outcome.removeprefix("declared ")
    source.lists(known, lost)
    later(source, hands)
    assert number in wait_told(bot)
    assert bot.kinds(number).count("alert_fired") == 2
    answer = bot.alertmanager(body(known, lost)).json()["outcome"]
    assert answer == f"repeat of {number}"
    assert bot.kinds(number).count("alert_fired") == 2
    assert len(bot.incidents()) == 1


def test_what_only_a_rule_records_is_counted_and_not_said(
    bot: Client, world: World, hands: Hands, source: AlertmanagerApi
) -> None:
    """Watchdog for ever: no message, no incident, a number in the metrics."""
    name = 'sitrep_auditor_flags_total{flag="unheard_recorded",source="alertmanager"}'
    before = count(bot, name)
    source.lists(alert("ii", **INFO))
    unsaid(bot, source, hands)
    assert count(bot, name) - before == 1
    assert bot.incidents() == []


@pytest.mark.parametrize("state", ["suppressed", "unprocessed"])
def test_what_alertmanager_tells_nobody_of_is_no_loss(
    bot: Client, hands: Hands, source: AlertmanagerApi, state: str
) -> None:
    """Silenced, inhibited or not handed out yet: no notification is due."""
    source.lists(alert("zz", **LOST), state=state)
    unsaid(bot, source, hands)
    assert bot.incidents() == []


def test_an_alert_under_way_is_not_overtaken(bot: Client, world: World, hands: Hands, source: AlertmanagerApi) -> None:
    """group_wait and group_interval pass before a notification comes: until then nothing is missing."""
    source.lists(alert("aa"))
    wait_for(lambda: world.rows("SELECT 1 FROM unheard"), what="the first look")
    hands.advance(minutes=9)
    bot.alertmanager(body(alert("aa")))
    unsaid(bot, source, hands)
    assert world.rows("SELECT 1 FROM unheard") == []
    assert len(bot.incidents()) == 1


def test_what_a_group_said_that_it_left_out_is_no_loss(bot: Client, hands: Hands, source: AlertmanagerApi) -> None:
    """`max_alerts` cuts a notification, which says by how many: the card counts them."""
    known, cut = alert("aa"), alert("bb", labels={**alert()["labels"], "instance": "b"})
    bot.alertmanager(body(known, truncated=1))
    source.lists(known, cut)
    unsaid(bot, source, hands)
    assert len(bot.incidents()) == 1


@pytest.mark.parametrize("which", ["config", "seen"])
def test_which_receivers_are_ours(
    which: str, environ: dict[str, str], hands: Hands, source: AlertmanagerApi, request: pytest.FixtureRequest
) -> None:
    """Those of the configuration, else those from which notifications have come, whose names come quoted."""
    if which == "config":
        with Path(environ["SITREP_CONFIG"]).open("a") as config:
            config.write("\nalertmanager: {receivers: [on.call]}\n")
    bot: Client = request.getfixturevalue("bot")
    bot.alertmanager(body(alert("aa"), receiver=r"on\.call" if which == "seen" else "sitrep"))
    source.lists(alert("aa"), alert("yy", **LOST, receivers=["on.call"]), alert("xx", **LOST, receivers=["sitrep"]))
    later(source, hands)
    assert "1 alert active in Alertmanager for on.call never" in wait_told(bot)
    assert len(bot.incidents()) == 2


@both_databases
def test_it_is_taken_back_when_the_notification_comes(
    bot: Client, world: World, hands: Hands, source: AlertmanagerApi
) -> None:
    """The token was corrected: it is a repeat, whatever its group, and its end counts; the operators hear of it."""
    source.lists(alert("zz", **LOST))
    later(source, hands)
    wait_told(bot)
    (incident,) = bot.incidents()
    number, group = incident["number"], '{}:{alertname="DatabaseDown"}'
    answer = bot.alertmanager(body(alert("zz", **LOST), group=group)).json()["outcome"]
    assert answer == f"repeat of {number}"
    bot.alertmanager(body(alert("zz", "resolved", **LOST), status="resolved", group=group))
    bot.wait_event(number, "alert_resolved")
    assert len(bot.incidents()) == 1
    (text,) = wait_for(lambda: said(bot, "ops-alerts", "has reached the bot now"), what="the correction")
    assert "DatabaseDown" in text
    later(source, hands, 12)
    assert world.rows("SELECT 1 FROM unheard") == []
    assert len(said(bot, "ops-alerts", "has reached the bot now")) == 1
    assert len(told(bot)) == 1


def test_it_is_taken_back_when_it_ends_at_the_source(
    bot: Client, world: World, hands: Hands, source: AlertmanagerApi
) -> None:
    """It ended without ever coming: that is said too, and the incident hears that no end will come by itself."""
    source.lists(alert("zz", **LOST))
    later(source, hands)
    wait_told(bot)
    source.lists()
    (text,) = wait_for(lambda: said(bot, "ops-alerts", "no longer reports DatabaseDown"), what="the correction")
    assert "never arrived" in text
    assert world.rows("SELECT 1 FROM unheard") == []


def test_an_alert_that_fires_anew_and_does_not_come_is_missing(
    bot: Client, hands: Hands, source: AlertmanagerApi
) -> None:
    """Its first end is known, its second beginning is not: it opens an incident, and is no word in the old channel."""
    outcome = bot.alertmanager(body(alert("aa"))).json()["outcome"]
    number = outcome.removeprefix("declared ")
    bot.wait_opened(number)
    bot.alertmanager(body(alert("aa", "resolved"), status="resolved"))
    bot.slash("resolve Rolled back", channel=bot.room(number))
    bot.wait_event(number, "resolved")
    source.lists(alert("aa", startsAt=(hands.now() + timedelta(seconds=30)).isoformat()))
    hands.advance(minutes=30)
    later(source, hands)
    wait_told(bot)
    assert not said(bot, bot.room(number), "Resolved in Sitrep, but still firing")
    assert len(bot.incidents()) == 2 or bot.incident(number)["status"] == "investigating"


def test_a_peer_that_is_down_takes_nothing_back(
    service: InProcess,
    slack: SandboxServer,
    bot: Client,
    hands: Hands,
    source: AlertmanagerApi,
) -> None:
    """Half an answer: what is not listed may fire, so that the wait goes on and nothing is called over."""
    service.stop()
    service.environ["ALERTMANAGER_API_URL"] = f"{source.url}, http://127.0.0.1:{free_port()}"
    service.start()
    slack.bot_url = service.url
    source.lists(alert("zz", **LOST))
    source.wait_asked(2)
    source.lists()
    later(source, hands, 9)
    source.lists(alert("zz", **LOST))
    hands.advance(minutes=2)
    wait_told(bot)
    source.lists()
    later(source, hands, 12)
    assert not said(bot, "ops-alerts", "no longer holds")


def test_many_at_once_are_one_message_and_a_storm(bot: Client, hands: Hands, source: AlertmanagerApi) -> None:
    """Forty services whose notifications are lost: one message that counts them, and no forty channels."""
    lost: list[dict[str, Any]] = []
    for n in range(40):
        labels = {"alertname": f"Down{n:02}", "severity": "critical", "service": f"service-{n}", "cluster": "eu-1"}
        lost.append(alert(f"f{n}", labels=labels))
    source.lists(*lost)
    later(source, hands)
    text = wait_told(bot)
    assert "40 alerts active in" in text
    assert "and 35 more" in text
    assert len(text) < 2500
    assert len(bot.incidents()) < 10

"""A real Prometheus and a real pair of Alertmanagers before the bot: broken lines, changed routes, large groups."""

from __future__ import annotations

import json
from collections import Counter
from collections.abc import Iterator
from contextlib import ExitStack
from dataclasses import dataclass
from typing import Any

import pytest

from bot.sandbox.server import SandboxServer
from bot.sandbox.workspace import Workspace
from tests.conftest import API_TOKEN, LADDER, ROOT, WEBHOOK_TOKEN, Client, Hands, InProcess, wait_for
from tests.e2e.prometheus import ALERTMANAGER, PROMETHEUS, Alertmanager, Rules, prometheus
from tests.integration.world import World
from tests.ports import free_port

pytestmark = pytest.mark.skipif(
    ALERTMANAGER is None or PROMETHEUS is None,
    reason="Prometheus or Alertmanager is not on PATH (Debian: apt-get install prometheus prometheus-alertmanager)",
)

MIB = 1024 * 1024
KUBE = {"matchers": ['story="kube"'], "group_by": ["namespace"]}
CAPPED = {"matchers": ['story="capped"'], "receiver": "three"}


@dataclass
class Field:
    """The whole line: rules, two Alertmanagers, the bot, and the workspace."""

    rules: Rules
    first: Alertmanager
    second: Alertmanager
    bot: Client
    world: World
    hands: Hands

    @property
    def both(self) -> tuple[Alertmanager, Alertmanager]:
        """The pair."""
        return self.first, self.second

    def incidents(self, alertname: str) -> list[str]:
        """Return the numbers of the incidents in which an alert fires or fired, oldest first."""
        query = "SELECT DISTINCT name, number FROM alerts JOIN incidents ON incidents.id = incident_id ORDER BY number"
        return [str(row["number"]) for row in self.world.rows(query) if row["name"] == alertname]

    def notified(self, alertname: str, status: str = "") -> list[dict[str, Any]]:
        """Return the notifications that the bot has taken in of an alert, oldest first; those in a status, or all."""
        found = [row["body"] for row in self.world.rows("SELECT body FROM inbox ORDER BY id")]
        bodies = [json.loads(body) for body in found if f'"{alertname}"'.encode() in body]
        return [b for b in bodies if not status or b["status"] == status]

    def opened(self, alertname: str) -> str:
        """Wait until an alert has opened an incident; return its number."""
        number = str(wait_for(lambda: self.incidents(alertname), what=f"the incident of {alertname}")[0])
        self.bot.wait_opened(number)
        return number

    def told(self, number: str) -> list[str]:
        """Return what the alerts have put on a timeline."""
        return [e["text"] for e in self.bot.events(number) if e["kind"] in {"alert_fired", "alert_resolved"}]

    def pages(self, number: str) -> int:
        """Return how many pages an incident's timeline has."""
        return self.bot.kinds(number).count("paged")

    def wait_card(self, number: str, needle: str) -> None:
        """Wait until the pinned card says something; a failure tells what came last of the alerts."""
        try:
            wait_for(lambda: needle in self.world.card(number), what=f"{needle!r} on the card")
        except AssertionError as error:
            bodies = [json.loads(row["body"]) for row in self.world.rows("SELECT body FROM inbox ORDER BY id")]
            told = [(b["status"], b["groupKey"], Counter(a["status"] for a in b["alerts"])) for b in bodies[-8:]]
            raise AssertionError(f"{error}; told: {told}; card: {self.world.card(number)[:3000]}") from error

    def refused(self) -> list[dict[str, Any]]:
        """Return what the bot has told its operators of notifications that it did not take."""
        return self.world.rows("SELECT subject, told FROM notices")

    def acknowledge(self, number: str) -> None:
        """Acknowledge an incident, so that its ladder stands still."""
        self.bot.slash(f"{number} ack")
        self.bot.wait_event(number, "acknowledged")


@pytest.fixture(scope="module")
def field(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Field]:
    """All of it, running; tests share it and use alerts of their own."""
    folder = tmp_path_factory.mktemp("field")
    hands = Hands(folder / "clock")
    workspace = Workspace.demo(now=lambda: hands.now().timestamp())
    config = folder / "sitrep.yaml"
    config.write_text(f"{LADDER}\nstorms: {{over: 1000, overall: 1000}}\n")
    with ExitStack() as stack:
        slack = stack.enter_context(SandboxServer(workspace))
        environ = {
            "SITREP_DATABASE_URL": f"sqlite:///{folder / 'sitrep.db'}",
            "SITREP_CONFIG": str(config),
            "SITREP_PORT": str(free_port()),
            "SITREP_RUNBOOKS": str(ROOT / "runbooks"),
            "SITREP_API_TOKENS": f"viewer:{API_TOKEN}",
            "SITREP_TEST_CLOCK": str(hands.path),
            "SLACK_BOT_TOKEN": workspace.bot_token,
            "SLACK_SIGNING_SECRET": workspace.signing_secret,
            "SLACK_API_URL": slack.api_url,
            "ALERTMANAGER_WEBHOOK_TOKEN": WEBHOOK_TOKEN,
        }
        service = InProcess(environ)
        gossip = [f"127.0.0.1:{free_port()}" for _ in range(2)]
        peers = [
            Alertmanager(folder / name, gossip[place], gossip[1 - place], service.url)
            for place, name in enumerate(("first", "second"))
        ]
        rules = prometheus(folder / "prometheus", [peer.address for peer in peers])
        for server in (*peers, rules.server):
            stack.callback(server.end)
        for peer in peers:
            peer.configure([KUBE, CAPPED])
            peer.launch()
        rules.server.launch()
        service.start()
        stack.callback(service.stop)
        slack.bot_url = service.url
        for server in (*peers, rules.server):
            server.wait_ready()
        wait_for(lambda: all(peer.peers() == 2 for peer in peers), what="the pair")
        bot = Client(service.url, workspace)
        stack.callback(bot.close)
        yield Field(rules, peers[0], peers[1], bot, World(bot, environ), hands)


def test_it_fires_again_with_its_old_start_after_a_lost_connection(field: Field) -> None:
    """Cut off from Prometheus, Alertmanager says resolved; connected again it says firing, and somebody hears of it."""
    field.rules.fire("refire", {"alertname": "PaymentsDown", "service": "payments", "severity": "critical"})
    number = field.opened("PaymentsDown")
    (started,) = field.world.rows("SELECT starts_at FROM alerts WHERE name = 'PaymentsDown'")
    field.rules.lose()
    field.bot.wait_event(number, "alert_resolved")
    field.bot.slash(f"{number} resolve It recovered by itself")
    field.bot.wait_event(number, "resolved")
    before = field.pages(number)
    fired = len(field.notified("PaymentsDown", "firing"))
    field.rules.connect()
    wait_for(lambda: len(field.notified("PaymentsDown", "firing")) > fired, what="the notification")
    # No "resolved" of its own follows within two group intervals, so it is no late copy.
    field.hands.advance(minutes=11)
    wait_for(lambda: field.bot.incident(number)["status"] == "investigating", what="the incident to be open again")
    field.wait_card(number, "1 firing")
    wait_for(lambda: field.pages(number) > before, what="a page")
    (again,) = field.world.rows("SELECT starts_at FROM alerts WHERE name = 'PaymentsDown' ORDER BY id DESC LIMIT 1")
    assert again["starts_at"] == started["starts_at"]  # else this test shows nothing
    field.rules.end("refire")
    field.wait_card(number, "0 firing")
    assert field.incidents("PaymentsDown") == [number]


def test_a_changed_route_is_no_second_incident(field: Field) -> None:
    """Under another group key after a reload, the alert joins the incident it fires in: no page, and it ends there."""
    field.rules.fire("route", {"alertname": "SearchDown", "service": "search", "severity": "critical"})
    number = field.opened("SearchDown")
    field.acknowledge(number)
    before = field.pages(number)
    for peer in field.both:
        peer.configure([{"matchers": ['story="route"', 'severity="critical"']}, KUBE, CAPPED])
        peer.reload()
    wait_for(lambda: len({told["groupKey"] for told in field.notified("SearchDown")}) == 2, what="the new key")
    field.rules.end("route")

    def over() -> list[str]:
        """What was told, once it has ended: a peer may send a late "firing" in between, and then its own end."""
        told = [line.split()[1] for line in field.told(number)]
        return told if told[-1] == "resolved" and "0 firing" in field.world.card(number) else []

    told = wait_for(over, what="the end")
    assert told == ["firing", "resolved"] * (len(told) // 2)
    assert field.incidents("SearchDown") == [number]
    assert field.pages(number) == before


def test_a_second_critical_of_the_namespace_is_heard(field: Field) -> None:
    """Grouped by namespace, the outage of another service hours later is no mere figure on an acknowledged card."""
    field.rules.fire(
        "kube",
        {
            "alertname": "KubeDaemonSetRolloutStuck",
            "namespace": "shop",
            "daemonset": "log-agent",
            "severity": "critical",
        },
    )
    number = field.opened("KubeDaemonSetRolloutStuck")
    field.acknowledge(number)
    before = heard(field)
    field.rules.fire(
        "kube",
        {"alertname": "PostgresDown", "namespace": "shop", "service": "postgres", "severity": "critical"},
    )
    wait_for(lambda: any("PostgresDown" in text for text in heard(field) - before), what="a word on PostgresDown")
    field.rules.end("kube")


def heard(field: Field) -> set[str]:
    """Return what mentions a person in any channel."""
    return {
        message.text
        for channel in field.bot.workspace.channels.values()
        for message in channel.log
        if message.subtype is None and "<@" in message.text
    }


def test_a_pair_tells_of_each_alert_once(field: Field) -> None:
    """One of the pair hangs while the alert ends; its late copies afterwards begin nothing anew."""
    field.rules.fire("pair", {"alertname": "CartDown", "service": "cart", "severity": "critical"})
    number = field.opened("CartDown")
    field.acknowledge(number)
    before = field.pages(number)
    field.first.hold()
    field.rules.end("pair")
    field.bot.wait_event(number, "alert_resolved")
    field.first.release()
    field.rules.fire("pair", {"alertname": "CartSlow", "service": "cart", "severity": "critical"})
    other = field.opened("CartSlow")
    field.acknowledge(other)
    field.rules.end("pair")
    field.bot.wait_event(other, "alert_resolved")
    field.hands.advance(minutes=11)
    field.wait_card(number, "0 firing")
    field.world.settle()
    assert field.incidents("CartDown") == [number]
    assert field.pages(number) == before
    assert field.refused() == []


def test_what_max_alerts_leaves_out_is_counted(field: Field) -> None:
    """A receiver that takes three alerts of ten: the card says that seven more were left out, and the rest go on."""
    pods = [
        {"alertname": "QueueStuck", "service": "queue", "severity": "critical", "pod": f"queue-{n}"} for n in range(10)
    ]
    field.rules.fire("capped", *pods)
    number = field.opened("QueueStuck")
    field.wait_card(number, "3 firing, 0 resolved")
    field.wait_card(number, "7 more")
    sent = len(field.notified("QueueStuck"))
    field.rules.end("capped", pod="queue-9")  # it was left out, and its end is
    wait_for(lambda: len(field.notified("QueueStuck")) > sent, what="the notification")
    field.world.settle()
    assert "alert_resolved" not in field.bot.kinds(number)
    field.rules.end("capped")
    field.wait_card(number, "0 firing, 3 resolved")


def test_twelve_hundred_pods_at_once_are_one_incident(field: Field) -> None:
    """A group of 1,200 alerts, over 1 MiB in one body, is taken in, counted and paged once."""
    pods = [
        {
            "alertname": "TargetDown",
            "service": "checkout",
            "severity": "critical",
            "namespace": "shop",
            "container": "checkout",
            "endpoint": "http-metrics",
            "job": "checkout",
            "prometheus": "monitoring/kube-prometheus-stack",
            "instance": f"10.42.{n // 250}.{n % 250}:8080",
            "node": f"ip-10-0-{n // 250}-{n % 250}.eu-west-1.compute.internal",
            "pod": f"checkout-7d9f8b6c5-{n:05}",
        }
        for n in range(1200)
    ]
    text = (
        "The pod does not answer its health check for 15 minutes; see the dashboard before you restart anything. " * 3
    )
    field.rules.fire("mass", *pods, description=text)
    number = field.opened("TargetDown")
    field.wait_card(number, "1,200 firing")
    (largest,) = field.world.rows("SELECT max(length(body)) AS bytes FROM inbox")
    assert largest["bytes"] > MIB
    assert field.incidents("TargetDown") == [number]
    assert field.pages(number) == 1
    assert field.refused() == []
    field.rules.end("mass")
    field.wait_card(number, "0 firing, 1,200 resolved")
    field.rules.forget("mass")  # each second it costs this machine what the other stories need

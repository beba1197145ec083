"""A real Alertmanager sends its notifications to the bot: grouped, resolved, and again after a failure."""

from __future__ import annotations

import shutil
import subprocess
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import httpx
import pytest

from bot.sandbox.server import SandboxServer
from tests.conftest import WEBHOOK_TOKEN, Client, Hands, InProcess, wait_for
from tests.integration.world import World
from tests.patience import START
from tests.ports import free_port

BINARY = shutil.which("prometheus-alertmanager") or shutil.which("alertmanager")
pytestmark = pytest.mark.skipif(
    BINARY is None, reason="there is no Alertmanager on PATH (Debian: apt-get install prometheus-alertmanager)"
)

BEARER = f"authorization: {{credentials: {WEBHOOK_TOKEN}}}"
BASIC = f"basic_auth: {{username: alertmanager, password: {WEBHOOK_TOKEN}}}"
CONFIG = """
route: {{receiver: sitrep, group_by: [alertname, cluster], group_wait: 200ms, group_interval: 1s, repeat_interval: 1h}}
receivers:
  - name: sitrep
    webhook_configs:
      - {{url: "{url}/webhooks/alertmanager", send_resolved: true, http_config: {{{login}}}}}
"""


class Alertmanager:
    """An Alertmanager of the test's own, which can be killed and started again."""

    def __init__(self, folder: Path) -> None:
        self._folder = folder
        self._address = f"127.0.0.1:{free_port()}"
        self._child: subprocess.Popen[bytes] | None = None
        self.url = f"http://{self._address}"
        self.http = httpx.Client(base_url=self.url, timeout=5)
        self._began: dict[str, str] = {}

    def launch(self) -> None:
        """Start it on its data, of which alerts are no part, and wait until it is ready."""
        assert BINARY is not None
        with (self._folder / "log").open("ab") as log:
            self._child = subprocess.Popen(
                [
                    BINARY,
                    f"--config.file={self._folder / 'alertmanager.yml'}",
                    f"--storage.path={self._folder / 'data'}",
                    f"--web.listen-address={self._address}",
                    "--cluster.listen-address=",
                ],
                stdout=log,
                stderr=log,
            )
        wait_for(self._ready, what="Alertmanager")

    def login(self, login: str) -> None:
        """Give it another login at the bot; what it holds stays."""
        config = self._folder / "alertmanager.yml"
        config.write_text(config.read_text().replace("authorization: {credentials: another-token}", login))
        self.http.post("/-/reload").raise_for_status()

    def _ready(self) -> bool:
        assert self._child is not None
        assert self._child.poll() is None, (self._folder / "log").read_text()
        try:
            return self.http.get("/-/ready").status_code == 200
        except httpx.TransportError:
            return False

    def end(self) -> None:
        if self._child is not None:
            self._child.terminate()
            self._child.wait(START)

    def post(self, *instances: str, severity: str = "critical", over: bool = False) -> None:
        """Tell it that these instances' alerts fire, or that they are over."""
        now = datetime.now(UTC)
        for instance in instances:
            if not over:
                self._began[instance] = now.isoformat()
        alerts = [
            {
                "labels": {
                    "alertname": "HighErrorRate" if severity == "critical" else "DiskFills",
                    "cluster": "eu1",
                    "service": "checkout",
                    "severity": severity,
                    "instance": instance,
                },
                "annotations": {"summary": "5xx above 5%"},
                "startsAt": self._began[instance],
                "endsAt": (now if over else now + timedelta(hours=1)).isoformat(),
                "generatorURL": "http://prometheus.example/graph",
            }
            for instance in instances
        ]
        self.http.post("/api/v2/alerts", json=alerts).raise_for_status()

    def failures(self) -> float:
        """Give how many requests to the bot have failed."""
        return self._metric('alertmanager_notification_requests_failed_total{integration="webhook"}')

    def sent(self) -> float:
        """Give how many requests to the bot there were."""
        return self._metric('alertmanager_notification_requests_total{integration="webhook"}')

    def _metric(self, name: str) -> float:
        lines = self.http.get("/metrics").raise_for_status().text.splitlines()
        return next(float(line.removeprefix(name)) for line in lines if line.startswith(name))


@contextmanager
def _running(folder: Path, bot_url: str, login: str) -> Iterator[Alertmanager]:
    folder.mkdir()
    (folder / "alertmanager.yml").write_text(CONFIG.format(url=bot_url, login=login))
    peer = Alertmanager(folder)
    try:
        peer.launch()
        yield peer
    finally:
        peer.http.close()
        peer.end()


Start = Callable[..., Alertmanager]


@pytest.fixture
def start(tmp_path: Path, environ: dict[str, str]) -> Iterator[Start]:
    """Starts an Alertmanager that sends to the bot's address, whether the bot is there or not."""
    opened: list[Any] = []
    url = f"http://127.0.0.1:{environ['SITREP_PORT']}"

    def begin(login: str = BEARER) -> Alertmanager:
        opened.append(_running(tmp_path / f"alertmanager-{len(opened)}", url, login))
        peer: Alertmanager = opened[-1].__enter__()
        return peer

    yield begin
    for manager in opened:
        manager.__exit__(None, None, None)


@pytest.fixture
def world(bot: Client, environ: dict[str, str]) -> World:
    return World(bot, environ)


def the_incident(bot: Client) -> str:
    (incident,) = wait_for(bot.incidents, what="the incident")
    bot.wait_opened(incident["number"])
    return str(incident["number"])


def told(bot: Client, number: str) -> list[str]:
    """Give what the alerts have put on the timeline."""
    return [e["text"] for e in bot.events(number) if e["kind"] in {"alert_fired", "alert_resolved"}]


def test_a_group_from_its_first_alert_to_its_last(bot: Client, world: World, start: Start) -> None:
    """A real group makes one incident; what joins, ends and fires again is a line each and closes nothing."""
    peer = start()
    peer.post("a", "b")
    number = the_incident(bot)
    lines = ["HighErrorRate firing on a eu1", "HighErrorRate firing on b eu1"]
    assert told(bot, number) == lines

    steps: list[tuple[str, bool, str, str]] = [
        ("a", True, "HighErrorRate resolved on a eu1", "1 firing, 1 resolved"),
        ("c", False, "HighErrorRate firing on c eu1", "2 firing, 1 resolved"),
        ("b", True, "HighErrorRate resolved on b eu1", "1 firing, 2 resolved"),
        ("c", True, "HighErrorRate resolved on c eu1", "0 firing, 3 resolved"),
        ("a", False, "HighErrorRate firing on a eu1", "1 firing, 2 resolved"),
    ]
    for instance, over, line, shown in steps:
        peer.post(instance, over=over)
        lines.append(line)
        wait_for(lambda: told(bot, number) == lines, what=line)
        assert shown in world.card(number)
    assert [i["status"] for i in bot.incidents()] == ["investigating"]
    assert bot.workspace.count("conversations.create") == 1
    assert peer.failures() == 0


def test_what_could_not_be_delivered_is_sent_again(
    bot: Client, service: InProcess, slack: SandboxServer, start: Start
) -> None:
    """With the bot stopped, then answering 503, Alertmanager tries again, and the alert ends in one incident."""
    peer = start(BASIC)
    service.stop()
    peer.post("a")
    wait_for(lambda: peer.failures() >= 1, what="a refused connection")

    token = service.environ.pop("ALERTMANAGER_WEBHOOK_TOKEN")
    service.start()
    refused = peer.failures()
    wait_for(lambda: peer.failures() > refused, what="a 503")
    assert bot.incidents() == []
    service.stop()

    service.environ["ALERTMANAGER_WEBHOOK_TOKEN"] = token
    service.start()
    slack.bot_url = service.url
    number = the_incident(bot)
    assert told(bot, number) == ["HighErrorRate firing on a eu1"]
    peer.post("a", over=True)
    bot.wait_event(number, "alert_resolved")
    assert told(bot, number) == ["HighErrorRate firing on a eu1", "HighErrorRate resolved on a eu1"]


def test_two_alertmanagers_make_one_incident(bot: Client, world: World, start: Start) -> None:
    """Both peers tell of the same group; there is one incident, and each alert begins and ends once."""
    peers = [start(BEARER), start(BASIC)]
    for peer in peers:
        peer.post("a", "b")
    number = the_incident(bot)
    wait_for(lambda: all(peer.sent() >= 1 for peer in peers), what="both peers")
    assert len(told(bot, number)) == 2
    before = bot.events(number)
    for peer in reversed(peers):
        peer.post("a", "b", over=True)
    wait_for(lambda: all(peer.sent() >= 2 for peer in peers), what="both peers")
    wait_for(lambda: len(told(bot, number)) == 4, what="the ends")
    world.settle()
    assert [e["kind"] for e in bot.events(number)[len(before) :]] == ["alert_resolved"] * 2
    assert len(bot.incidents()) == 1
    assert all(peer.failures() == 0 for peer in peers)


def test_a_warning_is_looked_at_and_forgotten(bot: Client, world: World, start: Start) -> None:
    """A real warning is one message in the alerts channel, which says in the end that it is over."""
    peer = start()
    peer.post("a", severity="warning")
    wait_for(lambda: bot.workspace.find("ops-alerts", "DiskFills, 1 firing"), what="the message")
    peer.post("a", severity="warning", over=True)
    wait_for(lambda: bot.workspace.find("ops-alerts", "DiskFills, resolved"), what="the end")
    world.settle()
    assert len(bot.workspace.messages("ops-alerts")) == 1
    assert bot.incidents() == []


def test_a_resolved_that_was_lost_is_noticed(
    bot: Client, world: World, service: InProcess, slack: SandboxServer, start: Start, hands: Hands
) -> None:
    """It ended while the bot was down, and Alertmanager restarted before it could say so: the bot asks, and tells."""
    peer = start()
    service.environ["ALERTMANAGER_API_URL"] = peer.url
    peer.post("a", "b")
    number = the_incident(bot)
    service.stop()
    failures = peer.failures()
    peer.post("a", over=True)
    wait_for(lambda: peer.failures() > failures, what="the resolved that cannot be sent")
    peer.end()
    peer.launch()
    peer.post("b")
    service.start()
    slack.bot_url = service.url

    def flagged() -> list[str]:
        return [e["text"] for e in bot.events(number) if e["kind"] == "note"]

    time.sleep(3)  # some looks, which say nothing yet
    assert flagged() == []
    hands.advance(minutes=11)
    never = "Alertmanager no longer reports HighErrorRate on a eu1, and the resolved notification never came"
    wait_for(lambda: flagged() == [never], what="the flag")
    assert "HighErrorRate no longer reported by its source" in world.card(number)
    assert bot.incident(number)["status"] == "investigating"

    peer.post("a")  # it fires again
    wait_for(lambda: len(flagged()) == 2, what="the correction")
    assert "as firing again" in flagged()[1]
    peer.post("a", over=True)
    bot.wait_event(number, "alert_resolved")
    assert "1 firing, 1 resolved" in world.card(number)


def test_what_a_wrong_token_kept_back_is_taken_in(
    bot: Client, world: World, service: InProcess, slack: SandboxServer, start: Start, hands: Hands
) -> None:
    """Alertmanager is refused: the bot asks, opens the incident and tells why; what comes later is a repeat."""
    peer = start("authorization: {credentials: another-token}")
    service.stop()
    service.environ["ALERTMANAGER_API_URL"] = peer.url
    service.start()
    slack.bot_url = service.url
    peer.post("a", "b")
    wait_for(lambda: peer.failures() > 0, what="the refusal")
    wait_for(lambda: len(world.rows("SELECT 1 FROM unheard")) == 2, what="the first look")
    assert bot.incidents() == []
    hands.advance(minutes=11)
    number = the_incident(bot)
    wait_for(
        lambda: bot.workspace.find("ops-alerts", "2 alerts active in Alertmanager for sitrep"),
        what="the operators' word",
    )
    peer.login(BEARER)
    wait_for(lambda: bot.workspace.find("ops-alerts", "has reached the bot now"), what="the correction")
    peer.post("a", "b", over=True)
    wait_for(lambda: bot.kinds(number).count("alert_resolved") == 2, what="the ends")
    assert bot.kinds(number).count("alert_fired") == 2
    assert len(bot.incidents()) == 1

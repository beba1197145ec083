"""A real Prometheus and a pair of real Alertmanagers, with intervals of a second, and rules that tests switch."""

from __future__ import annotations

import shutil
import signal
import subprocess
from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import httpx
import yaml

from tests.conftest import NO_TLS, WEBHOOK_TOKEN, wait_for
from tests.patience import START
from tests.ports import free_port

ALERTMANAGER = shutil.which("prometheus-alertmanager") or shutil.which("alertmanager")
PROMETHEUS = shutil.which("prometheus")
NOWHERE = "127.0.0.1:9"  # nothing listens to the discard protocol's port
RESEND = 4  # seconds; Prometheus says of an alert that it is over after four times as long without news from it
FIRES, OVER = "vector(1)", "vector(1) > 1"
GROUPING = {"group_wait": "500ms", "group_interval": "1s", "repeat_interval": "1h"}


class Server:
    """A process that answers /-/ready, and reads its configuration again when asked to."""

    def __init__(self, folder: Path, *command: str) -> None:
        folder.mkdir(parents=True)
        self.folder = folder
        self.address = f"127.0.0.1:{free_port()}"
        self.url = f"http://{self.address}"
        self.http = httpx.Client(base_url=self.url, timeout=START, verify=NO_TLS)
        self._command = [*command, f"--web.listen-address={self.address}"]
        self._child: subprocess.Popen[bytes] | None = None

    def launch(self) -> None:
        """Start it."""
        with (self.folder / "log").open("ab") as log:
            self._child = subprocess.Popen(self._command, cwd=self.folder, stdout=log, stderr=log)

    def wait_ready(self) -> None:
        """Wait until it takes requests."""
        wait_for(self._ready, START, f"the start of {self._command[0]}")

    def _ready(self) -> bool:
        assert self._child is not None
        assert self._child.poll() is None, (self.folder / "log").read_text()
        try:
            return self.http.get("/-/ready").status_code == 200
        except httpx.TransportError:
            return False

    def reload(self) -> None:
        """Have it read its configuration."""
        self.http.post("/-/reload").raise_for_status()

    def hold(self) -> None:
        """Stop it in its tracks."""
        assert self._child is not None
        self._child.send_signal(signal.SIGSTOP)

    def release(self) -> None:
        """Let it go on."""
        assert self._child is not None
        self._child.send_signal(signal.SIGCONT)

    def end(self) -> None:
        """End it, held or not."""
        self.http.close()
        if self._child is not None:
            self._child.kill()
            self._child.wait(START)


class Alertmanager(Server):
    """An Alertmanager that sends to the bot; two of them can be a pair that tell each other what they have sent."""

    def __init__(self, folder: Path, gossip: str, peer: str, bot_url: str) -> None:
        assert ALERTMANAGER is not None
        super().__init__(
            folder,
            ALERTMANAGER,
            "--config.file=alertmanager.yml",
            "--storage.path=data",
            f"--cluster.listen-address={gossip}",
            f"--cluster.peer={peer}",
            "--cluster.peer-timeout=2s",
            "--cluster.pushpull-interval=1s",
            "--cluster.gossip-interval=100ms",
            "--cluster.settle-timeout=1s",
            "--cluster.reconnect-interval=1s",
        )
        self._bot_url = bot_url

    def configure(self, routes: list[dict[str, Any]]) -> None:
        """Write the configuration: the routes, and a receiver for all and one that sends three alerts at most."""
        to = {
            "url": f"{self._bot_url}/webhooks/alertmanager",
            "send_resolved": True,
            "http_config": {"authorization": {"credentials": WEBHOOK_TOKEN}},
        }
        config = {
            "route": {"receiver": "sitrep", "group_by": ["alertname", "cluster"], **GROUPING, "routes": routes},
            "receivers": [
                {"name": "sitrep", "webhook_configs": [to]},
                {"name": "three", "webhook_configs": [{**to, "max_alerts": 3}]},
            ],
        }
        (self.folder / "alertmanager.yml").write_text(yaml.safe_dump(config))

    def peers(self) -> int:
        """Return how many it knows of, itself included."""
        return len(self.http.get("/api/v2/status").json()["cluster"].get("peers", ()))


@dataclass
class Rules:
    """A Prometheus whose rules fire as long as they are there."""

    server: Server
    peers: list[str]
    alerts: dict[str, list[dict[str, Any]]] = field(default_factory=dict)

    def fire(self, story: str, *alerts: Mapping[str, str], **annotations: str) -> None:
        """Have these alerts fire, by their labels, beside those of the story that do."""
        self.alerts.setdefault(story, []).extend(
            {
                "alert": labels["alertname"],
                "expr": FIRES,
                "labels": {"story": story, **{k: v for k, v in labels.items() if k != "alertname"}},
                "annotations": {"summary": "It does not answer", **annotations},
            }
            for labels in alerts
        )
        self._write()

    def end(self, story: str, **labels: str) -> None:
        """End the alerts of a story that have these labels: their rules stay, and find nothing."""
        for rule in self.alerts[story]:
            known = {"alertname": rule["alert"], **rule["labels"]}
            if all(known.get(name) == value for name, value in labels.items()):
                rule["expr"] = OVER
        self._write()

    def forget(self, story: str) -> None:
        """Take the rules of a story away; what still fires is told to be over."""
        del self.alerts[story]
        (self.server.folder / "rules" / f"{story}.yml").unlink()
        self.server.reload()

    def lose(self) -> None:
        """Cut the connection to the Alertmanagers."""
        self.connect([NOWHERE])

    def connect(self, targets: list[str] | None = None) -> None:
        """Send to the Alertmanagers, or to others."""
        config = {
            "global": {"evaluation_interval": "1s"},
            "rule_files": ["rules/*.yml"],
            "alerting": {"alertmanagers": [{"timeout": "3s", "static_configs": [{"targets": targets or self.peers}]}]},
        }
        (self.server.folder / "prometheus.yml").write_text(yaml.safe_dump(config))
        if self.server._child is not None:
            self.server.reload()

    def _write(self) -> None:
        # A file each: what does not change goes on as it was.
        for story, rules in self.alerts.items():
            text = yaml.safe_dump({"groups": [{"name": story, "interval": "1s", "rules": rules}]})
            path = self.server.folder / "rules" / f"{story}.yml"
            if not path.exists() or path.read_text() != text:
                path.write_text(text)
        self.server.reload()


def prometheus(folder: Path, peers: list[str]) -> Rules:
    """Make a Prometheus that sends to Alertmanagers, by their addresses."""
    assert PROMETHEUS is not None
    server = Server(
        folder,
        PROMETHEUS,
        "--config.file=prometheus.yml",
        "--storage.tsdb.path=data",
        "--web.enable-lifecycle",
        f"--rules.alert.resend-delay={RESEND}s",
    )
    (folder / "rules").mkdir()
    rules = Rules(server, peers)
    rules.connect()
    return rules

"""The harness: a workspace at HTTP level, the real service beside it, and a clock that tests turn by hand."""

from __future__ import annotations

import asyncio
import gc
import hashlib
import hmac
import json
import os
import re
import signal
import ssl
import subprocess
import sys
import tempfile
import threading
import time
from collections.abc import Callable, Iterator, Mapping
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import httpx
import pytest
import uvicorn
from hypothesis import HealthCheck, settings

from bot.app import make_app
from bot.clock import FileClock
from bot.heads import BoundedHeads
from bot.migrate import migrate
from bot.sandbox import people
from bot.sandbox import workspace as stage
from bot.sandbox.people import Sender
from bot.sandbox.server import SandboxServer
from bot.sandbox.workspace import Workspace
from bot.server import KEEP_ALIVE
from bot.settings import load_settings
from handlers.slack import commands, context, shortcuts, speech
from handlers.slack.verbs import people as people_verbs
from handlers.webhooks import routes as webhooks
from tests.forks import Fork
from tests.migrated import migrated, put
from tests.patience import BUSY, PATIENCE, START
from tests.ports import free_port
from tests.postgres import Postgres, database
from tests.quick import ROOT, quick_start

# What takes long is measured by the tests marked `timing`; a busy machine is no counterexample.
# Each run draws the same examples, so a run is red only for a change; `make fuzz` draws new ones.
busy = settings(deadline=None, suppress_health_check=[HealthCheck.too_slow])
settings.register_profile("fixed", busy, derandomize=True)
settings.register_profile("fuzz", busy, max_examples=500, print_blob=True)
settings.load_profile("fixed")

# So are Slack's 3 s and the webhooks': what is answered late on a busy machine would otherwise be no answer at all.
people.ACK_SECONDS *= BUSY
stage.TRIGGER_SECONDS *= BUSY
webhooks.ANSWER_WITHIN *= BUSY
commands.WRITE_WITHIN *= BUSY
context.WRITE_WITHIN *= BUSY
shortcuts.WRITE_WITHIN *= BUSY
people_verbs.FIND_WITHIN *= BUSY
speech.FIND_WITHIN *= BUSY

WEBHOOK_TOKEN = "alertmanager-token"
API_TOKEN = "viewer-token"
PAGERDUTY_SECRET = "pagerduty-secret"
NO_TLS = ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT)  # the default reads all certificates, for loopback in vain
LADDER = """
runbooks: {checklists: false}
ladders:
  default:
    - {after: 0s,  name: On-call SRE,         slack: [alice@example.com]}
    - {after: 5m,  name: SRE Team Lead,       slack: [bob@example.com]}
    - {after: 15m, name: Engineering Manager, slack: [charlie@example.com]}
    - {after: 30m, name: VP Engineering,      slack: [dana@example.com]}
"""


@pytest.hookimpl(trylast=True)  # after all have been put into a random order
def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    """Begin with the longest, those with real servers: what waits at the end keeps all workers waiting."""
    items.sort(key=lambda item: "e2e" not in item.path.parts)


def pytest_collection_finish() -> None:
    """Keep what has been imported and collected out of garbage collections: it is much, and stays."""
    gc.collect()
    gc.freeze()


def wait_for(condition: Callable[[], Any], timeout: float = PATIENCE, what: str = "") -> Any:
    """Wait until `condition` gives something true, and give that."""
    begun = time.monotonic()
    while True:
        found = condition()
        if found:
            return found
        waited = time.monotonic() - begun
        if waited > timeout:
            raise AssertionError(f"Waited {timeout} s in vain for {what or condition}; last: {found!r}")
        # Rarer the longer it takes: a look costs the service as much as the test.
        time.sleep(min(max(waited / 8, 0.02), 0.25))


def number_of(channel: str) -> str:
    """Return the number of the incident that a channel is called after; empty where it is no incident's."""
    found = re.fullmatch(r"incident-([0-9]{8}-[0-9]{3,})(-[a-z0-9_-]+)?", channel)
    return f"INC-{found[1]}" if found else ""


def rooms(workspace: Workspace, number: str = "") -> list[str]:
    """Return the names of all incidents' channels, or of those that are called after one incident, oldest first."""
    names = [c.name for c in list(workspace.channels.values()) if c.name.startswith("incident-")]
    return [name for name in names if number in {"", number_of(name)}]


def room_of(workspace: Workspace, number: str) -> str:
    """Return the name of an incident's channel, which begins with its number, once it is there."""
    found = wait_for(lambda: rooms(workspace, number), what=f"the channel of {number}")
    assert len(found) == 1, found
    return str(found[0])


class Hands:
    """The clock that the service reads: the machine's, moved by a file."""

    def __init__(self, path: Path) -> None:
        self.path = path
        self.offset = 0.0
        self.set(0)

    def set(self, seconds: float) -> None:
        moved, self.offset = seconds != self.offset, seconds
        part = self.path.with_suffix(".part")
        part.write_text(str(seconds))
        part.replace(self.path)
        if moved:
            time.sleep(1.5 * FileClock._REREAD)  # what comes now is to be at the new time

    def advance(self, seconds: float = 0, *, minutes: float = 0) -> None:
        self.set(self.offset + seconds + 60 * minutes)

    def now(self) -> datetime:
        return datetime.now(UTC) + timedelta(seconds=self.offset)


class Client:
    """Talks to a running service as the outside does."""

    def __init__(self, url: str, workspace: Workspace) -> None:
        self.url = url
        self.workspace = workspace
        self.http = httpx.Client(base_url=url, timeout=PATIENCE, verify=NO_TLS)
        self.people = Sender(workspace, url, timeout=PATIENCE)

    def close(self) -> None:
        self.http.close()
        self.people.close_client()

    def alertmanager(self, body: Mapping[str, Any] | bytes, token: str = WEBHOOK_TOKEN) -> httpx.Response:
        content = body if isinstance(body, bytes) else json.dumps(body).encode()
        return self.http.post("/webhooks/alertmanager", content=content, headers={"authorization": f"Bearer {token}"})

    def pagerduty(self, body: Mapping[str, Any] | bytes, secret: str = PAGERDUTY_SECRET) -> httpx.Response:
        content = body if isinstance(body, bytes) else json.dumps(body).encode()
        signature = hmac.new(secret.encode(), content, hashlib.sha256).hexdigest()
        return self.http.post(
            "/webhooks/pagerduty", content=content, headers={"x-pagerduty-signature": f"v1={signature}"}
        )

    def get(self, path: str, **params: Any) -> httpx.Response:
        return self.http.get(path, params=params or None, headers={"authorization": f"Bearer {API_TOKEN}"})

    def incidents(self) -> list[dict[str, Any]]:
        return list(self.get("/api/v1/incidents").json()["incidents"])

    def incident(self, number: str) -> dict[str, Any]:
        return dict(self.get(f"/api/v1/incidents/{number}").json())

    def events(self, number: str) -> list[dict[str, Any]]:
        return list(self.get(f"/api/v1/incidents/{number}/timeline", format="json").json()["events"])

    def kinds(self, number: str) -> list[str]:
        return [event["kind"] for event in self.events(number)]

    def wait_event(self, number: str, kind: str, count: int = 1) -> dict[str, Any]:
        def look() -> dict[str, Any] | None:
            found = [e for e in self.events(number) if e["kind"] == kind]
            return found[count - 1] if len(found) >= count else None

        return dict(wait_for(look, what=f"{count} x {kind}"))

    def slash(self, text: str, user: str = "alice", channel: str = "general") -> str:
        reply = self.people.slash(user, channel, text)
        assert reply.status == 200, reply
        return str(reply.json.get("text", "")) if reply.body else ""

    def sure(self, user: str, channel: str, label: str) -> str:
        """Press a button of the last question that somebody was asked; gives the answer that takes its place."""
        asked = self.workspace.ephemerals(user, channel)[-1]
        rows = [block for block in asked.blocks if block["type"] == "actions"]
        element = next(e for row in rows for e in row["elements"] if e["text"]["text"] == label)
        assert self.people.press(user, channel, asked.ts, element["action_id"], element["value"]).ok
        wait_for(lambda: "ask_" not in str(asked.blocks), what="the answer in the question's place")
        return asked.text

    def open_one(self, text: str = "declare Checkout is down sev2", user: str = "alice") -> tuple[str, str]:
        """Declare an incident and wait until its opening is complete; gives its number and channel."""
        said = self.slash(text, user)
        number = next(word for word in said.split() if word.startswith("INC-"))
        self.wait_opened(number)
        return number, self.room(number)

    def room(self, number: str) -> str:
        """Return the name of an incident's channel, once it is there."""
        return room_of(self.workspace, number)

    def wait_opened(self, number: str) -> None:
        self.wait_event(number, "runbook_posted")
        channel = self.room(number)
        wait_for(lambda: self.workspace.pinned(channel), what="the pinned card")
        wait_for(lambda: self.workspace.find(channel, "declared"), what="the notification")
        wait_for(lambda: self.workspace.find(channel, "Runbook for this incident"), what="the runbook")
        wait_for(lambda: self.workspace.find("incidents", number), what="the announcement")
        if "paged" in self.kinds(number):
            self.wait_event(number, "page_delivered")


class QuickServer(uvicorn.Server):
    """Notices within 10 ms that it is to end; uvicorn itself looks each 100 ms."""

    async def main_loop(self) -> None:
        counter = 0
        while not await self.on_tick(counter):
            counter += 1
            await asyncio.sleep(0.01)


class InProcess:
    """The service in a thread of the test's own process: quick to start."""

    def __init__(self, environ: Mapping[str, str]) -> None:
        self.environ = dict(environ)
        self.server: uvicorn.Server | None = None
        self.thread: threading.Thread | None = None

    @property
    def url(self) -> str:
        return f"http://127.0.0.1:{self.environ['SITREP_PORT']}"

    def start(self) -> None:
        with pytest.MonkeyPatch.context() as patch:
            for name in [n for n in os.environ if n.startswith(("SITREP_", "SLACK_", "PAGERDUTY_", "ALERTMANAGER_"))]:
                patch.delenv(name)
            for name, value in self.environ.items():
                patch.setenv(name, value)
            settings = load_settings()
        put(settings.database_url)
        migrate(settings.database_url)
        with quick_start():
            app = make_app(settings)
        config = uvicorn.Config(
            app,
            http=BoundedHeads,
            host="127.0.0.1",
            port=settings.port,
            log_config=None,
            access_log=False,
            lifespan="on",
            timeout_keep_alive=KEEP_ALIVE,
        )
        self.server = QuickServer(config)
        self.thread = threading.Thread(target=self.server.run, daemon=True)
        self.thread.start()
        wait_for(lambda: self.server and self.server.started, what="the service")

    def stop(self) -> None:
        if self.server and self.thread:
            self.server.should_exit = True
            self.thread.join(PATIENCE)
            assert not self.thread.is_alive()
            self.server = None


class Process:
    """The service as a process of its own, which can be killed."""

    def __init__(self, environ: Mapping[str, str], log: Path) -> None:
        self.environ = dict(environ)
        self.log = log
        self.root = ROOT  # where the code is that it runs
        self.cold = False  # whether it imports the code itself, as it does outside of tests
        self.constants: dict[str, float] = {}  # of the code, by their full names, that are other than in production
        self.child: subprocess.Popen[bytes] | Fork | None = None

    @property
    def url(self) -> str:
        return f"http://127.0.0.1:{self.environ['SITREP_PORT']}"

    def launch(self) -> None:
        """Start it without waiting until it is ready: it may be killed before."""
        base = {k: v for k, v in os.environ.items() if not k.startswith(("SITREP_", "SLACK_", "PAGERDUTY_"))}
        environ = {**base, **self.environ}
        put(environ["SITREP_DATABASE_URL"])
        if self.root == ROOT and not self.cold:
            self.child = Fork(("serve",), environ, self.log, self.log, self.constants)
            return
        with self.log.open("ab") as log:
            self.child = subprocess.Popen(
                [sys.executable, "-m", "bot", "serve"], env=environ, cwd=self.root, stdout=log, stderr=log
            )

    def start(self) -> None:
        self.launch()
        wait_for(self._ready, START, "the service")

    def _ready(self) -> bool:
        assert self.child is not None
        assert self.child.poll() is None, self.log.read_text()
        try:
            return httpx.get(f"{self.url}/readyz", timeout=START, verify=NO_TLS).status_code == 200
        except httpx.TransportError:
            return False

    def kill(self) -> None:
        if self.child is not None:
            self.child.send_signal(signal.SIGKILL)

    def wait_dead(self, timeout: float = PATIENCE) -> None:
        assert self.child is not None
        self.child.wait(timeout)

    def stop(self) -> None:
        if self.child is not None and self.child.poll() is None:
            self.child.terminate()
            self.child.wait(PATIENCE)


@pytest.fixture(scope="session")
def postgres() -> str:
    """The URL of a PostgreSQL server that all tests share."""
    given = os.environ.get("SITREP_TEST_POSTGRES_URL")
    if given:
        return given
    # One for all workers of this run; not in pytest's own folder, which later runs clear away while this one goes on.
    run = os.getppid() if "PYTEST_XDIST_WORKER" in os.environ else os.getpid()
    return Postgres(Path(tempfile.gettempdir()) / f"sitrep-postgres-{run}", keep=False, synced=False).url


@pytest.fixture
def postgres_url(postgres: str) -> Iterator[str]:
    """The URL of an empty PostgreSQL database."""
    with database(postgres) as url:
        yield url


@pytest.fixture
def migrated_postgres_url(postgres: str) -> Iterator[str]:
    """The URL of a PostgreSQL database that has the tables and nothing in them."""
    with migrated(postgres) as url:
        yield url


@pytest.fixture
def workspace(hands: Hands) -> Workspace:
    return Workspace.demo(now=lambda: hands.now().timestamp())


@pytest.fixture
def slack(request: pytest.FixtureRequest, workspace: Workspace) -> Iterator[SandboxServer]:
    tells = request.node.get_closest_marker("events") is not None
    with SandboxServer(workspace, emit_events=tells) as server:
        yield server


@pytest.fixture
def hands(tmp_path: Path) -> Hands:
    return Hands(tmp_path / "clock")


@pytest.fixture
def database_url(request: pytest.FixtureRequest, tmp_path: Path) -> str:
    """SQLite, or PostgreSQL where a test asks for it (`both_databases`) or SITREP_TEST_DATABASE says so for all."""
    which = getattr(request, "param", os.environ.get("SITREP_TEST_DATABASE", "sqlite"))
    if which == "postgres":
        return str(request.getfixturevalue("migrated_postgres_url"))
    return f"sqlite:///{tmp_path / 'sitrep.db'}"


both_databases = pytest.mark.parametrize("database_url", ["sqlite", "postgres"], indirect=True)


@pytest.fixture
def environ(
    tmp_path: Path, slack: SandboxServer, workspace: Workspace, hands: Hands, database_url: str
) -> dict[str, str]:
    config = tmp_path / "sitrep.yaml"
    config.write_text(LADDER)
    return {
        "SITREP_DATABASE_URL": database_url,
        "SITREP_CONFIG": str(config),
        "SITREP_PORT": str(free_port()),
        "SITREP_RUNBOOKS": str(ROOT / "runbooks"),
        "SITREP_API_TOKENS": f"viewer:{API_TOKEN}",
        "SITREP_TEST_CLOCK": str(hands.path),
        "SLACK_BOT_TOKEN": workspace.bot_token,
        "SLACK_SIGNING_SECRET": workspace.signing_secret,
        "SLACK_API_URL": slack.api_url,
        "ALERTMANAGER_WEBHOOK_TOKEN": WEBHOOK_TOKEN,
        "PAGERDUTY_WEBHOOK_SECRETS": PAGERDUTY_SECRET,
    }


@pytest.fixture
def service(environ: dict[str, str], slack: SandboxServer) -> Iterator[InProcess]:
    running = InProcess(environ)
    running.start()
    slack.bot_url = running.url
    yield running
    running.stop()


@pytest.fixture
def bot(service: InProcess, workspace: Workspace) -> Iterator[Client]:
    client = Client(service.url, workspace)
    yield client
    client.close()

"""Several replicas on one database and one workspace, each of them a process that can be killed, held and let go."""

from __future__ import annotations

import re
import signal
import threading
from collections import Counter
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from contextvars import ContextVar
from pathlib import Path
from types import TracebackType
from typing import Any, Self

import pytest
from sqlalchemy import text
from starlette.applications import Starlette
from starlette.routing import Mount
from starlette.types import ASGIApp, Receive, Scope, Send

from bot.sandbox.faults import Fault
from bot.sandbox.server import SandboxServer
from bot.sandbox.serving import Listener
from bot.sandbox.web_api import WebApi
from bot.sandbox.workspace import Workspace
from bot.store.database import connect
from tests.conftest import (
    API_TOKEN,
    LADDER,
    PAGERDUTY_SECRET,
    ROOT,
    WEBHOOK_TOKEN,
    Client,
    Hands,
    room_of,
    rooms,
    wait_for,
)
from tests.crash.world import ONCE, QuickProcess, Side
from tests.migrated import migrated
from tests.patience import PATIENCE, START, UNFINISHED
from tests.ports import free_port

# Many incidents of one service are what some faults are about; none of them is a storm.
CONFIG = f"{LADDER}\nstorms: {{over: 1000, overall: 1000}}\n"

_caller: ContextVar[int | None] = ContextVar("caller", default=None)


class Replica(QuickProcess):
    """One replica: its process, and a client of its own."""

    def __init__(self, index: int, environ: Mapping[str, str], log: Path, workspace: Workspace) -> None:
        super().__init__(environ, log)
        self.index = index
        self.client = Client(self.url, workspace)

    def __repr__(self) -> str:
        return f"replica {self.index}"

    @property
    def lives(self) -> bool:
        """True between its start and its end, held or not."""
        return self.child is not None and self.child.poll() is None

    def wait_ready(self) -> None:
        """Wait until it takes requests."""
        wait_for(self._ready, START, f"the start of {self}")

    def hold(self) -> None:
        """Stop it in its tracks, as a machine that hangs does."""
        self._signal(signal.SIGSTOP)

    def release(self) -> None:
        """Let it go on."""
        self._signal(signal.SIGCONT)

    def terminate(self) -> None:
        """Ask it to leave."""
        self._signal(signal.SIGTERM)

    def end(self) -> None:
        """Kill it, held or not, and wait until it is gone."""
        if self.lives:
            self.kill()
            self.wait_dead()

    def restart(self) -> None:
        """Kill it if it lives, and start it again."""
        self.end()
        self.start()

    def logged(self, event: str) -> list[str]:
        """Give the lines of its log that name an event."""
        return [line for line in self.log.read_text().splitlines() if event in line]

    def _signal(self, number: int) -> None:
        assert self.child is not None
        self.child.send_signal(number)


class Cluster:
    """One workspace, one database, one clock, and replicas; on SQLite there can be one at a time.

    Args:
        folder: where logs, the configuration and the clock are.
        url: an empty database.
        replicas: how many to start; more are started by `add`.
        config: the YAML of the configuration.
        environ: further variables, for every replica.
        turned: whether the bot's clock is `hands`, or the machine's own.
        constants: of the code, by their full names, that are other than in production.
    """

    def __init__(
        self,
        folder: Path,
        url: str,
        replicas: int = 2,
        *,
        config: str = CONFIG,
        environ: Mapping[str, str] | None = None,
        turned: bool = True,
        constants: Mapping[str, float] | None = None,
    ) -> None:
        folder.mkdir(parents=True, exist_ok=True)
        self.url = url
        self.hands = Hands(folder / "clock")
        self.workspace = Workspace.demo(now=lambda: self.hands.now().timestamp())
        self.slack = SandboxServer(self.workspace)
        self.replicas: list[Replica] = []
        self.after_call: list[Callable[[str, Mapping[str, Any]], None]] = []
        self._folder = folder
        self._count = replicas
        self._config = config
        self._extra = dict(environ or {})
        self._turned = turned
        self._constants = dict(constants or {})
        self._api = WebApi(self.workspace)
        self._doors = Listener("127.0.0.1", 0)
        self._engine = connect(url)

    def __enter__(self) -> Self:
        self.slack.start()
        self._doors.bind()
        self._doors.start(Starlette(routes=[Mount("/{replica:int}", _Door(Starlette(routes=self._api.routes())))]))
        self.workspace.after_call = self._dispatch
        (self._folder / "sitrep.yaml").write_text(self._config)
        try:
            for replica in [self.prepare() for _ in range(self._count)]:
                replica.launch()
            for replica in self.replicas:
                replica.wait_ready()
        except BaseException as error:
            self.__exit__(type(error), error, None)
            raise
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        if error is not None:
            for replica in self.replicas:
                error.add_note(f"The log of {replica} ends with:\n{replica.log.read_text()[-3000:]}")
        for replica in self.replicas:
            replica.end()
            replica.client.close()
        self._api.close()
        self._doors.stop()
        self.slack.stop()
        self._engine.dispose()

    def __getitem__(self, index: int) -> Replica:
        return self.replicas[index]

    @property
    def pair(self) -> tuple[Client, Client]:
        """Clients of two replicas; on SQLite both are of the one process."""
        return self.replicas[0].client, self.replicas[-1].client

    def prepare(self, **environ: str) -> Replica:
        """Make a further replica, with its own port and its own way to the workspace; it is not started."""
        index = len(self.replicas)
        clock = {"SITREP_TEST_CLOCK": str(self.hands.path)} if self._turned else {}
        made = {
            "SITREP_DATABASE_URL": self.url,
            "SITREP_CONFIG": str(self._folder / "sitrep.yaml"),
            "SITREP_PORT": str(free_port()),
            "SITREP_RUNBOOKS": str(ROOT / "runbooks"),
            "SITREP_API_TOKENS": f"viewer:{API_TOKEN}",
            "SLACK_BOT_TOKEN": self.workspace.bot_token,
            "SLACK_SIGNING_SECRET": self.workspace.signing_secret,
            "SLACK_API_URL": f"{self._doors.url}/{index}/api/",
            "ALERTMANAGER_WEBHOOK_TOKEN": WEBHOOK_TOKEN,
            "PAGERDUTY_WEBHOOK_SECRETS": PAGERDUTY_SECRET,
            **clock,
            **self._extra,
            **environ,
        }
        replica = Replica(index, made, self._folder / f"log-{index}", self.workspace)
        replica.constants = self._constants
        replica.log.touch()
        self.replicas.append(replica)
        return replica

    def add(self, **environ: str) -> Replica:
        """Start a further replica."""
        replica = self.prepare(**environ)
        replica.start()
        return replica

    def mend(self) -> None:
        """Have every replica running, and nothing wrong with the workspace."""
        self.workspace.faults.clear()
        self.workspace.latency_by_method.clear()
        self.workspace.latency = 0.0
        self.after_call.clear()
        dead = [replica for replica in self.replicas if not replica.lives]
        for replica in dead:
            replica.launch()
        for replica in self.replicas:
            replica.release()
            replica.wait_ready()

    def caller(self) -> Replica | None:
        """Which replica makes the Web API call that a fault's `where` or `after_call` looks at."""
        index = _caller.get()
        return None if index is None else self.replicas[index]

    def one_that_lives(self, *, but: Replica | None = None) -> Replica:
        """Give a replica to ask."""
        return next(replica for replica in self.replicas if replica.lives and replica is not but)

    def snare(self, act: Callable[[Replica], None], side: Side, **which: Any) -> Snare:
        """Lay a snare for the replica that makes a certain call."""
        return Snare(self, act, side, **which)

    def rows(self, query: str, **values: Any) -> list[dict[str, Any]]:
        """Ask the database itself."""
        with self._engine.begin() as connection:
            return [dict(row) for row in connection.execute(text(query), values).mappings()]

    def execute(self, statement: str, **values: Any) -> None:
        """Change the database from outside."""
        with self._engine.begin() as connection:
            connection.execute(text(statement), values)

    def settled(self) -> bool:
        """Whether nothing is left to send. Only tells when to look: what is seen is the workspace."""
        unfinished = f"SELECT count(*) AS n FROM deliveries WHERE {UNFINISHED}"  # noqa: S608 - a constant
        return self.rows(unfinished)[0]["n"] == 0

    def wait_settled(self, timeout: float = PATIENCE) -> None:
        """Wait until nothing is left to send."""
        wait_for(self.settled, timeout, "the end of all deliveries")

    def wait_event(self, number: str, kind: str) -> dict[str, Any]:
        """Wait until an incident's timeline has an event of a kind; gives it."""
        client = self.one_that_lives().client
        found = wait_for(
            lambda: [event for event in client.events(number) if event["kind"] == kind], PATIENCE, f"{kind} on {number}"
        )
        return dict(found[0])

    def wait_opened(self, count: int = 1, timeout: float = PATIENCE) -> list[str]:
        """Wait until so many incidents are there and nothing is left to send; gives their numbers, oldest first."""
        query = "SELECT number FROM incidents ORDER BY id"
        wait_for(lambda: len(self.rows(query)) >= count, timeout, f"{count} incidents")
        self.wait_settled(timeout)
        return [row["number"] for row in self.rows(query)]

    def _dispatch(self, _index: int, method: str, args: Mapping[str, Any]) -> None:
        for hook in self.after_call:
            hook(method, args)


class Snare:
    """Does something to the replica that makes one Web API call, before the workspace acts on it or after.

    Args:
        cluster: whose calls.
        act: what is done to the replica, in the workspace's own thread.
        side: `before`: the workspace does not act and the connection ends; `after`: it has acted.
        answered: of a call that is caught after: whether the answer is sent all the same.
        method: the Web API method, or `*`.
        nth: which of the calls that match; counts from 1.
        of: only calls of this replica.
        where: a further condition on the call's arguments.
    """

    def __init__(
        self,
        cluster: Cluster,
        act: Callable[[Replica], None],
        side: Side,
        *,
        answered: bool = False,
        method: str = "*",
        nth: int = 1,
        of: Replica | None = None,
        where: Callable[[Mapping[str, Any]], bool] = lambda _args: True,
    ) -> None:
        self._cluster, self._act, self._side, self._answered = cluster, act, side, answered
        self._method, self._nth, self._of, self._where = method, nth, of, where
        self._sprung = threading.Event()
        self._lock = threading.Lock()
        self._seen = 0
        self._chosen: Mapping[str, Any] | None = None
        self._caught: Replica | None = None
        if side == "after":
            cluster.after_call.append(self._after)
        if not answered:
            kind = "drop_before" if side == "before" else "drop_after"
            cluster.workspace.faults.add(Fault(method, kind, where=self._choose))

    @property
    def sprung(self) -> bool:
        """True once it has caught its call."""
        return self._sprung.is_set()

    def caught(self, timeout: float = PATIENCE) -> Replica:
        """Wait for the call; gives the replica that made it."""
        wait_for(self._sprung.is_set, timeout, f"call {self._nth} of {self._method}")
        assert self._caught is not None
        return self._caught

    def _choose(self, args: Mapping[str, Any]) -> bool:
        replica = self._cluster.caller()
        if replica is None or self._of not in (None, replica) or not self._where(args):
            return False
        with self._lock:
            self._seen += 1
            if self._seen != self._nth:
                return False
        self._chosen, self._caught = args, replica
        if self._side == "before":
            self._spring()
        return True

    def _after(self, method: str, args: Mapping[str, Any]) -> None:
        if self._answered and self._method in ("*", method):
            self._choose(args)
        if args is self._chosen:
            self._spring()

    def _spring(self) -> None:
        assert self._caught is not None
        self._act(self._caught)
        self._sprung.set()


class _Door:
    """Notes by which replica's way a request came."""

    def __init__(self, app: ASGIApp) -> None:
        self._app = app

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        token = _caller.set(int(scope["path_params"]["replica"]))
        try:
            await self._app(scope, receive, send)
        finally:
            _caller.reset(token)


@contextmanager
def cluster_on(server_url: str, folder: Path, replicas: int = 2, **settings: Any) -> Iterator[Cluster]:
    """Start a cluster on a new database of a PostgreSQL server; see `Cluster` for the settings."""
    with migrated(server_url) as url, Cluster(folder, url, replicas, **settings) as cluster:
        yield cluster


@contextmanager
def cluster_for(request: pytest.FixtureRequest, folder: Path, replicas: int = 2, **settings: Any) -> Iterator[Cluster]:
    """Start what a fixture's parameter names: replicas on `postgres`, or the one process that `sqlite` can have."""
    if request.param == "postgres":
        with cluster_on(request.getfixturevalue("postgres"), folder, replicas, **settings) as cluster:
            yield cluster
    else:
        with Cluster(folder, f"sqlite:///{folder / 'sitrep.db'}", 1, **settings) as cluster:
            yield cluster


def together(*calls: Callable[[], Any]) -> list[Any]:
    """Make calls at the same instant, each in a thread of its own; gives what they gave, in order."""
    barrier = threading.Barrier(len(calls))
    results: list[Any] = [None] * len(calls)

    def run(place: int, call: Callable[[], Any]) -> None:
        barrier.wait()
        try:
            results[place] = call()
        except Exception as error:  # noqa: BLE001 - raised again below, in the test's thread
            results[place] = error

    threads = [threading.Thread(target=run, args=(place, call)) for place, call in enumerate(calls)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    for result in results:
        if isinstance(result, Exception):
            raise result
    return results


def declare(client: Client) -> str:
    """Declare an incident in Slack, without waiting for its opening; gives its number."""
    said = client.slash("declare Checkout is down sev2")
    return next(word for word in said.split() if word.startswith("INC-"))


def posted(workspace: Workspace, channel: str, needle: str = "") -> list[str]:
    """Give the texts of a channel's messages for all that have `needle` in them."""
    return [
        m.text for m in workspace.messages(channel) if m.subtype is None and m.ephemeral_to is None and needle in m.text
    ]


def doubled(workspace: Workspace) -> list[str]:
    """Give what exists more than once in the whole workspace: delivery keys of messages, and channel names."""
    keys = Counter(
        str((m.metadata or {}).get("event_payload", {}).get("key", ""))
        for channel in workspace.channels.values()
        for m in channel.log
    )
    names = Counter(channel.name for channel in workspace.channels.values())
    return [thing for thing, count in (keys + names).items() if thing and count > 1]


def opened_once(number: str, *, members: Sequence[str] = ("alice", "sitrep")) -> dict[str, Any]:
    """What `sight` must show of an opened incident, however many others there are."""
    return {
        "channels": 1,
        "said in the channel": ["card", "notification", "runbook"],
        "pinned": 1,
        "announced": 1,
        "members": list(members),
        "doubled anywhere": [],
        "timeline": dict.fromkeys(ONCE, 1),
    }


def sight(client: Client, number: str) -> dict[str, Any]:
    """What the workspace shows of one incident among others, and how often its timeline says what is said once."""
    workspace, channel = client.workspace, room_of(client.workspace, number)
    events = Counter(client.kinds(number))
    return {
        "channels": len(rooms(workspace, number)),
        "said in the channel": sorted(_what(said, number) for said in posted(workspace, channel)),
        "pinned": len(workspace.pinned(channel)),
        "announced": len(posted(workspace, "incidents", number)),
        "members": sorted(workspace.user(m).name for m in workspace.channel(channel).members),
        "doubled anywhere": doubled(workspace),
        "timeline": {kind: events[kind] for kind in ONCE},
    }


def _what(said: str, number: str) -> str:
    for kind, pattern in (
        ("card", rf"{number}, sev\d, is investigating"),
        ("notification", rf"{number} sev\d declared:"),
        ("runbook", "Runbook for this incident:"),
    ):
        if re.match(pattern, said):
            return kind
    return said

"""A world for one crash: a workspace, a database and a process of its own, and a trap that kills the process."""

from __future__ import annotations

import http.client
import sqlite3
import threading
from collections import Counter
from collections.abc import Callable, Mapping
from concurrent.futures import ThreadPoolExecutor
from contextlib import closing
from pathlib import Path
from types import TracebackType
from typing import Any, Literal, Self

import httpx

from bot.sandbox.faults import Fault
from bot.sandbox.model import Message
from bot.sandbox.server import SandboxServer
from bot.sandbox.workspace import Workspace
from tests.conftest import (
    API_TOKEN,
    LADDER,
    ROOT,
    WEBHOOK_TOKEN,
    Client,
    Hands,
    Process,
    number_of,
    room_of,
    rooms,
    wait_for,
)
from tests.integration.bodies import alert, body
from tests.patience import PATIENCE
from tests.ports import free_port

Side = Literal["before", "after"]
SIDES: tuple[Side, Side] = ("before", "after")
PROMPTLY = 12.0  # seconds; sooner than the sweep, for a start must know by itself what is to be done
ONCE = ("declared", "channel_opened", "runbook_posted", "paged", "page_delivered")


class QuickProcess(Process):
    """As `Process`, but a look at `/readyz` costs no TLS context: two cores start many of these."""

    def _ready(self) -> bool:
        assert self.child is not None
        assert self.child.poll() is None, self.log.read_text()
        with closing(
            http.client.HTTPConnection("127.0.0.1", int(self.environ["SITREP_PORT"]), timeout=PATIENCE)
        ) as connection:
            try:
                connection.request("GET", "/readyz")
                return connection.getresponse().status == 200
            except OSError:
                return False


class Trap:
    """Kills a process at one Web API call, before the workspace acts or after it has acted; no answer is sent.

    Args:
        nth: which of the calls that match; counts from 1.
        method: the Web API method, or `*`.
        where: a further condition on the call's arguments.
    """

    def __init__(
        self,
        workspace: Workspace,
        process: Process,
        side: Side,
        *,
        nth: int = 1,
        method: str = "*",
        where: Callable[[Mapping[str, Any]], bool] = lambda _args: True,
    ) -> None:
        self.sprung = threading.Event()
        self._process, self._side, self._nth, self._where = process, side, nth, where
        self._seen = 0
        self._chosen: Mapping[str, Any] | None = None
        self._fault = Fault(method, "drop_before" if side == "before" else "drop_after", where=self._take)
        workspace.after_call = self._after
        workspace.faults.add(self._fault)

    def _take(self, args: Mapping[str, Any]) -> bool:
        if self.sprung.is_set() or not self._where(args):
            return False
        self._seen += 1
        if self._seen != self._nth:
            return False
        self._chosen = args
        if self._side == "before":
            self._kill()
        return True

    def _after(self, _index: int, _method: str, args: Mapping[str, Any]) -> None:
        if args is self._chosen:
            self._kill()

    def _kill(self) -> None:
        self._process.kill()
        self._process.wait_dead()
        self.sprung.set()


class World:
    """One workspace, one database, one clock, and one process at a time."""

    def __init__(self, folder: Path) -> None:
        folder.mkdir(parents=True, exist_ok=True)
        self.hands = Hands(folder / "clock")
        self.workspace = Workspace.demo(now=lambda: self.hands.now().timestamp())
        self.slack = SandboxServer(self.workspace)
        self.database = folder / "sitrep.db"
        self._folder = folder

    def __enter__(self) -> Self:
        self.slack.start()
        config = self._folder / "sitrep.yaml"
        config.write_text(LADDER)
        environ = {
            "SITREP_DATABASE_URL": f"sqlite:///{self.database}",
            "SITREP_CONFIG": str(config),
            "SITREP_PORT": str(free_port()),
            "SITREP_RUNBOOKS": str(ROOT / "runbooks"),
            "SITREP_API_TOKENS": f"viewer:{API_TOKEN}",
            "SITREP_TEST_CLOCK": str(self.hands.path),
            "SLACK_BOT_TOKEN": self.workspace.bot_token,
            "SLACK_SIGNING_SECRET": self.workspace.signing_secret,
            "SLACK_API_URL": self.slack.api_url,
            "ALERTMANAGER_WEBHOOK_TOKEN": WEBHOOK_TOKEN,
        }
        self.process = QuickProcess(environ, self._folder / "log")
        self.client = Client(self.process.url, self.workspace)
        try:
            self.process.start()
            # Calls are counted from here: what the service looks up at its first start is no part of an opening.
            wait_for(lambda: names_known(self.database), PATIENCE, "the names of the ladder")
            self.workspace.calls.clear()
        except BaseException as error:
            self.__exit__(type(error), error, None)
            raise
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        if error is not None:
            error.add_note(f"The process's log ends with:\n{self.process.log.read_text()[-3000:]}")
        self.process.kill()
        self.process.wait_dead()
        self.client.close()
        self.slack.stop()

    def trap(self, side: Side, **which: Any) -> Trap:
        """Lay a trap for the process."""
        return Trap(self.workspace, self.process, side, **which)

    def send(self, notification: Mapping[str, Any] | None = None) -> bool:
        """Fire a critical alert as Alertmanager does; False when the process died before it answered."""
        try:
            answer = self.client.alertmanager(notification or body(alert("aa"), alert("bb")))
        except httpx.TransportError:
            return False
        assert answer.status_code == 202, answer.text
        return True

    def end(self, trap: Trap) -> None:
        """Wait until the trap has killed the process; kill it at rest where it made too few calls for the trap."""
        wait_for(lambda: trap.sprung.is_set() or settled(self.database), PATIENCE, "the kill")
        self.process.kill()
        self.process.wait_dead()

    def restart(self) -> None:
        """Kill the process if it lives, and start it again."""
        self.process.kill()
        self.process.wait_dead()
        self.process.start()

    def the_number(self) -> str:
        """The number of the only incident."""
        found = self.client.incidents()
        assert len(found) == 1, found
        return str(found[0]["number"])

    def wait_complete(self) -> str:
        """Wait until the only incident's opening is complete and nothing is left to send; gives its number."""
        number = self.the_number()
        wait_settled(self.database)
        return number


def settled(database: Path) -> bool:
    """Whether there are deliveries and all of them are finished. Only tells when to look: what is seen is Slack."""
    with closing(sqlite3.connect(f"file:{database}?mode=ro", uri=True, timeout=5)) as connection:
        total, finished = connection.execute(
            "SELECT count(*), count(*) FILTER (WHERE state IN ('delivered', 'superseded', 'failed')) FROM deliveries"
            " WHERE kind <> 'suggest_resolve'"  # which comes minutes later
        ).fetchone()
    return bool(total and total == finished)


def names_known(database: Path) -> bool:
    """Whether Slack has answered who the people of the ladder are."""
    with closing(sqlite3.connect(f"file:{database}?mode=ro", uri=True, timeout=5)) as connection:
        total, answered = connection.execute("SELECT count(*), count(answered_at) FROM slack_names").fetchone()
    return bool(total and total == answered)


def wait_settled(database: Path) -> None:
    """Wait until nothing is left to send, which a start brings about at once."""
    wait_for(lambda: settled(database), PROMPTLY, "the end of all deliveries")


def opened_once(number: str, *, others: int = 0) -> dict[str, Any]:
    """What `sight` must show of one opened incident; `others` counts the channels with its number that it has not."""
    return {
        "channels": [number] * (1 + others),
        "said in the channel": ["card", "notification", "runbook"],
        "noted in the channel": {"channel_join": 1, "channel_topic": 1, "pinned_item": 1},
        "pinned": ["card"],
        "the card names the runbook": True,
        "announced": ["card"],
        "told the operators": [],
        "keys that occur twice": [],
        "members": ["alice", "sitrep"],
        "timeline": dict.fromkeys(ONCE, 1),
    }


def sight(client: Client, number: str, *, channel: str = "") -> dict[str, Any]:
    """What the workspace shows of an incident, and how often its timeline says what must be said once.

    Where more than one channel has its number, `channel` says in which one to look.
    """
    workspace = client.workspace
    channel = channel or room_of(workspace, number)
    log = workspace.messages(channel)
    keys = Counter(key for place in workspace.channels.values() for m in place.log if (key := _key(m)))
    events = Counter(client.kinds(number))
    return {
        "channels": sorted(number_of(name) or name for name in rooms(workspace)),
        "said in the channel": sorted(_what(m, number) for m in _said(log)),
        "noted in the channel": dict(Counter(m.subtype for m in log if m.subtype)),
        "pinned": [_what(m, number) for m in workspace.pinned(channel)],
        "the card names the runbook": all("Runbook `" in str(m.blocks) for m in workspace.pinned(channel)),
        "announced": [_what(m, number) for m in _said(workspace.messages("incidents"))],
        "told the operators": workspace.texts("ops-alerts"),
        "keys that occur twice": [key for key, count in keys.items() if count > 1],
        "members": sorted(workspace.user(m).name for m in workspace.channel(channel).members),
        "timeline": {kind: events[kind] for kind in ONCE},
    }


def said(workspace: Workspace, channel: str, needle: str) -> list[str]:
    """The texts of a channel's messages for all that have `needle` in them."""
    return [m.text for m in _said(workspace.messages(channel)) if needle in m.text]


def _said(log: list[Message]) -> list[Message]:
    return [m for m in log if m.subtype is None and m.ephemeral_to is None]


def _what(message: Message, number: str) -> str:
    """Recognise a message by what people read, not by our mark on it."""
    for kind, start in (
        ("card", f"{number}, sev2, is investigating"),  # the announcement says the same sentence
        ("notification", f"{number} sev2 declared:"),
        ("runbook", "Runbook for this incident:"),
    ):
        if message.text.startswith(start):
            return kind
    return message.text


def _key(message: Message) -> str:
    return str((message.metadata or {}).get("event_payload", {}).get("key", ""))


def beside(cases: Mapping[str, Callable[[], None]]) -> None:
    """Run cases two at a time, one a core; an error names its case.

    Raises:
        AssertionError: a case failed; all of them have ended.
    """
    with ThreadPoolExecutor(2) as pool:
        running = {name: pool.submit(case) for name, case in cases.items()}
    for name, future in running.items():
        error = future.exception()
        if error is not None:
            notes = "\n".join(getattr(error, "__notes__", []))
            raise AssertionError(f"{name}: {type(error).__name__}: {error}\n{notes}") from error

"""Socket Mode: the service where nothing from outside can reach it. All that people do comes over a WebSocket."""

from __future__ import annotations

import signal
import sqlite3
import threading
import time
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Protocol

import httpx
import pytest
from structlog.testing import capture_logs

from bot.sandbox.faults import Fault
from bot.sandbox.model import Message
from bot.sandbox.people import Reply
from bot.sandbox.server import SandboxServer
from bot.sandbox.signing import Signing
from bot.sandbox.sockets import Sockets
from bot.sandbox.workspace import Workspace
from handlers.slack.context import DATABASE_AWAY
from tests.conftest import NO_TLS, Client, InProcess, Process, wait_for
from tests.integration.world import World

pytestmark = pytest.mark.events
OPEN = "apps.connections.open"


@pytest.fixture
def environ(environ: dict[str, str], workspace: Workspace) -> dict[str, str]:
    without = {name: value for name, value in environ.items() if name != "SLACK_SIGNING_SECRET"}
    return without | {"SLACK_APP_TOKEN": workspace.app_token}


@pytest.fixture
def sockets(workspace: Workspace) -> Sockets:
    return workspace.sockets


@pytest.fixture
def bot(bot: Client, sockets: Sockets) -> Client:
    """A client of a service that has connected."""
    wait_for(lambda: sockets.count, what="the connection")
    return bot


class Start(Protocol):
    def __call__(self, **changed: str) -> Client: ...


@pytest.fixture
def starting(environ: dict[str, str], workspace: Workspace) -> Iterator[Start]:
    """Starts the service when the test is ready for it, with what it has changed in the environment."""
    running, clients = InProcess(environ), list[Client]()

    def start(**changed: str) -> Client:
        running.environ |= changed
        running.start()
        clients.append(Client(running.url, workspace))
        return clients[-1]

    yield start
    for client in clients:
        client.close()
    running.stop()


def impatient(monkeypatch: pytest.MonkeyPatch) -> None:
    """Have people give up sooner than Slack's 3 s, where they are to wait in vain."""
    monkeypatch.setattr("bot.sandbox.people.ACK_SECONDS", 0.3)


def card(bot: Client, channel: str) -> Message:
    return bot.workspace.pinned(channel)[0]


def press(bot: Client, user: str, channel: str, action: str) -> Reply:
    reply = bot.people.press(user, channel, card(bot, channel).ts, action)
    assert reply.ok, reply
    return reply


def ready(bot: Client) -> bool:
    return bot.get("/readyz").status_code == 200


def test_a_whole_incident_over_the_socket(bot: Client, sockets: Sockets) -> None:
    """Commands, buttons, forms, shortcuts, the Home and events do over the socket what they do over HTTP."""
    assert "INC-20000101-001" in bot.slash("INC-20000101-001 ack")
    number, channel = bot.open_one()
    assert bot.people.slash("alice", channel, "catchup").json["blocks"]
    press(bot, "bob", channel, "incident_ack")
    bot.wait_event(number, "acknowledged")
    # A form that is refused stays open with its errors, then with none is taken.
    press(bot, "bob", channel, "incident_update")
    form = bot.workspace.open_views("bob")[-1]
    assert bot.people.submit("bob", form.id, {"state": "", "next": "20m"}).errors
    assert bot.people.press_in_view("bob", form.id, "update_more").ok
    values = {"state": "Pool exhausted", "action": "Scaling", "eta": "tomorrow 15:00 UTC", "status": "identified"}
    assert bot.people.submit("bob", form.id, values).json == {}
    bot.wait_event(number, "update_posted")
    # The menu's form becomes the verb's own: `response_action: update`.
    press(bot, "alice", channel, "incident_more")
    menu = bot.workspace.open_views("alice")[-1]
    assert bot.people.submit("alice", menu.id, {"verb": "role"}).json["response_action"] == "update"
    assert bot.people.close("alice", menu.id) is None
    # What people say, by a shortcut, a pin and a reaction.
    said = [bot.workspace.post(channel, "bob", text) for text in ("One", "Two", "Three")]
    assert bot.people.shortcut("alice", "timeline_add", channel, said[0].ts).ok
    bot.workspace.pin(channel, said[1].ts, "alice")
    bot.workspace.react(channel, said[2].ts, "alice", "pushpin")
    bot.wait_event(number, "pinned", 3)
    assert {e["data"]["text"] for e in bot.events(number) if e["kind"] == "pinned"} == {"One", "Two", "Three"}
    assert bot.people.shortcut("dana", "incident_declare").ok
    assert bot.workspace.open_views("dana")
    assert bot.people.open_home("bob").ok
    wait_for(lambda: (home := bot.workspace.home("bob")) and number in str(home.body), what="the Home")
    bot.workspace.join(channel, "dana")
    bot.wait_event(number, "responder_joined")
    bot.slash("resolve The pool was scaled", "bob", channel)
    bot.wait_event(number, "resolved")
    assert sockets.strays == []


def test_an_event_that_comes_again_changes_nothing(bot: Client, world: World, sockets: Sockets) -> None:
    """After a lost acknowledgement Slack sends the event again, with the same id: it is heard once."""
    number, channel = bot.open_one()
    message = bot.workspace.post(channel, "bob", "The pool is empty")
    item = {"type": "message", "channel": message.channel, "ts": message.ts}
    alice = bot.workspace.user("alice").id
    event = {"type": "reaction_added", "user": alice, "reaction": "pushpin", "item": item}
    joined = {"type": "member_joined_channel", "user": alice, "channel": message.channel}
    for one, ident, kind in ((event, "Ev1", "pinned"), (joined, "Ev2", "responder_joined")):
        assert bot.people.event(one, event_id=ident).ok
        bot.wait_event(number, kind)
        before = world.snapshot()
        assert bot.people.event(one, event_id=ident, retry_num=1).ok
        assert bot.people.event(one, event_id=ident, retry_num=2).ok
        assert world.snapshot() == before
    assert sockets.strays == []


@pytest.mark.parametrize("database_url", ["sqlite"], indirect=True)
def test_a_press_that_the_database_does_not_take_is_told(bot: Client, world: World) -> None:
    """It is acknowledged in time, and whoever pressed hears of it by the press's own address."""
    number, channel = bot.open_one()
    world.settle()
    holder = sqlite3.connect(world.path, isolation_level=None)
    holder.execute("BEGIN IMMEDIATE")
    try:
        press(bot, "bob", channel, "incident_ack")
    finally:
        holder.execute("ROLLBACK")
        holder.close()
    told = wait_for(lambda: bot.workspace.ephemerals("bob", channel), what="the answer")
    assert told[-1].text == DATABASE_AWAY
    assert "acknowledged" not in bot.kinds(number)


@pytest.mark.parametrize("reason", ["warning", "refresh_requested"])
def test_a_connection_is_refreshed_while_people_work(bot: Client, world: World, sockets: Sockets, reason: str) -> None:
    """Slack says that a connection ends: another one is there, and nothing is lost, doubled or answered late."""
    number, channel = bot.open_one()
    over = threading.Event()
    replies: list[Reply] = []

    def work() -> None:
        while not over.is_set():
            replies.append(bot.people.slash("bob", channel, f"note {len(replies)}"))
            time.sleep(0.01)

    with ThreadPoolExecutor() as pool:
        working = pool.submit(work)
        try:
            for done in (3, 6):
                wait_for(lambda done=done: len([r for r in replies if r.ok]) >= done, what="some work")
                calls = bot.workspace.count(OPEN)
                sockets.disconnect(reason, close=reason != "warning")
                wait_for(lambda calls=calls: bot.workspace.count(OPEN) > calls and sockets.count, what="another one")
                if reason == "warning":
                    wait_for(lambda: sockets.count == 2, what="a second one beside the first")
                    sockets.close(1)
        finally:
            over.set()
        working.result()
    # Without a connection there is nobody whom Slack could ask; it was not asked, and not half.
    assert {reply.error for reply in replies} <= {None, "dispatch_failed"}
    assert reason != "warning" or all(reply.ok for reply in replies)
    taken = [str(n) for n, reply in enumerate(replies) if reply.ok]
    world.settle()
    assert [e["text"] for e in bot.events(number) if e["kind"] == "note"] == taken
    assert sockets.strays == []


@pytest.mark.parametrize("how", ["warning", "cut"])
def test_what_is_under_way_when_a_connection_ends_is_answered(bot: Client, sockets: Sockets, how: str) -> None:
    """A press that takes half a second is acknowledged over the old connection or, if that is gone, over the next."""
    _number, channel = bot.open_one()
    bot.workspace.latency_by_method["views.open"] = 0.5
    with ThreadPoolExecutor() as pool:
        pressed = pool.submit(press, bot, "bob", channel, "incident_update")
        wait_for(lambda: bot.workspace.count("views.open"), what="the press")
        if how == "cut":
            sockets.cut()
        else:
            sockets.disconnect(how, close=False)
        assert pressed.result().elapsed_seconds < 2
    assert bot.workspace.open_views("bob")


@pytest.mark.parametrize("how", ["cut", "close"])
def test_a_connection_that_ends_is_opened_again_at_once(bot: Client, sockets: Sockets, how: str) -> None:
    """Without a word before: what people do fails for a moment only."""
    getattr(sockets, how)()
    wait_for(lambda: sockets.count, what="another connection")
    assert "declare" in bot.slash("help")


def test_a_lost_answer_doubles_nothing(
    bot: Client, world: World, sockets: Sockets, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A command whose answer is lost was done, once; an event whose answer is lost comes again, and is heard once."""
    number, channel = bot.open_one()
    message = bot.workspace.post(channel, "bob", "The pool is empty")
    item = {"type": "message", "channel": message.channel, "ts": message.ts}
    alice = bot.workspace.user("alice").id
    event = {"type": "reaction_added", "user": alice, "reaction": "pushpin", "item": item}
    with monkeypatch.context() as patch:
        impatient(patch)
        sockets.lose = lambda envelope: envelope.kind == "slash_commands"
        assert bot.people.slash("bob", channel, "note Once").error == "operation_timeout"
        wait_for(lambda: sockets.count, what="another connection")
        sockets.lose = lambda envelope: envelope.payload.get("event_id") == "Ev1"
        assert bot.people.event(event, event_id="Ev1").error == "operation_timeout"
    wait_for(lambda: sockets.count, what="another connection")
    assert bot.people.event(event, event_id="Ev1", retry_num=1).ok
    world.settle()
    assert bot.kinds(number).count("note") == bot.kinds(number).count("pinned") == 1


@pytest.mark.parametrize(
    "fault",
    [
        Fault(OPEN, "error", "internal_error", times=2),
        Fault(OPEN, "html", times=2),
        Fault(OPEN, "refuse", times=2),
        Fault(OPEN, "ratelimited", retry_after=1, times=1),
    ],
    ids=lambda fault: fault.kind,
)
def test_slack_refuses_connections_for_a_while(
    starting: Start, workspace: Workspace, sockets: Sockets, fault: Fault
) -> None:
    """Meanwhile the service is ready and takes alerts, and says what is wrong; then it connects by itself."""

    def is_open(bot: Client) -> str:
        """Give the metric that tells whether a connection is open."""
        lines = bot.http.get("/metrics").text.splitlines()
        return next(line.split()[1] for line in lines if line.startswith("sitrep_socket_mode_open "))

    workspace.faults.add(fault)
    with capture_logs() as logs:
        bot = starting()
        assert ready(bot)
        wait_for(lambda: is_open(bot) == "0.0", what="the metric")
        wait_for(lambda: fault.hits == fault.times, what="the refusals")
        wait_for(lambda: sockets.count, what="the connection")
        wait_for(lambda: is_open(bot) == "1.0", what="the metric")
    assert [log for log in logs if log["event"] == "socket_mode_failed" and log["fix"]]
    assert "declare" in bot.slash("help")


@pytest.mark.parametrize(
    ("reason", "fix"), [("link_disabled", "Turn it on"), ("too_many_websockets", "Run fewer processes")]
)
def test_slack_wants_no_connection(bot: Client, sockets: Sockets, reason: str, fix: str) -> None:
    """Switched off in the app's settings, or too many at once: the log says so, and it is tried again."""
    with capture_logs() as logs:
        sockets.disconnect(reason)
        wait_for(lambda: sockets.count, what="another connection")
    (said,) = [log for log in logs if log["log_level"] == "error"]
    assert fix in said["fix"]
    assert "declare" in bot.slash("help")


def test_a_ticket_that_is_spent_is_not_tried_again(bot: Client, workspace: Workspace, sockets: Sockets) -> None:
    """A connection that fails after Slack gave its address is tried with a new one: the old is worth nothing."""
    workspace.after_call = lambda _index, method, _args: sockets.forget() if method == OPEN else None
    sockets.cut()
    wait_for(lambda: workspace.count(OPEN) >= 2, what="the attempt")
    workspace.after_call = None
    wait_for(lambda: sockets.count, what="the connection")
    assert "declare" in bot.slash("help")


@pytest.mark.parametrize(
    ("token", "fix"),
    [("xapp-other", "Set SLACK_APP_TOKEN"), ("xapp-sandbox", "connections:write")],
    ids=["token", "scope"],
)
def test_a_token_that_opens_nothing_is_named_with_its_fix(
    starting: Start, workspace: Workspace, token: str, fix: str
) -> None:
    """The log names SLACK_APP_TOKEN, not the bot's token; the service is ready without Socket Mode."""
    workspace.app_scopes = []
    with capture_logs() as logs:
        bot = starting(SLACK_APP_TOKEN=token)
        wait_for(lambda: [log for log in logs if log["event"] == "socket_mode_failed"], what="the log")
        assert ready(bot)
    (first, *_) = [log for log in logs if log["event"] == "socket_mode_failed"]
    assert fix in first["fix"]


def test_with_a_signing_secret_too_http_is_heard_if_it_is_signed(
    starting: Start, workspace: Workspace, sockets: Sockets
) -> None:
    """What comes over the socket needs no signature; over HTTP an unsigned or wrongly signed request is refused."""
    bot = starting(SLACK_SIGNING_SECRET=workspace.signing_secret)
    wait_for(lambda: sockets.count, what="the connection")
    assert "Declared" in bot.slash("declare Over the socket sev4")
    text = "declare Over HTTP sev4"
    for signing in (Signing(unsigned=True), Signing(secret="another"), Signing(age_seconds=600)):
        assert bot.people.slash("alice", "general", text, signing=signing).status == 401
    forged = {"type": "slash_commands", "envelope_id": "x", "mode": "socket_mode", "payload": {"text": text}}
    assert httpx.post(f"{bot.url}/slack/events", json=forged, verify=NO_TLS).status_code == 401
    assert [incident["title"] for incident in bot.incidents()] == ["Over the socket"]
    assert bot.people.slash("alice", "general", text, signing=Signing()).status == 200
    assert len(bot.incidents()) == 2


def test_without_a_signing_secret_http_is_off_while_the_socket_is_open(bot: Client) -> None:
    """Nobody could verify what comes over HTTP: it is refused, signed or not."""
    for signing in (Signing(), Signing(unsigned=True)):
        reply = bot.people.slash("alice", "general", "declare Not from Slack sev1", signing=signing)
        assert (reply.status, reply.json["error"]["code"]) == (503, "integration_off")
    assert bot.incidents() == []


def test_a_stop_answers_what_is_under_way(bot: Client, service: InProcess, sockets: Sockets) -> None:
    """The service stops promptly with an open connection, not before the press that it works on is acknowledged."""
    _number, channel = bot.open_one()
    bot.workspace.latency_by_method["views.open"] = 0.5
    with ThreadPoolExecutor() as pool:
        pressed = pool.submit(press, bot, "bob", channel, "incident_update")
        wait_for(lambda: bot.workspace.count("views.open"), what="the press")
        service.stop()
        assert pressed.result().ok
    wait_for(lambda: sockets.count == 0, what="the connection's end")


@pytest.mark.parametrize("away", ["gone", "deaf"])
def test_a_stop_waits_for_no_slack(starting: Start, slack: SandboxServer, workspace: Workspace, away: str) -> None:
    """While Slack is away, or does not answer, the service starts, is ready and stops promptly."""
    if away == "gone":
        slack.stop()
    else:
        workspace.faults.add(Fault(OPEN, "hang", times=None))
    assert ready(starting())
    # The fixture's stop fails the test unless it ends.


def test_a_sigterm_ends_the_process_with_a_connection_open(
    environ: dict[str, str], workspace: Workspace, sockets: Sockets, tmp_path: Path
) -> None:
    """It leaves by itself, in good order, and not because it was late."""
    process = Process(environ, tmp_path / "log")
    process.start()
    try:
        wait_for(lambda: sockets.count, what="the connection")
        assert process.child is not None
        process.child.send_signal(signal.SIGTERM)
        process.wait_dead()
        assert process.child.returncode in (0, -signal.SIGTERM), process.log.read_text()[-2000:]
        assert "Traceback" not in process.log.read_text()
        assert "stopped_hard" not in process.log.read_text()
    finally:
        process.kill()

"""What must not hurt the intake: wrong secrets, broken and hostile bodies, twins, a database that is away."""

from __future__ import annotations

import base64
import hashlib
import hmac
import json
import re
import socket
import sqlite3
import threading
import time
from collections.abc import Callable, Iterator, Mapping
from concurrent.futures import ThreadPoolExecutor
from contextlib import closing, contextmanager
from datetime import UTC, datetime
from typing import Any

import httpx
import pytest

from bot.sandbox.server import SandboxServer
from bot.sandbox.workspace import Workspace
from bot.store import inbox
from bot.store.sqlite import connect
from tests.conftest import PAGERDUTY_SECRET, WEBHOOK_TOKEN, Client, InProcess, wait_for
from tests.forks import sitrep
from tests.integration.bodies import alert, body, pagerduty, recorded
from tests.integration.world import World
from tests.patience import BUSY

AM, PD = "/webhooks/alertmanager", "/webhooks/pagerduty"
RAW = json.dumps(pagerduty("incident.triggered")).encode()
NEW_SECRET = "pagerduty-secret-after-rotation"


@contextmanager
def running(environ: Mapping[str, str], slack: SandboxServer, workspace: Workspace) -> Iterator[Client]:
    """Run the service with an environment of the test's own."""
    service = InProcess(environ)
    service.start()
    slack.bot_url = service.url
    client = Client(service.url, workspace)
    try:
        yield client
    finally:
        client.close()
        service.stop()


def sign(raw: bytes, secret: str = PAGERDUTY_SECRET) -> str:
    return hmac.new(secret.encode(), raw, hashlib.sha256).hexdigest()


def basic(user_and_password: str) -> str:
    return "Basic " + base64.b64encode(user_and_password.encode()).decode()


def problem(answer: httpx.Response, status: int, code: str) -> dict[str, Any]:
    """Hold that an answer is the error envelope, and give the error."""
    assert answer.status_code == status, answer.text
    assert set(answer.json()) == {"error"}
    error = dict(answer.json()["error"])
    assert set(error) == {"code", "message", "correlation_id", "details"}
    assert error["code"] == code
    assert error["message"]
    assert re.fullmatch(r"[0-9a-f-]{36}", error["correlation_id"])
    return error


# -- who may send -----------------------------------------------------------------------------------------------------

GOOD = [
    f"Bearer {WEBHOOK_TOKEN}",
    f"bearer {WEBHOOK_TOKEN}",
    basic(f"alertmanager:{WEBHOOK_TOKEN}"),
    basic(f":{WEBHOOK_TOKEN}"),
]
BAD = [
    None,
    "",
    "Bearer",
    "Bearer wrong",
    f"Bearer {WEBHOOK_TOKEN}x",
    f"Bearer {WEBHOOK_TOKEN.upper()}",
    f"Token {WEBHOOK_TOKEN}",
    WEBHOOK_TOKEN,
    basic("alertmanager:wrong"),
    basic(f"{WEBHOOK_TOKEN}:"),
    basic(WEBHOOK_TOKEN),
    "Basic !!!",
    "Basic " + base64.b64encode(b"\xff\xfe:\xff").decode(),
    b"Basic \xe9\xe9\xe9\xe9",
    b"Bearer \xff\xfe",
]


def test_only_the_token_lets_alertmanager_in(bot: Client, world: World) -> None:
    """Bearer or Basic with any user is taken with the token; everything else is 401 and leaves no trace."""
    raw = json.dumps(body()).encode()
    for value in BAD:
        headers = {} if value is None else {"authorization": value}
        answer = bot.http.post(AM, content=raw, headers=headers)
        problem(answer, 401, "unauthorized")
        assert answer.headers["www-authenticate"], value
    assert world.rows("SELECT * FROM inbox") == []
    for value in GOOD:
        assert bot.http.post(AM, content=raw, headers={"authorization": value}).status_code == 202, value


def signatures() -> list[tuple[str, Callable[[bytes], str | None], bool]]:
    return [
        ("the secret in use", lambda raw: f"v1={sign(raw)}", True),
        ("the other secret of a rotation", lambda raw: f"v1={sign(raw, NEW_SECRET)}", True),
        ("both, as PagerDuty sends them", lambda raw: f"v1={sign(raw)},v1={sign(raw, NEW_SECRET)}", True),
        ("with a space", lambda raw: f"v1={'0' * 64}, v1={sign(raw)}", True),
        ("one of several is right", lambda raw: f"v1={'0' * 64},v1={sign(raw)},v1=zz", True),
        ("beside a later version", lambda raw: f"v2=abc,v1={sign(raw)}", True),
        ("upper-case hex", lambda raw: f"v1={sign(raw).upper()}", True),
        ("no header", lambda _raw: None, False),
        ("empty", lambda _raw: "", False),
        ("v1 of nothing", lambda _raw: "v1=", False),
        ("only v2", lambda raw: f"v2={sign(raw)}", False),
        ("no version", sign, False),
        ("another secret", lambda raw: f"v1={sign(raw, 'another')}", False),
        ("cut short", lambda raw: f"v1={sign(raw)[:32]}", False),
        ("the body serialised again", lambda raw: f"v1={sign(json.dumps(json.loads(raw), indent=1).encode())}", False),
        ("the secrets as one", lambda raw: f"v1={sign(raw, f'{PAGERDUTY_SECRET},{NEW_SECRET}')}", False),
        ("not ASCII", lambda _raw: "v1=\xff\xe9", False),
        ("very many", lambda _raw: ",".join(["v1=" + "0" * 64] * 100), False),
    ]


def test_only_a_signature_of_the_raw_body_lets_pagerduty_in(
    environ: dict[str, str], slack: SandboxServer, workspace: Workspace
) -> None:
    """Any v1 signature with any configured secret is taken; everything else is 401 and leaves no trace."""
    environ["PAGERDUTY_WEBHOOK_SECRETS"] = f"{PAGERDUTY_SECRET}, {NEW_SECRET}"
    with running(environ, slack, workspace) as bot:
        world = World(bot, environ)
        for number, (name, made, good) in enumerate(signatures()):
            raw = json.dumps(pagerduty("pagey.ping", event_id=f"ping-{number}")).encode()
            value = made(raw)
            headers = {} if value is None else {"x-pagerduty-signature": value.encode("latin-1")}
            kept = len(world.rows("SELECT * FROM inbox"))
            answer = bot.http.post(PD, content=raw, headers=headers)
            if good:
                assert answer.status_code == 202, name
            else:
                problem(answer, 401, "bad_signature")
            assert len(world.rows("SELECT * FROM inbox")) == kept + good, name


@pytest.mark.parametrize(
    ("path", "variable", "other"),
    [(AM, "ALERTMANAGER_WEBHOOK_TOKEN", PD), (PD, "PAGERDUTY_WEBHOOK_SECRETS", AM)],
)
def test_an_integration_that_is_off_says_so(
    environ: dict[str, str], slack: SandboxServer, workspace: Workspace, path: str, variable: str, other: str
) -> None:
    """Without its variable a webhook answers 503 and names it; the other one works."""
    del environ[variable]
    with running(environ, slack, workspace) as bot:
        send = {AM: bot.alertmanager, PD: bot.pagerduty}
        assert variable in problem(send[path](body()), 503, "integration_off")["message"]
        assert send[other](body() if other == AM else pagerduty("pagey.ping")).status_code == 202


# -- broken bodies ----------------------------------------------------------------------------------------------------


def _without(made: Mapping[str, Any], name: str) -> dict[str, Any]:
    return {k: v for k, v in made.items() if k != name}


def _with_event(**changes: Any) -> dict[str, Any]:
    return {"event": {**pagerduty("incident.triggered")["event"], **changes}}


NO_JSON: list[bytes] = [
    b"",
    b"{",
    b"null",
    b"[]",
    b'"text"',
    b"17",
    b"\xff\xfe\x00",
    b"alerts=1&status=firing",
    b"[" * 10_000 + b"]" * 10_000,
    b'{"a":' * 10_000 + b"1" + b"}" * 10_000,
    b"[" * 900 + b"]" * 900,
    b'{"n": NaN}',
    b'{"n": -Infinity}',
    b'{"n": ' + b"9" * 5000 + b"}",
]
BROKEN_AM: list[Any] = [
    body(version="5"),
    _without(body(), "version"),
    _without(body(), "groupKey"),
    body(groupKey=""),
    body(groupKey=None),
    _without(body(), "alerts"),
    {**body(), "alerts": {"a": 1}},
    {**body(), "alerts": ["text"]},
    body(alert(labels=[])),
    body(alert(labels="severity=critical"), None, 7),
]
BROKEN_PD: list[Any] = [
    {},
    {"event": None},
    {"event": []},
    {"messages": [{"event": "incident.trigger"}]},
    _with_event(id=""),
    _with_event(id=None),
    _with_event(id="x" * 121),
    _with_event(event_type=None),
    _with_event(occurred_at=None),
    _with_event(occurred_at="2026-11-20T14:00:00"),
    _with_event(occurred_at="0001-01-01T00:00:00+14:00"),
    _with_event(agent="somebody"),
    _with_event(data=[]),
    _with_event(data="text"),
    _with_event(data={**_with_event()["event"]["data"], "created_at": "0001-01-01T00:00:00+14:00"}),
]


def test_a_broken_body_is_400_and_kept(bot: Client, world: World) -> None:
    """What cannot be read is answered with the envelope, kept byte for byte as a dead letter, and does nothing."""
    sent = 0
    for send, broken in ((bot.alertmanager, BROKEN_AM), (bot.pagerduty, BROKEN_PD)):
        for made in (*NO_JSON, *broken):
            raw = made if isinstance(made, bytes) else json.dumps(made).encode()
            error = problem(send(raw), 400, "malformed")
            sent += 1
            letters = world.dead()
            assert len(letters) == sent, raw[:200]
            assert letters[-1]["body"] == raw
            assert letters[-1]["receipt"] == error["details"]["receipt"]
            assert letters[-1]["receipt"] in error["message"]
    world.settle()
    assert bot.incidents() == []
    assert world.rows("SELECT * FROM alert_groups") == []


ODD_DATA: list[dict[str, Any]] = [
    {"assignees": 5, "teams": 5},
    {"assignees": {"a": 1}},
    {"assignees": [None, "x", 3, {"summary": None}]},
    {"priority": "P1", "service": ["x"]},
    {"priority": {"summary": {"deep": 1}}},
    {"urgency": {"deep": [1]}, "number": [1], "title": {"a": 1}},
    {"html_url": 7, "incident_key": 7, "created_at": 7},
    {"created_at": "yesterday", "title": "x" * 100_000},
    {"resolve_reason": "merged", "status": None},
    {"id": None},
    {"id": {"a": 1}},
    {"type": None},
    {"type": "incident_note", "incident": "PGR0VU2"},
]


@pytest.mark.parametrize("kind", ["incident.triggered", "incident.resolved", "incident.annotated"])
def test_odd_data_of_a_good_event_does_not_hurt(bot: Client, world: World, kind: str) -> None:
    """Inside `data` whatever has another form than documented counts as absent: 202, never 500."""
    for number, odd in enumerate(ODD_DATA):
        event = _with_event(id=f"odd-{number}", event_type=kind)
        event["event"]["data"].update({"id": f"PODD{number}", "urgency": "low", "priority": None} | odd)
        answer = bot.pagerduty(event)
        assert answer.status_code == 202, (odd, answer.text)
    assert bot.pagerduty(_with_event(id="no-data", event_type=kind, data=None)).status_code == 202
    world.settle()
    assert world.rows("SELECT * FROM deliveries WHERE state = 'failed'") == []


# -- dead letters from the command line -------------------------------------------------------------------------------


def test_a_dead_letter_that_cannot_be_read_stays(bot: Client, world: World, environ: dict[str, str]) -> None:
    """`inbox list` and `show` show it; `inbox replay` refuses and says why, and nothing is lost."""
    raw = json.dumps(body(alert(), version="5")).encode()
    receipt = problem(bot.alertmanager(raw), 400, "malformed")["details"]["receipt"]
    listed = sitrep(environ, "inbox", "list").stdout.decode()
    assert re.fullmatch(rf"{receipt}  \d{{4}}-\d\d-\d\d \d\d:\d\d:\d\d UTC  alertmanager  version: .+\n", listed)
    assert sitrep(environ, "inbox", "show", receipt).stdout == raw
    refused = sitrep(environ, "inbox", "replay", receipt)
    assert refused.returncode == 1
    assert re.search(rf"sitrep: {receipt} still cannot be read: version: .*4", refused.stderr.decode())
    assert b"Traceback" not in refused.stderr
    assert [letter["receipt"] for letter in world.dead()] == [receipt]
    assert bot.incidents() == []


def test_a_dead_letter_that_can_be_read_by_now_is_taken_in(bot: Client, world: World, environ: dict[str, str]) -> None:
    """Bodies that an earlier version refused are replayed beside the running service, which opens their incidents."""
    engine = connect(environ["SITREP_DATABASE_URL"])
    receipts = []
    with engine.begin() as connection:
        for source, raw in (("alertmanager", recorded(1)), ("pagerduty", RAW)):
            why = "version: not read by 0.0.9"
            receipts += inbox.keep_all(connection, source, [(raw, why)], datetime.now(UTC), state=inbox.DEAD)
    engine.dispose()
    numbers = []
    for receipt in receipts:
        done = sitrep(environ, "inbox", "replay", receipt)
        assert done.returncode == 0, done.stderr
        said = json.loads(done.stdout)
        assert said["receipt"] == receipt
        numbers.append(said["outcome"].removeprefix("declared "))
    assert world.dead() == []
    for number in numbers:
        wait_for(lambda n=number: "channel_opened" in bot.kinds(n), what="the sweep")
        bot.wait_opened(number)
    assert [i["severity"] for i in bot.incidents()] == ["sev1", "sev2"]

    again = sitrep(environ, "inbox", "replay", receipts[0])
    assert again.returncode == 1
    assert b"is no dead letter" in again.stderr
    before = world.snapshot()
    bot.alertmanager(recorded(1))
    assert world.snapshot() == before


# -- large bodies -----------------------------------------------------------------------------------------------------


def test_a_large_body_is_refused_with_413(bot: Client, world: World) -> None:
    """17 MiB are refused by Content-Length and in chunks, to everybody, and nothing of them is kept."""
    large = b'{"a": "' + b"x" * 17 * 1024 * 1024 + b'"}'

    def chunks() -> Iterator[bytes]:
        for start in range(0, len(large), 65_536):
            yield large[start : start + 65_536]

    good = {"authorization": f"Bearer {WEBHOOK_TOKEN}"}
    for path in (AM, PD):
        for headers in (good, {}):
            problem(bot.http.post(path, content=large, headers=headers), 413, "too_large")
            problem(bot.http.post(path, content=chunks(), headers=headers), 413, "too_large")
    assert world.rows("SELECT * FROM inbox") == []
    assert bot.alertmanager(body()).status_code == 202


def test_a_declared_length_is_refused_before_the_body_is_sent(bot: Client) -> None:
    """The header alone is enough for a 413: nobody has to send 20 MB to learn that they are not wanted."""
    host, port = bot.url.removeprefix("http://").split(":")
    with closing(socket.create_connection((host, int(port)), timeout=5)) as wire:
        head = f"POST {AM} HTTP/1.1\r\nHost: x\r\nAuthorization: Bearer {WEBHOOK_TOKEN}\r\n"
        wire.sendall(f"{head}Content-Length: 20971520\r\n\r\n".encode())
        assert wire.recv(65_536).startswith(b"HTTP/1.1 413 ")


# -- hostile text -----------------------------------------------------------------------------------------------------

EVIL = "<!channel> <!here> <!everyone> <!subteam^S1|ops> <@UEVIL> <https://evil.example|click> & @here {{ 7*7 }} `x`"
ODD = "\u202eevil\u2066\u0000\u0007\ud800 \U0001f4a5 \U00020000 e\u0301 \u200f"
LIVE = re.compile(
    r"<(?!#C|!date\^|@U0|https?://[^<>|\s]*\|"
    r"(?:Source|Dashboard|Runbook|Conference bridge|triggered|acknowledged|resolved)>)"
)


def _mrkdwn(value: Any) -> Iterator[str]:
    """Give every text below `value` that Slack reads as mark-up."""
    if isinstance(value, dict):
        if value.get("type") == "mrkdwn":
            yield str(value["text"])
        for item in value.values():
            yield from _mrkdwn(item)
    elif isinstance(value, list):
        for item in value:
            yield from _mrkdwn(item)


def marked_up(workspace: Workspace) -> list[str]:
    """Give every text that was sent to Slack as mark-up, edits included."""
    found = []
    for call in workspace.calls:
        found += [str(call.args[name]) for name in ("text", "topic", "initial_comment") if call.args.get(name)]
        blocks = call.args.get("blocks") or []
        found += _mrkdwn(json.loads(blocks) if isinstance(blocks, str) else blocks)
    return found


def hold_harmless(bot: Client, world: World) -> None:
    """Hold that nothing from outside has become mark-up, and that everything was delivered."""
    world.settle()
    texts = marked_up(bot.workspace)
    assert texts
    for text in texts:
        assert not LIVE.search(text), text
        assert "UEVIL" not in re.sub(r"&lt;@UEVIL&gt;", "", text), text
        assert not re.search("[\x00-\x08\u202a-\u202e\u2066-\u2069\ud800-\udfff]", text), text
        assert "@here 49" not in text, text
    assert any("&lt;!channel&gt;" in text for text in texts)
    assert world.rows("SELECT * FROM deliveries WHERE state = 'failed'") == []


def test_hostile_alerts_are_text(bot: Client, world: World) -> None:
    """Mark-up, control characters, lone surrogates and overrides in every field of an alert do no harm."""
    evil = EVIL + ODD
    names = ("service", "region", "instance", "tenant", "impact", "correlation_id", "resource_name", "host_role")
    labels = {"alertname": evil, "severity": "critical", evil: evil, **dict.fromkeys(names, evil)}
    shown = ("summary", "description", "metric", "threshold", "value")
    urls = {"dashboard_url": f"https://x/{EVIL}", "runbook_url": "javascript:alert(1)"}
    sent = alert(
        "aa", labels=labels, annotations={**dict.fromkeys(shown, evil), **urls}, generatorURL=f"https://x/{EVIL}"
    )
    number = bot.alertmanager(body(sent, groupKey=evil)).json()["outcome"].removeprefix("declared ")
    bot.wait_opened(number)
    further = alert("<!channel>", labels={"alertname": evil, "severity": "warning"}, annotations={"summary": evil})
    assert bot.alertmanager(body(sent, further, groupKey=evil)).status_code == 202
    other = {**further, "labels": {**further["labels"], "pod": evil}, "fingerprint": "<!here>"}
    assert bot.alertmanager(body(other, groupKey=evil + "2")).json()["outcome"] == "triage"
    hold_harmless(bot, world)
    title = bot.incident(number)["title"]
    assert "<!channel>" in title
    assert "\U0001f4a5" in bot.events(number)[0]["text"]
    assert not re.search("[\x00-\x08\u202a-\u202e\u2066-\u2069\ud800-\udfff]", title)


def test_hostile_pagerduty_fields_are_text(bot: Client, world: World) -> None:
    """Titles, services, names and notes from PagerDuty do no harm, nor does the name of who acknowledges."""
    evil = EVIL + ODD
    person = {"id": "UEVIL", "type": "user_reference", "summary": evil}
    data = {"title": evil, "service": {"summary": evil}, "assignees": [person], "html_url": f"https://x/{EVIL}"}
    number = bot.pagerduty(pagerduty("incident.triggered", **data)).json()["outcome"].removeprefix("declared ")
    bot.wait_opened(number)
    for name in ("escalated", "annotated", "responder.replied", "priority_updated", "acknowledged", "resolved"):
        facts = {"content": evil, "message": evil, "user": person, "assignees": [person]}
        sent = pagerduty(f"incident.{name}", **facts)
        sent["event"]["agent"] = {**person, "id": "PEVIL00"}
        assert bot.pagerduty(sent).status_code == 202, name
    low = pagerduty(
        "incident.triggered",
        event_id="low",
        **{**data, "id": evil, "incident_key": None, "priority": None, "urgency": "low"},
    )
    assert bot.pagerduty(low).json()["outcome"] == "triage"
    hold_harmless(bot, world)
    assert "acknowledged" in bot.kinds(number)


def test_an_agent_cannot_borrow_a_slack_id(bot: Client, world: World) -> None:
    """A PagerDuty user whose id looks like a Slack user's is shown by name, not as somebody else's mention."""
    number = bot.pagerduty(pagerduty("incident.triggered")).json()["outcome"].removeprefix("declared ")
    bot.wait_opened(number)
    sent = pagerduty("incident.acknowledged")
    sent["event"]["agent"]["id"] = bot.workspace.user("dana").id
    assert bot.pagerduty(sent).status_code == 202
    channel = bot.room(number)
    world.settle()
    card = str(bot.workspace.pinned(channel)[0].blocks)
    assert "Acknowledged by Olivia Oncall in PagerDuty" in card
    assert bot.workspace.user("dana").id not in card


def test_a_reason_given_in_slack_pages_nobody(bot: Client, world: World) -> None:
    """`<!channel>` in the reason of a pause, a severity or a reopening is shown as it was typed."""
    number, channel = bot.open_one()
    said = ("pause 30m &lt;!channel&gt;", "severity sev1 &lt;!channel&gt;", "resolve ok", "reopen &lt;!channel&gt;")
    for text in said:
        bot.slash(text, channel=channel)
    assert {"cadence_paused", "severity_changed", "reopened"} <= set(bot.kinds(number))
    hold_harmless(bot, world)


# -- twins ------------------------------------------------------------------------------------------------------------


def at_once(count: int, send: Callable[[Client], httpx.Response], bot: Client) -> list[str]:
    """Send from `count` connections at the same moment; gives the outcomes."""
    start = threading.Barrier(count)

    def one(_: int) -> str:
        client = Client(bot.url, bot.workspace)
        try:
            start.wait(5)
            answer = send(client)
        finally:
            client.close()
        assert answer.status_code == 202, answer.text
        return str(answer.json()["outcome"])

    with ThreadPoolExecutor(count) as pool:
        return sorted(pool.map(one, range(count)))


def test_identical_pagerduty_deliveries_at_once_are_one(bot: Client, world: World) -> None:
    """Of eight deliveries of one event at the same moment one acts, and the others are told that it is known."""
    outcomes = at_once(8, lambda client: client.pagerduty(RAW), bot)
    number = outcomes[0].removeprefix("declared ")
    assert outcomes == [f"declared {number}", *["duplicate"] * 7]
    bot.wait_opened(number)
    world.settle()
    assert len(bot.incidents()) == 1
    assert bot.workspace.count("conversations.create") == 1
    assert bot.kinds(number).count("alert_fired") == bot.kinds(number).count("declared") == 1


def test_one_group_from_eight_peers_at_once_is_one_incident(bot: Client, world: World) -> None:
    """Of eight notifications of one group at the same moment one declares, and the others are repeats."""
    outcomes = at_once(8, lambda client: client.alertmanager(body(alert("aa"), alert("bb"))), bot)
    number = outcomes[0].removeprefix("declared ")
    assert outcomes == [f"declared {number}", *[f"repeat of {number}"] * 7]
    bot.wait_opened(number)
    world.settle()
    assert bot.workspace.count("conversations.create") == 1
    assert bot.kinds(number).count("alert_fired") == 2


# -- the database is away ---------------------------------------------------------------------------------------------


def test_a_locked_database_is_503_in_time_and_heals(bot: Client, world: World) -> None:
    """While another process holds the file, every webhook is refused within 5 s; sent again, each is taken in once."""
    sends = [
        lambda: bot.alertmanager(body(alert("aa"))),
        lambda: bot.pagerduty(RAW),
        lambda: bot.alertmanager(b"{"),
        lambda: bot.alertmanager(body(alert("aa"))),
    ]

    def timed(send: Callable[[], httpx.Response]) -> tuple[float, httpx.Response]:
        begin = time.monotonic()
        answer = send()
        return time.monotonic() - begin, answer

    with closing(sqlite3.connect(world.path, isolation_level=None)) as other:
        other.execute("BEGIN EXCLUSIVE")
        with ThreadPoolExecutor(len(sends)) as pool:
            answers = list(pool.map(timed, sends))
        other.execute("ROLLBACK")
    for seconds, answer in answers:
        assert seconds < 5 * BUSY  # it would be away for ever
        assert "again" in problem(answer, 503, "database_unavailable")["message"]
        assert answer.headers["retry-after"]
    taken = wait_for(lambda: _taken(bot), what="the database")
    assert [a.status_code for a in taken] == [202, 202]
    for incident in bot.incidents():
        bot.wait_opened(incident["number"])
    world.settle()
    assert sorted(i["source"] for i in bot.incidents()) == ["alertmanager", "pagerduty"]
    assert bot.workspace.count("conversations.create") == 2
    assert len(world.rows("SELECT * FROM inbox WHERE source = 'pagerduty'")) == 1
    assert len(world.rows("SELECT * FROM alerts")) == 2


def _taken(bot: Client) -> list[httpx.Response] | None:
    answers = [bot.alertmanager(body(alert("aa"))), bot.pagerduty(RAW)]
    return answers if all(a.status_code == 202 for a in answers) else None


@pytest.mark.parametrize("table", ["alerts", "events", "deliveries", "inbox"])
def test_a_failure_in_the_middle_leaves_nothing_behind(bot: Client, world: World, table: str) -> None:
    """When the rows of one table cannot be written, those of the others are not kept either; it heals by itself."""
    world.settle()
    rename = "ALTER TABLE {} RENAME TO {}"
    with closing(sqlite3.connect(world.path, timeout=10)) as other:
        other.execute(rename.format(table, "gone"))
        for send, sent in ((bot.alertmanager, body(alert("aa"))), (bot.pagerduty, RAW)):
            problem(send(sent), 503, "database_unavailable")
        for name in {"incidents", "alert_groups", "alerts", "events", "deliveries", "timers", "inbox"} - {table}:
            assert world.rows(f"SELECT * FROM {name}") == [], name  # noqa: S608
        other.execute(rename.format("gone", table))
    outcomes = [bot.alertmanager(body(alert("aa"))), bot.pagerduty(RAW)]
    assert [a.json()["outcome"].split()[0] for a in outcomes] == ["declared", "declared"]

"""`sitrep outbox` beside a running service: what an operator sees, tries again and drops."""

from __future__ import annotations

import json
import subprocess
from collections import Counter
from collections.abc import Iterator, Mapping
from contextlib import ExitStack
from pathlib import Path
from typing import Any

import pytest
from sqlalchemy import text

from bot import app
from bot.sandbox.faults import Fault
from bot.sandbox.model import Message
from bot.sandbox.server import SandboxServer
from bot.store.database import connect
from tests.conftest import Client, Hands, Process, both_databases, rooms, wait_for
from tests.forks import sitrep
from tests.patience import UNFINISHED

PROMISED = 15  # seconds until the service finds what the command line has changed


@pytest.fixture(autouse=True)
def quick_sweep(monkeypatch: pytest.MonkeyPatch) -> None:
    """Shortens the service's own pace, which keeps the promise, so that the tests need not wait for it."""
    assert app.SWEEP + app.LATE.total_seconds() <= PROMISED
    monkeypatch.setattr(app, "SWEEP", 0.3)
    monkeypatch.setattr(app, "LATE", app.LATE / 30)


@pytest.fixture
def end() -> Iterator[ExitStack]:
    """Takes what is to be stopped when the test ends, whatever its end."""
    with ExitStack() as stack:
        yield stack


@pytest.fixture
def outbox(environ: dict[str, str]) -> Outbox:
    return Outbox(environ)


class Outbox:
    """The command, and the rows that it shows."""

    def __init__(self, environ: Mapping[str, str]) -> None:
        self._environ = {**environ, "COLUMNS": "200"}
        self._url = environ["SITREP_DATABASE_URL"]

    def run(self, *args: str) -> subprocess.CompletedProcess[bytes]:
        return sitrep(self._environ, "outbox", *args)

    def does(self, *args: str) -> str:
        done = self.run(*args)
        assert done.returncode == 0, done.stderr.decode()
        assert done.stderr == b""
        return done.stdout.decode()

    def refuses(self, *args: str) -> str:
        done = self.run(*args)
        assert done.returncode == 1, done.stdout.decode()
        assert done.stdout == b""
        return done.stderr.decode()

    def listed(self, *args: str) -> list[dict[str, Any]]:
        return list(json.loads(self.does("list", "--json", *args))["deliveries"])

    def row(self, kind: str) -> dict[str, Any]:
        """The newest delivery of a kind, from the database itself."""
        engine = connect(self._url)
        with engine.begin() as connection:
            query = text("SELECT * FROM deliveries WHERE kind = :kind ORDER BY id DESC LIMIT 1")
            found = connection.execute(query, {"kind": kind}).mappings().first()
        engine.dispose()
        return dict(found) if found else {}

    def id_of(self, kind: str) -> str:
        return str(self.row(kind)["id"])

    def change(self, kind: str, values: str) -> None:
        engine = connect(self._url)
        with engine.begin() as connection:
            connection.execute(text(f"UPDATE deliveries SET {values} WHERE kind = :kind"), {"kind": kind})  # noqa: S608
        engine.dispose()

    def wait(self, kind: str, state: str) -> dict[str, Any]:
        return dict(wait_for(lambda: (row := self.row(kind)).get("state") == state and row, what=f"{kind} {state}"))

    def settle(self) -> None:
        wait_for(lambda: not self.unfinished(), what="the deliveries")

    def unfinished(self) -> list[str]:
        """The kinds of what has still to be sent, oldest first."""
        engine = connect(self._url)
        with engine.begin() as connection:
            query = text(f"SELECT kind FROM deliveries WHERE {UNFINISHED} ORDER BY id")  # noqa: S608 - a constant
            found = list(connection.execute(query).scalars())
        engine.dispose()
        return found


def said(messages: list[Message]) -> list[str]:
    """What a person reads in a channel or a thread, without Slack's own notices."""
    return [m.text for m in messages if m.subtype is None]


def doubled(bot: Client) -> list[str]:
    keys = Counter(
        str((m.metadata or {}).get("event_payload", {}).get("key", i))
        for i, m in enumerate(m for place in bot.workspace.channels.values() for m in place.log)
    )
    return [key for key, count in keys.items() if count > 1]


def no_scope(bot: Client, times: int | None = None) -> Fault:
    fault = Fault("conversations.create", "error", error="missing_scope", times=times)
    bot.workspace.faults.add(fault)
    return fault


def declared_in_a_thread(bot: Client, outbox: Outbox, line: str = "declare Checkout is down sev1") -> str:
    """Declare while channels cannot be made; gives the number once the thread is complete."""
    number = bot.slash(line).split()[1]
    wait_for(lambda: bot.workspace.find("ops-alerts", f"{number}, sev"), what="the thread")
    bot.wait_event(number, "page_delivered")
    outbox.settle()
    return number


@both_databases
def test_what_failed_for_want_of_a_scope_is_made_good_by_one_retry(bot: Client, outbox: Outbox) -> None:
    """A channel that was refused is listed with its fix; afterwards `retry` opens it with all that belongs in it."""
    fault = no_scope(bot)
    number = declared_in_a_thread(bot, outbox)
    workspace = bot.workspace
    (root,) = [m for m in workspace.messages("ops-alerts") if m.text.startswith(f"{number}, sev1")]
    assert len(said(workspace.messages("ops-alerts", root.ts))) == 3, "card, page, runbook"

    (failed,) = outbox.listed("--failed")
    assert (failed["scope"], failed["kind"], failed["state"], failed["attempts"]) == (number, "channel", "failed", 1)
    assert failed["error"] == "missing_scope: conversations.create"
    assert failed["fix"].startswith("Add the scope to the app")
    shown = outbox.does("list")
    assert "missing_scope: conversations.create" in shown
    assert f"Then: sitrep outbox retry {failed['id']}" in shown

    workspace.faults.remove(fault)
    answer = outbox.does("retry", str(failed["id"]))
    assert answer.startswith(f"{failed['id']} (channel of {number}): it is due now")
    assert "Sent after it: card, invite, announcement, invite, topic, pin, notification, runbook." in answer
    bot.wait_event(number, "channel_opened")
    outbox.settle()

    (channel,) = rooms(workspace, number)
    assert rooms(workspace) == [channel]
    begins = (f"{number}, sev1, is", f"{number} sev1 declared", "Runbook for this incident:")
    lines = said(workspace.messages(channel))
    assert len(lines) == len(begins), lines
    assert all(any(line.startswith(begin) for line in lines) for begin in begins), lines
    assert [m.text.startswith(begins[0]) for m in workspace.pinned(channel)] == [True]
    assert workspace.find("incidents", number)
    assert workspace.channel(channel).topic.startswith("sev1 investigating")
    assert workspace.user("alice").id in workspace.channel(channel).members
    in_thread = said(workspace.messages("ops-alerts", root.ts))
    assert len(in_thread) == 4
    assert in_thread[-1] == f"The channel is open now: continue in <#{workspace.channel(channel).id}>."
    assert doubled(bot) == []

    bot.slash(f"{number} update The pool is exhausted")
    wait_for(lambda: workspace.find(channel, "The pool is exhausted"), what="the update, in the channel")


def test_a_retry_that_fails_again_doubles_nothing(bot: Client, outbox: Outbox) -> None:
    """The thread stays the only one, nobody is mentioned twice in it, and the operators hear of each failure."""
    no_scope(bot)
    number = declared_in_a_thread(bot, outbox)
    before = [m.text for m in bot.workspace.messages("ops-alerts") if m.text.startswith(number)]
    (root,) = [m for m in bot.workspace.messages("ops-alerts") if m.text.startswith(f"{number}, sev1")]
    thread = said(bot.workspace.messages("ops-alerts", root.ts))
    outbox.does("retry", outbox.id_of("channel"))
    bot.wait_event(number, "delivery_failed", count=2)
    outbox.settle()
    assert [m.text for m in bot.workspace.messages("ops-alerts") if m.text.startswith(number)] == before
    assert said(bot.workspace.messages("ops-alerts", root.ts)) == thread
    wait_for(lambda: len([t for t in bot.workspace.texts("ops-alerts") if "Could not deliver" in t]) == 2)
    assert not rooms(bot.workspace)


def test_a_channel_that_comes_late_finds_those_who_were_asked_meanwhile(
    bot: Client, outbox: Outbox, hands: Hands
) -> None:
    """The lead and the levels that were paged in the thread are invited; nobody is mentioned who need not be."""
    fault = no_scope(bot)
    number = declared_in_a_thread(bot, outbox)
    hands.advance(minutes=5.5)
    bot.wait_event(number, "escalated")
    bot.wait_event(number, "page_delivered", count=2)
    bot.slash(f"{number} ack", user="bob")
    bot.slash(f"{number} lead", user="dana")
    bot.workspace.faults.remove(fault)
    answer = outbox.does("retry", outbox.id_of("channel"))
    assert "notification" not in answer
    bot.wait_event(number, "channel_opened")
    outbox.settle()
    members = {bot.workspace.user(m).name for m in bot.workspace.channel(bot.room(number)).members}
    assert {"alice", "bob", "dana"} <= members
    assert "charlie" not in members
    assert not bot.workspace.find(bot.room(number), "declared")
    assert bot.kinds(number).count("page_delivered") == 2


def test_a_channel_that_may_have_been_made_is_looked_for_first(bot: Client, outbox: Outbox) -> None:
    """Failed for good after a lost answer, it is tried again as one that may have happened: one channel, not two."""
    bot.workspace.faults.add(Fault("conversations.create", "drop_after"))
    fault = no_scope(bot)
    number = declared_in_a_thread(bot, outbox)
    assert outbox.row("channel")["maybe_done"]
    bot.workspace.faults.remove(fault)
    assert "unless it already went out" in outbox.does("retry", outbox.id_of("channel"))
    bot.wait_event(number, "channel_opened")
    outbox.settle()
    assert rooms(bot.workspace) == [bot.room(number)]
    assert len(bot.workspace.pinned(bot.room(number))) == 1


def test_a_page_that_was_repeated_in_the_thread_does_not_come_back(bot: Client, outbox: Outbox, hands: Hands) -> None:
    """Who was mentioned in the thread in the channel's stead is not mentioned again once the channel is there."""
    bot.workspace.faults.add(Fault("conversations.create", "http500", times=None))
    number = bot.slash("declare Checkout is down sev1").split()[1]
    outbox.wait("channel", "unknown")
    hands.advance(minutes=5.5)
    bot.wait_event(number, "escalated")
    fault = no_scope(bot)
    bot.workspace.faults.clear()
    bot.workspace.faults.add(fault)
    outbox.wait("channel", "failed")
    bot.wait_event(number, "page_delivered")
    outbox.settle()
    bot.workspace.faults.clear()
    assert "page" not in outbox.does("retry", outbox.id_of("channel"))
    bot.wait_event(number, "channel_opened")
    outbox.settle()
    bob = f"<@{bot.workspace.user('bob').id}>"
    pages = [m.text for place in bot.workspace.channels.values() for m in place.log if bob in m.text and not m.subtype]
    assert len(pages) == 1, pages


def test_what_is_retried_has_a_day_again(bot: Client, outbox: Outbox, hands: Hands) -> None:
    """A delivery is given up a day after its first attempt; one that is retried later begins that day anew."""
    number = bot.slash("declare A small thing sev4").split()[1]
    bot.wait_event(number, "runbook_posted")
    outbox.settle()
    bot.workspace.faults.add(
        Fault("chat.postMessage", "error", error="msg_too_long", where=lambda a: "One" in a["text"])
    )
    bot.slash(f"{number} update One")
    outbox.wait("update", "failed")
    hands.advance(minutes=25 * 60)
    bot.workspace.faults.add(Fault("chat.postMessage", "http500", where=lambda a: "One" in a["text"]))
    outbox.does("retry", outbox.id_of("update"))
    assert outbox.wait("update", "delivered")["attempts"] == 3


def test_a_card_brings_its_pin_back(bot: Client, outbox: Outbox) -> None:
    """What ended for want of a message follows it when the message is retried, and the rest is left alone."""
    fault = Fault("chat.postMessage", "error", error="msg_too_long", times=1, where=lambda a: "sev2, is" in a["text"])
    bot.workspace.faults.add(fault)
    number = bot.slash("declare Checkout is down").split()[1]
    outbox.wait("card", "failed")
    outbox.wait("runbook", "delivered")
    outbox.settle()
    assert outbox.row("pin")["state"] == "superseded"
    refused = outbox.refuses("retry", outbox.id_of("pin"))
    assert f"Retry that one: {outbox.id_of('card')} (card of {number})." in refused
    posted = len(said(bot.workspace.messages(bot.room(number))))
    assert "Sent after it: pin." in outbox.does("retry", outbox.id_of("card"))
    wait_for(lambda: bot.workspace.pinned(bot.room(number)), what="the pin")
    assert len(said(bot.workspace.messages(bot.room(number)))) == posted + 1


def test_what_waits_is_sent_at_once_when_asked(bot: Client, outbox: Outbox) -> None:
    """`retry` of a delivery that backs off makes it due now."""
    bot.workspace.faults.add(Fault("conversations.create", "http500", times=None))
    number = bot.slash("declare Checkout is down").split()[1]
    wait_for(lambda: outbox.row("channel").get("state") == "unknown")
    outbox.change("channel", "next_at = '2099-01-01 00:00:00.000000'")
    bot.workspace.faults.clear()
    shown = outbox.does("list")
    assert "2099-01-01 00:00:00" in shown
    assert "it is due now" in outbox.does("retry", outbox.id_of("channel"))
    bot.wait_opened(number)


@both_databases
def test_a_dropped_delivery_ends_and_the_timeline_says_who_and_why(bot: Client, outbox: Outbox) -> None:
    """`drop` ends what waits, in the open: the row, the timeline, and what needed it."""
    busy = Fault("chat.postMessage", "ratelimited", retry_after=3600, times=None, where=_to(bot, "incidents"))
    bot.workspace.faults.add(busy)
    number = bot.slash("declare Checkout is down").split()[1]
    wait_for(lambda: outbox.row("announcement").get("attempts") == 1)
    waiting = wait_for(lambda: (row := outbox.row("announcement")).get("state") == "pending" and row)
    wait_for(lambda: outbox.unfinished() == ["announcement", "refresh_announcement"], what="nothing else to wait")
    (shown, edit) = outbox.listed()
    assert (shown["kind"], shown["state"], edit["kind"]) == ("announcement", "pending", "refresh_announcement")
    assert 3000 < shown["age_seconds"] + 3600 - shown["attempts"] < 5000
    answer = outbox.does("drop", str(waiting["id"]), "--by", "ann", "--why", "announced by mail")
    assert answer.strip() == (
        f"{waiting['id']} (announcement of {number}): it is dropped, and the timeline says so. "
        "Also ended, because they depend on it: refresh announcement."
    )
    event = bot.wait_event(number, "delivery_failed")
    assert event["text"] == "Announcement failed: dropped by ann: announced by mail. It is not tried again."
    outbox.settle()
    assert outbox.row("announcement")["state"] == "superseded"
    assert not bot.workspace.find("incidents", number)
    again = outbox.refuses("retry", str(waiting["id"]))
    assert "it ended without being sent (dropped by ann: announced by mail)." in again


def test_a_dropped_channel_leaves_the_incident_a_thread_and_its_pages(bot: Client, outbox: Outbox) -> None:
    """Who gives up on a channel does not give up on paging."""
    bot.workspace.faults.add(Fault("conversations.create", "ratelimited", retry_after=3600, times=None))
    number = bot.slash("declare Checkout is down").split()[1]
    wait_for(lambda: outbox.row("channel").get("state") == "pending" and outbox.row("channel")["attempts"] == 1)
    answer = outbox.does("drop", outbox.id_of("channel"))
    assert "The incident continues in a thread in the alerts channel." in answer
    root = wait_for(lambda: bot.workspace.find("ops-alerts", f"{number}, sev2"), what="the thread")
    alice = bot.workspace.user("alice").id
    wait_for(lambda: any(alice in line for line in bot.workspace.texts("ops-alerts", root.ts)), what="the page")
    assert "dropped by an operator" in bot.wait_event(number, "delivery_failed")["text"]


def _to(bot: Client, channel: str) -> Any:
    id_ = bot.workspace.channel(channel).id
    return lambda args: args.get("channel") == id_


def test_what_makes_no_sense_is_refused_with_the_fix(bot: Client, outbox: Outbox) -> None:
    """Each refusal says why and what to do; those beside it that make sense are done all the same."""
    number, channel = bot.open_one()
    outbox.settle()
    assert outbox.does("list") == "Nothing is queued and nothing has failed.\n"
    card = outbox.id_of("card")
    refused = outbox.refuses("retry", "999999", card).splitlines()
    assert refused[0].startswith(f"{card} (card of {number}): it was delivered at ")
    assert refused[1] == "999999: there is no such delivery. See `sitrep outbox list`."
    assert "it is delivered; there is nothing to drop." in outbox.refuses("drop", card)
    shown = outbox.does("list", "--all", "--limit", "2")
    assert shown.count(number) == 2
    assert "Raise --limit." in shown
    assert "not both" in outbox.refuses("list", "--all", "--failed")

    bot.workspace.faults.add(Fault("chat.postMessage", "error", error="msg_too_long", times=2, where=_to(bot, channel)))
    bot.slash(f"{number} update One")
    bot.slash(f"{number} update Two")
    outbox.wait("update", "failed")
    failed = [str(row["id"]) for row in outbox.listed("--failed") if row["kind"] == "update"]
    assert "failed for good and is not tried again" in outbox.refuses("drop", failed[0])
    done = outbox.run("retry", *failed, card)
    assert done.returncode == 1
    assert (done.stdout.count(b"it is due now"), b"was delivered" in done.stderr) == (2, True)
    for said_so in ("One", "Two"):
        wait_for(lambda said_so=said_so: bot.workspace.find(bot.room(number), said_so))  # type: ignore[misc]


def test_a_channel_for_an_incident_that_is_over_is_refused(bot: Client, outbox: Outbox) -> None:
    """Nobody needs a channel any more; the refusal says what to do if somebody does."""
    no_scope(bot)
    number = declared_in_a_thread(bot, outbox)
    bot.slash(f"{number} resolve It was the proxy")
    assert f"{number} is resolved: reopen it" in outbox.refuses("retry", outbox.id_of("channel"))


@both_databases
def test_what_is_being_sent_is_left_alone(
    environ: dict[str, str], outbox: Outbox, slack: SandboxServer, tmp_path: Path, end: ExitStack
) -> None:
    """A delivery on its way can be neither retried nor dropped, until the process that sends it is dead."""
    process = Process(environ, tmp_path / "log")
    process.start()
    end.callback(process.stop)
    bot = Client(process.url, slack.workspace)
    end.callback(bot.close)
    number, _ = bot.open_one()
    bot.workspace.faults.add(Fault("chat.postMessage", "hang", seconds=20))
    bot.slash(f"{number} status identified")
    said_so = str(outbox.wait("say", "sending")["id"])
    for what in ("retry", "drop"):
        assert "it is being sent. Look again in a moment" in outbox.refuses(what, said_so)
    process.kill()
    process.wait_dead()
    answer = wait_for(lambda: outbox.run("drop", said_so, "--by", "ann").stdout, what="the drop")
    assert b"it is dropped" in answer
    assert outbox.row("say")["state"] == "superseded"
    process.start()
    assert "dropped by ann" in bot.wait_event(number, "delivery_failed")["text"]


def test_an_export_that_is_retried_shares_the_file_that_it_had_sent(bot: Client, outbox: Outbox) -> None:
    """The share was refused for good after the file had gone up: a retry sends no second file."""
    _, channel = bot.open_one()
    bot.workspace.faults.add(Fault("files.completeUploadExternal", "error", error="missing_scope"))
    bot.slash("export md", channel=channel)
    failed = str(outbox.wait("export", "failed")["id"])
    bot.workspace.faults.clear()
    outbox.does("retry", failed)
    outbox.wait("export", "delivered")
    assert len(bot.workspace.files) == 1
    assert sum(len(m.files) for m in bot.workspace.messages(channel)) == 1


def test_without_a_database_the_command_names_the_fix(environ: dict[str, str]) -> None:
    """A wrong address or an empty file is no traceback."""
    outbox = Outbox({**environ, "SITREP_DATABASE_URL": environ["SITREP_DATABASE_URL"] + ".not"})
    assert outbox.refuses("retry", "1").startswith("sitrep: There is no database at ")
    path = environ["SITREP_DATABASE_URL"].removeprefix("sqlite:///")
    connect(f"sqlite:///{path}").connect().close()
    assert "run `sitrep db upgrade`." in Outbox(environ).refuses("retry", "1")

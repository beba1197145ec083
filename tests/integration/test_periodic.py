"""What comes round, against the real service: checklists are posted once and ticked off, stale runbooks are told of."""

from __future__ import annotations

import asyncio
import sqlite3
from collections.abc import Callable, Iterator
from datetime import timedelta
from pathlib import Path
from typing import TypeVar

import pytest
from sqlalchemy import Connection

from bot.clock import FileClock
from bot.config import Config
from bot.desk import Desk
from bot.engine.unmanned import UnmannedEngine
from bot.incidents.policy import DEFAULT_POLICY
from bot.periodic import Periodic
from bot.runbooks.catalog import Catalog
from bot.sandbox.server import SandboxServer
from bot.store.database import database_clock, open_store
from bot.store.tx import Tx
from handlers.slack.checklists import GONE
from handlers.slack.context import DATABASE_AWAY
from tests.conftest import Hands, both_databases, wait_for
from tests.integration.rounds import (
    ON,
    Service,
    buttons,
    checklist,
    daily,
    items,
    next_monday,
    prepare,
    review,
    spoken,
    weekly,
    whole,
)
from tests.migrated import put

T = TypeVar("T")

DAY = timedelta(days=1)
OFF = ON.replace("checklists: true", "checklists: false")


@pytest.fixture
def runbooks(tmp_path: Path, hands: Hands) -> Path:
    """A directory in which nothing comes round yet, and nothing is stale."""
    return prepare(tmp_path, hands.now().date())


@pytest.fixture
def service(  # type: ignore[override]
    environ: dict[str, str], runbooks: Path, hands: Hands, slack: SandboxServer, monkeypatch: pytest.MonkeyPatch
) -> Iterator[Service]:
    """The service, to be started once the runbooks are as a test wants them; it looks ten times a second."""
    monkeypatch.setattr("bot.app.AUDIT_TURNED", 0.1)
    made = Service(environ | {"SITREP_RUNBOOKS": str(runbooks)}, hands, slack)
    yield made
    made.close()


@both_databases
def test_a_checklist_is_posted_once_when_its_moment_comes(service: Service) -> None:
    """Not before, not again while time goes on, not again after a restart, and once more the next day."""
    moment, later = whole(service.hands.now(), hours=6), whole(service.hands.now(), hours=6, minutes=2)
    checklist(service.runbooks, "round", daily(moment), owner_team="Platform SRE")
    checklist(service.runbooks, "later", daily(later))
    service.start()
    assert service.posted("round") == []
    service.passes("checklist:checklist.round", moment)
    (message,) = service.posted("round")
    assert message.text == "Round of round: 0 of 3 done."
    assert items(message) == [f":white_large_square: {n}. Look at &lt;thing&gt; {n} of round." for n in (1, 2, 3)]
    assert [button["text"]["text"] for button in buttons(message)] == ["Done"] * 3
    about = f"`checklist.round`, due {moment:%Y-%m-%d %H:%M} UTC"
    assert about in spoken(message)
    assert "Owner: Platform SRE. *0 of 3 done*" in spoken(message)

    service.passes("checklist:checklist.later", later)  # whoever looked for that one has looked for this one too
    service.stop()
    service.start()
    service.passes("checklist:checklist.later", later + DAY)
    assert [m.text for m in service.posted("round")] == ["Round of round: 0 of 3 done."] * 2
    assert len(service.posted("later")) == 2
    assert f"due {moment + DAY:%Y-%m-%d %H:%M} UTC" in spoken(service.posted("round")[1])


@both_databases
def test_after_days_away_each_checklist_comes_once(service: Service) -> None:
    """Of the moments that were missed the latest is made good, and the next one comes as ever."""
    one, two = whole(service.hands.now(), hours=5), whole(service.hands.now(), hours=6)
    checklist(service.runbooks, "one", daily(one))
    checklist(service.runbooks, "two", daily(two))
    service.start()
    service.stop()
    service.turn(two + 3 * DAY)
    service.start()
    service.taken("checklist:checklist.one", one + 3 * DAY)
    service.taken("checklist:checklist.two", two + 3 * DAY)
    for name, moment in (("one", one), ("two", two)):
        (message,) = service.posted(name)
        assert f"due {moment + 3 * DAY:%Y-%m-%d %H:%M} UTC" in spoken(message)
    service.passes("checklist:checklist.two", two + 4 * DAY)
    assert (len(service.posted("one")), len(service.posted("two"))) == (2, 2)


def test_what_is_seen_for_the_first_time_waits_for_its_next_moment(service: Service) -> None:
    """On a new database, and with a new file beside known ones, no moment of the past is made good."""
    now = service.hands.now()
    past, marker = whole(now, hours=-1), whole(now, hours=5)
    checklist(service.runbooks, "past", daily(past))
    checklist(service.runbooks, "marker", daily(marker))
    service.start()
    service.stop()
    service.turn(marker - timedelta(hours=1))
    checklist(service.runbooks, "new", daily(past))
    service.start()
    service.passes("checklist:checklist.marker", marker)
    assert service.posted("past") == service.posted("new") == []
    service.passes("checklist:checklist.new", past + DAY)
    assert (len(service.posted("past")), len(service.posted("new"))) == (1, 1)


def test_switched_off_nothing_is_posted_nor_made_up_for(service: Service) -> None:
    """While `checklists: false` moments pass; once it is on again the next one counts."""
    moment = whole(service.hands.now(), hours=6)
    checklist(service.runbooks, "round", daily(moment))
    service.start(OFF)
    service.passes("checklist:checklist.round", moment)
    assert service.posted("round") == []
    service.stop()
    service.start(ON)
    service.passes("checklist:checklist.round", moment + DAY)
    (message,) = service.posted("round")
    assert f"due {moment + DAY:%Y-%m-%d %H:%M} UTC" in spoken(message)


@both_databases
def test_a_long_name_has_a_place_in_the_outbox(service: Service) -> None:
    """Two checklists whose ids are alike in all that a scope can hold are both posted, and ticked each for itself."""
    moment = whole(service.hands.now(), hours=6)
    names = [f"{'x' * 80}-{end}" for end in ("one", "two")]
    for place, name in enumerate(names):
        file = checklist(service.runbooks, name, daily(moment))
        file.rename(file.with_name(f"long-{place}.md"))
    service.start()
    service.passes(f"checklist:checklist.{names[1]}", moment)
    service.press("alice", service.posted(names[1])[0], 1)
    service.world.settle()
    first, second = (service.posted(name)[0].text for name in names)
    assert (first[-14:], second[-14:]) == (": 0 of 3 done.", ": 1 of 3 done.")


def test_an_owner_team_has_its_checklists_in_its_own_channel(service: Service) -> None:
    """A team named in `owners` is served there, in whatever case its name is written; the rest in `channel`."""
    moment = whole(service.hands.now(), hours=6)
    for channel in ("platform", "reviews"):
        service.workspace.add_channel(channel)
    checklist(service.runbooks, "theirs", daily(moment), owner_team="Platform SRE")
    checklist(service.runbooks, "ours", daily(moment))
    service.start(ON.replace("{", '{channel: reviews, owners: {platform sre: "#platform"}, ', 1))
    service.passes("checklist:checklist.ours", moment)
    service.taken("checklist:checklist.theirs", moment)
    assert (len(service.posted("theirs", "platform")), len(service.posted("ours", "reviews"))) == (1, 1)
    assert service.posted("theirs") == service.posted("ours") == []


def test_a_channel_that_is_not_there_is_told_to_the_operators(service: Service) -> None:
    """What cannot be posted says so where failures are told, with the fix."""
    moment = whole(service.hands.now(), hours=6)
    checklist(service.runbooks, "round", daily(moment))
    service.start(ON.replace("{", "{channel: nowhere, ", 1))
    service.passes("checklist:checklist.round", moment)
    told = wait_for(lambda: service.workspace.find("ops-alerts", "checklist:checklist.round"), what="the warning")
    assert "the channel was deleted, or is hidden from the bot. Create #nowhere and invite the bot" in told.text
    assert "Create #nowhere and invite the bot" in told.text


@both_databases
def test_anyone_ticks_an_item_off_and_takes_that_back(service: Service) -> None:
    """The message says who did what and when; whoever comes second is told so, alone."""
    moment = whole(service.hands.now(), hours=6)
    checklist(service.runbooks, "round", weekly(moment))
    service.start()
    service.passes("checklist:checklist.round", moment)
    (message,) = service.posted("round")
    ts = message.ts
    alice, bob = (service.workspace.user(name).id for name in ("alice", "bob"))
    stale = [dict(block) for block in message.blocks]

    service.press("alice", message, 2)
    service.world.settle()
    (message,) = service.posted("round")
    assert message.ts == ts
    assert message.text == "Round of round: 1 of 3 done."
    assert "*1 of 3 done*" in spoken(message)
    assert items(message)[1].startswith(":white_check_mark: 2. Look at &lt;thing&gt; 2 of round.\n")
    assert items(message)[1].endswith(f"Done by <@{alice}> at {moment:%H:%M} UTC.")
    assert [button["text"]["text"] for button in buttons(message)] == ["Done", "Undo", "Done"]

    message.blocks, fresh = stale, message.blocks  # what bob still sees
    service.press("bob", message, 2)
    message.blocks = fresh
    service.world.settle()
    (said,) = service.workspace.ephemerals("bob", "ops-alerts")
    assert said.text == f"<@{alice}> ticked item 2 at {moment:%H:%M} UTC. Press Undo to untick it."
    assert service.workspace.ephemerals("alice", "ops-alerts") == []

    service.turn(moment + DAY)
    stale = [dict(block) for block in message.blocks]
    service.press("bob", message, 2, "undo")
    service.world.settle()
    (message,) = service.posted("round")
    assert (message.text, items(message)[1][:20]) == ("Round of round: 0 of 3 done.", ":white_large_square:")
    message.blocks, fresh = stale, message.blocks
    service.press("alice", message, 2, "undo")
    message.blocks = fresh
    service.world.settle()
    (said,) = service.workspace.ephemerals("alice", "ops-alerts")
    assert said.text.startswith(f"<@{bob}> unticked item 2 at ")

    service.press("alice", message, 3)
    service.world.settle()
    (message,) = service.posted("round")
    assert f"Done by <@{alice}> on {moment + DAY:%Y-%m-%d} at" in items(message)[2]


def test_an_edit_of_the_file_changes_nothing_that_is_posted(service: Service) -> None:
    """What was posted is ticked off as it was posted; the next one has what the file says then."""
    moment = whole(service.hands.now(), hours=6)
    checklist(service.runbooks, "round", daily(moment), items=3)
    service.start()
    service.passes("checklist:checklist.round", moment)
    service.press("alice", service.posted("round")[0], 1)
    service.world.settle()
    service.stop()
    checklist(service.runbooks, "round", daily(moment), items=5).write_text(
        (service.runbooks / "checklists" / "round.md").read_text().replace("Look at", "Read")
    )
    service.start()
    service.press("bob", service.posted("round")[0], 3)
    service.world.settle()
    (message,) = service.posted("round")
    assert message.text == "Round of round: 2 of 3 done."
    assert [line.split(". ")[1][:7] for line in items(message)] == ["Look at"] * 3
    service.passes("checklist:checklist.round", moment + DAY)
    assert service.posted("round")[1].text == "Round of round: 0 of 5 done."
    assert "Read &lt;thing&gt; 5" in items(service.posted("round")[1])[4]


def test_a_press_that_the_database_does_not_take_is_told(service: Service) -> None:
    """While the database is away whoever presses hears of it within Slack's 3 seconds."""
    moment = whole(service.hands.now(), hours=6)
    checklist(service.runbooks, "round", daily(moment))
    service.start()
    service.passes("checklist:checklist.round", moment)
    (message,) = service.posted("round")
    holder = sqlite3.connect(service.world.path, isolation_level=None)
    holder.execute("BEGIN IMMEDIATE")
    try:
        service.press("alice", message, 1)
    finally:
        holder.execute("ROLLBACK")
        holder.close()
    told = wait_for(lambda: service.workspace.ephemerals("alice", "ops-alerts"), what="the answer")
    assert told[0].text == DATABASE_AWAY


def test_a_press_on_what_is_not_kept_any_more_is_told(service: Service) -> None:
    """A checklist of another database cannot be ticked off, and its reader is told."""
    moment = whole(service.hands.now(), hours=6)
    checklist(service.runbooks, "round", daily(moment))
    service.start()
    service.passes("checklist:checklist.round", moment)
    (message,) = service.posted("round")
    holder = sqlite3.connect(service.world.path, isolation_level=None)
    holder.execute("DELETE FROM postings")
    holder.close()
    service.press("alice", message, 1)
    service.world.settle()
    (said,) = service.workspace.ephemerals("alice", "ops-alerts")
    assert said.text == GONE


@both_databases
def test_stale_runbooks_are_told_of_on_mondays_in_their_owners_channels(service: Service) -> None:
    """One message a channel, what is overdue first; none where nothing is stale, and again the next week."""
    for channel in ("security", "sre"):
        service.workspace.add_channel(channel)
    monday = next_monday(service.hands.now())
    for name, age in (("security-secret-leak", 200), ("security-access-audit", 100), ("onboarding-bootstrap", 95)):
        review(service.runbooks / f"{name}.md", (monday - age * DAY).date())
    catalog = Catalog.load(service.runbooks)
    teams = {runbook.url: runbook.owner_team for runbook in catalog}
    assert teams["runbooks/onboarding-bootstrap.md"] != teams["runbooks/security-secret-leak.md"] == "Security Team"
    service.start(OFF.replace("{", "{owners: {SECURITY TEAM: security, Nobody: sre}, ", 1))
    service.passes("digest", monday)
    (theirs,), (ours,) = service.digests("security"), service.digests()
    assert service.digests("sre") == []
    assert theirs.text == "Review 2 runbooks; overdue, with the last review more than 180 days ago: 1."
    assert spoken(theirs).index("200 days ago") < spoken(theirs).index("100 days ago")
    assert spoken(theirs).index("security-secret-leak.md") < spoken(theirs).index("security-access-audit.md")
    assert ours.text == "Review 1 runbook."
    service.stop()
    service.start(OFF.replace("{", "{owners: {SECURITY TEAM: security, Nobody: sre}, ", 1))
    service.passes("digest", monday + 7 * DAY)
    assert (len(service.digests("security")), len(service.digests())) == (2, 2)
    assert "207 days ago" in spoken(service.digests("security")[1])


def test_without_stale_runbooks_no_digest_comes(service: Service) -> None:
    """A Monday on which all is reviewed passes without a word."""
    service.start(OFF)
    service.passes("digest", next_monday(service.hands.now()))
    assert service.digests() == []
    assert service.world.rows("SELECT * FROM deliveries") == []


class Counted:
    """A store that counts the units of work that write."""

    def __init__(self, url: str, hands: Hands) -> None:
        self.clock = database_clock(url, FileClock(hands.path))
        self._store = open_store(url, self.clock)
        self.writes = 0

    async def write(self, work: Callable[[Tx], T]) -> T:
        self.writes += 1
        return await self._store.write(work)

    async def read(self, work: Callable[[Connection], T]) -> T:
        return await self._store.read(work)

    async def close(self) -> None:
        await self._store.close()


@both_databases
@pytest.mark.anyio
async def test_replicas_that_look_at_once_post_once_and_write_nothing_in_vain(
    database_url: str, hands: Hands, runbooks: Path
) -> None:
    """Of eight looks at the same instant one takes a moment; a look that finds nothing due writes nothing."""
    put(database_url)
    moment = whole(hands.now(), hours=6)
    for name in ("one", "two"):
        checklist(runbooks, name, daily(moment))
    stores = [Counted(database_url, hands) for _ in range(8 if database_url.startswith("postgres") else 1)] * 8
    stores = stores[:8]
    catalog = Catalog.load(runbooks)
    looks = [
        Periodic(store, Desk(UnmannedEngine(), DEFAULT_POLICY), store.clock, catalog, Config()) for store in stores
    ]
    try:
        for _ in range(2):
            await asyncio.gather(*(look.run() for look in looks))
        known = sum(store.writes for store in set(stores))
        await asyncio.gather(*(look.run() for look in looks))
        assert sum(store.writes for store in set(stores)) == known
        hands.advance((moment - hands.now()).total_seconds() + 1)
        for _ in range(2):
            await asyncio.gather(*(look.run() for look in looks))
        written = await stores[0].read(
            lambda c: sorted(c.exec_driver_sql("SELECT scope FROM deliveries").scalars().all())
        )
        assert written == [f"checklist:checklist.{name}:{moment:%Y%m%dT%H%M}" for name in ("one", "two")]
    finally:
        for store in set(stores):
            await store.close()

"""Fault 22: an upgrade with a migration while incidents are open; an old replica and new ones side by side."""

from __future__ import annotations

import shutil
import sqlite3
from collections.abc import Callable, Iterator
from contextlib import closing, contextmanager
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest
from alembic.script import ScriptDirectory
from sqlalchemy import func, select, text

from bot.migrate import LOCK, alembic_config
from bot.store.postgres import connect
from tests.conftest import ROOT, room_of, wait_for
from tests.faults.cluster import Cluster, Replica, cluster_on, declare, doubled, opened_once, posted, sight
from tests.integration.bodies import FIXTURES, alert, body
from tests.patience import START

# Written by version 0.1.0, which was killed a second after its last line: an open incident with armed timers, a note in
# the middle of its call, an update that waits behind it.
WRITTEN_BY_0_1 = FIXTURES / "databases" / "version-0.1.0.sql"
STOPPED_AT = datetime(2026, 11, 21, 13, 0, 35, tzinfo=UTC)
NUMBER = "INC-20261121-001"
CHANNEL = "incident-20261121-001"  # as version 0.1.0 named it
CARD, ANNOUNCEMENT = "1795266032.153676", "1795266032.157514"

NEW = 3  # replicas of the next version, which migrate at once
MIGRATION = """
import sqlalchemy as sa
from alembic import op

revision = "next"
down_revision = "{head}"
branch_labels = None
depends_on = None


def upgrade() -> None:
    op.add_column("incidents", sa.Column("weather", sa.Text(), nullable=True))
    op.add_column("deliveries", sa.Column("wind", sa.Integer(), nullable=False, server_default="0"))
    op.create_table("moods", sa.Column("id", sa.Integer(), primary_key=True))
"""


def head() -> str:
    found = ScriptDirectory.from_config(alembic_config()).get_current_head()
    assert found is not None
    return found


def revision(cluster: Cluster) -> list[str]:
    return [row["version_num"] for row in cluster.rows("SELECT version_num FROM alembic_version")]


@pytest.fixture
def old_database(tmp_path: Path) -> Iterator[Cluster]:
    """The workspace and the database as version 0.1.0 has left them; nothing runs yet."""
    path = tmp_path / "sitrep.db"
    with closing(sqlite3.connect(path)) as connection:
        connection.executescript(WRITTEN_BY_0_1.read_text())
    with Cluster(tmp_path, f"sqlite:///{path}", 0) as cluster:
        workspace = cluster.workspace
        cluster.hands.set((STOPPED_AT - datetime.now(UTC)).total_seconds())
        channel = workspace.add_channel(CHANNEL, members=["sitrep", "alice"])
        rows = cluster.rows("SELECT result FROM deliveries WHERE kind = 'channel'")
        assert channel.id in str(rows[0]["result"])  # ids are counted, so they are the same
        workspace.post(channel.id, "sitrep", "the card").ts = CARD
        workspace.post("incidents", "sitrep", "the announcement").ts = ANNOUNCEMENT
        channel.pins.append(CARD)
        yield cluster


def test_fault_22_what_version_0_1_has_left_open_goes_on_after_the_upgrade(old_database: Cluster) -> None:
    """What was on its way goes out once, timers keep their moments, alerts keep their incident, commands work."""
    cluster, workspace, channel = old_database, old_database.workspace, CHANNEL
    assert revision(cluster) == ["0001"]
    client = cluster.add().client
    assert revision(cluster) == [head()]
    cluster.wait_settled()
    assert len(posted(workspace, channel, "noted: half-way")) == 1
    assert len(posted(workspace, channel, f"Update on {NUMBER}: Postponed for now")) == 1
    assert client.incident(NUMBER)["status"] == "investigating"
    again = client.alertmanager(body(alert("aa"), alert("bb")))
    assert again.json()["outcome"] == f"repeat of {NUMBER}"
    over = client.alertmanager(body(alert("aa", "resolved"), alert("bb", "resolved"), status="resolved"))
    assert over.json()["outcome"] == f"attached to {NUMBER}"
    cluster.wait_settled()
    (card,) = workspace.pinned(channel)
    assert "0 firing, 2 resolved" in str(card.blocks)
    assert "Postponed for now" in str(card.blocks)

    declared = datetime.fromisoformat(client.incident(NUMBER)["declared_at"])
    for minutes, kind, said in ((5, "escalated", "you are paged as"), (12.1, "update_due", "Post an update by")):
        cluster.hands.set((declared + timedelta(minutes=minutes) - datetime.now(UTC)).total_seconds() - 60)
        cluster.wait_settled()
        assert kind not in client.kinds(NUMBER)
        cluster.hands.advance(seconds=61)
        cluster.wait_event(NUMBER, kind)
        cluster.wait_settled()
        assert len(posted(workspace, channel, said)) == 1
    client.slash(f"{NUMBER} resolve All is well", channel=channel)
    assert client.incident(NUMBER)["status"] == "resolved"
    number = declare(client)
    cluster.wait_settled()
    assert sight(client, number) == opened_once(number)
    assert number == NUMBER.replace("001", "002")
    assert doubled(workspace) == []
    assert posted(workspace, "ops-alerts") == []


@pytest.fixture
def next_version(tmp_path: Path) -> Path:
    """The code with one migration more."""
    root = tmp_path / "next"
    for part in ("bot", "handlers", "migrations", "runbooks"):
        shutil.copytree(ROOT / part, root / part)
    (root / "migrations" / "versions" / "next.py").write_text(MIGRATION.format(head=head()))
    return root


@contextmanager
def locked(cluster: Cluster) -> Iterator[Callable[[], int]]:
    """Hold the lock of migrations; gives how many wait for it."""
    engine = connect(cluster.url)
    query = "SELECT count(*) FROM pg_locks WHERE locktype = 'advisory' AND objid = :lock AND NOT granted"
    try:
        with engine.begin() as connection:
            connection.execute(select(func.pg_advisory_xact_lock(LOCK)))
            yield lambda: int(connection.execute(text(query), {"lock": LOCK}).scalar_one())
    finally:
        engine.dispose()


def test_fault_22_old_and_new_replicas_work_side_by_side(postgres: str, tmp_path: Path, next_version: Path) -> None:
    """Three migrate at once under an open incident, an old one goes on and even starts again; each does its share."""
    with cluster_on(postgres, tmp_path / "cluster", 1) as cluster:
        old, opened = cluster[0], {}

        def open_one(replica: Replica, name: str) -> None:
            outcome = replica.client.alertmanager(body(alert(f"aa {name}"), group=name)).json()["outcome"]
            assert outcome.startswith("declared")
            opened[name] = outcome.split()[-1]

        open_one(old, "before")
        cluster.wait_settled()
        new = [cluster.prepare() for _ in range(NEW)]
        with locked(cluster) as waiting:
            for replica in new:
                replica.root = next_version
                replica.launch()
            # All of them want to migrate at the same moment, and the old one works.
            wait_for(lambda: waiting() == NEW, START, "the new ones at the lock")
            open_one(old, "meanwhile")
        for replica in new:
            replica.wait_ready()
        assert revision(cluster) == ["next"]
        cluster.rows("SELECT weather FROM incidents")

        old.restart()
        assert old.logged("schema_is_newer")
        for turn, replica in enumerate([old, *new]):
            open_one(replica, f"after, by {turn}")
        cluster.wait_settled()
        for replica, number in zip([old, *new], opened.values(), strict=False):
            assert sight(replica.client, number) == opened_once(number)
        cluster.hands.advance(minutes=5)
        for number in opened.values():
            cluster.wait_event(number, "escalated")
        cluster.wait_settled()

        # The old one leaves, and the new ones are alone with what it has begun.
        old.terminate()
        old.wait_dead()
        number = opened["before"]
        new[1].client.slash(f"{number} update The upgrade is through")
        new[2].client.slash(f"{number} resolve All is well")
        cluster.wait_settled()
        assert (
            len(
                posted(
                    cluster.workspace, room_of(cluster.workspace, number), f"Update on {number}: The upgrade is through"
                )
            )
            == 1
        )
        assert new[1].client.incident(number)["status"] == "resolved"
        for number in opened.values():
            assert new[2].client.kinds(number).count("escalated") == 1
        assert doubled(cluster.workspace) == []
        assert posted(cluster.workspace, "ops-alerts") == []

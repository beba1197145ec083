"""Fault 13: Slack answers 429, with `Retry-After: 60` and without."""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Iterator, Mapping
from datetime import datetime, timedelta
from pathlib import Path
from typing import Any

import pytest

from bot.sandbox.faults import Fault
from bot.slack.throttles import UNSAID
from bot.store.postgres import is_postgres
from tests.conftest import both_databases, room_of, rooms, wait_for
from tests.crash.world import said
from tests.faults.cluster import Cluster, Replica, doubled
from tests.patience import PATIENCE

CONFIG = """
runbooks: {checklists: false}
ladders:
  default:
    - {after: 0s, name: On-call SRE, slack: [alice@example.com]}
    - {after: 10m, name: SRE Team Lead, slack: [bob@example.com]}
"""


class Limit:
    """A limit of Slack's that the next call meets: it and all others that it covers are refused for a while.

    Attributes:
        attempts: the covered calls within that while, by the replica that made them.
        first: the replica that met it.
    """

    def __init__(
        self, cluster: Cluster, method: str, seconds: float, covers: Callable[[Mapping[str, Any]], bool], *, says: bool
    ) -> None:
        self.attempts: Counter[Replica | None] = Counter()
        self.first: Replica | None = None
        self._cluster, self._seconds, self._covers = cluster, seconds, covers
        self._until: datetime | None = None
        retry_after = int(seconds) if says else None
        fault = Fault(method, "ratelimited", retry_after=retry_after, times=None, where=self._refuses)
        cluster.workspace.faults.add(fault)

    def _refuses(self, args: Mapping[str, Any]) -> bool:
        if not self._covers(args):
            return False
        now, caller = self._cluster.hands.now(), self._cluster.caller()
        if self._until is None:
            self._until, self.first = now + timedelta(seconds=self._seconds), caller
        if now >= self._until:
            return False
        self.attempts[caller] += 1
        return True

    def hold(self) -> None:
        """Hold that no replica has tried more than once while the limit was in force."""
        assert set(self.attempts.values()) == {1}, self.attempts
        assert len(self.attempts) <= len(self._cluster.replicas)

    def wait_met(self) -> None:
        """Wait until the bot has been refused and has said so to all replicas."""
        wait_for(lambda: self.attempts, PATIENCE, "the 429")
        wait_for(lambda: self._cluster.rows("SELECT * FROM throttles"), PATIENCE, "the shared throttle")


@pytest.fixture
def cluster(tmp_path: Path, database_url: str) -> Iterator[Cluster]:
    """Two replicas, or the one process that SQLite takes."""
    replicas = 2 if is_postgres(database_url) else 1
    with Cluster(tmp_path / "cluster", database_url, replicas, config=CONFIG) as made:
        yield made


@both_databases
def test_fault_13_what_is_throttled_waits_and_nothing_else_does(cluster: Cluster) -> None:
    """Late but in order and once each; other channels and methods go on; one attempt a window and replica at most."""
    workspace, hands, ask = cluster.workspace, cluster.hands, cluster[0].client
    slow, room = ask.open_one()
    fast, other = ask.open_one("declare Login is down sev2")
    cluster.wait_settled()
    room_id = workspace.channel(room).id

    def tell(number: str, text: str, by: Replica) -> None:
        assert by.client.slash(f"{number} update {text}").startswith("Posted the update.")

    def shown(place: str) -> list[str]:
        texts = said(workspace, place, "Update on ")
        return [text.partition(": ")[2].removesuffix(".") for text in texts]

    def waiting() -> list[str]:
        """What was put off because of the limit."""
        query = "SELECT kind FROM deliveries WHERE state = 'pending' AND error LIKE 'slack_throttled%'"
        return [row["kind"] for row in cluster.rows(query)]

    # Without the header: for a few seconds nothing more is posted in that channel.
    limit = Limit(cluster, "chat.postMessage", UNSAID, lambda args: args["channel"] == room_id, says=False)
    for count in range(4):
        tell(slow, f"a{count}", cluster[count % len(cluster.replicas)])
    limit.wait_met()
    tell(fast, "meanwhile", cluster[-1])
    ask.slash(f"{slow} status identified")
    wait_for(lambda: shown(other) == ["meanwhile"], PATIENCE, "the other channel")
    wait_for(lambda: "is identified" in workspace.pinned(room)[0].text, PATIENCE, "the card, by another method")
    assert shown(room) == []
    hands.advance(UNSAID * 1.2)
    cluster.wait_settled()
    assert shown(room) == ["a0", "a1", "a2", "a3"]
    limit.hold()
    workspace.faults.clear()

    # With it, and the replica that was refused leaves: the other one knows, and does not try what becomes due.
    due = datetime.fromisoformat(ask.incident(slow)["declared_at"]) + timedelta(minutes=10)
    hands.advance((due - hands.now()).total_seconds() - 40)
    limit = Limit(cluster, "chat.postMessage", 60, lambda args: args["channel"] == room_id, says=True)
    for count in range(4):
        tell(slow, f"b{count}", cluster[count % len(cluster.replicas)])
    limit.wait_met()
    left = cluster[0]
    if len(cluster.replicas) > 1:
        assert limit.first is not None
        limit.first.stop()
        left = cluster.one_that_lives()
    hands.advance(50)
    tell(slow, "b4", left)
    tell(fast, "goes on", left)
    wait_for(lambda: shown(other) == ["meanwhile", "goes on"], PATIENCE, "the other channel")
    wait_for(lambda: said(workspace, other, "you are paged"), PATIENCE, "the page in the other channel")
    left.client.wait_event(slow, "escalated")
    wait_for(lambda: "page" in waiting(), PATIENCE, "the page to be put off")
    assert said(workspace, room, "you are paged") == []
    hands.advance(15)
    cluster.wait_settled()
    assert len(said(workspace, room, "you are paged")) == 1
    assert shown(room)[4:] == ["b0", "b1", "b2", "b3", "b4"]
    limit.hold()
    assert said(workspace, room, "Written at") == []  # a minute is not late


@both_databases
def test_fault_13_a_method_that_is_throttled_waits_in_all_channels(cluster: Cluster) -> None:
    """No channel is opened until Slack allows it; what goes by other methods does, and both are opened once."""
    workspace, hands, ask = cluster.workspace, cluster.hands, cluster[0].client
    number, room = ask.open_one()
    limit = Limit(cluster, "conversations.create", 60, lambda _args: True, says=True)
    for title in ("Login is down", "Search is down", "Mail is down"):
        by = cluster[len(title) % len(cluster.replicas)].client
        by.slash(f"declare {title} sev2")
        limit.wait_met()
    ask.slash(f"{number} update goes on")
    wait_for(lambda: said(workspace, room, "goes on"), PATIENCE, "another method")
    hands.advance(50)
    ask.slash(f"{number} update and on")
    wait_for(lambda: said(workspace, room, "and on"), PATIENCE, "another method")
    assert rooms(workspace) == [room]
    hands.advance(15)
    numbers = cluster.wait_opened(4)
    limit.hold()
    for opened in numbers[1:]:
        assert len(said(workspace, room_of(workspace, opened), "declared:")) == 1
    assert doubled(workspace) == []

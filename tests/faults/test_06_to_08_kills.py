"""Faults 6 to 8: SIGKILL around a call to Slack; on PostgreSQL another replica finishes what was begun."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass, field
from typing import Any

import pytest

from bot.engine.auditor import DELIVERY_STUCK
from bot.sandbox.model import Call
from tests.conftest import number_of, room_of, rooms, wait_for
from tests.crash.world import Side
from tests.faults.cluster import Cluster, Replica, cluster_for, doubled, opened_once, posted, sight
from tests.integration.bodies import alert, body
from tests.patience import PATIENCE, UNFINISHED


@dataclass(frozen=True)
class Blow:
    """At which call something happens to the replica that makes it, or to the workspace."""

    side: Side
    method: str
    of_incident: Callable[[Mapping[str, Any], str], bool]
    kills: bool = True


def creates(args: Mapping[str, Any], number: str) -> bool:
    return number_of(str(args["name"])) == number


def notifies(args: Mapping[str, Any], number: str) -> bool:
    return str(args["text"]).startswith(f"{number} sev2 declared")


BLOWS = {
    "killed before Slack is called": Blow("before", "conversations.create", creates),
    "killed after Slack accepted": Blow("after", "chat.postMessage", notifies),
    "killed after the channel was created": Blow("after", "conversations.create", creates),
    "the call is lost, and somebody takes the name": Blow("before", "conversations.create", creates, kills=False),
}


@dataclass
class Aftermath:
    """What is left after the kills: an incident for each of them."""

    cluster: Cluster
    numbers: dict[str, str] = field(default_factory=dict)

    def strike(self, name: str, blow: Blow) -> None:
        """Open an incident and strike at the call."""
        number = f"INC-{self.cluster.hands.now():%Y%m%d}-{len(self.numbers) + 1:03}"
        struck: list[Mapping[str, Any]] = []

        def meets(args: Mapping[str, Any]) -> bool:
            if met := blow.of_incident(args, number):
                struck.append(args)
            return met

        def act(caller: Replica) -> None:
            if blow.kills:
                caller.end()
            else:
                self.cluster.workspace.add_channel(struck[-1]["name"], members=["alice"])

        snare = self.cluster.snare(act, blow.side, method=blow.method, where=meets)
        client = self.cluster.one_that_lives().client
        answer = client.alertmanager(body(alert(f"aa {name}"), alert(f"bb {name}"), group=name))
        assert answer.status_code == 202, answer.text
        self.numbers[name] = number
        snare.caught()

    def wait(self) -> None:
        """Wait until every incident is open."""

        def look() -> bool:
            unfinished = self.cluster.rows(f"SELECT DISTINCT scope FROM deliveries WHERE {UNFINISHED}")  # noqa: S608 - a constant
            scopes = {row["scope"] for row in unfinished}
            return not scopes & set(self.numbers.values())

        # Nobody but those that live brings this about: the auditor takes a delivery for stuck only after it.
        assert DELIVERY_STUCK.total_seconds() > PATIENCE
        wait_for(look, PATIENCE, "the openings")

    def sight(self, name: str) -> dict[str, Any]:
        """What the workspace shows of an incident."""
        return sight(self.cluster.one_that_lives().client, self.numbers[name])

    def calls(self, name: str, method: str) -> list[Call]:
        """The calls of a method that name the incident's channel."""
        channel = room_of(self.cluster.workspace, self.numbers[name])
        ids = {channel, self.cluster.workspace.channel(channel).id}
        made = [call for call in self.cluster.workspace.calls if call.method == method]
        return [call for call in made if ids & {call.args.get("channel"), call.args.get("name")}]


@pytest.fixture(scope="module", params=["sqlite", "postgres"])
def aftermath(request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Aftermath]:
    """One replica more than are killed; on SQLite the only process is started again after each kill."""
    replicas = 1 + sum(blow.kills for blow in BLOWS.values())
    with cluster_for(request, tmp_path_factory.mktemp("kills"), replicas, turned=False) as cluster:
        made = Aftermath(cluster)
        for name, blow in BLOWS.items():
            made.strike(name, blow)
            if request.param == "sqlite":
                cluster[0].restart()
                made.wait()
        made.wait()
        yield made


def test_fault_06_a_kill_before_slack_is_called_loses_nothing(aftermath: Aftermath) -> None:
    """What was committed is done, once, by whoever lives."""
    name = "killed before Slack is called"
    assert aftermath.sight(name) == opened_once(aftermath.numbers[name])
    assert [call.error for call in aftermath.calls(name, "conversations.create")] == ["drop_before", None]


def test_fault_07_a_kill_after_slack_accepted_posts_nothing_twice(aftermath: Aftermath) -> None:
    """A message whose sender died is found by its metadata: nobody so much as tries to post it again."""
    name = "killed after Slack accepted"
    number = aftermath.numbers[name]
    assert aftermath.sight(name) == opened_once(number)
    assert len(posted(aftermath.cluster.workspace, room_of(aftermath.cluster.workspace, number), "sev2 declared")) == 1
    tried = [c for c in aftermath.calls(name, "chat.postMessage") if notifies(c.args, number)]
    assert len(tried) == 1
    looks = aftermath.calls(name, "conversations.history")
    assert looks
    assert all(look.index > tried[0].index for look in looks)


def test_fault_08_a_kill_after_the_channel_was_created_adopts_it(aftermath: Aftermath) -> None:
    """On the retry Slack says `name_taken`, and the channel is ours: the incident opens in it."""
    name = "killed after the channel was created"
    assert aftermath.sight(name) == opened_once(aftermath.numbers[name])
    assert [call.error for call in aftermath.calls(name, "conversations.create")] == ["drop_after", "name_taken"]


def test_fault_08_a_channel_that_is_not_ours_is_left_alone(aftermath: Aftermath) -> None:
    """Where somebody else has taken the name meanwhile, the incident opens beside it."""
    name = "the call is lost, and somebody takes the name"
    workspace = aftermath.cluster.workspace
    channel, beside = rooms(workspace, aftermath.numbers[name])
    assert workspace.messages(channel) == []
    assert workspace.channel(channel).members == [workspace.user("alice").id]
    assert beside == f"{channel}-2"
    assert len(posted(workspace, beside)) == len(opened_once("")["said in the channel"])
    assert len(workspace.pinned(beside)) == 1
    assert len(posted(workspace, "incidents", aftermath.numbers[name])) == 1
    assert doubled(workspace) == []

"""Two replicas keep one directory: what one of them has asked Slack, the other one knows and does not ask."""

from __future__ import annotations

import asyncio
from collections import Counter
from collections.abc import AsyncIterator
from typing import Any

import pytest

from bot.clock import FileClock
from bot.errors import Retryable
from bot.migrate import migrate
from bot.slack.directory import GROUPS_EVERY, JITTER, Directory
from bot.slack.gateway import Gateway
from bot.slack.throttles import Throttles
from bot.store.database import Database, database_clock, open_store
from tests.conftest import Hands, both_databases

pytestmark = pytest.mark.anyio
WANTED = frozenset({"@sre", "bob@example.com", "U0DANA"})
USERS = {"bob@example.com": "U0BOB", "U0ALICE": "U0ALICE", "U0DANA": "U0DANA"}


class Asked(Gateway):
    """Slack as a table that counts what it was asked; while `down`, it refuses."""

    def __init__(self, asked: Counter[str], clock: FileClock) -> None:
        super().__init__("xoxb-none", "http://127.0.0.1:1/", Throttles(clock))
        self.asked = asked
        self.down = False

    async def call(self, method: str, **args: Any) -> dict[str, Any]:
        self.asked[method] += 1
        await asyncio.sleep(0.01)
        if self.down:
            raise Retryable("slack_throttled", method, after=30)
        if method == "usergroups.list":
            return {"usergroups": [{"id": "S1", "handle": "sre", "users": ["U0ALICE"], "date_delete": 0}]}
        user = USERS[args.get("email") or args["user"]]
        return {"user": {"id": user, "name": user.lower(), "profile": {"display_name": user.title()}}}


class Pair:
    """Two replicas' directories on one database."""

    def __init__(self, url: str, hands: Hands) -> None:
        self.asked: Counter[str] = Counter()
        self.hands = hands
        self.stores: list[Database] = []
        self.gateways: list[Asked] = []
        self.directories: list[Directory] = []
        for _ in range(2):
            clock = FileClock(hands.path)
            store = open_store(url, database_clock(url, clock))
            gateway = Asked(self.asked, clock)
            self.stores.append(store)
            self.gateways.append(gateway)
            self.directories.append(Directory(gateway, store, clock, WANTED))

    async def refresh(self) -> Counter[str]:
        """Let both refresh at the same moment; gives what Slack was asked."""
        self.asked.clear()
        await asyncio.gather(*(directory.refresh() for directory in self.directories))
        return Counter(self.asked)


@pytest.fixture
def anyio_backend() -> str:
    return "asyncio"


@pytest.fixture
async def pair(database_url: str, hands: Hands) -> AsyncIterator[Pair]:
    await asyncio.to_thread(migrate, database_url)
    both = Pair(database_url, hands)
    yield both
    for directory in both.directories:
        await directory.close()
    for store in both.stores:
        await store.close()


@both_databases
async def test_one_of_two_asks_for_a_name(pair: Pair) -> None:
    """Each name is asked for once, the members that a group brings at the next look, and then nothing for minutes."""
    # Whom the group brings is asked for at the next look, which the slower of the two may have begun already.
    first, second = await pair.refresh(), await pair.refresh()
    assert first + second == {"usergroups.list": 1, "users.lookupByEmail": 1, "users.info": 2}  # dana and alice
    assert await pair.refresh() == {}
    for directory in pair.directories:
        found = await directory.resolve(sorted(WANTED))
        assert set(found.users) == {"U0ALICE", "U0BOB", "U0DANA"}
        assert found.notes == ()
    pair.hands.advance(GROUPS_EVERY.total_seconds() * (1 + JITTER))
    await asyncio.sleep(0.03)  # until the clocks have seen it
    assert await pair.refresh() == {"usergroups.list": 1}


@both_databases
async def test_a_refresh_that_fails_keeps_the_answer_and_asks_again_later(pair: Pair) -> None:
    """Slack limits: the last answer stays, nobody asks again at once, and a minute later somebody does."""
    await pair.refresh()
    await pair.refresh()
    for gateway in pair.gateways:
        gateway.down = True
    pair.hands.advance(GROUPS_EVERY.total_seconds() * (1 + JITTER))
    await asyncio.sleep(0.03)
    assert await pair.refresh() == {"usergroups.list": 1}
    assert await pair.refresh() == {}
    assert (await pair.directories[0].resolve(["@sre"])).users == ("U0ALICE",)
    for gateway in pair.gateways:
        gateway.down = False
    pair.hands.advance(80)
    await asyncio.sleep(0.03)
    assert await pair.refresh() == {"usergroups.list": 1}


async def test_many_that_ask_for_an_unknown_name_ask_once(pair: Pair) -> None:
    """Twelve pages at once that meet a name nobody knows yet share one look-up, and one for whom a group brings."""
    directory = pair.directories[0]
    found = await asyncio.gather(*(directory.resolve(["@sre", "bob@example.com"]) for _ in range(12)))
    assert {each.users for each in found} == {("U0ALICE", "U0BOB")}
    assert pair.asked == {"usergroups.list": 1, "users.lookupByEmail": 1, "users.info": 1}

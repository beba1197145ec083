"""Soaks: many incidents, Slack at its worst, processes that die; afterwards everything is there, once."""

from __future__ import annotations

import json
import random
import threading
import time
from collections import Counter
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from tests.faults.cluster import Cluster
from tests.soak.outside import Life, Outside, Reaper, Weather
from tests.soak.scenario import SHORT, Size, Verb, chosen_seed, full, stories
from tests.soak.verdict import Verdict, by_number, complete, rooms

SETTLE = 150.0  # seconds
QUIET = 1.5  # seconds in which a second copy of something would show itself

RECOVERED_TWICE = 'Job was not found or not in "doing"'

Show = Callable[[str], None]


@pytest.fixture
def show(capsys: pytest.CaptureFixture[str]) -> Show:
    """Print past pytest, so that a soak that goes well says what it has seen, too."""

    def say(text: str) -> None:
        with capsys.disabled():
            print(text, flush=True)  # noqa: T201 - what the soak is run for

    return say


@pytest.mark.timing
@pytest.mark.timeout(600)
def test_three_replicas_lose_and_double_nothing_in_a_short_soak(postgres_url: str, tmp_path: Path) -> None:
    """Replicas that die one after the other under load leave everything in the workspace, once."""
    soak(SHORT, Cluster(tmp_path, postgres_url, 3, config=SHORT.config, turned=False), print)


@pytest.mark.timing
@pytest.mark.timeout(600)
def test_one_process_loses_and_doubles_nothing_in_a_short_soak(tmp_path: Path) -> None:
    """So does the one process on SQLite that dies and starts again."""
    soak(SHORT, Cluster(tmp_path, f"sqlite:///{tmp_path / 'sitrep.db'}", 1, config=SHORT.config, turned=False), print)


@pytest.mark.soak
@pytest.mark.timeout(1800)
def test_three_replicas_lose_and_double_nothing(postgres_url: str, tmp_path: Path, show: Show) -> None:
    """As in the short soak, with 200 incidents and for a minute."""
    size = full()
    soak(size, Cluster(tmp_path, postgres_url, 3, config=size.config, turned=False), show)


@pytest.mark.soak
@pytest.mark.timeout(1800)
def test_one_process_loses_and_doubles_nothing(tmp_path: Path, show: Show) -> None:
    """As in the short soak, with 200 incidents and for a minute."""
    size = full()
    soak(size, Cluster(tmp_path, f"sqlite:///{tmp_path / 'sitrep.db'}", 1, config=size.config, turned=False), show)


def soak(size: Size, cluster: Cluster, show: Show) -> None:
    """Let everything happen, wait until it has settled, and look whether all is there once."""
    seed = chosen_seed()
    dice = random.Random(seed)
    kind = "PostgreSQL" if cluster.url.startswith("postgres") else "SQLite"
    show(f"\nsoak on {kind}, {size.incidents} incidents in {size.seconds:g} s: SITREP_SOAK_SEED={seed}")
    plans = stories(size, dice)
    with cluster:
        began = time.monotonic()
        weather = Weather(cluster.workspace, random.Random(dice.random()))
        reaper = Reaper(cluster, size.kill_every, random.Random(dice.random()))
        outside = Outside(reaper.pick)
        weather.begin()
        reaper.begin()
        ending = threading.Timer(2 * size.seconds, reaper.end)  # however slowly the stories go on
        ending.start()
        outside.live(plans)
        time.sleep(max(size.seconds - (time.monotonic() - began), 0))
        ending.cancel()
        reaper.end()
        loaded = time.monotonic() - began
        awaited: list[Life] = []
        unsettled = list(await_all(cluster, outside, awaited))
        weather.clear()
        calm = time.time()
        unsettled += end_all(cluster, outside)
        verdict = Verdict(size, cluster.workspace, outside.lives, calm, awaited)
        took = time.monotonic() - began
        calls, failed = len(cluster.workspace.calls), weather.hits
        show(
            f"{kind}: {len(outside.lives)} incidents, {reaper.kills} kills, {loaded:.0f} s of load, "
            f"at rest after {took:.0f} s; {calls} calls to Slack, of which {sum(failed.values())} failed: {failed}; "
            f"messages: {dict(verdict.counted.most_common())}"
        )
        problems = [*reaper.problems, *outside.problems, *verdict.problems, *unsettled, *trouble(cluster)]
        assert not problems, f"seed {seed}, {len(problems)} deviations:\n" + "\n".join(problems)


def await_all(cluster: Cluster, outside: Outside, awaited: list[Life]) -> Iterator[str]:
    """Wait until what was due has happened, in bad weather still; gives what never came.

    `awaited` takes the incidents that nobody has answered.
    """

    def opened() -> bool:
        count = cluster.rows("SELECT count(*) AS n FROM incidents")[0]["n"]
        return sum(bool(room.of("card")) for room in rooms(cluster.workspace).values()) >= int(count)

    if not eventually(opened):
        yield "some channels did not open"
    known = {life.number for life in outside.lives}
    for number, room in by_number(rooms(cluster.workspace)).items():
        if number not in known and (cards := room.of("card")):
            outside.adopt(number, cards[0].text)
    awaited += [life for life in outside.lives if not life.of(Verb.ACK, Verb.UPDATE, Verb.RESOLVE)]

    def paged() -> bool:
        seen = by_number(rooms(cluster.workspace))
        return all(complete(seen.get(life.number)) for life in awaited)

    if not eventually(paged):
        yield "some levels were not paged"


def end_all(cluster: Cluster, outside: Outside) -> Iterator[str]:
    """End what is still open, and wait until nothing moves any more; gives what does."""
    still_open = [life for life in outside.lives if not life.ended]
    outside.all_do([(life, Verb.PAUSE if life.story.left_open else Verb.RESOLVE) for life in still_open])
    if not eventually(lambda: at_rest(cluster)):
        yield "some deliveries did not end"
    time.sleep(QUIET)


def at_rest(cluster: Cluster) -> bool:
    """Whether nothing is left to send and no timer is to fire. Only tells when to look: what is seen is Slack."""
    armed = "SELECT count(*) AS n FROM timers WHERE state = 'armed' AND kind <> 'cadence_resume'"
    return cluster.settled() and cluster.rows(armed)[0]["n"] == 0


def eventually(condition: Callable[[], bool]) -> bool:
    """Wait until it is so; False when it never is. Looks seldom, for each look costs the replicas time."""
    end = time.monotonic() + SETTLE
    while not condition():
        if time.monotonic() > end:
            return False
        time.sleep(0.3)
    return True


def trouble(cluster: Cluster) -> Iterator[str]:
    """Give the defects that the replicas have logged, each once with how often."""
    seen = Counter[str]()
    for replica in cluster.replicas:
        for line in replica.log.read_text().splitlines():
            try:
                entry = json.loads(line)
            except ValueError:  # a process that was killed has not written it to its end
                continue
            # Two replicas that recover one job at the same moment wake for it twice, which changes nothing.
            if RECOVERED_TWICE in str(entry.get("exception")):
                continue
            if "exception" in entry or entry["event"] in {"delivery_broken", "delivery_failed"}:
                last = str(entry.get("exception") or entry.get("reason")).strip().splitlines()[-1]
                seen[f"{str(entry['event']).splitlines()[0][:120]}: {last[:300]}"] += 1
    yield from (f"logged {count} times: {what}" for what, count in seen.items())

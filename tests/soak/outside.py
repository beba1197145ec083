"""The outside: people who type again what got no answer, Alertmanager that sends again, Slack in bad weather.

What they did and when is written down as they know it, for the check afterwards.
"""

from __future__ import annotations

import random
import threading
import time
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, field
from typing import Any

import httpx

from bot.sandbox.faults import Fault, Kind
from bot.sandbox.workspace import Workspace
from tests.faults.cluster import Cluster, Replica
from tests.integration.bodies import alert, body
from tests.soak.scenario import Act, Story, Verb

ATTEMPTS_FOR = 90.0  # seconds in which an answer must come at last
COMMITTED_WITHIN = 15.0  # seconds after which a transaction without an answer is committed or is not

# What tells that it is done; and what tells that an attempt before, whose answer was lost, has done it.
DONE = {
    Verb.ACK: "Acknowledged INC",
    Verb.NOTE: "Added to the timeline",
    Verb.UPDATE: "Posted the update",
    Verb.LEAD: " leads INC",
    Verb.STATUS: " is identified",
    Verb.PAUSE: "Paused updates until",
    Verb.RESOLVE: "Resolved INC",
}
DONE_BEFORE = {
    Verb.ACK: "the ladder is stopped",
    Verb.LEAD: "already has this role",
    Verb.STATUS: "is already identified",
    Verb.RESOLVE: "is already resolved",
}
AWAY = "The database did not answer in time"

# Of a hundred calls to Slack, how many each kind harms.
WEATHER: dict[Kind, tuple[float, dict[str, Any]]] = {
    "ratelimited": (3, {"retry_after": 1}),
    "http500": (3, {}),
    "html": (1, {}),
    "error": (1, {"error": "internal_error"}),
    "refuse": (1, {}),
    "drop_before": (2, {}),
    "drop_after": (5, {}),
    "hang": (0.2, {"seconds": 12.0}),
}


@dataclass(slots=True)
class Span:
    """When something took effect: not before `low`, not after `high`; epoch seconds."""

    low: float
    high: float

    def plus(self, seconds: float) -> Span:
        """The same so many seconds later."""
        return Span(self.low + seconds, self.high + seconds)


@dataclass(slots=True)
class Deed:
    """What somebody did, from the first attempt to the answer that says so; `lost` attempts had no answer."""

    verb: Verb
    user: str
    text: str
    span: Span
    lost: int


@dataclass(slots=True)
class Life:
    """An incident as the outside knows it."""

    story: Story
    number: str
    declared: Span
    lost_in: Span | None = None  # when attempts to declare it had no answer; each may have opened one more
    lost: int = 0
    deeds: list[Deed] = field(default_factory=list)

    def of(self, *verbs: Verb) -> list[Deed]:
        """What was done of these kinds, in order."""
        return [deed for deed in self.deeds if deed.verb in verbs]

    @property
    def ended(self) -> Deed | None:
        """Its resolution."""
        return next(iter(self.of(Verb.RESOLVE)), None)


class Weather:
    """Slack at its worst: some of its calls fail at random."""

    def __init__(self, workspace: Workspace, dice: random.Random) -> None:
        self._workspace = workspace
        self._faults = [
            Fault("*", kind, times=None, where=lambda _args, p=percent: dice.random() * 100 < p, **options)
            for kind, (percent, options) in WEATHER.items()
        ]

    def begin(self) -> None:
        """From now on calls fail."""
        self._workspace.faults.extend(self._faults)

    def clear(self) -> None:
        """From now on none does."""
        for fault in self._faults:
            self._workspace.faults.remove(fault)

    @property
    def hits(self) -> dict[str, int]:
        """How many calls each kind has harmed."""
        return {fault.kind: fault.hits for fault in self._faults}


class Reaper:
    """Kills one of the replicas every few seconds, starts it again, and knows which of them serve."""

    def __init__(self, cluster: Cluster, every: float, dice: random.Random) -> None:
        self.kills = 0
        self.problems: list[str] = []
        self._cluster = cluster
        self._every = every
        self._dice = dice
        self._serving = set(range(len(cluster.replicas)))
        self._over = threading.Event()
        self._starters: list[threading.Thread] = []
        self._thread = threading.Thread(target=self._run, name="reaper")

    def begin(self) -> None:
        """Begin to kill."""
        self._thread.start()

    def end(self) -> None:
        """Kill no more, and wait until every replica serves."""
        self._over.set()
        self._thread.join()
        for starter in self._starters:
            starter.join()

    def pick(self) -> Replica:
        """Give one that serves, as a load balancer does; any where none is known to."""
        known = list(self._serving) or range(len(self._cluster.replicas))
        return self._cluster[random.choice(known)]

    def _run(self) -> None:
        enough = len(self._cluster.replicas) // 2
        while not self._over.is_set():
            if len(self._serving) <= enough:  # a slow machine needs a while to start them
                time.sleep(0.05)
                continue
            if self._over.wait(self._every * self._dice.uniform(0.7, 1.3)):
                break
            victim = self._cluster[self._dice.choice(sorted(self._serving))]
            self._serving.discard(victim.index)
            if not victim.lives:
                self.problems.append(f"{victim} has died by itself")
            victim.end()
            self.kills += 1
            starter = threading.Thread(target=self._start, args=(victim, self._dice.uniform(0, 0.5)))
            self._starters.append(starter)
            starter.start()

    def _start(self, replica: Replica, wait: float) -> None:
        time.sleep(wait)
        replica.launch()
        try:
            replica.wait_ready()
        except AssertionError as error:
            self.problems.append(f"{replica} did not start: {str(error)[-2000:]}")
        else:
            self._serving.add(replica.index)


class Outside:
    """People and Alertmanagers, an incident a thread."""

    def __init__(self, pick: Callable[[], Replica]) -> None:
        self.lives: list[Life] = []
        self.problems: list[str] = []
        self._pick = pick

    def live(self, plans: list[Story]) -> None:
        """Live through the stories; returns at the end of the last."""
        began = time.monotonic()
        with ThreadPoolExecutor(len(plans)) as pool:
            for done in [pool.submit(self._live, story, began) for story in plans]:
                done.result()

    def all_do(self, wanted: list[tuple[Life, Verb]]) -> None:
        """Have one thing done to each of several incidents."""
        with ThreadPoolExecutor(16) as pool:
            for done in [pool.submit(self.do, life, Act(0, verb)) for life, verb in wanted]:
                done.result()

    def adopt(self, number: str, title: str) -> None:
        """Take notice of an incident that nobody has heard of: a declaration opened it whose answer was lost."""
        for life in self.lives:
            if life.story.mark in title and life.lost_in is not None:
                self.lives.append(Life(life.story, number, life.lost_in))
                break

    def _live(self, story: Story, began: float) -> None:
        time.sleep(max(story.at - (time.monotonic() - began), 0))
        life = self._fire(story) if story.by_webhook else self._declare(story)
        if life is not None:
            self.lives.append(life)
            for act in story.acts:
                time.sleep(act.wait)
                self.do(life, act)

    # -- Alertmanager -----------------------------------------------------------------------------------------

    def _fire(self, story: Story) -> Life | None:
        began = time.time()
        with ThreadPoolExecutor(2) as peers:
            sent = [peers.submit(self._send, story) for _ in range(2 if story.peers else 1)]
        said = [one.result() for one in sent]
        numbers = {word for outcome in said for word in outcome.split() if word.startswith("INC-")}
        if len(numbers) != 1:
            self.problems.append(f"{story.mark}: Alertmanager was told {said}")
            return None
        return Life(story, numbers.pop(), Span(began, time.time()))

    def _send(self, story: Story) -> str:
        """Send a notification until it is taken in, as Alertmanager does; gives what became of it."""
        labels = {"alertname": "HighErrorRate", "severity": "critical", "service": story.mark}
        firing = body(alert(story.mark, labels=labels), group=f'{{}}:{{service="{story.mark}"}}')
        end = time.monotonic() + ATTEMPTS_FOR
        while time.monotonic() < end:
            try:
                answer = self._pick().client.alertmanager(firing)
            except httpx.TransportError:
                pass
            else:
                if answer.status_code == 202:
                    return str(answer.json()["outcome"])
                if answer.status_code < 500:
                    return f"{answer.status_code} {answer.text}"
            time.sleep(random.uniform(0.3, 1.0))
        return "nothing"

    # -- people -----------------------------------------------------------------------------------------------

    def _declare(self, story: Story) -> Life | None:
        began, lost = time.time(), 0
        end = time.monotonic() + ATTEMPTS_FOR
        while time.monotonic() < end:
            asked = time.time()
            said = self._type("alice", f"declare {story.mark} is down sev2")
            number = next((word for word in (said or "").split() if word.startswith("INC-")), "")
            if number:
                before = Span(began, asked + COMMITTED_WITHIN)
                return Life(story, number, Span(asked, time.time()), before if lost else None, lost)
            lost += 1
        self.problems.append(f"{story.mark}: nobody could declare it")
        return None

    def do(self, life: Life, act: Act) -> None:
        """Do something until an answer says that it is done."""
        if act.verb is Verb.REPEAT:
            self._send(life.story)
            return
        text = {
            Verb.NOTE: f"{life.story.mark} noted {len(life.deeds)}",
            Verb.UPDATE: f"{life.story.mark} updated {len(life.deeds)}",
            Verb.STATUS: "identified",
            Verb.PAUSE: "24h",
            Verb.RESOLVE: f"{life.story.mark} mended",
        }.get(act.verb, "")
        began, lost = time.time(), 0
        end = time.monotonic() + ATTEMPTS_FOR
        while time.monotonic() < end:
            said = self._type(act.user, f"{life.number} {act.verb} {text}".strip())
            if said is not None and (DONE[act.verb] in said or (lost and DONE_BEFORE.get(act.verb, "?!") in said)):
                life.deeds.append(Deed(act.verb, act.user, text, Span(began, time.time()), lost))
                return
            if said is not None:
                self.problems.append(f"{life.number} {act.verb}: was told {said!r}")
                return
            lost += 1
        self.problems.append(f"{life.number} {act.verb}: never answered")

    def _type(self, user: str, text: str) -> str | None:
        """Type a command; None where no answer came that says what became of it."""
        reply = self._pick().client.people.slash(user, "general", text)
        said = str(reply.json.get("text", ""))
        if reply.ok and not said.startswith(AWAY):
            return said
        time.sleep(random.uniform(0.3, 1.0))
        return None

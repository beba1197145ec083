"""The scenes: each starts the service on a database of its own and measures some rows of the table."""

from __future__ import annotations

import os
import subprocess
import sys
import time
from collections.abc import Callable, Mapping
from datetime import UTC, datetime, timedelta
from functools import partial
from pathlib import Path
from statistics import median
from typing import Any

import httpx
from sqlalchemy import Engine, and_, func, select

from bot.store.tables import events, timers
from bot.timeline.export import FORMATS
from tests.bench import lives
from tests.bench.bodies import CRITICAL, INFO, numbered
from tests.bench.stage import CONNECTIONS, Stage, flood_spec, load, reference
from tests.conftest import API_TOKEN, ROOT, wait_for

Figures = dict[str, float]

LATENCY = 0.1  # seconds a call to Slack
A_SECOND = 50  # timers due each second
SECONDS = 10
AT_ONCE = 1_000  # timers due at one moment
ARMED = 10_000
START_WITHIN = 8.0  # seconds
INCIDENTS = 1_000
EVENTS = 10_000


def references(folder: Path, runs: int, scale: float) -> Figures:
    """What the machine can do: a handler that does nothing, and one whose only work is to commit one row in a group."""
    figures = {}
    with reference(folder) as port:
        for name in ("bare", "commit"):
            spec = flood_spec(port, f"/{name}", numbered(CRITICAL, 0), groups=1, seconds=3 * scale)
            figures[name] = median(accepted(load(spec)) for _ in range(runs))
    return figures


def accepted(answer: Mapping[str, Any]) -> float:
    """Give the rate at which a flood was answered 202; under too much of it 503 is right, and does not count."""
    statuses = dict(answer["statuses"])
    assert set(statuses) <= {"202", "503"}, answer
    return float(statuses.get("202", 0) / answer["seconds"])


def start(stage: Stage) -> Figures:
    """From the start of the process to the first 200 of /readyz."""
    return {"start": stage.start()}


def idle(stage: Stage) -> Figures:
    """What it takes while nothing happens."""
    stage.start()
    time.sleep(2)
    span = 10 * stage.scale
    begun, used = time.monotonic(), cpu_seconds(stage.pid)
    time.sleep(span)
    share = (cpu_seconds(stage.pid) - used) / (time.monotonic() - begun)
    return {"idle_memory": megabytes(stage.pid), "idle_cpu": 100 * share}


def ingest(stage: Stage) -> Figures:
    """Webhooks answered after their commit: repeats of open groups, new groups to record, new groups to declare."""
    stage.start()
    for first in range(0, CONNECTIONS, 8):
        stage.webhook(*(numbered(CRITICAL, number) for number in range(first, first + 8)))
    stage.slack.wait_quiet()
    figures = {}
    for name, body, groups in (("repeats", CRITICAL, CONNECTIONS), ("new_groups", INFO, 0)):
        figures[name] = accepted(stage.flood(body, groups=groups))
    # Last, because each of these goes on to be opened; the others are measured without that.
    figures["new_incidents"] = accepted(stage.flood(CRITICAL, seconds=2))
    return figures


def opening(stage: Stage) -> Figures:
    """From the alert to the card and the first level's invitation in the workspace."""
    stage.start()
    figures = {}
    number = 0
    for latency in (0.0, LATENCY):
        stage.slack.latency(latency)
        took = []
        for _ in range(max(2, round(10 * stage.scale))):
            number += 1
            sent = stage.webhook(numbered(CRITICAL, number))
            took.append(stage.wait_ready(number, 20) - sent)
            stage.slack.wait_quiet()
        figures[f"ready_{latency * 1000:.0f}"] = 1000 * median(took)
    return figures


def bursts(stage: Stage) -> Figures:
    """Declarations all at once, a few before them: how soon they are answered, how soon their channels are ready."""
    stage.start()
    stage.slack.latency(LATENCY)
    figures = {}
    declared = 0
    for size in (10, 50, 200):
        count = max(2, round(size * stage.scale))
        begun, answers, last = stage.declare(count)
        declared += count
        ready = stage.wait_ready(declared, 120)
        stage.slack.wait_quiet()
        figures[f"burst_{size}_acknowledged"] = count / (last - begun)
        figures[f"burst_{size}_ready"] = count / (ready - begun)
        figures[f"burst_{size}_p99"] = 1000 * answers[min(count - 1, int(count * 0.99))]
        figures[f"burst_{size}_slowest"] = 1000 * answers[-1]
    return figures


def memory(stage: Stage) -> Figures:
    """What it holds once it has opened many incidents."""
    stage.start()
    declared, wanted = 0, round(INCIDENTS * stage.scale)
    while declared < wanted:
        count = min(wanted - declared, 50)
        stage.declare(count)
        declared += count
        stage.wait_ready(declared, 60)
    stage.slack.wait_quiet()
    return {"memory_after": megabytes(stage.pid)}


def timed(stage: Stage) -> Figures:
    """Timers that fall due one after the other, and many at one moment, each with its message in Slack."""
    steady, at_once = round(A_SECOND * SECONDS * stage.scale), round(AT_ONCE * stage.scale)
    incidents = max(round(ARMED * stage.scale) // 4, steady + at_once)
    stage.slack.latency(LATENCY)
    channels = stage.slack.channels([f"armed-{n}" for n in range(incidents)])
    stage.fill(lambda connection: lives.armed(connection, incidents, channels))
    first = datetime.now(UTC) + timedelta(seconds=START_WITHIN)
    together = first + timedelta(seconds=steady / A_SECOND + 3)
    dues = [first + timedelta(seconds=n / A_SECOND) for n in range(steady)] + [together] * at_once
    stage.fill(lambda connection: lives.fall_due(connection, dues))
    stage.databases.wake(stage.url)
    stage.start()
    assert datetime.now(UTC) < first, "the service was not ready in time"
    engine = stage.reader()
    wait_for(lambda: fired(engine) == len(dues), (together - datetime.now(UTC)).total_seconds() + 60, "the timers")
    stage.slack.wait_quiet()
    with engine.connect() as connection:
        query = select(events.c.recorded_at, timers.c.due_at).join_from(events, timers, FIRED)
        rows = connection.execute(query.where(events.c.kind == "update_due")).all()
    engine.dispose()
    assert len(rows) == len(dues), "each timer fires once"
    lags = sorted((at - due).total_seconds() for at, due in rows if due < together - timedelta(seconds=1))
    burst = max((at - due).total_seconds() for at, due in rows if due >= together - timedelta(seconds=1))
    return {
        "lag_p50": 1000 * median(lags),
        "lag_p99": 1000 * lags[int(len(lags) * 0.99)],
        "timers": at_once / burst,
    }


FIRED = and_(
    timers.c.incident_id == events.c.incident_id, timers.c.kind == "update_reminder", timers.c.state == "fired"
)


def fired(engine: Engine) -> int:
    with engine.connect() as connection:
        return int(connection.execute(select(func.count()).where(timers.c.state == "fired")).scalar_one())


def export(stage: Stage) -> Figures:
    """A long timeline, over HTTP and from the command line."""
    number = stage.fill(lambda connection: lives.long_one(connection, round(EVENTS * stage.scale)))
    stage.start()
    environ = {**os.environ, **stage.service.environ}
    figures = {}
    with httpx.Client(base_url=stage.service.url, headers={"authorization": f"Bearer {API_TOKEN}"}) as client:
        for fmt in FORMATS:
            address = f"/api/v1/incidents/{number}/timeline?format={fmt}"
            command = [sys.executable, "-m", "bot", "export", number, "--format", fmt]
            over_http = partial(_get, client, address)
            by_command = partial(subprocess.check_output, command, cwd=ROOT, env=environ)
            figures[f"export_{fmt}"] = took(over_http)
            figures[f"export_{fmt}_cli"] = took(by_command)
    return figures


def _get(client: httpx.Client, address: str) -> None:
    client.get(address, timeout=60).raise_for_status()


def took(work: Callable[[], object]) -> float:
    """Give the seconds that something takes."""
    begun = time.monotonic()
    work()
    return time.monotonic() - begun


def megabytes(pid: int) -> float:
    """The memory that a process holds (resident, in 1,000,000 bytes)."""
    (line,) = [line for line in Path(f"/proc/{pid}/status").read_text().splitlines() if line.startswith("VmRSS")]
    return int(line.split()[1]) * 1024 / 1e6


def cpu_seconds(pid: int) -> float:
    """The processor time that a process has used."""
    fields = Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()
    return (int(fields[11]) + int(fields[12])) / os.sysconf("SC_CLK_TCK")


SCENES: Mapping[str, Callable[[Stage], Figures]] = {
    "ingest": ingest,
    "opening": opening,
    "bursts": bursts,
    "memory": memory,
    "timers": timed,
    "idle": idle,
    "start": start,
    "export": export,
}
ONCE = frozenset({"memory"})

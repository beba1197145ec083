"""The demo's parts: sample alerts, the test clock, and the whole with a stand-in for the bot."""

import json
import re
import signal
import subprocess
import sys
import time
from datetime import UTC, datetime
from pathlib import Path

import httpx
import pytest

from bot.sandbox import demo
from bot.sandbox.faults import Fault, FaultRegistry
from bot.sandbox.samples import SAMPLES, Sample, fingerprint, storm
from tests.sandbox.standin import StandIn

STARTED = datetime(2026, 11, 21, 6, 55, 43, tzinfo=UTC)
ROOT = Path(__file__).parents[2]

# what `python -m bot serve` is to the demo: ready, and it writes down the alerts that it gets
FAKE_BOT = """
import os, pathlib, uvicorn
from starlette.applications import Starlette
from starlette.responses import Response
from starlette.routing import Route
async def ready(request):
    return Response()
async def alert(request):
    assert request.headers["authorization"] == "Bearer " + os.environ["ALERTMANAGER_WEBHOOK_TOKEN"]
    pathlib.Path(os.environ["FAKE_BOT_OUT"]).write_bytes(await request.body())
    return Response(status_code=202)
routes = [Route("/readyz", ready), Route("/webhooks/alertmanager", alert, methods=["POST"])]
uvicorn.run(Starlette(routes=routes), port=int(os.environ["SITREP_PORT"]), log_level="warning")
"""

RUN_DEMO = "import sys; from bot.sandbox import demo; sys.exit(demo.run(command=[sys.executable, '-c', sys.argv[1]]))"


def test_fingerprints_are_alertmanagers() -> None:
    """A fingerprint equals the one that a real Alertmanager gave to the same labels."""
    labels = {"alertname": "HighErrorRate", "cluster": "eu1", "instance": "a:9090"}
    assert fingerprint(labels | {"service": "checkout", "severity": "critical"}) == "caae61f849f563be"


@pytest.mark.parametrize("sample", [*SAMPLES, storm(1)[0], storm(2)[-1]], ids=lambda s: f"{s.name}-{s.service}")
def test_a_sample_resolves_the_group_that_it_fired(sample: Sample) -> None:
    """Firing and resolved bodies are of one group and the same alerts, with Alertmanager's zero end while firing."""
    fired, ended = sample.body(STARTED), sample.body(STARTED, resolved=datetime(2026, 11, 21, 7, tzinfo=UTC))
    assert (fired["status"], ended["status"]) == ("firing", "resolved")
    assert fired["groupKey"] == ended["groupKey"]
    assert [a["fingerprint"] for a in fired["alerts"]] == [a["fingerprint"] for a in ended["alerts"]]
    assert {a["endsAt"] for a in fired["alerts"]} == {"0001-01-01T00:00:00Z"}
    assert {a["endsAt"] for a in ended["alerts"]} == {"2026-11-21T07:00:00.000Z"}


def test_the_clock_goes_in_small_steps(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Five minutes pass in steps of 15 s, each of them in the file for the bot to read."""
    seen: list[float] = []
    clock = demo.TestClock(tmp_path / "clock")
    monkeypatch.setattr(time, "sleep", lambda _: seen.append(float(clock.path.read_text())))
    clock.advance(300)
    assert seen == [15.0 * n for n in range(1, 21)]
    assert clock.now() - time.time() == pytest.approx(300, abs=1)


def test_the_toolbar_posts_to_the_real_webhook(tmp_path: Path, shared_bot: StandIn) -> None:
    """Fire and resolve reach the webhook with the token; what fires can be seen."""
    shared_bot.reset()
    toolbar = demo.DemoToolbar(demo.TestClock(tmp_path / "clock"), shared_bot.url, "secret")
    toolbar.fire("HighLatency")
    assert [s["name"] for s in toolbar.describe()["samples"] if s["firing"]] == ["HighLatency"]
    toolbar.resolve("HighLatency")
    assert [b["status"] for b in shared_bot.received] == ["firing", "resolved"]
    assert shared_bot.received[0]["alerts"][0]["startsAt"] == shared_bot.received[1]["alerts"][0]["startsAt"]
    assert shared_bot.headers[0]["authorization"] == "Bearer secret"
    with pytest.raises(ValueError, match="cannot be reached"):
        demo.DemoToolbar(demo.TestClock(tmp_path / "clock"), "http://127.0.0.1:9", "x").fire("HighLatency")


def test_a_storm_is_many_groups_of_one_cluster(tmp_path: Path, shared_bot: StandIn) -> None:
    """Tens of groups, each of its own; resolved, they are the same ones; the next storm is another cluster's."""
    shared_bot.reset()
    toolbar = demo.DemoToolbar(demo.TestClock(tmp_path / "clock"), shared_bot.url, "secret")
    with pytest.raises(ValueError, match="No storm is firing"):
        toolbar.storm(resolved=True)
    assert toolbar.storm(resolved=False) == "Sent 40 alert groups, firing."
    assert toolbar.describe()["storm"] == 40
    toolbar.storm(resolved=True)
    assert toolbar.describe()["storm"] == 0
    toolbar.storm(resolved=False)
    first, ended, second = (shared_bot.received[i : i + 40] for i in (0, 40, 80))
    keys = [{body["groupKey"] for body in part} for part in (first, ended, second)]
    assert len(keys[0]) == 40
    assert keys[0] == keys[1]
    assert not keys[0] & keys[2]
    assert {body["commonLabels"]["cluster"] for body in first} == {"eu1"}
    assert {body["status"] for body in ended} == {"resolved"}


def test_an_outage_goes_on_until_it_is_switched_off(tmp_path: Path) -> None:
    """Every call fails meanwhile, however many; other faults stay as they were."""
    faults = FaultRegistry()
    faults.add(mine := Fault("chat.update", "error", after=10))
    toolbar = demo.DemoToolbar(demo.TestClock(tmp_path / "clock"), "http://127.0.0.1:9", "x", faults)
    for _ in range(2):  # switched on twice, it is one outage
        assert toolbar.outage(on=True) == "Slack is down for the bot."
    assert toolbar.describe()["outage"] is True
    assert [faults.take(method, {}).kind for method in ("auth.test", "chat.postMessage", "files.upload")] == [
        "html"
    ] * 3
    for _ in range(2):
        toolbar.outage(on=False)
    assert (toolbar.describe()["outage"], list(faults)) == (False, [mine])
    with pytest.raises(LookupError):
        demo.DemoToolbar(demo.TestClock(tmp_path / "clock"), "http://127.0.0.1:9", "x").outage(on=True)


def shell_reads(file: Path) -> dict[str, str]:
    """Give what a shell has in its environment after it has read a file."""
    script = '. "$1" && env -0'
    done = subprocess.run(["sh", "-c", script, "sh", file], capture_output=True, text=True, env={}, check=True)
    return dict(entry.split("=", 1) for entry in done.stdout.split("\0") if entry)


def test_the_demo_says_where_it_is_and_ends_cleanly(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """The demo fires one alert, prints an address that works and how other commands reach it, and ends upon SIGINT."""
    monkeypatch.setenv("FAKE_BOT_OUT", str(tmp_path / "alert.json"))
    monkeypatch.setenv("TMPDIR", str(tmp_path))
    command = [sys.executable, "-c", RUN_DEMO, FAKE_BOT]
    with subprocess.Popen(command, cwd=ROOT, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True) as process:
        assert process.stdout is not None
        line = process.stdout.readline()
        found = re.fullmatch(r"Sitrep demo: open (http://127\.0\.0\.1:\d+/) \(Ctrl-C ends it\)\n", line)
        assert found, line + (process.stderr.read() if process.stderr and not line else "")
        assert process.stderr is not None
        assert process.stderr.readline().endswith("paste this into another terminal:\n")
        shared = re.fullmatch(r"  \. (\S+) && (\S+) outbox list\n", process.stderr.readline())
        url = re.search(r": export SITREP_DATABASE_URL=(sqlite:///\S+/sitrep\.db)\n", process.stderr.readline())
        assert shared
        assert url
        told = shell_reads(Path(shared[1]))
        assert told["SITREP_DATABASE_URL"] == url[1]
        assert {"SITREP_CONFIG", "SITREP_TEST_CLOCK", "SLACK_API_URL", "SLACK_BOT_TOKEN"} <= told.keys()
        assert Path(shared[1]).parent.stat().st_mode & 0o077 == 0  # there are tokens in it
        assert "Sitrep sandbox" in httpx.get(found[1]).text
        assert json.loads((tmp_path / "alert.json").read_text())["commonLabels"]["alertname"] == "HighErrorRate"
        process.send_signal(signal.SIGINT)
        out, err = process.communicate(timeout=15)
    assert (process.returncode, out, err) == (0, "", "")
    assert list(tmp_path.glob("sitrep-demo-*")) == []


def test_a_bot_that_does_not_start_is_reported_with_its_log(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """When the bot fails, the demo says where its output is, shows its end, and fails too."""
    monkeypatch.setenv("TMPDIR", str(tmp_path))
    command = [sys.executable, "-c", RUN_DEMO, "import sys; sys.exit('no such table')"]
    done = subprocess.run(command, cwd=ROOT, capture_output=True, text=True, timeout=20, check=False)
    assert (done.returncode, done.stdout) == (1, "")
    assert "no such table" in done.stderr
    assert Path(re.search(r"output is in (\S+)", done.stderr)[1]).read_text().strip() == "no such table"

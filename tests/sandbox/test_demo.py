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
from bot.sandbox.samples import SAMPLES, Sample, fingerprint
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


@pytest.mark.parametrize("sample", SAMPLES, ids=lambda s: s.name)
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
    monkeypatch.setattr(demo.time, "sleep", lambda _: seen.append(float(clock.path.read_text())))
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


def test_the_demo_prints_one_line_and_ends_cleanly(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """The demo fires one alert, prints one address that works, and ends with its child upon SIGINT."""
    monkeypatch.setenv("FAKE_BOT_OUT", str(tmp_path / "alert.json"))
    monkeypatch.setenv("TMPDIR", str(tmp_path))
    command = [sys.executable, "-c", RUN_DEMO, FAKE_BOT]
    with subprocess.Popen(command, cwd=ROOT, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True) as process:
        assert process.stdout is not None
        line = process.stdout.readline()
        found = re.fullmatch(r"Sitrep demo: open (http://127\.0\.0\.1:\d+/) \(Ctrl-C ends it\)\n", line)
        assert found, line + (process.stderr.read() if process.stderr and not line else "")
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

"""`sitrep demo`, as somebody who has just cloned the repository meets it."""

from __future__ import annotations

import os
import re
import shutil
import signal
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.conftest import ROOT, wait_for
from tests.e2e.browser import Browser

CHROMIUM = shutil.which("chromium") or shutil.which("chromium-browser")
QUIET = (
    "--headless",
    "--no-sandbox",
    "--disable-gpu",
    "--disable-quic",
    "--no-first-run",
    "--disable-background-networking",
    "--disable-component-update",
    "--disable-sync",
    "--virtual-time-budget=5000",
    "--window-size=1280,1000",
)


@pytest.fixture
def demo(tmp_path: Path) -> Iterator[str]:
    """Start the demo and give its address."""
    out = tmp_path / "out"
    keep = {k: v for k, v in os.environ.items() if not k.startswith(("SITREP_", "SLACK_", "PAGERDUTY_"))}
    err = tmp_path / "err"
    with out.open("wb") as stdout, err.open("wb") as stderr:
        child = subprocess.Popen(
            [sys.executable, "-m", "bot", "demo"], cwd=ROOT, env=keep, stdout=stdout, stderr=stderr
        )
    try:
        found = wait_for(lambda: re.search(r"http://127\.0\.0\.1:\d+/", out.read_text()))
        yield found.group()
        (address,) = out.read_text().splitlines()
        assert found.group() in address
        assert " outbox list" in err.read_text()
        assert "export SITREP_DATABASE_URL=sqlite:///" in err.read_text()
    finally:
        child.send_signal(signal.SIGINT)
        assert child.wait(15) == 0


@pytest.mark.skipif(CHROMIUM is None, reason="chromium is not installed")
def test_the_page_shows_an_incident_that_an_alert_has_opened(demo: str, tmp_path: Path) -> None:
    """One line with an address, and behind it card, runbook steps and buttons, without a manual step."""
    assert CHROMIUM is not None
    profile = f"--user-data-dir={tmp_path / 'profile'}"

    def page() -> str:
        done = subprocess.run(
            [CHROMIUM, *QUIET, profile, "--dump-dom", demo], capture_output=True, text=True, timeout=60, check=False
        )
        return done.stdout if "First ten minutes" in done.stdout else ""

    dom = wait_for(page)
    for wanted in ("incident-", "HighErrorRate", "Runbook: ", "Diagnosis", "Next page", "5 minutes pass"):
        assert wanted in dom, wanted
    for label in ("Update", "Acknowledge", "Take lead", "Resolve"):
        assert re.search(rf"<button[^>]*>\s*{label}\s*</button>", dom), label
    picture = tmp_path / "demo.png"
    subprocess.run([CHROMIUM, *QUIET, profile, f"--screenshot={picture}", demo], capture_output=True, check=True)
    assert picture.stat().st_size > 50_000


@pytest.mark.skipif(CHROMIUM is None, reason="chromium is not installed")
def test_the_panel_fires_a_storm_an_outage_and_a_drill(demo: str, tmp_path: Path) -> None:
    """The real bot answers each: one incident for the storm, a rehearsal, and what waited while Slack was down."""
    with Browser(tmp_path) as browser:
        tab = browser.tab(f"{demo}?user=charlie&channel=ops-alerts")
        tab.until("document.querySelector('#samples li') !== null", "the panel")
        tab.click("Take Slack down")
        tab.sees("Slack is down for the bot")
        tab.click("Start a storm")
        tab.sees("Sent 40 alert groups, firing.")
        tab.click("Bring Slack back")
        tab.go("incidents")
        tab.sees("Alert storm in cluster eu1")
        tab.click("Start a drill")
        tab.sees("Checkout fails over to the second zone")
        tab.sees("[TEST]")
        assert not tab.js("document.getElementById('banner').checkVisibility()")

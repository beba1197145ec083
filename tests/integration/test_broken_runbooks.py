"""Broken runbooks beside the running service: it starts, opens incidents, and says once what it has skipped."""

from __future__ import annotations

import shutil
from pathlib import Path

import pytest

from bot.runbooks.minimum import GENERAL_ID
from tests.conftest import ROOT, Client, InProcess, both_databases, wait_for
from tests.forks import sitrep
from tests.integration.bodies import alert, body
from tests.integration.world import World

pytestmark = pytest.mark.timeout(90)


@pytest.fixture
def runbooks(tmp_path: Path) -> Path:
    """Some of the runbooks that ship: one broken in each way, the general one and a template among them."""
    folder, ours = tmp_path / "runbooks", ROOT / "runbooks"
    for part in ("templates", "checklists"):
        shutil.copytree(ours / part, folder / part)
    for name in ("redis-down.md", "signals.yaml"):  # few: these tests do not measure how quick a look is
        shutil.copy(ours / name, folder / name)
    (folder / "general-first-response.md").write_bytes(b"\xff\xfe")
    (folder / "kafka-lag.md").write_text("---\nid: [\n---\n")
    (folder / "vault-hsm.md").symlink_to("vault-hsm.md")
    (folder / "a-directory.md").mkdir()
    (folder / "templates" / "initial.md.j2").write_bytes(b"\xff")
    return folder


@pytest.fixture
def environ(environ: dict[str, str], runbooks: Path) -> dict[str, str]:
    return environ | {"SITREP_RUNBOOKS": str(runbooks)}


def opened(bot: Client, name: str, runbook_id: str) -> str:
    one = alert(name, labels={**alert()["labels"], "alertname": name, "service": name})
    number = bot.alertmanager(body(one, group=name)).json()["outcome"].removeprefix("declared ")
    bot.wait_opened(number)
    assert bot.incident(number)["runbook_id"] == runbook_id
    return str(number)


@both_databases
def test_the_service_runs_without_what_is_broken(bot: Client, service: InProcess, world: World) -> None:
    """Incidents get the sound runbooks or the built-in one, and the operators hear once, whatever restarts follow."""
    wait_for(lambda: bot.workspace.find("ops-alerts", "Runbook files are broken"), what="the operators")
    said = bot.workspace.find("ops-alerts", "Runbook files are broken")
    for name in ("general-first-response.md", "kafka-lag.md", "vault-hsm.md", "a-directory.md", "initial.md.j2"):
        assert name in said.text
    opened(bot, "RedisDown", "ops.redis.down")
    opened(bot, "KafkaLagHigh", GENERAL_ID)
    service.stop()
    service.start()
    world.settle()
    told = [m for m in bot.workspace.channel("ops-alerts").log if "Runbook files are broken" in m.text]
    assert len(told) == 1


def test_the_doctor_names_each(environ: dict[str, str]) -> None:
    """Each broken file is a fault of its own, with the fix."""
    done = sitrep(environ, "doctor")
    assert done.returncode == 1
    said = done.stdout.decode()
    for name in ("general-first-response.md", "kafka-lag.md", "vault-hsm.md", "a-directory.md", "initial.md.j2"):
        assert f"FAULT  runbooks: broken file: {name}: " in said
    assert "Run `sitrep runbooks lint`" in said

"""A misspelled variable is told with the nearest one that is read; other tools' variables are left alone."""

from __future__ import annotations

import os
from pathlib import Path

import pytest
from typer.testing import CliRunner

from bot.__main__ import cli
from bot.doctor import warnings
from bot.env_names import unknown
from bot.settings import Settings, load_settings


@pytest.fixture(autouse=True)
def _bare_environment(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    for name in [n for n in os.environ if n.upper().startswith(("SITREP_", "SLACK_", "PAGERDUTY_", "ALERTMANAGER_"))]:
        monkeypatch.delenv(name)
    monkeypatch.chdir(tmp_path)


@pytest.mark.parametrize(
    ("name", "meant"),
    [
        ("SITREP_DATABSE_URL", "SITREP_DATABASE_URL"),
        ("SITREP_DB_URL", "SITREP_DATABASE_URL"),
        ("SITREP_CONFG", "SITREP_CONFIG"),
        ("SITREP_PUBLIC_ULR", "SITREP_PUBLIC_URL"),
        ("SITREP_API_TOKEN", "SITREP_API_TOKENS"),
        ("sitrep_prot", "SITREP_PORT"),
        ("SLACK_SIGNING_SECERT", "SLACK_SIGNING_SECRET"),
        ("SLACK_BOT_TOKN", "SLACK_BOT_TOKEN"),
        ("SLACK_APPTOKEN", "SLACK_APP_TOKEN"),
        ("PAGERDUTY_API_KEY", "PAGERDUTY_API_TOKEN"),
        ("PAGERDUTY_ROUTINGKEY", "PAGERDUTY_ROUTING_KEY"),
        ("PAGERDUTY_WEBHOOK_SECRET", "PAGERDUTY_WEBHOOK_SECRETS"),
        ("ALERTMANAGER_WEBHOOK_TOKEN_", "ALERTMANAGER_WEBHOOK_TOKEN"),
        ("ALERTMANAGER_API_URI", "ALERTMANAGER_API_URL"),
        ("ALERTMANGER_API_URL", ""),  # the prefix itself is another name
        ("ALERTMANAGER_WEBHOK_TOKEN", "ALERTMANAGER_WEBHOOK_TOKEN"),
    ],
)
def test_a_slip_is_told_with_the_nearest_known_name(name: str, meant: str) -> None:
    """One sentence a name, which says what was set and what was probably meant."""
    said = list(unknown([name, "PATH", "HOME"], Settings.variables()))
    if meant:
        assert said == [f"{name} is set, but Sitrep does not read it: did you mean {meant}? Rename it, or unset it."]
    else:
        assert said == []


@pytest.mark.parametrize("name", ["SITREP_QQQ", "SITREP_X", "SITREP_ZEBRA_COLOUR"])
def test_what_resembles_nothing_is_told_with_all_names(name: str) -> None:
    """Where nothing is near, the known names are listed."""
    (said,) = unknown([name], Settings.variables())
    assert said.startswith(f"{name} is set, but Sitrep does not read it: unset it. Known: ")
    assert "SITREP_DATABASE_URL" in said
    assert "SLACK_" not in said


@pytest.mark.parametrize(
    "names",
    [
        sorted(Settings.variables()),
        ["sitrep_port", "Slack_Bot_Token"],  # case does not count
        ["SLACK_WEBHOOK_URL", "SLACK_CHANNEL", "PAGERDUTY_SUBDOMAIN", "ALERTMANAGER_VERSION"],
        ["ALERTMANAGER_API_URL", "ALERTMANAGER_URL"],  # the nearest is set as well: this one is another tool's
        ["SITREP_SERVICE_HOST", "SITREP_SERVICE_PORT_HTTP", "SITREP_PORT_8080_TCP", "SITREP_PORT_8080_TCP_ADDR"],
        ["ALERTMANAGER_SERVICE_PORT", "ALERTMANAGER_PORT_9093_TCP_PROTO"],
    ],
)
def test_what_is_known_or_belongs_to_others_is_left_alone(names: list[str]) -> None:
    """No word about what is read, what other tools use, and what Kubernetes sets for each Service."""
    assert list(unknown(names, Settings.variables())) == []


@pytest.mark.parametrize("name", ["SITREP_DATABSE_URL", "SLACK_SIGNING_SECERT", "PAGERDUTY_API_KEY"])
def test_the_start_and_the_doctor_tell_of_it(name: str, monkeypatch: pytest.MonkeyPatch) -> None:
    """It is a warning, not a refusal: what the log says at start, the doctor says as a note."""
    monkeypatch.setenv(name, "x")
    told = [line for line in warnings(load_settings()) if line.startswith(f"{name} is set")]
    assert len(told) == 1
    assert f"note   {told[0]}\n" in CliRunner().invoke(cli, ["doctor"]).output

"""The Slack app's manifest: what it says for which configuration, and that the file in deploy/ is it."""

from __future__ import annotations

import os
import re
from typing import Any

import pytest
import yaml
from typer.testing import CliRunner

from bot.__main__ import cli
from bot.manifest import ANY_HOST, EVENTS, SCOPES, SHORTCUTS, manifest
from bot.sandbox.scopes import needed
from bot.sandbox.web_api import METHODS
from bot.sandbox.workspace import Workspace
from tests.conftest import ROOT

URL = "https://sitrep.corp.example"


@pytest.fixture
def bare(monkeypatch: pytest.MonkeyPatch) -> pytest.MonkeyPatch:
    for name in [n for n in os.environ if n.startswith(("SITREP_", "SLACK_", "PAGERDUTY_", "ALERTMANAGER_"))]:
        monkeypatch.delenv(name)
    return monkeypatch


def addresses(made: dict[str, Any]) -> set[str | None]:
    settings = made["settings"]
    return {
        settings["event_subscriptions"].get("request_url"),
        settings["interactivity"].get("request_url"),
        *(command.get("url") for command in made["features"]["slash_commands"]),
    }


def test_the_file_in_deploy_is_what_the_command_prints() -> None:
    """deploy/slack-manifest.yaml is the default configuration's manifest; `sitrep manifest` writes it anew."""
    assert (ROOT / "deploy" / "slack-manifest.yaml").read_text(encoding="utf-8") == manifest()


@pytest.mark.parametrize(
    ("environ", "args", "sockets", "url", "comment"),
    [
        ({}, [], False, f"{ANY_HOST}/slack/events", "# Put your own host in place of sitrep.example.com"),
        ({"SITREP_PUBLIC_URL": f"{URL}/"}, [], False, f"{URL}/slack/events", ""),
        ({"SITREP_PUBLIC_URL": "http://sitrep"}, [], False, "http://sitrep/slack/events", "# Slack calls https://"),
        (
            {"SLACK_BOT_TOKEN": "xoxb-1", "SLACK_APP_TOKEN": "xapp-1"},
            [],
            True,
            None,
            "# Socket Mode: make an app-level",
        ),
        ({"SITREP_PUBLIC_URL": URL}, ["--socket-mode"], True, None, "# Socket Mode: make an app-level"),
    ],
)
def test_addresses_come_from_the_configuration(
    environ: dict[str, str], args: list[str], sockets: bool, url: str | None, comment: str, bare: pytest.MonkeyPatch
) -> None:
    """The public URL is in all three places, Socket Mode has none, and what is left to fill in is said first."""
    for name, value in environ.items():
        bare.setenv(name, value)
    done = CliRunner().invoke(cli, ["manifest", *args])
    assert done.exit_code == 0, done.output
    made = yaml.safe_load(done.stdout)
    assert addresses(made) == {url}
    assert made["settings"]["socket_mode_enabled"] is sockets
    assert comment in done.stdout
    assert ("Put your own host" in done.stdout) is (url == f"{ANY_HOST}/slack/events")


def test_the_command_is_the_configured_one() -> None:
    """`slack.command` names the slash command."""
    made = yaml.safe_load(manifest(command="/outage"))
    assert [command["command"] for command in made["features"]["slash_commands"]] == ["/outage"]


def test_what_the_app_asks_for() -> None:
    """Scopes, events, shortcuts, Home and interactivity are those that the handlers live by."""
    made = yaml.safe_load(manifest())
    assert made["oauth_config"]["scopes"]["bot"] == list(SCOPES)
    assert made["settings"]["event_subscriptions"]["bot_events"] == list(EVENTS)
    assert made["settings"]["interactivity"]["is_enabled"]
    assert made["features"]["app_home"]["home_tab_enabled"]
    shortcuts = {s["callback_id"]: (s["type"], s["name"]) for s in made["features"]["shortcuts"]}
    assert shortcuts == {
        "incident_declare": ("global", "Declare an incident"),
        "incident_from_message": ("message", "Declare an incident"),
        "timeline_add": ("message", "Add to timeline"),
        "followup_add": ("message", "Make it a follow-up"),
        "incident_work": ("message", "Work on the incident"),
        "incident_work_on_one": ("global", "Work on an incident"),
    }


def test_slacks_limits_hold() -> None:
    """Names and descriptions are as short as Slack's manifest page asks."""
    made = yaml.safe_load(manifest())
    assert len(made["display_information"]["description"]) <= 140
    assert all(len(s["name"]) <= 24 and len(s["description"]) <= 150 for s in SHORTCUTS)


def test_every_method_that_the_code_calls_has_its_scopes() -> None:
    """A method that is new in the code brings its scope to the manifest, or an app in the field lacks it."""
    workspace = Workspace.demo()
    public = workspace.channel("incidents").id
    private = workspace.add_channel("quiet", private=True, members=[workspace.bot.id]).id
    direct = workspace.direct("alice").id
    sources = [f for folder in ("bot", "handlers") for f in (ROOT / folder).rglob("*.py") if "sandbox" not in f.parts]
    called = {
        method
        for file in sources
        for method in re.findall(r'"([a-z]+(?:\.[a-zA-Z]+)+)"', file.read_text(encoding="utf-8"))
        if method in METHODS
    }
    assert {"chat.postMessage", "conversations.history", "users.lookupByEmail"} <= called
    for method in sorted(called):
        # Direct messages are only posted in and read.
        reads = method in {"conversations.history", "conversations.replies"}
        for channel in (public, private, direct) if reads else (public, private):
            values = {"channel": channel, "types": "public_channel,private_channel", "is_private": channel == private}
            assert set(needed(workspace, method, values)) <= set(SCOPES), method

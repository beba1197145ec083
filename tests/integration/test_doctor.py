"""`sitrep doctor` where one thing is wrong: it names the fault and the fix."""

from __future__ import annotations

import os
import re
import shutil
import socket
import time
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path

import psycopg
import pytest
from alembic import command
from alembic.script import ScriptDirectory
from sqlalchemy import func, make_url, select, table, text
from typer.testing import CliRunner

from bot.__main__ import cli
from bot.doctor import alertmanager, finding
from bot.errors import SitrepError
from bot.migrate import alembic_config
from bot.runbooks.catalog import Catalog
from bot.runbooks.index import FILE, document
from bot.sandbox.faults import Fault
from bot.sandbox.pagerduty import Account
from bot.sandbox.pagerduty_server import PagerDutyServer
from bot.sandbox.server import SandboxServer
from bot.sandbox.workspace import Workspace
from bot.store.database import connect
from tests.conftest import ROOT, InProcess, both_databases
from tests.integration.outside import AlertmanagerApi
from tests.integration.world import LOOK_UPS
from tests.migrated import put

CONFIG = """
slack: {alerts_channel: ops-alerts, announcements_channel: incidents, operators_channel: bot-ops}
runbooks: {channel: runbooks, owners: {Payments: payments}}
pagerduty: {service: PSERVICE}
ladders: {default: [{after: 0s, name: A, slack: [alice@example.com], pagerduty: {}}]}
"""
ROUTING_KEY = "R0123456789abcdefABCDEF987654321"


sqlite = pytest.mark.parametrize("database_url", ["sqlite"], indirect=True)
postgres = pytest.mark.parametrize("database_url", ["postgres"], indirect=True)


@dataclass
class Here:
    """All that the doctor looks at."""

    environ: dict[str, str]
    workspace: Workspace
    slack: SandboxServer
    account: Account
    pagerduty: PagerDutyServer
    alertmanager: AlertmanagerApi

    @property
    def url(self) -> str:
        return self.environ["SITREP_DATABASE_URL"]

    @property
    def file(self) -> Path:
        return Path(self.url.removeprefix("sqlite:///"))

    def sql(self, statement: str, **values: object) -> None:
        engine = connect(self.url)
        with engine.begin() as connection:
            connection.execute(text(statement), values)
        engine.dispose()

    def doctor(self) -> Said:
        """Run the command in this environment."""
        with pytest.MonkeyPatch.context() as patch:
            for name in [n for n in os.environ if n.startswith(("SITREP_", "SLACK_", "PAGERDUTY_", "ALERTMANAGER_"))]:
                patch.delenv(name)
            for name, value in self.environ.items():
                patch.setenv(name, value)
            done = CliRunner().invoke(cli, ["doctor"])
        assert done.exception is None or isinstance(done.exception, SitrepError), done.exc_info
        return Said(done.exit_code, done.stdout)


@dataclass
class Said:
    """What the doctor said."""

    status: int
    text: str

    @property
    def faults(self) -> list[str]:
        """The names of what is at fault."""
        return re.findall(r"^FAULT +([^:]+(?::\S[^:]*)*):", self.text, re.MULTILINE)


@pytest.fixture
def books(tmp_path: Path) -> Path:
    """A few of our runbooks, as if reviewed today: these tests neither age nor measure how quick the checks are."""
    folder, ours = tmp_path / "runbooks", ROOT / "runbooks"
    shutil.copytree(ours / "templates", folder / "templates")
    today = datetime.now(UTC).date()
    for name in ("general-first-response.md", "checklists/first-response.md", "checklists/recovery.md"):
        (folder / name).parent.mkdir(exist_ok=True)
        dated = re.sub(r"(?m)^last_reviewed_at:.*$", f"last_reviewed_at: {today}", (ours / name).read_text())
        (folder / name).write_text(dated)
    (folder / "signals.yaml").write_text("{}")
    shutil.copy(ours / "sites.yaml", folder / "sites.yaml")
    (folder / FILE).write_text(document(Catalog.load(folder)))
    return folder


@pytest.fixture
def here(
    environ: dict[str, str], workspace: Workspace, slack: SandboxServer, books: Path, database_url: str
) -> Iterator[Here]:
    """A sound installation that is not running."""
    for name in ("bot-ops", "runbooks"):
        workspace.add_channel(name, members=[workspace.bot.id])
    workspace.add_channel("payments", members=["alice"])
    Path(environ["SITREP_CONFIG"]).write_text(CONFIG)
    put(database_url)
    account, alertmanager = Account(), AlertmanagerApi()
    account.routing_key = ROUTING_KEY
    with PagerDutyServer(account) as pagerduty:
        settings = {
            "SITREP_RUNBOOKS": str(books),
            "PAGERDUTY_API_TOKEN": account.api_token,
            "PAGERDUTY_API_URL": pagerduty.url,
            "PAGERDUTY_EVENTS_URL": pagerduty.url,
            "PAGERDUTY_FROM": "sitrep@example.com",
            "PAGERDUTY_ROUTING_KEY": ROUTING_KEY,
            "ALERTMANAGER_API_URL": alertmanager.url,
        }
        yield Here({**environ, **settings}, workspace, slack, account, pagerduty, alertmanager)
    alertmanager.stop()


@pytest.fixture
def running(here: Here) -> Iterator[InProcess]:
    service = InProcess(here.environ)
    service.start()
    yield service
    service.stop()


@both_databases
def test_where_all_is_well_it_says_so(here: Here, running: InProcess) -> None:
    """Nothing is at fault, each check says what it saw, and the exit status is 0."""
    said = here.doctor()
    assert (said.status, said.faults) == (0, []), said.text
    for line in (
        "ok     database: ",
        "ok     slack signing secret: the service at ",
        "ok     slack token: @sitrep in Sandbox",
        "ok     slack scope: all ",
        "ok     clock against Slack: ",
        "ok     slack channel #ops-alerts (slack.alerts_channel): the bot is in it",
        "ok     slack names: names found in Slack, from ladders and services: 1; looked up within the last minute",
        "ok     slack channel #payments (runbooks.owners.Payments): the bot joins it with its first message",
        "ok     pagerduty token: it writes as sitrep@example.com",
        "ok     pagerduty routing key: ",
        "ok     alertmanager api: 1 of 1 answered; no notification from Alertmanager yet; receivers checked: sitrep",
        "ok     runbooks: 1 in ",
        "off    heartbeat: set SITREP_HEARTBEAT_URL",
        "note   slack command: the doctor can't ask Slack whether /incident exists.",
        *(["ok     clock against PostgreSQL: "] if here.url.startswith("postgres") else []),
    ):
        assert f"\n{line}" in f"\n{said.text}", line


def test_it_changes_nothing(here: Here, running: InProcess) -> None:
    """Slack and PagerDuty are asked by methods that read, nobody is told anything, and the database stays as it is."""
    tables = ("incidents", "events", "timers", "deliveries", "inbox")
    engine = connect(here.url)

    def state() -> object:
        with engine.begin() as connection:
            rows = [connection.execute(select(func.count()).select_from(table(name))).scalar_one() for name in tables]
        return rows, here.workspace.version

    before, calls = state(), len(here.workspace.calls)
    assert here.doctor().status == 0
    assert state() == before
    engine.dispose()
    called = {call.method for call in here.workspace.calls[calls:]}
    assert called - LOOK_UPS == {"auth.test", "conversations.list"}
    assert {call.method.split()[0] for call in here.account.calls} == {"GET"}


@sqlite
def test_a_database_file_is_not_touched(here: Here) -> None:
    """Neither the file nor what lies beside it changes, and none is made where there is none."""
    before = here.file.read_bytes()
    assert here.doctor().status == 0
    assert here.file.read_bytes() == before
    here.environ["SITREP_DATABASE_URL"] += "-other"
    assert "`sitrep serve` creates it" in here.doctor().text
    assert not here.file.exists()


def test_what_is_off_is_no_fault(here: Here) -> None:
    """With nothing set but the runbooks all is off, each with its variable, and the exit status is 0."""
    here.environ = {name: here.environ[name] for name in ("SITREP_RUNBOOKS", "SITREP_DATABASE_URL")}
    said = here.doctor()
    assert (said.status, said.faults) == (0, [])
    assert said.text.count("\noff    ") == 7, said.text
    assert "off    slack: set SLACK_BOT_TOKEN and SLACK_SIGNING_SECRET to switch it on" in said.text


@sqlite
def test_what_never_came_is_named(here: Here) -> None:
    """What the auditor has found missing is a fault with the probable causes; what still waits is none."""
    values = "'alertmanager', :id, :labels, '2026-11-29 10:00:00.000000', :state"
    for name, state in (("DatabaseDown", "told"), ("Watchdog", "quiet"), ("DiskFills", "waiting")):
        here.sql(
            f"INSERT INTO unheard (source, fingerprint, labels, first_at, state) VALUES ({values})",  # noqa: S608
            id=name,
            labels=f'{{"alertname": "{name}"}}',
            state=state,
        )
    said = here.doctor()
    assert said.faults == ["alertmanager api"]
    assert "alerts active in Alertmanager that never reached the bot: 2 (DatabaseDown, Watchdog)" in said.text
    assert "ALERTMANAGER_WEBHOOK_TOKEN" in said.text


# What breaks it; what is at fault; words of the fault and its fix.
Break = Callable[[Here], object]
FAULTS: dict[str, tuple[Break, str, tuple[str, ...]]] = {
    "another token": (
        lambda h: h.environ.update(SLACK_BOT_TOKEN="xoxb-other"),
        "slack token",
        ("invalid_auth", "Reinstall the app and set SLACK_BOT_TOKEN"),
    ),
    "token revoked": (
        lambda h: h.workspace.faults.add(Fault("*", "error", "token_revoked", times=None)),
        "slack token",
        ("token_revoked", "Reinstall the app and set SLACK_BOT_TOKEN"),
    ),
    "bot removed": (
        lambda h: h.workspace.faults.add(Fault("*", "error", "account_inactive", times=None)),
        "slack token",
        ("account_inactive", "Reinstall the app and set SLACK_BOT_TOKEN"),
    ),
    "Slack refuses connections": (
        lambda h: h.slack.stop(),
        "slack token",
        ("slack_unreachable", "Let this machine reach 127.0.0.1"),
    ),
    "Slack shows an error page": (
        lambda h: h.workspace.faults.add(Fault("*", "html", times=None)),
        "slack token",
        ("Slack does not answer", "https://slack-status.com"),
    ),
    "nobody has this address": (
        lambda h: Path(h.environ["SITREP_CONFIG"]).write_text(CONFIG.replace("alice@", "alicia@")),
        "slack names",
        ("cannot page alicia@example.com: there is no such person", "active Slack account in the ladder"),
    ),
    "no such group": (
        lambda h: Path(h.environ["SITREP_CONFIG"]).write_text(CONFIG.replace("alice@example.com", "'@sre'")),
        "slack names",
        ("cannot page @sre: there is no such user group", "Create the user group @sre"),
    ),
    "a scope": (
        lambda h: h.workspace.scopes.remove("pins:read"),
        "slack scope pins:read",
        ("what people pin", "Add it under OAuth & Permissions and reinstall"),
    ),
    "app token": (
        lambda h: h.environ.update(SLACK_APP_TOKEN="xoxb-1"),
        "slack app token",
        ("does not begin with xapp-", "Set SLACK_APP_TOKEN to an app-level token"),
    ),
    "another app's app token": (
        lambda h: h.environ.update(SLACK_APP_TOKEN="xapp-other"),
        "slack app token",
        ("invalid_auth", "Set SLACK_APP_TOKEN to an app-level token of this app"),
    ),
    "app token without its scope": (
        lambda h: (h.environ.update(SLACK_APP_TOKEN=h.workspace.app_token), h.workspace.app_scopes.clear()),
        "slack app token",
        ("missing_scope", "Make an app-level token with the scope connections:write"),
    ),
    "Socket Mode is not turned on": (
        lambda h: (h.environ.update(SLACK_APP_TOKEN=h.workspace.app_token), setattr(h.workspace, "socket_mode", False)),
        "slack app token",
        ("Socket Mode is not turned on", "Turn it on under Socket Mode in the app's settings"),
    ),
    "channel is missing": (
        lambda h: setattr(h.workspace.channel("incidents"), "name", "outages"),
        "slack channel #incidents (slack.announcements_channel)",
        ("the bot can't see it", "Create it, or invite the bot if it is private"),
    ),
    "channel is private and the bot is not in it": (
        lambda h: setattr(h.workspace.channel("payments"), "is_private", True),
        "slack channel #payments (runbooks.owners.Payments)",
        ("the bot can't see it", "correct runbooks.owners.Payments (SITREP_CONFIG)"),
    ),
    "channel is archived": (
        lambda h: setattr(h.workspace.channel("bot-ops"), "archived", True),
        "slack channel #bot-ops (slack.operators_channel)",
        ("it is archived", "Unarchive it, or name another one"),
    ),
    "clock": (
        lambda h: setattr(h.workspace, "now", lambda: time.time() + 630),
        "clock against Slack",
        ("10 min behind Slack's", "NTP", "5 minutes"),
    ),
    "database of a newer version": (
        lambda h: h.sql("UPDATE alembic_version SET version_num = '9999'"),
        "database",
        ("is newer than this version: at 9999", "Upgrade Sitrep"),
    ),
    "PagerDuty's token": (
        lambda h: setattr(h.account, "api_token", "another"),
        "pagerduty token",
        ("pagerduty_unauthorized", "Set PAGERDUTY_API_TOKEN to a valid key"),
    ),
    "PagerDuty's sender": (
        lambda h: h.environ.update(PAGERDUTY_FROM="nobody@example.com"),
        "pagerduty token",
        ("pagerduty_no_user", "Set PAGERDUTY_FROM to the login e-mail"),
    ),
    "PagerDuty without a sender": (
        lambda h: h.environ.pop("PAGERDUTY_FROM"),
        "pagerduty token",
        ("an account-level key", "Set PAGERDUTY_FROM"),
    ),
    "PagerDuty away": (
        lambda h: h.pagerduty.stop(),
        "pagerduty token",
        ("pagerduty_unreachable", "(PAGERDUTY_API_URL)"),
    ),
    "routing key": (
        lambda h: h.environ.update(PAGERDUTY_ROUTING_KEY="https://events.pagerduty.com/integration/abc/enqueue"),
        "pagerduty routing key",
        ("not 32 letters and digits", "Integration Key of an Events API v2"),
    ),
    "Alertmanager away": (
        lambda h: h.environ.update(ALERTMANAGER_API_URL=f"{h.alertmanager.url},http://127.0.0.1:9"),
        "alertmanager api",
        ("127.0.0.1:9: alertmanager_unreachable", "set ALERTMANAGER_API_URL"),
    ),
    "Alertmanager answers nonsense": (
        lambda h: setattr(h.alertmanager, "instead", (200, "<html>")),
        "alertmanager api",
        ("alertmanager_nonsense", "without /api"),
    ),
    "runbooks with an error": (
        lambda h: Path(h.environ["SITREP_RUNBOOKS"], "README.md").write_text("[gone](gone.md)"),
        "runbooks",
        ("1 error", "Run `sitrep runbooks lint`"),
    ),
    "runbooks away": (
        lambda h: h.environ.update(SITREP_RUNBOOKS="/nonexistent"),
        "runbooks",
        ("is not a directory; point SITREP_RUNBOOKS", "sitrep runbooks lint"),
    ),
}


@pytest.mark.parametrize("name", FAULTS)
def test_a_fault_is_named_with_its_fix(name: str, here: Here) -> None:
    """One thing is wrong: that alone is at fault, its line and its fix say the words, and the exit status is 1."""
    break_it, at_fault, words = FAULTS[name]
    break_it(here)
    said = here.doctor()
    assert said.status == 1
    assert said.faults == [at_fault], said.text
    line, fix = re.findall(r"^(FAULT .*)\n( +Fix: .*)$", said.text, re.MULTILINE)[0]
    for word in words:
        assert word in line + fix


def test_socket_mode_is_tried_without_being_used(here: Here) -> None:
    """The doctor asks for a connection and opens none: what people do still goes where it went."""
    here.environ["SLACK_APP_TOKEN"] = here.workspace.app_token
    del here.environ["SLACK_SIGNING_SECRET"]
    said = here.doctor()
    assert (said.status, said.faults) == (0, []), said.text
    assert "ok     slack app token: it opens Socket Mode" in said.text
    assert not here.workspace.sockets.used


def test_a_bot_that_may_not_join_must_be_invited(here: Here) -> None:
    """Without `channels:join` a public channel that nobody invited it to is at fault too."""
    here.workspace.scopes.remove("channels:join")
    said = here.doctor()
    assert said.faults == ["slack scope channels:join", "slack channel #payments (runbooks.owners.Payments)"]
    assert "Fix: Invite it there: /invite @Sitrep." in said.text


def test_each_missing_scope_is_named(here: Here) -> None:
    """A scope that the check itself needs is named as well, and what it could not look at."""
    for scope in ("groups:read", "files:write"):
        here.workspace.scopes.remove(scope)
    said = here.doctor()
    assert said.faults == ["slack scope groups:read", "slack scope files:write", "slack channels"]
    assert "conversations.list needs the scope groups:read" in said.text


def test_channels_named_by_id_are_found(here: Here) -> None:
    """An id stands for its channel; one that is nobody's is at fault."""
    ident = here.workspace.channel("incidents").id
    config = Path(here.environ["SITREP_CONFIG"])
    config.write_text(CONFIG.replace("announcements_channel: incidents", f"announcements_channel: {ident}"))
    said = here.doctor()
    assert f"ok     slack channel {ident} (slack.announcements_channel): the bot is in it" in said.text
    config.write_text(CONFIG.replace("announcements_channel: incidents", "announcements_channel: C0NONE"))
    assert here.doctor().faults == ["slack channel C0NONE (slack.announcements_channel)"]


def test_another_signing_secret_than_the_services(here: Here, running: InProcess) -> None:
    """The running service refuses what is signed with ours."""
    here.environ["SLACK_SIGNING_SECRET"] = "another"
    said = here.doctor()
    assert (said.status, said.faults) == (1, ["slack signing secret"])
    assert "rejects this signing secret" in said.text
    assert "Fix: Set SLACK_SIGNING_SECRET to the Signing Secret (Basic Information of the app)" in said.text


def test_a_signing_secret_that_cannot_be_checked(here: Here) -> None:
    """Without a service it says what was not checked and how to do it; that is no fault."""
    said = here.doctor()
    assert said.status == 0
    assert "off    slack signing secret: not checked: no service answers at http://127.0.0.1:" in said.text
    assert "start `sitrep serve` and run `sitrep doctor` again, or type `/incident help` in Slack" in said.text


def test_a_stranger_at_the_services_address(here: Here) -> None:
    """What answers there without being a Sitrep is said."""
    here.environ["SITREP_PORT"] = here.alertmanager.url.rpartition(":")[2]
    said = here.doctor()
    assert said.faults == ["slack signing secret"]
    assert "it is not Sitrep" in said.text


@both_databases
def test_a_database_that_is_behind(here: Here) -> None:
    """A database at the migration before the newest is to be upgraded; the doctor leaves it as it is."""
    scripts = ScriptDirectory.from_config(alembic_config())
    before = scripts.get_revision("head").down_revision
    here.sql("UPDATE alembic_version SET version_num = :to", to=before)
    for _ in range(2):
        said = here.doctor()
        assert (said.status, said.faults) == (1, ["database"])
        assert f"is behind: at {before}, this version needs {scripts.get_current_head()}" in said.text
        assert "Fix: Run `sitrep db upgrade`" in said.text


@sqlite
def test_a_file_that_is_no_database(here: Here) -> None:
    """It is named with the setting that leads to it."""
    here.file.write_bytes(b"no database" * 100)
    said = here.doctor()
    assert said.faults == ["database"]
    assert "file is not a database" in said.text
    assert "SITREP_DATABASE_URL" in said.text


def test_a_database_that_really_is_of_the_first_version(here: Here, tmp_path: Path) -> None:
    """An older schema itself, not only its number, is told from the newest."""
    here.environ["SITREP_DATABASE_URL"] = f"sqlite:///{tmp_path / 'old.db'}"
    engine, config = connect(here.url), alembic_config()
    with engine.begin() as connection:
        config.attributes["connection"] = connection
        command.upgrade(config, "0001")
    engine.dispose()
    assert "is behind: at 0001" in here.doctor().text


@pytest.fixture
def shifted(postgres_url: str, database_url: str) -> None:
    """A PostgreSQL whose clock is 10 minutes ahead, as this database's sessions see it."""
    url = make_url(database_url)
    with psycopg.connect(url.set(drivername="postgresql").render_as_string(hide_password=False)) as connection:
        connection.execute(
            "CREATE FUNCTION public.clock_timestamp() RETURNS timestamptz LANGUAGE sql VOLATILE AS "
            "$$ SELECT pg_catalog.clock_timestamp() + interval '630 seconds' $$"
        )
        connection.execute(f'ALTER DATABASE "{url.database}" SET search_path = public, pg_catalog')


@postgres
def test_the_databases_clock_is_compared_too(shifted: None, here: Here, running: InProcess) -> None:
    """A database 10 minutes ahead is at fault; the secret is told from the clock, by signing with the service's own."""
    said = here.doctor()
    assert said.faults == ["clock against PostgreSQL"], said.text
    assert "this machine's is 10 min behind PostgreSQL's" in said.text
    assert "ok     slack signing secret" in said.text


@postgres
def test_a_database_that_is_away(here: Here) -> None:
    """Its name is told without the password."""
    here.environ["SITREP_DATABASE_URL"] = "postgresql://sitrep:hunter2@127.0.0.1:9/sitrep"
    said = here.doctor()
    assert said.faults == ["database"]
    assert "hunter2" not in said.text
    assert "Fix: Start the database, or correct" in said.text


def test_what_hangs_is_given_up(here: Here, monkeypatch: pytest.MonkeyPatch) -> None:
    """Each check has its own deadline, and they wait at the same time: none hides or delays another's finding."""
    monkeypatch.setattr(alertmanager, "DEADLINE", 2 * alertmanager.DEADLINE)  # its own limit comes after the check's
    monkeypatch.setattr(finding, "DEADLINE", 5)
    here.workspace.faults.add(Fault("*", "hang", times=None))
    here.account.faults.add(Fault("GET /users", "hang", times=None))
    with socket.create_server(("127.0.0.1", 0)) as deaf:
        port = str(deaf.getsockname()[1])
        here.environ.update(SITREP_PORT=port, ALERTMANAGER_API_URL=f"http://127.0.0.1:{port}")
        began = time.monotonic()
        said = here.doctor()
        took = time.monotonic() - began
    silent = ["slack signing secret", "slack token", "pagerduty token", "alertmanager api"]
    assert said.faults == silent, said.text
    assert said.text.count("no answer in 5 s") == len(silent)
    assert took < 5 * len(silent)
    assert "ok     database: " in said.text

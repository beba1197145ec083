"""`sitrep demo`: the bot as a child process and a workspace to meet it in, at one address."""

import os
import secrets
import shlex
import shutil
import signal
import socket
import subprocess
import sys
import tempfile
import threading
import time
from pathlib import Path

import httpx

from bot.manifest import SHORTCUTS
from bot.sandbox.clock import TestClock
from bot.sandbox.samples import SAMPLES
from bot.sandbox.server import SandboxServer
from bot.sandbox.toolbar import DemoToolbar
from bot.sandbox.workspace import Workspace

READY_SECONDS = 60.0
OURS = ("SITREP_", "SLACK_", "PAGERDUTY_", "ALERTMANAGER_")
_STOP_SECONDS = 10.0

CONFIG = """\
slack: {alerts_channel: ops-alerts, announcements_channel: incidents, command: /incident}
severities:
  sev1: {update_every: 15m, ladder: default}
  sev2: {update_every: 15m, ladder: default}
ladders:
  default:
    - {after: 0s,  name: On-call SRE,         slack: [alice@example.com]}
    - {after: 5m,  name: SRE Team Lead,       slack: [bob@example.com]}
    - {after: 15m, name: Engineering Manager, slack: [charlie@example.com]}
    - {after: 30m, name: VP Engineering,      slack: [dana@example.com]}
"""


class BotProcess:
    """The bot as a child; its output goes to `log`."""

    def __init__(self, command: list[str], env: dict[str, str], log: Path) -> None:
        self.log = log
        with log.open("wb") as output:
            self._process = subprocess.Popen(  # noqa: S603 - our own interpreter and module
                command, env=env, stdin=subprocess.DEVNULL, stdout=output, stderr=subprocess.STDOUT
            )

    def wait_ready(self, url: str, stop: threading.Event) -> bool:
        """True once `/readyz` answers 200; False when the bot ended, took a minute, or `stop` was set."""
        deadline = time.monotonic() + READY_SECONDS
        while time.monotonic() < deadline and self.alive and not stop.is_set():
            try:
                if httpx.get(f"{url}/readyz", timeout=2, trust_env=False).status_code == httpx.codes.OK:
                    return True
            except httpx.TransportError:
                pass
            stop.wait(0.1)
        return False

    @property
    def alive(self) -> bool:
        """Whether it still runs."""
        return self._process.poll() is None

    def end(self) -> None:
        """Ask it to end, and make it end when it does not."""
        if self.alive:
            self._process.terminate()
        try:
            self._process.wait(_STOP_SECONDS)
        except subprocess.TimeoutExpired:
            self._process.kill()
            self._process.wait()


def run(*, port: int = 0, command: list[str] | None = None) -> int:
    """Run the demo until Ctrl-C; gives the exit status.

    Args:
        port: the page's port; 0 takes a free one.
        command: how the bot is started, `python -m bot serve` unless told.
    """
    stop = threading.Event()
    before = {number: signal.signal(number, lambda *_: stop.set()) for number in (signal.SIGINT, signal.SIGTERM)}
    folder = Path(tempfile.mkdtemp(prefix="sitrep-demo-"))
    status = 1
    try:
        status = _run(port, command or [sys.executable, "-m", "bot", "serve"], folder, stop)
    finally:
        for number, handler in before.items():
            signal.signal(number, handler)
        if status == 0:
            shutil.rmtree(folder, ignore_errors=True)
    return status


def _run(port: int, command: list[str], folder: Path, stop: threading.Event) -> int:
    clock = TestClock(folder / "clock")
    (folder / "sitrep.yaml").write_text(CONFIG)
    bot_port, token = _free_port(), secrets.token_urlsafe(16)
    bot_url = f"http://127.0.0.1:{bot_port}"
    workspace = Workspace.demo(signing_secret=secrets.token_urlsafe(16), now=clock.now)
    workspace.shortcuts = [dict(shortcut) for shortcut in SHORTCUTS]
    toolbar = DemoToolbar(clock, bot_url, token, workspace.faults)
    with SandboxServer(workspace, port=port, bot_url=bot_url, emit_events=True, toolbar=toolbar) as server:
        env = environment(workspace, server, folder, bot_port=bot_port, alertmanager_token=token)
        shared = _share(env, folder)
        bot = BotProcess(command, env, folder / "bot.log")
        try:
            if not bot.wait_ready(bot_url, stop):
                return 0 if stop.is_set() else _failed("did not start", bot)
            try:
                toolbar.fire(SAMPLES[0].name)
            except ValueError as error:
                return _failed(f"did not take the first alert ({error})", bot)
            sys.stdout.write(f"Sitrep demo: open {server.url}/ (Ctrl-C ends it)\n")
            sys.stdout.flush()
            sys.stderr.write(f"{shared}\n")  # beside the one line with the address, which scripts read
            sys.stderr.flush()
            while not stop.wait(0.5):
                if not bot.alive:
                    return _failed("has ended", bot)
        finally:
            bot.end()
    return 0


def _share(env: dict[str, str], folder: Path) -> str:
    """Write down the bot's settings for other commands, and return the lines that say how they are used."""
    file = folder / "env"
    settings = {key: value for key, value in env.items() if key.startswith(OURS)}
    file.write_text("".join(f"export {key}={shlex.quote(value)}\n" for key, value in sorted(settings.items())))
    beside = Path(sys.executable).with_name("sitrep")
    sitrep = os.path.relpath(beside) if beside.is_relative_to(Path.cwd()) else str(beside)
    call = shlex.quote(sitrep) if beside.exists() else f"{shlex.quote(sys.executable)} -m bot"
    return (
        "To run other commands on its database, paste this into another terminal:\n"
        f"  . {shlex.quote(str(file))} && {call} outbox list\n"
        f"For the database alone: export SITREP_DATABASE_URL={shlex.quote(env['SITREP_DATABASE_URL'])}"
    )


def environment(
    workspace: Workspace, server: SandboxServer, folder: Path, *, bot_port: int, alertmanager_token: str
) -> dict[str, str]:
    """The child's environment: the caller's without other settings of the bot, and those of the demo."""
    kept = {key: value for key, value in os.environ.items() if not key.startswith(OURS)}
    return kept | {
        "SITREP_DATABASE_URL": f"sqlite:///{folder / 'sitrep.db'}",
        "SITREP_CONFIG": str(folder / "sitrep.yaml"),
        "SITREP_HOST": "127.0.0.1",
        "SITREP_PORT": str(bot_port),
        "SITREP_RUNBOOKS": str(Path("runbooks").resolve()),
        "SITREP_TEST_CLOCK": str(folder / "clock"),
        "SITREP_PUBLIC_URL": f"http://127.0.0.1:{bot_port}",
        "SITREP_API_TOKENS": f"admin:{secrets.token_urlsafe(16)}",
        "SLACK_BOT_TOKEN": workspace.bot_token,
        "SLACK_SIGNING_SECRET": workspace.signing_secret,
        "SLACK_API_URL": server.api_url,
        "ALERTMANAGER_WEBHOOK_TOKEN": alertmanager_token,
    }


def _failed(what: str, bot: BotProcess) -> int:
    sys.stderr.write(f"Sitrep demo: the bot {what}; its output is in {bot.log}\n")
    for line in bot.log.read_text(errors="replace").splitlines()[-5:]:
        sys.stderr.write(f"  {line}\n")
    return 1


def _free_port() -> int:
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return int(probe.getsockname()[1])

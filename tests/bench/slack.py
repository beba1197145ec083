"""The sandbox workspace in a process of its own, so that it shares no interpreter with the service or the client.

It takes one JSON object a line on standard input and answers each with one on standard output.
"""

from __future__ import annotations

import json
import re
import subprocess
import sys
import time
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass, field
from typing import Any

from bot.sandbox.server import SandboxServer
from bot.sandbox.workspace import Workspace
from tests.conftest import ROOT

CARD = re.compile(r"INC-\d{8}-\d+, sev")


@dataclass
class Watch:
    """Notes when each incident's channel showed its card and had its first level invited."""

    workspace: Workspace
    cards: dict[str, float] = field(default_factory=dict)
    invited: dict[str, float] = field(default_factory=dict)

    def __call__(self, _index: int, method: str, args: Mapping[str, Any]) -> None:
        """The workspace calls this after it has acted."""
        channel = str(args.get("channel", ""))
        if method == "chat.postMessage" and CARD.match(str(args.get("text", ""))):
            self.cards.setdefault(channel, time.time())
        elif method == "conversations.invite":
            self.invited.setdefault(channel, time.time())

    def ready(self) -> dict[str, float]:
        """The moment at which each channel had both."""
        both = self.cards.keys() & self.invited.keys()
        return {channel: max(self.cards[channel], self.invited[channel]) for channel in both}


def serve() -> None:
    workspace = Workspace.demo()
    watch = Watch(workspace)
    workspace.after_call = watch
    with SandboxServer(workspace) as server:
        _say(
            {
                "api_url": server.api_url,
                "token": workspace.bot_token,
                "secret": workspace.signing_secret,
                "user": workspace.user("alice").id,
                "channel": workspace.channel("general").id,
            }
        )
        for line in sys.stdin:
            asked = json.loads(line)
            match asked["do"]:
                case "latency":
                    workspace.latency = float(asked["seconds"])
                    _say({})
                case "channels":
                    made = [workspace.add_channel(name, members=["sitrep"]).id for name in asked["names"]]
                    _say({"channels": made})
                case "seen":
                    _say({"ready": watch.ready(), "calls": len(workspace.calls)})


def _say(answer: dict[str, Any]) -> None:
    sys.stdout.write(json.dumps(answer) + "\n")
    sys.stdout.flush()


class Slack:
    """The other end of that process."""

    def __init__(self, child: subprocess.Popen[bytes]) -> None:
        self._child = child
        told = self._hear()
        self.api_url, self.token, self.secret = str(told["api_url"]), str(told["token"]), str(told["secret"])
        self.user, self.channel = str(told["user"]), str(told["channel"])

    def latency(self, seconds: float) -> None:
        self._ask(do="latency", seconds=seconds)

    def channels(self, names: list[str]) -> list[str]:
        """Add channels with the bot in them; gives their ids."""
        return list(self._ask(do="channels", names=names)["channels"])

    def ready(self) -> dict[str, float]:
        """The channels that show their card and have their first level invited, and since when (epoch seconds)."""
        return dict(self._ask(do="seen")["ready"])

    def calls(self) -> int:
        return int(self._ask(do="seen")["calls"])

    def wait_quiet(self, quiet: float = 0.4, timeout: float = 120) -> None:
        """Wait until nobody has called for a while."""
        end = time.monotonic() + timeout
        before = -1
        while (now := self.calls()) != before:
            assert time.monotonic() < end, "the service does not come to rest"
            before = now
            time.sleep(quiet)

    def _ask(self, **what: Any) -> dict[str, Any]:
        assert self._child.stdin is not None
        self._child.stdin.write(json.dumps(what).encode() + b"\n")
        self._child.stdin.flush()
        return self._hear()

    def _hear(self) -> dict[str, Any]:
        assert self._child.stdout is not None
        return dict(json.loads(self._child.stdout.readline()))


@contextmanager
def slack() -> Iterator[Slack]:
    """Run a workspace."""
    command = [sys.executable, "-m", "tests.bench.slack"]
    with subprocess.Popen(command, cwd=ROOT, stdin=subprocess.PIPE, stdout=subprocess.PIPE) as child:
        try:
            yield Slack(child)
        finally:
            child.terminate()


if __name__ == "__main__":
    serve()

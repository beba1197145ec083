"""What comes round, in a test: a runbooks directory of its own, and the service through stops and starts."""

from __future__ import annotations

import re
import shutil
from collections.abc import Mapping
from datetime import date, datetime, timedelta
from pathlib import Path
from typing import Any

from bot.sandbox.model import Message
from bot.sandbox.server import SandboxServer
from bot.sandbox.workspace import Workspace
from tests.conftest import LADDER, ROOT, Client, Hands, InProcess, wait_for
from tests.integration.world import World

ON = LADDER.replace("checklists: false", "checklists: true")
# The one that a catalog must have, those that tests make stale, and some more: each start reads what is there.
BOOKS = ("general-", "onboarding-", "security-")
REVIEWED = re.compile(r"^last_reviewed_at: .*$", re.MULTILINE)


def prepare(folder: Path, today: date) -> Path:
    """Copy some of the runbooks that ship, all of them reviewed today, without the checklists that come round."""
    made = Path(shutil.copytree(ROOT / "runbooks", folder / "runbooks", ignore=_others))
    for file in (made / "checklists").glob("*.md"):
        if "\nschedule:" in file.read_text():
            file.unlink()
    for file in made.glob("*.md"):
        review(file, today)
    return made


def _others(folder: str, names: list[str]) -> list[str]:
    return [n for n in names if n.endswith(".md") and Path(folder).name == "runbooks" and not n.startswith(BOOKS)]


def review(file: Path, when: date) -> None:
    """Set when a runbook was reviewed last."""
    file.write_text(REVIEWED.sub(f"last_reviewed_at: {when}", file.read_text()))


def checklist(runbooks: Path, name: str, schedule: str, items: int = 3, **keys: str) -> Path:
    """Write a checklist that comes round; `keys` are more of its front matter."""
    more = "".join(f"{key}: {value}\n" for key, value in keys.items())
    listed = "\n".join(f"{n}. Look at <thing> {n} of {name}." for n in range(1, items + 1))
    head = f"id: checklist.{name}\ntitle: Round of {name}\nschedule: {{{schedule}}}\n{more}"
    file = runbooks / "checklists" / f"{name[:50]}.md"
    file.write_text(f"---\n{head}---\n\n{listed}\n")
    return file


def daily(moment: datetime) -> str:
    """Give the schedule that comes round each day at a moment's hour and minute."""
    return f'cron: "{moment.minute} {moment.hour} * * *"'


def weekly(moment: datetime) -> str:
    """Give the schedule that comes round each week at a moment's weekday, hour and minute."""
    return f'cron: "{moment.minute} {moment.hour} * * {moment:%a}"'.lower()


def whole(moment: datetime, **after: float) -> datetime:
    """Give the whole minute that is so long after a moment."""
    return (moment + timedelta(**after)).replace(second=0, microsecond=0)


def next_monday(moment: datetime) -> datetime:
    """Give the next moment of the digest that is not about to come."""
    monday = moment.replace(hour=9, minute=0, second=0, microsecond=0) - timedelta(days=moment.weekday())
    return monday if monday > moment + timedelta(minutes=30) else monday + timedelta(weeks=1)


def rounds(workspace: Workspace, name: str, channel: str = "ops-alerts") -> list[Message]:
    """Give the messages of a checklist in a channel."""
    return [m for m in workspace.messages(channel) if m.text.startswith(f"Round of {name}:")]


def items(message: Message) -> list[str]:
    """Give the lines of a checklist's items."""
    return [block["text"]["text"] for block in message.blocks if "accessory" in block]


def buttons(message: Message) -> list[Mapping[str, Any]]:
    """Give the buttons of a checklist's items."""
    return [block["accessory"] for block in message.blocks if "accessory" in block]


def spoken(message: Message) -> str:
    """Give all that a message's blocks say."""
    return "\n".join(str(block) for block in message.blocks)


class Service:
    """The service with its database, workspace and clock; each start waits until all that comes round is known."""

    def __init__(self, environ: dict[str, str], hands: Hands, slack: SandboxServer) -> None:
        self.hands = hands
        self.workspace = slack.workspace
        self.runbooks = Path(environ["SITREP_RUNBOOKS"])
        self._config = Path(environ["SITREP_CONFIG"])
        self._process = InProcess(environ)
        slack.bot_url = self._process.url
        self.client = Client(self._process.url, slack.workspace)
        self.world = World(self.client, environ)

    def start(self, config: str = ON) -> None:
        self._config.write_text(config)
        self._process.start()
        scheduled = [f for f in (self.runbooks / "checklists").glob("*.md") if "\nschedule:" in f.read_text()]
        names = {"digest"} | {f"checklist:{_id(file)}" for file in scheduled}
        wait_for(lambda: names <= self.last().keys(), what="the first look")

    def stop(self) -> None:
        self._process.stop()

    def close(self) -> None:
        self.stop()
        self.client.close()

    def last(self) -> dict[str, str]:
        """Give the schedules with their last moments."""
        return {row["name"]: str(row["last_at"]) for row in self.world.rows("SELECT name, last_at FROM schedules")}

    def turn(self, moment: datetime) -> None:
        """Turn the clock to just after a moment."""
        self.hands.advance((moment - self.hands.now()).total_seconds() + 1)

    def passes(self, name: str, moment: datetime) -> None:
        """Turn the clock to just after a schedule's moment, and wait until it is taken and all has been sent."""
        self.turn(moment)
        self.taken(name, moment)

    def taken(self, name: str, moment: datetime) -> None:
        """Wait until a schedule's moment is taken and all has been sent."""
        wait_for(lambda: f"{moment:%Y-%m-%d %H:%M}" in self.last()[name], what=f"the moment of {name}")
        self.world.settle()

    def posted(self, name: str, channel: str = "ops-alerts") -> list[Message]:
        return rounds(self.workspace, name, channel)

    def digests(self, channel: str = "ops-alerts") -> list[Message]:
        return [m for m in self.workspace.messages(channel) if m.text.startswith("Review ")]

    def press(self, user: str, message: Message, number: int, verb: str = "done", channel: str = "ops-alerts") -> None:
        """Press the button of an item."""
        found = self.client.people.press(user, channel, message.ts, f"checklist_{verb}_{number}")
        assert found.ok, found


def _id(file: Path) -> str:
    found = re.search(r"^id: (.+)$", file.read_text(), re.MULTILINE)
    assert found is not None
    return found[1]

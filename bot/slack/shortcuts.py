"""Forms and answers of message shortcuts. `private_metadata` holds the message, as JSON, until a form is submitted."""

from __future__ import annotations

import json
import re
from collections.abc import Sequence
from dataclasses import asdict, dataclass
from typing import Self

from bot.incidents.model import Incident
from bot.slack import blocks as b
from bot.slack.blocks import Block
from bot.slack.modals import View, date, person, text, view
from bot.slack.modals import incidents as choice
from bot.text import clip

METADATA = 3000  # characters that Slack takes
FOLLOW_UP = 500
PICK, FOLLOW = "timeline_pick", "followup_form"
TAKE_OFF = "timeline_take_off"
_SPOT = re.compile(r"([A-Z0-9]{1,32})\|(\d{1,11}\.\d{1,6})\|([A-Z0-9-]{1,32})", re.ASCII)


@dataclass(frozen=True, slots=True)
class Noted:
    """The message that a form is about: where it is, who wrote it, what it said. `number` is its incident, if known."""

    channel: str
    ts: str
    thread_ts: str = ""
    number: str = ""
    author: str = ""
    text: str = ""
    edited: str = ""

    def packed(self) -> str:
        """Write it as metadata; the text is cut until it fits."""
        facts, said = asdict(self), self.text
        while len(packed := json.dumps({**facts, "text": said}, ensure_ascii=False)) > METADATA and said:
            said = clip(said, max(len(said) - (len(packed) - METADATA) // 2 - 1, 1)) if len(said) > 1 else ""
        return packed

    @classmethod
    def unpacked(cls, metadata: str) -> Noted:
        """Read it from metadata."""
        return cls(**{name: str(value) for name, value in json.loads(metadata).items()})


@dataclass(frozen=True, slots=True)
class Spot:
    """A message on an incident's timeline, as a button names it."""

    channel: str
    ts: str
    number: str

    def packed(self) -> str:
        """Write it as a button's value."""
        return f"{self.channel}|{self.ts}|{self.number}"

    @classmethod
    def unpacked(cls, value: str) -> Self | None:
        """Read it from a button's value; None where that names none."""
        found = _SPOT.fullmatch(value)
        return cls(*found.groups()) if found else None


def there(said: str, spot: Spot) -> list[Block]:
    """Say that a message is on a timeline, to whoever may take it off again."""
    return [b.section(said), b.actions([b.button("Take it off", TAKE_OFF, spot.packed())])]


def pick(noted: Noted, incidents: Sequence[Incident]) -> View:
    """Choose the incident whose timeline a message belongs on."""
    return view(PICK, "Add to timeline", "Add", noted.packed(), [choice("Incident", incidents)])


def follow_up(noted: Noted, said: str, incidents: Sequence[Incident]) -> View:
    """Make a message a follow-up; without an incident of its own, choose among those that are open."""
    return view(
        FOLLOW,
        "Make it a follow-up",
        "Add",
        noted.packed(),
        [
            *([] if noted.number else [choice("Incident", incidents)]),
            text("text", "What is left to do?", said, multiline=True, limit=FOLLOW_UP),
            person("owner", "Owner", optional=True),
            date("due", "Due"),
        ],
    )

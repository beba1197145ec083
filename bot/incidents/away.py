"""Why an incident goes on outside its own channel, in words, and what is told of its channel and messages. Pure."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import asdict, dataclass, field
from datetime import datetime
from typing import Any

# What Slack says of a channel that cannot be written, by its error code: what is so, and how to mend it.
_WHY = {
    "is_archived": ("{} is archived", "Unarchive it"),
    "not_in_channel": ("the bot was removed from {}", "Invite the bot with `/invite @Sitrep`"),
    "channel_not_found": (
        "{} was deleted, or the bot was removed from it",
        "If the channel still exists, type `/invite @Sitrep` in it",
    ),
}
_NO_POSTING = ("the bot is not allowed to post in {}", "Let the app post there, in the channel's settings")
# These need what only the channel has; all else can go on elsewhere.
ONLY_THERE = frozenset({"card", "pin", "announcement", "topic", "invite", "channel_check", "moved"})


@dataclass(frozen=True, slots=True)
class Away:
    """An incident goes on outside its channel, which cannot be written.

    `reason` is Slack's error code. `slots` names, by runbook, the delivery that shows it in the channel. `told` are the
    people who hear of a private incident in direct messages meanwhile.
    """

    reason: str
    since: datetime
    slots: Mapping[str, str] = field(default_factory=dict)
    told: tuple[str, ...] = ()

    def to_json(self) -> dict[str, Any]:
        """Return a JSON-ready copy."""
        return {**asdict(self), "since": self.since.isoformat(), "slots": dict(self.slots), "told": list(self.told)}

    @classmethod
    def from_json(cls, data: Mapping[str, Any]) -> Away:
        """Read what `to_json` wrote."""
        since = datetime.fromisoformat(data["since"])
        return cls(str(data["reason"]), since, dict(data["slots"]), tuple(data["told"]))


def what_is_wrong(name: str, reason: str) -> str:
    """Say what is wrong with a channel, to follow a colon or stand within a sentence."""
    return _WHY.get(reason, _NO_POSTING)[0].format(f"#{name}" if name else "the incident channel")


def fix_of(reason: str) -> str:
    """Say how to mend it, without a full stop."""
    return _WHY.get(reason, _NO_POSTING)[1]


def sentence(text: str) -> str:
    """Begin a text with a capital letter; a channel's name stays as it is."""
    return text[:1].upper() + text[1:]


@dataclass(frozen=True, slots=True)
class ChannelShut:
    """Slack refused to write in the incident's channel, for a reason that concerns the whole channel.

    `said` is False where only a message's edit or the like was refused. `paging` says that a page is still on its way.
    """

    reason: str
    channel: str
    said: bool = True
    paging: bool = False


@dataclass(frozen=True, slots=True)
class ChannelNamed:
    """The incident's channel is called this now."""

    name: str


@dataclass(frozen=True, slots=True)
class LookAtChannel:
    """Something has become of the incident's channel: look whether it can be written, and what it is called."""


@dataclass(frozen=True, slots=True)
class PostAgain:
    """A message that is edited in place was deleted: `slot` is the delivery that had posted it, `kind` what it was."""

    kind: str
    slot: str

"""What becomes of alerts that wait for a look: a person decides, or they join an incident by themselves. Pure."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import asdict, dataclass
from datetime import datetime
from enum import StrEnum
from typing import Any, Self


class Outcome(StrEnum):
    """What was decided; `JOINED` is what nobody decided: an incident took the alerts."""

    ACCEPTED = "accepted"
    MERGED = "merged"
    DECLINED = "declined"
    JOINED = "joined"


@dataclass(frozen=True, slots=True)
class Decision:
    """A decision about the message `scope`: who made it (a Slack user id and name), when, why, and the incident.

    `private` says that the incident is one whose number the message must not tell.
    """

    scope: str
    outcome: Outcome
    at: datetime
    user: str = ""
    name: str = ""
    number: str = ""
    why: str = ""
    private: bool = False

    @property
    def keeps_quiet(self) -> bool:
        """True while what the alerts do is no news: they were declined, and no incident has taken them since."""
        return self.outcome is Outcome.DECLINED and not self.number

    @property
    def into(self) -> str:
        """Name the incident, as far as everybody may know of it."""
        return "a private incident" if self.private else self.number

    def to_json(self) -> dict[str, Any]:
        """Give it as it is kept with the group."""
        return {**asdict(self), "outcome": self.outcome.value, "at": self.at.isoformat()}

    @classmethod
    def from_json(cls, kept: Mapping[str, Any]) -> Self:
        """Read it."""
        return cls(**{**kept, "outcome": Outcome(kept["outcome"]), "at": datetime.fromisoformat(kept["at"])})

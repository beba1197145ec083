"""The response policy: severity table, escalation ladders, cadence. Frozen on an incident when it opens."""

from __future__ import annotations

import re
import unicodedata
from collections.abc import Mapping
from dataclasses import asdict, dataclass, field, replace
from enum import StrEnum
from typing import Any


class Severity(StrEnum):
    """How bad an incident is. `SEVERITY_MEANS` defines each; this is the one definition that everything quotes."""

    SEV1 = "sev1"
    SEV2 = "sev2"
    SEV3 = "sev3"
    SEV4 = "sev4"


# The definitions of seed 004, 5.1; forms, docs and runbooks use these words. `docs/severities.md` adds examples.
SEVERITY_MEANS: Mapping[Severity, str] = {
    Severity.SEV1: "total outage or data loss",
    Severity.SEV2: "major functionality degraded",
    Severity.SEV3: "partial functionality impaired",
    Severity.SEV4: "minor issue, no user impact",
}
_BUILT_IN = re.compile(r"(?:sev(?:erity)?)?([1-4])")


def folded(name: str) -> str:
    """Return a severity's name as it is compared: without case, spaces, punctuation and invisible characters."""
    letters = unicodedata.normalize("NFKC", name).casefold()
    return "".join(char for char in letters if char.isalnum() or unicodedata.category(char)[0] == "M")


def built_in(name: str) -> Severity | None:
    """Return the level that a name stands for whatever is configured: `sev1`, `Severity 1`, `1`."""
    found = _BUILT_IN.fullmatch(folded(name))
    return Severity(f"sev{found[1]}") if found else None


@dataclass(frozen=True, slots=True)
class PagerDutyTarget:
    """Whom a level pages in PagerDuty, by PagerDuty's ids.

    Without an escalation policy the service's own is paged; without a service there must be a routing key.
    """

    escalation_policy: str = ""
    service: str = ""


OVERDUE_REPEAT = 3


@dataclass(frozen=True, slots=True)
class Level:
    """One rung of an escalation ladder.

    `after` is in seconds, counted from the moment the ladder starts (the declaration). `slack` holds e-mail
    addresses, Slack user ids or `@usergroup` handles. `pagerduty` is paged beside them, or alone.
    """

    name: str
    after: int = 0
    slack: tuple[str, ...] = ()
    pagerduty: PagerDutyTarget | None = None


@dataclass(frozen=True, slots=True)
class SeverityPolicy:
    """What a severity means: seconds to respond, seconds between updates (None: no cadence), own channel, ladder.

    `monitoring_every` are the seconds between updates once a fix is watched (None: as before). `overdue_repeat` is how
    often an overdue update is said in the incident's place after the ladder's top; then the operators hear of it.
    `key` and `name` are the company's own words for the severity, to type and to read (empty: the built-in ones).
    """

    respond_within: int
    update_every: int | None
    channel: bool
    ladder: tuple[Level, ...] = ()
    monitoring_every: int | None = None
    overdue_repeat: int = OVERDUE_REPEAT
    key: str = ""
    name: str = ""

    @property
    def words(self) -> tuple[str, ...]:
        """The company's own words for the severity, the one to type first."""
        return tuple(word for word in (self.key, self.name) if word)


@dataclass(frozen=True, slots=True)
class Policy:
    """The whole table, by severity."""

    severities: Mapping[Severity, SeverityPolicy] = field(default_factory=dict)

    def of(self, severity: Severity) -> SeverityPolicy:
        """Give the row of a severity."""
        return self.severities[severity]

    def called(self, severity: Severity) -> str:
        """Return the name of a severity that people read."""
        row = self.severities.get(severity)
        return (row and (row.name or row.key)) or severity.value

    def typed(self, severity: Severity) -> str:
        """Return the word for a severity that people type."""
        row = self.severities.get(severity)
        return next(iter(row.words if row else ()), severity.value)

    def argument(self, severity: Severity) -> str:
        """Return what stands behind `/incident sev` to set a severity."""
        word = self.typed(severity)
        return severity.value.removeprefix("sev") if word == severity.value else word

    def with_level(self, severity: Severity) -> str:
        """Return the name of a severity, and behind a company's own name the level that it stands for."""
        name = self.called(severity)
        return name if name == severity.value else f"{name} ({severity.value})"

    @property
    def names(self) -> dict[str, Severity]:
        """The severities by all the names under which people type them."""
        own = {word: severity for severity, row in self.severities.items() for word in row.words}
        return {**{severity.value: severity for severity in Severity}, **own}

    @property
    def means(self) -> dict[Severity, str]:
        """What each severity means, behind its name: the text of a choice among them."""
        return {severity: f"{self.called(severity)}: {meaning}" for severity, meaning in SEVERITY_MEANS.items()}

    @property
    def choice(self) -> str:
        """The severities as a line of help names them."""
        own = any(row.words for row in self.severities.values())
        return "|".join(self.typed(severity) for severity in Severity) if own else "sev1-4"

    def find(self, word: str) -> Severity | None:
        """Return the severity of a word; None where it names none."""
        own = {folded(name): severity for name, severity in self.names.items()}
        return own.get(folded(word)) or built_in(word)

    def without_pages(self) -> Policy:
        """Give the same policy with nobody on any ladder: for tests and drills."""
        return Policy({severity: replace(row, ladder=()) for severity, row in self.severities.items()})

    @property
    def names_pagerduty(self) -> bool:
        """True when some level of some ladder is paged through PagerDuty."""
        return any(level.pagerduty for row in self.severities.values() for level in row.ladder)

    def to_json(self) -> dict[str, Any]:
        """Give a JSON-ready copy, to be frozen on an incident."""
        return {
            severity.value: {
                "respond_within": row.respond_within,
                "update_every": row.update_every,
                "channel": row.channel,
                "monitoring_every": row.monitoring_every,
                "overdue_repeat": row.overdue_repeat,
                "key": row.key,
                "name": row.name,
                "ladder": [
                    {
                        "name": level.name,
                        "after": level.after,
                        "slack": list(level.slack),
                        "pagerduty": asdict(level.pagerduty) if level.pagerduty else None,
                    }
                    for level in row.ladder
                ],
            }
            for severity, row in self.severities.items()
        }

    @classmethod
    def from_json(cls, data: Mapping[str, Any]) -> Policy:
        """Read what `to_json` wrote."""
        return cls(
            {
                Severity(name): SeverityPolicy(
                    respond_within=row["respond_within"],
                    update_every=row["update_every"],
                    channel=row["channel"],
                    # An incident that opened under an older version has none of these keys.
                    monitoring_every=row.get("monitoring_every"),
                    overdue_repeat=row.get("overdue_repeat", OVERDUE_REPEAT),
                    key=row.get("key", ""),
                    name=row.get("name", ""),
                    ladder=tuple(
                        Level(
                            name=level["name"],
                            after=level["after"],
                            slack=tuple(level["slack"]),
                            pagerduty=PagerDutyTarget(**target) if (target := level.get("pagerduty")) else None,
                        )
                        for level in row["ladder"]
                    ),
                )
                for name, row in data.items()
            }
        )


MINUTE = 60
HOUR = 60 * MINUTE

# Seed 004, 5.1 and 5.2: response times; updates every 15 minutes for sev1 and sev2 (seed 003, Communication).
DEFAULT_SEVERITIES: Mapping[Severity, SeverityPolicy] = {
    Severity.SEV1: SeverityPolicy(5 * MINUTE, 15 * MINUTE, channel=True, monitoring_every=30 * MINUTE),
    Severity.SEV2: SeverityPolicy(15 * MINUTE, 15 * MINUTE, channel=True, monitoring_every=30 * MINUTE),
    Severity.SEV3: SeverityPolicy(respond_within=HOUR, update_every=None, channel=False),
    Severity.SEV4: SeverityPolicy(respond_within=4 * HOUR, update_every=None, channel=False),
}
DEFAULT_POLICY = Policy(DEFAULT_SEVERITIES)

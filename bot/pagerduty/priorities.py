"""Which severity a PagerDuty priority stands for: every account names its priorities itself.

The configured table decides, compared without case, spaces and punctuation; then a part of the name that the
table knows (`P1 - Critical`); then the place in the account's own list, which PagerDuty gives the most severe first.
"""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from datetime import datetime, timedelta

import structlog
from sqlalchemy import Connection

from bot.clock import Clock
from bot.errors import DatabaseUnavailable, OutwardError
from bot.incidents.policy import Severity
from bot.pagerduty.client import PagerDuty
from bot.store import pagerduty_priorities as kept
from bot.store.tx import Store

log = structlog.get_logger()

REFRESH = timedelta(hours=1)
AGAIN = timedelta(minutes=1)  # after a look that failed

_UNFIT = re.compile(r"[\W_]+")
_PARTS = re.compile(r"(?:sev(?:erity)?|prio(?:rity)?|p|s)?[\W_]*\d+|[^\W\d_]+")
_BY_PLACE = (Severity.SEV1, Severity.SEV2, Severity.SEV3, Severity.SEV4)

_NUMBERED = ("p", "s", "sev", "severity", "prio", "priority", "")
_NUMBERS = dict(enumerate((Severity.SEV1, *_BY_PLACE, Severity.SEV4)))  # 0 is worse than 1, and 5 no worse than 4

DEFAULT_PRIORITIES: Mapping[str, Severity] = {
    **{f"{word}{number}": severity for number, severity in _NUMBERS.items() for word in _NUMBERED},
    **dict.fromkeys(("critical", "blocker", "emergency", "urgent", "highest", "fatal", "disaster"), Severity.SEV1),
    **dict.fromkeys(("high", "major", "error"), Severity.SEV2),
    **dict.fromkeys(("medium", "moderate", "normal", "average", "warning"), Severity.SEV3),
    **dict.fromkeys(("low", "minor", "lowest", "trivial", "info", "informational"), Severity.SEV4),
}


def folded(name: str) -> str:
    """Return a name as the table compares it: `Sev 1`, `SEV-1` and `sev1` are one."""
    return _UNFIT.sub("", name.casefold())


class PriorityTable:
    """The configured names, and the account's own in their order."""

    def __init__(self, configured: Mapping[str, Severity], order: Sequence[str] = ()) -> None:
        named = {folded(name): severity for name, severity in configured.items()}
        self._table = {**DEFAULT_PRIORITIES, **named}
        self._order = tuple(folded(name) for name in order)

    def severity_of(self, name: str) -> Severity | None:
        """Return what a priority stands for; None where there is none, or nothing tells."""
        whole = folded(name)
        if not whole:
            return None
        if whole in self._table:
            return self._table[whole]
        for place, part in enumerate(_PARTS.findall(name.casefold())):
            # A word counts at the beginning only: `Non-critical` is none of the critical ones.
            if folded(part) in self._table and (place == 0 or part[-1].isdigit()):
                return self._table[folded(part)]
        if whole in self._order:
            return _BY_PLACE[min(self._order.index(whole), len(_BY_PLACE) - 1)]
        return None


class Priorities:
    """Keeps the account's priorities, so that no webhook waits for them; a failure leaves the last answer."""

    def __init__(self, configured: Mapping[str, Severity], client: PagerDuty, store: Store, clock: Clock) -> None:
        self._configured = configured
        self._client = client
        self._store = store
        self._clock = clock
        self._table: PriorityTable | None = None
        self._due_at: datetime | None = None

    def severity_of(self, connection: Connection, name: str) -> Severity | None:
        """Return what a priority stands for; None where there is none, or nothing tells."""
        if self._table is None:
            self._table = PriorityTable(self._configured, kept.names(connection))
        return self._table.severity_of(name)

    async def run(self) -> None:
        """Ask PagerDuty for the account's priorities, where there is a key and the last answer is old."""
        now = self._clock.now()
        if not self._client.has_api or (self._due_at is not None and now < self._due_at):
            return
        try:
            names = await self._client.priorities()
            await self._store.write(lambda tx: kept.replace(tx.connection, names))
        except (OutwardError, DatabaseUnavailable) as error:
            self._due_at = now + AGAIN
            log.warning("pagerduty_priorities_unknown", reason=str(error))
            return
        self._due_at = now + REFRESH
        self._table = PriorityTable(self._configured, names)

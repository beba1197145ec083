"""What is open at PagerDuty, for the auditor to compare with."""

from __future__ import annotations

from bot.errors import OutwardError
from bot.incidents.reconcile import Look, Reported
from bot.incidents.sources import PAGERDUTY
from bot.pagerduty.client import PagerDuty


class OpenIncidents:
    """PagerDuty's incidents that are not resolved, each of them an alert of ours by its id."""

    def __init__(self, client: PagerDuty) -> None:
        self._client = client

    @property
    def name(self) -> str:
        """The source of its alerts."""
        return PAGERDUTY

    async def look(self) -> Look:
        """Ask for them; without an answer nothing is known."""
        try:
            found = await self._client.open_incidents()
        except OutwardError as error:
            return Look(problems=(str(error),))
        return Look(tuple(Reported(incident.id, {}) for incident in found))

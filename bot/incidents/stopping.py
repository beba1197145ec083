"""What every end of an incident stops, whichever end it is. Pure."""

from __future__ import annotations

from bot.incidents import alerting, cadence, escalation, people, telling
from bot.incidents.draft import Draft


def stop(draft: Draft) -> None:
    """Tell what waits to be told, and stop updates, ladder and an offered handoff."""
    telling.now(draft, ends=True)
    alerting.sum_up(draft)
    cadence.stop(draft)
    if draft.incident.quiet_told:
        draft.take_back_all("suggest_resolve")
    escalation.stop(draft)
    people.drop_handoff(draft, "withdrawn")

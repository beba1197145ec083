"""Alerts that join an open incident: an incident that is open is no cover for what is worse, or is something else.

What is worse than all before raises the severity and pages anew. Another alert name, service or workload than those
that people have heard of is a message that mentions the lead, or the ladder where nobody leads. More of the same only
edits the card. Pure.
"""

from __future__ import annotations

from collections.abc import Sequence

from bot.incidents import commands as c
from bot.incidents import escalation, responding, telling
from bot.incidents.draft import Draft
from bot.incidents.heard import Joined
from bot.incidents.model import SYSTEM, Actor
from bot.incidents.policy import Severity


def join(draft: Draft, alerts: Sequence[Joined], actor: Actor) -> None:
    """Take in what alerts that have just begun say of an incident; those that a rule silences are not among them."""
    heard = draft.incident.heard
    worse, unknown = heard.worse(alerts), heard.unknown(alerts)
    if worse is None and not unknown:
        return
    draft.set(heard=heard.with_known(alerts))
    raises = worse is not None and worse.value < draft.incident.severity.value
    if worse is not None and raises:
        lead = min(alerts, key=lambda alert: alert.severity.value)
        raise_severity(draft, worse, f"{lead.kind} joined", actor)
    if unknown and not (raises and draft.incident.rule.ladder and draft.incident.lead is None):  # else that page tells
        draft.set(heard=draft.incident.heard.with_waiting(unknown))
        telling.when_due(draft)


def carry(draft: Draft, alerts: Sequence[Joined]) -> None:
    """Take in what alerts say that fire since before: it is no news, unless it is worse than the incident."""
    worse = draft.incident.heard.worse(alerts)
    draft.set(heard=draft.incident.heard.with_known(alerts))
    if worse is not None and worse.value < draft.incident.severity.value and draft.incident.status.is_open:
        lead = min(alerts, key=lambda alert: alert.severity.value)
        raise_severity(draft, worse, f"{lead.kind} still fires", SYSTEM)


def raise_severity(draft: Draft, severity: Severity, why: str, actor: Actor) -> None:
    """Raise the severity; whoever acknowledged did not know of this, so that the ladder starts anew."""
    escalation.take_back(draft, reason=why, actor=actor)
    if draft.incident.next_page is None:
        escalation.forget(draft)
    responding.set_severity(draft, c.SetSeverity(severity, actor, why))

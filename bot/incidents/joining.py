"""Alerts that join an open incident: an incident that is open is no cover for what is worse, or is something else.

What is worse than all before raises the severity and pages anew. Another alert name, service or workload than those
that people have heard of is a message that mentions the lead, or the ladder where nobody leads. More of the same only
edits the card. Pure.
"""

from __future__ import annotations

from collections.abc import Sequence
from datetime import timedelta

from bot.incidents import commands as c
from bot.incidents import escalation, responding
from bot.incidents.draft import Draft
from bot.incidents.heard import Joined
from bot.incidents.model import SYSTEM, Actor, TimerKind
from bot.incidents.policy import Severity

PACE = timedelta(minutes=5)  # between messages about what joins; the card and the timeline have it at once
TELL = 1  # the level of an alert digest's timer that tells what joined


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
        _tell_when_due(draft)


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


def tell(draft: Draft) -> None:
    """Tell what has joined since the last message, where the incident is still open."""
    heard = draft.incident.heard
    draft.disarm(lambda timer: timer.kind is TimerKind.ALERT_DIGEST and timer.level == TELL)
    if not heard.waiting:
        return
    draft.set(heard=heard.told(draft.now))
    if not draft.incident.status.is_open:  # its card and timeline have it
        return
    facts = {"joined": ", ".join(heard.waiting), "more": heard.more, "loud": heard.loud}
    more = f" and {heard.more} more" if heard.more else ""
    draft.event("note", f"Joined this incident: {facts['joined']}{more}", data=facts)
    incident = draft.incident
    at_rest = incident.next_page is None  # acknowledged, or at its top
    if heard.loud and not incident.lead and incident.rule.ladder and at_rest:
        escalation.page_first(draft, reason="joined", joined=", ".join(heard.waiting), more=heard.more)
    else:
        draft.deliver("alerts_joined", "page", needs=(incident.home_slot,), data=facts)


def _tell_when_due(draft: Draft) -> None:
    told_at = draft.incident.heard.told_at
    if told_at is None or draft.now - told_at >= PACE:
        tell(draft)
    elif not any(t.kind is TimerKind.ALERT_DIGEST and t.level == TELL for t in draft.incident.timers):
        draft.arm(TimerKind.ALERT_DIGEST, told_at + PACE, level=TELL)

"""Tells people what has joined an open incident and is not more of the same: at most so often, and before it ends."""

from __future__ import annotations

from datetime import timedelta

from bot.incidents import escalation
from bot.incidents.draft import Draft
from bot.incidents.model import Timer, TimerKind

PACE = timedelta(minutes=5)  # between messages about what joins; the card and the timeline have it at once
TELL = 1  # the level of an alert digest's timer that tells what joined


def when_due(draft: Draft) -> None:
    """Tell what waits at once, or once the last message is old enough."""
    told_at = draft.incident.heard.told_at
    if told_at is None or draft.now - told_at >= PACE:
        now(draft)
    elif not any(is_for_it(timer) for timer in draft.incident.timers):
        draft.arm(TimerKind.ALERT_DIGEST, told_at + PACE, level=TELL)


def now(draft: Draft, *, ends: bool = False) -> None:
    """Tell what has joined since the last message; where the incident `ends` with it, nobody is paged any more."""
    heard = draft.incident.heard
    draft.disarm(is_for_it)
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
    if heard.loud and not incident.lead and incident.rule.ladder and at_rest and not ends:
        escalation.page_first(draft, reason="joined", joined=", ".join(heard.waiting), more=heard.more)
    else:
        draft.deliver("alerts_joined", "page", needs=(incident.home_slot,), data=facts)


def is_for_it(timer: Timer) -> bool:
    """Whether a timer waits to tell what joined."""
    return timer.kind is TimerKind.ALERT_DIGEST and timer.level == TELL

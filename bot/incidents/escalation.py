"""The escalation ladder: who is paged, and when, until somebody acknowledges (seed 004, 3.4)."""

from __future__ import annotations

from datetime import timedelta

from bot.incidents.draft import Draft
from bot.incidents.model import Timer, TimerKind
from bot.incidents.policy import Level


def start(draft: Draft, *, mention: bool) -> str:
    """Page the first level and arm the others; every level counts from now.

    Where an initial notification follows, it mentions the first level, so that only an invitation is needed: without
    `mention`, its slot is returned (an empty string where nobody is invited).
    """
    ladder = draft.incident.rule.ladder
    if not ladder:  # it does not begin to count: a higher severity may have one
        stop(draft)
        return ""
    draft.set(ladder_from=draft.now)
    invite = ""
    if ladder[0].after == 0:
        invite = _page(draft, 1, kind="paged", reason="declared", mention=mention)
    arm_rest(draft)
    return invite


def arm_rest(draft: Draft) -> None:
    """Arm the levels that have not been reached; one whose moment has passed is due at once."""
    stop(draft)
    incident = draft.incident
    if incident.acknowledged_at or not incident.status.is_open or incident.ladder_from is None:
        return
    for number, level in enumerate(incident.rule.ladder, start=1):
        if number > incident.ladder_level:
            due = incident.ladder_from + timedelta(seconds=level.after)
            draft.arm(TimerKind.LADDER, max(due, draft.now), level=number)


def resume(draft: Draft) -> None:
    """Go on after a change of severity; a ladder that had been stopped counts from now, not from long ago."""
    if draft.incident.next_page is None:
        draft.set(ladder_from=draft.now)
    arm_rest(draft)


def stop(draft: Draft) -> None:
    """Cancel every step that has not fired."""
    draft.disarm(lambda t: t.kind is TimerKind.LADDER)


def fired(draft: Draft, timer: Timer) -> None:
    """Page the level whose time has come without an acknowledgement."""
    if draft.incident.acknowledged_at or timer.level > len(draft.incident.rule.ladder):
        return
    waited = int((draft.now - (draft.incident.ladder_from or draft.now)).total_seconds())
    first = timer.level == 1
    _page(
        draft,
        timer.level,
        kind="paged" if first else "escalated",
        reason="declared" if first else "not_acknowledged",
        waited_seconds=waited,
    )
    draft.refresh()


def climb(draft: Draft, *, reason: str, late_seconds: int) -> bool:
    """Page the level above the highest reached; False where there is none."""
    number = draft.incident.ladder_level + 1
    if number > len(draft.incident.rule.ladder):
        return False
    _page(draft, number, kind="escalated", reason=reason, late_seconds=late_seconds)
    draft.refresh()
    return True


def repeat(draft: Draft) -> None:
    """Mention the level that was paged last once more, because the place where it was mentioned is gone."""
    incident = draft.incident
    number = min(incident.ladder_level, len(incident.rule.ladder))  # the severity may have got a shorter ladder
    if number and incident.status.is_open and not incident.acknowledged_at:
        level = incident.rule.ladder[number - 1]
        facts = {
            "level": number,
            "name": level.name,
            "people": list(level.slack),
            "reason": "declared",
        }
        draft.deliver("page", "page", needs=(incident.home_slot,), data=facts)


def _page(draft: Draft, number: int, *, kind: str, reason: str, mention: bool = True, **data: int) -> str:
    level: Level = draft.incident.rule.ladder[number - 1]
    draft.set(ladder_level=max(draft.incident.ladder_level, number))
    why = {
        "declared": "incident declared",
        "not_acknowledged": "nobody has acknowledged",
        "update_overdue": "the update is overdue",
    }[reason]
    verb = "Paged" if kind == "paged" else "Escalated to"
    facts = {"level": number, "name": level.name, "people": list(level.slack), "reason": reason, **data}
    seq = draft.event(kind, f"{verb} level {number}, {level.name}: {why}", data=facts).seq
    home = draft.incident.home_slot
    invite = f"invite:{number}:{seq}" if draft.incident.opened_channel and level.slack else ""
    if invite:
        draft.deliver("invite", "invite", slot=invite, needs=(home,), data=facts)
    if mention:
        draft.deliver("page", "page", needs=(home,), after=(invite,) if invite else (), data=facts)
    return invite

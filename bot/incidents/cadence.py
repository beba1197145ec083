"""The update cadence of sev1 and sev2: a quiet reminder, an overdue notice, a climb on the ladder.

For an interval U counted from the last update (or the declaration): reminder at 0.8 U, overdue at U, climb at 4/3 U,
then one climb per U; above the ladder's top a few notices more, then one an hour to the operators. Exactly one of these
timers is armed at any time, so that time away ends in one message, not a backlog. Source: seed 003 (updates every 15
minutes) and seed 004, 5.3 (each update names the next).
"""

from __future__ import annotations

from datetime import datetime, timedelta

from bot.incidents import escalation
from bot.incidents.draft import Draft
from bot.incidents.model import CADENCE_KINDS, Timer, TimerKind
from bot.incidents.moments import clock

REMIND_AT = 0.8
CLIMB_AFTER = 1 / 3
REMINDED = 1  # the level of the timer that follows a reminder
OPERATORS_EVERY = 3600  # seconds


def restart(draft: Draft, next_in: int | None = None) -> None:
    """Count a full interval from now, or as long as the update says; stop where there is no cadence."""
    stop(draft)
    draft.set(cadence_every=next_in)
    every = draft.incident.update_every
    if draft.incident.status.is_open and every is not None:
        draft.set(cadence_from=draft.now)
        draft.arm(TimerKind.UPDATE_REMINDER, draft.now + timedelta(seconds=every * REMIND_AT))


def pace(draft: Draft, before: int | None) -> None:
    """Go on at the pace of the status that has just been set; `before` is the interval until then, in seconds.

    A slower one counts from the last update, so that no status is an update in disguise; a faster one counts from now.
    What is overdue, paused, or as an update has said, stays so.
    """
    incident, base = draft.incident, draft.incident.cadence_from
    every = incident.regular_every
    if base is None or every is None or before is None or every == before or incident.cadence_every is not None:
        return
    if incident.update_is_overdue:
        draft.set(cadence_every=before)
        return
    if every < before:
        restart(draft)
        return
    _disarm(draft)
    remind_at = base + timedelta(seconds=every * REMIND_AT)
    if remind_at > draft.now:
        draft.arm(TimerKind.UPDATE_REMINDER, remind_at)
    else:
        draft.arm(TimerKind.UPDATE_OVERDUE, max(base + timedelta(seconds=every), draft.now))


def stop(draft: Draft) -> None:
    """Cancel whatever the cadence has armed, and take its reminder back."""
    _disarm(draft)
    draft.disarm(lambda t: t.kind is TimerKind.CADENCE_RESUME)
    draft.set(paused_until=None, cadence_from=None)


def _disarm(draft: Draft) -> None:
    """Cancel the cadence's timers; a reminder that is out has been answered, or counts no more."""
    for timer in draft.incident.timers:
        _take_reminder_back(draft, timer)
    draft.disarm(lambda t: t.kind in CADENCE_KINDS)


def _take_reminder_back(draft: Draft, timer: Timer) -> None:
    base = draft.incident.cadence_from
    if timer.kind is TimerKind.UPDATE_OVERDUE and timer.level == REMINDED and base is not None:
        draft.take_back(_reminder(base, timer.due_at))


def _reminder(base: datetime, due: datetime) -> str:
    """Return the slot of the reminder of an update, whose interval began at `base`."""
    return f"reminder:{base:%Y%m%dT%H%M%S.%f}:{due:%Y%m%dT%H%M%S.%f}"


def pause(draft: Draft, until: datetime) -> None:
    """Ask for nothing until then; the cadence starts anew at that moment."""
    stop(draft)
    draft.set(paused_until=until)
    draft.arm(TimerKind.CADENCE_RESUME, until)


def fired(draft: Draft, timer: Timer) -> None:
    """Do what a due cadence timer asks, and arm the one that follows."""
    if timer.kind is TimerKind.CADENCE_RESUME:
        draft.event("cadence_paused", "Pause ended; updates are due again", data={"resumed": True})
        restart(draft)
        draft.refresh()
        return
    every = draft.incident.update_every
    base = draft.incident.cadence_from
    if every is None or base is None:  # a severity without cadence was set while the timer was on its way
        return
    due = base + timedelta(seconds=every)
    late = int((draft.now - due).total_seconds())
    if timer.kind is TimerKind.UPDATE_REMINDER and draft.now < due:
        draft.event("update_due", f"Update due at {clock(draft.incident, due)} UTC", data={"due_at": due.isoformat()})
        facts = {"due_at": due.isoformat()}
        draft.deliver("reminder", "notice", slot=_reminder(base, due), needs=(draft.incident.home_slot,), data=facts)
        draft.arm(TimerKind.UPDATE_OVERDUE, due, level=REMINDED)
    elif timer.kind is TimerKind.UPDATE_CLIMB:
        said = timer.level  # notices since the ladder's top
        if escalation.climb(draft, reason="update_overdue", late_seconds=late):
            again = every
        elif said < draft.incident.rule.overdue_repeat:
            _overdue(draft, due, late)
            said, again = said + 1, every
        else:
            _tell_operators(draft, due, late)
            again = max(every, OPERATORS_EVERY)
        draft.arm(TimerKind.UPDATE_CLIMB, draft.now + timedelta(seconds=again), level=said)
    else:
        _take_reminder_back(draft, timer)
        _overdue(draft, due, late)
        climb_at = due + timedelta(seconds=every * CLIMB_AFTER)
        if climb_at <= draft.now:
            climb_at = draft.now + timedelta(seconds=every * CLIMB_AFTER)
        draft.arm(TimerKind.UPDATE_CLIMB, climb_at)


def _overdue(draft: Draft, due: datetime, late: int) -> None:
    data = {"due_at": due.isoformat(), "late_seconds": late}
    how_late = f" by {spell(late)}" if late >= 1 else ""
    draft.event(
        "update_overdue", f"Update overdue{how_late}; it was due at {clock(draft.incident, due)} UTC", data=data
    )
    draft.deliver("overdue", "notice", needs=(draft.incident.home_slot,), data=data)
    draft.refresh()


def _tell_operators(draft: Draft, due: datetime, late: int) -> None:
    """Leave whoever was mentioned often enough alone, and tell the operators that nobody answers."""
    number, how_late = draft.incident.number, spell(late)
    data = {"due_at": due.isoformat(), "late_seconds": late, "told": "operators"}
    draft.event("update_overdue", f"Update overdue by {how_late}; operators told", data=data)
    text = f"{number}: the update is {how_late} overdue, and everyone on the ladder was paged. Check on the incident."
    draft.deliver("operators", "operators", data={"text": text})
    draft.refresh()


def spell(seconds: float) -> str:
    """Say a number of seconds for people: `45 s`, `12 min`, `1 h 05 min`, `2 d 3 h`."""
    whole = max(int(seconds), 0)
    if whole < 60:
        return f"{whole} s"
    minutes = whole // 60
    if minutes < 60:
        return f"{minutes} min"
    hours, minutes = divmod(minutes, 60)
    if hours < 48:
        return f"{hours} h {minutes:02} min" if minutes else f"{hours} h"
    days, hours = divmod(hours, 24)
    return f"{days} d {hours} h" if hours else f"{days} d"

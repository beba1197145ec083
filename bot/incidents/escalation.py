"""The escalation ladder: who is paged, and when, until somebody acknowledges (seed 004, 3.4).

A level is paged in Slack, through PagerDuty, or both. Where none of its ways reaches anybody, the next level's turn
comes at once.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import asdict
from datetime import timedelta
from typing import Any

from bot.incidents import wording
from bot.incidents.draft import Draft
from bot.incidents.model import SYSTEM, Actor, Incident, Timer, TimerKind
from bot.incidents.moments import clock
from bot.incidents.policy import Level

# Somebody wants this very person; or what joined is something else than what was acknowledged.
_DESPITE_ACKNOWLEDGEMENT = frozenset({"asked", "joined"})


ASKED = "page:asked:"  # begins the slot of a page that somebody asked for


def start(draft: Draft, *, mention: bool, reason: str = "declared", **data: str) -> str:
    """Page the first level and arm the others; every level counts from now.

    Where an initial notification follows, it mentions the first level, so that only an invitation is needed: without
    `mention`, its slot is returned (an empty string where nobody is invited). `data` are facts that the page names.
    """
    ladder = draft.incident.rule.ladder
    if not ladder:  # it does not begin to count: a higher severity may have one
        stop(draft)
        return ""
    draft.set(ladder_from=draft.now)
    invite = ""
    knows = draft.incident.acknowledged_at is not None and reason == "declared"  # a severity was lowered since
    if ladder[0].after == 0 and not knows:
        invite = _page(draft, 1, kind="paged", reason=reason, mention=mention, **data)
    arm_rest(draft)
    return invite


def page_anew(draft: Draft, *, reason: str, **data: str) -> None:
    """Page as if it had just been declared: earlier acknowledgements and pages count no more."""
    draft.set(acknowledged_at=None, acknowledged_by=None, ladder_level=0, paging={})
    start(draft, mention=True, reason=reason, **data)


def void_acknowledgement(draft: Draft, *, reason: str, actor: Actor) -> None:
    """Take an acknowledgement back that no longer covers the incident, and page anew; nothing where there is none.

    Args:
        draft: the decision in the making.
        reason: why it no longer counts, as plain text that can follow a colon.
        actor: who or what made it void.
    """
    if take_back(draft, reason=reason, actor=actor):
        page_anew(draft, reason="acknowledgement_void", why=reason)
        draft.refresh()


def take_back(draft: Draft, *, reason: str, actor: Actor) -> bool:
    """Say that an acknowledgement no longer counts; False where there is none. Paging anew is the caller's."""
    incident = draft.incident
    if incident.acknowledged_at is None or not incident.status.is_open:
        return False
    given, who = f"{clock(incident, incident.acknowledged_at)} UTC", incident.acknowledged_by or SYSTEM
    data = {"void": "acknowledgement", "acknowledged_by": who.name, "why": reason}
    text = f"The acknowledgement by {who.name} ({given}) no longer counts: {reason}"
    draft.event("note", text, actor=actor, data=data)
    then = "Paging again." if incident.rule.ladder else "Nobody is paged: acknowledge if you are working on it."
    void = f"{wording.mention(who)}'s acknowledgement ({given}) no longer counts: {wording.plain(reason)}."
    wording.say(draft, f":warning: {void} {then}")
    draft.set(acknowledged_at=None, acknowledged_by=None)
    return True


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


def forget(draft: Draft) -> None:
    """Begin anew with the ladder at its next start: who was paged, and who acknowledged, knew of something else."""
    stop(draft)
    draft.set(acknowledged_at=None, acknowledged_by=None, ladder_from=None, ladder_level=0, paging={})


def page_first(draft: Draft, *, reason: str, **data: int | str) -> None:
    """Page the first level once more, for something that it has not heard of; the next ones are as they were."""
    _page(draft, 1, kind="paged", reason=reason, mention=True, **data)


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


def climb(draft: Draft, *, reason: str, **data: int | str) -> bool:
    """Page the level above the highest reached; False where there is none. `data` are facts that the page names."""
    number = draft.incident.ladder_level + 1
    if number > len(draft.incident.rule.ladder):
        return False
    _page(draft, number, kind="escalated", reason=reason, mention=True, **data)
    draft.refresh()
    return True


def repeat(draft: Draft) -> None:
    """Mention the level that was paged last once more, because the place where it was mentioned is gone."""
    incident = draft.incident
    number = min(incident.ladder_level, len(incident.rule.ladder))  # the severity may have got a shorter ladder
    if number and incident.status.is_open and not incident.acknowledged_at:
        facts = _facts(number, incident.rule.ladder[number - 1], "declared")
        slot = f"page:{number}:again:{incident.delivery_seq}"
        draft.deliver("page", "page", slot=slot, needs=(incident.home_slot,), data=facts)
        waiting = incident.paging.get(str(number))
        if waiting is not None and facts["people"]:
            others = [way for way in waiting["ways"] if way.startswith("page_pagerduty:")]
            _set_paging(draft, number, {**waiting, "ways": [slot, *others]})


def page_directly(draft: Draft, slot: str, data: Mapping[str, Any]) -> bool:
    """Page in direct messages, because the place for a page cannot be had; False where nobody waits for that page."""
    number = _level_of(draft, slot)
    if number is not None:
        waiting = draft.incident.paging[str(number)]
        facts = {**_facts(number, draft.incident.rule.ladder[number - 1], waiting["reason"]), **waiting["data"]}
    elif slot.startswith(ASKED):
        facts = dict(data)
    else:
        return False
    if not facts["people"]:
        return False
    directly = f"{slot}:direct"
    draft.deliver("page", "page", slot=directly, data={**facts, "direct": True})
    if number is not None:
        ways = [directly if way == slot else way for way in waiting["ways"]]
        _set_paging(draft, number, {**waiting, "ways": ways})
    return True


def is_needless(incident: Incident, reason: str) -> bool:
    """True when a page that has not gone out need not go out any more.

    An acknowledgement stops every page but that of an overdue update; that one goes while the update is overdue.
    """
    if not incident.status.is_open:
        return True
    if reason in _DESPITE_ACKNOWLEDGEMENT:
        return False
    return not incident.update_is_overdue if reason == "update_overdue" else incident.acknowledged_at is not None


def tell_pagerduty(draft: Draft, *, again: str = "") -> None:
    """Have PagerDuty stop paging for what we opened there, because somebody has answered here or it is over.

    `again` is the key of what was told before and PagerDuty has forgotten.
    """
    if draft.incident.policy.names_pagerduty or again:
        state = "acknowledged" if draft.incident.status.is_open else "resolved"
        data = {"state": state, "again": again} if again else {"state": state}
        draft.deliver("pagerduty_state", "pagerduty", data=data, coalesce=not again)


def awaited(draft: Draft, slot: str) -> bool:
    """True while it depends on this page, too, whether anybody of a level is reached."""
    return _level_of(draft, slot) is not None


def reached(draft: Draft, slot: str) -> None:
    """Note that a page got to somebody: its level is reached, whatever becomes of the level's other pages."""
    number = _level_of(draft, slot)
    if number is not None:
        _set_paging(draft, number, None)


def unreached(draft: Draft, slot: str) -> None:
    """Note that a page got to nobody; where it was the last hope of its level, the next one is paged at once."""
    number = _level_of(draft, slot)
    if number is None:
        return
    waiting = draft.incident.paging[str(number)]
    left = [way for way in waiting["ways"] if way != slot]
    if left:
        _set_paging(draft, number, {**waiting, "ways": left})
        return
    _set_paging(draft, number, None)
    untrue = waiting["reason"] == "update_overdue" and not draft.incident.update_is_overdue
    if draft.incident.status.is_open and not untrue:
        _pass_on(draft, number, waiting["reason"], waiting["data"])
        draft.refresh()


def _pass_on(draft: Draft, number: int, reason: str, data: dict[str, int | str]) -> None:
    """Page the level after one of which nobody could be reached; it always goes up, so it ends at the top."""
    incident = draft.incident
    above = number + 1
    # What goes out despite an acknowledgement is news for those too who were reached before.
    passed = number < incident.ladder_level and reason not in _DESPITE_ACKNOWLEDGEMENT
    if passed or above > len(incident.rule.ladder):
        return
    if incident.acknowledged_at and reason not in {"update_overdue", *_DESPITE_ACKNOWLEDGEMENT}:
        return
    # Its turn has come; it need not come again because time goes on.
    draft.disarm(lambda t: t.kind is TimerKind.LADDER and t.level == above)
    # These survive an acknowledgement, and go on being what they are.
    why = reason if reason in {"update_overdue", *_DESPITE_ACKNOWLEDGEMENT} else "nobody_reached"
    _page(draft, above, kind="escalated", reason=why, mention=True, **{**data, "unreached": number})


def _page(draft: Draft, number: int, *, kind: str, reason: str, mention: bool = True, **data: int | str) -> str:
    level: Level = draft.incident.rule.ladder[number - 1]
    draft.set(ladder_level=max(draft.incident.ladder_level, number))
    why = {
        "declared": "incident declared",
        "asked": f"requested by {data.get('by')}",
        "raised": "the severity was raised",
        "joined": f"{data.get('joined')} joined",
        "fires_again": "its alerts are firing again",
        "acknowledgement_void": "the acknowledgement no longer counts",
        "reopened": "it was reopened",
        "not_acknowledged": "nobody has acknowledged",
        "update_overdue": "the update is overdue",
        "nobody_reached": f"nobody on level {data.get('unreached', number - 1)} could be reached",
    }[reason]
    verb = "Paged" if kind == "paged" else "Escalated to"
    facts = {**_facts(number, level, reason), **data}
    seq = draft.event(kind, f"{verb} level {number}, {level.name}: {why}", data=facts).seq
    home = draft.incident.home_slot
    invite = f"invite:{number}:{seq}" if draft.incident.is_at_home and level.slack else ""
    page = f"page:{number}:{seq}" if mention else "notification"
    ways = [page] if level.slack else []
    if invite:
        draft.deliver("invite", "invite", slot=invite, needs=(home,), data=facts)
    if mention:
        draft.deliver("page", "page", slot=page, needs=(home,), after=(invite,) if invite else (), data=facts)
    if level.pagerduty:
        ways.append(f"page_pagerduty:{number}:{seq}")
        # It needs nothing of Slack: it goes out while Slack is down.
        draft.deliver("page_pagerduty", "pagerduty", slot=ways[-1], data={**facts, **asdict(level.pagerduty)})
    if ways:
        _set_paging(draft, number, {"ways": ways, "reason": reason, "data": data})
    else:
        text = f"Page failed: level {number}, {level.name}, names nobody. Add people to the ladder (SITREP_CONFIG)."
        draft.event("page_failed", text, data={"level": number, "name": level.name, "reason": "names_nobody"})
        _pass_on(draft, number, reason, data)
    return invite


def _facts(number: int, level: Level, reason: str) -> dict[str, Any]:
    facts = {"level": number, "name": level.name, "people": list(level.slack), "reason": reason}
    return {**facts, "pagerduty": True} if level.pagerduty else facts


def _level_of(draft: Draft, slot: str) -> int | None:
    """Find the level that waits for a page."""
    found: Iterable[int] = (int(n) for n, waiting in draft.incident.paging.items() if slot in waiting["ways"])
    return next(iter(found), None)


def _set_paging(draft: Draft, number: int, waiting: dict[str, Any] | None) -> None:
    others = {n: kept for n, kept in draft.incident.paging.items() if n != str(number)}
    draft.set(paging=others if waiting is None else {**others, str(number): waiting})

"""Undo of an end: a resolved, closed, cancelled or merged incident is investigated again. Pure."""

from __future__ import annotations

from datetime import timedelta

from bot.incidents import cadence, escalation, moving
from bot.incidents import commands as c
from bot.incidents.draft import Draft
from bot.incidents.model import Actor, Refused, Role, Status, TimerKind
from bot.incidents.wording import mention, plain, say

# After so long, about a shift, whoever acknowledged and led is probably not at work any more.
FRESH_START = timedelta(hours=8)


def reopen(draft: Draft, command: c.Reopen) -> None:
    """Take an end back: updates are due again, and the ladder goes on unless somebody has acknowledged."""
    incident = draft.incident
    if incident.status.is_open:
        raise Refused(
            "open", f"{incident.number} is open ({incident.status.value}). To end it: `/incident resolve <text>`."
        )
    if incident.status is Status.MERGED:
        raise Refused(
            "merged", f"{incident.number} was merged into {incident.merged_into}. Undo that: `/incident unmerge`."
        )
    begin_again(draft, command.actor, command.why)


def unmerge(draft: Draft, command: c.Unmerge) -> None:
    """Take a merge back; its alerts come back beside."""
    incident = draft.incident
    if incident.status is not Status.MERGED:
        raise Refused(
            "not_merged", f"{incident.number} is {incident.status.value}, not merged. See `/incident status`."
        )
    draft.set(merged_into="")
    begin_again(draft, command.actor, command.why, was=incident.merged_into)


def begin_again(draft: Draft, actor: Actor, why: str, *, was: str = "", page: str = "") -> None:
    """Investigate again what had ended.

    Args:
        draft: the decision in the making.
        actor: who or what takes the end back.
        why: a reason, as plain text; may be empty.
        was: the incident that it had been merged into.
        page: a reason to page as if it had just been declared; without one a fresh start alone pages.
    """
    incident = draft.incident
    ended = incident.ended_at or incident.closed_at or incident.resolved_at
    is_fresh = ended is not None and draft.now - ended >= FRESH_START
    draft.set(status=Status.INVESTIGATING, ended_at=None, resolved_at=None, closed_at=None, mitigated_at=None)
    draft.set(quiet_told=False)
    draft.disarm(lambda t: t.kind is TimerKind.FLAP_HOLD)
    said = f": {why}" if why else ""
    data = {"from": incident.status.value, "to": Status.INVESTIGATING.value, "why": why}
    if was:
        data["unmerged"] = was
    what = f"Split off from {was}" if was else "Reopened"
    draft.event("reopened", f"{what}{said}", actor=actor, data=data)
    moving.unarchive(draft, actor)
    cadence.restart(draft)
    verb = f"split {incident.number} off from {was}" if was else f"reopened {incident.number}"
    anew = " It was over for hours: acknowledge it again and take the lead." if is_fresh else ""
    say(draft, f"{mention(actor)} {verb}{plain(said)}.{anew}")
    if is_fresh:
        draft.set(roles={role: person for role, person in incident.roles.items() if role != Role.LEAD})
    if is_fresh or page:
        escalation.page_anew(draft, reason=page or "reopened", **({"why": why} if why else {}))
    elif incident.acknowledged_at is None:
        escalation.resume(draft)
    draft.refresh()

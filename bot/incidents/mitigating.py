"""Mitigations: changes that are to be taken back, and by when (seed 001: expected rollback time). Pure."""

from __future__ import annotations

from dataclasses import asdict
from datetime import timedelta
from typing import Any

from bot.incidents import commands as c
from bot.incidents.draft import Draft
from bot.incidents.model import Actor, Refused, TimerKind
from bot.incidents.moments import clock
from bot.incidents.runs import Mitigation, unfilled
from bot.incidents.wording import iso, plain, short

TEXT = 300  # characters of what was done


def open_one(
    draft: Draft,
    *,
    text: str,
    command: str,
    rollback: str,
    within: int,
    actor: Actor,
    book: str = "",
    step: int = 0,
) -> Mitigation:
    """Put a change on the card, and ask for its rollback `within` seconds."""
    number = draft.incident.mitigation_seq + 1
    made = Mitigation(
        id=number,
        text=short(text, TEXT),
        by=actor.id,
        name=actor.name,
        at=draft.now,
        rollback=rollback,
        within=within,
        due_at=draft.now + timedelta(seconds=within),
        command=command,
        book=book,
        step=step,
    )
    draft.set(mitigation_seq=number, mitigations=(*draft.incident.mitigations, made))
    draft.arm(TimerKind.ROLLBACK, made.due_at, level=number)
    draft.deliver(
        "mitigation", "notice", slot=_slot(made), needs=(draft.incident.home_slot,), data={"mitigation": number}
    )
    draft.refresh_card()
    return made


def intervene(draft: Draft, command: c.Intervene) -> None:
    """Put what a tool has done on the timeline; also after the incident's end."""
    when = draft.moment(command.occurred_at)
    ran = command.command if not unfilled(command.command) else ""
    data: dict[str, Any] = {"intervention": True, "command": ran}
    if ran != command.command:
        data["command_shown"] = command.command
    if command.rollback:
        made = open_one(
            draft,
            text=command.text,
            command=ran,
            rollback=command.rollback,
            within=command.rollback_within,
            actor=command.actor,
        )
        data["mitigation"] = facts(made)
    draft.event("note", command.text, actor=command.actor, data=data, occurred_at=when)
    draft.refresh_card()


def end(draft: Draft, command: c.EndMitigation) -> None:
    """Note that a change was taken back, or that it stays; also after the incident's end."""
    made = next((m for m in draft.incident.mitigations if m.id == command.mitigation), None)
    if made is None:
        raise Refused("no_mitigation", "This change is no longer in place: someone ended it. See the card.")
    how = "Made permanent" if command.permanent else "Rolled back"
    _drop(draft, made, f"{how} by {command.actor.name} at {clock(draft.incident, draft.now)} UTC")
    data = {"mitigation": facts(made) | {"ended": "permanent" if command.permanent else "rolled_back"}}
    draft.event("note", f"{how}: {made.text}", actor=command.actor, data=data)
    draft.refresh_card()


def forget(draft: Draft, book: str, step: int) -> Mitigation | None:
    """Take a step's change off the card, because the step was not done after all."""
    made = next((m for m in draft.incident.mitigations if (m.book, m.step) == (book, step)), None)
    if made is not None:
        _drop(draft, made, "Undone: the step was not done")
    return made


def overdue(draft: Draft, number: int) -> None:
    """Ask for a rollback whose time has come, and again after as long, so that it is never forgotten."""
    made = next((m for m in draft.incident.mitigations if m.id == number), None)
    if made is None:
        return
    draft.event("note", f"Rollback due: {made.text}", data={"mitigation": facts(made)})
    draft.deliver("rollback_due", "notice", needs=(draft.incident.home_slot,), data={"mitigation": number})
    draft.arm(TimerKind.ROLLBACK, draft.now + timedelta(seconds=made.within), level=number)
    draft.refresh_card()


def facts(made: Mitigation) -> dict[str, Any]:
    """Give what an export should tell of a change."""
    told = ("id", "text", "command", "rollback")
    return {name: asdict(made)[name] for name in told} | {"expected_rollback_at": iso(made.due_at)}


def _drop(draft: Draft, made: Mitigation, said: str) -> None:
    draft.set(mitigations=tuple(m for m in draft.incident.mitigations if m.id != made.id))
    draft.disarm(lambda t: t.kind is TimerKind.ROLLBACK and t.level == made.id)
    text = f":heavy_check_mark: {plain(said)}: {plain(made.text)}"
    draft.deliver("end_message", "runbook_edit", needs=(_slot(made),), data={"slot": _slot(made), "text": text})


def _slot(made: Mitigation) -> str:
    return f"mitigation:{made.id}"

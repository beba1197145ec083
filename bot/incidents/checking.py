"""Working through a runbook: steps that are ticked, skipped and undone (the audit that seed 001 asks for). Pure."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

from bot.incidents import commands as c
from bot.incidents import mitigating
from bot.incidents.draft import Draft
from bot.incidents.model import Actor, Refused, Status
from bot.incidents.moments import clock
from bot.incidents.people import must_be_open
from bot.incidents.runs import Done, Run, Tick, run_of, unfilled
from bot.incidents.ticking import caught_up, keep, mark
from bot.incidents.wording import is_in_slack, short

BY_HAND = "asked for by"  # how the reason begins of a runbook that a person chose
SHOWN = 160  # characters of a step in an event's text
ALSO = (Status.RESOLVED,)  # a runbook goes on after the resolution: verification and rollbacks come last


def start(draft: Draft, command: c.StartRun) -> None:
    """Keep what is about to be posted; a runbook that has been posted before goes on in its new place.

    A checklist that stands in the runbook's message moves with it.
    """
    new = command.run
    known, current = run_of(draft.incident.runs, new.book), draft.incident.run
    if known is not None and known.slot == new.slot:  # a second attempt to post it
        return
    folded = known if new.checklist else current
    beside = draft.incident.beside
    keep(draft, replace(known, slot=new.slot, page=None) if known else caught_up(draft.incident, new))
    if not new.checklist:
        draft.set(runbook_id=new.book)
        if beside is not None:
            keep(draft, replace(beside, slot=new.slot))
    elif current is not None and new.slot == current.slot:
        return
    if folded is None:
        return
    if folded is beside and current is not None:  # what is left of the message is the runbook
        draft.refresh_run(current)
        return
    facts = {"slot": folded.slot, "book": folded.book}
    draft.deliver("fold_runbook", "runbook_edit", needs=(folded.slot,), after=(new.slot,), data=facts)


def swap(draft: Draft, command: c.PostRunbook) -> None:
    """Ask for another runbook, or for the present one once more at the channel's end."""
    must_be_open(draft, *ALSO)
    reason = f"{BY_HAND} {command.actor.name}"
    facts = {"book": command.book, "reason": reason}
    draft.deliver("runbook", "channel", needs=(draft.incident.home_slot,), data=facts)


def rematch(draft: Draft) -> None:
    """Have the runbook compared with those of alerts that joined, after what is being posted now."""
    if draft.incident.status.is_open:
        draft.deliver("rematch_runbook", "channel", needs=(draft.incident.home_slot,), coalesce=True)


def fit(draft: Draft, command: c.FitRunbook) -> None:
    """Post a runbook that fits better where only the general one stands untouched; else offer it to the responders."""
    run = draft.incident.run
    if run is None or not draft.incident.status.is_open or run_of(draft.incident.runs, command.book) is not None:
        return
    facts = {"book": command.book, "reason": f"{command.reason}, which joined later"}
    if command.at_once and not run.ticks:
        draft.deliver("runbook", "channel", needs=(draft.incident.home_slot,), data=facts)
        return
    text = f"{command.alert} joined: runbook {command.book} fits better than {run.book}"
    draft.event("note", text, data={"runbook_id": command.book, "instead_of": run.book, "reason": command.reason})
    offered = facts | {"title": command.title, "alert": command.alert}
    draft.deliver("runbook_offer", "notice", needs=(draft.incident.home_slot,), data=offered)


def tick(draft: Draft, command: c.TickStep) -> None:
    """Note that a step is done; a remediation stays on the card until it is taken back or made permanent."""
    run = _open_step(draft, command.step)
    step, actor = command.step, command.actor
    if step.approval and not command.approved_by:
        raise Refused("needs_approval", f"Step {step.number} needs the approval of {step.approval}: say who gave it.")
    ran = command.ran and _was_run(step, actor, command.command)
    data = _facts(run, step) | _told(command.command, ran=ran)
    if command.approved_by:
        data["approved_by"] = command.approved_by
    if command.rollback:
        made = mitigating.open_one(
            draft,
            text=step.text,
            command=command.command if ran else "",
            rollback=command.rollback,
            within=command.rollback_within,
            actor=actor,
            book=run.book,
            step=step.number,
        )
        data["mitigation"] = mitigating.facts(made)
    when = draft.moment(command.occurred_at)
    ticked = Tick(Done.DONE, actor.id, actor.name, when, approved_by=command.approved_by)
    mark(draft, run, step.number, ticked)
    approved = f" (approved by {command.approved_by})" if command.approved_by else ""
    text = f"Step {step.number} of {run.book} done: {short(step.text, SHOWN)}{approved}"
    draft.event("runbook_step_done", text, actor=actor, data=data, occurred_at=when)


def ran(draft: Draft, command: c.RanStep) -> None:
    """Note which command was run for a step that is done."""
    must_be_open(draft, *ALSO)
    run, step = _run(draft, command.step), command.step
    tick = run.ticks.get(step.number)
    if tick is None or tick.state is not Done.DONE:
        raise Refused("not_done", f"Step {step.number} is not done. Tick it first: `/incident done {step.number}`.")
    if _was_run(step, command.actor, command.command):
        text = f"Step {step.number} of {run.book}: the command was run"
        draft.event("note", text, actor=command.actor, data=_facts(run, step) | _told(command.command, ran=True))


def _was_run(step: c.Step, actor: Actor, command: str) -> bool:
    """Return whether a command can have been run as it stands.

    Raises:
        Refused: it cannot, and there is somebody to ask for the one that was.
    """
    left = unfilled(command)
    if command and not left:
        return True
    if not is_in_slack(actor):  # a tool gets no answer that somebody reads
        return False
    how = f"Type the command that you ran: `/incident done {step.number} ran <command>`."
    if not command:
        raise Refused("no_command", f"Step {step.number} has no command. {how}")
    raise Refused("placeholders", f"The command of step {step.number} has placeholders: {', '.join(left)}. {how}")


def _told(command: str, *, ran: bool) -> dict[str, Any]:
    """Give what the timeline keeps of a command: one that was only shown is none that was run."""
    if ran:
        return {"command": command, "ran": True}
    return {"command_shown": command} if command else {}


def skip(draft: Draft, command: c.SkipStep) -> None:
    """Note that a step is left out, and why."""
    run = _open_step(draft, command.step)
    why = command.why.strip()
    if not why:
        raise Refused("no_reason", "Say why the step is skipped.")
    step, actor = command.step, command.actor
    mark(draft, run, step.number, Tick(Done.SKIPPED, actor.id, actor.name, draft.now, why=why))
    text = f"Step {step.number} of {run.book} skipped: {short(step.text, SHOWN)} ({why})"
    draft.event("runbook_step_skipped", text, actor=actor, data=_facts(run, step) | {"why": why})


def undo(draft: Draft, command: c.UndoStep) -> None:
    """Take a tick back; what it said was changed was not."""
    must_be_open(draft, *ALSO)
    run, step = _run(draft, command.step), command.step
    before = run.ticks.get(step.number)
    if before is None:
        raise Refused("no_change", f"Step {step.number} is not ticked: there is nothing to undo.")
    mark(draft, run, step.number, None)
    ended = mitigating.forget(draft, run.book, step.number)
    data = _facts(run, step) | {"was": before.state.value, "by": before.name}
    if ended is not None:
        data["mitigation"] = mitigating.facts(ended)
    text = f"Step {step.number} of {run.book} undone: {short(step.text, SHOWN)}"
    draft.event("runbook_step_undone", text, actor=command.actor, data=data)


def turn(draft: Draft, command: c.TurnPage) -> None:
    """Show another page to everybody; the next tick goes back to the next step."""
    run = run_of(draft.incident.runs, command.book)
    if run is None:
        raise Refused("no_run", _NOT_POSTED)
    if run.page != command.page:
        keep(draft, replace(run, page=command.page))
        draft.refresh_run(run)


def review(draft: Draft) -> None:
    """Ask the owners of the runbooks that were used to review them (seed 002, 5: after every incident), once."""
    incident = draft.incident
    for run in incident.runs:
        used = run.ticks or run.book == incident.runbook_id
        if run.checklist or not used or not run.due_review:
            continue
        text = f"Review runbook {run.book}: {run.title}"
        draft.event("followup_added", text, data={"text": text, "owner": run.owner, "runbook_id": run.book})
        keep(draft, replace(run, due_review=False))


_NOT_POSTED = "This runbook is not posted in the incident. Post it: `/incident runbook <id>`."


def _run(draft: Draft, step: c.Step) -> Run:
    run = run_of(draft.incident.runs, step.book)
    if run is None:
        raise Refused("no_run", _NOT_POSTED)
    if not 1 <= step.number <= run.total:
        raise Refused("no_step", f"Give a step from 1 to {run.total}.")
    return run


def _open_step(draft: Draft, step: c.Step) -> Run:
    """Give the run of a step that nobody has ticked; of two who press at once the second is told of the first."""
    must_be_open(draft, *ALSO)
    run = _run(draft, step)
    known = run.ticks.get(step.number)
    if known is not None:
        how = "skipped" if known.state is Done.SKIPPED else "ticked"
        said = f"{known.name} {how} it at {clock(draft.incident, known.at)} UTC"
        raise Refused(
            "no_change", f"Step {step.number} is already {known.state.value}: {said}. To change it, undo it first."
        )
    return run


def _facts(run: Run, step: c.Step) -> dict[str, Any]:
    return {"runbook_id": run.book, "version": run.version, "step": step.number, "section": step.section}

"""What somebody has to do during an incident (tasks) and after it (follow-ups). Pure."""

from __future__ import annotations

from dataclasses import replace

from bot.incidents import commands as c
from bot.incidents.draft import Draft
from bot.incidents.model import Actor, Refused, Task, TaskState
from bot.incidents.wording import plain, say

MOST = 100  # tasks of one incident


def add(draft: Draft, command: c.AddTask) -> None:
    """Put something to do on the incident."""
    text = command.text.strip()
    if not text:
        raise Refused("no_text", "Type the task: `/incident task add <text>`.")
    if len(draft.incident.tasks) >= MOST:
        raise Refused(
            "too_many",
            f"{MOST} tasks is the limit. Add a note instead: `/incident note <text>`.",
        )
    owner = command.owner or None
    task = Task(len(draft.incident.tasks) + 1, text, owner.id if owner else "", owner.name if owner else "")
    draft.set(tasks=(*draft.incident.tasks, task))
    whom = f", {owner.name}" if owner else ""
    _tell(draft, command.actor, task, f"Task {task.id} added: {text}{whom}")
    if owner and owner.id != command.actor.id:  # who is to do it must hear of it
        say(draft, f":ballot_box_with_check: Task {task.id} for <@{owner.id}>: {plain(text)}")


def end(draft: Draft, command: c.EndTask) -> None:
    """Note that a task is done, or left out."""
    task = next((each for each in draft.incident.tasks if each.id == command.task), None)
    if task is None:
        raise Refused("no_task", f"There is no task {command.task}. See `/incident task list`.")
    if not task.is_open:
        raise Refused(
            "no_change", f"Task {task.id} is already {task.state.value}. See the others: `/incident task list`."
        )
    state = TaskState.SKIPPED if command.skipped else TaskState.DONE
    ended = replace(task, state=state)
    draft.set(tasks=tuple(ended if each.id == task.id else each for each in draft.incident.tasks))
    why = f" ({command.why})" if command.why else ""
    _tell(draft, command.actor, ended, f"Task {task.id} {state.value}: {task.text}{why}")


def follow_up(draft: Draft, command: c.AddFollowUp) -> None:
    """Put something on the list of what is left to do afterwards; also after the end."""
    text = command.text.strip()
    if not text:
        raise Refused("no_text", "Type the follow-up: `/incident followup <text> [@who] [2026-12-01]`.")
    owner = command.owner.name if command.owner else ""
    data = {"text": text, "owner": owner, "due": command.due}
    facts = {k: v for k, v in data.items() if v}
    draft.event("followup_added", text, actor=command.actor, data=facts, source=command.source)
    draft.refresh_card()


def _tell(draft: Draft, actor: Actor, task: Task, text: str) -> None:
    facts = {"id": task.id, "text": task.text, "owner": task.owner, "state": task.state.value}
    draft.event("note", text, actor=actor, data={"task": facts})
    draft.refresh_card()

"""The tasks of an incident, each with what ends it."""

from __future__ import annotations

from bot.incidents.model import Incident, Task, TaskState
from bot.slack import blocks as b
from bot.slack.messages import TEXT, Message
from bot.slack.mrkdwn import esc, shorten

MARKS = {
    TaskState.OPEN: ":white_large_square:",
    TaskState.DONE: ":white_check_mark:",
    TaskState.SKIPPED: ":fast_forward:",
}
ADD, DONE, SKIP = "task_add", "task_done", "task_skip"
BUTTONS = 15  # tasks with buttons of their own
LINE = 200


def tasks(incident: Incident, command: str) -> Message:
    """List what is to be done; open ones come first, the oldest of them with buttons."""
    found = sorted(incident.tasks, key=lambda task: not task.is_open)
    lines = [_line(task) for task in found]
    add = b.actions([b.button("Add a task", ADD, incident.number)])
    if not lines:
        said = f"No tasks yet. Add one: `{command} task add Call the provider @ann`."
        return said, [b.section(said), add]
    pressed = [task for task in found if task.is_open][:BUTTONS]
    made = []
    for task in pressed:
        value = f"{incident.number}|{task.id}"
        ends = [b.button("Done", f"{DONE}_{task.id}", value, "primary"), b.button("Skip", f"{SKIP}_{task.id}", value)]
        made += [b.section(_line(task)), b.actions(ends)]
    rest = "\n".join(lines[len(pressed) :])
    return shorten("\n".join(lines), TEXT), [*made, *(b.paragraphs(rest)[:3] if rest else []), add]


def _line(task: Task) -> str:
    whom = f" ({esc(task.owner, 80)})" if task.owner else ""
    return f"{MARKS[task.state]} {task.id}. {esc(task.text, LINE)}{whom}"

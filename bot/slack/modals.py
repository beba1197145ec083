"""Forms and their inputs. `private_metadata` holds the incident's number, or the channel to answer in."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from bot.incidents.model import Incident
from bot.incidents.policy import DEFAULT_POLICY, Policy, Severity
from bot.slack import blocks as b
from bot.slack.blocks import Block
from bot.slack.mrkdwn import code, esc
from bot.text import clip

View = dict[str, Any]

OPTIONS, OPTION = 100, 75  # of a select, and characters of each: Slack's limits
RAN = "ran"  # the box to tick by whoever ran a command as it was shown
DRILL = "drill"  # behind the channel in the metadata of the form
VISIBLE = (("everybody", "Everybody"), ("private", "Only invited people"))


def declare(
    title: str,
    channel: str,
    error: str = "",
    *,
    severity: Severity | None = None,
    private: bool = False,
    drill: bool = False,
    policy: Policy = DEFAULT_POLICY,
) -> View:
    """Declare an incident, or (`drill`) rehearse one: the title is the only required field."""
    seen_by = select("visible", "Who can see it?", list(VISIBLE), VISIBLE[private][0])
    return view(
        "declare",
        "Rehearse an incident" if drill else "Declare an incident",
        "Declare",
        f"{channel}|{DRILL}" if drill else channel,
        [
            text("title", "What is wrong?", title, placeholder="Checkout fails for all customers", limit=200),
            severities(policy, severity or Severity.SEV2),
            text("service", "Service", "", optional=True, limit=200),
            text("impact", "Impact", "", optional=True, multiline=True, placeholder="Who is hit, and how badly?"),
            text("error", "Error", error, optional=True, multiline=True, placeholder="Paste it. Sitrep keeps its ids"),
            {**seen_by, "optional": True},
        ],
    )


def resolve(incident: Incident, left: Sequence[str] = ()) -> View:
    """Resolve an incident; nothing is required, what is known goes to the timeline. `left` is what is still open."""
    return view(
        "resolve",
        "Resolve the incident",
        "Resolve",
        incident.number,
        [
            *([b.section("\n".join([f":warning: {incident.number} has this open:", *left]))] if left else []),
            text("fix", "What fixed it?", "", optional=True, multiline=True),
            text("root_cause", "Root cause, as far as known", "", optional=True, multiline=True),
            text("follow_ups", "Follow-ups, one per line", "", optional=True, multiline=True),
        ],
    )


def skip(metadata: str, left: list[tuple[str, str]]) -> View:
    """Skip a step of a runbook: which, and why. `left` are the steps that can be skipped, the next one first."""
    return view(
        "runbook_skip",
        "Skip a step",
        "Skip",
        metadata,
        [
            select("step", "Step", left, left[0][0]),
            text("why", "Why?", "", multiline=True, placeholder="Not this cluster", limit=300),
        ],
    )


def approve(metadata: str, number: int, approval: str, command: str = "", *, complete: bool = True) -> View:
    """Tick a step that somebody had to approve: who did, and whether its command was run.

    Args:
        metadata: the step.
        number: its number.
        approval: who has to approve.
        command: its command, as it is shown; empty where it has none.
        complete: whether that command can be run as it stands.
    """
    ran: list[Block] = []
    if command:
        ran = [b.section(f"```{code(command, 900)}```")]
        ran += [checkbox(RAN, "The command", "I ran this command as shown")] if complete else []
        label = "Or the command that you ran instead" if complete else "The command that you ran"
        ran.append(text("command", label, "", optional=True, multiline=True))
    return view(
        "runbook_approve",
        "Who approved it?",
        "Done",
        metadata,
        [
            b.section(f"Step {number} needs the approval of {esc(approval, 300)}."),
            person("person", "Person", optional=True),
            text("name", "Or a name, a ticket, a call", "", optional=True, limit=100),
            *ran,
        ],
    )


def person(name: str, label: str, *, optional: bool, initial: str = "") -> Block:
    """Make a choice among people; `initial` is a user id."""
    element = {"type": "users_select", "action_id": name}
    if initial:
        element["initial_user"] = initial
    return {"type": "input", "block_id": name, "label": plain(label), "optional": optional, "element": element}


def checkbox(name: str, label: str, said: str) -> Block:
    """Make one box to tick; its value, once it is ticked, is its name."""
    element = {"type": "checkboxes", "action_id": name, "options": [{"text": plain(said), "value": name}]}
    return {"type": "input", "block_id": name, "label": plain(label), "optional": True, "element": element}


def date(name: str, label: str) -> Block:
    """Make a choice of a day, which may be left out."""
    element = {"type": "datepicker", "action_id": name}
    return {"type": "input", "block_id": name, "label": plain(label), "optional": True, "element": element}


def severities(policy: Policy, initial: Severity) -> Block:
    """Make a choice among severities, called `severity`, by the names in force."""
    options = [(severity.value, clip(said, OPTION)) for severity, said in policy.means.items()]
    return select("severity", "Severity", options, initial.value)


def incidents(label: str, found: Sequence[Incident]) -> Block:
    """Make a choice among incidents, called `incident`."""
    options = named(found)
    return select("incident", label, options, options[0][0])


def named(found: Sequence[Incident]) -> list[tuple[str, str]]:
    """Name incidents as options of a select."""
    shown = ((i.number, " ".join(f"{i.number} {i.severity_name}: {i.title}".split())) for i in found[:OPTIONS])
    return [(number, clip(said, OPTION)) for number, said in shown]


def view(callback: str, title: str, submit: str, metadata: str, blocks: list[Block]) -> View:
    """Make a form; `metadata` comes back with what was filled in."""
    return {
        "type": "modal",
        "callback_id": callback,
        "title": plain(title),
        "submit": plain(submit),
        "close": plain("Cancel"),
        "private_metadata": metadata,
        "blocks": blocks,
    }


def plain(said: str) -> dict[str, Any]:
    """Make a text object without mark-up."""
    return {"type": "plain_text", "text": said}


def text(
    name: str,
    label: str,
    initial: str,
    *,
    optional: bool = False,
    multiline: bool = False,
    placeholder: str = "",
    limit: int = 2500,
) -> Block:
    """Make an input for typed text."""
    element: Block = {
        "type": "plain_text_input",
        "action_id": name,
        "multiline": multiline,
        "max_length": limit,
    }
    if initial:
        element["initial_value"] = clip(initial, limit)
    if placeholder:
        element["placeholder"] = plain(placeholder)
    return {"type": "input", "block_id": name, "label": plain(label), "optional": optional, "element": element}


def select(name: str, label: str, options: Sequence[tuple[str, str]], initial: str) -> Block:
    """Make a choice among options (value and label); without an `initial` value nothing is chosen yet."""
    made = [{"text": plain(said), "value": value} for value, said in options]
    element: Block = {"type": "static_select", "action_id": name, "options": made}
    if initial:
        element["initial_option"] = next(option for option in made if option["value"] == initial)
    return {"type": "input", "block_id": name, "label": plain(label), "element": element}

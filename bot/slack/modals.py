"""The modals: declare, update, resolve. `private_metadata` holds the incident's number, or the channel to answer in."""

from __future__ import annotations

from typing import Any

from bot.incidents.model import Incident
from bot.incidents.policy import Severity
from bot.incidents.responding import SETTABLE
from bot.slack import blocks as b
from bot.slack.blocks import Block
from bot.slack.mrkdwn import esc
from bot.text import clip

View = dict[str, Any]

SEVERITY_NAMES = {
    Severity.SEV1: "sev1: total outage or data loss",
    Severity.SEV2: "sev2: major degradation",
    Severity.SEV3: "sev3: partial impairment",
    Severity.SEV4: "sev4: minor, no user impact",
}


def declare(title: str, channel: str) -> View:
    """Declare an incident: the title is the only required field."""
    return _view(
        "declare",
        "Declare an incident",
        "Declare",
        channel,
        [
            _text("title", "What is wrong?", title, placeholder="Checkout fails for all customers", limit=200),
            _select(
                "severity",
                "Severity",
                [(s.value, SEVERITY_NAMES[s]) for s in Severity],
                Severity.SEV2.value,
            ),
            _text("service", "Service", "", optional=True, limit=200),
            _text("impact", "Impact", "", optional=True, multiline=True, placeholder="Who is hit, and how badly?"),
            _text("error", "Error", "", optional=True, multiline=True, placeholder="Paste it: its ids are kept"),
        ],
    )


def update(incident: Incident) -> View:
    """Post a status update: the state is the only required field."""
    status = incident.status.value if incident.status in SETTABLE else SETTABLE[0].value
    return _view(
        "update",
        "Post an update",
        "Post",
        incident.number,
        [
            _text("state", "What is the state?", "", multiline=True, placeholder="What we know now"),
            _select("status", "Status", [(s.value, s.value.capitalize()) for s in SETTABLE], status),
            _text("action", "What is being done, by whom?", "", optional=True, multiline=True),
            _text("eta", "When should it be over?", "", optional=True, placeholder="15:00 UTC, or unknown", limit=200),
            _text("impact", "Impact", incident.impact, optional=True, multiline=True),
        ],
    )


def resolve(incident: Incident) -> View:
    """Resolve an incident; nothing is required, what is known goes to the timeline."""
    return _view(
        "resolve",
        "Resolve the incident",
        "Resolve",
        incident.number,
        [
            _text("fix", "What fixed it?", "", optional=True, multiline=True),
            _text("root_cause", "Root cause, as far as known", "", optional=True, multiline=True),
            _text("follow_ups", "Follow-ups, one a line", "", optional=True, multiline=True),
        ],
    )


def skip(metadata: str, left: list[tuple[str, str]]) -> View:
    """Skip a step of a runbook: which, and why. `left` are the steps that can be skipped, the next one first."""
    return _view(
        "runbook_skip",
        "Skip a step",
        "Skip",
        metadata,
        [
            _select("step", "Step", left, left[0][0]),
            _text("why", "Why?", "", multiline=True, placeholder="Not this cluster", limit=300),
        ],
    )


def approve(metadata: str, number: int, approval: str) -> View:
    """Tick a step that somebody had to approve: who did."""
    person = {"type": "users_select", "action_id": "person"}
    return _view(
        "runbook_approve",
        "Who approved it?",
        "Done",
        metadata,
        [
            b.section(f"Step {number} needs the approval of {esc(approval, 300)}."),
            {"type": "input", "block_id": "person", "label": _plain("Person"), "optional": True, "element": person},
            _text("name", "Or a name, a ticket, a call", "", optional=True, limit=100),
        ],
    )


def _view(callback: str, title: str, submit: str, metadata: str, blocks: list[Block]) -> View:
    return {
        "type": "modal",
        "callback_id": callback,
        "title": _plain(title),
        "submit": _plain(submit),
        "close": _plain("Cancel"),
        "private_metadata": metadata,
        "blocks": blocks,
    }


def _plain(text: str) -> dict[str, Any]:
    return {"type": "plain_text", "text": text}


def _text(
    name: str,
    label: str,
    initial: str,
    *,
    optional: bool = False,
    multiline: bool = False,
    placeholder: str = "",
    limit: int = 2500,
) -> Block:
    element: Block = {
        "type": "plain_text_input",
        "action_id": name,
        "multiline": multiline,
        "max_length": limit,
    }
    if initial:
        element["initial_value"] = clip(initial, limit)
    if placeholder:
        element["placeholder"] = _plain(placeholder)
    return {"type": "input", "block_id": name, "label": _plain(label), "optional": optional, "element": element}


def _select(name: str, label: str, options: list[tuple[str, str]], initial: str) -> Block:
    made = [{"text": _plain(text), "value": value} for value, text in options]
    chosen = next(option for option in made if option["value"] == initial)
    element = {"type": "static_select", "action_id": name, "options": made, "initial_option": chosen}
    return {"type": "input", "block_id": name, "label": _plain(label), "element": element}

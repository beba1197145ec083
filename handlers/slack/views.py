"""Submitted forms."""

from __future__ import annotations

from collections.abc import Awaitable, Callable, Mapping
from dataclasses import replace
from typing import Any

from bot import telemetry
from bot.errors import DatabaseUnavailable
from bot.incidents import commands as c
from bot.incidents.model import Refused
from bot.incidents.moving import goes_on
from bot.incidents.policy import Severity
from bot.incidents.wording import worded
from bot.slack import forms, menu, modals, updating
from bot.slack.mrkdwn import esc
from handlers.slack import asking, events, fields, shortcuts, steps, triage
from handlers.slack import updating as writing
from handlers.slack.answers import Answer, Form
from handlers.slack.context import DATABASE_AWAY, Asked
from handlers.slack.speech import Mistake
from handlers.slack.verbs.opening import declared, open_one

Values = Mapping[str, str]
Outcome = dict[str, str] | Form
Submit = Callable[[Asked, str, Values], Awaitable[Outcome]]
# Where an error is shown that is about no field; in other forms, under the first.
FIELD = {
    "declare": "title",
    updating.CALLBACK: updating.STATE,
    menu.CALLBACK: menu.VERB,
    "runbook_skip": "why",
    "runbook_approve": "person",
    "followup_form": "text",
}


async def submit(asked: Asked, callback: str, metadata: str, state: Mapping[str, Any]) -> Outcome:
    """Do what a form says; gives an error by block, none when it is done, or the form that takes its place."""
    blocks = {fields.name(block_id): block_id for block_id in state}
    field = FIELD.get(callback, next(iter(blocks), ""))
    outcome: Outcome
    try:
        outcome = await _SUBMITS[callback](asked, metadata, fields.read(state))
        became = "refused" if outcome and not isinstance(outcome, Form) else "done"
    except Refused as error:  # the text under a field is plain
        outcome, became = {field: worded(str(error), asked.command)}, "refused"
    except Mistake as error:
        outcome, became = {error.field or field: error.plain}, "refused"
    except (DatabaseUnavailable, TimeoutError):
        outcome, became = {field: DATABASE_AWAY}, "unavailable"
    telemetry.INTERACTIONS.labels("form", became).inc()
    return outcome if isinstance(outcome, Form) else {blocks.get(f, f): text for f, text in outcome.items()}


async def _declare(asked: Asked, metadata: str, values: Values) -> Outcome:
    if not values.get("title"):
        return {"title": "Say in a few words what is wrong."}
    channel, _, kind = metadata.partition("|")
    incident = await open_one(
        asked,
        values["title"],
        Severity(values.get("severity") or Severity.SEV2.value),
        service=values.get("service", ""),
        impact=values.get("impact", ""),
        error=values.get("error", ""),
        private=values.get("visible") == "private",
        drill=kind == modals.DRILL,
    )
    there = replace(asked, channel=channel)
    await there.tell(declared(incident))
    await _show_home(there)
    return {}


async def _resolve(asked: Asked, metadata: str, values: Values) -> Outcome:
    items = (line.strip(" -*\t") for line in values.get("follow_ups", "").splitlines())
    after = await asked.apply(
        metadata,
        c.Resolve(
            asked.user,
            fix=values.get("fix", ""),
            root_cause=values.get("root_cause", ""),
            follow_ups=tuple(item for item in items if item),
        ),
    )
    if where := goes_on(after):
        await asked.tell(f"Resolved {after.number}. {esc(where)}")
    return {}


async def _of_verb(asked: Asked, metadata: str, values: Values) -> Outcome:
    return await _answered(*await asking.filled_in(asked, metadata, values))


async def _chosen(asked: Asked, metadata: str, values: Values) -> Outcome:
    return await _answered(*await asking.chosen(asked, metadata, values))


async def _answered(there: Asked, said: Answer) -> Outcome:
    """Show an answer where it was asked for, to whoever asked; a form takes the place of the one before."""
    if isinstance(said, Form):
        return said
    await there.tell(said)
    await _show_home(there)
    return {}


async def _show_home(there: Asked) -> None:
    """Have the Home show what has become of what was done there."""
    if there.channel in {"", there.user.id}:
        await events.home_opened(there.services, there.user.id)


def _with(module: Any, callback: str) -> Submit:
    """Hand a form to its own module."""

    async def handed(asked: Asked, metadata: str, values: Values) -> Outcome:
        errors: dict[str, str] = await module.submit(asked, callback, metadata, values)
        return errors

    return handed


_SUBMITS: Mapping[str, Submit] = {
    "declare": _declare,
    "resolve": _resolve,
    updating.CALLBACK: writing.submit,
    forms.CALLBACK: _of_verb,
    menu.CALLBACK: _chosen,
    **{callback: _with(module, callback) for module in (steps, shortcuts, triage) for callback in module.CALLBACKS},
}
CALLBACKS = tuple(_SUBMITS)

"""Submitted forms."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import replace
from typing import Any

from bot import telemetry
from bot.durations import parse_duration
from bot.errors import DatabaseUnavailable
from bot.incidents import commands as c
from bot.incidents.model import Refused, Status
from bot.incidents.policy import Severity
from bot.slack import forms
from bot.text import clean
from handlers.slack import shortcuts, steps, triage
from handlers.slack.commands import filled_in
from handlers.slack.context import DATABASE_AWAY, Asked
from handlers.slack.speech import Mistake
from handlers.slack.verbs.opening import declared, open_one
from handlers.slack.verbs.state import NEXT_MAX

CALLBACKS = ("declare", "update", "resolve", forms.CALLBACK, *steps.CALLBACKS, *shortcuts.CALLBACKS, *triage.CALLBACKS)
FIRST_FIELD = {
    "declare": "title",
    "update": "state",
    "resolve": "fix",
    "runbook_skip": "why",
    "runbook_approve": "person",
    "timeline_pick": "incident",
    "followup_form": "text",
    "triage_accept": "title",
    "triage_merge": "incident",
    "triage_decline": "why",
}


async def submit(asked: Asked, callback: str, metadata: str, state: Mapping[str, Any]) -> dict[str, str]:
    """Do what a form says; gives an error by field, none when it is done."""
    values = {name: _value(block) for name, block in state.items()}
    try:
        errors = await _submit(asked, callback, metadata, values)
    except (Refused, Mistake) as error:
        errors = {FIRST_FIELD.get(callback, next(iter(values), "")): str(error)}
    except (DatabaseUnavailable, TimeoutError):
        telemetry.INTERACTIONS.labels("form", "unavailable").inc()
        return {FIRST_FIELD.get(callback, next(iter(values), "")): DATABASE_AWAY}
    telemetry.INTERACTIONS.labels("form", "refused" if errors else "done").inc()
    return errors


async def _submit(asked: Asked, callback: str, metadata: str, values: Mapping[str, str]) -> dict[str, str]:
    if callback == "declare":
        if not values.get("title"):
            return {"title": "Say in a few words what is wrong."}
        incident = await open_one(
            asked,
            values["title"],
            Severity(values.get("severity") or Severity.SEV2.value),
            service=values.get("service", ""),
            impact=values.get("impact", ""),
            error=values.get("error", ""),
            private=values.get("visible") == "private",
        )
        if metadata:
            await replace(asked, channel=metadata).whisper(declared(incident))
        return {}
    if callback == forms.CALLBACK:
        said, channel = await filled_in(asked, metadata, dict(values))
        await replace(asked, channel=channel).whisper(said)
        return {}
    if callback in steps.CALLBACKS:
        return await steps.submit(asked, callback, metadata, values)
    if callback in triage.CALLBACKS:
        return await triage.submit(asked, callback, metadata, values)
    if callback in shortcuts.CALLBACKS:
        return await shortcuts.submit(asked, callback, metadata, values)
    if callback == "update":
        if not values.get("state"):
            return {"state": "Say what the state is."}
        status, after = values.get("status"), values.get("next", "")
        try:
            next_in = parse_duration(after) if after else None
        except ValueError as error:
            return {"next": str(error)}
        if next_in is not None and not 0 < next_in <= NEXT_MAX:
            return {"next": "Give at most 24h, such as 30m."}
        await asked.apply(
            metadata,
            c.PostUpdate(
                values["state"],
                asked.user,
                action=values.get("action", ""),
                eta=values.get("eta", ""),
                impact=values.get("impact", ""),
                status=Status(status) if status else None,
                next_in=next_in,
            ),
        )
        return {}
    items = (line.strip(" -*\t") for line in values.get("follow_ups", "").splitlines())
    await asked.apply(
        metadata,
        c.Resolve(
            asked.user,
            fix=values.get("fix", ""),
            root_cause=values.get("root_cause", ""),
            follow_ups=tuple(item for item in items if item),
        ),
    )
    return {}


def _value(block: Any) -> str:
    """Give a field's value: typed text or the chosen option."""
    element: dict[str, Any] = next(iter(block.values()), {}) if isinstance(block, dict) else {}
    chosen = element.get("selected_option")
    value = chosen.get("value") if isinstance(chosen, dict) else element.get("selected_user") or element.get("value")
    return clean(str(value)).strip() if value else ""

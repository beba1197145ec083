"""Writing a status update in its form: where it begins, what picking a status changes, what is posted."""

from __future__ import annotations

from collections.abc import Mapping
from datetime import UTC, datetime, tzinfo
from typing import Any

import structlog

from bot import times
from bot.errors import DatabaseUnavailable, OutwardError
from bot.incidents import commands as c
from bot.incidents.model import Event, Incident, Status
from bot.incidents.moving import goes_on
from bot.incidents.responding import SETTABLE
from bot.outbox import templates
from bot.runbooks.templates import TemplateError
from bot.slack import updating as shown
from bot.slack.modals import View
from bot.slack.mrkdwn import clock_time, esc
from bot.slack.updating import STATE, Begun
from bot.store import incidents
from handlers.slack import fields
from handlers.slack.context import Asked

log = structlog.get_logger()

NEXT_MAX = 24 * 3600  # seconds
UNKNOWN = frozenset({"unknown", "tbd", "none", "n/a", "-", "not known", "don't know", "no eta", "open"})


async def form(asked: Asked, incident: Incident) -> View:
    """Make the form: it holds the last update, or what the templates begin one with."""
    status = incident.status if incident.status in SETTABLE else SETTABLE[0]
    last = await _last(asked, incident)
    before = last.data if last else {}
    others = {
        "impact": incident.impact,
        "action": str(before.get("action") or ""),
        "owner": str(before.get("owner_id") or ""),
    }
    await _tell_of_fault(asked, incident, status)
    begun = Begun(status, _begin(asked, incident, status, last), others, whole=_goes_on(before))
    return shown.update(incident, begun, _announcements(asked))


def _goes_on(before: Mapping[str, Any]) -> bool:
    """True where the last update has filled in what is folded else: nobody may take it for gone."""
    return any(before.get(name) for name in ("action", "owner_id", "eta"))


async def pick(asked: Asked, view: Mapping[str, Any]) -> None:
    """Begin as another status asks for, unless a text of one's own is there already."""
    await _change(asked, view, whole=False)


async def unfold(asked: Asked, view: Mapping[str, Any]) -> None:
    """Show all fields; what is filled in stays."""
    await _change(asked, view, whole=True)


async def _change(asked: Asked, view: Mapping[str, Any], *, whole: bool) -> None:
    try:
        await _pick(asked, view, whole=whole)
    except (OutwardError, DatabaseUnavailable) as error:  # the form is as it was, and can be posted
        log.info("form_not_changed", reason=str(error))


async def _pick(asked: Asked, view: Mapping[str, Any], *, whole: bool) -> None:
    incident = await asked.find(str(view.get("private_metadata") or ""))
    typed = fields.read(view["state"]["values"])
    status = next((status for status in SETTABLE if status.value == typed.get("status")), None)
    if incident is None or status is None:
        return
    last = await _last(asked, incident)
    here = next(name for name in view["state"]["values"] if fields.name(name) == STATE)
    state, draft = typed[STATE], here.partition(".")[2]
    is_whole = "action" in typed
    if whole and not is_whole:
        typed = {"impact": incident.impact} | typed
    elif not state or state in {_begin(asked, incident, each, last) for each in SETTABLE}:
        state, draft = _begin(asked, incident, status, last), status.value
        await _tell_of_fault(asked, incident, status)
    made = shown.update(incident, Begun(status, state, typed, draft, whole or is_whole), _announcements(asked))
    await asked.gateway.call("views.update", view_id=view["id"], hash=view["hash"], view=made)


async def submit(asked: Asked, number: str, values: Mapping[str, str]) -> dict[str, str]:
    """Post the update; gives an error by field, none when it is done.

    Raises:
        Refused: it does not fit.
    """
    state, status = values.get(STATE, ""), values.get("status")
    after, eta = values.get("next", ""), values.get("eta", "")
    if not state:
        return {STATE: "Type the update."}
    incident = await asked.find(number)
    if incident is not None and state in {_draft(asked, incident, each) for each in SETTABLE}:
        return {STATE: "You haven't edited the draft yet. Write what you know."}
    now, zone = asked.services.clock.now(), await asked.zone() if after or eta else UTC
    errors: dict[str, str] = {}
    next_in = _read_next(after, now, zone, errors)
    eta = _read_eta(eta, now, zone, errors)
    if errors:
        return errors
    owner = await asked.person(values.get("owner", ""))
    posted = await asked.apply(
        number,
        c.PostUpdate(
            state,
            asked.user,
            action=values.get("action", ""),
            owner=owner,
            eta=eta,
            impact=values.get("impact", ""),
            status=Status(status) if status else None,
            next_in=next_in,
        ),
    )
    if where := goes_on(posted):
        await asked.tell(f"Posted the update. {esc(where)}")
    return {}


def _read_next(typed: str, now: datetime, zone: tzinfo, errors: dict[str, str]) -> int | None:
    """Return the seconds until the next update; None where the cadence decides. An error goes to its field."""
    if not typed:
        return None
    try:
        found = times.ahead(typed, now, zone)
    except ValueError as error:
        errors["next"] = str(error)
        return None
    seconds = times.seconds_until(found.at, now)
    if found.is_day or not 0 < seconds <= NEXT_MAX:
        errors["next"] = "Set a time within 24 hours, such as 30m or 15:30."
    return seconds


def _read_eta(typed: str, now: datetime, zone: tzinfo, errors: dict[str, str]) -> str:
    """Return an ETA as it is shown, with its day and in UTC. An error goes to its field."""
    if not typed or typed.casefold().strip(" .?") in UNKNOWN:
        return "unknown" if typed else ""
    try:
        found = times.ahead(typed, now, zone)
    except ValueError as error:
        errors["eta"] = f"{error} Or write: unknown."
        return ""
    return f"{found.at.astimezone(zone):%a %-d %b}" if found.is_day else times.spoken(found.at, UTC)


async def _last(asked: Asked, incident: Incident) -> Event | None:
    """Give the last update that said something."""
    if not incident.last_update:
        return None
    return await asked.services.store.read(lambda connection: incidents.last_update(connection, incident.number))


def _begin(asked: Asked, incident: Incident, status: Status, last: Event | None) -> str:
    """Give what an update in a status begins with; in the last one's status that is the last one."""
    if last is not None and last.data.get("status") == status.value:
        return incident.last_update
    return _draft(asked, incident, status) or incident.last_update


def _draft(asked: Asked, incident: Incident, status: Status) -> str:
    """Give what the status's template begins an update with; nothing where it is at fault."""
    try:
        return asked.services.templates.draft(status.value, _facts(incident))
    except TemplateError as error:  # an update can be written without
        log.warning("draft_failed", reason=str(error))
        return ""


def _facts(incident: Incident) -> dict[str, str]:
    return {
        "title": incident.title,
        "service": incident.service,
        "impact": incident.impact,
        "started": clock_time(incident, incident.started_at or incident.declared_at),
        "mitigated": clock_time(incident, incident.mitigated_at) if incident.mitigated_at else "",
    }


async def _tell_of_fault(asked: Asked, incident: Incident, status: Status) -> None:
    """Say why a form begins empty, to whoever opens it and to the operators."""
    try:
        asked.services.templates.draft(status.value, _facts(incident))
    except TemplateError as error:
        problem = str(error)
    else:
        return
    try:
        await asked.write(lambda tx: templates.tell_operators(tx, asked.services.desk, problem))
        await asked.tell(esc(f"The update form is not pre-filled: {problem}. The operators channel was notified."))
    except (DatabaseUnavailable, TimeoutError) as error:  # the form is worth more than the reason
        log.warning("draft_fault_not_told", reason=str(error))


def _announcements(asked: Asked) -> str:
    return esc(f"#{asked.services.settings.config.slack.announcements_channel.lstrip('#')}")

"""What responders' tools report: a step of the runbook that they have done, or any other intervention (seed 001)."""

from __future__ import annotations

import re
from datetime import UTC, datetime
from typing import Annotated, Any, Literal

from pydantic import (
    AfterValidator,
    AwareDatetime,
    BaseModel,
    BeforeValidator,
    ConfigDict,
    Discriminator,
    Field,
    RootModel,
    StringConstraints,
    Tag,
    ValidationError,
    WithJsonSchema,
)
from sqlalchemy import Connection
from starlette.requests import Request
from starlette.responses import JSONResponse, Response

from bot.durations import Duration
from bot.incidents import commands as c
from bot.incidents.model import Actor, Incident, Refused
from bot.incidents.wording import worded
from bot.running import Place
from bot.services import Services
from bot.store import inbox, incidents
from bot.store.tx import Tx
from bot.text import clean
from bot.timeline.as_json import event_json
from handlers.http import hidden, problem

SOURCE = "api"
KEY = 100  # characters of an idempotency key
LONGEST = 999 * 24 * 3600  # seconds until a change is taken back


def _utc(moment: datetime) -> datetime:
    try:
        return moment.astimezone(UTC)
    except OverflowError as error:
        raise ValueError("give a time that is one in UTC too") from error


def _whole(value: object) -> object:
    """Take 1.0 as 1, as JSON does."""
    return int(value) if isinstance(value, float) and value.is_integer() else value


def _clean(value: object) -> object:
    return clean(value) if isinstance(value, str) else value


def _said(longest: int) -> Any:
    """Take a text that says something; it is stored without control characters."""
    form = StringConstraints(strip_whitespace=True, min_length=1, max_length=longest, pattern=r"\S")
    return Annotated[str, form, BeforeValidator(_clean)]


def _rfc3339(value: object) -> object:
    if isinstance(value, str) and _RFC3339.fullmatch(value):
        return value
    raise ValueError("give a time such as 2026-11-21T03:12:00Z")


_RFC3339 = re.compile(r"\d{4}-\d\d-\d\d[Tt ]\d\d:\d\d:\d\d(\.\d+)?([Zz]|[+-]\d\d:\d\d)", re.ASCII)
Moment = Annotated[AwareDatetime, BeforeValidator(_rfc3339), AfterValidator(_utc)]
_DURATION = {"type": "string", "pattern": "^[1-9][0-9]{0,2}[smhd]$", "description": "Such as `30m`, `4h` or `2d`."}
Within = Annotated[Duration, Field(le=LONGEST), WithJsonSchema(_DURATION)]


class _Report(BaseModel):
    model_config = ConfigDict(extra="forbid", frozen=True)

    actor: Annotated[_said(80), Field(description="Who did it, by name.")]  # type: ignore[valid-type]


class _OfStep(_Report):
    runbook_id: _said(100)  # type: ignore[valid-type]
    step: Annotated[int, Field(ge=1, le=1000, strict=True), BeforeValidator(_whole)]


class StepDone(_OfStep):
    """A step was done. Without a `command` the step's own counts as run, unless placeholders are left in it."""

    state: Literal["done"] = "done"
    command: _said(5000) | None = None  # type: ignore[valid-type]
    approved_by: _said(100) | None = None  # type: ignore[valid-type]
    occurred_at: Moment | None = None


class StepSkipped(_OfStep):
    """A step was left out."""

    state: Literal["skipped"]
    why: _said(300)  # type: ignore[valid-type]


class StepUndone(_OfStep):
    """A step was not done, or not left out, after all."""

    state: Literal["undone"]


class Rollback(BaseModel):
    """How to take a change back, and by when; without `within` by the configured time."""

    model_config = ConfigDict(extra="forbid", frozen=True)

    text: _said(1000)  # type: ignore[valid-type]
    within: Within | None = None


class Intervention(_Report):
    """Something else was done; with a `rollback` it is a change that is to be taken back."""

    text: _said(2500)  # type: ignore[valid-type]
    command: _said(5000) | None = None  # type: ignore[valid-type]
    rollback: Rollback | None = None
    occurred_at: Moment | None = None


def _kind(value: Any) -> str:
    if not isinstance(value, dict) or not {"runbook_id", "step", "state"} & value.keys():
        return "intervention"
    state = value.get("state", "done")
    return state if state in ("skipped", "undone") else "done"


class Report(
    RootModel[
        Annotated[
            Annotated[StepDone, Tag("done")]
            | Annotated[StepSkipped, Tag("skipped")]
            | Annotated[StepUndone, Tag("undone")]
            | Annotated[Intervention, Tag("intervention")],
            Discriminator(_kind),
        ]
    ]
):
    """What was done: a step of a runbook that is posted in the incident, or anything else."""


class EventRoutes:
    """Takes reports; one with an `Idempotency-Key` that has come before changes nothing and gets the same answer."""

    def __init__(self, services: Services) -> None:
        self._services = services

    async def add(self, request: Request) -> Response:
        """Put what was done on an incident's timeline."""
        number = clean(str(request.path_params["number"]), 40).upper()
        key = request.headers.get("idempotency-key", "")
        if len(key) > KEY:
            return problem(400, "bad_key", f"Give Idempotency-Key at most {KEY} characters.")
        body = await request.body()
        try:
            report = Report.model_validate_json(body)
        except ValidationError as error:
            wrong = [{"at": ".".join(map(str, e["loc"][1:])), "what": e["msg"]} for e in error.errors()]
            return problem(400, "bad_body", "Correct the body: see details.", details={"problems": wrong})

        def work(tx: Tx) -> Response:
            incident = incidents.load(tx.connection, number)
            if incident is None or hidden(request, incident):
                return problem(404, "no_incident", f"There is no {number}. See /api/v1/incidents.")
            return self._take(tx, number, report.root, body, key)

        try:
            return await self._services.store.write(work)
        except Refused as error:
            return problem(409, error.code, worded(str(error), self._services.settings.config.slack.command))

    def _take(self, tx: Tx, number: str, report: _Report, body: bytes, key: str) -> Response:
        receipt = inbox.keep_once(tx.connection, SOURCE, body, tx.now, f"{number}/{key}") if key else None
        if key and receipt is None:
            return _again(tx.connection, number, key)
        after = self._apply(tx, number, report)
        if receipt is not None:
            inbox.note(tx.connection, receipt, str(after.event_seq))
        return _answer(tx.connection, number, after.event_seq, 201)

    def _apply(self, tx: Tx, number: str, report: _Report) -> Incident:
        actor = Actor("human", f"api:{report.actor}", report.actor)
        runner = self._services.runner
        if isinstance(report, _OfStep):
            place = Place(number, report.runbook_id, report.step)
            if isinstance(report, StepSkipped):
                return runner.skip(tx, place, report.why, actor)
            if isinstance(report, StepDone):
                command, approver = report.command or "", report.approved_by or ""
                when = report.occurred_at
                return runner.tick(tx, place, actor, approved_by=approver, command=command, ran=True, occurred_at=when)
            return runner.undo(tx, place, actor)
        assert isinstance(report, Intervention)  # noqa: S101 - there is no other
        back = report.rollback
        done = c.Intervene(
            text=report.text,
            actor=actor,
            command=report.command or "",
            rollback=back.text if back else "",
            rollback_within=(back.within if back else None) or runner.within,
            occurred_at=report.occurred_at,
        )
        return self._services.desk.apply(tx, number, done)


def _again(connection: Connection, number: str, key: str) -> Response:
    letter = inbox.by_key(connection, SOURCE, f"{number}/{key}")
    return _answer(connection, number, int(letter.outcome) if letter else 0, 200)


def _answer(connection: Connection, number: str, seq: int, status: int) -> Response:
    event = incidents.event(connection, number, seq)
    return JSONResponse({"event": event_json(event)} if event else {}, status_code=status)

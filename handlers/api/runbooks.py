"""The runbooks over HTTP (seed 002, 2): the catalog with filters, one of them with its steps; with an ETag each."""

from __future__ import annotations

import hashlib
from dataclasses import asdict
from datetime import UTC, datetime
from typing import Any

from starlette.requests import Request
from starlette.responses import JSONResponse, Response

from bot.incidents.runs import Run
from bot.runbooks.execution import KEEP, MOST, summed_up
from bot.runbooks.review import stale
from bot.services import Services
from bot.store import runbooks
from handlers.api.limits import STALE
from handlers.http import problem

_LEFT_OUT = {"sections"}
FILTERS = frozenset({"signal", "owner", "stale"})


class RunbookRoutes:
    """Answers from the catalog that was read at the start."""

    def __init__(self, services: Services) -> None:
        self._services = services

    async def list(self, request: Request) -> Response:
        """The catalog without the steps: `?signal=`, `?owner=`, `?stale=true` (its review is due)."""
        query = request.query_params
        for name in query:
            if name not in FILTERS:
                return problem(400, "bad_filter", f"Filter by one of {', '.join(sorted(FILTERS))}, not by {name[:40]}.")
        due = query.get("stale")
        if due is not None and due.lower() not in STALE:
            return problem(400, "bad_stale", "Give stale true or false.")
        signal, owner = query.get("signal"), query.get("owner", "").casefold()
        today = datetime.now(UTC).date()
        rows = [
            {**book.model_dump(mode="json", exclude=_LEFT_OUT), "stale": stale(book, today)}
            for book in self._services.catalog
            if (signal is None or signal in book.signals) and (not owner or owner == book.owner_team.casefold())
        ]
        if due is not None:
            rows = [row for row in rows if row["stale"] is STALE[due.lower()]]
        return _tagged(request, {"runbooks": rows})

    async def show(self, request: Request) -> Response:
        """One runbook with its steps."""
        book = self._services.catalog.get(request.path_params["id"])
        if book is None:
            return _unknown()
        return _tagged(request, {**book.model_dump(mode="json"), "stale": stale(book, datetime.now(UTC).date())})

    async def execution(self, request: Request) -> Response:
        """How one runbook was worked through of late: runs, completion, skipped steps, seconds for each step."""
        book = self._services.catalog.get(request.path_params["id"])
        if book is None:
            return _unknown()
        since = self._services.clock.now() - KEEP
        rows = await self._services.store.read(lambda c: runbooks.runs_of(c, book.id, since, MOST))
        told = asdict(summed_up([Run.from_json(row) for row in rows]))
        return _tagged(request, {"id": book.id, "days": KEEP.days, **told})


def _unknown() -> Response:
    return problem(404, "no_runbook", "There is no such runbook. See /api/v1/admin/runbooks.")


def _tagged(request: Request, document: Any) -> Response:
    """Answer with a tag that changes with the content; whoever has it already gets no body."""
    answer = JSONResponse(document)
    tag = f'"{hashlib.sha256(bytes(answer.body)).hexdigest()[:32]}"'
    known = {each.strip().removeprefix("W/") for each in request.headers.get("if-none-match", "").split(",")}
    if known & {tag, "*"}:
        return Response(status_code=304, headers={"etag": tag})
    answer.headers["etag"] = tag
    return answer

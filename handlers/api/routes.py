"""The read-only HTTP API and the health endpoints."""

from __future__ import annotations

import asyncio
import re
from collections.abc import Awaitable, Callable
from typing import Any

from prometheus_client import CONTENT_TYPE_LATEST, generate_latest
from starlette.exceptions import HTTPException
from starlette.requests import Request
from starlette.responses import JSONResponse, PlainTextResponse, Response
from starlette.routing import Route

from bot.errors import DatabaseUnavailable
from bot.incidents.model import Incident
from bot.services import Services
from bot.settings import ROLES
from bot.store import incidents
from bot.store.standing import Gauges
from bot.text import clean
from bot.timeline.as_json import incident_json, milestones_json
from bot.timeline.collect import collect
from bot.timeline.dossier import utc_or_none
from bot.timeline.export import UnknownFormat, render
from bot.timeline.milestones import milestones
from handlers.api import openapi
from handlers.api.events import EventRoutes
from handlers.api.limits import PAGE, PAGE_MAX, STATUS, whole
from handlers.api.runbooks import RunbookRoutes
from handlers.http import credentials, hidden, problem

READY_WITHIN = 2.0  # seconds
NUMBER = 40  # characters of an incident's number that are looked at

Endpoint = Callable[[Request], Awaitable[Response]]


class Api:
    """The endpoints, bound to one process's parts."""

    def __init__(self, services: Services) -> None:
        self._services = services
        self._gauges = Gauges(services.store, services.clock)

    @property
    def routes(self) -> list[Route]:
        """The routes to mount."""
        books, events = RunbookRoutes(self._services), EventRoutes(self._services)
        return [
            Route("/healthz", self.healthz),
            Route("/readyz", self.readyz),
            Route("/metrics", self.metrics),
            Route(openapi.PATH, self.description),
            Route("/api/v1/incidents", self._guard(self.list)),
            Route("/api/v1/incidents/{number}", self._guard(self.show)),
            Route("/api/v1/incidents/{number}/timeline", self._guard(self.timeline)),
            Route("/api/v1/incidents/{number}/events", self._guard(events.add, "responder"), methods=["POST"]),
            Route("/api/v1/admin/runbooks", self._guard(books.list, "admin")),
            Route("/api/v1/admin/runbooks/{id}", self._guard(books.show, "admin")),
            Route("/api/v1/admin/runbooks/{id}/execution", self._guard(books.execution, "admin")),
        ]

    async def healthz(self, _request: Request) -> Response:
        """The process lives."""
        return JSONResponse({"status": "ok"})

    async def readyz(self, _request: Request) -> Response:
        """The process can take work: it is not leaving, and the database lets it begin to write."""
        if self._services.running.draining:
            return problem(503, "draining", "Send work to another replica: this one is stopping.")
        try:
            await asyncio.wait_for(self._services.store.write(lambda _tx: None), READY_WITHIN)
        except TimeoutError:
            return problem(503, "database_unavailable", "Check the database: it does not answer.")
        return JSONResponse({"status": "ready"})

    async def metrics(self, _request: Request) -> Response:
        """Prometheus' view; it answers without the database too."""
        await self._gauges.refresh()
        return PlainTextResponse(generate_latest(), media_type=CONTENT_TYPE_LATEST)

    async def description(self, _request: Request) -> Response:
        """All of this in OpenAPI; it names no secret, so it needs no token."""
        return JSONResponse(openapi.document())

    async def list(self, request: Request) -> Response:
        """Incidents, newest first: `?status=open&limit=50&before=<next>`."""
        query = request.query_params
        status = query.get("status")
        wanted = whole(query.get("limit", str(PAGE)))
        if wanted is None or not 1 <= wanted <= PAGE_MAX:
            return problem(400, "bad_limit", f"Give limit a number from 1 to {PAGE_MAX}.")
        before = whole(query["before"]) if "before" in query else None
        if before is None and "before" in query:
            return problem(400, "bad_before", "Give before the value of `next` from the page before.")
        if status and not re.fullmatch(STATUS, status):
            return problem(400, "bad_status", "Give status a status, or `open`.")
        rows = await self._services.store.read(
            lambda c: incidents.page(c, limit=wanted + 1, before=before, status=status)
        )
        more = len(rows) > wanted
        rows = rows[:wanted]
        return JSONResponse(
            {
                "incidents": [_shown(incident) for _, incident in rows if not hidden(request, incident)],
                "next": str(rows[-1][0]) if more else None,
            }
        )

    async def show(self, request: Request) -> Response:
        """One incident."""
        number = _number(request)
        incident = await self._services.store.read(lambda c: incidents.load(c, number))
        if incident is None or hidden(request, incident):
            return self._unknown(number)
        return JSONResponse(_shown(incident))

    async def timeline(self, request: Request) -> Response:
        """One incident's timeline: `?format=md|json|csv`."""
        number = _number(request)
        dossier = await self._services.store.read(lambda c: collect(c, number))
        if dossier is None or hidden(request, dossier.incident):
            return self._unknown(number)
        try:
            made = render(dossier, request.query_params.get("format", "json"))
        except UnknownFormat as error:
            return problem(400, "bad_format", str(error))
        return Response(
            made.content,
            media_type=made.content_type,
            headers={"content-disposition": f'inline; filename="{made.filename}"'},
        )

    def _guard(self, endpoint: Endpoint, role: str = "viewer") -> Endpoint:
        async def guarded(request: Request) -> Response:
            settings = self._services.settings
            if not settings.tokens:
                return problem(503, "integration_off", "Set SITREP_API_TOKENS (role:token,...) and restart.")
            has = settings.role_of(credentials(request) or "")
            if has is None:
                return problem(
                    401,
                    "unauthorized",
                    "Send a token of SITREP_API_TOKENS as a Bearer token or as a Basic password.",
                    headers={"www-authenticate": 'Basic realm="Sitrep"'},
                )
            if ROLES.index(has) < ROLES.index(role):
                return problem(403, "forbidden", f"Use a token with the role {role}.")
            request.state.role = has
            return await endpoint(request)

        return guarded

    def _unknown(self, number: str) -> Response:
        return problem(404, "no_incident", f"There is no {number}. See /api/v1/incidents.")


def _number(request: Request) -> str:
    return clean(str(request.path_params["number"]), NUMBER).upper()


def _shown(incident: Incident) -> dict[str, Any]:
    moments = ("started", "detected", "declared", "acknowledged", "mitigated", "resolved", "closed")
    lead = incident.lead
    return {
        **incident_json(incident),
        **{f"{name}_at": utc_or_none(getattr(incident, f"{name}_at")) for name in moments},
        "lead": {"id": lead.id, "name": lead.name} if lead else None,
        "milestones": milestones_json(milestones(incident)),
        "next_update_at": utc_or_none(incident.next_update_at),
    }


async def unavailable(_request: Request, error: Exception) -> Response:
    """Answer for a database that is away."""
    return problem(503, "database_unavailable", f"Try again: {error}", headers={"retry-after": "5"})


async def broken(_request: Request, _error: Exception) -> Response:
    """Answer for a defect; the log has the traceback."""
    return problem(500, "defect", "Report this bug, with Sitrep's log from this time.")


async def refused(_request: Request, error: HTTPException) -> Response:
    """Answer for an address or a method that there is not."""
    if error.status_code == 405:
        allowed = ", ".join(sorted((error.headers or {}).get("Allow", "").split(", ")))
        return problem(405, "method_not_allowed", f"Use {allowed} here.", headers={"allow": allowed})
    if error.status_code == 404:
        return problem(404, "not_found", f"There is nothing at this address. See {openapi.PATH}.")
    return problem(error.status_code, "refused", error.detail)


HANDLERS: dict[Any, Any] = {HTTPException: refused, DatabaseUnavailable: unavailable, Exception: broken}

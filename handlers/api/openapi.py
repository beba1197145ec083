"""The OpenAPI 3.1 description of all that is seen from outside over HTTP, save what only Slack calls.

A route is added in three steps: mount it, describe it in `_paths` (a line of `_guarded` or `_open`), and name what it
answers with in `handlers.api.schemas`. A test compares what is mounted with what is described, and asks the service.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from functools import cache
from typing import Any

from pydantic import TypeAdapter

from bot import __version__
from bot.incidents.sources import NAME
from bot.runbooks.model import DottedId
from bot.timeline.export import FORMATS
from handlers.api.events import KEY
from handlers.api.limits import BEFORE, PAGE, PAGE_MAX, STATUS
from handlers.api.schemas import Schema, components, ref

PATH = "/api/v1/openapi.json"
_NUMBER_FORM = "^[Ii][Nn][Cc]-[0-9]{8}-[0-9]{3,}$"
_STALE_FORM = "^([Tt][Rr][Uu][Ee]|[Ff][Aa][Ll][Ss][Ee]|[01])$"
_LOGINS: list[Schema] = [{"ApiBearer": []}, {"ApiBasic": []}]


@cache
def document() -> dict[str, Any]:
    """Give the description; it is the same as long as the process lives."""
    return {
        "openapi": "3.1.0",
        "info": {"title": "Sitrep", "version": __version__, "summary": _SUMMARY, "description": _DESCRIPTION},
        "paths": _paths(),
        "components": {"schemas": components(), "securitySchemes": _SECURITY},
    }


def _paths() -> Schema:
    return {
        "/healthz": {"get": _open("Whether the process is alive", {200: _json("Health")})},
        "/readyz": {
            "get": _open(
                "Whether the process can take work: it is not stopping, and the database lets it begin to write",
                {200: _json("Readiness"), 503: _refusal("draining", "database_unavailable")},
            )
        },
        "/metrics": {"get": _open("Metrics for Prometheus; without the database too", {200: _text("text/plain")})},
        PATH: {"get": _open("This description", {200: _body("application/json", {"type": "object"})})},
        "/api/v1/incidents": {
            "get": _guarded(
                "viewer",
                "Incidents, newest first",
                {200: _json("IncidentPage"), 400: _refusal("bad_limit", "bad_before", "bad_status")},
                _query(
                    "status", {"type": "string", "pattern": f"^{STATUS}$"}, "A status, or `open` for all that are open."
                ),
                _query("limit", {"type": "integer", "minimum": 1, "maximum": PAGE_MAX, "default": PAGE}, "Rows."),
                _query(
                    "before", {"type": "string", "pattern": f"^{BEFORE}$"}, "The value of `next` from the page before."
                ),
            )
        },
        "/api/v1/incidents/{number}": {
            "get": _guarded(
                "viewer", "One incident", {200: _json("Incident"), 404: _refusal("no_incident", "not_found")}, _NUMBER
            )
        },
        "/api/v1/incidents/{number}/timeline": {
            "get": _guarded(
                "viewer",
                "One incident's timeline as a file",
                {200: _TIMELINE, 400: _refusal("bad_format"), 404: _refusal("no_incident", "not_found")},
                _NUMBER,
                _query(
                    "format", {"type": "string", "enum": list(FORMATS), "default": "json"}, "Markdown, JSON or CSV."
                ),
            )
        },
        "/api/v1/incidents/{number}/events": {
            "post": _guarded(
                "responder",
                "Put what a tool has done on the timeline: a step of the posted runbook, or another intervention",
                {
                    200: {**_json("Recorded"), "description": "This Idempotency-Key has come before."},
                    201: {**_json("Recorded"), "description": "It is on the timeline."},
                    400: _refusal("bad_body", "bad_key"),
                    404: _refusal("no_incident", "not_found"),
                    409: _refusal(
                        "no_run", "no_step", "no_change", "no_version", "needs_approval", "no_reason", "not_open"
                    ),
                },
                _NUMBER,
                _IDEMPOTENCY,
                body="Report",
            )
        },
        "/api/v1/admin/runbooks": {
            "get": _guarded(
                "admin",
                "The runbooks without their steps; no other filters than these are taken",
                {**_tagged("Catalog"), 400: _refusal("bad_filter", "bad_stale")},
                _query("signal", {"type": "string"}, "A signal key or an alert's name, letter by letter."),
                _query("owner", {"type": "string"}, "The team that owns it, in any case; empty for all."),
                _query("stale", {"type": "string", "pattern": _STALE_FORM}, "Whether its review is due."),
                _IF_NONE_MATCH,
            )
        },
        "/api/v1/admin/runbooks/{id}": {
            "get": _guarded(
                "admin",
                "One runbook with its steps",
                {**_tagged("Runbook"), 404: _refusal("no_runbook", "not_found")},
                _RUNBOOK,
                _IF_NONE_MATCH,
            )
        },
        "/api/v1/admin/runbooks/{id}/execution": {
            "get": _guarded(
                "admin",
                "How one runbook was worked through: runs, completion, steps done and skipped, seconds for each",
                {**_tagged("Execution"), 404: _refusal("no_runbook", "not_found")},
                _RUNBOOK,
                _IF_NONE_MATCH,
            )
        },
        "/webhooks/alertmanager": {"post": _alertmanager("Takes a notification of Alertmanager's or Grafana's")},
        "/webhooks/alertmanager/{source}": {
            "post": _alertmanager(
                "Takes a notification of one of several Alertmanagers or Grafanas",
                _SOURCE,
                {404: _refusal("bad_source", "not_found")},
            )
        },
        "/webhooks/pagerduty": {
            "post": _webhook(
                "Takes an event of PagerDuty's webhooks, version 3",
                "PagerdutyNotification",
                [{"PagerdutySignature": []}],
                _refusal("bad_signature"),
            )
        },
    }


def _operation(summary: str, answers: Mapping[int, Schema], parameters: Sequence[Schema] = (), **more: Any) -> Schema:
    """Describe an operation; each can answer 500, for a defect."""
    every = {**answers, 500: _refusal("defect")}
    made = {"summary": summary, **more, "responses": {str(status): every[status] for status in sorted(every)}}
    return {**made, "parameters": list(parameters)} if parameters else made


def _open(summary: str, answers: Mapping[int, Schema], *parameters: Schema) -> Schema:
    """Describe an operation that needs no token."""
    return _operation(summary, answers, parameters, security=[])


def _guarded(role: str, summary: str, answers: Mapping[int, Schema], *parameters: Schema, body: str = "") -> Schema:
    """Describe an operation that needs a token with at least this role, and what the guard answers without.

    `body` names the component that is sent, if one is.
    """
    guard = {
        401: _refusal("unauthorized", headers=_CHALLENGE),
        503: _refusal("integration_off", "database_unavailable"),
    }
    if role != "viewer":  # every token has at least this role
        guard[403] = _refusal("forbidden")
    more: Schema = {"security": _LOGINS, "description": f"Needs a token with the role {role}."}
    if body:
        more["requestBody"] = _sent(body)
        guard[413] = _refusal("too_large")
        guard[503] = _refusal("integration_off", "database_unavailable", *_AGAIN)
    return _operation(summary, {**guard, **answers}, parameters, **more)


def _alertmanager(summary: str, parameter: Schema | None = None, more: Mapping[int, Schema] | None = None) -> Schema:
    made = _webhook(
        summary,
        "AlertmanagerNotification",
        [{"AlertmanagerBearer": []}, {"AlertmanagerBasic": []}],
        _refusal("unauthorized", "wrong_source", headers=_CHALLENGE),
        more,
    )
    return {**made, "parameters": [parameter]} if parameter else made


def _webhook(
    summary: str, schema: str, security: list[Schema], refused: Schema, more: Mapping[int, Schema] | None = None
) -> Schema:
    return _operation(
        summary,
        {
            202: {**_json("Accepted"), "description": "It is kept, and what follows from it is committed."},
            400: _refusal("malformed"),
            401: refused,
            413: _refusal("too_large"),
            503: _refusal("integration_off", "database_unavailable", *_AGAIN),
            **(more or {}),
        },
        security=security,
        requestBody=_sent(schema),
    )


def _sent(name: str) -> Schema:
    """Take one of the components."""
    return {"required": True, "content": {"application/json": {"schema": ref(name)}}}


def _body(media_type: str, schema: Schema) -> Schema:
    return {"description": "As asked.", "content": {media_type: {"schema": schema}}}


def _json(name: str) -> Schema:
    """Answer with one of the components."""
    return _body("application/json", ref(name))


def _text(media_type: str) -> Schema:
    return _body(media_type, {"type": "string"})


def _tagged(name: str) -> dict[int, Schema]:
    """Answer with one of the components and its ETag, or with nothing but the ETag."""
    return {
        200: {**_json(name), "headers": _ETAG},
        304: {"description": "Not modified: the caller's copy is current.", "headers": _ETAG},
    }


def _refusal(*codes: str, headers: Schema | None = None) -> Schema:
    """Answer with the error envelope and one of these codes."""
    code = {"properties": {"error": {"properties": {"code": {"enum": list(codes)}}}}}
    made = _body("application/json", {"allOf": [ref("Error"), code]})
    return {**made, "description": ", ".join(codes), **({"headers": headers} if headers else {})}


def _query(name: str, schema: Schema, description: str) -> Schema:
    return {"name": name, "in": "query", "schema": schema, "description": description}


def _in_path(name: str, schema: Schema, description: str) -> Schema:
    return {"name": name, "in": "path", "required": True, "schema": schema, "description": description}


_ETAG = {"ETag": {"required": True, "schema": {"type": "string", "pattern": '^"[0-9a-f]{32}"$'}}}
_CHALLENGE = {"WWW-Authenticate": {"required": True, "schema": {"type": "string"}}}
_IF_NONE_MATCH = {
    "name": "If-None-Match",
    "in": "header",
    "schema": {"type": "string"},
    "description": "ETags of what the caller has, with commas, or `*`.",
}
_AGAIN = ("busy", "too_slow")  # of a body that did not come in whole
_SOURCE = _in_path(
    "source", {"type": "string", "pattern": f"^{NAME.pattern}$"}, "The sender's name; alerts of two never mix."
)
_NUMBER = _in_path("number", {"type": "string", "pattern": _NUMBER_FORM}, "INC-YYYYMMDD-NNN, in any case.")
_RUNBOOK = _in_path("id", TypeAdapter(DottedId).json_schema(), "The runbook's id, such as `ops.api.error-rate`.")
_IDEMPOTENCY = {
    "name": "Idempotency-Key",
    "in": "header",
    "schema": {"type": "string", "maxLength": KEY},
    "description": "Identifies the report: a repeat changes nothing and returns the same event.",
}
_TIMELINE = {
    "description": "Exports are deterministic.",
    "headers": {"Content-Disposition": {"required": True, "schema": {"type": "string"}}},
    "content": {
        "application/json": {"schema": ref("Timeline")},
        "text/markdown": {"schema": {"type": "string"}},
        "text/csv": {"schema": {"type": "string"}},
    },
}
_SECURITY = {
    "ApiBearer": {"type": "http", "scheme": "bearer", "description": "A token of SITREP_API_TOKENS."},
    "ApiBasic": {"type": "http", "scheme": "basic", "description": "Any user, a token of SITREP_API_TOKENS."},
    "AlertmanagerBearer": {"type": "http", "scheme": "bearer", "description": "ALERTMANAGER_WEBHOOK_TOKEN."},
    "AlertmanagerBasic": {"type": "http", "scheme": "basic", "description": "Any user, ALERTMANAGER_WEBHOOK_TOKEN."},
    "PagerdutySignature": {
        "type": "apiKey",
        "in": "header",
        "name": "X-PagerDuty-Signature",
        "description": "`v1=` and the HMAC-SHA256 of the body in hex, by a secret of PAGERDUTY_WEBHOOK_SECRETS.",
    },
}
_SUMMARY = "A ChatOps incident bot: incidents, timelines and runbooks."
_DESCRIPTION = (
    "Whatever answers GET answers HEAD too. A method that is not named here gets 405 with `Allow`, an address that is "
    "not named here 404; both, as every error, in the envelope `Error`. All times are UTC."
)

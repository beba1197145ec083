"""The schemas of the OpenAPI description, taken from what the code itself checks by wherever there is such a thing."""

from __future__ import annotations

import json
import re
from importlib.resources import files
from typing import Any

from pydantic import BaseModel, TypeAdapter
from pydantic.json_schema import GenerateJsonSchema

from bot.runbooks.execution import Execution
from bot.runbooks.model import Runbook
from bot.timeline.as_json import SCHEMA_VERSION
from handlers.api.events import Report
from handlers.api.limits import BEFORE
from handlers.webhooks import alertmanager, pagerduty

Schema = dict[str, Any]

MOMENTS = ("started", "detected", "declared", "acknowledged", "mitigated", "resolved", "closed")
# A reference into the schema that it stands in.
_LOCAL = re.compile(r'"#/\$defs/(\w)(\w*)"')


class _Plain(GenerateJsonSchema):
    """Leaves out titles that only repeat the field's name."""

    def field_title_should_be_set(self, schema: Any) -> bool:
        """Say no, whatever it is."""
        del schema
        return False


def ref(name: str) -> Schema:
    """Point to a schema of the components."""
    return {"$ref": f"#/components/schemas/{name}"}


def closed(properties: Schema, **more: Any) -> Schema:
    """Make an object that has all of these properties and no others."""
    required = list(properties)
    return {"type": "object", "properties": properties, "required": required, "additionalProperties": False, **more}


def nullable(schema: Schema) -> Schema:
    """Allow null besides."""
    return {"anyOf": [schema, {"type": "null"}]}


def listed(schema: Schema) -> Schema:
    """Make an array of it."""
    return {"type": "array", "items": schema}


def components() -> dict[str, Schema]:
    """Give the schemas by name."""
    made: dict[str, Schema] = {
        "Error": closed({"error": closed(_ERROR)}),
        "Health": closed({"status": {"const": "ok"}}),
        "Readiness": closed({"status": {"const": "ready"}}),
        "Accepted": {**closed(_ACCEPTED), "properties": {**_ACCEPTED, "left_out": _LEFT_OUT}},
    }
    path = files("bot.timeline") / "schema" / f"timeline-v{SCHEMA_VERSION}.schema.json"
    _add(made, "Timeline", json.loads(path.read_text(encoding="utf-8")))
    timeline = made["Timeline"]["properties"]
    made["Milestones"], timeline["milestones"] = timeline["milestones"], ref("Milestones")
    made["Incident"] = _incident(timeline["incident"]["properties"])
    made["IncidentPage"] = closed({"incidents": listed(ref("Incident")), "next": nullable(_NEXT)})
    _add(made, "Runbook", _of_answer(Runbook))
    fields = {**made["Runbook"]["properties"], "stale": {"type": "boolean", "description": "Its review is due."}}
    made["Runbook"] = closed(fields, description="A whole runbook.")
    made["RunbookRow"] = closed({name: field for name, field in fields.items() if name != "sections"})
    made["Catalog"] = closed({"runbooks": listed(ref("RunbookRow"))})
    made["Event"] = timeline["events"]["items"]
    timeline["events"]["items"] = ref("Event")
    made["Recorded"] = closed({"event": ref("Event")})
    _add(made, "Report", _of_body(Report))
    _add(made, "Execution", _of_answer(Execution))
    told = made["Execution"]["properties"]
    made["Execution"] = closed({"id": {"type": "string"}, "days": {"type": "integer"}, **told})
    _add(made, "AlertmanagerNotification", _of_body(alertmanager.Body))
    _add(made, "PagerdutyNotification", _of_body(pagerduty.Envelope))
    return dict(sorted(made.items()))


def _incident(state: Schema) -> Schema:
    person = closed({"id": {"type": "string"}, "name": {"type": "string"}})
    return closed(
        {
            **state,
            **{f"{name}_at": ref("Time") if name == "declared" else nullable(ref("Time")) for name in MOMENTS},
            "lead": nullable(person),
            "milestones": ref("Milestones"),
            "next_update_at": nullable(ref("Time")),
        }
    )


def _of_answer(model: type) -> Schema:
    """Describe a model that is written out whole: every field is there, with or without a default."""
    schema = TypeAdapter(model).json_schema(mode="serialization", schema_generator=_Plain)
    for each in (schema, *schema.get("$defs", {}).values()):
        if "properties" in each:
            each["required"] = list(each["properties"])
    return schema


def _of_body(model: type[BaseModel]) -> Schema:
    return model.model_json_schema(mode="validation", schema_generator=_Plain)


def _add(made: dict[str, Schema], name: str, schema: Schema) -> None:
    """Add a schema, and beside it those that it keeps in its own `$defs`: `time` becomes `Time`.

    Raises:
        ValueError: another schema has that name already.
    """
    text = _LOCAL.sub(lambda found: f'"#/components/schemas/{found[1].upper()}{found[2]}"', json.dumps(schema))
    moved: Schema = json.loads(text)
    moved.pop("$schema", None)
    beside = {inner[0].upper() + inner[1:]: each for inner, each in moved.pop("$defs", {}).items()}
    for each, found in {**beside, name: moved}.items():
        if made.setdefault(each, found) != found:
            raise ValueError(f"Rename one of the two schemas that are called {each}.")


_ERROR: Schema = {
    "code": {"type": "string", "pattern": "^[a-z_]+$", "description": "For programs; it stays the same."},
    "message": {"type": "string", "minLength": 1, "description": "For people: what to do."},
    "correlation_id": {"type": "string", "format": "uuid", "description": "Names this answer."},
    "details": {"type": "object", "description": "What else is known; often empty."},
}
_ACCEPTED: Schema = {
    "receipt": {"type": "string", "description": "Names the body that was kept; empty for a duplicate."},
    "outcome": {"type": "string", "minLength": 1, "description": "What became of it."},
}
_LEFT_OUT: Schema = {
    "type": "array",
    "items": {"type": "string"},
    "description": "Alerts of the body that could not be read, and why; the others are taken in.",
}
_NEXT: Schema = {"type": "string", "pattern": f"^{BEFORE}$", "description": "Give it as `before` for the next page."}

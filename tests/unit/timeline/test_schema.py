from __future__ import annotations

import copy
import json
import re
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from bot.incidents.model import Incident
from bot.timeline import export
from bot.timeline.export import Dossier, render

SCHEMA = json.loads((Path(export.__file__).parent / "schema" / "timeline-v1.schema.json").read_text(encoding="utf-8"))
TYPES: dict[str, tuple[type, ...]] = {
    "object": (dict,),
    "array": (list,),
    "string": (str,),
    "boolean": (bool,),
    "integer": (int,),
    "null": (type(None),),
}
KNOWN = {
    "$schema", "$defs", "$ref", "title", "description", "type", "properties", "required", "additionalProperties",
    "items", "enum", "const", "anyOf", "pattern", "minimum", "minLength",
}  # fmt: skip


def faults(value: Any, schema: dict[str, Any], at: str = "$") -> list[str]:
    """Check a value against the part of JSON Schema that our schema uses."""
    assert schema.keys() <= KNOWN, schema.keys() - KNOWN
    if "$ref" in schema:
        return faults(value, SCHEMA["$defs"][schema["$ref"].removeprefix("#/$defs/")], at)
    if "anyOf" in schema:
        return [] if any(not faults(value, one, at) for one in schema["anyOf"]) else [f"{at}: none of anyOf"]
    if "const" in schema and value != schema["const"]:
        return [f"{at}: const"]
    if "enum" in schema and value not in schema["enum"]:
        return [f"{at}: enum"]
    kinds = schema.get("type", [])
    kinds = [kinds] if isinstance(kinds, str) else kinds
    if kinds and not any(
        isinstance(value, TYPES[kind]) and (kind == "boolean" or not isinstance(value, bool)) for kind in kinds
    ):
        return [f"{at}: type"]
    found: list[str] = []
    if isinstance(value, str):
        if len(value) < schema.get("minLength", 0):
            found.append(f"{at}: minLength")
        if not re.search(schema.get("pattern", ""), value):
            found.append(f"{at}: pattern")
    if isinstance(value, int) and value < schema.get("minimum", value):
        found.append(f"{at}: minimum")
    if isinstance(value, list):
        for index, item in enumerate(value):
            found += faults(item, schema.get("items", {}), f"{at}[{index}]")
    if isinstance(value, dict):
        found += [f"{at}.{key}: missing" for key in schema.get("required", []) if key not in value]
        extra = schema.get("additionalProperties", {})
        for key, item in value.items():
            one = schema.get("properties", {}).get(key, extra)
            found += [f"{at}.{key}: not allowed"] if one is False else faults(item, one, f"{at}.{key}")
    return found


def document(dossier: Dossier) -> Any:
    return json.loads(render(dossier, "json").content)


def test_an_export_fits_the_schema(dossier: Dossier) -> None:
    """What is written is what the schema promises."""
    assert faults(document(dossier), SCHEMA) == []


def test_a_bare_incident_fits_the_schema(make_incident: Callable[..., Incident]) -> None:
    """An incident with nothing but its declaration fits too."""
    bare = make_incident(
        roles={},
        started_at=None,
        detected_at=None,
        acknowledged_at=None,
        mitigated_at=None,
        resolved_at=None,
        channel_id="",
    )
    written = document(Dossier(bare))
    assert faults(written, SCHEMA) == []
    assert written["milestones"]["resolved"] is None
    assert written["milestones"]["time_to_resolve"] is None
    assert written["incident"]["channel"] is None


def test_the_events_are_as_promised(dossier: Dossier) -> None:
    """Events come in seq order with actor and data, and the durations in seconds."""
    written = document(dossier)
    assert written["schema_version"] == 1
    assert [event["seq"] for event in written["events"]] == list(range(1, 9))
    assert written["events"][0] == {
        "seq": 1,
        "occurred_at": "2026-11-20T14:32:35.123Z",
        "recorded_at": "2026-11-20T14:32:35.123Z",
        "kind": "alert_fired",
        "actor": {"type": "alert", "id": "alertmanager", "name": "Alertmanager"},
        "text": "High",
        "source": "",
        "data": {},
    }
    assert written["milestones"]["time_to_acknowledge"] == 60
    assert written["milestones"]["time_to_resolve"] == 1680


@pytest.mark.parametrize(
    ("path", "value", "fault"),
    [
        (("schema_version",), 2, "$.schema_version: const"),
        (("incident", "severity"), "sev9", "$.incident.severity: enum"),
        (("incident", "extra"), 1, "$.incident.extra: not allowed"),
        (("milestones", "declared"), "2026-11-20 14:32", "$.milestones.declared: pattern"),
        (("milestones", "time_to_resolve"), -1, "$.milestones.time_to_resolve: minimum"),
        (("events", 0, "seq"), "1", "$.events[0].seq: type"),
        (("events", 0, "actor"), None, "$.events[0].actor: type"),
    ],
)
def test_the_check_finds_what_breaks_the_schema(
    dossier: Dossier, path: tuple[str | int, ...], value: Any, fault: str
) -> None:
    """The schema and the check are strict enough to notice."""
    written = copy.deepcopy(document(dossier))
    place = written
    for key in path[:-1]:
        place = place[key]
    place[path[-1]] = value
    assert faults(written, SCHEMA) == [fault]

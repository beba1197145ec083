"""What the alerts of a PagerDuty incident say of themselves: labels and annotations, from what integrations send. Pure.

Alertmanager and Grafana send the labels as text under `firing`; others send them as fields, in `labels`, or as `tags`.
"""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping
from typing import Any

MOST = 60  # labels or annotations of an alert that are kept
LONGEST = 500  # characters of a value
TEXT = 20_000  # characters of a text that are looked at

_PAIR = re.compile(r"^\s*-\s*([^\s=][^=\n]*?)\s*=\s*(.*?)\s*$")
_TAG = re.compile(r"^([A-Za-z_][\w./-]*):(\S.*)$")
_ANNOTATIONS = frozenset({"runbook_url", "runbook", "summary", "description", "dashboard_url", "message"})


def facts_of(alert: Mapping[str, Any]) -> tuple[dict[str, str], dict[str, str]]:
    """Give the labels and the annotations of an alert, as PagerDuty's REST API shows it; empty where it holds none."""
    labels: dict[str, str] = {}
    annotations: dict[str, str] = {}
    body = alert.get("body")
    for details in _details(body if isinstance(body, Mapping) else {}):
        for name, value in _pairs(details):
            kept = annotations if name in _ANNOTATIONS or name.startswith("annotation:") else labels
            if len(kept) < MOST:
                kept.setdefault(name.removeprefix("annotation:"), value[:LONGEST])
    return labels, annotations


def _details(body: Mapping[str, Any]) -> Iterator[object]:
    yield body.get("details")
    cef = body.get("cef_details")
    if isinstance(cef, Mapping):
        yield cef.get("details")
    yield body.get("custom_details")


def _pairs(details: object) -> Iterator[tuple[str, str]]:
    """Give names and values: those that are nested under `labels` first, then those of texts, then plain fields."""
    if isinstance(details, str):
        yield from _of_text(details)
        return
    if not isinstance(details, Mapping):
        return
    for key, mark in (("labels", ""), ("commonLabels", ""), ("annotations", "annotation:")):
        nested = details.get(key)
        if isinstance(nested, Mapping):
            yield from ((f"{mark}{name}", str(value)) for name, value in nested.items() if _is_plain(value))
        elif isinstance(nested, str):
            yield from _of_text(nested)
    for key in ("firing", "description", "body"):
        text = details.get(key)
        if isinstance(text, str):
            yield from _of_text(text)
    tags = details.get("tags")
    words = tags.split(",") if isinstance(tags, str) else tags if isinstance(tags, list) else ()
    for word in words:
        if isinstance(word, str) and (found := _TAG.match(word.strip())):
            yield found.group(1), found.group(2)
    for name, value in details.items():
        if _is_plain(value) and "\n" not in str(value):
            yield str(name), str(value)


def _of_text(text: str) -> Iterator[tuple[str, str]]:
    """Read Alertmanager's text: ` - name = value` under the headings Labels and Annotations, of the first alert."""
    mark, begun = "", False
    for line in text[:TEXT].splitlines():
        heading = line.strip().casefold().rstrip(":")
        if heading == "labels":
            if begun:
                return
            mark, begun = "", True
        elif heading == "annotations":
            mark = "annotation:"
        elif begun and (found := _PAIR.match(line)):
            yield mark + found.group(1), found.group(2)


def _is_plain(value: object) -> bool:
    return isinstance(value, str | int | float) and not isinstance(value, bool) and str(value).strip() != ""

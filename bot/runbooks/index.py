"""The generated catalog: what other programs read instead of the Markdown (seed 002, 2)."""

from __future__ import annotations

import json

from bot.runbooks.catalog import Catalog

FILE = "runbooks.catalog.json"
_LEFT_OUT = {"sections", "summary"}


def document(catalog: Catalog) -> str:
    """Give the catalog as JSON: metadata and version of each runbook, and which runbooks a signal leads to.

    The same runbooks always give the same bytes.
    """
    signals: dict[str, list[str]] = {}
    places = [(place, book.id, name) for book in catalog for place, name in enumerate(book.signals)]
    for _, runbook_id, name in sorted(places):
        signals.setdefault(name, []).append(runbook_id)
    made = {
        "runbooks": [book.model_dump(mode="json", exclude=_LEFT_OUT, exclude_none=True) for book in catalog],
        "checklists": [
            listed.model_dump(mode="json", exclude={"items"}, exclude_none=True) for listed in catalog.checklists
        ],
        "signals": dict(sorted(signals.items())),
    }
    return json.dumps(made, indent=2, ensure_ascii=False) + "\n"

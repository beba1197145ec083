"""The export for spreadsheets: CSV by RFC 4180, with no cell that a spreadsheet would run as a formula."""

from __future__ import annotations

import csv
import io
import json
import unicodedata
from datetime import UTC

from bot.incidents.model import Event
from bot.timeline.as_json import sorted_data
from bot.timeline.dossier import Dossier, Rendered, clean, filename, utc
from bot.timeline.words import Names, kind_of

# First what people read: the time in UTC, the kind in words, who said or did it, the text; then what programs read.
COLUMNS = (
    "time",
    "what",
    "who",
    "text",
    "seq",
    "occurred_at",
    "recorded_at",
    "kind",
    "actor_type",
    "actor_id",
    "actor_name",
    "source",
    "data",
)
BYTE_ORDER_MARK = "\ufeff"  # without it Excel reads UTF-8 in the local code page
FORMULA_SIGNS = frozenset("=+-@")
SPLITTERS = frozenset("\t\r\n")  # at the front these can move what follows into a cell of its own


def render_csv(dossier: Dossier) -> Rendered:
    """Render the events as CSV in seq order, with a byte order mark; `data` is JSON."""
    names = Names(dossier.incident, dossier.events)
    out = io.StringIO(newline="")
    writer = csv.writer(out, lineterminator="\r\n")
    writer.writerow(COLUMNS)
    for event in dossier.in_order:
        writer.writerow([safe(cell) for cell in _row(event, names)])
    return Rendered(
        content=(BYTE_ORDER_MARK + out.getvalue()).encode(),
        content_type="text/csv; charset=utf-8",
        filename=filename(dossier.incident.number, "csv"),
    )


def safe(cell: str) -> str:
    """Put an apostrophe before a cell that a spreadsheet could take for a formula; leave all others as they are."""
    cell = clean(cell)
    return f"'{cell}" if cell[:1] in SPLITTERS or _sign(cell) in FORMULA_SIGNS else cell


def _sign(cell: str) -> str:
    """Give the first visible character, full-width and small forms folded to the common one."""
    for character in cell:
        if not character.isspace() and unicodedata.category(character) not in {"Cc", "Cf"}:
            return unicodedata.normalize("NFKC", character)
    return ""


def _row(event: Event, names: Names) -> tuple[str, ...]:
    return (
        f"{event.occurred_at.astimezone(UTC):%Y-%m-%d %H:%M}",
        kind_of(event),
        names.author(event),
        event.text,
        str(event.seq),
        utc(event.occurred_at),
        utc(event.recorded_at),
        event.kind,
        event.actor.type,
        event.actor.id,
        event.actor.name,
        event.source,
        json.dumps(sorted_data(event), ensure_ascii=False),
    )

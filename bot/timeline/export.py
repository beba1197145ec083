"""The one door to the exports: a dossier and a format's name in, a file out. Pure."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from types import MappingProxyType

from bot.timeline.as_csv import render_csv
from bot.timeline.as_json import render_json
from bot.timeline.dossier import AlertRow, Dossier, Rendered
from bot.timeline.markdown import render_markdown

__all__ = ["FORMATS", "AlertRow", "Dossier", "Rendered", "UnknownFormat", "render"]

FORMATS: Mapping[str, Callable[[Dossier], Rendered]] = MappingProxyType(
    {"md": render_markdown, "json": render_json, "csv": render_csv}
)


class UnknownFormat(ValueError):  # noqa: N818 - the word a caller is told
    """There is no export of this format. The message names those that there are."""


def render(dossier: Dossier, fmt: str) -> Rendered:
    """Render an incident's timeline in a format: md, json or csv.

    Raises:
        UnknownFormat: any other word.
    """
    renderer = FORMATS.get(fmt)
    if renderer is None:
        raise UnknownFormat(f"There is no format {fmt[:40]!r}: use one of {', '.join(FORMATS)}.")
    return renderer(dossier)

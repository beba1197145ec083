"""Text from outside, made safe to stand in one line of GitHub-flavoured Markdown."""

from __future__ import annotations

import re
import unicodedata
from collections.abc import Iterable

from bot.timeline.dossier import REPLACEMENT, clean

_HTML = str.maketrans({"&": "&amp;", "<": "&lt;", ">": "&gt;"})
_MARKUP = re.compile(r"[\\`*\[\]|~#$]")
# Within a word an underscore is no markup; leaving it alone keeps names such as alert_fired legible.
_UNDERSCORE = re.compile(r"(?<![A-Za-z0-9])_|_(?![A-Za-z0-9])")


def inline(text: str) -> str:
    """Escape a text so that it reads as itself on one line, in a table cell as well as elsewhere.

    Line breaks become spaces. Control and bidirectional formatting characters are replaced: they could make a
    reader see another text than the one recorded.
    """
    words = " ".join(clean(text).split())
    visible = "".join(REPLACEMENT if _hidden(character) else character for character in words)
    return _UNDERSCORE.sub(r"\\_", _MARKUP.sub(r"\\\g<0>", visible)).translate(_HTML)


def row(cells: Iterable[str]) -> str:
    """Write one row of a table out of cells that are escaped already."""
    return f"| {' | '.join(cells)} |"


def table(head: Iterable[str], rows: Iterable[Iterable[str]]) -> list[str]:
    """Write a table, line by line, out of cells that are escaped already."""
    titles = tuple(head)
    return [row(titles), row("---" for _ in titles), *(row(cells) for cells in rows)]


def _hidden(character: str) -> bool:
    # The zero-width joiner and non-joiner (Cf, but not bidirectional) belong to emoji and to several scripts.
    return unicodedata.category(character) == "Cc" or unicodedata.bidirectional(character) in {
        "LRE", "RLE", "PDF", "LRO", "RLO", "LRI", "RLI", "FSI", "PDI",
    }  # fmt: skip

"""Web addresses in Markdown: every renderer links to exactly the address that was recorded."""

from __future__ import annotations

import re

ADDRESS = re.compile(r"(?<![A-Za-z0-9])https?://[^\s<>|\"`\u201c\u201d]+", re.IGNORECASE)
_WHOLE = re.compile(r"https?://[^\s<>\"`\\^{}|\x00-\x20\x7f-\x9f]+", re.IGNORECASE)
_TRAILING = ".,:;!?'*_~)]}>\u2019\u00bb\u2026"  # ends the sentence around an address rather than the address
_PAIRS = {")": "(", "]": "[", "}": "{"}
_HOST = re.compile(r"https?://[A-Za-z0-9.-]+(?::\d+)?(?:[/?#]|$)", re.IGNORECASE)
_ENTITY = re.compile(r"&(?=#?[A-Za-z0-9]+;)")
# What would be read as a mark by one renderer or another, within an address that stands bare.
_MARKS = re.compile(r"[*~\\|\[\]{}^]|(?<![A-Za-z0-9])_|_(?![A-Za-z0-9])")
_SENTENCE = re.compile(r"[.,:!?')]*(?=\s|$)")


def is_address(text: str) -> bool:
    """True where a text is one web address and nothing else."""
    return _WHOLE.fullmatch(text) is not None


def link(label: str, address: str) -> str:
    """Link to an address; `label` is ours."""
    escaped = _ENTITY.sub("&amp;", re.sub(r"\\(?=[!-/:-@\[-`{-~])", r"\\\\", address))
    return f"[{label}](<{escaped}>)" if re.search(r"[()\\]", escaped) else f"[{label}]({escaped})"


def written(text: str, start: int) -> tuple[int, str] | None:
    """Write the address that begins at a place of a text: bare where GitHub links exactly that, else in brackets.

    Returns the place after it and how it is written; None where there is no address.
    """
    found = ADDRESS.match(text, start)
    if found is None:
        return None
    address = trimmed(found[0])
    if len(address) <= len("https://"):
        return None
    end = start + len(address)
    if _ENTITY.search(address):  # renderers differ about entities in brackets
        return end, link(re.sub(_MARKS, r"\\\g<0>", _ENTITY.sub("&amp;", address.partition("//")[2])), address)
    is_plain = _HOST.match(address) and not _MARKS.search(address) and _SENTENCE.match(text, end)
    return end, address if is_plain else f"<{address}>"


def trimmed(address: str) -> str:
    """Take off what belongs to the sentence: punctuation at the end, a bracket that was opened before."""
    while address and address[-1] in _TRAILING:
        opening = _PAIRS.get(address[-1])
        if opening and address.count(opening) >= address.count(address[-1]):
            break
        address = address[:-1]
    return address

"""The ids in a pasted error, and the form of a resource name (seed 002, 7). Pure.

An API's error envelope has `code`, `message`, `correlation_id` and `details`; log lines carry the same ids as
`correlation_id=...`. Both are read wherever they stand in a text.
"""

from __future__ import annotations

import re

IDS = ("correlation_id", "trace_id", "resource_name", "host_role")
LONGEST = 200  # characters of a value
READ = 10_000  # characters of a text
FORM = "core42:aicloud:{region}:{tenant_id}:{project_id}:{resource_type}:{resource_id}"

_QUOTE = "[\"'“”]?"  # a phone writes them so
_VALUE = f"[A-Za-z0-9][A-Za-z0-9:._/-]{{0,{LONGEST - 1}}}"
_PAIR = re.compile(rf"(?<![\w-]){_QUOTE}(code|{'|'.join(IDS)}){_QUOTE}\s*[:=]\s*{_QUOTE}({_VALUE})")
_NAME = re.compile(r"core42:aicloud(:[A-Za-z0-9][A-Za-z0-9._-]*){5}")


def read(text: str) -> dict[str, str]:
    """Give the ids in a text, the first of each; the error's `code` only beside a correlation id."""
    found: dict[str, str] = {}
    for name, value in _PAIR.findall(text[:READ]):
        found.setdefault(name, value.rstrip(".:/"))
    if "correlation_id" not in found:
        found.pop("code", None)
    return found


def well_formed(resource_name: str) -> bool:
    """True for a canonical resource name: its first two parts are fixed, no alias counts."""
    return _NAME.fullmatch(resource_name) is not None

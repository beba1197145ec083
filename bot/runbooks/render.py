"""Fills an incident's facts into the commands and queries of a runbook. Pure.

A command may name variables, `${{ namespace }}`, and nothing else: there are no expressions, so that nothing an alert
carries is ever run. What a value becomes depends on the language that it stands in; one that the incident does not
know, or that no command should be given, is shown as ⟨namespace⟩, which no shell and no query takes for anything else.
"""

from __future__ import annotations

import re
import shlex
from collections.abc import Callable, Mapping
from dataclasses import dataclass

# What an incident may know; the configuration's `sites` may give these too, and others.
VARIABLES = frozenset(
    {
        *("number", "title", "severity", "service", "region", "cluster", "namespace", "pod", "node", "instance", "job"),
        *("deployment", "tenant", "project", "queue", "topic", "endpoint", "database", "agent", "host", "alertname"),
        *("correlation_id", "trace_id", "resource_name", "host_role", "session_id"),
        *("window", "started_at", "ended_at"),
    }
)
LONGEST = 300  # characters of a value
# No name has these. Quotes keep a shell from expanding them, but not what the shell starts, such as make.
_EXPANDED = re.compile(r"[$`\\]")
_SPANS = re.compile(r"(`[^`\n]+`)")
_VARIABLE = re.compile(r"\$\{\{\s*(.*?)\s*\}\}", re.DOTALL)


@dataclass(frozen=True, slots=True)
class Rendered:
    """A command as it can be copied, and the variables that the incident does not know, in their order."""

    text: str
    missing: tuple[str, ...] = ()


def variables(template: str) -> tuple[str, ...]:
    """Give the names between `${{` and `}}`, in their order, whether they are known or not."""
    return tuple(_parted(found)[0] for found in _VARIABLE.findall(template))


def without_variables(template: str) -> str:
    """Give what a template says beside its variables."""
    return _VARIABLE.sub("", template)


def render(template: str, language: str, facts: Mapping[str, str]) -> Rendered:
    """Fill in what is known; never raises, whatever the facts are."""
    missing: dict[str, None] = {}

    def filled(text: str, within: str) -> str:
        quote = _QUOTES.get(within, _plain)

        def fill(found: re.Match[str]) -> str:
            name, default = _parted(found.group(1))
            value = _printable(facts.get(name, "") or default)
            if value and not (within == "sh" and _EXPANDED.search(value)):
                return quote(value)
            missing[name] = None
            return f"⟨{_printable(name)}⟩"

        return _VARIABLE.sub(fill, text)

    if language:
        return Rendered(filled(template, language), tuple(missing))
    # What stands between backticks in a sentence is to be copied like a command.
    parts = (filled(part, "sh" if part.startswith("`") else "") for part in _SPANS.split(template))
    return Rendered("".join(parts), tuple(missing))


def _parted(inside: str) -> tuple[str, str]:
    """Part `name | default` into the two; without a bar there is no default."""
    name, _, default = inside.partition("|")
    return name.strip(), default.strip()


def _printable(value: str) -> str:
    """Put a value on one line without what cannot be seen: it would be copied unseen."""
    seen = "".join(char if char.isprintable() else " " for char in value[: 4 * LONGEST])
    return " ".join(seen.split())[:LONGEST]


def _plain(value: str) -> str:
    return value


def _in_quotes(value: str) -> str:
    return value.replace("\\", "\\\\").replace('"', '\\"').replace("`", "'")


def _in_sql(value: str) -> str:
    return value.replace("'", "''")


# A value stands bare in a shell's command, and between the quotes of a query.
_QUOTES: Mapping[str, Callable[[str], str]] = {
    "sh": shlex.quote,
    "promql": _in_quotes,
    "logql": _in_quotes,
    "traceql": _in_quotes,
    "sql": _in_sql,
}

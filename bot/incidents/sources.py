"""Where alerts come from: `alertmanager`, `alertmanager/<name>` for one of several, or `pagerduty`.

Alerts of different sources never end or join each other. The peers of one Alertmanager cluster are one source.
"""

from __future__ import annotations

import re

ALERTMANAGER = "alertmanager"
PAGERDUTY = "pagerduty"
NAME = re.compile(r"[a-z0-9][a-z0-9_-]{0,31}")
_SPOKEN = {ALERTMANAGER: "Alertmanager", PAGERDUTY: "PagerDuty"}


def source_of(name: str) -> str:
    """Return the source of an Alertmanager; an empty name is the one that has none."""
    return f"{ALERTMANAGER}/{name}" if name else ALERTMANAGER


def is_alertmanager(source: str) -> bool:
    """Return True for the source of an Alertmanager, named or not."""
    return kind_of(source) == ALERTMANAGER


def kind_of(source: str) -> str:
    """Return the vendor of a source, without the name."""
    return source.partition("/")[0]


def name_of(source: str) -> str:
    """Return the name of a source; empty where it has none."""
    return source.partition("/")[2]


def spoken(source: str) -> str:
    """Return how a source is called in a sentence, such as `Alertmanager eu`."""
    kind, _, name = source.partition("/")
    return " ".join([_SPOKEN.get(kind, kind), *([name] if name else [])])


def labels_of(source: str) -> dict[str, str]:
    """Return the labels by which rules and runbooks choose a source: `source`, and `source_name` where it has one."""
    name = name_of(source)
    return {"source": kind_of(source)} | ({"source_name": name} if name else {})

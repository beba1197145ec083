"""What Grafana's webhook adds to Alertmanager's body, and its test button.

Source: https://grafana.com/docs/grafana/latest/alerting/configure-notifications/manage-contact-points/integrations/webhook-notifier/
"""

from __future__ import annotations

import math
import re
from collections.abc import Mapping, Sequence
from typing import Any, Protocol

from bot.text import clip

VERSION = "1"
VALUES = 6  # of an alert that are kept
LONGEST = 200  # characters of all values together
SAID = 2000  # characters of the values in words, or of a key's end, that are searched
# Grafana's alerts about a rule that could not be evaluated; the label `rulename` says which.
UNEVALUATED = frozenset({"DatasourceNoData", "DatasourceError"})
# `[ var='B' labels={pod=cart-1} value=44.2 ], [ metric='foo' labels={} value=10 ]`
_VALUE = re.compile(r"(?:var|metric)='([^']*)'[^\]]*? value=([^\s\]]+)")
# The key of a test: the labels, then the moment as Go prints it, with its monotonic clock.
_TEST_KEY = re.compile(r"\d{4}-\d\d-\d\d \d\d:\d\d:\d\d[.\d]* [+-]\d{4} \S+ m=[+-][\d.]+")
# Severities under which an alert that is called a test is one; with another somebody tests how they are paged.
_HARMLESS = frozenset({"", "none", "info", "test"})


class Sent(Protocol):
    """What is looked at of an alert's body."""

    @property
    def labels(self) -> Mapping[str, str]:
        """Its labels."""
        ...

    @property
    def values(self) -> Mapping[str, Any]:
        """What its queries and expressions gave, by their letters."""
        ...

    @property
    def valueString(self) -> str:  # noqa: N802 - Grafana's name
        """The same in words."""
        ...

    @property
    def links(self) -> Mapping[str, str]:
        """Where to look, by the names of the annotations."""
        ...


def told(alert: Sent) -> dict[str, str]:
    """Return what Grafana says beside an alert's annotations, as annotations: `value`, and links by their names."""
    value = _measured(alert.values) or _said(alert.valueString)
    return {name: each for name, each in {"value": value, **alert.links}.items() if each}


def name_of(labels: Mapping[str, str]) -> str:
    """Return an alert's name; an alert about a rule that could not be evaluated names the rule."""
    name, rule = labels.get("alertname") or "Alert", labels.get("rulename")
    return f"{name}: {rule}" if rule and name in UNEVALUATED else name


def tester(version: str, group_key: str, alerts: Sequence[Sent]) -> str:
    """Return who sent a body to try whether it arrives, Grafana or Alertmanager; empty for a real one."""
    if not alerts:
        return ""
    named = all(re.sub(r"[-_ ]", "", alert.labels.get("alertname", "")).lower() == "testalert" for alert in alerts)
    if version == VERSION:
        pressed = named and all(alert.labels.get("instance") == "Grafana" for alert in alerts)
        return "Grafana" if pressed or _TEST_KEY.search(group_key[-SAID:]) else ""
    harmless = all(alert.labels.get("severity", "").lower() in _HARMLESS for alert in alerts)
    return "Alertmanager" if named and harmless else ""


def _measured(values: Mapping[str, Any]) -> str:
    told = [f"{name}={_number(value)}" for name, value in list(values.items())[:VALUES]]
    return clip(", ".join(told), LONGEST)


def _said(values: str) -> str:
    told = []
    for name, value in _VALUE.findall(values[:SAID])[:VALUES]:
        try:
            number = _number(float(value))
        except ValueError:
            number = value
        told.append(f"{name}={number}" if name else number)
    return clip(", ".join(told), LONGEST)


def _number(value: Any) -> str:
    """Return a number as people read it: 44.24, 1, 0.00123."""
    if value is None:
        return "no data"
    if isinstance(value, bool) or not isinstance(value, (int, float)):
        return str(value)
    if isinstance(value, int) or not math.isfinite(value):
        return str(value)
    if value.is_integer() and abs(value) < 1e15:
        return str(int(value))
    return f"{value:.2f}" if 1 <= abs(value) < 1e15 else f"{value:.3g}"

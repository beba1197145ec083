"""Links that open a query in Prometheus or Grafana for the incident's window. Pure.

Prometheus takes `g0.*` parameters (its expression browser), Grafana Explore `panes` as JSON (schemaVersion 1).
"""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime
from typing import Any
from urllib.parse import urlencode


@dataclass(frozen=True, slots=True)
class Places:
    """Where the tools are: base URLs, and the ids of Grafana's data sources. What is empty gets no links."""

    prometheus: str = ""
    grafana: str = ""
    loki: str = ""
    tempo: str = ""

    def link(self, language: str, expr: str, facts: Mapping[str, str]) -> str:
        """Give the address of a query, its variables filled in; empty where its tool is not configured."""
        if not {"started_at", "ended_at", "window"} <= set(facts):
            return ""
        if language == "promql" and self.prometheus:
            ended = facts["ended_at"].replace("T", " ").removesuffix("Z")
            asked = {"g0.expr": expr, "g0.tab": "0", "g0.range_input": facts["window"], "g0.end_input": ended}
            return f"{self.prometheus}/graph?{urlencode(asked)}"
        if language == "logql" and self.grafana and self.loki:
            return self._explore("loki", self.loki, {"expr": expr}, facts)
        if language == "traceql" and self.grafana and self.tempo:
            return self._explore("tempo", self.tempo, {"query": expr, "queryType": "traceql"}, facts)
        return ""

    def dashboards(self, title: str) -> str:
        """Give the address of Grafana's search for a dashboard; empty where Grafana is not configured."""
        return f"{self.grafana}/dashboards?{urlencode({'query': title})}" if self.grafana else ""

    def _explore(self, kind: str, source: str, query: dict[str, Any], facts: Mapping[str, str]) -> str:
        pane = {
            "datasource": source,
            "queries": [{"refId": "A", "datasource": {"type": kind, "uid": source}, **query}],
            "range": {"from": _milliseconds(facts["started_at"]), "to": _milliseconds(facts["ended_at"])},
        }
        panes = json.dumps({"sitrep": pane}, separators=(",", ":"))
        return f"{self.grafana}/explore?{urlencode({'schemaVersion': 1, 'panes': panes})}"


NOWHERE = Places()


def _milliseconds(moment: str) -> str:
    return str(int(datetime.fromisoformat(moment).timestamp() * 1000))

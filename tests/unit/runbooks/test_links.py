from __future__ import annotations

import json
from datetime import date
from urllib.parse import parse_qs, urlsplit

from bot.incidents.policy import Severity
from bot.runbooks.links import Places
from bot.runbooks.model import Query, Runbook, Section, Step
from bot.slack.runbook import runbook
from tests.unit.runbooks.sheets import a_sheet

PLACES = Places("https://prom.example.com", "https://grafana.example.com", "loki-uid", "tempo-uid")
FACTS = {
    "started_at": "2026-11-21T03:00:00Z",
    "ended_at": "2026-11-21T03:36:00Z",
    "window": "36m",
    "correlation_id": "c-1",
}


def test_a_query_opens_in_prometheus_for_the_window() -> None:
    """The expression, how far back, and until when."""
    parts = urlsplit(PLACES.link("promql", 'up{a="b"} > 0', FACTS))
    assert (parts.netloc, parts.path) == ("prom.example.com", "/graph")
    assert parse_qs(parts.query) == {
        "g0.expr": ['up{a="b"} > 0'],
        "g0.tab": ["0"],
        "g0.range_input": ["36m"],
        "g0.end_input": ["2026-11-21 03:36:00"],
    }


def test_logs_and_traces_open_in_grafana() -> None:
    """Each with its own data source, between the start and the end in milliseconds."""
    for language, kind, uid, key in (("logql", "loki", "loki-uid", "expr"), ("traceql", "tempo", "tempo-uid", "query")):
        parts = urlsplit(PLACES.link(language, "{a}", FACTS))
        assert (parts.netloc, parts.path) == ("grafana.example.com", "/explore")
        (pane,) = json.loads(parse_qs(parts.query)["panes"][0]).values()
        assert pane["datasource"] == uid
        assert pane["queries"][0][key] == "{a}"
        assert pane["queries"][0]["datasource"] == {"type": kind, "uid": uid}
        assert pane["range"] == {"from": "1795230000000", "to": "1795232160000"}


def test_what_is_not_configured_has_no_link() -> None:
    """No address, no data source, no window, or a language without a tool: no link."""
    assert Places().link("promql", "up", FACTS) == ""
    assert Places(grafana="https://g.example.com").link("logql", "{a}", FACTS) == ""
    assert PLACES.link("sql", "SELECT 1", FACTS) == ""
    assert PLACES.link("promql", "up", {}) == ""


def book(*queries: Query) -> Runbook:
    return Runbook(
        id="ops.one",
        title="One",
        severity_hint=Severity.SEV2,
        owner_team="SRE",
        last_reviewed_at=date(2026, 11, 21),
        url="runbooks/one.md",
        version="1",
        dashboards=("Ops / Workers",),
        queries=queries,
        sections=(Section(title="Diagnosis", steps=(Step(section="Diagnosis", number=1, text="Look."),)),),
    )


def said(book: Runbook, places: Places) -> str:
    _, blocks = runbook(a_sheet(book, FACTS), places=places)
    return str(blocks[-1]["text"]["text"])


def test_the_message_links_what_is_complete() -> None:
    """A query whose variables are known is a link; one that lacks some is shown to be filled in."""
    whole = Query(title="Errors", language="logql", expr='{a="b"} | json | correlation_id="${{ correlation_id }}"')
    partly = Query(title="Trace", language="traceql", expr='{ trace:id = "${{ trace_id }}" }')
    text = said(book(whole, partly), PLACES)
    assert "• <https://grafana.example.com/explore?schemaVersion=1" in text
    assert '|Errors>: `{a="b"} | json | correlation_id="c-1"`' in text
    assert '• Trace: `{ trace:id = "⟨trace_id⟩" }`' in text
    assert "• Dashboards: <https://grafana.example.com/dashboards?query=Ops+%2F+Workers|Ops / Workers>" in text
    assert "<https" not in said(book(whole, partly), Places())


def test_what_is_to_be_filled_in_is_said_once() -> None:
    """Before the first step, however often it is missing."""
    step = Step(section="Diagnosis", number=1, text="Look.", code="get ${{ pod }} in ${{ pod }}", language="sh")
    again = step.model_copy(update={"number": 2})
    one = book().model_copy(update={"sections": (Section(title="Diagnosis", steps=(step, again)),)})
    _, blocks = runbook(a_sheet(one, FACTS))
    said = [str(block) for block in blocks if "Replace before running" in str(block)]
    assert len(said) == 1
    assert "Replace before running: ⟨pod⟩." in said[0]

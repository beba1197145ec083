"""Bodies that went to the wrong address, or come from a retired version, are answered by where they belong."""

from __future__ import annotations

import json
from typing import Any

import pytest

from bot.incidents.sources import ALERTMANAGER, PAGERDUTY
from handlers.webhooks import alertmanager, pagerduty
from handlers.webhooks.misdirected import hint
from handlers.webhooks.reading import Malformed
from tests.integration import bodies

V2 = {"messages": [{"event": "incident.trigger", "log_entries": [], "incident": {"id": "PKQ", "title": "x"}}]}
V1 = {"messages": [{"id": "bb8", "type": "incident.trigger", "data": {"incident": {"id": "PKQ"}}}]}
READERS = {PAGERDUTY: pagerduty.read, ALERTMANAGER: alertmanager.read}


@pytest.mark.parametrize(
    ("here", "body", "said"),
    [
        (PAGERDUTY, V2, "PagerDuty's V2 webhook. Sitrep takes V3 webhooks. In PagerDuty, open Integrations"),
        (PAGERDUTY, V1, "PagerDuty's V1 webhook, which PagerDuty has retired. Sitrep takes V3"),
        (ALERTMANAGER, V2, "PagerDuty's V2 webhook"),
        (ALERTMANAGER, bodies.pagerduty("incident.triggered"), "/webhooks/pagerduty"),
        (PAGERDUTY, bodies.body(bodies.alert()), "/webhooks/alertmanager"),
        (PAGERDUTY, {"routing_key": "R", "event_action": "trigger", "payload": {}}, "events.pagerduty.com/v2/enqueue"),
        (ALERTMANAGER, {"service_key": "R", "event_type": "trigger"}, "events.pagerduty.com/v2/enqueue"),
        (ALERTMANAGER, [{"labels": {"alertname": "A"}}], "point Prometheus at Alertmanager"),
        (PAGERDUTY, {"type": "url_verification", "challenge": "x"}, "/slack/events"),
        (PAGERDUTY, {"type": "event_callback", "event": {"type": "message"}}, "/slack/events"),
        (ALERTMANAGER, {"ruleName": "x", "evalMatches": [], "state": "alerting"}, "Grafana's legacy alerting"),
    ],
)
def test_the_answer_names_the_right_address(here: str, body: Any, said: str) -> None:
    """Each known body at the wrong address says what it is and where to send it, also where it is unsigned."""
    raw = json.dumps(body).encode()
    with pytest.raises(Malformed) as caught:
        READERS[here](raw)
    assert said in str(caught.value)
    assert said in hint(raw, here)


@pytest.mark.parametrize("body", [{}, {"messages": "x"}, {"event": []}, {"event": {"event_type": "incident.x"}}, 7])
def test_what_is_only_broken_is_told_by_its_fields(body: Any) -> None:
    """A body that is nobody else's says which field is missing."""
    with pytest.raises(Malformed, match=r"event|body"):
        pagerduty.read(json.dumps(body).encode())
    assert hint(json.dumps(body).encode(), PAGERDUTY) == ""


def test_a_hint_looks_at_little() -> None:
    """An unsigned body that is long, nested or no JSON costs nothing; a form of Slack's is known by its beginning."""
    assert hint(json.dumps({**V2, "pad": "x" * 70_000}).encode(), PAGERDUTY) == ""
    assert hint(b"[" * 60_000, PAGERDUTY) == ""
    assert hint(b"\xff\xfe", PAGERDUTY) == ""
    assert "/slack/events" in hint(b"payload=%7B%7D", PAGERDUTY)
    assert "/slack/events" in hint(b"token=x&team_id=T1&command=%2Fincident&text=list", PAGERDUTY)

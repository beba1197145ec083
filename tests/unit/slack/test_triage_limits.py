"""Whatever alerts say, the messages that ask for a look at them and their forms keep Slack's limits."""

from __future__ import annotations

import json
from datetime import UTC, datetime, timedelta
from typing import Any

from hypothesis import given, settings
from hypothesis import strategies as st

from bot import naming
from bot.incidents.model import Alert, Incident, Status
from bot.incidents.policy import Severity
from bot.incidents.storm import Family
from bot.incidents.triage import Decision, Outcome
from bot.sandbox.blocks import check_view
from bot.slack import triage
from bot.store.alerts import Counts, Group, Roll, Shown
from bot.store.triage import Look, Member
from tests.unit.slack.test_limits import QUICK, fits, urls, words

NOW = datetime(2026, 11, 21, 3, 0, tzinfo=UTC)
GROUP, STORM = "group:123456789:123456789", "storm:123456789:123456789"
facts = st.dictionaries(
    st.sampled_from(["summary", "value", "threshold", "instance", "region", "service", "tenant", "metric", "impact"]),
    words,
)
links = st.dictionaries(st.sampled_from(["runbook_url", "dashboard_url"]), urls)


@st.composite
def alerts(draw: Any) -> Alert:
    name = draw(words) or "x"
    said = draw(facts) | draw(links)
    return Alert("alertmanager", "g", "1", name, draw(facts), said, draw(st.none() | st.just(NOW)), None, draw(urls))


@st.composite
def decisions(draw: Any, scope: str) -> Decision:
    outcome = draw(st.sampled_from(Outcome))
    number = draw(st.sampled_from(["", "INC-20261121-001", "INC-20261121-002"]))
    name, why = draw(words), draw(words)
    return Decision(
        scope,
        outcome,
        NOW + timedelta(hours=draw(st.integers(0, 50))),
        "U0123456789",
        name,
        number,
        why,
        draw(st.booleans()),
    )


@st.composite
def looks(draw: Any) -> Look:
    scope = draw(st.sampled_from([GROUP, STORM]))
    some = draw(st.lists(alerts(), min_size=1, max_size=3))
    over = draw(st.none() | st.just(NOW))
    shown = tuple(Shown(some[n % len(some)], NOW, over) for n in range(draw(st.sampled_from([1, 3, 50]))))
    made = draw(st.lists(st.none() | decisions(scope), min_size=1, max_size=1 if scope == GROUP else 9))
    members = tuple(
        Member(
            Group(n, "alertmanager", "g", "", None, {}),
            decision,
            waits=decision is None and over is None,
            moved=scope == GROUP and draw(st.booleans()),
        )
        for n, decision in enumerate(made)
    )
    channels = {"INC-20261121-001": "C0123456789", "INC-20261121-002": ""}
    return Look(scope, Roll(shown, Counts.of(shown)), members, channels, "sev3", draw(words))


@settings(max_examples=80, deadline=None, phases=QUICK)
@given(looks())
def test_every_message_fits(look: Look) -> None:
    """Within the limits; each button holds the message's scope: three while something waits, Undo after a decline."""
    message = triage.triage_storm(look) if look.scope == STORM else triage.triage(look)
    fits(message)
    said = json.dumps(message[1])
    for mention in ("<!channel>", "javascript:"):
        assert mention not in said
    buttons = [e for block in message[1] if block["type"] == "actions" for e in block["elements"]]
    waits = [triage.ACCEPT, triage.MERGE, triage.DECLINE]
    expected = waits if look.waits else [triage.UNDO] if look.declined else []
    assert [button["action_id"] for button in buttons] == expected
    assert {button["value"] for button in buttons} <= {look.scope}


@settings(max_examples=60, deadline=None, phases=QUICK)
@given(st.lists(alerts(), min_size=1, max_size=3), st.sampled_from([0, 1, 7]), words, st.sampled_from(Severity))
def test_every_form_fits(opened: list[Alert], incidents: int, title: str, severity: Severity) -> None:
    """Whatever they are filled in with, and however many incidents are open."""
    for drafted in (
        naming.of_group(opened, severity, NOW, placed=True, left_out=0),
        naming.of_storm(opened, severity, NOW, family=Family("cluster", title), summary=title, left_out=0),
    ):
        assert check_view(triage.accept(f"{GROUP}|C0123456789", drafted)) == []
    assert check_view(triage.decline(f"{STORM}|C0123456789")) == []
    found = [
        Incident(f"INC-20261121-{n:03}", title, severity, Status.INVESTIGATING, NOW) for n in range(incidents * 30 + 1)
    ]
    view = triage.merge(f"{STORM}|C0123456789", found)
    assert check_view(view) == []
    options = [option["value"] for option in view["blocks"][0]["element"]["options"]]
    assert options == [incident.number for incident in found[:100]]

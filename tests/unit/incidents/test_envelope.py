from __future__ import annotations

import json

import pytest
from hypothesis import given
from hypothesis import strategies as st

from bot.incidents import commands as c
from bot.incidents import correlating
from bot.incidents.envelope import LONGEST, read, well_formed
from bot.incidents.machine import decide
from bot.incidents.model import Actor, Decision, Incident
from bot.incidents.policy import DEFAULT_POLICY, Severity
from bot.timeline.followups import follow_ups
from tests.unit.incidents.story import ALICE, Story, an_alert, moment

NAME = "core42:aicloud:eu-1:t-1:p-1:allocation:a-1"
ENVELOPE = {
    "error": {
        "code": "insufficient_permissions",
        "message": "You may not.",
        "correlation_id": "c-1",
        "details": {"trace_id": "t-9", "resource_name": NAME, "host_role": "worker_compute"},
    }
}
ALL = {
    "code": "insufficient_permissions",
    "correlation_id": "c-1",
    "trace_id": "t-9",
    "resource_name": NAME,
    "host_role": "worker_compute",
}


@pytest.mark.parametrize(
    ("text", "found"),
    [
        (json.dumps(ENVELOPE), ALL),
        (f"Look:\n```{json.dumps(ENVELOPE, indent=2)}```\nthat is it", ALL),
        ("correlation_id=c-1 trace_id: t-2.", {"correlation_id": "c-1", "trace_id": "t-2"}),
        ("correlation_id=c-1, then correlation_id=c-2", {"correlation_id": "c-1"}),
        ('{"code": "x", "message": "no id"}', {}),
        ("{“correlation_id”: “c-1”}", {"correlation_id": "c-1"}),  # as a phone writes quotes
        ("my_correlation_id=c-1", {}),
        ("The correlation_id is missing", {}),
        ("", {}),
    ],
)
def test_the_ids_of_an_error_are_found_wherever_they_stand(text: str, found: dict[str, str]) -> None:
    """In the envelope, in a log line, in the middle of a sentence: the first of each; a code only beside an id."""
    assert read(text) == found


@given(st.text(max_size=2000) | st.text(alphabet='{}":= code_ration_id', max_size=2000))
def test_any_text_can_be_read(text: str) -> None:
    """Whatever somebody pastes, nothing is raised and no value is long."""
    assert all(len(value) <= LONGEST for value in read(text).values())


def test_only_the_canonical_form_is_well_formed() -> None:
    """Seven parts, the first two fixed."""
    assert well_formed(NAME)
    for wrong in (NAME.replace("core42", "core"), NAME + ":more", NAME.rpartition(":")[0], "core42:aicloud:::::"):
        assert not well_formed(wrong), wrong


def noted(text: str, incident: Incident | None = None) -> Decision:
    """Declare, unless there is one, and put a note on the timeline."""
    if incident is None:
        declared = c.Declare("INC-20261121-001", "Down", Severity.SEV2, Actor("human", "U1", "Alice"))
        incident = decide(None, declared, DEFAULT_POLICY, moment(0)).incident
    return decide(incident, c.AddNote(text, ALICE), DEFAULT_POLICY, moment(60))


def test_a_pasted_error_gives_the_incident_its_ids() -> None:
    """The first ids stay: a second error is on the timeline, and changes nothing of the incident."""
    decision = noted(json.dumps(ENVELOPE))
    incident = decision.incident
    assert (incident.correlation_id, incident.resource_name, incident.host_role) == ("c-1", NAME, "worker_compute")
    (event,) = decision.events
    assert event.data == ALL
    again = noted("correlation_id=c-2 host_role=app_control", incident)
    assert (again.incident.correlation_id, again.incident.host_role) == ("c-1", "worker_compute")
    assert again.events[0].data == {"correlation_id": "c-2", "host_role": "app_control"}


def test_an_error_without_a_trace_is_a_follow_up() -> None:
    """The gap in the telemetry is told once, and is closed by whoever finds the trace id."""
    decision = noted('{"code": "internal", "correlation_id": "c-1"}')
    assert [event.kind for event in decision.events] == ["note", "followup_added"]
    assert "internal (c-1) has no trace_id" in decision.events[1].text
    assert decision.incident.error_code == "internal"
    again = noted('{"code": "internal", "correlation_id": "c-2"}', decision.incident)
    assert [event.kind for event in again.events] == ["note"]
    found = noted("trace_id=t-1", again.incident)
    assert [event.kind for event in found.events] == ["note", "followup_done"]
    assert found.incident.trace_id == "t-1"
    (item,) = follow_ups([*decision.events, *found.events])
    assert item.done_at is not None


def test_an_id_with_its_trace_leaves_no_gap() -> None:
    """Only what is missing is work."""
    assert [event.kind for event in noted("correlation_id=c-1 trace_id=t-1").events] == ["note"]


def test_alerts_bring_their_ids() -> None:
    """Labels and annotations, of those that come later too; what the incident knows already stays."""
    first = an_alert(labels={"correlation_id": "c-1"}, annotations={"host_role": "app_control"})
    story = Story(ids=correlating.of_alerts([first]), alerts=(first,))
    assert (story.incident.correlation_id, story.incident.host_role) == ("c-1", "app_control")
    assert [event.text for event in story.of("followup_added")] == ["Close the telemetry gap: c-1 has no trace_id"]
    later = an_alert("bb", labels={"correlation_id": "c-2", "trace_id": "t-2", "error_code": "quota_exceeded"})
    story.do(c.AlertsChanged(opened=(later,)))
    incident = story.incident
    assert (incident.correlation_id, incident.trace_id, incident.error_code) == ("c-1", "t-2", "quota_exceeded")
    assert [event.kind for event in story.events][-1] == "followup_done"


def test_a_wrong_resource_name_of_an_alert_is_told_too() -> None:
    """The name is kept, and the timeline says what is wrong with it."""
    story = Story(ids={"resource_name": "aicloud:eu-1:x"})
    assert story.incident.resource_name == "aicloud:eu-1:x"
    (event,) = story.of("note")
    assert "core42:aicloud:{region}" in event.data["warning"]


def test_a_wrong_resource_name_is_kept_with_a_warning() -> None:
    """It may be all that there is; the timeline says what is wrong with it."""
    decision = noted("resource_name=aicloud:eu-1:x")
    assert decision.incident.resource_name == "aicloud:eu-1:x"
    (event,) = decision.events
    assert "core42:aicloud:{region}" in event.data["warning"]

"""What an incident commander reads the next morning."""

from __future__ import annotations

import re
from collections.abc import Callable
from typing import Any

import pytest

from bot.incidents.model import Actor, Event, Incident, Person, Role, Status, Task, TaskState
from bot.timeline.export import AlertRow, Dossier, render
from bot.timeline.words import KINDS
from tests.unit.timeline.github import Seen

MakeEvent = Callable[..., Event]
MakeIncident = Callable[..., Incident]
BOB = Actor("human", "U2", "Bob")
SYSTEM = Actor("system", "sitrep", "Sitrep")


def page_of(incident: Incident, *events: Event) -> str:
    return render(Dossier(incident, events), "md").content.decode()


def timeline(page: str) -> list[str]:
    """Give the lines of the timeline below its day."""
    below = page.split("## Timeline", 1)[1].split("\n## ", 1)[0]
    return below.split("\n### ", 1)[1].splitlines()[2:]


def section(page: str, heading: str) -> list[str]:
    """Give the lines below a heading up to the next one, without the empty ones."""
    below = page.split(f"{heading}\n", 1)[1]
    return [line for line in re.split(r"^#", below, maxsplit=1, flags=re.MULTILINE)[0].splitlines() if line]


def test_the_timeline_is_in_the_order_of_what_happened(dossier: Dossier) -> None:
    """An event told later stands where it occurred and says so; times are to the minute, kinds are words."""
    assert timeline(render(dossier, "md").content.decode()) == [
        "- 14:32 **Alert fired**: High",
        "- 14:32 **Note** (Alice, recorded 14:42): saw it earlier ([source](https://x.slack.com/archives/C1/p1))",
        "- 14:33 **Declared** (Alice)",
        "- 14:34 **Acknowledged** (Alice)",
        "- 15:00 **Resolved** (Alice)",
    ]


@pytest.mark.parametrize(
    ("kind", "text", "shown"),
    [
        ("severity_changed", "Severity raised from sev2 to sev1: all of eu-1", "raised from sev2 to sev1: all of eu-1"),
        ("status_changed", "Status changed from investigating to monitoring", "from investigating to monitoring"),
        ("acknowledged", "Acknowledged by Alice", None),
        ("acknowledged", "Acknowledged by Alice in PagerDuty", "in PagerDuty"),
        ("mitigated", "Mitigated: rolled back", "rolled back"),
        ("note", "Note that the pool is full", "Note that the pool is full"),
        ("pinned", "Message queues are empty", "Message queues are empty"),
        ("runbook_step_done", "Step 3 of redis done: scale it", "Step 3 of redis done: scale it"),
    ],
)
def test_kinds_are_words(
    make_incident: MakeIncident, make_event: MakeEvent, kind: str, text: str, shown: str | None
) -> None:
    """A kind is named once, and what a person typed is never cut."""
    (line,) = timeline(page_of(make_incident(), make_event(1, kind, text=text)))
    assert line == f"- 14:32 **{KINDS[kind]}** (Alice)" + (f": {shown}" if shown else "")
    assert kind not in line or "_" not in kind


@pytest.mark.parametrize(
    "kind",
    [
        "channel_opened", "runbook_posted", "page_delivered", "update_due", "update_overdue", "delivery_failed",
        "exported", "responder_joined", "followup_added", "followup_done",
    ],
)  # fmt: skip
def test_what_the_bot_did_for_itself_is_left_out(make_incident: MakeIncident, make_event: MakeEvent, kind: str) -> None:
    """The timeline holds none of it; JSON has all."""
    events = (make_event(1, kind, actor=SYSTEM, text="machine"), make_event(2, "note", text="people"))
    assert timeline(page_of(make_incident(), *events)) == ["- 14:32 **Note** (Alice): people"]
    assert b"machine" in render(Dossier(make_incident(), events), "json").content


def test_no_time_has_seconds(dossier: Dossier) -> None:
    """Neither in the tables nor in the timeline."""
    assert not re.search(r"\d\d:\d\d:\d\d|\.\d{3}Z", render(dossier, "md").content.decode())


def test_root_cause_and_fix_are_as_typed(make_incident: MakeIncident, make_event: MakeEvent) -> None:
    """They stand at the top, their lines are kept, and the timeline does not repeat them."""
    data = {"root_cause": "Two pools per worker:\n2 * 10 * 20 > 200\n\nSee `pool_size`.", "fix": "rolled back"}
    page = page_of(make_incident(), make_event(1, "resolved", text="Resolved after 28 min: rolled back", data=data))
    assert section(page, "### Root cause") == ["Two pools per worker:  ", "2 * 10 * 20 > 200", "See `pool_size`."]
    assert section(page, "### Fix") == ["rolled back"]
    assert timeline(page) == ["- 14:32 **Resolved** (Alice): after 28 min"]


def test_what_a_second_person_knew_is_added(make_incident: MakeIncident, make_event: MakeEvent) -> None:
    """What was noted after the resolution stands beside the first cause."""
    events = (
        make_event(1, "resolved", text="Resolved after 28 min", data={"root_cause": "the pool"}),
        make_event(2, "note", text="Root cause: DNS", data={"root_cause": "DNS, too", "resolution": True}),
    )
    page = page_of(make_incident(), *events)
    assert section(page, "### Root cause") == ["the pool", "DNS, too"]
    assert section(page, "### Fix") == ["Not recorded."]


def test_a_reopening_makes_the_root_cause_old(make_incident: MakeIncident, make_event: MakeEvent) -> None:
    """What was typed before is kept with a word about it; the next resolution takes its place."""
    first = make_event(1, "resolved", text="Resolved after 9 min: a", data={"root_cause": "one", "fix": "a"})
    again = make_event(2, "reopened", when=600, text="Reopened: it fails again")
    page = page_of(make_incident(status=Status.INVESTIGATING, resolved_at=None), first, again)
    assert section(page, "### Root cause") == ["As recorded before the incident was reopened at 14:42:", "one"]
    last = make_event(3, "resolved", when=900, text="Resolved after 15 min: b", data={"root_cause": "two", "fix": "b"})
    page = page_of(make_incident(), first, again, last)
    assert section(page, "### Root cause") == ["two"]
    assert "- 14:32 **Resolved** (Alice): after 9 min: a" in timeline(page)


def test_a_reopened_incident_has_both_resolutions_in_its_milestones(
    make_incident: MakeIncident, make_event: MakeEvent, at: Any
) -> None:
    """Each round stands in its order, and a moment that the incident kept from the first round is not told twice."""
    events = (
        make_event(4, "resolved", when=1680),
        make_event(1, "mitigated", when=300),
        make_event(2, "resolved", when=600),
        make_event(3, "reopened", when=900),
    )
    incident = make_incident(mitigated_at=at(300), resolved_at=at(1680))
    assert section(page_of(incident, *events), "## Milestones")[-8:-4] == [
        "| Mitigated | 2026-11-20 14:37 |",
        "| Resolved | 2026-11-20 14:42 |",
        "| Reopened | 2026-11-20 14:47 |",
        "| Resolved | 2026-11-20 15:00 |",
    ]


def test_after_a_reopening_each_acknowledgement_stands_in_its_place(
    make_incident: MakeIncident, make_event: MakeEvent, at: Any
) -> None:
    """Milestones are in order of time, and a duration says how much of it the incident was closed."""
    events = (
        make_event(1, "acknowledged", when=61),
        make_event(2, "resolved", when=600),
        make_event(3, "reopened", when=9000),
        make_event(4, "acknowledged", when=9060),
        make_event(5, "resolved", when=9600),
    )
    incident = make_incident(acknowledged_at=at(9060), mitigated_at=None, resolved_at=at(9600))
    lines = section(page_of(incident, *events), "## Milestones")
    assert lines[4:] == [
        "| Declared | 2026-11-20 14:33 |",
        "| Acknowledged | 2026-11-20 14:33 |",
        "| Resolved | 2026-11-20 14:42 |",
        "| Reopened | 2026-11-20 17:02 |",
        "| Acknowledged | 2026-11-20 17:03 |",
        "| Resolved | 2026-11-20 17:12 |",
        "- **Time to detect:** 30 s",
        "- **Time to acknowledge:** 1 s",
        "- **Time to resolve:** 2 h 40 min 00 s, of which closed: 2 h 20 min 00 s",
    ]


def test_milestones_are_in_order_of_time(make_incident: MakeIncident, at: Any) -> None:
    """A moment that came before its usual place stands where it happened."""
    incident = make_incident(declared_at=at(60), acknowledged_at=at(1000), mitigated_at=at(300))
    rows = [line.split(" | ")[0][2:] for line in section(page_of(incident), "## Milestones")[2:7]]
    assert rows == ["Started", "Detected", "Declared", "Mitigated", "Acknowledged"]


@pytest.mark.parametrize("kinds", [("reopened",), ("reopened", "reopened"), ("resolved", "resolved", "reopened")])
def test_a_reopening_without_its_pair_is_told_as_it_is(
    make_incident: MakeIncident, make_event: MakeEvent, kinds: tuple[str, ...]
) -> None:
    """A timeline with a gap or a double still lists what it has, while the incident is open again."""
    events = [make_event(seq, kind) for seq, kind in enumerate(kinds, 1)]
    page = page_of(make_incident(status=Status.INVESTIGATING, mitigated_at=None, resolved_at=None), *events)
    rows = [line.split(" | ")[0][2:] for line in section(page, "## Milestones") if line.startswith("| Re")]
    assert rows == [kind.capitalize() for kind in kinds]


def test_an_update_has_its_action_owner_and_eta(make_incident: MakeIncident, make_event: MakeEvent) -> None:
    """Several lines are quoted, one stands beside the kind; fields that were left empty are not there."""
    data = {"action": "restart", "owner": "Bob", "owner_id": "U2", "eta": "15:00 UTC", "impact": ""}
    events = (
        make_event(1, "update_posted", text="Pool is full.\nOnly eu-1.\n\nus-1 is fine.", data=data),
        make_event(2, "update_posted", text="No change", data={"no_change": True}),
    )
    assert timeline(page_of(make_incident(), *events)) == [
        "- 14:32 **Status update** (Alice)",
        "  > Pool is full.  ",
        "  > Only eu-1.",
        "  >",
        "  > us-1 is fine.",
        "  - **Action:** restart",
        "  - **Owner:** Bob",
        "  - **ETA:** 15:00 UTC",
        "- 14:32 **Status update** (Alice): No change",
    ]


def test_gaps_between_updates_are_told(make_incident: MakeIncident, make_event: MakeEvent, at: Any) -> None:
    """Each gap counts from the update before, the first from the declaration; what was overdue says since when."""
    events = (
        make_event(1, "update_posted", when=360, text="one"),
        make_event(2, "update_overdue", when=1260, actor=SYSTEM, data={"due_at": at(1260).isoformat()}),
        make_event(3, "update_posted", when=1860, text="two", actor=BOB),
        make_event(4, "update_posted", when=2760, data={"no_change": True}),
    )
    assert section(page_of(make_incident(), *events), "## Gaps between updates")[2:] == [
        "| 2026-11-20 14:38 | Alice | 5 min |  |",
        "| 2026-11-20 15:03 | Bob | 25 min | overdue since 14:53 |",
        "| 2026-11-20 15:18 | Alice | 15 min | no change |",
        "The longest gap was 25 min, from 14:38 to 15:03.",
    ]


def test_a_missing_update_is_told(make_incident: MakeIncident, make_event: MakeEvent, at: Any) -> None:
    """An incident that was over without the update that was due."""
    late = make_event(1, "update_overdue", when=960, actor=SYSTEM, data={"due_at": at(960).isoformat()})
    assert section(page_of(make_incident(), late), "## Gaps between updates") == [
        "No update was posted.",
        "An update was overdue from 14:48 until the end at 15:00.",
    ]


def test_pages_name_who_was_reached_and_who_answered(make_incident: MakeIncident, make_event: MakeEvent) -> None:
    """A page ends with an acknowledgement, the update that was missing, or the first thing that somebody does."""

    def paged(seq: int, when: int, level: int, name: str, reason: str, text: str, **data: Any) -> Event:
        kind = "escalated" if level > 1 else "paged"
        facts = {"level": level, "name": name, "reason": reason, **data}
        return make_event(seq, kind, when=when, actor=SYSTEM, text=f"{text}{name}: {reason}", data=facts)

    def reached(seq: int, when: int, level: int, *people: str) -> Event:
        return make_event(seq, "page_delivered", when=when, actor=SYSTEM, data={"level": level, "people": list(people)})

    events = (
        paged(1, 60, 1, "On-call", "declared", "Paged level 1, "),
        make_event(2, "page_failed", when=61, actor=SYSTEM, data={"level": 1, "reason": "not_in_channel"}),
        paged(3, 360, 2, "Team | Lead", "not_acknowledged", "Escalated to level 2, "),
        reached(4, 361, 2, "Bob"),
        make_event(5, "acknowledged", when=420, actor=BOB, text="Acknowledged by Bob"),
        make_event(6, "paged", when=480, text="Paged Dana: db", data={"name": "Dana", "reason": "asked", "level": 0}),
        reached(7, 481, 0, "Dana"),
        make_event(8, "note", when=600, actor=Actor("human", "U4", "Dana"), text="looking"),
        paged(9, 1200, 3, "Manager", "update_overdue", "Escalated to level 3, "),
        make_event(10, "resolved", when=1680),
    )
    assert section(page_of(make_incident(), *events), "## Pages")[2:] == [
        "| 2026-11-20 14:33 | On-call (level 1) | declared | failed: not in channel 14:33 | Bob 14:39, after 6 min |",
        "| 2026-11-20 14:38 | Team \\| Lead (level 2) | not_acknowledged | Bob 14:38 | Bob 14:39, after 1 min |",
        "| 2026-11-20 14:40 | Dana | asked for by Alice | Dana 14:40 | Dana (note) 14:42, after 2 min |",
        "| 2026-11-20 14:52 | Manager (level 3) | update_overdue | nobody | no answer |",
    ]


@pytest.mark.parametrize(
    ("message", "answered"),
    [
        ({"author": {"id": "U4", "name": "Dana"}}, "Dana (message) 14:36, after 2 min"),
        ({"author": {"id": "U2", "name": "Bob"}}, "no answer"),
        ({"author": {"id": "U4", "name": "Dana"}, "before": True}, "no answer"),
        ({"author": None}, "no answer"),
    ],
)
def test_a_message_answers_a_page_for_its_author(
    make_incident: MakeIncident, make_event: MakeEvent, message: dict[str, Any], answered: str
) -> None:
    """A message answers for its author whoever added it, and only one said after the page."""
    when = 60 if message.get("before") else 240
    events = (
        make_event(1, "paged", when=120, data={"name": "Dana", "reason": "asked", "level": 0}),
        make_event(2, "page_delivered", when=121, actor=SYSTEM, data={"level": 0, "people": ["Dana"]}),
        make_event(3, "pinned", when=when, text="I see it", data=message),
    )
    (row,) = section(page_of(make_incident(), *events), "## Pages")[2:]
    assert row.endswith(f"| {answered} |")


def asked(seq: int, when: int, name: str, **data: Any) -> dict[str, Any]:
    facts = {"name": name, "reason": "asked", "level": 0, "people": [f"U-{name}"], **data}
    return {"seq": seq, "kind": "paged", "when": when, "text": f"Paged {name}", "data": facts}


def test_joining_is_no_answer(make_incident: MakeIncident, make_event: MakeEvent) -> None:
    """Sitrep's invitation makes a person join; what they do after that is the answer."""
    dana = Actor("human", "U-dana", "dana")
    events = [
        make_event(**asked(1, 60, "dana")),
        make_event(2, "page_delivered", when=61, actor=SYSTEM, data={"level": 0, "people": ["dana"]}),
        make_event(3, "responder_joined", when=62, actor=dana, text="dana joined the channel"),
    ]
    (row,) = section(page_of(make_incident(), *events), "## Pages")[2:]
    assert row.endswith("| no answer |")
    events.append(make_event(4, "role_assigned", when=180, actor=dana, text="dana is scribe"))
    (row,) = section(page_of(make_incident(), *events), "## Pages")[2:]
    assert row.endswith("| dana (role assigned) 14:35, after 2 min |")


def test_another_incident_merged_into_this_one_ends_no_page(make_incident: MakeIncident, make_event: MakeEvent) -> None:
    """A page is answered after a merge, too."""
    events = (
        make_event(1, "paged", when=60, actor=SYSTEM, data={"level": 1, "name": "On-call", "reason": "declared"}),
        make_event(2, "merged", when=70, data={"from_incident": "INC-20261120-002"}),
        make_event(3, "acknowledged", when=120, actor=BOB),
    )
    (row,) = section(page_of(make_incident(), *events), "## Pages")[2:]
    assert row.endswith("| Bob 14:34, after 1 min |")


@pytest.mark.parametrize("facts", [{"by": "alice"}, {"by": "alice", "asked_by": "U9"}])
def test_an_escalation_names_who_asked(
    make_incident: MakeIncident, make_event: MakeEvent, facts: dict[str, str]
) -> None:
    """Sitrep escalates when a person asks for it: the person is named, by their last name where it is known."""
    data = {"level": 2, "name": "Team Lead", "reason": "asked", "why": "002", **facts}
    events = (
        make_event(1, "escalated", when=60, actor=SYSTEM, text="Escalated to level 2, Team Lead", data=data),
        make_event(2, when=70, actor=Actor("human", "U9", "Alice Martin")),
    )
    (row,) = section(page_of(make_incident(), *events), "## Pages")[2:]
    assert f"| asked for by {'Alice Martin' if 'asked_by' in facts else 'alice'}: 002 |" in row


def reached(page: str) -> list[str]:
    return [row.split(" | ")[3] for row in section(page, "## Pages")[2:]]


def test_each_page_has_its_own_delivery(make_incident: MakeIncident, make_event: MakeEvent) -> None:
    """Two people page the same person at the same moment: one delivery belongs to each page."""
    delivery = {"kind": "page_delivered", "actor": SYSTEM, "data": {"level": 0, "people": ["dana"]}}
    events = (
        make_event(**asked(1, 60, "dana")),
        make_event(**asked(2, 60, "dana")),
        make_event(3, when=61, **delivery),
        make_event(4, when=121, **delivery),
    )
    assert reached(page_of(make_incident(), *events)) == ["dana 14:33", "dana 14:34"]


def test_a_delivery_belongs_to_the_page_of_its_person(make_incident: MakeIncident, make_event: MakeEvent) -> None:
    """Two people are paged at once and one page fails: each row says what became of its own page."""
    failed = {"level": 0, "name": "dana", "reason": "not_in_channel"}
    events = (
        make_event(**asked(1, 60, "dana")),
        make_event(**asked(2, 60, "erin")),
        make_event(3, "page_delivered", when=61, actor=SYSTEM, data={"level": 0, "people": ["erin"]}),
        make_event(4, "page_failed", when=62, actor=SYSTEM, data=failed),
    )
    assert reached(page_of(make_incident(), *events)) == ["failed: not in channel 14:33", "erin 14:33"]


def test_a_page_that_went_out_on_two_ways_has_both(make_incident: MakeIncident, make_event: MakeEvent) -> None:
    """Each page has one delivery in Slack and one through PagerDuty."""
    facts = {"level": 1, "name": "On-call", "reason": "joined", "people": ["U-dana"], "pagerduty": True}
    slack = {"level": 1, "people": ["dana"]}
    duty = {"level": 1, "people": [], "via": "pagerduty"}
    events = (
        make_event(1, "paged", when=60, actor=SYSTEM, data=facts),
        make_event(2, "paged", when=61, actor=SYSTEM, data=facts),
        make_event(3, "page_delivered", when=62, actor=SYSTEM, data=duty),
        make_event(4, "page_delivered", when=63, actor=SYSTEM, data=slack),
        make_event(5, "page_delivered", when=64, actor=SYSTEM, data=slack),
        make_event(6, "page_delivered", when=65, actor=SYSTEM, data=duty),
    )
    assert reached(page_of(make_incident(), *events)) == [
        "On-call (PagerDuty) 14:33; dana 14:33",
        "dana 14:33; On-call (PagerDuty) 14:33",
    ]


def test_a_page_that_was_stopped_takes_no_delivery(make_incident: MakeIncident, make_event: MakeEvent) -> None:
    """An acknowledgement stops a page on its way; the delivery of the next page of its level is not that page's."""
    facts = {"level": 1, "name": "On-call", "people": ["U-dana"]}
    events = (
        make_event(1, "paged", when=60, actor=SYSTEM, data=facts | {"reason": "declared"}),
        make_event(2, "acknowledged", when=61),
        make_event(3, "paged", when=600, actor=SYSTEM, data=facts | {"reason": "joined"}),
        make_event(4, "page_delivered", when=601, actor=SYSTEM, data={"level": 1, "people": ["dana"]}),
    )
    assert reached(page_of(make_incident(), *events)) == ["nobody", "dana 14:42"]


def test_what_happened_on_another_day_has_its_day(make_incident: MakeIncident, make_event: MakeEvent, at: Any) -> None:
    """Where an incident spans several days in UTC, no time stands without a day that cannot be told from its place."""
    night = 9 * 3600 + 1800  # 00:02 on the next day
    events = (
        make_event(**asked(1, 3600, "dana")),
        make_event(2, "page_delivered", when=night, actor=SYSTEM, data={"level": 0, "people": ["dana"]}),
        make_event(3, when=3700, late=night, text="saw it"),
        make_event(4, "update_overdue", when=7000, actor=SYSTEM, data={"due_at": at(7000).isoformat()}),
        make_event(5, "update_posted", when=night, actor=Actor("human", "U-dana", "dana"), text="one"),
    )
    page = page_of(make_incident(roles={}, resolved_at=None), *events)
    assert "dana 2026-11-21 00:02 | dana (status update) 2026-11-21 00:02, after 8 h 30 min |" in page
    assert "(Alice, recorded 2026-11-21 01:03)" in page
    assert "| overdue since 2026-11-20 16:28 |" in page
    assert "The longest gap was 9 h 29 min, from 2026-11-20 14:33 to 2026-11-21 00:02." in page
    assert section(page, "## Participants") == [
        "- Alice: 2026-11-20 15:32 to 2026-11-21 01:03",
        "- dana: 2026-11-21 00:02 to 2026-11-21 00:02",
    ]


def test_a_backdated_note_moves_no_start(make_incident: MakeIncident, make_event: MakeEvent) -> None:
    """Somebody took part from when they wrote down what they had seen earlier."""
    events = (make_event(1, when=-600, late=900, text="saw it"), make_event(2, "resolved", when=600))
    page = page_of(make_incident(roles={}), *events)
    assert section(page, "## Participants") == ["- Alice: 14:37 to 14:42"]


def test_a_late_export_gives_no_times_a_day(make_incident: MakeIncident, make_event: MakeEvent) -> None:
    """An export the next morning does not make the incident span two days."""
    events = (make_event(1, when=60, text="one"), make_event(2, "exported", when=80_000))
    page = page_of(make_incident(roles={}), *events)
    assert section(page, "## Participants") == ["- Alice: 14:33 to 14:33"]


def test_a_severity_says_for_how_long_it_was_closed(make_incident: MakeIncident, make_event: MakeEvent) -> None:
    """The time between the end and the reopening is named."""
    events = (
        make_event(1, "declared", when=60, data={"severity": "sev3"}),
        make_event(2, "resolved", when=600),
        make_event(3, "reopened", when=1200),
        make_event(4, "resolved", when=1680),
    )
    (row,) = section(page_of(make_incident(), *events), "## Severity over time")[2:]
    assert row.split(" | ")[2] == "27 min, of which closed: 10 min"


def test_open_tasks_are_action_items(make_incident: MakeIncident, make_event: MakeEvent) -> None:
    """What somebody still has to do stands beside the follow-ups, with its owner; what is done does not."""
    tasks = (
        Task(1, "drain | eu-1", "U2", "bob"),
        Task(2, "call the vendor"),
        Task(3, "restart", "U2", "bob", TaskState.DONE),
    )
    events = (make_event(1, actor=BOB), make_event(2, "followup_added", text="raise the pool"))
    assert section(page_of(make_incident(tasks=tasks), *events), "## Action items")[2:] == [
        "| drain \\| eu-1 | task | Bob | not set | open |",
        "| call the vendor | task | nobody yet | not set | open |",
        "| raise the pool | follow-up | nobody yet | not set | open |",
    ]


def test_of_an_alert_that_fired_very_often_the_middle_is_left_out(make_incident: MakeIncident, at: Any) -> None:
    """The first and the last occurrences are there, others are not crowded out, and the rest is counted."""
    often = [AlertRow("Flaps", "resolved", {}, at(n * 60), at(n * 60 + 30)) for n in range(25)]
    alerts = (AlertRow("Opened", "resolved", {}, at(0), at(30)), *often)
    page = render(Dossier(make_incident(), (), alerts), "md").content.decode()
    *rows, more = section(page, "## Alerts")[2:]
    assert [row[2:8] for row in rows] == ["Opened"] + ["Flaps "] * 20
    assert "14:41" in rows[10]
    assert "14:47" in rows[11]
    assert more.startswith("And 5 more: of an alert that fired more than 20 times,")


def test_severity_over_time(make_incident: MakeIncident, make_event: MakeEvent) -> None:
    """From the declaration to the end, with who changed it and why."""
    events = (
        make_event(1, "declared", when=60, data={"severity": "sev3"}),
        make_event(2, "severity_changed", when=600, actor=BOB, data={"from": "sev3", "to": "sev1", "why": "a | b"}),
    )
    assert section(page_of(make_incident(), *events), "## Severity over time")[2:] == [
        "| sev3 | 2026-11-20 14:33 | 9 min | Alice | declared |",
        "| sev1 | 2026-11-20 14:42 | 18 min | Bob | a \\| b |",
    ]


def test_one_person_has_one_name(make_incident: MakeIncident, make_event: MakeEvent) -> None:
    """The name that was recorded last for an id, in the head, the timeline, the participants and the CSV alike."""
    incident = make_incident(roles={Role.LEAD: Person("U1", "alice"), Role.SCRIBE: Person("U5", "Eve")})
    events = (
        make_event(1, "note", when=60, actor=Actor("human", "U1", "alice"), text="one"),
        make_event(2, "pinned", when=70, text="two", data={"author": {"id": "U1", "name": "Alice Martin"}}, actor=BOB),
        make_event(3, "pinned", when=80, text="three", data={"author": {"id": "B1", "name": "Grafana"}}, actor=BOB),
    )
    page = page_of(incident, *events)
    assert "- **Incident commander:** Alice Martin" in page
    assert timeline(page)[:2] == [
        "- 14:33 **Note** (Alice Martin): one",
        "- 14:33 **Message** (Alice Martin, added by Bob): two",
    ]
    assert section(page, "## Participants") == [
        "- Alice Martin (incident commander): 14:33 to 14:33",
        "- Eve (scribe)",
        "- Bob: 14:33 to 14:33",
    ]
    assert b",Note,Alice Martin,one," in render(Dossier(incident, events), "csv").content


def test_of_an_edited_message_the_last_words_are_left(make_incident: MakeIncident, make_event: MakeEvent) -> None:
    """What was taken off the timeline is gone from it, and what was deleted in Slack stays said."""
    bob = {"author": {"id": "U2", "name": "Bob | <b>"}}
    events = (
        make_event(1, "pinned", text="Half fail", data=bob),
        make_event(2, "pinned", text="A tenth fails", data=bob | {"supersedes": 1, "edited": True}),
        make_event(3, "pinned", text="Lunch?", data=bob),
        make_event(4, "pinned", text="Line 3 was taken off", data={"supersedes": 3, "removed": True}),
        make_event(5, "pinned", text="It was me", data=bob),
        make_event(6, "pinned", text="The message of line 5 was deleted", data={"supersedes": 5, "deleted": True}),
    )
    assert timeline(page_of(make_incident(), *events)) == [
        "- 14:32 **Message** (Bob | &lt;b>, added by Alice, edited): A tenth fails",
        "- 14:32 **Message** (Bob | &lt;b>, added by Alice, deleted in Slack later): It was me",
    ]


@pytest.mark.parametrize(
    ("command", "shown"),
    [
        ("kubectl get pod | head", "`kubectl get pod | head`"),
        ("echo `date`", "`` echo `date` ``"),
        ("a\nb <b>", "`a b <b>`"),
        ("x" * 900, f"`{'x' * 299}…`"),
    ],
)
def test_a_command_that_was_run_is_code(
    make_incident: MakeIncident, make_event: MakeEvent, command: str, shown: str
) -> None:
    """The trace of an intervention stands below it, as far as a line can hold it."""
    ran = make_event(1, "runbook_step_done", text="Step 1 done", data={"command": command, "ran": True})
    assert timeline(page_of(make_incident(), ran))[1] == f"  - **Ran:** {shown}"
    other = make_event(1, "note", text="Scaled", data={"command": command, "intervention": True})
    assert timeline(page_of(make_incident(), other))[1] == f"  - **Ran:** {shown}"


@pytest.mark.parametrize("data", [{"command_shown": "ls ⟨pod⟩"}, {"command": "ls ⟨pod⟩"}])
def test_a_step_that_was_only_ticked_ran_nothing(
    make_incident: MakeIncident, make_event: MakeEvent, data: dict[str, str]
) -> None:
    """Its command is what was shown; so is one that was ticked before there was a word for it."""
    ticked = make_event(1, "runbook_step_done", text="Step 1 done", data=data)
    page = page_of(make_incident(), ticked)
    assert timeline(page)[1] == "  - **Command shown:** `ls ⟨pod⟩`"
    assert "Ran" not in page


def test_a_night_is_told_by_its_days(make_incident: MakeIncident, make_event: MakeEvent) -> None:
    """Each day has a heading, so that a time of day is enough."""
    events = (make_event(1, text="before"), make_event(2, when=36_000, text="after"))
    headings = [line for line in page_of(make_incident(), *events).splitlines() if line.startswith("### 20")]
    assert headings == ["### 2026-11-20", "### 2026-11-21"]


@pytest.mark.parametrize(
    "source", ["javascript:alert(1)", "https://x/ [a](https://evil.example)", "data:text/html,<b>", "ftp://x\n# h"]
)
def test_a_source_that_is_no_web_address_is_text(
    make_incident: MakeIncident, make_event: MakeEvent, source: str
) -> None:
    """It is shown, and links to nothing that it hides."""
    page = page_of(make_incident(), make_event(1, text="x", source=source))
    seen = Seen.of(page)
    assert not {"b", "script"} & seen.tags
    assert all(link in source for link in seen.links)
    assert "](" not in page.replace("\\](", "")


@pytest.mark.parametrize(
    ("text", "seen"),
    [
        ("# not a heading\n- no item\n1. none", "# not a heading - no item 1. none"),
        ("| a | b |\n|---|---|\n| c | d |", "| a | b | |---|---| | c | d |"),
        ("<script>alert('&lt;')</script>\n<b>x</b> & y", "<script>alert('&lt;')</script> <b>x</b> & y"),
        ("[!WARNING]\n[x]: https://evil.example\n![i][x]", "[!WARNING] [x]: https://evil.example ![i][x]"),
        ("\u202etxt.exe\u202c\n\u05e9\u05dc\u05d5\u05dd `a`", "\ufffdtxt.exe\ufffd \u05e9\u05dc\u05d5\u05dd a"),
        ("Traceback:\n  File <x>\n\n    raise E[1](2)", "Traceback: File <x> raise E[1](2)"),
        ("=== \n---\n***\n___", "=== --- *** ___"),
        ("```\nif a < b & c:\n\treturn `x`\n```\ndone", "if a < b & c: return `x` done"),
        ("~~~\n<b>\n~~~", "~~~ <b> ~~~"),
        ("[ ] task\n[x](y)\\", "[ ] task [x](y)\\"),
    ],
)
def test_text_of_several_lines_stays_text(
    make_incident: MakeIncident, make_event: MakeEvent, text: str, seen: str
) -> None:
    """GitHub shows what was typed, on lines of their own, and reads nothing into it."""
    page = page_of(make_incident(impact=text), make_event(1, text=text))
    shown = Seen.of(page)
    assert " ".join(shown.text.split()).count(" ".join(seen.split())) == 2
    assert shown.count["blockquote"] == 2
    assert not {"script", "b", "img", "input", "em", "hr", "ol"} & shown.tags
    assert shown.count["h1"] == 1
    assert all(link.startswith("https://evil.example") for link in shown.links)


@pytest.mark.parametrize("name", ["# x", "- y", "1. z", "[ ] t", "> q", "*a*", "<b>", "a | b", "`c`", "\u202ed"])
def test_names_are_names(make_incident: MakeIncident, make_event: MakeEvent, name: str) -> None:
    """A person may be called anything."""
    who = Actor("human", "U1", name)
    events = (make_event(1, actor=who, text="*x"), make_event(2, "paged", actor=who, data={"name": name, "level": 1}))
    alerts = (AlertRow(name, name, {name: name}),)
    roles = {Role.LEAD: Person("U1", name)}
    page = render(Dossier(make_incident(roles=roles), events, alerts), "md").content.decode()
    seen = Seen.of(page)
    assert " ".join(seen.text.split()).count(name.replace("\u202e", "\ufffd").strip("`")) >= 8
    assert not {"b", "em", "input", "ol", "blockquote"} & seen.tags
    assert seen.count["h1"] == 1


@pytest.mark.parametrize(("name", "text"), [("~", "0~"), ("*", "a*"), ("_", "b_"), ("`", "c`"), ("a *", "* b*")])
def test_a_name_and_a_text_make_no_pair(
    make_incident: MakeIncident, make_event: MakeEvent, name: str, text: str
) -> None:
    """What stands on one line was written by several people."""
    page = page_of(make_incident(), make_event(1, actor=Actor("human", "U1", name), text=text, source=name))
    seen = Seen.of(page)
    assert f"Note ({name}): {text} ({name})" in seen.text
    assert not {"del", "em", "code"} & seen.tags


UNKIND = [
    "# x\n## Timeline\n- 14:32 **Resolved** (Alice)",
    "<img src=x onerror=alert(1)>\n<b>|</b>\n[x](https://evil.example)",
    "| a |\n|---|\n```\n# b",
]


@pytest.mark.parametrize("text", UNKIND)
@pytest.mark.parametrize("kind", sorted({*KINDS, "a_kind_to_come"}))
def test_no_kind_lets_text_become_structure(
    make_incident: MakeIncident, make_event: MakeEvent, kind: str, text: str
) -> None:
    """Whatever a line's text and data hold, GitHub sees no heading, image, HTML or named link of theirs."""
    keys = ("name", "why", "root_cause", "fix", "action", "owner", "eta", "impact", "command", "text", "to", "from")
    clean = Seen.of(page_of(make_incident(), make_event(1, kind, text="x", data=dict.fromkeys(keys, "x"))))
    page = page_of(make_incident(), make_event(1, kind, text=text, data=dict.fromkeys(keys, text)))
    seen = Seen.of(page)
    for tag in ("h1", "h2", "h3", "table"):
        assert seen.count[tag] == clean.count[tag]
    assert not {"b", "img"} & seen.tags
    assert all(link.startswith("https://evil.example") for link in seen.links)
    assert ">x</a>" not in page

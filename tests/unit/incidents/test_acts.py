"""Steps that are acts, and steps of a runbook and a checklist that say the same."""

from __future__ import annotations

from dataclasses import replace

import pytest

from bot.incidents import commands as c
from bot.incidents.model import Actor, Person
from bot.incidents.runs import Done, Run
from tests.unit.incidents.story import ALICE, BOB, START, Story

POINTS = {"acknowledge": 1, "scope": 2, "lead": 3, "update": 4, "severity": 5}
BOOK, LIST = "ops.one", "checklist.first-response"


def a_run(book: str = BOOK, slot: str = "runbook", **points: int) -> Run:
    return Run(book, "v1", book, "SRE", 9, slot, START, checklist=book == LIST, points=points)


def opened() -> Story:
    """Give an incident with a runbook that knows two of its checklist's points."""
    story = Story()
    story.do(c.StartRun(a_run(scope=4, severity=7)))
    story.do(c.StartRun(a_run(LIST, **POINTS)))
    return story


def ticks(story: Story, book: str = LIST) -> dict[int, str]:
    run = next(run for run in story.incident.runs if run.book == book)
    return {number: tick.name for number, tick in run.ticks.items()}


def step(number: int, book: str = LIST) -> c.Step:
    return c.Step(book, number, f"Point {number}")


@pytest.mark.parametrize(
    ("act", "number", "name"),
    [
        (c.Acknowledge(BOB), 1, "Bob"),
        (c.Acknowledge(Actor("human", "PD1", "Dana"), via="pagerduty"), 1, "Dana"),
        (c.AssignRole(Person("U2", "Bob"), BOB), 3, "Bob"),
        (c.AssignRole(Person("U2", "Bob"), ALICE), 3, "Bob"),
        (c.PostUpdate("Looking", BOB), 4, "Bob"),
    ],
)
def test_an_act_ticks_its_step(act: c.Command, number: int, name: str) -> None:
    """Whoever did it is named; the timeline has the act alone."""
    story = opened()
    decision = story.do(act)
    assert ticks(story) == {number: name}
    assert "runbook_step_done" not in [event.kind for event in decision.events]
    assert "refresh_runbook" in [delivery.kind for delivery in decision.deliveries]


def test_no_change_is_no_first_update() -> None:
    """Only words are an update."""
    story = opened()
    story.do(c.KeepCadence(BOB))
    assert ticks(story) == {}


def test_ticking_an_act_does_it_once() -> None:
    """It is acknowledged, or led, by whoever ticks it; not where somebody else was quicker."""
    story = opened()
    decision = story.do(c.TickStep(step(1), BOB))
    assert [event.kind for event in decision.events] == ["runbook_step_done", "acknowledged"]
    assert story.incident.acknowledged_by == BOB
    story.do(c.TickStep(step(3), BOB))
    assert story.incident.lead == Person("U2", "Bob")
    story.do(c.UndoStep(step(3), BOB))
    story.do(c.TickStep(step(3), ALICE))
    assert story.incident.lead == Person("U2", "Bob")
    assert ticks(story) == {1: "Bob", 3: "Alice"}


def test_a_tool_takes_no_lead() -> None:
    """A report of the API ticks a step; nobody leads or has acknowledged because of it."""
    story, tool = opened(), Actor("human", "api:deployer", "deployer")
    story.do(c.TickStep(step(1), tool))
    story.do(c.TickStep(step(3), tool))
    assert (story.incident.acknowledged_at, story.incident.lead) == (None, None)


def test_what_says_the_same_is_ticked_skipped_and_undone_together() -> None:
    """The checklist's point and the runbook's step stand the same, whichever was pressed."""
    story = opened()
    story.do(c.TickStep(step(4, BOOK), BOB))
    assert (ticks(story), ticks(story, BOOK)) == ({2: "Bob"}, {4: "Bob"})
    story.do(c.UndoStep(step(2), ALICE))
    assert (ticks(story), ticks(story, BOOK)) == ({}, {})
    story.do(c.SkipStep(step(5), "clear", ALICE))
    assert [run.count(Done.SKIPPED) for run in story.incident.runs] == [1, 1]


def test_a_run_begins_with_what_is_done() -> None:
    """Acts before it was posted count, and so do ticks of the runbook before it."""
    story = Story()
    story.do(c.StartRun(a_run(LIST, **POINTS)))
    story.do(c.Acknowledge(BOB))
    story.do(c.AssignRole(Person("U1", "Alice"), ALICE))
    story.do(c.TickStep(step(5), ALICE))
    story.do(c.StartRun(a_run("ops.two", severity=1, lead=2, acknowledge=3, other=4)))
    assert ticks(story, "ops.two") == {1: "Alice", 2: "Alice", 3: "Bob"}


def test_the_checklist_goes_with_the_runbooks_message() -> None:
    """Another runbook takes it along; alone it goes where it is posted, and the runbook is shown without it."""
    story = opened()
    assert story.incident.beside is not None
    story.do(c.StartRun(a_run("ops.two", "runbook:9")))
    assert [(run.book, run.slot) for run in story.incident.runs if run.checklist] == [(LIST, "runbook:9")]
    decision = story.do(c.StartRun(a_run(LIST, "runbook:12", **POINTS)))
    assert story.incident.beside is None
    assert [(d.kind, d.needs) for d in decision.deliveries] == [("refresh_runbook", ("runbook:9",))]


def test_a_run_of_a_newer_version_can_be_read() -> None:
    """What it holds besides is left; one of an older version has no points."""
    run = a_run(scope=1)
    assert Run.from_json(run.to_json() | {"colour": "red"}) == run
    old = run.to_json()
    del old["points"]
    assert Run.from_json(old) == replace(run, points={})

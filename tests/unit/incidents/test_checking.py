"""Steps that are ticked, skipped and undone, and the changes that they lead to."""

from __future__ import annotations

from datetime import timedelta

import pytest
from hypothesis import given
from hypothesis import strategies as st

from bot.incidents import commands as c
from bot.incidents.model import Actor, Refused, Status, TimerKind
from bot.incidents.runs import Done, Mitigation, Run, Tick
from bot.timeline.followups import follow_ups
from tests.unit.incidents.story import ALICE, BOB, START, Story, moment

HOUR = 3600


def a_run(book: str = "ops.one", slot: str = "runbook", total: int = 3, *, checklist: bool = False) -> Run:
    return Run(book, "v1", f"About {book}", "SRE", total, slot, START, "matched", {"pod": "p-1"}, checklist=checklist)


def step(number: int = 1, approval: str = "", book: str = "ops.one") -> c.Step:
    return c.Step(book, number, f"Do thing {number}", "Remediation", approval)


def running(**facts: int) -> Story:
    """Give an incident with a runbook in its channel."""
    story = Story()
    story.do(c.StartRun(a_run(**facts)))
    return story


def test_a_tick_says_who_when_and_which_command() -> None:
    """The step is done by Alice at that moment, and the timeline has the command as it was shown, not as run."""
    story = running().at(4)
    decision = story.do(c.TickStep(step(), ALICE, command="kubectl get pod p-1"))
    (event,) = decision.events
    assert (event.kind, event.actor, event.occurred_at) == ("runbook_step_done", ALICE, moment(4))
    assert event.text == "Step 1 of ops.one done: Do thing 1"
    assert event.data["command_shown"] == "kubectl get pod p-1"
    assert not event.data.keys() & {"command", "ran"}
    assert (event.data["runbook_id"], event.data["version"], event.data["step"]) == ("ops.one", "v1", 1)
    run = story.incident.run
    assert run is not None
    assert run.ticks == {1: Tick(Done.DONE, "U1", "Alice", moment(4))}
    assert run.next_step == 2
    assert [(d.kind, d.needs) for d in decision.deliveries] == [
        ("refresh_runbook", ("runbook",)),
        ("refresh_card", ("card",)),
    ]


TOOL = Actor("human", "api:deploy-bot", "deploy-bot")


@pytest.mark.parametrize("actor", [ALICE, TOOL])
def test_a_command_was_run_where_somebody_says_so(actor: Actor) -> None:
    """By the word of whoever ticks, or a tool's report."""
    (event,) = running().do(c.TickStep(step(), actor, command="kubectl get pod p-1", ran=True)).events
    assert (event.data["command"], event.data["ran"]) == ("kubectl get pod p-1", True)
    assert "command_shown" not in event.data


@pytest.mark.parametrize("command", ["kubectl logs ⟨pod⟩", "kubectl logs <pod>", "psql -h <db-host> -d ⟨database⟩"])
def test_a_command_with_placeholders_was_never_run(command: str) -> None:
    """A person is asked for the one that was; of a tool's report it is what was shown, and so is a change's."""
    story = running()
    with pytest.raises(Refused, match=r"has placeholders: .*done 1 ran <command>") as refused:
        story.do(c.TickStep(step(), ALICE, command=command, ran=True))
    assert refused.value.code == "placeholders"
    (event,) = story.do(
        c.TickStep(step(), TOOL, command=command, ran=True, rollback="undo it", rollback_within=HOUR)
    ).events
    assert event.data["command_shown"] == command
    assert "ran" not in event.data
    assert [made.command for made in story.incident.mitigations] == [""]
    (note,) = story.do(c.Intervene("Looked", TOOL, command=command)).events
    assert (note.data["command"], note.data["command_shown"]) == ("", command)


@pytest.mark.parametrize("command", ["a < b", "cat <<EOF", "x <1> y", "mysql < dump.sql > out", "echo $((2<3))"])
def test_a_shell_s_own_signs_are_no_placeholders(command: str) -> None:
    """Redirections, here-documents and comparisons can be run as they stand."""
    (event,) = running().do(c.TickStep(step(), ALICE, command=command, ran=True)).events
    assert event.data["command"] == command


def test_the_word_may_come_after_the_tick() -> None:
    """It is a line of its own; what is open or skipped has not been run, and no command is none."""
    story = running()
    with pytest.raises(Refused, match="Step 1 is not done"):
        story.do(c.RanStep(step(), ALICE, "ls"))
    story.do(c.TickStep(step(), ALICE, command="ls"), c.SkipStep(step(2), "no", ALICE))
    (event,) = story.do(c.RanStep(step(), BOB, "ls -l")).events
    assert (event.kind, event.actor, event.data["step"]) == ("note", BOB, 1)
    assert (event.data["command"], event.data["ran"]) == ("ls -l", True)
    for wrong in (c.RanStep(step(2), ALICE, "ls"), c.RanStep(step(), ALICE, ""), c.RanStep(step(), ALICE, "ls ⟨pod⟩")):
        with pytest.raises(Refused):
            story.do(wrong)


def test_the_second_of_two_who_tick_is_told_of_the_first() -> None:
    """One tick: whoever comes second learns who was quicker; a skipped step wants its skip undone first."""
    story = running()
    story.do(c.TickStep(step(), ALICE))
    with pytest.raises(Refused, match=r"Step 1 is already done: Alice ticked it at 03:00 UTC") as refused:
        story.do(c.TickStep(step(), BOB))
    assert refused.value.code == "no_change"
    story.do(c.SkipStep(step(2), "not this cluster", BOB))
    with pytest.raises(Refused, match=r"Step 2 is already skipped: Bob skipped it"):
        story.do(c.TickStep(step(2), ALICE))


def test_a_step_is_skipped_with_a_reason() -> None:
    """The timeline keeps why; without a reason nothing is skipped."""
    story = running()
    (event,) = story.do(c.SkipStep(step(2), " not this cluster ", BOB)).events
    assert (event.kind, event.data["why"]) == ("runbook_step_skipped", "not this cluster")
    assert story.incident.run is not None
    assert story.incident.run.next_step == 1
    with pytest.raises(Refused, match="Say why"):
        story.do(c.SkipStep(step(1), "  ", BOB))


def test_a_tick_is_undone() -> None:
    """The step is open again, the timeline says whose tick it was, and its change is off the card."""
    story = running()
    story.do(c.TickStep(step(), ALICE, rollback="undo it", rollback_within=HOUR))
    assert len(story.incident.mitigations) == 1
    (event,) = story.do(c.UndoStep(step(), BOB)).events
    assert (event.kind, event.data["by"], event.data["was"]) == ("runbook_step_undone", "Alice", "done")
    assert story.incident.run is not None
    assert story.incident.run.ticks == {}
    assert story.incident.mitigations == ()
    assert not [t for t in story.incident.timers if t.kind is TimerKind.ROLLBACK]
    with pytest.raises(Refused, match="nothing to undo"):
        story.do(c.UndoStep(step(), BOB))


def test_a_step_that_needs_approval_says_who_gave_it() -> None:
    """Without a name it is not done; with one the tick and the timeline keep it."""
    story = running()
    with pytest.raises(Refused, match="approval of CISO"):
        story.do(c.TickStep(step(approval="CISO"), ALICE))
    (event,) = story.do(c.TickStep(step(approval="CISO"), ALICE, approved_by="Carol")).events
    assert event.data["approved_by"] == "Carol"
    assert event.text.endswith("(approved by Carol)")
    assert story.incident.run is not None
    assert story.incident.run.ticks[1].approved_by == "Carol"


def test_only_steps_that_are_there_are_ticked() -> None:
    """Not those of a runbook that is not posted, and not a fourth of three."""
    story = running()
    for wrong in (step(book="ops.two"), step(4), step(0)):
        with pytest.raises(Refused):
            story.do(c.TickStep(wrong, ALICE))


def test_a_runbook_goes_on_after_the_resolution_but_not_after_a_cancellation() -> None:
    """Verification and rollback come last; a closed incident is reopened first."""
    story = running()
    story.do(c.Resolve(ALICE), c.TickStep(step(), ALICE), c.SetStatus(Status.CLOSED, ALICE))
    with pytest.raises(Refused, match="Reopen it first"):
        story.do(c.TickStep(step(2), ALICE))


def test_a_second_attempt_to_post_changes_nothing() -> None:
    """A sender that was killed begins again: the ticks that are there stay."""
    story = running()
    story.do(c.TickStep(step(), ALICE))
    before = story.incident
    assert story.do(c.StartRun(a_run())).deliveries == ()
    assert story.incident == before


def test_a_runbook_is_swapped_and_taken_up_again() -> None:
    """The ticks of each stay with it; the message that is left behind is folded."""
    story = running()
    story.do(c.TickStep(step(), ALICE))
    asked = story.do(c.PostRunbook("ops.two", BOB))
    assert [(d.kind, dict(d.data)) for d in asked.deliveries] == [
        ("runbook", {"book": "ops.two", "reason": "asked for by Bob"})
    ]
    swapped = story.do(c.StartRun(a_run("ops.two", "runbook:9")))
    assert story.incident.runbook_id == "ops.two"
    assert [(d.kind, d.data["slot"], d.data["book"]) for d in swapped.deliveries] == [
        ("fold_runbook", "runbook", "ops.one")
    ]
    back = story.do(c.StartRun(a_run("ops.one", "runbook:12")))
    assert story.incident.run is not None
    assert (story.incident.run.slot, sorted(story.incident.run.ticks)) == ("runbook:12", [1])
    assert [(d.data["slot"], d.data["book"]) for d in back.deliveries] == [("runbook:9", "ops.two")]


def test_the_checklist_is_ticked_beside_the_runbook() -> None:
    """It has its own message, and is not the incident's runbook."""
    story = running()
    story.do(c.StartRun(a_run("checklist.one", "checklist", checklist=True)))
    decision = story.do(c.TickStep(step(book="checklist.one"), ALICE))
    assert ("refresh_checklist", ("checklist",)) in [(d.kind, d.needs) for d in decision.deliveries]
    assert story.incident.runbook_id == "ops.one"


def test_turning_the_page_is_no_event_and_ends_with_the_next_tick() -> None:
    """Everybody sees the page; the next tick leads back to the next step."""
    story = running(total=30)
    decision = story.do(c.TurnPage("ops.one", 2))
    assert (decision.events, [d.kind for d in decision.deliveries]) == ((), ["refresh_runbook"])
    assert story.do(c.TurnPage("ops.one", 2)).deliveries == ()
    story.do(c.TickStep(step(), ALICE))
    assert story.incident.run is not None
    assert story.incident.run.page is None


def test_a_change_is_on_the_card_until_it_is_rolled_back() -> None:
    """It names its rollback and by when; its timer asks for it, again and again, also after the resolution."""
    story = running()
    story.do(c.TickStep(step(), ALICE, command="scale up", ran=True, rollback="scale down", rollback_within=HOUR))
    (made,) = story.incident.mitigations
    assert (made.id, made.command, made.rollback, made.due_at) == (1, "scale up", "scale down", moment(60))
    assert story.events[-1].data["mitigation"]["expected_rollback_at"] == moment(60).isoformat()
    story.do(c.Resolve(ALICE))
    story.at(59)
    assert "rollback_due" not in [d.kind for d in story.deliveries]
    assert not story.incident.is_late(made)
    story.at(60)
    assert story.incident.is_late(made)
    story.at(179)
    assert [d.kind for d in story.deliveries].count("rollback_due") == 2
    story.do(c.EndMitigation(1, BOB))
    assert story.events[-1].text == "Rolled back: Do thing 1"
    assert story.events[-1].data["mitigation"]["ended"] == "rolled_back"
    assert story.incident.mitigations == ()
    assert story.incident.timers == ()
    with pytest.raises(Refused, match="no longer in place"):
        story.do(c.EndMitigation(1, ALICE))


def test_a_change_is_made_permanent() -> None:
    """Nobody is asked for its rollback any more; the next one has a number of its own."""
    story = running()
    story.do(c.TickStep(step(), ALICE, rollback="x", rollback_within=HOUR), c.EndMitigation(1, BOB, permanent=True))
    assert story.events[-1].text == "Made permanent: Do thing 1"
    story.at(300)
    assert "rollback_due" not in [d.kind for d in story.deliveries]
    story.do(c.TickStep(step(2), ALICE, rollback="x", rollback_within=HOUR))
    assert [made.id for made in story.incident.mitigations] == [2]


def test_a_tool_reports_what_it_has_done() -> None:
    """The timeline has it at the time at which it happened, with the command; with a rollback it is a change."""
    story = Story().at(10)
    story.do(c.Intervene("Scaled the pool", ALICE, "kubectl scale", occurred_at=moment(8)))
    event = story.events[-1]
    assert (event.kind, event.text, event.occurred_at) == ("note", "Scaled the pool", moment(8))
    assert (event.data["command"], event.data["intervention"]) == ("kubectl scale", True)
    story.do(c.Intervene("Froze deployments", ALICE, rollback="thaw", rollback_within=HOUR, occurred_at=moment(99)))
    assert story.events[-1].occurred_at == moment(10)  # no event is from the future
    assert [made.text for made in story.incident.mitigations] == ["Froze deployments"]


def test_the_owner_is_asked_once_to_review_what_was_used() -> None:
    """The present runbook and whatever else was ticked, not what was put aside; not again after a reopening."""
    story = running()
    story.do(c.TickStep(step(), ALICE))
    for n, book in enumerate(("ops.two", "ops.three")):
        story.do(c.StartRun(a_run(book, f"runbook:{n}")))
    story.do(c.StartRun(a_run("checklist.one", "checklist", checklist=True)))
    story.do(c.Resolve(ALICE), c.Reopen(ALICE), c.Resolve(ALICE))
    items = follow_ups(story.events)
    assert [(item.text, item.owner) for item in items] == [
        ("Review runbook ops.one: About ops.one", "SRE"),
        ("Review runbook ops.three: About ops.three", "SRE"),
    ]


@given(st.dictionaries(st.integers(1, 99), st.text(max_size=9)), st.text(max_size=9), st.integers(1, 10**6))
def test_what_is_kept_comes_back(ticks: dict[int, str], text: str, within: int) -> None:
    """A run and a change are the same after they have been written and read."""
    done = {number: Tick(Done.SKIPPED, text, text, START, why) for number, why in ticks.items()}
    run = Run("a.b", "v", text, text, 99, "s", START, text, {"pod": text}, done, 3, due_review=False)
    assert Run.from_json(run.to_json()) == run
    made = Mitigation(1, text, "U1", text, START, text, within, START + timedelta(seconds=within))
    assert Mitigation.from_json(made.to_json()) == made


def fitting(*, at_once: bool = False, book: str = "ops.two") -> c.FitRunbook:
    return c.FitRunbook(book, "Two", "RedisDown", "matched by alertname RedisDown", at_once)


def test_a_better_runbook_is_posted_where_nobody_has_ticked() -> None:
    """Only the general one stands, untouched: the better one is posted at once, and says why."""
    decision = running().do(fitting(at_once=True))
    assert [(d.kind, d.data) for d in decision.deliveries] == [
        ("runbook", {"book": "ops.two", "reason": "matched by alertname RedisDown, which joined later"})
    ]


@pytest.mark.parametrize("at_once", [True, False])
def test_a_better_runbook_is_offered_to_whoever_works(at_once: bool) -> None:
    """With a tick, or another than the general one: a message offers it, and the timeline says so."""
    story = running()
    story.do(c.TickStep(step(), ALICE))
    decision = story.do(fitting(at_once=at_once))
    assert [(d.kind, d.data["book"]) for d in decision.deliveries] == [("runbook_offer", "ops.two")]
    assert decision.events[0].text == "RedisDown joined: runbook ops.two fits better than ops.one"
    assert story.incident.runbook_id == "ops.one"


def test_what_has_been_posted_before_is_not_offered() -> None:
    """A runbook that was put aside by a person is known to them; and nothing is offered before the first one stands."""
    story = running()
    story.do(c.StartRun(a_run("ops.two", slot="runbook:9")))
    story.do(c.StartRun(a_run("ops.one", slot="runbook:12")))
    assert story.do(fitting(at_once=True)).deliveries == ()
    assert Story().do(fitting(at_once=True)).deliveries == ()

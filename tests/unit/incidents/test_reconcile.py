"""Our alerts beside their source's: which of them differ, since when, and what is said of it."""

from __future__ import annotations

from datetime import timedelta
from typing import Any

import pytest

from bot.incidents import commands as c
from bot.incidents.model import Status
from bot.incidents.reconcile import Flag, Held, Look, Reported, Since, compare, remember, ripe
from tests.unit.incidents.story import ALICE, START, Story, an_alert

LABELS = {"alertname": "HighErrorRate", "instance": "a"}
AFTER = timedelta(minutes=10)


def held(id_: int = 1, fingerprint: str = "aa", **changes: Any) -> Held:
    values: dict[str, Any] = {
        "labels": {**LABELS, "instance": fingerprint},
        "is_open": True,
        "incident_status": Status.INVESTIGATING,
    }
    return Held(id=id_, fingerprint=fingerprint, **{**values, **changes})


def there(fingerprint: str = "aa", *, muted: bool = False, **labels: str) -> Reported:
    return Reported(fingerprint, {**LABELS, "instance": fingerprint, **labels}, muted)


@pytest.mark.parametrize(
    ("ours", "theirs", "flag"),
    [
        (held(), [there()], None),
        (held(), [there(muted=True)], None),
        (held(), [], Flag.MISSED),
        (held(), [there("bb")], Flag.MISSED),
        (held(incident_status=None), [], Flag.MISSED),
        (held(incident_status=Status.RESOLVED), [], Flag.MISSED),
        (held(incident_status=Status.RESOLVED), [there()], Flag.OUTLIVED),
        (held(incident_status=Status.CLOSED), [there()], Flag.OUTLIVED),
        (held(incident_status=Status.RESOLVED), [there(muted=True)], None),
        (held(incident_status=Status.CANCELLED), [there()], None),
        (held(is_open=False), [], None),
        (held(is_open=False), [there()], Flag.STILL),
        (held(is_open=False), [there(muted=True)], None),
    ],
)
def test_where_the_two_sides_differ(ours: Held, theirs: list[Reported], flag: Flag | None) -> None:
    """What fires on one side only differs, and what fires on after its incident; a muted alert fires all the same."""
    assert compare([ours], Look(tuple(theirs))) == {1: flag}


def test_what_a_look_leaves_open_is_not_judged() -> None:
    """Of a source that did not answer for everything, what it names counts, and what it does not is unknown."""
    look = Look((there("bb"),), ("peer-2: unreachable",))
    ours = [held(1, "aa"), held(2, "bb"), held(3, "cc", is_open=False)]
    assert compare(ours, look) == {2: None}


def test_an_alert_is_known_by_its_labels_too() -> None:
    """A sender in between may make fingerprints of its own; alerts without labels are not all the same one."""
    assert compare([held(fingerprint="made-up", labels=LABELS)], Look((Reported("aa", LABELS),))) == {1: None}
    assert compare([held(labels={})], Look((Reported("bb", {}),))) == {1: Flag.MISSED}


def test_of_several_occurrences_the_one_that_counts_speaks() -> None:
    """An open occurrence speaks for its alert, whatever its group; of those that are over, the newest does."""
    over = [held(1, is_open=False), held(2, is_open=False)]
    assert compare(over, Look((there(),))) == {2: Flag.STILL}
    assert compare([*over, held(3)], Look((there(),))) == {3: None}


def test_alerts_that_only_the_source_has_are_none_of_ours() -> None:
    """Other receivers' alerts are not in the answer."""
    assert compare([], Look((there(),))) == {}


def test_a_difference_counts_once_it_has_lasted() -> None:
    """The first look never counts; one that went away, or became another, begins anew."""
    since = remember({1: Flag.MISSED}, {}, [1], START)
    assert ripe({1: Flag.MISSED}, since, START, AFTER) == set()
    later = START + AFTER
    assert remember({1: Flag.MISSED}, since, [1], later) == since
    assert ripe({1: Flag.MISSED}, since, later, AFTER) == {1}
    assert ripe({1: Flag.MISSED}, since, later - timedelta(seconds=1), AFTER) == set()
    assert remember({1: None}, since, [1], later) == {}
    assert remember({1: Flag.OUTLIVED}, since, [1], later) == {1: Since(Flag.OUTLIVED, later)}


def test_a_look_that_leaves_a_difference_open_neither_ends_it_nor_counts_it() -> None:
    """While the source is away nothing is flagged; a row that is gone is forgotten."""
    since = {1: Since(Flag.MISSED, START)}
    assert remember({}, since, [1], START + AFTER) == since
    assert ripe({}, since, START + AFTER, AFTER) == set()
    assert remember({}, since, [], START + AFTER) == {}


# -- what is said of it -----------------------------------------------------------------------------------------


@pytest.mark.parametrize("flag", Flag)
def test_a_flag_is_a_note_a_message_and_an_edit_of_the_card(flag: Flag) -> None:
    """It is told on the timeline and in the incident's place, with what to do, and changes no state."""
    story = Story()
    if flag is Flag.OUTLIVED:
        story.do(c.Resolve(ALICE))
    before = story.incident
    decision = story.do(c.AlertsFlagged(flag, (an_alert(),)))
    (event,) = decision.events
    assert (event.kind, event.actor.type, event.data["flag"]) == ("note", "system", flag.value)
    assert event.data["fingerprints"] == ["aa"]
    assert "HighErrorRate on eu-west-1" in event.text
    said = [d.data["text"] for d in decision.deliveries if d.kind == "say"]
    assert len(said) == 1
    assert said[0].startswith(":warning: ")
    assert "Alertmanager" in said[0]
    assert "refresh_card" in [d.kind for d in decision.deliveries]
    after = decision.incident
    assert (after.status, after.timers, after.resolved_at) == (before.status, before.timers, before.resolved_at)


def test_the_advice_fits_the_state() -> None:
    """Resolve what is over, reopen what is not; a resolved alert that still fires is to be checked first."""
    story = Story()

    def advice(flag: Flag) -> str:
        decision = story.do(c.AlertsFlagged(flag, (an_alert(),)))
        return str(next(d.data["text"] for d in decision.deliveries if d.kind == "say"))

    assert "`/incident resolve &lt;text&gt;`" in advice(Flag.MISSED)
    assert "before you resolve" in advice(Flag.STILL)
    story.do(c.Resolve(ALICE))
    assert "`/incident reopen`" in advice(Flag.STILL)
    assert f"though {story.incident.number} is resolved. " in advice(Flag.OUTLIVED)


def test_many_alerts_are_one_line() -> None:
    """The first are named, the others counted; what a name holds pages nobody."""
    alerts = tuple(an_alert(f"{n:02}", name=f"A{n} <!channel>") for n in range(200))
    decision = Story().do(c.AlertsFlagged(Flag.MISSED, alerts))
    (event,) = decision.events
    assert "A4 <!channel> on eu-west-1 and 195 more" in event.text
    assert (event.data["alerts"], len(event.data["fingerprints"])) == (200, 100)
    said = next(d.data["text"] for d in decision.deliveries if d.kind == "say")
    assert "<!channel>" not in said


def test_a_flag_that_is_taken_back_is_told_only_where_somebody_may_act_on_it() -> None:
    """An alert that is reported again is told at once; that another one has ended, the card shows."""
    decision = Story().do(c.AlertsConfirmed(Flag.MISSED, (an_alert(),)))
    (event,) = decision.events
    assert event.text == "Alertmanager reports HighErrorRate on eu-west-1 as firing again"
    assert event.data["withdrawn"] is True
    assert "say" in [d.kind for d in decision.deliveries]
    for flag in (Flag.STILL, Flag.OUTLIVED):
        quiet = Story().do(c.AlertsConfirmed(flag, (an_alert(),)))
        assert quiet.events == ()
        assert {d.kind for d in quiet.deliveries} == {"refresh_card", "refresh_announcement", "topic"}

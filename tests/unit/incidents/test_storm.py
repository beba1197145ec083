"""Storms and flapping: when many groups are one incident, what a crowd of alerts says, what is held back."""

from __future__ import annotations

from dataclasses import dataclass, field, replace
from datetime import datetime, timedelta
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from bot.incidents import commands as c
from bot.incidents.digest import LINES, NAMES, PACE, WINDOW, Change, Digest
from bot.incidents.model import Alert, Incident, Refused, Status
from bot.incidents.policy import Severity
from bot.incidents.storm import (
    ALL,
    LONGEST_KEY,
    Count,
    Course,
    Family,
    FlapPolicy,
    StormPolicy,
    family_of,
    flapping,
    is_worse,
    rule,
)
from tests.unit.incidents.story import ALICE, NUMBER, START, Story, an_alert, moment

EU, US = Family("cluster", "eu"), Family("cluster", "us")
BY = ("cluster", "service")


def labelled(**labels: str) -> Alert:
    """Make an alert with these labels."""
    return an_alert(labels=labels)


@pytest.mark.parametrize(
    ("alerts", "expected"),
    [
        ([labelled(cluster="eu", service="pay")], Family("cluster", "eu")),
        ([labelled(service="pay")], Family("service", "pay")),
        ([labelled(cluster="", service="pay")], Family("service", "pay")),
        ([labelled(cluster="eu"), labelled(cluster="eu", service="pay")], Family("cluster", "eu")),
        ([labelled(cluster="eu", service="pay"), labelled(cluster="us", service="pay")], Family("service", "pay")),
        ([labelled(cluster="eu", service="pay"), labelled(service="pay")], Family("service", "pay")),
        ([labelled(cluster="eu"), labelled(cluster="us")], ALL),
        ([labelled(pod="a")], ALL),
        ([labelled(job="kube-state-metrics", service="kps-kube-state-metrics", deployment="a")], ALL),
        ([labelled(service_name="pay")], Family("service", "pay")),
        ([labelled()], ALL),
    ],
)
def test_the_family_of_a_group(alerts: list[Alert], expected: Family) -> None:
    """The first of the labels that all its alerts share makes a group's family; without one it has none."""
    assert family_of(alerts, BY) == expected


def test_a_family_has_a_key_and_a_name() -> None:
    """Two families never share a key by accident, and no label makes one too long for an index."""
    assert (EU.key, EU.where) == ("cluster=eu", "in cluster eu")
    assert ALL.where == "across services"
    assert len(Family("cluster", "x" * 9999).key) == LONGEST_KEY
    assert len(Family("cluster", "x" * 9999).where) < 150


@dataclass
class Weather:
    """Groups that come, one after the other, and what each of them does."""

    policy: StormPolicy = field(default_factory=StormPolicy)
    now: datetime = START
    counts: dict[Family, Count] = field(default_factory=dict)
    told: list[tuple[datetime, Course, bool]] = field(default_factory=list)

    def comes(self, family: Family = EU, severity: Severity = Severity.SEV2) -> str:
        """Let a group come now; gives its course, with an asterisk where it is the storm of all families."""
        own = None if family == ALL else self.counts.get(family, Count())
        ruling = rule(own, self.counts.get(ALL, Count()), self.policy, severity, self.now)
        if family != ALL:
            self.counts[family] = ruling.own
        self.counts[ALL] = ruling.everything
        self.told.append((self.now, ruling.course, ruling.overall))
        return ruling.course.value + "*" * ruling.overall

    def wait(self, **time: float) -> None:
        self.now += timedelta(**time)

    def resolve(self, family: Family) -> None:
        """Let somebody resolve the storm's incident."""
        self.counts[family] = replace(self.counts[family], is_open=False)


def test_past_the_rate_the_next_groups_are_one_storm() -> None:
    """So many groups have incidents of their own; the next one begins the storm, and all others join it."""
    weather = Weather()
    assert [weather.comes() for _ in range(9)] == ["open"] * 5 + ["begin"] + ["join"] * 3
    assert weather.counts[EU].groups == 4


def test_a_slow_trickle_is_no_storm() -> None:
    """As many groups as the rate allows, for ever, open an incident each."""
    weather = Weather()
    for _ in range(100):
        assert weather.comes() == "open"
        weather.wait(minutes=1)


def test_two_clusters_have_a_storm_each() -> None:
    """Storms of two families at once do not mix, and leave a third family alone."""
    weather = Weather()
    found = [(weather.comes(EU), weather.comes(US)) for _ in range(8)]
    assert found == [("open", "open")] * 5 + [("begin", "begin")] + [("join", "join")] * 2
    assert weather.comes(Family("service", "mail")) == "open"


def test_labels_that_are_all_different_do_not_open_channels_without_end() -> None:
    """Every group of a family of its own: past the rate over all families there is one storm of them all."""
    weather = Weather()
    found = [weather.comes(Family("service", str(n))) for n in range(500)]
    assert found == ["open"] * 20 + ["begin*"] + ["join*"] * 479


def test_groups_without_a_family_have_the_rate_of_all() -> None:
    """A group that has none of the labels is counted, too."""
    weather = Weather()
    assert [weather.comes(ALL) for _ in range(22)] == ["open"] * 20 + ["begin*", "join*"]


def test_a_large_storm_of_one_family_is_one_thing_to_the_others() -> None:
    """A cluster with five hundred groups does not make a storm of another cluster's only group."""
    weather = Weather()
    for _ in range(500):
        weather.comes(EU)
    assert weather.comes(US) == "open"


def test_a_storm_ends_when_no_group_has_joined_for_long_enough() -> None:
    """Each group that joins keeps it going; after a pause the next group is on its own again."""
    weather = Weather()
    for _ in range(6):
        weather.comes()
    for _ in range(5):
        weather.wait(minutes=30)
        assert weather.comes() == "join"
    weather.wait(minutes=30, seconds=1)
    assert weather.comes() == "open"


def test_a_storm_that_was_resolved_takes_nobody_in() -> None:
    """While it still rages, the next group begins another one; when it is over, the next group is on its own."""
    weather = Weather()
    for _ in range(8):
        weather.comes()
    weather.resolve(EU)
    assert [weather.comes(), weather.comes()] == ["begin", "join"]
    weather.resolve(EU)
    weather.wait(minutes=5)
    assert weather.comes() == "open"


def test_only_a_group_that_is_worse_than_all_before_raises_a_storm() -> None:
    """So a severity that people have lowered stays, however many groups of the kinds that they know of follow."""
    weather = Weather()
    for _ in range(6):
        weather.comes(severity=Severity.SEV2)
    assert is_worse(Severity.SEV1, weather.counts[EU].severity)
    weather.comes(severity=Severity.SEV1)
    assert not is_worse(Severity.SEV1, weather.counts[EU].severity)
    assert weather.counts[EU].severity is Severity.SEV1
    weather.resolve(EU)
    weather.comes(severity=Severity.SEV3)
    assert weather.counts[EU].severity is Severity.SEV3
    assert not is_worse(Severity.SEV1, None)


families = st.sampled_from([EU, US, ALL, *(Family("service", str(n)) for n in range(30))])
steps = st.lists(st.tuples(st.sampled_from([0, 0, 0, 1, 60, 299, 300, 1801]), families, st.booleans()), max_size=120)


@settings(max_examples=200, deadline=None)
@given(steps, st.integers(1, 4), st.integers(0, 6))
def test_however_groups_come_the_channels_are_bounded(
    course: list[tuple[int, Family, bool]], over: int, more: int
) -> None:
    """In any window no more is opened than the rate over all families, one storm, and one for each resolved."""
    weather = Weather(StormPolicy(over=over, overall=over + more))
    resolved: list[datetime] = []
    for seconds, family, resolve in course:
        weather.wait(seconds=seconds)
        if resolve and weather.counts.get(ALL, Count()).is_open:
            weather.resolve(ALL)
            resolved.append(weather.now)
        weather.comes(family)
        since = weather.now - weather.policy.within
        opened = [at for at, what, _ in weather.told if what is not Course.JOIN and at > since]
        assert len(opened) <= weather.policy.overall + 1 + len([at for at in resolved if at > since])
        assert all(len(count.recent) <= weather.policy.overall for count in weather.counts.values())


# -- what a crowd of alerts says ------------------------------------------------------------------------------------


def many(count: int, names: int = 3, **changes: Any) -> tuple[Alert, ...]:
    """Make alerts of a few names."""
    return tuple(an_alert(f"{n:04}", name=f"Name{n % names}", **changes) for n in range(count))


def test_five_thousand_alerts_of_one_notification_are_a_few_lines() -> None:
    """The first are named, the rest is counted by name at once, and nothing is left for later."""
    story = Story(alerts=many(5000))
    assert story.kinds()[: LINES + 2] == ["alert_fired"] * (LINES + 1) + ["declared"]
    line = story.of("alert_fired")[-1]
    assert line.text == "And 4,980 alerts fired: Name0 1,660 fired; Name1 1,660 fired; Name2 1,660 fired"
    assert line.data == {
        "fired": 4980,
        "resolved": 0,
        "names": {"Name0": [1660, 0], "Name1": [1660, 0], "Name2": [1660, 0]},
    }
    assert "alert_digest" not in story.armed()


def test_a_storm_is_told_in_one_line_per_window() -> None:
    """Past the first lines of a window changes are counted, and told when it ends; the counts add up."""
    story = Story(alerts=many(10))
    for n in range(499):
        story.do(c.AlertsChanged(many(10, group_key=str(n))))
    told = len(story.events)
    story.at(WINDOW.total_seconds() / 60)
    (line,) = [e for e in story.events[told:] if e.data.get("names")]
    assert line.kind == "alert_fired"
    assert line.text.startswith("In 10 min 4,980 alerts fired: Name0 ")
    assert len(story.of("alert_fired")) == LINES + 1
    story.do(c.AlertsChanged((), many(5000)))
    story.at(25)
    over = story.of("alert_resolved")
    assert [e.data["resolved"] for e in over] == [5000]
    assert "alert_digest" not in story.armed()


def test_after_a_crowded_window_a_quiet_one_sets_it_right() -> None:
    """Once a window has passed with nothing to tell, each change has a line of its own again."""
    story = Story(alerts=many(25))
    lines = []
    for minute, window_ends in ((5, 10), (11, 20), (21, 21)):
        story.at(minute).do(c.AlertsChanged((an_alert(str(minute)),)))
        lines.append(len(story.of("alert_fired")))
        story.at(window_ends)
        lines.append(len(story.of("alert_fired")))
    assert lines == [21, 22, 22, 23, 24, 24]


def test_names_without_end_are_counted_together() -> None:
    """However many names there are, only the first are kept and the top ones named."""
    digest = Digest().counted(Change(f"Name{n:03}", fired=True) for n in range(500))
    assert len(digest.tally) == NAMES + 1
    assert digest.totals == (500, 0)
    assert digest.text("") == (
        "500 alerts fired: Name000 1 fired; Name001 1 fired; Name002 1 fired; Name003 1 fired; "
        "Name004 1 fired; and 15 more names"
    )


changes = st.lists(st.builds(Change, st.sampled_from("abc"), st.booleans(), st.booleans()), max_size=60)


@given(changes, changes, st.integers(0, 3))
def test_a_digest_survives_its_row(first: list[Change], second: list[Change], left_out: int) -> None:
    """What is read is what was written, and no change is lost in counting."""
    digest = replace(Digest().at(START).counted(first).counted(second), left_out=left_out)
    assert Digest.from_json(digest.to_json()) == digest
    assert sum(digest.totals) == len(first) + len(second)
    assert Digest.from_json(None) == Digest.from_json(Digest().to_json()) == Digest()


def test_a_flapping_alert_is_counted_only() -> None:
    """It comes and goes every 15 seconds for an hour: one line in ten minutes, and no crowd for other alerts."""
    story = Story()
    flaps = frozenset({"aa"})
    for n in range(240):
        story.at(n / 4)
        change = (an_alert(),)
        story.do(c.AlertsChanged(change, (), flaps) if n % 2 else c.AlertsChanged((), change, flaps))
    story.do(c.AlertsChanged((an_alert("bb", name="Disk"),)))
    story.at(70)
    lines = story.of("note")
    assert len(lines) == 6
    assert lines[0].text == (
        "In 10 min 20 alerts fired, 20 resolved: HighErrorRate 20 fired, 20 resolved. Flapping: HighErrorRate"
    )
    assert sum(e.data["fired"] + e.data["resolved"] for e in lines) == 240
    assert [e.text.split()[0] for e in story.of("alert_fired")] == ["Disk"]


def test_what_was_left_out_is_told() -> None:
    """While there is room it is a line; in a crowd it goes with the counts."""
    story = Story(alerts=(an_alert(),), left_out=40)
    (line,) = story.of("note")
    assert (line.text, line.data) == ("Alertmanager left 40 more alerts out of its notification", {"left_out": 40})
    story.do(c.AlertsChanged(many(30), left_out=7))
    assert story.events[-1].text == (
        "And 11 alerts fired: Name1 4 fired; Name2 4 fired; Name0 3 fired. "
        "Alertmanager left 7 more alerts out of its notification"
    )
    story.do(c.AlertsChanged(left_out=1))
    story.at(10)
    assert story.events[-1].text == "Alertmanager left 1 more alert out of its notification"


def test_a_crowd_edits_the_card_at_a_pace() -> None:
    """The first edits go out at once, the next ones together; the announcement and the topic show no alerts."""
    story = Story()
    for _ in range(LINES + 5):
        story.do(c.AlertsChanged((an_alert(),)))
    edits = [d for d in story.deliveries if d.kind == "refresh_card"]
    assert [d.wait for d in edits] == [0] * LINES + [PACE] * 5
    assert not [d for d in story.deliveries if d.kind == "refresh_announcement"]
    story.do(c.Acknowledge(ALICE))
    assert story.deliveries[-3].wait == 0


def test_what_waits_to_be_told_is_told_before_the_end() -> None:
    """Resolving an incident sums up first; what its alerts do afterwards is told, too."""
    story = Story(alerts=many(25))
    story.do(c.AlertsChanged((), many(7)), c.Resolve(ALICE, "Done"))
    assert story.kinds()[-2:] == ["alert_resolved", "resolved"]
    assert story.events[-2].data["resolved"] == 7
    assert story.incident.timers == ()
    story.do(c.AlertsChanged((), many(18)))
    story.at(60)
    assert sum(e.data.get("resolved", 1) for e in story.of("alert_resolved")) == 25
    assert story.incident.timers == ()


def test_alerts_that_pagerduty_tells_in_its_own_words_are_bounded_too() -> None:
    """Past the first lines they are counted; what people do in PagerDuty has its line always."""
    story = Story()
    for n in range(100):
        story.do(c.Record("alert_resolved", f"PagerDuty incident resolved by {n}"))
    story.do(c.Record("note", "PagerDuty note: look at db-3"))
    story.at(11)
    lines = story.of("alert_resolved")
    assert len(lines) == LINES + 1
    assert lines[-1].text == "In 10 min 80 alerts resolved: PagerDuty incident 80 resolved"
    assert len(story.of("note")) == 1


# -- flapping after the end ------------------------------------------------------------------------------------------


@pytest.mark.parametrize(("times", "flaps"), [(3, False), (4, True)])
def test_an_alert_flaps_when_it_has_begun_too_often(times: int, flaps: bool) -> None:
    """More than the policy's number of beginnings, and only the alert that has them."""
    assert flapping({"aa": times, "bb": 1}, FlapPolicy(over=3)) == (frozenset({"aa"}) if flaps else frozenset())


def resolved(**facts: Any) -> Story:
    """Give an incident that Alice has acknowledged, and resolved at minute 20."""
    story = Story(alerts=(an_alert(),), **facts)
    story.at(1).do(c.Acknowledge(ALICE))
    story.at(20).do(c.Resolve(ALICE, "Rolled back"))
    return story


def again(minute: float, until: float = 35) -> c.FiresAgain:
    """Let the alert fire again; it is held back for 15 minutes from the end."""
    return c.FiresAgain((an_alert(starts_at=moment(minute)),), moment(until))


def hold_ends(story: Story, firing: int) -> None:
    """Fire the hold's timer when it is due, with so many alerts firing."""
    story.at(34.9)
    (timer,) = [t for t in story.incident.timers if t.kind.value == "flap_hold"]
    story.now = timer.due_at
    story.do(c.TimerFired(timer.key, firing))


def test_a_flapping_alert_that_fires_again_is_held_back() -> None:
    """It is noted where it belongs, said once in the channel, and nothing else happens before the hold is over."""
    story = resolved()
    decision = story.at(21).do(again(21))
    assert decision.events == ()
    assert [d.kind for d in decision.deliveries] == ["say", "refresh_card"]
    assert decision.deliveries[0].data["text"] == (
        f"HighErrorRate is firing again: the alert is flapping. If it is still firing at 03:35 UTC, {NUMBER} reopens."
    )
    assert story.armed()["flap_hold"] == 35
    for minute in (22, 23, 24):
        decision = story.at(minute).do(again(minute))
        assert [d.kind for d in decision.deliveries] == ["refresh_card"]
    assert story.incident.status is Status.RESOLVED


def test_one_that_never_stopped_is_told_by_itself_and_held_back() -> None:
    """Its source took it for over and was wrong: that is a line of its own, and the shorter hold counts."""
    story = resolved()
    story.at(21).do(again(21))
    decision = story.at(22).do(replace(again(22, 31), flaps=False))
    assert [e.kind for e in decision.events] == ["alert_fired"]
    assert story.armed()["flap_hold"] == 31
    story = resolved()
    decision = story.at(22).do(replace(again(22, 31), flaps=False))
    assert "its source says it never stopped" in decision.deliveries[0].data["text"]


def test_one_that_still_fires_when_the_hold_is_over_reopens_and_pages() -> None:
    """Somebody must look: the first level is paged anew, and the ladder climbs until it is acknowledged again."""
    story = resolved()
    story.at(21).do(again(21))
    hold_ends(story, 1)
    incident = story.incident
    assert (incident.status, incident.acknowledged_at, incident.ladder_level) == (Status.INVESTIGATING, None, 1)
    reopened, paged = story.of("reopened")[0], story.of("paged")[-1]
    assert reopened.text == "Reopened: its alerts are firing again"
    assert (paged.recorded_at, paged.data["reason"]) == (moment(35), "fires_again")
    assert story.armed()["ladder 2"] == 40
    assert story.armed()["update_reminder"] == 47
    story.at(41)
    assert story.incident.ladder_level == 2
    story.do(c.Acknowledge(ALICE))
    assert story.incident.acknowledged_at == moment(41)


def test_one_that_is_over_when_the_hold_is_stays_resolved() -> None:
    """The end of a hold with nothing firing changes nothing; what fires on after it reopens at once."""
    story = resolved()
    story.at(21).do(again(21), c.AlertsChanged((), (an_alert(),), frozenset({"aa"})))
    hold_ends(story, 0)
    assert story.incident.status is Status.RESOLVED
    assert "flap_hold" not in story.armed()
    story.at(36).do(again(36))
    assert story.incident.status is Status.INVESTIGATING
    assert story.of("paged")[-1].data["reason"] == "fires_again"


def test_somebody_who_reopens_ends_the_hold() -> None:
    """The alarm that was held back is given; a later end counts from its own moment."""
    story = resolved()
    story.at(21).do(again(21))
    story.at(22).do(c.Reopen(ALICE))
    assert "flap_hold" not in story.armed()
    assert story.incident.acknowledged_at is not None
    story.at(30).do(c.Resolve(ALICE, "Now"))
    story.at(31).do(again(31, 45))
    assert story.armed()["flap_hold"] == 45


def test_a_closed_incident_comes_back_too() -> None:
    """Closing the file does not lose the alarm."""
    story = resolved()
    story.at(21).do(again(21), c.SetStatus(Status.CLOSED, ALICE))
    hold_ends(story, 1)
    assert story.incident.status is Status.INVESTIGATING


def test_a_hold_without_a_ladder_reopens_in_words() -> None:
    """Where nobody is on the ladder, the incident reopens all the same."""
    story = Story(Severity.SEV4, alerts=(an_alert(),))
    story.do(c.Resolve(ALICE, "Noise"))
    story.do(c.FiresAgain((an_alert(),), START))
    assert story.incident.status is Status.INVESTIGATING
    assert "paged" not in story.kinds()


def test_the_end_is_not_taken_back_twice() -> None:
    """Late wake-ups of a hold that is over change nothing."""
    story = resolved()
    story.at(21).do(again(21))
    key = next(t.key for t in story.incident.timers if t.kind.value == "flap_hold")
    hold_ends(story, 1)
    before: Incident = story.incident
    assert story.do(c.TimerFired(key, 1)).events == ()
    assert story.incident == before
    with pytest.raises(Refused):
        story.do(c.Reopen(ALICE))

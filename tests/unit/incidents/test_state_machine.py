"""Any commands in any order, timers punctual, late or twice: what always holds of an incident."""

from __future__ import annotations

from datetime import datetime, timedelta
from typing import Any

from hypothesis import settings
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, initialize, invariant, precondition, rule

from bot.incidents import commands as c
from bot.incidents.cadence import OPERATORS_EVERY
from bot.incidents.digest import LINES
from bot.incidents.heard import Joined
from bot.incidents.machine import decide
from bot.incidents.model import (
    ALERT_KINDS,
    CADENCE_KINDS,
    SYSTEM,
    Actor,
    Decision,
    Delivery,
    Event,
    Incident,
    Person,
    Refused,
    Role,
    Status,
    Timer,
    TimerKind,
    derive,
)
from bot.incidents.policy import Level, PagerDutyTarget, Policy, Severity, SeverityPolicy
from bot.incidents.reconcile import Flag
from tests.unit.incidents.story import NUMBER, START, an_alert

PEOPLE = tuple(Actor("human", f"U{n}", name) for n, name in enumerate(("Alice", "Bob", "Charlie"), start=1))
# What is asked for again: a channel that is brought back, and messages that somebody deleted.
LIVE = {"channel", "card", "pin", "thread", "announcement"}
REFUSALS = {"not_open", "not_resolved", "no_change", "no_cadence", "no_text", "bad_status"}

actors = st.sampled_from(PEOPLE)
severities = st.sampled_from(Severity)
crowds = st.sampled_from([0, 1, 1, 30])
texts = st.sampled_from(["", " ", "Looking", "Rolled back"])
# Whole and broken minutes, so that moments meet now and then.
joining = st.lists(
    st.builds(
        Joined, st.sampled_from(["Down on a", "Down on b", "Slow on a"]), st.sampled_from(Severity), st.booleans()
    ),
    max_size=3,
).map(tuple)
seconds = st.sampled_from([1, 30, 60, 300, 480, 720, 900, 1200, 3600]) | st.integers(1, 4000)
offsets = st.none() | st.integers(-2000, 2000)
# Most levels name somebody in Slack; some PagerDuty as well, or alone; a few nobody.
ways = st.sampled_from(["slack", "slack", "slack", "both", "pagerduty", "nobody"])
ladders = st.lists(st.tuples(st.integers(0, 2000), ways), max_size=4).map(
    lambda levels: tuple(
        Level(
            f"Level {n}",
            after,
            (f"{n}@example.com",) if way in {"slack", "both"} else (),
            PagerDutyTarget("PLEADS01") if way in {"pagerduty", "both"} else None,
        )
        for n, (after, way) in enumerate(sorted(levels), start=1)
    )
)


def rows(update_every: st.SearchStrategy[int | None]) -> st.SearchStrategy[SeverityPolicy]:
    """Make a row of the severity table."""
    return st.builds(SeverityPolicy, st.just(300), update_every, st.booleans(), ladders)


policies = st.builds(
    lambda *table: Policy(dict(zip(Severity, table, strict=True))),
    rows(st.sampled_from([300, 900, 1800])),
    rows(st.sampled_from([900, 1000])),
    rows(st.none() | st.just(900)),
    rows(st.none() | st.just(3600)),
)


class AnyIncident(RuleBasedStateMachine):
    """An incident, everything that it has ever said, and a clock that only goes forward."""

    def __init__(self) -> None:
        super().__init__()
        self.now = START
        self.events: list[Event] = []
        self.keys: set[str] = set()
        self.waiting: list[Delivery] = []  # the outbox
        self.delivered: set[str] = set()
        self.asked: set[str] = set()
        self.slots: set[str] = set()
        self.reopened = False
        self.life = 0  # where on the timeline it began, or its alerts came back, or an acknowledgement became void

    @initialize(policy=policies, severity=severities, alerts=st.integers(0, 2), started=offsets)
    def declare(self, policy: Policy, severity: Severity, alerts: int, started: int | None) -> None:
        self.policy = policy
        made = c.Declare(
            NUMBER,
            "Checkout is down",
            severity,
            PEOPLE[0],
            alerts=tuple(an_alert(str(n), starts_at=self.moment(started)) for n in range(alerts)),
            started_at=self.moment(started),
        )
        self.incident: Incident | None = None
        decision = decide(None, made, policy, self.now)
        self.keep(decision)
        self.whoever_is_paged_is_told(decision)

    # -- what people and sources do ---------------------------------------------------------------------------

    @rule(text=texts, actor=actors, status=st.none() | st.sampled_from(Status))
    def post_update(self, text: str, actor: Actor, status: Status | None) -> None:
        if self.do(c.PostUpdate(text, actor, status=status)):
            self.counts_from_now()

    @rule(actor=actors)
    def keep_cadence(self, actor: Actor) -> None:
        if self.do(c.KeepCadence(actor)):
            self.counts_from_now()

    @rule(actor=actors, length=seconds)
    def pause(self, actor: Actor, length: int) -> None:
        if self.do(c.PauseCadence(length, actor)):
            assert self.known.paused_until == self.now + timedelta(seconds=length)

    @rule(actor=actors, status=st.sampled_from(Status))
    def set_status(self, actor: Actor, status: Status) -> None:
        if self.do(c.SetStatus(status, actor)):
            assert self.known.status is status

    @rule(actor=actors, severity=severities)
    def set_severity(self, actor: Actor, severity: Severity) -> None:
        before = self.known
        if self.do(c.SetSeverity(severity, actor)):
            assert self.known.severity is severity
            opens = self.known.rule.channel and not before.rule.channel
            assert self.known.opened_channel == (before.opened_channel or opens)

    @rule(actor=actors, person=actors, role=st.sampled_from(Role))
    def assign(self, actor: Actor, person: Actor, role: Role) -> None:
        if self.do(c.AssignRole(Person(person.id, person.name), actor, role)):
            assert self.known.roles[role].id == person.id

    @rule(actor=actors, when=offsets)
    def acknowledge(self, actor: Actor, when: int | None) -> None:
        before = self.known.acknowledged_at
        if self.do(c.Acknowledge(actor, "pagerduty" if when else "slack", self.moment(when))):
            assert before is None, "an acknowledgement was overwritten"

    @rule(actor=actors, severity=severities)
    def it_gets_worse(self, actor: Actor, severity: Severity) -> None:
        """The severity is never lowered by it, and nobody has acknowledged what it is raised to."""
        before = self.known
        assert self.do(c.GetsWorse(severity, "its priority was raised", actor))
        if before.status.is_open and severity.value < before.severity.value:
            assert self.known.severity is severity
            assert self.known.acknowledged_at is None
        else:
            assert self.known == before

    @rule(actor=actors)
    def it_comes_back(self, actor: Actor) -> None:
        """What is over reopens with its ladder from the first level; what is open or was no incident stays."""
        before, told = self.known, len(self.events)
        assert self.do(c.ComeBack(actor, "PagerDuty reopened it", (an_alert(),)))
        if before.status in {Status.RESOLVED, Status.CLOSED}:
            self.life, self.reopened = told, True
            assert self.known.status is Status.INVESTIGATING
            assert self.known.acknowledged_at is None
        else:
            assert self.known == before

    @rule(actor=actors)
    def an_acknowledgement_becomes_void(self, actor: Actor) -> None:
        """Nobody has acknowledged after it, and the ladder starts from its first level; nothing where nobody had."""
        before = self.known
        assert self.do(c.VoidAcknowledgement("it got worse", actor))
        if before.acknowledged_at and before.status.is_open:
            assert self.known.acknowledged_by is None
            assert self.known.ladder_from == (self.now if before.rule.ladder else before.ladder_from)
        else:
            assert self.known == before

    @rule(actor=actors, text=texts)
    def note(self, actor: Actor, text: str) -> None:
        self.do(c.AddNote(text, actor))

    @rule(actor=actors, follow_ups=st.lists(st.just("Test it"), max_size=2).map(tuple))
    def resolve(self, actor: Actor, follow_ups: tuple[str, ...]) -> None:
        was_open = self.known.status.is_open
        if self.do(c.Resolve(actor, "Rolled back", follow_ups=follow_ups)) and was_open:
            assert self.known.timers == ()

    @precondition(lambda self: not self.known.status.is_open)
    @rule(actor=actors)
    def reopen(self, actor: Actor) -> None:
        if self.do(c.Reopen(actor)):
            self.reopened = True
            self.counts_from_now()

    @rule(opened=crowds, closed=crowds, flaps=st.booleans(), when=offsets, joined=joining, expected=st.booleans())
    def alerts_change(
        self, opened: int, closed: int, flaps: bool, when: int | None, joined: tuple[Joined, ...], expected: bool
    ) -> None:
        """However many they are, few lines tell of them; none lowers the severity, and what is worst is acted on."""
        alert = an_alert(starts_at=self.moment(when), ends_at=self.moment(when))
        flapping = frozenset({alert.fingerprint} if flaps else ())
        told, before = len(self.events), self.known
        self.do(c.AlertsChanged((alert,) * opened, (alert,) * closed, flapping, 0, joined if opened else (), expected))
        of_pages = {"paged", "escalated", "page_failed"}  # as many as the ladder has levels
        assert sum(event.kind not in of_pages for event in self.events[told:]) <= LINES + 8
        assert self.known.severity.value <= before.severity.value
        if self.known.severity is not before.severity:
            assert self.known.acknowledged_at is None
        worst = min((each.severity.value for each in joined), default="sev9")
        if opened and before.status.is_open and not expected and before.heard.severity is None:
            assert self.known.severity.value <= worst

    @precondition(lambda self: not self.known.status.is_open)
    @rule(hold=seconds, flaps=st.booleans())
    def alerts_fire_again(self, hold: int, flaps: bool) -> None:
        """What flaps on after the end is held back, or reopens."""
        until = self.now + timedelta(seconds=hold)
        assert self.do(c.FiresAgain((an_alert(),), until, flaps))
        held = any(t.kind is TimerKind.FLAP_HOLD for t in self.known.timers)
        assert held != self.known.status.is_open
        assert held or until <= self.now

    @rule(flag=st.sampled_from(Flag), withdrawn=st.booleans(), count=st.integers(1, 7))
    def alerts_are_compared(self, flag: Flag, withdrawn: bool, count: int) -> None:
        """Whatever the source says, the incident stays as it is."""
        before = self.known
        alerts = tuple(an_alert(str(n)) for n in range(count))
        assert self.do(c.AlertsConfirmed(flag, alerts) if withdrawn else c.AlertsFlagged(flag, alerts))
        assert (self.known.status, self.known.timers) == (before.status, before.timers)

    @rule(when=offsets, actor=actors)
    def record(self, when: int | None, actor: Actor) -> None:
        self.do(c.Record("pinned", "Look here", actor, self.moment(when)))

    @precondition(lambda self: self.ready)
    @rule(data=st.data())
    def deliver(self, data: st.DataObject) -> None:
        """A call that has all it needs ends one way or the other."""
        delivery = data.draw(st.sampled_from(self.ready))
        self.waiting.remove(delivery)
        facts = dict(delivery.data)
        if data.draw(st.booleans()):
            self.delivered.add(delivery.slot)
            result: dict[str, Any] = {
                "channel": "C1",
                "name": "x",
                "runbook_id": "b",
                "reason": "r",
                "people": ["Alice"],
            }
            if delivery.kind == "channel_check":
                result |= data.draw(st.sampled_from([{}, {"written": True, "card": True}, {"shut": "is_archived"}]))
            self.do(c.Delivered(delivery.kind, delivery.slot, result, facts))
        elif delivery.kind == "unarchive":  # what waits for the channel goes on elsewhere
            self.do(c.DeliveryFailed(delivery.kind, delivery.slot, "gone", "Mend it.", facts))
        else:
            lost = self.drop(delivery)
            self.do(c.DeliveryFailed(delivery.kind, delivery.slot, "gone", "Mend it.", facts))
            for page in (d for d in lost if d.kind in {"page", "notification"}):
                self.do(c.PageLost(page.kind, page.slot, "hopeless", "Mend it.", dict(page.data)))

    @rule(reason=st.sampled_from(["is_archived", "not_in_channel", "restricted_action"]), said=st.booleans())
    def its_channel_is_shut(self, reason: str, said: bool) -> None:
        """Slack refuses to write in the channel; a second refusal changes nothing."""
        paging = any(d.kind in {"page", "notification"} for d in self.waiting)
        shut = c.ChannelShut(reason, "C1", said, paging)
        self.do(shut)
        known = self.known
        self.do(shut)
        assert self.known == known or known.away is None

    @rule(kind=st.sampled_from(["card", "thread", "announcement"]))
    def somebody_deletes_a_message(self, kind: str) -> None:
        """What is edited in place is posted again, where it was posted before."""
        if kind in self.delivered:
            self.do(c.PostAgain(kind, kind))

    @property
    def ready(self) -> list[Delivery]:
        return [d for d in self.waiting if self.delivered.issuperset(d.needs)]

    def drop(self, failed: Delivery) -> list[Delivery]:
        """Take what can't be sent any more out of the outbox; its slots may be asked for once more."""
        self.slots.discard(failed.slot)
        lost: list[Delivery] = []
        for delivery in [d for d in self.waiting if failed.slot in d.needs]:
            if delivery in self.waiting:
                self.waiting.remove(delivery)
                lost += [delivery, *self.drop(delivery)]
        return lost

    # -- time -------------------------------------------------------------------------------------------------

    @rule(length=seconds)
    def time_passes(self, length: int) -> None:
        """Every timer is punctual."""
        end = self.now + timedelta(seconds=length)
        while (timer := self.known.due(end)) is not None:
            self.now = max(self.now, timer.due_at)
            self.fire(timer)
        self.now = end

    @rule(length=seconds)
    def time_is_lost(self, length: int) -> None:
        """The service is down: every timer that was due fires at the end, and the cadence speaks once at most."""
        told = len(self.events)
        self.now += timedelta(seconds=length)
        while (timer := self.known.due(self.now)) is not None:
            self.fire(timer)
        cadence = [e for e in self.events[told:] if e.kind in {"update_due", "update_overdue"} or is_climb(e)]
        # A climb that meets levels which name nobody is one climb.
        assert len([e for e in cadence if "unreached" not in e.data]) <= 1
        for event in cadence:
            if event.kind != "update_due":
                assert event.data["late_seconds"] >= 0

    @rule(data=st.data())
    def a_wake_up_comes_for_nothing(self, data: st.DataObject) -> None:
        """A timer that is not due yet, or that has been fired or cancelled, changes nothing."""
        due = {t.key for t in self.known.timers if t.due_at <= self.now}
        key = data.draw(st.sampled_from(sorted(self.keys - due) or ["ladder:0"]))
        decision = decide(self.known, c.TimerFired(key), self.policy, self.now)
        assert decision == Decision(self.known)

    # -- what always holds ------------------------------------------------------------------------------------

    @invariant()
    def the_cadence_has_one_timer(self) -> None:
        incident = self.known
        armed = [t for t in incident.timers if t.kind in CADENCE_KINDS or t.kind is TimerKind.CADENCE_RESUME]
        if not incident.status.is_open or incident.rule.update_every is None:
            assert armed == []
            assert incident.next_update_at is None
            return
        assert len(armed) == 1
        (timer,) = armed
        if incident.paused_until:
            assert (timer.kind, timer.due_at) == (TimerKind.CADENCE_RESUME, incident.paused_until)
            assert incident.next_update_at is None
            return
        due = incident.next_update_at
        assert due is not None
        every = timedelta(seconds=incident.update_every or 0)
        assert due == incident.cadence_from + every
        if timer.kind is TimerKind.UPDATE_REMINDER:
            assert timer.due_at == due - every / 5
        elif timer.kind is TimerKind.UPDATE_OVERDUE:
            assert timer.due_at == due
        else:
            assert timer.kind is TimerKind.UPDATE_CLIMB
            assert timer.due_at >= due + every / 3 - timedelta(microseconds=1)
            assert timer.due_at <= self.now + max(every, timedelta(seconds=OPERATORS_EVERY))

    @invariant()
    def the_ladder_is_armed_until_somebody_acknowledges(self) -> None:
        incident = self.known
        levels = [t.level for t in incident.timers if t.kind is TimerKind.LADDER]
        if incident.acknowledged_at or not incident.status.is_open:
            assert levels == []
            return
        assert len(levels) == len(set(levels))
        top = len(incident.rule.ladder)
        assert all(1 <= level <= top for level in levels)
        if not self.reopened:
            assert set(levels) >= set(range(incident.ladder_level + 1, top + 1))

    @invariant()
    def nothing_is_armed_when_it_is_over(self) -> None:
        if not self.known.status.is_open:
            assert {t.kind for t in self.known.timers} <= ALERT_KINDS

    @invariant()
    def nothing_that_is_due_is_left(self) -> None:
        for timer in self.known.timers:
            assert timer.due_at >= self.now

    @invariant()
    def the_state_follows_from_the_timeline(self) -> None:
        incident = self.known
        assert derive(self.events) == (incident.status, incident.severity)
        roles = {e.data["role"]: e.data["person"]["id"] for e in self.events if e.kind == "role_assigned"}
        assert {role: person.id for role, person in incident.roles.items()} == roles
        acknowledged = [e for e in self.events[self.life :] if e.kind == "acknowledged"]
        assert [e.occurred_at for e in acknowledged] == [m for m in [incident.acknowledged_at] if m]
        assert (incident.resolved_at is not None) == (incident.status in {Status.RESOLVED, Status.CLOSED})
        assert (incident.closed_at is not None) == (incident.status is Status.CLOSED)
        updates = [e for e in self.events if e.kind == "update_posted" and not e.data.get("no_change")]
        assert incident.last_update == (updates[-1].text if updates else "")

    @invariant()
    def after_an_acknowledgement_only_the_cadence_escalates(self) -> None:
        kinds = [e.kind for e in self.events[self.life :]]
        if "acknowledged" in kinds:
            later = self.events[self.life + kinds.index("acknowledged") :]
            assert {e.data["reason"] for e in later if e.kind == "escalated"} <= {"update_overdue", "joined"}

    @invariant()
    def whoever_cannot_be_reached_is_passed_once(self) -> None:
        """A climb past the unreachable goes one level up, above all that was reached before: it comes to an end."""
        reached = 0
        for event in (e for e in self.events[self.life :] if e.kind in {"paged", "escalated"}):
            level, is_news = event.data["level"], event.data["reason"] == "joined"
            if "unreached" in event.data:
                assert level == event.data["unreached"] + 1
                assert level > reached or is_news, "which all of them are to hear"
            begins_anew = level == 1 and not is_news  # after its top, for a higher severity
            reached = level if begins_anew else max(reached, level)

    @invariant()
    def a_level_waits_for_pages_that_were_asked_for(self) -> None:
        for waiting in self.known.paging.values():
            assert waiting["ways"]
            assert self.asked.issuperset(waiting["ways"])

    @invariant()
    def the_frozen_policy_is_still_the_same(self) -> None:
        assert self.known.policy == self.policy
        assert Policy.from_json(self.policy.to_json()) == self.policy

    # -- the machinery ----------------------------------------------------------------------------------------

    @property
    def known(self) -> Incident:
        assert self.incident is not None
        return self.incident

    def moment(self, offset: int | None) -> datetime | None:
        return None if offset is None else self.now + timedelta(seconds=offset)

    def do(self, command: c.Command) -> bool:
        """Apply a command; False when it was refused, in words, for a known reason."""
        try:
            decision = decide(self.known, command, self.policy, self.now)
        except Refused as refused:
            return self.is_in_words(refused)
        assert decision == decide(self.known, command, self.policy, self.now), "the same question, another answer"
        self.keep(decision)
        if not (isinstance(command, c.DeliveryFailed) and command.kind == "channel"):  # which repeats a page elsewhere
            self.whoever_is_paged_is_told(decision)
        return True

    def is_in_words(self, refused: Refused) -> bool:
        assert refused.code in REFUSALS
        assert str(refused).endswith(".")
        return False

    def fire(self, timer: Timer) -> None:
        firing = len(self.events) % 2  # of the alerts that are held back, where that matters
        assert self.do(c.TimerFired(timer.key, firing))
        assert timer.key not in {t.key for t in self.known.timers}

    def counts_from_now(self) -> None:
        """An update was posted: the next is due one interval from now, and nobody is paged for it before."""
        every = self.known.rule.update_every
        expected: Any = self.now + timedelta(seconds=every) if every else None
        assert self.known.next_update_at == expected

    def keep(self, decision: Decision) -> None:
        """Hold each new line, timer and call against what was there before."""
        for seq, event in enumerate(decision.events, start=len(self.events) + 1):
            assert event.seq == seq
            assert event.occurred_at <= event.recorded_at == self.now
        before = {t.key: t for t in self.incident.timers} if self.incident else {}
        for timer in decision.incident.timers:
            if timer.key in before:
                assert before[timer.key] == timer
            else:
                assert timer.key not in self.keys, "a timer's key was used again"
                self.keys.add(timer.key)
        for delivery in decision.deliveries:
            assert self.asked.issuperset((*delivery.needs, *delivery.after)), f"never asked for: {delivery}"
            assert delivery.slot not in self.slots - LIVE, f"asked for twice: {delivery}"
            self.slots.add(delivery.slot)
            self.asked.add(delivery.slot)
        self.incident = decision.incident
        back = any(e.kind == "reopened" and e.actor == SYSTEM for e in decision.events)
        raised = any(e.kind == "paged" and e.data["reason"] == "raised" for e in decision.events)
        raised = raised and self.incident.acknowledged_at is None  # whoever raised it by hand leaves it acknowledged
        if back or raised or any(e.data.get("void") == "acknowledgement" for e in decision.events):
            self.life, self.reopened = len(self.events), self.reopened or back
        self.events += decision.events
        self.waiting += decision.deliveries
        assert decision.incident.event_seq == len(self.events)

    def whoever_is_paged_is_told(self, decision: Decision) -> None:
        """A level on the timeline is mentioned by a page, or by the notification that opens a channel."""
        paged = [e.data["level"] for e in decision.events if e.kind in {"paged", "escalated"}]
        told = [d.data["level"] for d in decision.deliveries if d.kind == "page"]
        if "notification" in [d.kind for d in decision.deliveries] and paged:
            told.insert(0, 1)
        assert paged == told
        named = [
            e.data["level"] for e in decision.events if e.data.get("pagerduty") and e.kind in {"paged", "escalated"}
        ]
        assert [d.data["level"] for d in decision.deliveries if d.kind == "page_pagerduty"] == named


def is_climb(event: Event) -> bool:
    return event.kind == "escalated" and event.data["reason"] == "update_overdue"


TestAnyIncident = AnyIncident.TestCase
TestAnyIncident.settings = settings(max_examples=150, stateful_step_count=30, deadline=None, report_multiple_bugs=False)

"""From every state that people's commands lead to there is a way on, and every refusal names one that works."""

from __future__ import annotations

import re
from collections.abc import Callable, Mapping
from datetime import UTC, datetime, timedelta

from hypothesis import settings
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, invariant, rule

from bot.incidents import commands as c
from bot.incidents.machine import decide
from bot.incidents.model import Actor, Incident, Person, Refused, Role, Status
from bot.incidents.policy import Level, Policy, Severity, SeverityPolicy

ALICE, BOB = Actor("human", "U1", "Alice"), Actor("human", "U2", "Bob")
OTHER = "INC-20261121-002"
RUNGS = tuple(Level(f"Level {n}", after, (f"U{n}",)) for n, after in enumerate((0, 300, 900), start=1))
POLICY = Policy(
    {
        Severity.SEV1: SeverityPolicy(300, 900, True, RUNGS),
        Severity.SEV2: SeverityPolicy(900, 900, True, RUNGS[:1]),
        Severity.SEV3: SeverityPolicy(3600, None, False, ()),
        Severity.SEV4: SeverityPolicy(14400, None, False, ()),
    }
)

people = st.sampled_from([ALICE, BOB])
texts = st.sampled_from(["", "  ", "Scaled the pool"])


def person(actor: Actor) -> Person:
    return Person(actor.id, actor.name)


asked = st.one_of(
    st.builds(c.Resolve, people, texts, texts),
    st.builds(c.Cancel, people, texts),
    st.builds(c.MergeInto, st.sampled_from([OTHER, "INC-20261121-001"]), people),
    st.builds(c.Unmerge, people, texts),
    st.builds(c.SplitOff, st.just(OTHER), people),
    st.builds(c.MergedFrom, st.just(OTHER), st.just("Search is slow"), people),
    st.builds(c.Reopen, people, texts),
    st.builds(c.Mitigate, people, texts),
    st.builds(c.SetStatus, st.sampled_from(Status), people),
    st.builds(c.SetSeverity, st.sampled_from(Severity), people, texts),
    st.builds(c.Acknowledge, people),
    st.builds(c.PostUpdate, texts, people),
    st.builds(c.KeepCadence, people),
    st.builds(c.PauseCadence, st.just(600), people),
    st.builds(c.AssignRole, people.map(person), people, st.sampled_from(Role)),
    st.builds(c.OfferHandoff, people.map(person), people),
    st.builds(c.AcceptHandoff, people),
    st.builds(c.DeclineHandoff, people),
    st.builds(c.Escalate, people, texts),
    st.builds(c.PagePeople, st.just("Bob"), st.just(("U2",)), people),
    st.builds(c.Subscribe, people, st.booleans()),
    st.builds(c.AddTask, texts, people),
    st.builds(c.EndTask, st.integers(1, 3), people, st.booleans()),
    st.builds(c.AddFollowUp, texts, people),
    st.builds(c.AddNote, texts, people),
    st.builds(c.Describe, people, st.one_of(st.none(), texts), st.one_of(st.none(), texts)),
    st.builds(c.BringIn, st.just(("U2",)), people),
)

# What each verb of a refusal asks for, at its best; None for what only shows, or opens something else.
VERBS: Mapping[str, Callable[[Incident, Actor], list[c.Command]] | None] = {
    "list": None,
    "status": None,
    "catchup": None,
    "task list": None,
    "declare": None,
    "status identified": lambda _i, who: [c.SetStatus(s, who) for s in (Status.IDENTIFIED, Status.MONITORING)],
    "resolve": lambda _i, who: [c.Resolve(who, "Scaled the pool")],
    "reopen": lambda _i, who: [c.Reopen(who)],
    "unmerge": lambda _i, who: [c.Unmerge(who)],
    "update": lambda _i, who: [c.PostUpdate("Scaling", who)],
    "note": lambda _i, who: [c.AddNote("Seen", who)],
    "lead": lambda _i, who: [c.AssignRole(person(each), who) for each in (who, ALICE, BOB)],
    "role": lambda _i, who: [c.AssignRole(Person("U3", "Dana"), who, role) for role in Role],
    "handoff": lambda _i, who: [c.OfferHandoff(Person("U3", "Dana"), who)],
    "page": lambda _i, who: [c.PagePeople("Dana", ("U3",), who)],
    "sev": lambda _i, who: [c.SetSeverity(Severity.SEV2, who), c.SetSeverity(Severity.SEV1, who)],
    "subscribe": lambda _i, who: [c.Subscribe(who)],
    "unsubscribe": lambda _i, who: [c.Subscribe(who, on=False)],
    "task add": lambda _i, who: [c.AddTask("Call the provider", who)],
    "followup": lambda _i, who: [c.AddFollowUp("Alert on it", who)],
    "rename": lambda _i, who: [c.Describe(who, title="Another title")],
    "summary": lambda _i, who: [c.Describe(who, summary="What it is about")],
}
_NAMED = re.compile(r"`/incident ([a-z]+(?: (?:list|add|identified))?)")


class NoDeadEnds(RuleBasedStateMachine):
    """One incident, and everything that people may ask of it, in any order."""

    def __init__(self) -> None:
        super().__init__()
        self.now = datetime(2026, 11, 21, 3, 0, tzinfo=UTC)
        made = c.Declare("INC-20261121-001", "Checkout is down", Severity.SEV1, ALICE)
        self.incident = decide(None, made, POLICY, self.now).incident

    def refusal(self, command: c.Command) -> str:
        """Return why a command is refused; empty where it is not."""
        try:
            decide(self.incident, command, POLICY, self.now)
        except Refused as refused:
            return str(refused)
        return ""

    @rule(command=asked, minutes=st.sampled_from([0, 1, 20, 600]))
    def ask(self, command: c.Command, minutes: int) -> None:
        """What is refused is refused with a verb that works in this very state."""
        self.now += timedelta(minutes=minutes)
        refused = self.refusal(command)
        if not refused:
            self.incident = decide(self.incident, command, POLICY, self.now).incident
            return
        named = _NAMED.findall(refused)
        assert named, f"{command} is refused without a way on: {refused}"
        who = getattr(command, "actor", ALICE)
        for verb in named:
            means = VERBS[verb]
            can = means is None or any(not self.refusal(each) for each in means(self.incident, who))
            assert can, f"{command} is refused with `{verb}`, which is refused too: {refused}"

    @invariant()
    def there_is_a_way_on(self) -> None:
        """It can be ended, or its end can be undone."""
        ways = (c.Resolve(ALICE, "Done"), c.Reopen(ALICE), c.Unmerge(ALICE))
        assert any(not self.refusal(each) for each in ways), self.incident.status

    @invariant()
    def who_leads_and_who_acknowledged_is_known(self) -> None:
        """Nothing that people ask leaves the state without what its messages show."""
        assert (self.incident.ended_at is None) == self.incident.status.is_open
        assert bool(self.incident.merged_into) == (self.incident.status is Status.MERGED)


TestNoDeadEnds = NoDeadEnds.TestCase
TestNoDeadEnds.settings = settings(max_examples=150, stateful_step_count=30)

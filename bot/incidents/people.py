"""Who does what: roles, a handoff that must be accepted, pages that somebody asks for, who is told of updates. Pure."""

from __future__ import annotations

from dataclasses import replace
from datetime import timedelta
from typing import Any

from bot.incidents import asking, escalation, moving, ticking
from bot.incidents import commands as c
from bot.incidents.draft import Draft
from bot.incidents.model import Actor, Handoff, Incident, Person, Refused, Role, Status, TimerKind
from bot.incidents.moments import clock
from bot.incidents.policy import Severity
from bot.incidents.wording import mention, plain, say

_WORDS = {Role.LEAD: "Incident commander", Role.COMMUNICATIONS: "Communications lead"}
ACCEPT_WITHIN = timedelta(minutes=5)
SUBSCRIBERS = 100  # of one incident


def word_of(role: Role) -> str:
    """Name a role as people do."""
    return _WORDS.get(role) or role.value.replace("_", " ").capitalize()


def must_be_open(draft: Draft, *also: Status) -> None:
    """Refuse what makes sense only while somebody works on the incident, or in another status that is named."""
    refuse_unless_open(draft.incident, *also)


def refuse_unless_open(incident: Incident, *also: Status) -> None:
    """Refuse what makes sense only for an open incident, or one in a status that is named; say the way back.

    Raises:
        Refused: it is over.
    """
    if not incident.status.is_open and incident.status not in also:
        if incident.status is Status.MERGED:
            raise Refused(
                "not_open",
                f"{incident.number} was merged into {incident.merged_into or 'another incident'}. Continue there, "
                "or undo the merge: `/incident unmerge`.",
            )
        raise Refused("not_open", f"{incident.number} is {incident.status.value}. Reopen it first: `/incident reopen`.")


def assign(draft: Draft, command: c.AssignRole) -> None:
    """Give a role to a person."""
    must_be_open(draft)
    role, person = command.role, command.person
    before = draft.incident.roles.get(role)
    if before and before.id == person.id:
        raise Refused(
            "no_change", f"{person.name} already has this role. To give it to someone: `/incident role {role} @who`."
        )
    if before and command.over is not None and before.id != command.over:  # somebody was quicker
        name = word_of(role).lower()
        raise Refused("taken", f"{before.name} is {name} now. To take over anyway: `/incident role {role}`.")
    if role is Role.LEAD:
        drop_handoff(draft, "withdrawn")
    _give(draft, role, person, command.actor)
    word = word_of(role)
    # Whoever had it is mentioned, and so told.
    was = f" from <@{before.id}>" if before and before.id != command.actor.id else ""
    if person.id == command.actor.id:
        took = "took the lead" if role is Role.LEAD else f"took over as {word.lower()}"
        if role is Role.LEAD or was:
            say(draft, f"<@{person.id}> {took}{was}.")
    else:
        was = f" (was <@{before.id}>)" if before else ""
        say(draft, f"{mention(command.actor)} made <@{person.id}> {word.lower()}{was}.")
    bring_in(draft, person, command.actor)
    draft.refresh()


def offer(draft: Draft, command: c.OfferHandoff) -> None:
    """Offer the command of an incident to somebody; it stays where it is until they accept."""
    must_be_open(draft)
    lead, person = draft.incident.lead, command.person
    if lead is not None and lead.id == person.id:
        raise Refused("no_change", f"{person.name} already has the lead. Name someone else: `/incident handoff @who`.")
    if (before := draft.incident.handoff) is not None:
        drop_handoff(draft, "withdrawn")
        text = f"Handoff to {before.to.name} withdrawn: it is offered to {person.name}"
        draft.event("note", text, actor=command.actor, data={"handoff": "withdrawn", "to": _named(before.to)})
    slot = f"handoff:{draft.incident.delivery_seq + 1}"
    draft.set(handoff=Handoff(person, Person(command.actor.id, command.actor.name), draft.now, slot))
    draft.arm(TimerKind.HANDOFF, draft.now + ACCEPT_WITHIN)
    text = f"Handoff offered to {person.name}"
    draft.event("note", text, actor=command.actor, data={"handoff": "offered", "to": _named(person)})
    draft.deliver("handoff", "notice", slot=slot, needs=(draft.incident.home_slot,), data={"to": person.id})
    bring_in(draft, person, command.actor)
    draft.refresh()


def accept(draft: Draft, command: c.AcceptHandoff) -> None:
    """Take the command over: the role and the former lead's open tasks move."""
    must_be_open(draft)
    offered, before = draft.incident.handoff, draft.incident.lead
    if offered is None:
        lead = f"{before.name} has the lead" if before else "nobody has the lead"
        raise Refused("no_handoff", f"No handoff is waiting: {lead}. Take it: `/incident lead`.")
    if offered.to.id != command.actor.id:
        raise Refused("not_yours", f"Only {offered.to.name} can accept this. To take the lead: `/incident lead`.")
    drop_handoff(draft, "accepted")
    _give(draft, Role.LEAD, offered.to, command.actor)
    moved = [task for task in draft.incident.tasks if before and task.is_open and task.owner_id == before.id]
    if moved:
        new = offered.to
        draft.set(
            tasks=tuple(
                replace(task, owner_id=new.id, owner=new.name) if task in moved else task
                for task in draft.incident.tasks
            )
        )
    was = before.name if before else "nobody"
    draft.event(
        "handoff",
        f"Lead handed over from {was} to {offered.to.name}",
        actor=command.actor,
        data={
            "from": _named(before) if before else None,
            "to": _named(offered.to),
            "offered_at": offered.at.isoformat(),
            "tasks": [task.id for task in moved],
        },
    )
    tasks = f" Open tasks that moved to them: {len(moved)}." if moved else ""
    say(draft, f"<@{offered.to.id}> accepted: they have the lead now.{tasks}")
    draft.refresh()


def decline(draft: Draft, command: c.DeclineHandoff) -> None:
    """Turn an offer of the command down: it stays where it is, and whoever offered it is told."""
    must_be_open(draft)
    offered, lead = draft.incident.handoff, draft.incident.lead
    if offered is None:
        raise Refused("no_handoff", "No handoff is waiting. See who leads: `/incident status`.")
    if offered.to.id != command.actor.id:
        raise Refused(
            "not_yours",
            f"Only {offered.to.name} can decline this. Offer it to someone else: `/incident handoff @who`.",
        )
    drop_handoff(draft, "declined")
    why = f": {command.why}" if command.why else ""
    data = {"handoff": "declined", "to": _named(offered.to), "why": command.why}
    draft.event("note", f"{offered.to.name} declined the handoff{why}", actor=command.actor, data=data)
    still = f"<@{lead.id}> still has the lead" if lead else "Nobody has the lead"
    say(
        draft,
        f":warning: <@{offered.by.id}> <@{offered.to.id}> declined the handoff{plain(why)}. {still}. "
        "Ask someone else: `/incident handoff @who`.",
    )
    draft.refresh()


def escalate(draft: Draft, command: c.Escalate) -> None:
    """Page the next level of the ladder now, because a responder asks for it; an acknowledgement does not stop it."""
    must_be_open(draft)
    incident = draft.incident
    if incident.drill:
        raise Refused("drill", "This is a test: nobody is paged. For the real thing: `/incident declare <title>`.")
    if command.reached is not None and command.reached < incident.ladder_level <= len(incident.rule.ladder):
        paged = incident.rule.ladder[incident.ladder_level - 1].name
        raise Refused(
            "no_change",
            f"Level {incident.ladder_level}, {paged}, has just been paged. For the next level: `/incident escalate`.",
        )
    if not escalation.climb(
        draft, reason="asked", by=command.actor.name, why=command.why, **asking.asker(command.actor)
    ):
        rungs = len(incident.rule.ladder)
        top = f"Level {rungs}, the top of the ladder, is paged already" if rungs else "This incident has no ladder"
        raise Refused("at_the_top", f"{top}. Page someone by name: `/incident page @who`.")
    number = draft.incident.ladder_level
    draft.disarm(lambda t: t.kind is TimerKind.LADDER and t.level == number)  # its turn has come
    level = draft.incident.rule.ladder[number - 1]
    why = f": {command.why}" if command.why else ""
    say(draft, f"{mention(command.actor)} escalated to {plain(level.name)}{plain(why)}.")


def not_accepted(draft: Draft) -> None:
    """Say that an offer was not taken up: the command is where it was."""
    offered, lead = draft.incident.handoff, draft.incident.lead
    if offered is None or not draft.incident.status.is_open:
        return
    drop_handoff(draft, "not accepted")
    text = f"Handoff to {offered.to.name} was not accepted within 5 minutes"
    draft.event("note", text, data={"handoff": "not_accepted", "to": _named(offered.to)})
    still = f"<@{lead.id}> still has the lead" if lead else "nobody has the lead"
    say(draft, f":warning: <@{offered.by.id}> {plain(offered.to.name)} did not accept: {still}. Ask someone else.")
    draft.refresh()


def page(draft: Draft, command: c.PagePeople) -> None:
    """Page somebody who is on no ladder, because a responder asks for them; an acknowledgement does not stop it."""
    must_be_open(draft)
    why = f": {command.why}" if command.why else ""
    facts: dict[str, Any] = {
        "level": 0,
        "name": command.name,
        "people": list(command.people),
        "reason": "asked",
        "by": command.actor.name,
        "why": command.why,
    }
    facts |= asking.asker(command.actor)
    if command.pagerduty:
        facts["pagerduty"] = True
    seq = draft.event("paged", f"Paged {command.name}{why}", actor=command.actor, data=facts).seq
    home, invite = draft.incident.home_slot, f"invite:asked:{seq}"
    after: tuple[str, ...] = ()
    if draft.incident.is_at_home and command.people:
        draft.deliver("invite", "invite", slot=invite, needs=(home,), data=facts)
        after = (invite,)
    if command.pagerduty:
        draft.deliver(
            "page_pagerduty", "pagerduty", slot=f"page_pagerduty:asked:{seq}", data={**facts, **command.pagerduty}
        )
    draft.deliver("page", "page", slot=f"{escalation.ASKED}{seq}", needs=(home,), after=after, data=facts)


def subscribe(draft: Draft, command: c.Subscribe) -> None:
    """Tell somebody of updates in a direct message, or stop that."""
    known = draft.incident.subscribers
    if (command.actor.id in known) == command.on:
        raise Refused(
            "no_change",
            "You already get its updates. Stop them: `/incident unsubscribe`."
            if command.on
            else "You don't get its updates. Get them: `/incident subscribe`.",
        )
    if command.on and len(known) >= SUBSCRIBERS:
        raise Refused(
            "too_many",
            f"{SUBSCRIBERS} people already subscribe, which is the limit. Read the updates here: `/incident catchup`.",
        )
    others = tuple(each for each in known if each != command.actor.id)
    draft.set(subscribers=(*others, command.actor.id) if command.on else others)


def bring_in(draft: Draft, person: Person, by: Actor) -> None:
    """Invite somebody into the incident's channel, where it has one; whoever asked is told if Slack refuses."""
    if draft.incident.is_at_home:
        facts = {"people": [person.id], "name": person.name, **asking.asker(by)}
        draft.deliver("invite", "invite", needs=("channel",), data=facts)


def invite(draft: Draft, command: c.BringIn) -> None:
    """Invite people into the incident's channel."""
    if not draft.incident.opened_channel:
        severity = draft.incident.policy.argument(Severity.SEV2)
        raise Refused(
            "no_channel", f"This incident has no channel: raise its severity first, `/incident sev {severity}`."
        )
    if not draft.incident.is_at_home:
        raise Refused("no_channel", f"Nobody can be invited now. {moving.goes_on(draft.incident)}")
    facts = {"people": list(command.people), "name": "Responders", **asking.asker(command.actor)}
    draft.deliver("invite", "invite", needs=("channel",), data=facts)


def _give(draft: Draft, role: Role, person: Person, actor: Actor) -> None:
    before = draft.incident.roles.get(role)
    draft.set(roles={**draft.incident.roles, role.value: person})
    if role is Role.LEAD:
        ticking.acted(draft, "lead", Actor("human", person.id, person.name))
    draft.event(
        "role_assigned",
        f"{word_of(role)}: {person.name}" + (f" (was {before.name})" if before else ""),
        actor=actor,
        data={"role": role.value, "person": _named(person), "previous": _named(before) if before else None},
    )


def drop_handoff(draft: Draft, how: str) -> None:
    """End an offer: its message says how it ended, and has no button any more."""
    offered = draft.incident.handoff
    if offered is None:
        return
    said = f":handshake: Handoff to <@{offered.to.id}>: {how} at {clock(draft.incident, draft.now)} UTC"
    facts = {"slot": offered.slot, "text": said, "brief": True}
    draft.deliver("end_message", "runbook_edit", needs=(offered.slot,), data=facts)
    draft.set(handoff=None)
    draft.disarm(lambda t: t.kind is TimerKind.HANDOFF)


def _named(person: Person) -> dict[str, str]:
    return {"id": person.id, "name": person.name}

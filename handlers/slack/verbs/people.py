"""Verbs about who does what."""

from __future__ import annotations

import asyncio
import re
from dataclasses import replace

from bot.errors import OutwardError
from bot.incidents import commands as c
from bot.incidents.model import Person, Role
from bot.incidents.people import word_of
from bot.slack.mrkdwn import esc
from bot.slack.said import in_time
from bot.text import clip
from handlers.slack import grammar
from handlers.slack.context import FIND_WITHIN
from handlers.slack.speech import KEEP, Choice, Mistake, Question, Spoken

# As people say them; the longer ones first.
ROLES = {
    r"(?:incident[\s_-]+)?commander|ic": Role.LEAD,
    r"tech(?:nical)?(?:[\s_-]+lead)?": Role.TECH_LEAD,
    r"comm(?:unication)?s?(?:[\s_-]+lead)?": Role.COMMUNICATIONS,
    r"scribe": Role.SCRIBE,
    r"(?:incident[\s_-]+)?lead": Role.LEAD,
}


async def lead(spoken: Spoken) -> str:
    """Take the lead, or give it to somebody at once."""
    person, _ = await _whom(spoken, spoken.rest)
    user, before = spoken.asked.user, spoken.subject.lead
    taken = person is None or person.id == user.id
    if taken and before and before.id != user.id and not spoken.sure and spoken.subject.status.is_open:
        name = esc(before.name, 40)
        raise Question(
            f"{name} leads {spoken.subject.number}. Take over? {name} will be notified.",
            Choice("Take the lead", spoken.line(spoken.rest), "primary"),
            Choice(f"Keep {before.name} as lead", KEEP),
        )
    over = (before.id if before else "") if taken and not spoken.sure else None
    after = await spoken.apply(c.AssignRole(person or Person(user.id, user.name), user, over=over))
    return f"{after.lead.name if after.lead else 'Nobody'} leads {after.number}."


async def _whom(spoken: Spoken, typed: str, verb: str = "") -> tuple[Person | None, str]:
    """Return the one person that a text begins with, None where it is empty, and the rest of it.

    `verb` is what the person stands behind in an example, where that is more than the verb's own word.

    Raises:
        Mistake: it begins with something else, or names nobody or several.
        Question: several people have the name.
    """
    if not typed.strip():
        return None, ""
    names, rest = grammar.people_at_start(typed)
    example = f"Example: `{spoken.command} {verb or spoken.word} @ann`."
    if len(names) > 1:
        raise Mistake(f"Name one person, not {len(names)}. {example}")
    if not names:
        shown = esc(spoken.meant(typed.split(maxsplit=1)[0]), 40)
        raise Mistake(f"“{shown}” is not a person. Type `@` and pick from Slack's list. {example}")
    if grammar.is_group(names[0]):
        raise Mistake(f"A group can't have a role: name one person. {example}")
    return await spoken.person(names[0]), rest


async def role(spoken: Spoken) -> str:
    """Give a role to somebody."""
    tried = (
        (re.match(rf"(?:the\s+)?(?:{name})(?![\w-])[,;:.]*\s*", spoken.rest, re.IGNORECASE), r)
        for name, r in ROLES.items()
    )
    match, found = next(((match, role) for match, role in tried if match), (None, None))
    if match is None or found is None:
        names = "lead, tech_lead, communications, scribe"
        raise Mistake(f"Give one of these roles: {names}. Example: `{spoken.command} role scribe @ann`.")
    who = spoken.rest[match.end() :]
    if found is Role.LEAD:  # which is taken from somebody only knowingly
        return await lead(replace(spoken, rest=who, word="lead"))
    user = spoken.asked.user
    person = (await _whom(spoken, who, f"role {found.value}"))[0] or Person(user.id, user.name)
    after = await spoken.apply(c.AssignRole(person, user, found))
    return f"{person.name} is {word_of(found).lower()} of {after.number}."


async def handoff(spoken: Spoken) -> str:
    """Offer the command to somebody, who has to accept."""
    person, _ = await _whom(spoken, spoken.rest)
    if person is None:
        raise Mistake(f"Name the new incident commander. Example: `{spoken.command} handoff @ann`.")
    user, lead = spoken.asked.user, spoken.subject.lead
    if person.id == user.id:
        raise Mistake(f"You named yourself. To take the lead: `{spoken.command} lead`.")
    if lead is not None and lead.id not in {user.id, person.id} and not spoken.sure:
        raise Question(
            f"{esc(lead.name, 80)} leads {spoken.subject.number}. Offer the lead to {esc(person.name, 80)} anyway?",
            Choice("Offer it", spoken.line(spoken.rest), "primary"),
            Choice(f"Keep {clip(lead.name, 40)} as lead", KEEP),
        )
    await spoken.apply(c.OfferHandoff(person, spoken.asked.user))
    until = "The offer expires in 5 minutes. Until they accept, the lead does not change."
    return f"Offered the lead to {person.name}. {until}"


async def escalate(spoken: Spoken) -> str:
    """Page the next level of the ladder now."""
    reached = spoken.subject.ladder_level
    after = await spoken.apply(c.Escalate(spoken.asked.user, _reason(spoken, spoken.rest), reached))
    level = after.rule.ladder[min(after.ladder_level, len(after.rule.ladder)) - 1]
    return f"Paging level {after.ladder_level}, {level.name}."


async def decline(spoken: Spoken) -> str:
    """Turn down the command that was offered."""
    after = await spoken.apply(c.DeclineHandoff(spoken.asked.user, _reason(spoken, spoken.rest)))
    return f"Declined. {after.lead.name if after.lead else 'Nobody'} leads {after.number}."


async def accept(spoken: Spoken) -> str:
    """Take the command over that was offered."""
    after = await spoken.apply(c.AcceptHandoff(spoken.asked.user))
    return f"You lead {after.number}."


async def page(spoken: Spoken) -> str:
    """Page people, groups or a service's people."""
    if not spoken.rest.strip():
        raise Mistake(f"Name the person to page. Example: `{spoken.command} page @ann the orders database is down`.")
    user, config = spoken.asked.user, spoken.asked.services.settings.config
    names, why = grammar.people_at_start(spoken.rest)
    if not names:
        name, why = _service_at_start(spoken)
        service = config.service(name)
        if service is None:
            known = ", ".join(sorted(config.services)) or "none (add `services:` to SITREP_CONFIG)"
            raise Mistake(
                f"There is no service “{esc(spoken.meant(spoken.rest), 40)}”. Services: {esc(known, 300)}. "
                f"To page a person: `{spoken.command} page @ann`."
            )
        target = config.target(service)
        await spoken.apply(c.PagePeople(service.name, tuple(service.slack), user, _reason(spoken, why), target))
        return f"Paging {service.name}."
    reason, paged = _reason(spoken, why), [await _to_page(spoken, name) for name in names]
    for shown, spec in paged:
        await spoken.apply(c.PagePeople(shown, (spec,), user, reason))
    return f"Paging {', '.join(esc(shown, 80) for shown, _ in paged)}."


async def _to_page(spoken: Spoken, typed: str) -> tuple[str, str]:
    """Return how a typed person or group is shown, and how a ladder would name it."""
    if grammar.is_group(typed):
        handle = await _handle(spoken, typed)
        return handle, handle
    person = await spoken.person(typed)
    return person.name, person.id


async def _handle(spoken: Spoken, typed: str) -> str:
    """Return a group's handle.

    Raises:
        Mistake: Slack did not tell it, or there is no such group.
    """
    (handle,) = await in_time(spoken.asked.directory.members.group(typed))
    if not handle:
        raise Mistake("Could not look up that group: Slack did not answer. Name the people instead.")
    return str(handle)


def _reason(spoken: Spoken, why: str) -> str:
    return spoken.meant(why).strip()[:300]


def _service_at_start(spoken: Spoken) -> tuple[str, str]:
    """Split a text into the service that it begins with (as many words as fit; empty: none) and the rest."""
    words = spoken.meant(spoken.rest).split()
    known = {" ".join(name.casefold().split()): name for name in spoken.asked.services.settings.config.services}
    for count in range(len(words), 0, -1):
        said = " ".join(words[:count]).casefold().strip("\"'“”„:,.")
        if said in known:
            return known[said], " ".join(words[count:])
    return "", ""


async def oncall(spoken: Spoken) -> str:
    """Say who is on call: for a service, or on the ladder."""
    config = spoken.asked.services.settings.config
    wanted = spoken.text.strip()
    if wanted:
        service = config.service(wanted)
        if service is None:
            known = ", ".join(sorted(config.services)) or "none (add `services:` to SITREP_CONFIG)"
            raise Mistake(f"There is no service “{esc(wanted, 40)}”. Services: {esc(known, 300)}.")
        names = await _of_policy(spoken, config.target(service).get("escalation_policy", ""))
        people = ", ".join([*map(_named, service.slack), *names]) or "nobody is named"
        return f"*{esc(service.name)}*: {people}"
    policy = spoken.incident.policy if spoken.incident else config.policy
    rows = []
    for severity, rule in policy.severities.items():
        levels = [
            f"{level.name} after {level.after // 60} min: "
            + (", ".join([*map(_named, level.slack), *(["PagerDuty"] if level.pagerduty else [])]) or "nobody")
            for level in rule.ladder
        ]
        if levels:
            rows.append(f"*{policy.called(severity)}*\n" + "\n".join(levels))
    return "\n".join(rows) or "Nobody is paged: set `ladders.default` in SITREP_CONFIG."


async def _of_policy(spoken: Spoken, policy: str) -> list[str]:
    """Ask PagerDuty who is on call, as far as it can tell in time."""
    pager = spoken.asked.services.pager
    if not policy or not pager.has_api:
        return []
    try:
        names = await asyncio.wait_for(pager.oncalls(policy), FIND_WITHIN)
    except (OutwardError, TimeoutError):
        return ["PagerDuty did not answer in time"]
    return [f"{esc(name, 80)} (PagerDuty)" for name in names]


def _named(spec: str) -> str:
    """Name people as a ladder does, so that nobody is mentioned by looking."""
    return esc(spec.replace("@", "@\u200b"), 80)


async def invite(spoken: Spoken) -> str:
    """Bring people into the incident's channel."""
    names, rest = grammar.people_at_start(spoken.rest)
    if rest or not names:
        raise Mistake(f"Name only people and groups. Example: `{spoken.command} invite @ann @bob`.")
    people = [(await _to_page(spoken, name))[1] for name in names]
    await spoken.apply(c.BringIn(tuple(people), spoken.asked.user))
    return "Sending the invitations."


async def subscribe(spoken: Spoken) -> str:
    """Be told of updates by direct message."""
    after = await spoken.apply(c.Subscribe(spoken.asked.user))
    return f"You get each update of {after.number} as a direct message. Stop: `{spoken.command} unsubscribe`."


async def unsubscribe(spoken: Spoken) -> str:
    """Be told no more."""
    after = await spoken.apply(c.Subscribe(spoken.asked.user, on=False))
    return f"You no longer get updates of {after.number}."

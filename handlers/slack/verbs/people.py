"""Verbs about who does what."""

from __future__ import annotations

import asyncio
import re

from bot.errors import OutwardError
from bot.incidents import commands as c
from bot.incidents.model import Person, Role
from bot.incidents.people import word_of
from bot.slack.mrkdwn import esc
from handlers.slack.context import FIND_WITHIN
from handlers.slack.speech import Mistake, Spoken

ROLES = {
    "lead": Role.LEAD,
    "commander": Role.LEAD,
    "ic": Role.LEAD,
    "tech": Role.TECH_LEAD,
    "tech_lead": Role.TECH_LEAD,
    "tech-lead": Role.TECH_LEAD,
    "comms": Role.COMMUNICATIONS,
    "communications": Role.COMMUNICATIONS,
    "scribe": Role.SCRIBE,
}
_GROUP = re.compile(r"<!subteam\^[A-Z0-9]+\|@?([^>]+)>")
_USER = re.compile(r"<@([UW][A-Z0-9]+)(?:\|[^>]*)?>")


async def lead(spoken: Spoken) -> str:
    """Take the lead, or give it to somebody at once."""
    user = spoken.asked.user
    person = await spoken.person(spoken.rest.split(" ")[0]) if spoken.rest else Person(user.id, user.name)
    after = await spoken.apply(c.AssignRole(person, user))
    return f"{after.lead.name if after.lead else 'Nobody'} leads {after.number}."


async def role(spoken: Spoken) -> str:
    """Give a role to somebody."""
    word, _, who = spoken.rest.partition(" ")
    found = ROLES.get(word.casefold().strip())
    if found is None:
        names = "lead, tech_lead, communications, scribe"
        raise Mistake(f"Give one of these roles: {names}. Example: `{spoken.command} role scribe @ann`.")
    user = spoken.asked.user
    person = await spoken.person(who.split(" ")[0]) if who.strip() else Person(user.id, user.name)
    after = await spoken.apply(c.AssignRole(person, user, found))
    return f"{person.name} is {word_of(found).lower()} of {after.number}."


async def handoff(spoken: Spoken) -> str:
    """Offer the command to somebody, who has to accept."""
    if not spoken.rest:
        raise Mistake(f"Say to whom. Example: `{spoken.command} handoff @ann`.")
    person = await spoken.person(spoken.rest.split(" ")[0])
    await spoken.apply(c.OfferHandoff(person, spoken.asked.user))
    return f"Offered the command to {person.name}. It is yours until they accept; within 5 minutes."


async def page(spoken: Spoken) -> str:
    """Page a person, a group or a service's people."""
    who, _, why = spoken.rest.partition(" ")
    if not who:
        raise Mistake(f"Say whom. Example: `{spoken.command} page @ann the database is yours`.")
    why = spoken.meant(why).strip()[:300]
    user, config = spoken.asked.user, spoken.asked.services.settings.config
    if group := _GROUP.fullmatch(who):
        await spoken.apply(c.PagePeople(f"@{group[1]}", (f"@{group[1]}",), user, why))
        return f"Paging @{group[1]}."
    service = config.service(who)
    if service is not None:
        target = config.target(service)
        await spoken.apply(c.PagePeople(service.name, tuple(service.slack), user, why, target))
        return f"Paging {service.name}."
    if not who.startswith(("<@", "@")):
        known = ", ".join(sorted(config.services)) or "none are configured: add `services:`"
        raise Mistake(f"There is no service {esc(who, 40)} ({esc(known, 300)}). Or name a person: `@ann`.")
    person = await spoken.person(who)
    await spoken.apply(c.PagePeople(person.name, (person.id,), user, why))
    return f"Paging {person.name}."


async def oncall(spoken: Spoken) -> str:
    """Say who is on call: for a service, or on the ladder."""
    config = spoken.asked.services.settings.config
    wanted = spoken.text.strip()
    if wanted:
        service = config.service(wanted)
        if service is None:
            known = ", ".join(sorted(config.services)) or "none are configured: add `services:`"
            raise Mistake(f"There is no service {esc(wanted, 40)}. There are: {esc(known, 300)}.")
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
            rows.append(f"*{severity.value}*\n" + "\n".join(levels))
    return "\n".join(rows) or "Nobody is paged: set `ladders.default` in SITREP_CONFIG."


async def _of_policy(spoken: Spoken, policy: str) -> list[str]:
    """Ask PagerDuty who is on call, as far as it can tell in time."""
    pager = spoken.asked.services.pager
    if not policy or not pager.has_api:
        return []
    try:
        names = await asyncio.wait_for(pager.oncalls(policy), FIND_WITHIN)
    except (OutwardError, TimeoutError):
        return ["PagerDuty did not say in time"]
    return [f"{esc(name, 80)} (PagerDuty)" for name in names]


def _named(spec: str) -> str:
    """Name people as a ladder does, so that nobody is mentioned by looking."""
    return esc(spec.replace("@", "@\u200b"), 80)


async def invite(spoken: Spoken) -> str:
    """Bring people into the incident's channel."""
    people = [f"@{name}" for name in _GROUP.findall(spoken.rest)] + _USER.findall(spoken.rest)
    for word in _USER.sub("", _GROUP.sub("", spoken.rest)).split():
        people.append((await spoken.person(word)).id)
    if not people:
        raise Mistake(f"Say whom. Example: `{spoken.command} invite @ann @bob`.")
    await spoken.apply(c.BringIn(tuple(people), spoken.asked.user))
    return "Inviting them."


async def subscribe(spoken: Spoken) -> str:
    """Be told of updates by direct message."""
    after = await spoken.apply(c.Subscribe(spoken.asked.user))
    return f"You get each update of {after.number} as a direct message. Stop: `{spoken.command} unsubscribe`."


async def unsubscribe(spoken: Spoken) -> str:
    """Be told no more."""
    after = await spoken.apply(c.Subscribe(spoken.asked.user, on=False))
    return f"You are told of {after.number} no more."

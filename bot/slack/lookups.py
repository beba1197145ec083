"""Asks Slack whom a name stands for.

Sources: https://docs.slack.dev/reference/methods/usergroups.list (Tier 2: 20 a minute; one call lists all groups with
their members), users.lookupByEmail (Tier 3: 50 a minute), users.info (Tier 4: 100 a minute).
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from typing import Any

from bot.errors import Permanent
from bot.incidents.model import Person
from bot.slack.faults import FIXES, WORDS, spelled
from bot.slack.gateway import Gateway
from bot.store.slack_names import Answer

ID = re.compile(r"^[UW][A-Z0-9]{2,}$")
# What Slack says of a name; every other refusal is about the bot, and says nothing of whom the name stands for.
UNKNOWN = frozenset({"users_not_found", "user_not_found", "user_not_visible", "no_such_subteam"})
DEACTIVATED, NO_GROUP = "deactivated", "usergroup_not_found"


def is_group(spec: str) -> bool:
    """True for a `@usergroup` handle."""
    return spec.startswith("@")


def is_id(spec: str) -> bool:
    """True for a Slack user id."""
    return ID.match(spec) is not None


async def groups(gateway: Gateway, specs: Mapping[str, str]) -> dict[str, Answer]:
    """Return whom user groups stand for, by one call.

    Args:
        gateway: Slack.
        specs: the handles, each with the mention that it had before: a renamed group is known by its id.

    Raises:
        OutwardError: Slack did not answer, or refuses the bot.
    """
    listed = (await gateway.call("usergroups.list", include_users=True)).get("usergroups") or []
    live = [group for group in listed if not group.get("date_delete")]
    by_handle = {str(group.get("handle")): group for group in live}
    by_mention = {_mention(group): group for group in live}
    found = {}
    for spec, mention in specs.items():
        group = by_handle.get(spec.removeprefix("@")) or by_mention.get(mention)
        found[spec] = await _group(gateway, spec, group) if group else Answer(spec, error=NO_GROUP)
    return found


async def person(gateway: Gateway, spec: str) -> Answer:
    """Return whom an e-mail address or an id stands for.

    Raises:
        OutwardError: Slack did not answer, or refuses the bot.
    """
    try:
        if is_id(spec):
            answer = await gateway.call("users.info", user=spec)
        else:
            answer = await gateway.call("users.lookupByEmail", email=spec)
    except Permanent as error:
        if error.reason not in UNKNOWN:
            raise
        return Answer(spec, error=error.reason)
    user = answer["user"]
    who = person_of(user)
    if user.get("deleted"):
        return Answer(spec, name=who.name, error=DEACTIVATED)
    return Answer(spec, (who.id,), f"<@{who.id}>", who.name)


def explain(spec: str, error: str, *, typed: bool = False) -> str:
    """Say why a name stands for nobody, and what to do.

    Args:
        spec: the name.
        error: why.
        typed: a person typed the name: it stands in no configuration that could be corrected.
    """
    if error == DEACTIVATED:
        return f"{spec}: the account is deactivated in Slack. Name someone else{'' if typed else ' (SITREP_CONFIG)'}."
    if error in {NO_GROUP, "no_such_subteam"}:
        create = f"Create the user group {spec} or correct the ladder (SITREP_CONFIG)"
        fix = "Name a group that exists, or people" if typed else create
        return f"{spec}: there is no such user group. {fix}."
    why = WORDS.get(error, spelled(error))
    if typed:
        return f"{spec}: {why}. {FIXES.get(error, FIXES['users_not_found'])}"
    if is_id(spec) or error not in UNKNOWN:
        return f"{spec}: {why}. Correct the person in the ladder (SITREP_CONFIG)."
    return f"{spec}: {why}. Use the e-mail address of the person's active Slack account in the ladder (SITREP_CONFIG)."


def person_of(user: Mapping[str, Any]) -> Person:
    """Return the person of a Slack user object, under the name that others see."""
    profile = user.get("profile")
    shown = profile.get("display_name") if isinstance(profile, dict) else ""
    return Person(str(user["id"]), str(shown or user.get("real_name") or user.get("name") or user["id"]))


async def _group(gateway: Gateway, spec: str, group: Mapping[str, Any]) -> Answer:
    users = group.get("users")
    if users is None:
        users = (await gateway.call("usergroups.users.list", usergroup=group["id"])).get("users") or []
    return Answer(spec, tuple(str(user) for user in users), _mention(group), str(group.get("handle") or ""))


def _mention(group: Mapping[str, Any]) -> str:
    return f"<!subteam^{group.get('id')}>"

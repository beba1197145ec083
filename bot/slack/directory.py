"""Who is who in Slack: people by e-mail, id, `@name` or `@usergroup`."""

from __future__ import annotations

import re
import time
from collections.abc import Sequence
from contextlib import suppress
from dataclasses import dataclass

from bot.errors import Permanent
from bot.incidents.model import Person
from bot.slack.gateway import Gateway

KEEP = 600.0  # seconds that a look-up stays good; people change their names, but not during a page
_ID = re.compile(r"^[UW][A-Z0-9]{2,}$")


@dataclass(frozen=True, slots=True)
class Resolved:
    """The people a ladder level names: whom to invite, how to mention them, and who could not be found."""

    users: tuple[str, ...]
    mentions: tuple[str, ...]
    problems: tuple[str, ...]


class Directory:
    """Looks people up and remembers them for a while."""

    def __init__(self, gateway: Gateway) -> None:
        self._gateway = gateway
        self._emails: dict[str, tuple[float, Person]] = {}
        self._people: dict[str, Person] = {}
        self._by_name: dict[str, Person] = {}
        self._listed_at = -KEEP

    def remember(self, user_id: str, name: str) -> None:
        """Take over a name that Slack told us beside an id."""
        if user_id and name:
            self._people[user_id] = Person(user_id, name)

    def name_of(self, user_id: str) -> str:
        """Give the name that goes with an id, or the id itself."""
        person = self._people.get(user_id)
        return person.name if person else user_id

    async def resolve(self, specs: Sequence[str]) -> Resolved:
        """Look a level's people up; whoever is not found is named among the problems.

        Raises:
            Retryable, Ambiguous: Slack could not be asked.
        """
        users: list[str] = []
        mentions: list[str] = []
        problems: list[str] = []
        for spec in specs:
            try:
                if spec.startswith("@"):
                    group, members = await self._usergroup(spec[1:])
                    mentions.append(f"<!subteam^{group}>")
                    users += members
                else:
                    user = spec if _ID.match(spec) else (await self._email(spec)).id
                    mentions.append(f"<@{user}>")
                    users.append(user)
            except Permanent as error:
                problems.append(f"{spec}: {error.reason}. {error.fix}")
        return Resolved(tuple(dict.fromkeys(users)), tuple(dict.fromkeys(mentions)), tuple(problems))

    async def warm(self, specs: Sequence[str]) -> None:
        """Look people up ahead of need; whatever fails now is met again when it matters."""
        with suppress(Exception):
            await self.resolve(specs)

    async def find(self, mention: str) -> Person | None:
        """Give the person that a responder typed: `<@U...>`, `<@U...|name>` or `@name`; None when there is none.

        Raises:
            OutwardError: Slack could not be asked for `@name`.
        """
        escaped = re.fullmatch(r"<@([UW][A-Z0-9]+)(?:\|([^>]*))?>", mention)
        if escaped:
            user_id, name = escaped.groups()
            if name:
                self.remember(user_id, name)
            if user_id not in self._people:
                answer = await self._gateway.call("users.info", user=user_id)
                self._people[user_id] = _person(answer["user"])
            return self._people[user_id]
        wanted = mention.removeprefix("@").casefold()
        if not wanted:
            return None
        if wanted not in self._by_name:
            await self._list()
        return self._by_name.get(wanted)

    async def _email(self, address: str) -> Person:
        kept = self._emails.get(address)
        if kept and time.monotonic() - kept[0] < KEEP:
            return kept[1]
        answer = await self._gateway.call("users.lookupByEmail", email=address)
        person = _person(answer["user"])
        self._people[person.id] = person
        self._emails[address] = (time.monotonic(), person)
        return person

    async def _usergroup(self, handle: str) -> tuple[str, list[str]]:
        answer = await self._gateway.call("usergroups.list")
        for group in answer.get("usergroups") or []:
            if group.get("handle") == handle:
                members = await self._gateway.call("usergroups.users.list", usergroup=group["id"])
                return str(group["id"]), [str(u) for u in members.get("users") or []]
        raise Permanent("usergroup_not_found", f"Create the user group @{handle} or correct the ladder.")

    async def _list(self) -> None:
        if time.monotonic() - self._listed_at < KEEP / 20:
            return  # asked just now; a wrong name must not cost a listing each time
        self._listed_at = time.monotonic()
        async for members in self._gateway.pages("users.list", "members"):
            for member in members:
                if member.get("deleted"):
                    continue
                person = _person(member)
                self._people[person.id] = person
                profile = member.get("profile") or {}
                for name in (member.get("name"), profile.get("display_name"), profile.get("real_name")):
                    if name:
                        self._by_name[str(name).casefold()] = person


def _person(user: dict[str, object]) -> Person:
    profile = user.get("profile")
    shown = profile.get("display_name") if isinstance(profile, dict) else ""
    return Person(str(user["id"]), str(shown or user.get("real_name") or user.get("name") or user["id"]))

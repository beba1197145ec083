"""The members of the workspace as responders type and see them: mentions, `@names`, one name for each, time zones.

Channels and user groups are known by their names, too, where texts mention them.
"""

from __future__ import annotations

import asyncio
import re
import time
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import UTC, tzinfo
from typing import Any

from bot.errors import OutwardError, Permanent, Retryable
from bot.incidents.model import Person
from bot.slack.gateway import Gateway
from bot.slack.lookups import person_of
from bot.times import zone_of

RELIST = 30.0  # seconds between listings for a `@name` that nobody has
FRESH = 3600.0  # seconds for which Slack is not asked again what a member is called
QUIET = 30.0  # seconds in which nobody waits for Slack after it has not answered
NAMED_WITHIN = 0.8  # seconds that whoever types or presses waits for the name that others see
SLACKBOT = "USLACKBOT"
MENTION = re.compile(r"<@([UW][A-Z0-9]+)(?:\|([^>]*))?>")
GROUP = re.compile(r"<!subteam\^([A-Z0-9]+)(?:\|@?([^>]*))?>")
MENTIONED = re.compile(r"<(@|#|!subteam\^)([A-Z0-9]+)(?:\|([^>]*))?>")
MOST = 20  # names that are asked for because one text mentions them
HIDDEN = "private-channel"  # as Slack calls one that a reader may not be in


@dataclass(frozen=True, slots=True)
class Member:
    """A member: the name that others see, whether it is an app or deactivated, and where its clock stands."""

    id: str
    name: str
    handle: str = ""
    is_app: bool = False
    is_deactivated: bool = False
    zone: tzinfo = UTC

    @property
    def person(self) -> Person:
        """The member as incidents name it."""
        return Person(self.id, self.name)


class Members:
    """Keeps what Slack says of its members, by id and by name."""

    def __init__(self, gateway: Gateway) -> None:
        self._gateway = gateway
        self._known: dict[str, tuple[Member, float]] = {}
        self._heard: dict[str, str] = {}  # names by id that came beside a mention or from our rows; channels, groups
        self._unknown: dict[str, float] = {}  # ids of which Slack has said that it tells no name, and when
        self._by_name: dict[str, list[Member]] = {}
        self._groups: dict[str, str] = {}
        self._listed_at = -RELIST
        self._quiet_until = 0.0
        self._no_texts_until = 0.0

    def remember(self, user_id: str, name: str) -> None:
        """Take over a name that came beside an id; what Slack itself says of the member comes first."""
        if user_id and name:
            self._heard[user_id] = name

    def name_of(self, user_id: str) -> str:
        """Return the name that goes with an id of a person, a channel or a user group, or the id itself."""
        known = self._known.get(user_id)
        return known[0].name if known else self._heard.get(user_id, user_id)

    async def get(self, user_id: str) -> Member:
        """Return a member by id.

        Raises:
            OutwardError: Slack did not tell, or there is none.
        """
        known = self._known.get(user_id)
        if known and time.monotonic() - known[1] < FRESH:
            return known[0]
        answer = await self._gateway.call("users.info", user=user_id)
        return self._keep(answer["user"])

    async def named(self, user_id: str, handle: str) -> str:
        """Return the name that others see of whoever types or presses; the handle where Slack does not tell in time.

        A request's own `user_name` is a handle of old, and would give one person two names.
        """
        if user_id in self._known:
            return self.name_of(user_id)
        if time.monotonic() >= self._quiet_until:
            try:
                return (await asyncio.wait_for(self.get(user_id), NAMED_WITHIN)).name
            except (OutwardError, TimeoutError):
                self._quiet_until = time.monotonic() + QUIET
        return self._heard.get(user_id) or handle or user_id

    async def learn(self, *texts: str) -> None:
        """Ask Slack for the names of those whom texts mention and that are not known; takes a moment at most.

        What Slack does not tell in time is asked for again by the next text.
        """
        unknown = [found for text in texts for found in MENTIONED.finditer(text) if self._is_news(found)]
        if not unknown or time.monotonic() < self._no_texts_until:
            return
        wanted = dict.fromkeys((found[1], found[2]) for found in unknown[:MOST])
        groups = [group for kind, group in wanted if kind.startswith("!")]
        asked = [self._ask(kind, each) for kind, each in wanted if not kind.startswith("!")]
        asked += [self._ask_groups(groups)] if groups else []
        tasks = [asyncio.ensure_future(each) for each in asked]
        done, late = await asyncio.wait(tasks, timeout=NAMED_WITHIN)
        for task in late:
            task.cancel()
        errors = [error for task in done if (error := task.exception())]
        if late or any(isinstance(error, Retryable) for error in errors):
            self._no_texts_until = time.monotonic() + QUIET
        if unforeseen := next((error for error in errors if not isinstance(error, OutwardError)), None):
            raise unforeseen

    def unlabelled(self, text: str) -> str:
        """Take the labels off mentions of people whose names are known: a label is a handle of old."""

        def one(found: re.Match[str]) -> str:
            return f"<@{found[1]}>" if found[1] in self._known else found[0]

        return MENTION.sub(one, text)

    def _is_news(self, mentioned: re.Match[str]) -> bool:
        kind, each, label = mentioned.groups()
        if time.monotonic() - self._unknown.get(each, -FRESH) < FRESH:
            return False
        return each not in self._known if kind == "@" else not label and each not in self._heard

    async def _ask(self, kind: str, each: str) -> None:
        """Ask for a person's or a channel's name.

        Raises:
            OutwardError: Slack did not tell.
        """
        try:
            if kind == "@":
                await self.get(each)
                return
            channel = (await self._gateway.call("conversations.info", channel=each)).get("channel") or {}
            is_open = bool(channel.get("name")) and not channel.get("is_private")
            self._heard[each] = str(channel["name"]) if is_open else HIDDEN
        except Permanent:
            self._unknown[each] = time.monotonic()
            raise

    async def _ask_groups(self, groups: Sequence[str]) -> None:
        """Ask for user groups' handles, by one call.

        Raises:
            OutwardError: Slack did not tell.
        """
        try:
            await self._list_groups()
        except Permanent:
            self._unknown |= dict.fromkeys(groups, time.monotonic())
            raise
        for each in groups:
            if handle := self._groups.get(each):
                self._heard[each] = handle
            else:
                self._unknown[each] = time.monotonic()

    async def find(self, typed: str) -> list[Member]:
        """Return whom a responder typed: `<@U...>`, `<@U...|name>` or `@name`; several where several are called so.

        Apps and deactivated accounts are among them where nobody else has the name.

        Raises:
            OutwardError: Slack could not be asked.
        """
        if mention := MENTION.fullmatch(typed):
            self.remember(mention[1], mention[2] or "")
            return [await self.get(mention[1])]
        wanted = typed.removeprefix("@").casefold()
        if not wanted:
            return []
        if wanted not in self._by_name:
            await self._list()
        found = self._by_name.get(wanted, [])
        return [each for each in found if not (each.is_app or each.is_deactivated)] or found

    async def group(self, typed: str) -> str:
        """Return the handle (`@db-team`) of a user group's mention, with or without its label; empty for none.

        Raises:
            OutwardError: Slack could not be asked.
        """
        mention = GROUP.fullmatch(typed)
        if mention is None:
            return ""
        if mention[2]:
            return f"@{mention[2]}"
        if mention[1] not in self._groups:
            await self._list_groups()
        handle = self._groups.get(mention[1], "")
        return f"@{handle}" if handle else ""

    async def _list_groups(self) -> None:
        listed = (await self._gateway.call("usergroups.list")).get("usergroups") or []
        self._groups = {str(each.get("id")): str(each.get("handle") or "") for each in listed}

    async def zone(self, user_id: str) -> tzinfo:
        """Return the time zone that a member has set in Slack; UTC where Slack does not tell in time."""
        try:
            return (await asyncio.wait_for(self.get(user_id), NAMED_WITHIN)).zone
        except (OutwardError, TimeoutError):
            return UTC

    async def _list(self) -> None:
        if time.monotonic() - self._listed_at < RELIST:
            return  # asked just now; a wrong name must not cost a listing each time
        self._listed_at = time.monotonic()
        by_name: dict[str, list[Member]] = {}
        async for members in self._gateway.pages("users.list", "members"):
            for user in members:
                profile = user.get("profile") or {}
                member = self._keep(user)
                names = (user.get("name"), profile.get("display_name"), profile.get("real_name"), user.get("real_name"))
                for name in {str(name).casefold() for name in names if name}:
                    by_name.setdefault(name, []).append(member)
        self._by_name = by_name

    def _keep(self, user: Mapping[str, Any]) -> Member:
        who = person_of(user)
        member = Member(
            who.id,
            who.name,
            str(user.get("name") or ""),
            is_app=bool(user.get("is_bot")) or who.id == SLACKBOT,
            is_deactivated=bool(user.get("deleted")),
            zone=zone_of(str(user.get("tz") or "")),
        )
        self._known[who.id] = (member, time.monotonic())
        return member

"""Who is who in Slack: people by e-mail, id, `@name` or `@usergroup`.

A page asks the rows, not Slack: whom the names of ladders and services stand for is looked up ahead and kept. While
Slack limits or fails, the last answer counts. Only a name that was never answered for is looked up by the page itself,
for a few seconds at most.
"""

from __future__ import annotations

import asyncio
import random
from collections.abc import Awaitable, Callable, Collection, Mapping, Sequence
from contextvars import Context
from dataclasses import dataclass
from datetime import datetime, timedelta

import structlog

from bot.clock import Clock
from bot.errors import DatabaseUnavailable, OutwardError, Permanent, Retryable
from bot.slack import lookups
from bot.slack.faults import words
from bot.slack.gateway import Gateway
from bot.slack.lookups import explain, is_group, is_id
from bot.slack.members import Members
from bot.store import slack_names
from bot.store.slack_names import Answer, Kept
from bot.store.tx import Store, Tx

log = structlog.get_logger()

LOOK_UP_WITHIN = 3.0  # seconds that a page waits for a name that was never answered for
STALE = timedelta(hours=1)  # an answer that is older is used, and the page says how old it is

# How often Slack is asked again, and for how many names a look: a fraction of what its tiers allow in a minute.
GROUPS_EVERY = timedelta(minutes=5)
EMAILS_EVERY = timedelta(minutes=30)
IDS_EVERY = timedelta(hours=2)
JITTER = 0.2
A_LOOK = 25
LEASE = timedelta(minutes=2)  # for how long the names of a look are one replica's to ask for
REFRESH = "*"  # under which a refresh is known among the look-ups; no name is called so
AGAIN = 60.0  # seconds after a look-up that failed

# Given the transaction, a name and why it stands for nobody.
Tell = Callable[[Tx, str, str], None]


@dataclass(frozen=True, slots=True)
class Resolved:
    """The people that names stand for: whom to invite, how to mention them, and who could not be found.

    `remarks` say what to know of those who were found. `unanswered` is why Slack has not told of the others yet.
    """

    users: tuple[str, ...]
    mentions: tuple[str, ...]
    problems: tuple[str, ...]
    remarks: tuple[str, ...] = ()
    unanswered: OutwardError | None = None

    @property
    def notes(self) -> tuple[str, ...]:
        """All that there is to say."""
        return (*self.problems, *self.remarks)


class Directory:
    """Keeps who is who. `wanted` are the names to look up ahead; `tell` hears of those that stand for nobody."""

    def __init__(
        self, gateway: Gateway, store: Store, clock: Clock, wanted: Collection[str] = (), tell: Tell | None = None
    ) -> None:
        self._gateway = gateway
        self._store = store
        self._clock = clock
        self._wanted = frozenset(wanted)
        self._tell = tell
        self._asking: dict[str, asyncio.Task[None]] = {}
        self.members = Members(gateway)

    def name_of(self, user_id: str) -> str:
        """Return the name that goes with an id, or the id itself."""
        return self.members.name_of(user_id)

    async def resolve(self, specs: Sequence[str], *, typed: bool = False) -> Resolved:
        """Return whom names stand for; whoever is not found is named among the problems. Takes a few seconds at most.

        Names that were `typed` stand in no configuration, which the problems then do not speak of.

        Raises:
            DatabaseUnavailable: what is kept could not be read.
        """
        known = await self._known(specs)
        failed: dict[str, OutwardError] = {}
        if missing := [spec for spec in specs if not _is_answered(known.get(spec))]:
            failed = await self._ask_now(missing)
            known = await self._known(specs)
        now = self._clock.now()
        gone = await self._gone(known)
        users: list[str] = []
        mentions: list[str] = []
        problems: list[str] = []
        remarks_: list[str] = []
        unanswered = None
        for spec in dict.fromkeys(specs):
            kept = known.get(spec)
            if kept is None or kept.answered_at is None:
                if is_id(spec):  # Slack has not answered, and an id says itself whom it means
                    users.append(spec)
                    mentions.append(f"<@{spec}>")
                    continue
                error = failed.get(spec) or Retryable("slack_no_answer", f"not within {LOOK_UP_WITHIN:g} s")
                if isinstance(error, Permanent):
                    problems.append(f"{spec}: {words(error)}. {error.fix}")
                else:
                    unanswered = error
                    problems.append(f"{spec}: Slack has not answered yet who that is ({words(error)}).")
                continue
            if kept.answer.error:
                shown = self.name_of(spec) if is_id(spec) else spec
                problems.append(explain(shown, kept.answer.error, typed=typed))
                continue
            mentions.append(kept.answer.mention)
            users += [user for user in kept.answer.users if user not in gone]
            remarks_ += remarks(kept, now)
        return Resolved(
            tuple(dict.fromkeys(users)), tuple(dict.fromkeys(mentions)), tuple(problems), tuple(remarks_), unanswered
        )

    def prepare(self, specs: Sequence[str]) -> None:
        """Begin to look up what a page is about to need, where nothing is known of it yet; nobody waits for it."""

        async def look() -> None:
            try:
                known = await self._known(specs)
            except DatabaseUnavailable:
                return  # the page meets it again
            self._begin([spec for spec in specs if not _is_answered(known.get(spec))])

        _run(look())

    async def refresh(self) -> None:
        """Look up again what is due. Of several replicas one asks; without a new answer the last one stays."""
        try:
            now = self._clock.now()
            if await self._store.read(lambda c: slack_names.has_due(c, self._wanted, now)):
                rows = await self._store.write(self._claim)
                task = self._asking[REFRESH] = _run(self._renew(rows))
                task.add_done_callback(lambda _done: self._forget([REFRESH]))
                await asyncio.shield(task)
        except DatabaseUnavailable as error:
            log.warning("names_not_refreshed", reason=str(error))

    async def close(self) -> None:
        """Break off what is being asked; the next start asks again."""
        tasks = set(self._asking.values())
        for task in tasks:
            task.cancel()
        await asyncio.gather(*tasks, return_exceptions=True)

    # -- what is kept -----------------------------------------------------------------------------------------

    async def _known(self, specs: Sequence[str]) -> Mapping[str, Kept]:
        known = await self._store.read(lambda c: slack_names.find(c, specs))
        for kept in known.values():
            self._learn(kept.answer)
        return known

    async def _gone(self, known: Mapping[str, Kept]) -> set[str]:
        """Return the members of groups whose accounts are deactivated; who was never asked for is asked for now."""
        members = sorted({user for kept in known.values() if is_group(kept.spec) for user in kept.answer.users})
        found = await self._known(members) if members else {}
        if unknown := [user for user in members if not _is_answered(found.get(user))][:A_LOOK]:
            await self._ask_now(unknown)
            found = await self._known(members)
        return {spec for spec, kept in found.items() if kept.answer.error}

    def _learn(self, answer: Answer) -> None:
        if len(answer.users) == 1 and answer.name and not is_group(answer.spec):
            self.members.remember(answer.users[0], answer.name)

    def _claim(self, tx: Tx) -> list[Kept]:
        slack_names.want(tx.connection, self._wanted, tx.now)
        slack_names.forget(tx.connection, tx.now)
        return slack_names.claim(tx.connection, tx.now, tx.now + LEASE, A_LOOK)

    def _keep(self, tx: Tx, answers: Sequence[Answer]) -> None:
        before = slack_names.find(tx.connection, [answer.spec for answer in answers])
        due = {answer.spec: tx.now + _every(answer.spec) for answer in answers}
        slack_names.keep(tx.connection, answers, tx.now, due)
        members = {user for answer in answers if is_group(answer.spec) for user in answer.users}
        slack_names.want(tx.connection, members, tx.now)
        for answer in answers:
            kept = before.get(answer.spec)
            is_news = answer.error and (kept is None or kept.answer.error != answer.error)
            if is_news and answer.spec in self._wanted and self._tell is not None:
                self._tell(tx, answer.spec, explain(answer.spec, answer.error))
                log.warning("name_stands_for_nobody", name=answer.spec, reason=answer.error)

    # -- asking Slack -----------------------------------------------------------------------------------------

    async def _ask_now(self, specs: Sequence[str]) -> dict[str, OutwardError]:
        """Look names up, together with whoever asks for the same; gives why some have no answer."""
        self._begin(specs)
        tasks = {spec: task for spec in specs if (task := self._asking.get(spec))}
        if tasks:
            await asyncio.wait(set(tasks.values()), timeout=LOOK_UP_WITHIN)
        failed: dict[str, OutwardError] = {}
        for spec, task in tasks.items():
            error = task.exception() if task.done() and not task.cancelled() else None
            if isinstance(error, OutwardError):
                failed[spec] = error
            elif error is not None:
                raise error
        return failed

    def _begin(self, specs: Sequence[str]) -> None:
        new = [spec for spec in dict.fromkeys(specs) if spec not in self._asking]
        groups = [spec for spec in new if is_group(spec)]
        for batch in (groups, *([spec] for spec in new if not is_group(spec))):
            if batch:
                task = _run(self._ask(batch))
                self._asking.update(dict.fromkeys(batch, task))
                task.add_done_callback(lambda _done, b=tuple(batch): self._forget(b))  # type: ignore[misc]

    def _forget(self, batch: Sequence[str]) -> None:
        for spec in batch:
            self._asking.pop(spec, None)

    async def _ask(self, batch: Sequence[str]) -> None:
        if is_group(batch[0]):
            answers = list((await lookups.groups(self._gateway, dict.fromkeys(batch, ""))).values())
        else:
            answers = [await lookups.person(self._gateway, batch[0])]
        await self._store.write(lambda tx: self._keep(tx, answers))

    async def _renew(self, rows: Sequence[Kept]) -> None:
        groups = {kept.spec: kept.answer.mention for kept in rows if is_group(kept.spec)}
        if groups:

            async def listed() -> list[Answer]:
                return list((await lookups.groups(self._gateway, groups)).values())

            await self._renewed(list(groups), listed)
        for which in (is_id, _is_email):
            specs = [kept.spec for kept in rows if which(kept.spec)]
            while specs:
                spec = specs.pop(0)

                async def one(spec: str = spec) -> list[Answer]:
                    return [await lookups.person(self._gateway, spec)]

                if not await self._renewed([spec], one):
                    await self._put_off(specs, AGAIN)  # the next would fare no better
                    specs = []

    async def _renewed(self, specs: Sequence[str], ask: Callable[[], Awaitable[list[Answer]]]) -> bool:
        """Ask for names and keep the answers; False where there were none."""
        try:
            answers = await ask()
        except OutwardError as error:
            wait = max(error.after or 0.0, AGAIN) if isinstance(error, Retryable) else AGAIN
            log.warning("names_not_refreshed", names=len(specs), reason=str(error))
            await self._put_off(specs, wait)
            return False
        await self._store.write(lambda tx: self._keep(tx, answers))
        return True

    async def _put_off(self, specs: Sequence[str], wait: float) -> None:
        if specs:
            until = timedelta(seconds=_spread(wait))
            await self._store.write(lambda tx: slack_names.put_off(tx.connection, specs, tx.now + until))


class KeptChannels:
    """Keeps the ids of channels beside the people."""

    def __init__(self, store: Store) -> None:
        self._store = store

    async def recall(self, name: str) -> str:
        """Return the id of a channel; empty where none is kept."""
        return await self._store.read(lambda c: slack_names.channel(c, name))

    async def keep(self, name: str, channel: str) -> None:
        """Keep it; an empty id forgets."""
        await self._store.write(lambda tx: slack_names.keep_channel(tx.connection, name, channel, tx.now))


def _run(work: Awaitable[None]) -> asyncio.Task[None]:
    """Run work that several wait for, under nobody's lease in particular; whoever waits hears how it ended."""
    task: asyncio.Task[None] = asyncio.get_running_loop().create_task(work, context=Context())  # type: ignore[arg-type]
    task.add_done_callback(lambda done: done.cancelled() or done.exception())
    return task


def _is_answered(kept: Kept | None) -> bool:
    return kept is not None and kept.answered_at is not None


def _is_email(spec: str) -> bool:
    return not is_group(spec) and not is_id(spec)


def _every(spec: str) -> timedelta:
    every = GROUPS_EVERY if is_group(spec) else IDS_EVERY if is_id(spec) else EMAILS_EVERY
    return timedelta(seconds=_spread(every.total_seconds()))


def _spread(seconds: float) -> float:
    return seconds * random.uniform(1 - JITTER, 1 + JITTER)  # noqa: S311 - no secret


def remarks(kept: Kept, now: datetime) -> list[str]:
    """Say what to know of an answer that is used: the group has another name now, or the answer is old."""
    found = []
    if is_group(kept.spec) and kept.answer.name and kept.answer.name != kept.spec.removeprefix("@"):
        found.append(f"{kept.spec} is called @{kept.answer.name} in Slack now: correct the ladder (SITREP_CONFIG).")
    # An id stands for the same person for ever, and a person for the same id: only groups change.
    if is_group(kept.spec) and kept.answered_at and now - kept.answered_at > STALE:
        found.append(
            f"{kept.spec}: its members as of {kept.answered_at:%Y-%m-%d %H:%M} UTC; Slack has not answered since."
        )
    return found

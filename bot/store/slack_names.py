"""What Slack answered last about the names of ladders and services: e-mail addresses, `@usergroup` handles and ids.

Kept so that a page need not ask. All replicas share it; whoever moves a row's `due_at` asks Slack again for it.
"""

from __future__ import annotations

from collections.abc import Collection, Iterable, Mapping, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from typing import Any

from sqlalchemy import Connection, RowMapping, delete, func, select, update

from bot.store.tables import slack_names
from bot.store.upsert import upsert

UNUSED = timedelta(days=14)  # a name that nothing has asked for since is forgotten
NEVER = datetime(9999, 1, 1, tzinfo=UTC)  # when nobody asks again by itself
WANTED_AGAIN = timedelta(days=1)


@dataclass(frozen=True, slots=True)
class Answer:
    """Whom a name stands for. With an `error`, Slack says that it stands for nobody.

    `name` is a person's display name, or the handle that a user group has now.
    """

    spec: str
    users: tuple[str, ...] = ()
    mention: str = ""
    name: str = ""
    error: str = ""


@dataclass(frozen=True, slots=True)
class Kept:
    """A name with the last answer about it; `answered_at` is None while Slack has given none."""

    answer: Answer
    answered_at: datetime | None

    @property
    def spec(self) -> str:
        """The name, as the configuration or a command has it."""
        return self.answer.spec


def find(connection: Connection, specs: Collection[str]) -> dict[str, Kept]:
    """Return what is kept of names, by name."""
    rows = connection.execute(select(slack_names).where(slack_names.c.spec.in_(sorted(specs))))
    return {row["spec"]: _kept(row) for row in rows.mappings()}


def has_due(connection: Connection, wanted: Collection[str], now: datetime) -> bool:
    """Tell whether a refresh has anything to do."""
    due = connection.execute(select(func.count()).where(slack_names.c.due_at <= now)).scalar_one()
    there = select(func.count()).where(slack_names.c.spec.in_(sorted(wanted)))
    return bool(due) or connection.execute(there).scalar_one() < len(wanted)


def want(connection: Connection, specs: Iterable[str], now: datetime) -> None:
    """Note that names are in use; Slack is asked for a new one as soon as possible."""
    wanted = sorted(set(specs))
    if not wanted:
        return
    rows = [{**_row(Answer(spec)), "answered_at": None, "wanted_at": now, "due_at": now} for spec in wanted]
    connection.execute(upsert(connection, slack_names).on_conflict_do_nothing(index_elements=["spec"]), rows)
    older = (slack_names.c.spec.in_(wanted)) & (slack_names.c.wanted_at < now - WANTED_AGAIN)
    connection.execute(update(slack_names).where(older).values(wanted_at=now))


def claim(connection: Connection, now: datetime, until: datetime, most: int) -> list[Kept]:
    """Take the names whose turn it is; another replica takes them only once `until` has passed without an answer."""
    query = select(slack_names).where(slack_names.c.due_at <= now).order_by(slack_names.c.due_at, slack_names.c.spec)
    found = []
    for row in connection.execute(query.limit(most)).mappings().all():
        mine = (slack_names.c.spec == row["spec"]) & (slack_names.c.due_at == row["due_at"])
        if connection.execute(update(slack_names).where(mine).values(due_at=until)).rowcount == 1:
            found.append(_kept(row))
    return found


def keep(connection: Connection, answers: Sequence[Answer], now: datetime, due: Mapping[str, datetime]) -> None:
    """Save answers, and when to ask again."""
    for answer in answers:
        facts = {**_row(answer), "answered_at": now, "due_at": due[answer.spec]}
        row = upsert(connection, slack_names).values({**facts, "wanted_at": now})
        connection.execute(row.on_conflict_do_update(index_elements=["spec"], set_=facts))


def put_off(connection: Connection, specs: Collection[str], until: datetime) -> None:
    """Ask again at a moment; what was answered before stays."""
    connection.execute(update(slack_names).where(slack_names.c.spec.in_(sorted(specs))).values(due_at=until))


def forget(connection: Connection, now: datetime) -> None:
    """Delete the names that nothing has asked for lately."""
    connection.execute(delete(slack_names).where(slack_names.c.wanted_at < now - UNUSED))


def _row(answer: Answer) -> dict[str, Any]:
    return {
        "spec": answer.spec,
        "users": list(answer.users),
        "mention": answer.mention,
        "name": answer.name,
        "error": answer.error,
    }


def _kept(row: RowMapping) -> Kept:
    answer = Answer(row["spec"], tuple(row["users"]), row["mention"], row["name"], row["error"])
    return Kept(answer, row["answered_at"])


def channel(connection: Connection, name: str) -> str:
    """Return the id that is kept of a channel; empty where there is none."""
    found = find(connection, [f"#{name}"])
    return next((kept.answer.mention for kept in found.values()), "")


def keep_channel(connection: Connection, name: str, channel_id: str, now: datetime) -> None:
    """Keep the id of a channel, until it is not found any more; an empty one forgets it."""
    spec = f"#{name}"
    if channel_id:
        keep(connection, [Answer(spec, mention=channel_id, name=name)], now, {spec: NEVER})
    else:
        connection.execute(delete(slack_names).where(slack_names.c.spec == spec))

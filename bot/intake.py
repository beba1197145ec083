"""Takes Alertmanager's notifications in, many at a time: one look and one insert for all that say nothing new.

Alertmanager says the same again every few minutes, and each peer of a cluster says it once more. What a group said last
is kept as a digest; the same again about an open incident is no news.
"""

from __future__ import annotations

import asyncio
import hashlib
import json
from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field

from sqlalchemy import text
from sqlalchemy.exc import DBAPIError

from bot.incidents.model import OPEN_STATUSES, Alert
from bot.reception import Notification, Reception
from bot.store import alerts, inbox, unheard
from bot.store.alerts import LastSaid
from bot.store.tx import Store, Tx
from bot.store.unheard import Arrival

GROUP = 64  # notifications in one commit at most; more would make the first of them wait too long
ALERTS = 500  # in one commit, if it is more than one notification
_OPEN = frozenset(status.value for status in OPEN_STATUSES)
# A row that another replica holds must not hold up everything that came with what wants it.
_HURRY = text("SET LOCAL lock_timeout = '300ms'")


@dataclass(frozen=True, slots=True)
class Read:
    """A notification that has been read, and the digest of what it says."""

    notification: Notification
    said: str

    def noted(self, outcome: str) -> str:
        """Return what is kept of what became of it: with the alerts that could not be read."""
        return "; left out: ".join([outcome, *self.notification.unread])

    @classmethod
    def of(cls, notification: Notification) -> Read:
        """Name what a notification says, whatever the order of its alerts."""
        groups = (("firing", notification.firing), ("resolved", notification.resolved))
        said = sorted(_said(status, alert) for status, alerts_ in groups for alert in alerts_)
        what = json.dumps([notification.truncated, said], separators=(",", ":"))
        return cls(notification, hashlib.blake2b(what.encode(), digest_size=32).hexdigest())


def _said(status: str, alert: Alert) -> tuple[str, str, str, str, list[tuple[str, str]]]:
    return alert.fingerprint, status, str(alert.starts_at), str(alert.ends_at), sorted(alert.annotations.items())


@dataclass(frozen=True, slots=True)
class Taken:
    """What became of a notification."""

    receipt: str
    outcome: str


@dataclass(slots=True, eq=False)
class _Waiting:
    read: Read
    raw: bytes
    future: asyncio.Future[Taken] = field(default_factory=lambda: asyncio.get_running_loop().create_future())


class Intake:
    """Gathers notifications while a commit is under way, and takes them in together with the next."""

    def __init__(self, store: Store, reception: Reception) -> None:
        self._store = store
        self._reception = reception
        self._waiting: list[_Waiting] = []
        self._worker: asyncio.Task[None] | None = None
        self._alone: set[asyncio.Task[None]] = set()

    async def take(self, read: Read, raw: bytes) -> Taken:
        """Take a notification in; it is durable when this returns.

        Raises:
            DatabaseUnavailable: it is not known to be written.
        """
        waiting = _Waiting(read, raw)
        self._waiting.append(waiting)
        if self._worker is None or self._worker.done():
            self._worker = asyncio.create_task(self._work())
        # A sender that goes away does not take the others' transaction with it.
        return await asyncio.shield(waiting.future)

    async def _work(self) -> None:
        while self._waiting:
            size = _together(self._waiting)
            group, self._waiting = self._waiting[:size], self._waiting[size:]
            try:
                taken = await self._store.write(lambda tx, g=group: self._together(tx, g))  # type: ignore[misc]
            except Exception as error:  # noqa: BLE001 - handed to all that wait
                for waiting in group:
                    _end(waiting, error)
                continue
            for waiting, result in zip(group, taken, strict=True):
                if isinstance(result, DBAPIError):
                    # It met another replica or is bad: alone it waits longer, and holds up nobody.
                    task = asyncio.create_task(self._by_itself(waiting))
                    self._alone.add(task)
                    task.add_done_callback(self._alone.discard)
                else:
                    _end(waiting, result)

    async def _by_itself(self, waiting: _Waiting) -> None:
        try:
            _end(waiting, await self._store.write(lambda tx: self._one(tx, waiting)))
        except Exception as error:  # noqa: BLE001 - handed to whoever waits
            _end(waiting, error)

    def _together(self, tx: Tx, group: Sequence[_Waiting]) -> list[Taken | Exception]:
        """Take a group in; what one of them raises is its own."""
        last: dict[tuple[str, str], LastSaid] = {}
        for source, some in _by_source(group).items():
            keys = {waiting.read.notification.group_key for waiting in some}
            said = alerts.last_said(tx.connection, source, keys)
            last.update({(source, key): last_said for key, last_said in said.items()})
        ended: dict[_Waiting, Taken | Exception] = {}
        repeats: dict[_Waiting, str] = {}
        for waiting in group:
            notification = waiting.read.notification
            known = last.get((notification.source, notification.group_key))
            if known and known.digest == waiting.read.said and known.status in _OPEN:
                repeats[waiting] = f"repeat of {known.number}"
        for source, some in _by_source(repeats).items():
            bodies = [(waiting.raw, waiting.read.noted(repeats[waiting])) for waiting in some]
            receipts = inbox.keep_all(tx.connection, source, bodies, tx.now)
            ended.update({w: Taken(receipt, repeats[w]) for w, receipt in zip(some, receipts, strict=True)})
        if len(ended) < len(group) and len(group) > 1 and tx.connection.dialect.name == "postgresql":
            tx.connection.execute(_HURRY)
        for waiting in group:
            if waiting not in ended:
                ended[waiting] = self._apart(tx, waiting)
        return [ended[waiting] for waiting in group]

    def _apart(self, tx: Tx, waiting: _Waiting) -> Taken | Exception:
        """Take one of a group in, in a savepoint: a bad one never poisons the others."""
        inner = Tx(tx.connection, tx.now)
        try:
            with tx.connection.begin_nested():
                taken = inner.run(lambda _tx: self._one(inner, waiting))
        except Exception as error:
            if tx.connection.invalidated:  # the database is gone, and with it the whole group
                raise
            return error
        tx.hooks += inner.hooks
        return taken

    def _one(self, tx: Tx, waiting: _Waiting) -> Taken:
        outcome = take_in(tx, self._reception, waiting.read)
        source = waiting.read.notification.source
        (receipt,) = inbox.keep_all(tx.connection, source, [(waiting.raw, waiting.read.noted(outcome))], tx.now)
        return Taken(receipt, outcome)


def _by_source(waiting: Iterable[_Waiting]) -> dict[str, list[_Waiting]]:
    found: dict[str, list[_Waiting]] = {}
    for each in waiting:
        found.setdefault(each.read.notification.source, []).append(each)
    return found


def _together(waiting: Sequence[_Waiting]) -> int:
    """Give how many go into the next commit: a few large ones are enough for it."""
    alerts_ = 0
    for size, each in enumerate(waiting[:GROUP]):
        alerts_ += len(each.read.notification.firing) + len(each.read.notification.resolved)
        if size and alerts_ > ALERTS:
            return size
    return min(len(waiting), GROUP)


def take_in(tx: Tx, reception: Reception, read: Read) -> str:
    """Take one in, and keep what its group says now; gives what became of it."""
    told = read.notification
    came = frozenset(alert.fingerprint for alert in (*told.firing, *told.resolved))
    unheard.arrived(tx.connection, Arrival(told.source, told.receiver, told.group_key, came), tx.now)
    if told.tester:
        return reception.tested(tx, told)
    outcome = reception.alertmanager(tx, told)
    alerts.keep_said(tx.connection, read.notification.source, read.notification.group_key, read.said)
    return outcome


def _end(waiting: _Waiting, result: Taken | Exception) -> None:
    if waiting.future.done():
        return
    if isinstance(result, Taken):
        waiting.future.set_result(result)
    else:
        waiting.future.set_exception(result)
        waiting.future.exception()  # a sender that went away leaves nobody to hear of it

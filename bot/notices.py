"""What the operators are told of webhooks: one that was refused, once with its fix; one that only tries the way."""

from __future__ import annotations

import asyncio
import time
from collections import Counter, defaultdict, deque
from collections.abc import Callable
from dataclasses import dataclass
from enum import StrEnum
from ipaddress import ip_address

import structlog

from bot.desk import Desk, operators_scope
from bot.errors import DatabaseUnavailable
from bot.incidents.model import Delivery
from bot.incidents.noticing import TESTS_APART, is_news
from bot.incidents.sources import is_alertmanager, name_of, spoken
from bot.store import notices
from bot.store.tx import Store, Tx

log = structlog.get_logger()

WRITES, WRITES_IN = 5, 60.0  # of one subject by one process in so many seconds: a flood of refusals costs nothing
WRITE_WITHIN = 2.0  # seconds that an answer waits for it; the sender comes again


class Reason(StrEnum):
    """Why a webhook was refused, or taken in only in part."""

    TOO_LARGE = "too_large"
    MALFORMED = "malformed"
    UNREAD = "unread"
    UNAUTHORIZED = "unauthorized"
    SIGNATURE = "bad_signature"
    WRONG_SOURCE = "wrong_source"
    BAD_SOURCE = "bad_source"
    OFF = "off"


@dataclass(frozen=True, slots=True)
class Refusal:
    """A webhook that was not taken in. Nothing of its body is in it: whoever sends it chooses that.

    `size` is in bytes, of which more may have come where it was not declared; `limit` is what is taken at most.
    `receipt` names the body where it was kept.
    """

    source: str
    reason: Reason
    sender: str = ""
    size: int = 0
    limit: int = 0
    receipt: str = ""
    declared: bool = True


class Refusals:
    """Tells the operators of refused webhooks, once over all replicas, whatever comes."""

    def __init__(self, store: Store, desk: Desk, clock: Callable[[], float] = time.monotonic) -> None:
        self._store = store
        self._desk = desk
        self._clock = clock
        self._written: defaultdict[tuple[str, Reason], deque[float]] = defaultdict(lambda: deque(maxlen=WRITES))
        self._waiting: Counter[tuple[str, Reason]] = Counter()

    async def note(self, refusal: Refusal) -> None:
        """Count a refusal, and have the operators told where they have not been; it waits 2 s at most."""
        subject = (refusal.source, refusal.reason)
        self._waiting[subject] += 1
        written, now = self._written[subject], self._clock()
        if len(written) == WRITES and now - written[0] < WRITES_IN:
            return
        written.append(now)
        count = self._waiting.pop(subject)
        try:
            async with asyncio.timeout(WRITE_WITHIN):
                await self._store.write(lambda tx: self._note(tx, refusal, count))
        except (DatabaseUnavailable, TimeoutError) as error:
            # It may have been written all the same: then the number is too high, which misleads nobody.
            self._waiting[subject] += count
            why = str(error) or type(error).__name__
            log.warning("refusal_not_noted", source=refusal.source, reason=refusal.reason.value, why=why)

    def _note(self, tx: Tx, refusal: Refusal, count: int) -> None:
        known = notices.take(tx.connection, f"refused {refusal.reason.value} {refusal.source}")
        well = bool(known.told) and notices.was_well(tx.connection, refusal.source, known.told[-1])
        if not is_news(known.told, tx.now, well_since=well):
            notices.keep(tx.connection, known.id, known.told, known.count + count)
            return
        notices.keep(tx.connection, known.id, [*known.told, tx.now], 0)
        text = told(refusal)
        if known.count:
            text += f" Further cases since {known.told[-1]:%Y-%m-%d %H:%M} UTC: {known.count:,}."
        log.error("webhook_refused", source=refusal.source, reason=refusal.reason.value, what=text)
        scope = operators_scope(f"notice:{known.id}")
        self._desk.post(tx, scope, Delivery("operators", "operators", "operators", {"text": text}))


def tested(tx: Tx, desk: Desk, source: str, tester: str) -> str:
    """Say in the operators' channel that a test has arrived, at most once a minute; returns what became of it."""
    known = notices.take(tx.connection, f"tested {source}")
    if known.told and tx.now - known.told[-1] < TESTS_APART:
        notices.keep(tx.connection, known.id, known.told, known.count + 1)
        return "test"
    notices.keep(tx.connection, known.id, [*known.told, tx.now], 0)
    named = f' for the source "{name_of(source)}"' if name_of(source) else ""
    more = f" Tests in the minute after the last notice: {known.count:,}." if known.count else ""
    text = f"{tester}'s test notification arrived{named} at {tx.now:%H:%M:%S} UTC. A test opens no incident.{more}"
    facts = {"text": text, "mark": ":white_check_mark:"}
    desk.post(tx, operators_scope(f"notice:{known.id}"), Delivery("operators", "operators", "operators", facts))
    return "test"


def told(refusal: Refusal) -> str:
    """Say what was refused, what that means, and what to do."""
    who = spoken(refusal.source)
    hint = ", ".join(part for part in [_address(refusal.sender), _size(refusal)] if part)
    return f"{_HAPPENED[refusal.reason].format(who=who, hint=hint and f' ({hint})')} {_fix(refusal)}"


_HAPPENED = {
    Reason.TOO_LARGE: "Rejected a webhook from {who} with 413{hint}: it is too large. Its alerts were not processed.",
    Reason.MALFORMED: "Rejected a webhook from {who} with 400{hint}: it can't be read. It was not processed.",
    Reason.UNREAD: "Skipped alerts of a webhook from {who}{hint}: they can't be read. The others were processed.",
    Reason.UNAUTHORIZED: "Rejected a webhook from {who} with 401{hint}: wrong token. Its alerts were not processed.",
    Reason.SIGNATURE: "Rejected a webhook from {who} with 401{hint}: wrong signature. Its event was not processed.",
    Reason.WRONG_SOURCE: "Rejected a webhook from {who} with 401{hint}: the token belongs to another source.",
    Reason.BAD_SOURCE: "Rejected a webhook from {who} with 404{hint}: the path does not name a valid source.",
    Reason.OFF: "Rejected a webhook from {who} with 503{hint}: the integration is off. It was not processed.",
}


def _fix(refusal: Refusal) -> str:
    if refusal.reason is Reason.TOO_LARGE:
        if not is_alertmanager(refusal.source):
            return f"The limit is {_bytes(refusal.limit)}. Check who sends it."
        return (
            "Set `max_alerts` in Alertmanager's webhook_configs (deploy/alertmanager.yml has it), or raise "
            f"SITREP_MAX_BODY (now {_bytes(refusal.limit)})."
        )
    if refusal.reason in {Reason.MALFORMED, Reason.UNREAD}:
        look = f": `sitrep inbox show {refusal.receipt}`" if refusal.receipt else ""
        return f"Check what was sent and fix the sender{look}."
    if refusal.reason is Reason.OFF:
        variable = "ALERTMANAGER_WEBHOOK_TOKEN" if is_alertmanager(refusal.source) else "PAGERDUTY_WEBHOOK_SECRETS"
        return f"Set {variable} and restart, or stop the sender."
    return _FIXES[refusal.reason]


_FIXES = {
    Reason.UNAUTHORIZED: "Give the sender the token in ALERTMANAGER_WEBHOOK_TOKEN, as Bearer or as Basic password.",
    Reason.SIGNATURE: (
        "Set PAGERDUTY_WEBHOOK_SECRETS to the signing secret of the webhook subscription. After three refusals in a "
        "row PagerDuty turns the subscription off for a day: turn it on again there."
    ),
    Reason.WRONG_SOURCE: (
        "Give the sender the token of the source in its path, or change the path to the source of its token."
    ),
    Reason.BAD_SOURCE: (
        "Send it to /webhooks/alertmanager/<source>; a source is up to 32 characters of a-z, 0-9, - and _."
    ),
}


def _address(sender: str) -> str:
    try:
        return f"from {ip_address(sender)}"
    except ValueError:
        return ""


def _size(refusal: Refusal) -> str:
    if not refusal.size:
        return ""
    return f"{'' if refusal.declared else 'more than '}{refusal.size:,} bytes"


def _bytes(number: int) -> str:
    return f"{number // 1024**2} MiB" if number % 1024**2 == 0 else f"{number:,} bytes"

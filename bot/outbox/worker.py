"""Sends a scope's deliveries: claims what is ready, sends it, saves what became of it."""

from __future__ import annotations

import asyncio
import random
from collections.abc import Awaitable, Callable, Mapping, Sequence
from datetime import timedelta
from typing import Any

import structlog

from bot import telemetry
from bot.desk import Desk, operators_scope
from bot.engine.port import Engine, Job, Work
from bot.errors import Ambiguous, OutwardError, Permanent, Retryable
from bot.incidents import commands as c
from bot.incidents.model import Delivery
from bot.outbox.order import plan
from bot.store import deliveries
from bot.store.deliveries import Outgoing, State
from bot.store.tx import Store, Tx

log = structlog.get_logger()

BACKOFF_MAX = 60.0  # seconds
LOOK_AGAIN = 1.0  # seconds
GIVE_UP_AFTER = timedelta(hours=24)

# The timeline hears of these; the others are seen in Slack itself.
TOLD = frozenset({"channel", "runbook", "page", "notification"})

Send = Callable[[Outgoing], Awaitable[Mapping[str, Any]]]
Outcome = Mapping[str, Any] | OutwardError | None


class Superseded(Exception):  # noqa: N818 - an outcome, not an error
    """There is nothing to send any more."""


class Outbox:
    """Runs deliveries. One `run` at a time for a scope: the engine's lanes see to that."""

    def __init__(self, store: Store, desk: Desk, engine: Engine, send: Send) -> None:
        self._store = store
        self._desk = desk
        self._engine = engine
        self._send = send
        self._stopping = False

    def stop(self) -> None:
        """Begin nothing new; what is on its way is finished and saved."""
        self._stopping = True

    async def run(self, scope: str) -> None:
        """Send everything in a scope that is ready, until nothing is."""
        under_way: dict[asyncio.Task[Outcome], Outgoing] = {}
        finished: list[tuple[Outgoing, Outcome]] = []
        try:
            while True:
                settled, busy = finished, {row.id for row in under_way.values()}
                finished = []
                claimed = await self._store.write(lambda tx, s=settled, b=busy: self._step(tx, scope, s, b))  # type: ignore[misc]
                for row in claimed:
                    under_way[asyncio.create_task(self._attempt(row))] = row
                if not under_way:
                    return
                # Looks again each second: a page that came meanwhile must not wait for a call that hangs.
                done, _ = await asyncio.wait(under_way, timeout=LOOK_AGAIN, return_when=asyncio.FIRST_COMPLETED)
                finished = [(under_way.pop(task), task.result()) for task in done]
        finally:
            for task in under_way:
                task.cancel()

    async def _attempt(self, row: Outgoing) -> Outcome:
        try:
            return dict(await self._send(row))
        except OutwardError as error:
            return error
        except Superseded:
            return None
        except Exception as error:
            log.exception("delivery_broken", delivery=row.key)
            return Permanent("defect", "Report it with the log of this moment.", f"{type(error).__name__}: {error}")

    def _step(self, tx: Tx, scope: str, settled: Sequence[tuple[Outgoing, Outcome]], busy: set[int]) -> list[Outgoing]:
        """Save outcomes and claim what has become ready, in one transaction."""
        for row, outcome in settled:
            self._settle(tx, row, outcome)
        if self._stopping:
            return []
        rows = deliveries.unfinished(tx.connection, scope)
        named = {slot for row in rows for slot in (*row.needs, *row.after)}
        states = {row.slot: row.state for row in deliveries.by_slots(tx.connection, scope, named)}
        todo = plan(rows, states, busy, tx.now)
        for row in todo.hopeless:
            deliveries.finish(tx.connection, row.id, State.SUPERSEDED, tx.now, error="what it needs is not there")
        claimed = [row for row in todo.ready if deliveries.claim(tx.connection, row, tx.now)]
        if todo.next_at is not None and not claimed and not busy:
            self._engine.enqueue(tx, Job(Work.DELIVERIES, scope), todo.next_at)
        return claimed

    def _settle(self, tx: Tx, row: Outgoing, outcome: Outcome) -> None:
        if outcome is None:
            telemetry.DELIVERIES.labels(row.kind, "superseded").inc()
            deliveries.finish(tx.connection, row.id, State.SUPERSEDED, tx.now)
        elif not isinstance(outcome, OutwardError):
            telemetry.DELIVERIES.labels(row.kind, "delivered").inc()
            deliveries.finish(tx.connection, row.id, State.DELIVERED, tx.now, result=outcome)
            if row.incident_id is not None and row.kind in TOLD:
                self._desk.apply(tx, row.scope, c.Delivered(row.kind, row.slot, dict(outcome), dict(row.data)))
        elif isinstance(outcome, Permanent) or tx.now - row.created_at > GIVE_UP_AFTER:
            telemetry.DELIVERIES.labels(row.kind, outcome.reason).inc()
            self._fail(tx, row, outcome)
        else:
            telemetry.DELIVERIES.labels(row.kind, outcome.reason).inc()
            state = State.UNKNOWN if isinstance(outcome, Ambiguous) or row.tried else State.PENDING
            wait = (
                outcome.after if isinstance(outcome, Retryable) and outcome.after is not None else backoff(row.attempts)
            )
            log.warning("delivery_postponed", delivery=row.key, reason=str(outcome), seconds=round(wait, 1))
            deliveries.postpone(tx.connection, row.id, state, tx.now + timedelta(seconds=wait), str(outcome))

    def _fail(self, tx: Tx, row: Outgoing, outcome: OutwardError) -> None:
        fix = outcome.fix if isinstance(outcome, Permanent) else "Check that the service can be reached."
        log.error("delivery_failed", delivery=row.key, reason=str(outcome), fix=fix)
        deliveries.finish(tx.connection, row.id, State.FAILED, tx.now, error=str(outcome))
        if row.incident_id is not None:
            facts = {k: v for k, v in row.data.items() if k in {"level", "name", "people", "has_thread"}}
            self._desk.apply(tx, row.scope, c.DeliveryFailed(row.kind, row.slot, str(outcome), fix, facts))
        if row.kind not in {"operators", "whisper"}:
            what = row.kind.replace("_", " ")
            text = f"Could not deliver the {what} of {row.scope}: {outcome}. {fix}"
            self._desk.post(
                tx, operators_scope(row.id), Delivery("operators", "operators", "operators", {"text": text})
            )


def backoff(attempts: int) -> float:
    """Seconds until the next attempt: doubling, with jitter so that many do not come back at once."""
    return float(min(2.0 ** min(attempts, 6), BACKOFF_MAX) * random.uniform(0.5, 1.0))  # noqa: S311 - no secret

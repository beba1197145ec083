"""Sends a scope's deliveries: claims what is ready when its turn has come, sends it, saves what became of it."""

from __future__ import annotations

import asyncio
import random
import time
from collections.abc import Awaitable, Callable, Iterable, Mapping, Sequence
from datetime import timedelta
from typing import Any

import structlog

from bot import lease, telemetry
from bot.desk import Desk, operators_scope
from bot.engine.port import Engine, Job, Work
from bot.errors import Ambiguous, DatabaseUnavailable, OutwardError, Permanent, Retryable
from bot.incidents import commands as c
from bot.incidents.asking import BY
from bot.incidents.model import PAGE_LANES, Delivery
from bot.lease import LeaseLost
from bot.outbox import missing, readiness, revival
from bot.outbox.claims import Claims
from bot.outbox.gate import TURN, Gate, priority
from bot.outbox.order import plan
from bot.outbox.presence import Presence
from bot.outbox.shut import ChannelShut, MessageGone
from bot.slack.faults import LOCKED_OUT, words
from bot.slack.throttles import Throttles
from bot.store import deliveries, lateness, outbox_admin, throttles
from bot.store.deliveries import Outgoing, State
from bot.store.tx import Store, Tx

log = structlog.get_logger()

BACKOFF_MAX = 60.0  # seconds
LOOK_AGAIN = 1.0  # seconds
TOGETHER = 0.005  # seconds
SPARE = 10  # a look that took long is repeated after so many times as long: many scopes look
GIVE_UP_AFTER = timedelta(hours=24)
SPREAD = 0.1  # of a wait that was asked for, at most `SPREAD_MAX` seconds: many do not come back at once
SPREAD_MAX = 3.0

# The timeline hears of these; the others are seen in Slack itself.
TOLD = frozenset(
    {
        "channel",
        "channel_check",
        "unarchive",
        "runbook",
        "page",
        "page_pagerduty",
        "notification",
        "suggest_resolve",
    }
)

# Whoever these mention is not reached where they cannot go out.
PAGES = frozenset({"page", "notification"})

# What the timeline keeps of a delivery that failed.
FACTS = frozenset({"level", "name", "people", "has_thread", BY})

# Given a delivery and the moment, by the monotonic clock, after which what it shows is read.
Send = Callable[[Outgoing, float], Awaitable[Mapping[str, Any]]]


class PassedBy(Exception):  # noqa: N818 - an outcome, not an error
    """When its turn came, another process had got there first, or it was to be sent no more."""


Outcome = Mapping[str, Any] | OutwardError | LeaseLost | PassedBy | None


class Superseded(Exception):  # noqa: N818 - an outcome, not an error
    """There is nothing to send any more."""


class Outbox:
    """Runs deliveries. The engine's lanes keep runs of a scope apart; where two meet all the same, claims decide."""

    def __init__(
        self, store: Store, desk: Desk, engine: Engine, send: Send, *, presence: Presence, known: Throttles, pace: Gate
    ) -> None:
        self._store = store
        self._desk = desk
        self._engine = engine
        self._send = send
        self._presence = presence
        self._throttles = known
        self._gate = Gate()
        self._claims = Claims(store)
        self._pace = pace
        # Whoever has reserved a delivery sees it through; by its token, for writers' threads reserve side by side.
        self._in_flight: dict[int, object] = {}
        self._claimed: set[int] = set()
        self._cut_short: list[Outgoing] = []
        self._stopping = False

    def stop(self) -> None:
        """Begin nothing new; what is on its way is finished and saved."""
        self._stopping = True

    async def close(self) -> None:
        """Leave what a stop has cut short to another replica; the next start of an only one looks for itself."""
        rows = self._cut_short if self._engine.remembers else []
        stopped = Ambiguous("stopped", "the process was stopped before an answer came")

        def work(tx: Tx) -> None:
            for row in rows:
                self._postpone(tx, row, stopped)

        if rows:
            try:
                await self._store.write(work)
            except DatabaseUnavailable as error:
                log.warning("handing_back_failed", reason=str(error))

    async def run(self, job: Job) -> None:
        """Send everything in a scope that is ready, until nothing is; for pages, only what their lanes hold."""
        under_way: dict[asyncio.Task[Outcome], Outgoing] = {}
        finished: list[tuple[Outgoing, Outcome]] = []
        try:
            while True:
                settled, finished = finished, []
                looked_at = time.monotonic()
                ready, since = await self._take(job, settled), time.monotonic()
                for row in ready:
                    under_way[asyncio.create_task(self._attempt(row, since))] = row
                if not under_way:
                    if any(isinstance(outcome, PassedBy) for _, outcome in settled):
                        continue  # was it let go a moment ago, it may be free now
                    return
                # Looks again each second: what came meanwhile must not wait for a call that hangs.
                wait = max(LOOK_AGAIN, SPARE * (time.monotonic() - looked_at))
                done, left = await asyncio.wait(under_way, timeout=wait, return_when=asyncio.FIRST_COMPLETED)
                if done and left:
                    # What began together ends together: one look for all of it.
                    done |= (await asyncio.wait(left, timeout=TOGETHER))[0]
                finished = [(under_way.pop(task), task.result()) for task in done]
        finally:
            if self._stopping:
                self._cut_short += [row for row in under_way.values() if row.id in self._claimed]
            for task in under_way:
                task.cancel()
            self._let_go([*under_way.values(), *(row for row, _ in finished)])

    def _let_go(self, rows: Iterable[Outgoing]) -> None:
        for row in rows:
            self._in_flight.pop(row.id, None)
            self._claimed.discard(row.id)

    async def _take(self, job: Job, settled: Sequence[tuple[Outgoing, Outcome]]) -> list[Outgoing]:
        taken: list[Outgoing] = []
        try:
            async with self._pace.enter(TURN[job.work]):
                await self._store.write(lambda tx: self._step(tx, job, settled, taken))
        except BaseException:
            self._let_go(taken)
            raise
        finally:
            self._let_go(row for row, _ in settled)
        return taken

    async def _attempt(self, row: Outgoing, since: float) -> Outcome:
        try:
            async with self._gate.enter(priority(row.kind)):
                # Not before: what dies here while it waits for its turn has surely not happened.
                me = self._presence.id
                lease.hold(lambda: self._presence.holds(me))
                if self._stopping or not await self._claim(row, me):
                    return PassedBy()
                lease.check()
                return dict(await self._send(row, since))
        except (OutwardError, LeaseLost) as error:
            return error
        except Superseded:
            return None
        except DatabaseUnavailable as error:  # what it shows could not be read; a call before may have been made
            return Ambiguous("database_unavailable", str(error))
        except Exception as error:
            log.exception("delivery_broken", delivery=row.key)
            return Permanent(
                "defect", "Report this bug, with Sitrep's log from this time.", f"{type(error).__name__}: {error}"
            )

    async def _claim(self, row: Outgoing, me: str) -> bool:
        ours = await self._claims.take(row, me)
        if ours:
            self._claimed.add(row.id)
        return ours

    def _step(self, tx: Tx, job: Job, settled: Sequence[tuple[Outgoing, Outcome]], taken: list[Outgoing]) -> None:
        """Save outcomes and reserve what has become ready, in one transaction."""
        tx.inside = job
        self._let_go(taken)  # a second try of this unit of work begins anew
        taken.clear()
        for row, outcome in settled:
            self._settle(tx, row, outcome)
        if self._stopping:
            self._hand_back(tx, job)
            return
        self._throttles.learn(throttles.active(tx.connection, tx.now))
        rows = deliveries.unfinished(tx.connection, job.scope)
        named = {slot for row in rows for slot in (*row.needs, *row.after)}
        states = deliveries.states(tx.connection, job.scope, named)
        todo = plan(rows, states, self._held(tx, rows), tx.now)
        for row in todo.hopeless:
            ours = deliveries.give_up(tx.connection, row, tx.now, outbox_admin.HOPELESS)
            if ours and row.incident_id is not None and row.kind in PAGES:
                facts = {"level": 1, **row.data}
                fix = "Fix the earlier failure first."
                lost = c.PageLost(row.kind, row.slot, outbox_admin.HOPELESS, fix, facts, homeless=True)
                self._desk.apply(tx, row.scope, lost)
        for row in todo.ready:
            if job.work is Work.PAGES and row.lane not in PAGE_LANES:
                continue
            if self._in_flight.setdefault(row.id, taken) is taken:
                taken.append(row)

    def _hand_back(self, tx: Tx, job: Job) -> None:
        """Leave the rest of a scope to another replica, or to the next start, which looks for itself."""
        if self._engine.remembers and deliveries.unfinished(tx.connection, job.scope):
            self._engine.enqueue(tx, job, tx.now)

    def _held(self, tx: Tx, rows: Sequence[Outgoing]) -> set[int]:
        """Give the ids of what is on its way, here or in another replica that lives."""
        sending = [row for row in rows if row.state is State.SENDING]
        if not sending:
            return set()
        alive, me = self._presence.alive(tx), self._presence.id
        return {
            row.id for row in sending if row.id in self._in_flight or (row.claimed_by in alive and row.claimed_by != me)
        }

    def _settle(self, tx: Tx, row: Outgoing, outcome: Outcome) -> None:
        if isinstance(outcome, PassedBy):
            return
        if isinstance(outcome, LeaseLost):
            log.warning("lease_lost", delivery=row.key)
            outcome = Ambiguous("lease_lost", str(outcome))  # a call before the last may have been made
        if outcome is None:
            tx.on_commit(telemetry.DELIVERIES.labels(row.kind, "superseded").inc)
            deliveries.finish(tx.connection, row, State.SUPERSEDED, tx.now)
        elif not isinstance(outcome, OutwardError):
            tx.on_commit(telemetry.DELIVERIES.labels(row.kind, "delivered").inc)
            ours = deliveries.finish(tx.connection, row, State.DELIVERED, tx.now, result=outcome)
            if ours:
                readiness.note(tx, row)
                revival.bring_back(tx, row)
            if ours and row.incident_id is not None and (row.kind in TOLD or outcome.get("problems")):
                self._desk.apply(tx, row.scope, c.Delivered(row.kind, row.slot, dict(outcome), dict(row.data)))
            if ours and row.incident_id is not None and outcome.get("renamed"):
                self._desk.apply(tx, row.scope, c.ChannelNamed(str(outcome["renamed"])))
            if ours and row.incident_id is not None and lateness.was_held_up(row, tx.now):
                self._desk.refresh(tx, row.scope)  # the card says from when until when
        elif isinstance(outcome, (ChannelShut, MessageGone)) and row.incident_id is not None:
            tx.on_commit(telemetry.DELIVERIES.labels(row.kind, telemetry.reason(outcome.reason)).inc)
            self._move(tx, row, outcome)
        elif self._is_final(tx, row, outcome):
            tx.on_commit(telemetry.DELIVERIES.labels(row.kind, telemetry.reason(outcome.reason)).inc)
            self._fail(tx, row, outcome)
        else:
            tx.on_commit(telemetry.DELIVERIES.labels(row.kind, telemetry.reason(outcome.reason)).inc)
            self._postpone(tx, row, outcome)

    def _move(self, tx: Tx, row: Outgoing, outcome: ChannelShut | MessageGone) -> None:
        """Have what was to be said go on where it can be read, once that is there; drop an edit of what is gone."""
        said = outcome.said
        # Ended or put off first: what is decided below must not take it for one that is still on its way.
        if not said:
            ours = deliveries.finish(tx.connection, row, State.SUPERSEDED, tx.now, error=str(outcome))
        else:
            state = State.UNKNOWN if row.tried else State.PENDING
            ours = deliveries.postpone(tx.connection, row, state, tx.now, str(outcome), failed=False)
        if not ours:
            return
        log.warning("delivery_moved", delivery=row.key, reason=str(outcome))
        if isinstance(outcome, MessageGone):
            for gone in outcome.rows:
                missing.post_again(tx, self._desk, gone)
        else:
            paging = any(each.kind in PAGES for each in deliveries.unfinished(tx.connection, row.scope))
            shut = c.ChannelShut(outcome.reason, outcome.channel, said=said, paging=paging)
            self._desk.apply(tx, row.scope, shut)
        if said:
            work = Work.PAGES if row.lane in PAGE_LANES else Work.DELIVERIES
            self._engine.enqueue(tx, Job(work, row.scope), tx.now)

    def _is_final(self, tx: Tx, row: Outgoing, outcome: OutwardError) -> bool:
        # Whoever mends what keeps the operators' channel shut must still find in it what failed meanwhile.
        refused = isinstance(outcome, Permanent) and row.kind != "operators"
        return refused or (row.tried_at is not None and tx.now - row.tried_at > GIVE_UP_AFTER)

    def _postpone(self, tx: Tx, row: Outgoing, outcome: OutwardError) -> None:
        state = State.UNKNOWN if isinstance(outcome, Ambiguous) or row.tried else State.PENDING
        wait, failed = backoff(row.failures), True
        if isinstance(outcome, Retryable) and outcome.after is not None:
            failed = False  # it was told to wait
            wait = outcome.after + random.uniform(0, min(outcome.after * SPREAD, SPREAD_MAX))  # noqa: S311 - no secret
            if outcome.throttle:
                throttles.put(tx.connection, outcome.throttle, tx.now + timedelta(seconds=outcome.after))
        next_at = tx.now + timedelta(seconds=wait)
        if deliveries.postpone(tx.connection, row, state, next_at, str(outcome), failed=failed):
            log.warning("delivery_postponed", delivery=row.key, reason=str(outcome), seconds=round(wait, 1))
            # One wake-up for each that waits; more would multiply while Slack is down.
            work = Work.PAGES if row.lane in PAGE_LANES else Work.DELIVERIES
            self._engine.enqueue(tx, Job(work, row.scope), next_at)

    def _fail(self, tx: Tx, row: Outgoing, outcome: OutwardError) -> None:
        fix = outcome.fix if isinstance(outcome, Permanent) else "Check that Sitrep can reach Slack and PagerDuty."
        if not deliveries.finish(tx.connection, row, State.FAILED, tx.now, error=str(outcome)):
            return
        log.error("delivery_failed", delivery=row.key, reason=str(outcome), fix=fix)
        tx.on_commit(telemetry.DELIVERIES_FAILED.labels(row.kind).inc)
        maybe_done = row.tried or isinstance(outcome, Ambiguous) or outcome.reason == "defect"
        outbox_admin.note_failure(tx.connection, row.id, fix, maybe_done=maybe_done)
        known = deliveries.failed_alike(tx.connection, row, str(outcome))
        if row.incident_id is not None and not (known and row.coalesce):  # an edit fails as the one before it did
            facts = {k: v for k, v in row.data.items() if k in FACTS}
            failed = c.DeliveryFailed(row.kind, row.slot, str(outcome), fix, facts, words(outcome))
            self._desk.apply(tx, row.scope, failed)
        is_theirs = BY in row.data and outcome.reason in {"invite_failed", "nobody_found"}  # whoever asked is told
        if row.kind not in {"operators", "whisper"} and not known and not is_theirs:
            self._alert(tx, row, outcome, fix)

    def _alert(self, tx: Tx, row: Outgoing, outcome: OutwardError, fix: str) -> None:
        """Tell the operators; that nothing gets through at all is told once, not of everything that fails for it."""
        subject: int | str = row.id
        why = words(outcome).rstrip(".")
        text = f"Could not deliver the {row.kind.replace('_', ' ')} of {row.scope}: {why}. {fix}".rstrip()
        if outcome.reason in LOCKED_OUT:
            subject = outcome.reason
            if deliveries.unfinished(tx.connection, operators_scope(subject)):
                return
            text = f"Slack refused the bot: {why}. {fix} What failed: `sitrep outbox list --failed`."
        self._desk.post(tx, operators_scope(subject), Delivery("operators", "operators", "operators", {"text": text}))


def backoff(failures: int) -> float:
    """Seconds until the next attempt: doubling, with jitter so that many do not come back at once."""
    return float(min(2.0 ** min(failures, 6), BACKOFF_MAX) * random.uniform(0.5, 1.0))  # noqa: S311 - no secret

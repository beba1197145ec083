"""Sends what is shown of runbooks: their pages, their ticks, the changes that they have led to."""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable, Mapping, Sequence
from dataclasses import replace
from functools import partial

import structlog

from bot import board as boards
from bot.board import Board
from bot.errors import OutwardError
from bot.evidence import KEPT, evidence
from bot.incidents.model import Refused
from bot.incidents.runs import Mitigation, Run, run_of
from bot.incidents.sources import PAGERDUTY
from bot.outbox.call import Call, Result
from bot.outbox.worker import Superseded
from bot.pagerduty import details
from bot.runbooks.catalog import Catalog
from bot.runbooks.match import Match, better, rank
from bot.runbooks.minimum import GENERAL_ID
from bot.runbooks.model import Book, Checklist
from bot.running import NAMED
from bot.slack import messages
from bot.slack import runbook as shown
from bot.slack.messages import Message
from bot.slack.runbook import Sheet
from bot.store import alerts
from bot.store.tx import Tx

log = structlog.get_logger()

LOOK = 2.0  # seconds that PagerDuty gets to say what its alerts are about; the runbook waits no longer
INCIDENTS = 3  # of PagerDuty's that are asked about at a time


def best_of(catalog: Catalog, board: Board, found: Sequence[Match]) -> Match:
    """Give the runbook to post first: the one that the incident names, else the surest of those that match."""
    named = catalog.get(board.incident.runbook_id) if board.incident.runbook_id else None
    return found[0] if named is None else Match(named, NAMED)


async def next_step(call: Call) -> str:
    """Name the next step of the incident's runbook, in mrkdwn; empty where there is none."""
    run = call.board.incident.run
    if run is None or run.next_step is None:
        return ""
    step = (await _posted(call, run)).steps[run.next_step - 1]
    return f"*{step.number}.* {shown.brief(step, run.facts, shown.SHORT)}"


async def _runbook(call: Call) -> Result:
    """Post what somebody asked for, else the best runbook that matches; what is posted is kept before.

    The first one of a channel has the checklist of the first minutes beside it.
    """
    catalog, asked = call.tools.catalog, call.row.data
    book = catalog.book(str(asked["book"])) if "book" in asked else None
    if asked.get("moved") and await _is_here(call, str(asked["book"])):
        raise Superseded
    if isinstance(book, Checklist):
        return await _listed(call, book, str(asked["reason"]))
    if book is None:
        call = await _with_details(call)
    found = _found(call)
    best = best_of(catalog, call.board, found) if book is None else Match(book, str(asked["reason"]))
    run = await _begin(call, best.runbook, best.reason)
    if asked.get("first"):
        await _begin(call, catalog.checklist)
    posted = await call.post(await _page(await call.anew(), run, found))
    reason = best.reason if book is not None else run.reason
    return {**posted, **_told(run, reason)}


async def _is_here(call: Call, book: str) -> bool:
    """Say whether a runbook's message is in the incident's place already, posted while the place changed."""
    run = run_of(call.board.incident.runs, book)
    row = await call.there(run.slot) if run is not None and run.slot != call.row.slot else None
    return row is not None and row.result["channel"] == call.place()[0]


async def _rematch(call: Call) -> Result:
    """Compare the posted runbook with those of alerts that joined later; a better one goes out by itself."""
    incident = call.board.incident
    if incident.run is None or not incident.status.is_open:
        raise Superseded
    call = await _with_details(call)
    found, run = _found(call), incident.run
    fitting = better(found, run.book)
    if fitting is not None:
        await call.tools.store.write(lambda tx: call.tools.runner.fit(tx, call.board, fitting))
        return {"book": fitting.runbook.id}
    if all(each.runbook.id in {run.book, GENERAL_ID} for each in found):
        raise Superseded
    return await _edit(call, run)  # so that it names those that match as well


async def _offer(call: Call) -> Result:
    """Offer a runbook, unless somebody has taken it meanwhile."""
    incident, data = call.board.incident, call.row.data
    if run_of(incident.runs, str(data["book"])) is not None:
        raise Superseded
    return await call.post(shown.offer(incident, data, call.tools.slack.command))


async def _with_details(call: Call) -> Call:
    """Ask PagerDuty what the alerts of its incidents say, once each; without an answer go on with what is known."""
    client = call.tools.paging.client
    keys = {each.alert.group_key for each in call.board.alerts if each.alert.source == PAGERDUTY}
    groups = [group for group in call.board.groups if group.source == PAGERDUTY and group.key in keys]
    wanted = [group for group in groups if KEPT not in group.data]
    if not client.has_api or not wanted:
        return call
    told: dict[int, list[tuple[dict[str, str], dict[str, str]]]] = {}
    try:
        async with asyncio.timeout(LOOK):
            for group in wanted[:INCIDENTS]:
                told[group.id] = [details.facts_of(alert) for alert in await client.alerts_of(group.key, within=LOOK)]
    except (OutwardError, TimeoutError) as error:
        log.warning("pagerduty_alerts_unknown", delivery=call.row.key, reason=str(error) or f"no answer in {LOOK:g} s")
    if not told:
        return call

    def keep(tx: Tx) -> Board | None:
        for group_id, facts in told.items():
            alerts.add_facts(tx.connection, group_id, {KEPT: facts})
        return boards.load(tx.connection, call.row.scope)

    return replace(call, maybe_board=await call.tools.store.write(keep))


async def _listed(call: Call, book: Checklist, reason: str) -> Result:
    run = await _begin(call, book, reason)
    return {**await call.post(await _message(call, run)), **_told(run, reason)}


def _told(run: Run, reason: str) -> Result:
    """Give what the timeline says of what was posted."""
    return {"runbook_id": run.book, "version": run.version, "reason": reason, "ticked": sorted(run.ticks)}


async def _checklist(call: Call) -> Result:
    run = await _begin(call, call.tools.catalog.checklist)
    return await call.post(await _message(call, run))


async def _refresh_runbook(call: Call) -> Result:
    return await _edit(call, call.board.incident.run)


async def _refresh_checklist(call: Call) -> Result:
    """Have each checklist of the incident show what has been done: edits that wait are one, whichever it was for."""
    edited = False
    incident = call.board.incident
    for run in [run for run in incident.runs if run.checklist and run != incident.beside]:
        if await call.there(run.slot) is not None:
            await _edit(call, run)
            edited = True
    if not edited:
        raise Superseded
    return {}


async def _fold(call: Call) -> Result:
    """Shorten a message whose runbook goes on in another; where that one never came it stays as it is."""
    incident, slot = call.board.incident, str(call.row.data["slot"])
    run = run_of(incident.runs, str(call.row.data["book"]))
    live = run if run is not None and run.checklist else incident.run
    if run is None or live is None or live.slot == slot or await call.there(live.slot) is None:
        raise Superseded
    return await call.replace(slot, shown.folded(incident, run))


async def _mitigation(call: Call) -> Result:
    made = _in_place(call)
    return await call.post(messages.mitigation(call.board.incident, made))


async def _rollback_due(call: Call) -> Result:
    made = _in_place(call)
    return await call.post(messages.rollback_due(call.board.incident, made))


async def _end_message(call: Call) -> Result:
    """Let a message that asked for something say how it ended instead."""
    slot, text = str(call.row.data["slot"]), str(call.row.data["text"])
    if not call.row.data.get("brief"):
        return await call.replace(slot, messages.plain(text))
    return await call.replace(slot, messages.with_brief(text, (await call.anew(with_events=True)).board))


def _in_place(call: Call) -> Mitigation:
    made = next((m for m in call.board.incident.mitigations if m.id == call.row.data["mitigation"]), None)
    if made is None:
        raise Superseded
    return made


async def _begin(call: Call, book: Book, reason: str = "") -> Run:
    begin = partial(call.tools.runner.begin, board=call.board, book=book, slot=call.row.slot, reason=reason)
    return await call.tools.store.write(begin)


async def _edit(call: Call, run: Run | None) -> Result:
    if run is None:
        raise Superseded
    return await call.replace(run.slot, await _message(call, run))


def _found(call: Call) -> tuple[Match, ...]:
    board = call.board
    return rank(call.tools.catalog, evidence(board), board.incident.severity, board.incident.policy)


async def _message(call: Call, run: Run) -> Message:
    if run.checklist:
        return shown.checklist(await _sheet(call, run))
    return await _page(call, run, _found(call))


async def _page(call: Call, run: Run, found: Sequence[Match]) -> Message:
    others = [each for each in found if each.runbook.id not in {run.book, GENERAL_ID}]
    beside = call.board.incident.beside if run.book == call.board.incident.runbook_id else None
    first = await _sheet(call, beside) if beside else None
    return shown.runbook(await _sheet(call, run), others, call.tools.places, first)


async def _sheet(call: Call, run: Run) -> Sheet:
    runner, board = call.tools.runner, call.board
    return Sheet(
        incident=board.incident,
        run=run,
        book=await _posted(call, run),
        facts=runner.facts_for(board, run),
        meanings=call.tools.catalog.variables,
        dashboards=runner.site_of(board).dashboards,
    )


async def _posted(call: Call, run: Run) -> Book:
    """Give what a run is of; the database is asked only for versions that the catalog has no more."""
    runner = call.tools.runner
    if (book := runner.book_of(run)) is not None:
        return book
    try:
        return await call.tools.store.read(lambda c: runner.posted(c, run))
    except Refused as error:
        raise Superseded from error


SENDERS: Mapping[str, Callable[[Call], Awaitable[Result]]] = {
    "runbook": _runbook,
    "checklist": _checklist,
    "rematch_runbook": _rematch,
    "runbook_offer": _offer,
    "refresh_runbook": _refresh_runbook,
    "refresh_checklist": _refresh_checklist,
    "fold_runbook": _fold,
    "mitigation": _mitigation,
    "rollback_due": _rollback_due,
    "end_message": _end_message,
}

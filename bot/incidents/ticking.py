"""Ticks of steps: what an act has done, and what runbook and checklist have in common. Pure."""

from __future__ import annotations

from dataclasses import replace

from bot.incidents.draft import Draft
from bot.incidents.model import Actor, Incident
from bot.incidents.runs import Done, Run, Tick, run_of


def acted(draft: Draft, point: str, actor: Actor) -> None:
    """Tick the steps that an act has done; the act itself is on the timeline."""
    for run in draft.incident.runs:
        number = run.points.get(point)
        if number is not None and number not in run.ticks:
            put(draft, run, number, Tick(Done.DONE, actor.id, actor.name, draft.now))


def caught_up(incident: Incident, run: Run) -> Run:
    """Return a run that begins, with what has been done before: by acts, and in runs that say the same."""
    by, lead = incident.acknowledged_by, incident.lead
    ticks = {}
    if by is not None and (number := run.points.get("acknowledge")):
        ticks[number] = Tick(Done.DONE, by.id, by.name, incident.acknowledged_at or run.posted_at)
    if lead is not None and (number := run.points.get("lead")):
        ticks[number] = Tick(Done.DONE, lead.id, lead.name, run.posted_at)
    for other in incident.runs:
        shared = {number: run.points[point] for point, number in other.points.items() if point in run.points}
        ticks |= {shared[number]: tick for number, tick in other.ticks.items() if number in shared}
    return replace(run, ticks=ticks)


def mark(draft: Draft, run: Run, number: int, tick: Tick | None) -> None:
    """Tick a step, or take its tick back, here and in the runs that say the same."""
    point = point_of(run, number)
    put(draft, run, number, tick)
    for other in draft.incident.runs:
        if other.book != run.book and (same := other.points.get(point)):
            put(draft, other, same, tick)
    draft.refresh_card()


def point_of(run: Run, number: int) -> str:
    """Return what a step has in common with steps that say the same."""
    return next((point for point, each in run.points.items() if each == number), "")


def put(draft: Draft, run: Run, number: int, tick: Tick | None) -> None:
    """Tick one step of one run, or take its tick back."""
    ticks = {known: each for known, each in run.ticks.items() if known != number}
    if tick is not None:
        ticks[number] = tick
    keep(draft, replace(run, ticks=ticks, page=None))
    draft.refresh_run(run)


def keep(draft: Draft, run: Run) -> None:
    """Keep a run as it stands."""
    runs = draft.incident.runs
    if run_of(runs, run.book) is None:
        draft.set(runs=(*runs, run))
    else:
        draft.set(runs=tuple(run if known.book == run.book else known for known in runs))

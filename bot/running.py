"""Works through runbooks: ties the posted version, what the incident knows, and who did what, in one transaction."""

from __future__ import annotations

from dataclasses import dataclass, field
from datetime import datetime
from functools import partial

from pydantic import ValidationError
from sqlalchemy import Connection

from bot import board as boards
from bot import telemetry
from bot.board import Board
from bot.desk import Desk
from bot.evidence import evidence
from bot.incidents import commands as c
from bot.incidents.checking import BY_HAND
from bot.incidents.model import Actor, Incident, Refused
from bot.incidents.runs import Run, run_of
from bot.runbooks.catalog import Catalog
from bot.runbooks.execution import durations
from bot.runbooks.facts import facts_of
from bot.runbooks.match import Match
from bot.runbooks.minimum import GENERAL_ID
from bot.runbooks.model import Book, Checklist, Kind, Runbook, Step
from bot.runbooks.render import render
from bot.runbooks.sites import NO_SITES, Site, Sites
from bot.store import deliveries, incidents, runbooks
from bot.store.deliveries import Outgoing
from bot.store.tx import Tx
from bot.text import clip, first_sentence

NAMED = "named by the incident"  # the reason of one that the incident came with, such as a storm's
FACT = 1000  # characters of a value that a run keeps
FOR_MATCHING = {"alerts", "symptom"}  # what leads to a runbook is no part of what was posted


@dataclass(frozen=True, slots=True)
class Place:
    """A step: of which incident (its number), which runbook or checklist (its id), counted from 1."""

    number: str
    book: str
    step: int


@dataclass(frozen=True, slots=True)
class Runner:
    """Starts runs and ticks their steps. `within` is how many seconds a change may stay that names no time itself."""

    desk: Desk
    catalog: Catalog
    within: int
    sites: Sites = NO_SITES
    kept: set[tuple[str, str]] = field(default_factory=set)  # versions that are in the database for sure

    def begin(self, tx: Tx, board: Board, book: Book, slot: str, reason: str = "") -> Run:
        """Keep what is about to be posted in a slot; one that has been posted before goes on, in its old version."""
        incident = board.incident
        version = (book.id, book.version)
        if version not in self.kept:
            document = book.model_dump(mode="json", exclude=FOR_MATCHING, exclude_none=True)
            runbooks.keep_version(tx.connection, *version, document)
            tx.on_commit(partial(self.kept.add, version))
        known = self._known(board, tx.now)
        run = Run(
            book=book.id,
            version=book.version,
            title=book.title,
            owner=book.owner_team or "",
            total=len(book.steps),
            slot=slot,
            posted_at=tx.now,
            reason=reason,
            facts={name: clip(value, FACT) for name, value in known.items()},
            checklist=isinstance(book, Checklist),
            points={step.key: step.number for step in book.steps},
        )
        after = self.desk.apply(tx, incident.number, c.StartRun(run))
        incident_id = incidents.identity(tx.connection, incident.number)
        if incident_id is not None and not run.checklist:
            runbooks.note_run(tx.connection, incident_id, book.id, tx.now)
        if run_of(incident.runs, book.id) is None:
            tx.on_commit(telemetry.RUNBOOK_RUNS.labels(book.id).inc)
        return run_of(after.runs, book.id) or run

    def facts_for(self, board: Board, run: Run) -> dict[str, str]:
        """Give what a run's commands are filled in with: what was known when it was posted, then what came later."""
        return {**self._known(board, run.posted_at), **run.facts}

    def site_of(self, board: Board) -> Site:
        """Give the site of an incident's alerts, else of its region."""
        return self.sites.site(evidence(board), board.incident.region)

    def _known(self, board: Board, now: datetime) -> dict[str, str]:
        """Give what the incident knows, and what its site says of the rest."""
        facts = facts_of(board.incident, evidence(board), now)
        return {**self.site_of(board).values, **facts}

    def book_of(self, run: Run) -> Book | None:
        """Give what a run is of, where the catalog still holds the version that was posted."""
        book = self.catalog.book(run.book)
        return book if book is not None and book.version == run.version else None

    def posted(self, connection: Connection, run: Run) -> Book:
        """Give what a run is of, in the version that was posted.

        Raises:
            Refused: that version is not in the database.
        """
        book = self.book_of(run)
        if book is not None:
            return book
        document = runbooks.version_of(connection, run.book, run.version)
        if document is None:
            raise Refused("no_version", f"Version {run.version} of {run.book} is not kept. Post the runbook again.")
        model = Checklist if run.checklist else Runbook
        try:  # a newer replica may have kept more than this one knows
            return model.model_validate({key: value for key, value in document.items() if key in model.model_fields})
        except ValidationError as error:
            raise Refused(
                "no_version", f"Version {run.version} of {run.book} cannot be read. Post it again."
            ) from error

    def fit(self, tx: Tx, board: Board, found: Match) -> None:
        """Post or offer a runbook that fits better, once."""
        incident = board.incident
        run = incident.run
        asked = (*deliveries.of_kind(tx.connection, incident.number, "runbook_offer"), *self._under_way(tx, incident))
        if run is None or any(row.data.get("book") == found.runbook.id for row in asked):
            return
        by_itself = not run.reason.startswith((BY_HAND, NAMED))
        at_once = run.book == GENERAL_ID and by_itself
        book = found.runbook
        self.desk.apply(tx, incident.number, c.FitRunbook(book.id, book.title, found.alert, found.reason, at_once))

    def _under_way(self, tx: Tx, incident: Incident) -> list[Outgoing]:
        return [row for row in deliveries.unfinished(tx.connection, incident.number) if row.kind == "runbook"]

    def step(self, connection: Connection, board: Board, place: Place) -> tuple[Run, Step]:
        """Give a step of a runbook that is posted in an incident.

        Raises:
            Refused: it is not posted there, or has no such step.
        """
        run = run_of(board.incident.runs, place.book)
        if run is None:
            raise Refused("no_run", f"{place.book[:100]} is not posted in {board.incident.number}.")
        steps = self.posted(connection, run).steps
        if not 1 <= place.step <= len(steps):
            raise Refused("no_step", f"Give a step from 1 to {len(steps)}.")
        return run, steps[place.step - 1]

    def command(self, connection: Connection, place: Place) -> str:
        """Give a step's command as it is shown; empty where it has none.

        Raises:
            Refused: there is no such step.
        """
        board = board_of(connection, place.number)
        run, step = self.step(connection, board, place)
        return render(step.code or "", step.language, self.facts_for(board, run)).text

    def tick(
        self,
        tx: Tx,
        place: Place,
        actor: Actor,
        *,
        approved_by: str = "",
        command: str = "",
        ran: bool = False,
        occurred_at: datetime | None = None,
    ) -> Incident:
        """Tick a step, and keep the command as it was shown; with `ran` that one, or `command`, was run.

        Raises:
            Refused: it does not fit.
        """
        board = board_of(tx.connection, place.number)
        run, step = self.step(tx.connection, board, place)
        facts = self.facts_for(board, run)
        change = step.rollback if step.kind is Kind.REMEDIATION else None
        done = c.TickStep(
            step=_named(run, step),
            actor=actor,
            command=command or render(step.code or "", step.language, facts).text,
            ran=ran,
            approved_by=approved_by,
            rollback=render(change or "", "", facts).text,
            rollback_within=step.rollback_within or self.within,
            occurred_at=occurred_at,
        )
        after = self._apply(tx, place, done, "done")
        took = dict(durations(worked)) if (worked := run_of(after.runs, place.book)) else {}
        if place.step in took:
            tx.on_commit(partial(telemetry.RUNBOOK_STEP_SECONDS.labels(place.book).observe, took[place.step]))
        return after

    def ran(self, tx: Tx, place: Place, actor: Actor, command: str = "") -> Incident:
        """Note that a step's command was run as it was shown, or `command` instead; an open step is done with that.

        Raises:
            Refused: it does not fit.
        """
        board = board_of(tx.connection, place.number)
        run, step = self.step(tx.connection, board, place)
        if place.step not in run.ticks:
            return self.tick(tx, place, actor, command=command, ran=True)
        done = c.RanStep(_named(run, step), actor, command or self.command(tx.connection, place))
        return self.desk.apply(tx, place.number, done)

    def skip(self, tx: Tx, place: Place, why: str, actor: Actor) -> Incident:
        """Skip a step.

        Raises:
            Refused: it does not fit.
        """
        run, step = self.step(tx.connection, board_of(tx.connection, place.number), place)
        return self._apply(tx, place, c.SkipStep(_named(run, step), why, actor), "skipped")

    def undo(self, tx: Tx, place: Place, actor: Actor) -> Incident:
        """Take a tick back.

        Raises:
            Refused: it does not fit.
        """
        run, step = self.step(tx.connection, board_of(tx.connection, place.number), place)
        return self._apply(tx, place, c.UndoStep(_named(run, step), actor), "undone")

    def _apply(self, tx: Tx, place: Place, command: c.Command, state: str) -> Incident:
        after = self.desk.apply(tx, place.number, command)
        tx.on_commit(telemetry.RUNBOOK_STEPS.labels(place.book, state).inc)
        return after


def board_of(connection: Connection, number: str, *, with_events: bool = False) -> Board:
    """Give an incident's board.

    Raises:
        Refused: there is no such incident.
    """
    board = boards.load(connection, number, with_events=with_events)
    if board is None:
        raise Refused("no_incident", f"There is no {number[:40]}. See `/incident list`.")
    return board


def _named(run: Run, step: Step) -> c.Step:
    text = first_sentence(render(step.text, "", run.facts).text)
    return c.Step(run.book, step.number, text, step.section, step.approval or "")

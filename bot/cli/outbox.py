"""`sitrep outbox`: what waits to be sent and what failed, with the fix; to be tried again or dropped."""

from __future__ import annotations

import json
from collections.abc import Callable, Iterator, Sequence
from contextlib import ExitStack, contextmanager
from datetime import datetime
from functools import cache
from typing import TYPE_CHECKING, Annotated, Any

import typer

from bot.cli import beside
from bot.errors import ConfigError, SitrepError
from bot.settings import load_settings
from bot.text import clean

if TYPE_CHECKING:
    from bot.outbox.operating import Answer
    from bot.store.outbox_admin import Entry
    from bot.store.tx import Tx

WHY = 300  # characters
ERROR = 500

outbox = typer.Typer(no_args_is_help=True, help="Messages and pages to Slack and PagerDuty.")

Ids = Annotated[list[int], typer.Argument(help="Delivery IDs, as `sitrep outbox list` shows them.")]


@outbox.command("list")
def list_(
    *,
    failed: Annotated[bool, typer.Option("--failed", help="Only failed deliveries.")] = False,
    everything: Annotated[bool, typer.Option("--all", help="Also delivered and superseded deliveries.")] = False,
    as_json: Annotated[bool, typer.Option("--json", help="As JSON.")] = False,
    limit: Annotated[int, typer.Option(min=1, help="Show only the newest N.")] = 200,
) -> None:
    """List waiting and failed deliveries, oldest first."""
    from bot.store import outbox_admin
    from bot.store.deliveries import UNFINISHED, State

    if failed and everything:
        raise SitrepError("Give --failed or --all, not both.")
    states = (State.FAILED,) if failed else tuple(State) if everything else (*UNFINISHED, State.FAILED)

    def look(tx: Tx) -> tuple[list[Entry], int, datetime]:
        return (*outbox_admin.listing(tx.connection, states, limit), tx.now)

    settings = load_settings()
    if nothing := beside.fresh(settings):
        typer.echo(nothing, err=as_json)
        if as_json:
            typer.echo(json.dumps({"deliveries": [], "older": 0}, indent=2))
        return
    entries, total, now = beside.write(settings, look)
    if as_json:
        rows = [_as_json(entry, now) for entry in entries]
        typer.echo(json.dumps({"deliveries": rows, "older": total - len(entries)}, indent=2))
        return
    for line in _table(entries, now):
        typer.echo(line)
    if total > len(entries):
        typer.echo(f"Not shown: {total - len(entries)} older. Raise --limit.")
    if not entries:
        typer.echo("Nothing has failed." if failed else "Nothing is queued and nothing has failed.")


@outbox.command()
def retry(ids: Ids) -> None:
    """Retry failed deliveries, or send waiting ones now. A running service acts within 15 seconds.

    Sitrep first checks whether a delivery has already arrived. Deliveries that depend on it are sent too.
    """
    from bot.outbox import operating

    _tell(beside.write(load_settings(), lambda tx: operating.retry(tx, ids)))


@outbox.command()
def drop(
    ids: Ids,
    by: Annotated[str, typer.Option(help="Who drops it, for the timeline.")] = "",
    why: Annotated[str, typer.Option(help="Why, for the timeline.")] = "",
) -> None:
    """Drop unsent deliveries, and those that depend on them. The timeline records it."""
    from bot.desk import Desk
    from bot.engine.unmanned import UnmannedEngine
    from bot.outbox import operating

    settings = load_settings()
    reason = f"dropped by {clean(by, WHY).strip() or 'an operator'}"
    reason += f": {clean(why, WHY).strip()}" if why.strip() else ""
    desk = Desk(UnmannedEngine(), settings.config.policy)
    with _holders(settings.database_url) as is_held:
        _tell(beside.write(settings, lambda tx: operating.drop(tx, desk, ids, reason, is_held)))


@contextmanager
def _holders(url: str) -> Iterator[Callable[[Tx, Entry], bool]]:
    """Give a way to ask whether a living process is sending a delivery."""
    from bot.outbox.presence import GONE
    from bot.store import replicas
    from bot.store.database import serving
    from bot.store.postgres import is_postgres

    with ExitStack() as stack:

        @cache
        def is_served() -> bool:
            # Held until the commit: no service may begin to send what is being dropped.
            try:
                stack.enter_context(serving(url))
            except ConfigError:
                return True
            return False

        def is_held(tx: Tx, entry: Entry) -> bool:
            return entry.claimed_by in replicas.alive(tx.connection, GONE) if is_postgres(url) else is_served()

        yield is_held


def _tell(answers: Sequence[Answer]) -> None:
    for answer in answers:
        typer.echo(answer.text, err=not answer.done)
    if not all(answer.done for answer in answers):
        raise typer.Exit(1)


def _table(entries: Sequence[Entry], now: datetime) -> Iterator[str]:
    from bot.incidents.cadence import spell
    from bot.store.deliveries import State

    if not entries:
        return
    rows = [("ID", "SCOPE", "KIND", "STATE", "ATTEMPTS", "AGE", "NEXT TRY (UTC)")]
    for entry in entries:
        waits = entry.state in {State.PENDING, State.UNKNOWN}
        rows.append(
            (
                str(entry.id),
                entry.scope,
                entry.kind,
                entry.state.value,
                str(entry.attempts),
                spell((now - entry.created_at).total_seconds()),
                f"{entry.next_at:%Y-%m-%d %H:%M:%S}" if waits else "-",
            )
        )
    widths = [max(len(cell) for cell in column) for column in zip(*rows, strict=True)]
    lines = ["  ".join(cell.ljust(width) for cell, width in zip(row, widths, strict=True)).rstrip() for row in rows]
    yield lines[0]
    for entry, line in zip(entries, lines[1:], strict=True):
        yield line
        if entry.error:
            yield f"    {_one_line(entry.error)}"
        if entry.fix:
            yield f"    Fix: {_one_line(entry.fix)} Then: sitrep outbox retry {entry.id}"


def _one_line(text: str) -> str:
    return " ".join(clean(text, ERROR).split())


def _as_json(entry: Entry, now: datetime) -> dict[str, Any]:
    return {
        "id": entry.id,
        "scope": entry.scope,
        "kind": entry.kind,
        "slot": entry.slot,
        "state": entry.state.value,
        "attempts": entry.attempts,
        "created_at": entry.created_at.isoformat(),
        "age_seconds": round((now - entry.created_at).total_seconds(), 3),
        "next_at": entry.next_at.isoformat(),
        "finished_at": entry.finished_at.isoformat() if entry.finished_at else None,
        "error": entry.error,
        "fix": entry.fix,
    }

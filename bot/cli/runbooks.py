"""`sitrep runbooks`: check them, write their catalog, and see which one an alert leads to."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from bot.cli.pairs import pairs
from bot.clock import machine_clock
from bot.errors import SitrepError
from bot.incidents.policy import Severity
from bot.settings import load_settings

runbooks = typer.Typer(no_args_is_help=True, help="Check, match and list runbooks.")


@runbooks.command()
def lint(
    rules: Annotated[
        list[Path] | None, typer.Option(help="A Prometheus rules file: check that its critical alerts name a runbook.")
    ] = None,
) -> None:
    """Check the runbooks, the checklists and the templates; every problem names its file and the fix."""
    from bot.runbooks import lint as check
    from bot.runbooks.catalog import Catalog
    from bot.runbooks.sites import sites_of
    from bot.runbooks.templates import Templates

    settings = load_settings()
    folder, today = settings.runbooks, machine_clock(settings.test_clock).now().date()
    catalog, templates = Catalog.read(folder), Templates.read(folder / "templates")
    found = [check.Problem("templates", "broken", problem) for problem in templates.problems]
    given = sites_of(settings.config.sites).variables
    found += check.lint(folder, catalog, today, rules or (), given)
    for problem in found:
        typer.echo(f"{problem.level.value}: {problem}")
    tally = check.counted(found)
    errors, warnings = tally[check.Level.ERROR], tally[check.Level.WARNING]
    counted = f"{len(catalog)} runbooks, {len(catalog.checklists)} checklists, {len(templates.names)} templates"
    if errors:
        raise SitrepError(f"{counted}. To fix: {errors}. Warnings: {warnings}.")
    typer.echo(f"{counted}. " + (f"Warnings: {warnings}." if warnings else "No problems."))


@runbooks.command()
def catalog() -> None:
    """Generate runbooks.catalog.json from the runbook files."""
    from bot.runbooks.catalog import Catalog
    from bot.runbooks.index import FILE, document

    folder = load_settings().runbooks
    (folder / FILE).write_text(document(Catalog.load(folder)), encoding="utf-8")
    typer.echo(f"Wrote {folder / FILE}.")


@runbooks.command()
def match(
    labels: Annotated[list[str], typer.Option(help="The alert's labels: alertname=PodDown service=api ...")],
    more: Annotated[list[str] | None, typer.Argument(help="Further labels.")] = None,
    annotations: Annotated[list[str] | None, typer.Option(help="Its annotations, written the same way.")] = None,
    severity: Annotated[str, typer.Option(help="The incident's severity: sev1 to sev4, or your own name.")] = "",
) -> None:
    """Rank the runbooks that match an alert, with the reasons."""
    from bot.incidents.model import Alert
    from bot.runbooks.catalog import Catalog
    from bot.runbooks.match import rank

    settings = load_settings()
    policy = settings.config.policy
    level = policy.find(severity)
    if severity and level is None:
        raise SitrepError(f"There is no severity {severity}. Give one of {', '.join(map(policy.typed, Severity))}.")
    read = pairs([*labels, *(more or [])])
    alert = Alert("alertmanager", "", "", read.get("alertname", ""), read, pairs(annotations or []))
    for place, found in enumerate(rank(Catalog.read(settings.runbooks), [alert], level, policy), start=1):
        typer.echo(f"{place}. {found.runbook.id}  {found.reason}  ({found.runbook.url})")

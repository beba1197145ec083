"""`sitrep intake match`: what an alert leads to, by the configuration, and why. It needs no database."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Annotated

import typer

from bot.cli.pairs import pairs
from bot.config import Config
from bot.errors import SitrepError
from bot.incidents.model import Alert
from bot.incidents.sources import PAGERDUTY
from bot.settings import load_settings

intake = typer.Typer(no_args_is_help=True, help="Test how alerts are routed.")


@intake.callback()
def _group() -> None:
    """How alerts are routed."""


@intake.command()
def match(
    labels: Annotated[
        list[str] | None, typer.Option(help="The alert's labels: alertname=PodDown severity=page ...")
    ] = None,
    more: Annotated[list[str] | None, typer.Argument(help="Further labels.")] = None,
    annotations: Annotated[list[str] | None, typer.Option(help="Its annotations, written the same way.")] = None,
    alerts: Annotated[Path | None, typer.Option(help="A file with a webhook's body, instead of labels.")] = None,
    *,
    as_json: Annotated[bool, typer.Option("--json", help="As JSON.")] = False,
) -> None:
    """Show an alert's intake rule, subject, ladder and runbook, with the reasons."""
    from bot.cli import matched
    from bot.incidents import subject
    from bot.runbooks.catalog import Catalog

    settings = load_settings()
    config, catalog = settings.config, Catalog.load(settings.runbooks)
    subject.use(config.subjects)
    if alerts:
        found = _from_file(alerts)
        if as_json:
            typer.echo(json.dumps(matched.together(found, config, catalog), ensure_ascii=False))
            return
        typer.echo("\n".join([matched.in_words(alert, config, catalog) for alert in found]))
        typer.echo(matched.together_in_words(found, config))
        return
    alert = _alert(pairs([*(labels or []), *(more or [])]), pairs(annotations or []), config)
    if as_json:
        typer.echo(json.dumps(matched.one(alert, config, catalog), ensure_ascii=False))
    else:
        typer.echo(matched.in_words(alert, config, catalog))


def _alert(labels: dict[str, str], annotations: dict[str, str], config: Config) -> Alert:
    if not labels:
        raise SitrepError("Give the alert's labels: sitrep intake match --labels alertname=PodDown severity=page")
    source = labels.get("source", "alertmanager")
    if source == PAGERDUTY and "severity" not in labels:
        from bot.pagerduty.priorities import PriorityTable

        stands_for = PriorityTable(config.priorities).severity_of(labels.get("priority", ""))
        labels |= {"severity": stands_for.value} if stands_for else {}
    name = labels.get("alertname") or labels.get("title") or "Alert"
    return Alert(source, "", "", name, labels, annotations)


def _from_file(file: Path) -> list[Alert]:
    from handlers.webhooks.alertmanager import read
    from handlers.webhooks.reading import Malformed

    try:
        notification = read(file.read_bytes())
    except (OSError, Malformed) as error:
        raise SitrepError(f"Could not read {file} as the body of a webhook: {error}.") from error
    found = [*notification.firing, *notification.resolved]
    if not found:
        raise SitrepError(f"{file} holds no alerts.")
    return found

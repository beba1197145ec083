"""The `sitrep` command."""

from __future__ import annotations

import asyncio
import json
import sys
from pathlib import Path
from typing import Annotated

import typer

from bot.cli.beside import fresh, read
from bot.cli.intake import intake
from bot.cli.outbox import outbox
from bot.cli.runbooks import runbooks
from bot.errors import SitrepError
from bot.settings import load_settings

cli = typer.Typer(
    name="sitrep",
    no_args_is_help=True,
    add_completion=False,
    help="A ChatOps incident bot.",
    pretty_exceptions_enable=False,
)
db = typer.Typer(no_args_is_help=True, help="Migrate the database.")
inbox_cli = typer.Typer(no_args_is_help=True, help="Dead letters: webhooks that could not be read.")
cli.add_typer(db, name="db")
cli.add_typer(intake, name="intake")
cli.add_typer(runbooks, name="runbooks")
cli.add_typer(inbox_cli, name="inbox")
cli.add_typer(outbox, name="outbox")


def main() -> None:
    """Run the command; an error that names its fix is printed without a traceback."""
    try:
        cli()
    except SitrepError as error:
        typer.echo(f"sitrep: {error}", err=True)
        sys.exit(1)


@cli.command()
def serve() -> None:
    """Run the bot: webhooks, Slack, timers, deliveries."""
    import uvicorn

    from bot.app import make_app
    from bot.heads import BoundedHeads
    from bot.migrate import migrate
    from bot.server import KEEP_ALIVE, Server
    from bot.store.database import serving
    from bot.telemetry import configure_logging

    configure_logging()
    settings = load_settings()
    with serving(settings.database_url):
        migrate(settings.database_url)
        app = make_app(settings)
        config = uvicorn.Config(
            app,
            http=BoundedHeads,
            host=settings.host,
            port=settings.port,
            log_config=None,
            access_log=False,
            timeout_keep_alive=KEEP_ALIVE,
            timeout_graceful_shutdown=2,
        )
        server = Server(config, app.state.running)
        server.run()
        if not server.started:
            sys.exit(3)


@cli.command()
def demo(
    port: Annotated[int, typer.Option(help="The page's port; 0 takes a free one.")] = 0,
) -> None:
    """Run the bot and a local Slack workspace on loopback, with an alert that fires."""
    from bot.sandbox.demo import run

    sys.exit(run(port=port))


@cli.command()
def export(
    number: Annotated[str, typer.Argument(help="The incident: INC-YYYYMMDD-NNN.")],
    fmt: Annotated[str, typer.Option("--format", help="md, json or csv.")] = "md",
    output: Annotated[Path | None, typer.Option("--output", "-o", help="A file; standard output by default.")] = None,
) -> None:
    """Write an incident's timeline; the service may be stopped."""
    from bot.timeline.collect import collect
    from bot.timeline.export import UnknownFormat, render

    dossier = read(load_settings(), lambda connection: collect(connection, number.upper()))
    if dossier is None:
        raise SitrepError(f"There is no {number} in this database. Check SITREP_DATABASE_URL.")
    try:
        made = render(dossier, fmt)
    except UnknownFormat as error:
        raise SitrepError(str(error)) from error
    if output is None:
        sys.stdout.buffer.write(made.content)
    else:
        output.write_bytes(made.content)


@cli.command()
def doctor() -> None:
    """Check the settings, Slack, PagerDuty, Alertmanager and the database; each fault with its fix. Changes nothing."""
    from bot.doctor import warnings
    from bot.doctor.examine import examine
    from bot.doctor.finding import State
    from bot.doctor.slack import command_hint

    settings = load_settings()

    async def tell() -> int:
        found = await examine(settings)
        for finding in found:
            typer.echo(str(finding))
        for note in [*([command_hint(settings)] if settings.slack_on else []), *warnings(settings)]:
            typer.echo(f"note   {note}")
        return sum(finding.state is State.FAULT for finding in found)

    # All is told before the loop ends, which waits for whatever still asks for an address.
    if faults := asyncio.run(tell()):
        raise SitrepError(f"doctor found {faults} {'fault' if faults == 1 else 'faults'}.")


@cli.command()
def manifest(
    *,
    socket_mode: Annotated[
        bool,
        typer.Option(
            "--socket-mode", help="For Socket Mode, without request URLs. On by default if SLACK_APP_TOKEN is set."
        ),
    ] = False,
) -> None:
    """Print the Slack app's manifest for this configuration."""
    from bot.manifest import manifest as written

    settings = load_settings()
    sockets = socket_mode or settings.slack_app_token is not None
    config = settings.config
    made = written(
        command=config.slack.command,
        public_url=settings.public_url,
        socket_mode=sockets,
        severities=config.policy.choice,
    )
    typer.echo(made, nl=False)


@cli.command()
def commands() -> None:
    """Print the table of what can be typed in Slack, as Markdown."""
    from handlers.slack.table import as_markdown

    config = load_settings().config
    typer.echo(as_markdown(config.slack.command, config.policy), nl=False)


@db.command()
def upgrade() -> None:
    """Migrate the database to this version."""
    from bot.migrate import migrate

    settings = load_settings()
    migrate(settings.database_url)
    typer.echo("The database is up to date.")


@inbox_cli.command("list")
def inbox_list() -> None:
    """List dead letters: webhook bodies that could not be read."""
    from bot.store import inbox

    settings = load_settings()
    if nothing := fresh(settings):
        typer.echo(nothing)
        return
    letters = read(settings, inbox.dead)
    for letter in letters:
        typer.echo(f"{letter.receipt}  {letter.received_at:%Y-%m-%d %H:%M:%S} UTC  {letter.source}  {letter.outcome}")
    if not letters:
        typer.echo("No dead letters: everything that came in could be read.")


@inbox_cli.command("show")
def inbox_show(receipt: str) -> None:
    """Print a webhook body unchanged."""
    from bot.store import inbox

    letter = read(load_settings(), lambda connection: inbox.find(connection, receipt))
    if letter is None:
        raise SitrepError(f"There is no {receipt}. See `sitrep inbox list`.")
    sys.stdout.buffer.write(letter.body)


@inbox_cli.command("replay")
def inbox_replay(receipt: str) -> None:
    """Process a dead letter again, for example after an upgrade. A running service acts within 15 seconds."""
    from bot.app import replay

    outcome = asyncio.run(replay(load_settings(), receipt))
    typer.echo(json.dumps({"receipt": receipt, "outcome": outcome}))


if __name__ == "__main__":
    main()

"""The composition root: the only place where parts are wired together."""

from __future__ import annotations

import asyncio
import hashlib
from collections.abc import AsyncIterator, Awaitable, Callable, Sequence
from contextlib import asynccontextmanager, suppress
from datetime import UTC, datetime, timedelta
from functools import partial

import httpx
import structlog
from apscheduler.schedulers.asyncio import AsyncIOScheduler
from fastapi import FastAPI
from slack_bolt.async_app import AsyncApp
from starlette.applications import Starlette
from starlette.middleware import Middleware

from bot import __version__
from bot.alertmanager import Alertmanager
from bot.clock import Clock, machine_clock
from bot.config import LinksConfig
from bot.desk import Desk
from bot.doctor import integrations, warnings
from bot.engine.auditor import EVERY, Auditor
from bot.engine.embedded import EmbeddedEngine
from bot.engine.heartbeat import Heartbeat
from bot.engine.port import Engine, Handler, Job, Work
from bot.engine.reconciler import Reconciler, Source
from bot.engine.unheard import Unheard
from bot.engine.unmanned import UnmannedEngine
from bot.incidents import subject
from bot.incidents.model import Alert, Delivery
from bot.intake import Intake
from bot.lifeline import WORKER, Lifeline
from bot.outbox.call import Tools
from bot.outbox.gate import PACE, TURN, Gate
from bot.outbox.paging import Paging
from bot.outbox.presence import Alone, Among, Presence
from bot.outbox.senders import Sender
from bot.outbox.succession import LOOK_EVERY, Succession
from bot.outbox.worker import Outbox
from bot.pagerduty import PagerDutyReception
from bot.pagerduty.client import Keys, PagerDuty
from bot.pagerduty.priorities import Priorities
from bot.pagerduty.standing import OpenIncidents
from bot.periodic import Periodic
from bot.reception import Notification, Reception
from bot.runbooks.catalog import Catalog
from bot.runbooks.links import Places
from bot.runbooks.sites import sites_of
from bot.runbooks.templates import Templates
from bot.running import Runner
from bot.services import Services
from bot.settings import Settings
from bot.skipped import tell_skipped
from bot.slack.directory import Directory, KeptChannels
from bot.slack.gateway import Gateway
from bot.slack.throttles import Throttles
from bot.store.database import Database, database_clock, open_store, shown
from bot.store.postgres import PostgresStore, is_postgres
from bot.store.tx import Store, Tx
from bot.triage import Triage
from handlers.api.routes import HANDLERS, Api
from handlers.bodies import LimitBody
from handlers.slack.app import make_bolt
from handlers.slack.route import slack_route
from handlers.slack.socket_mode import SocketMode
from handlers.webhooks.replay import take_again
from handlers.webhooks.routes import Webhooks

log = structlog.get_logger()

Look = Callable[[], Awaitable[None]]

SWEEP = 10  # seconds between looks for rows that another process has written, or whose wake-up was lost
LATE = timedelta(seconds=3)  # what has been due for less is on its way
AUDIT_TURNED = 1.0  # seconds between the auditor's looks where the clock can jump
ASK_WITHIN = 10.0  # seconds that a source or the heartbeat's receiver gets to answer


def make_clock(settings: Settings) -> Clock:
    """Give the clock that the settings ask for; on PostgreSQL the database's own decides."""
    return database_clock(settings.database_url, machine_clock(settings.test_clock))


def make_engine(settings: Settings, clock: Clock, lifeline: Lifeline) -> Engine:
    """Give the engine that goes with the database."""
    if is_postgres(settings.database_url):
        # Imported only here: without PostgreSQL a process starts quicker and is smaller.
        from bot.engine.distributed import DistributedEngine  # noqa: PLC0415

        return DistributedEngine(settings.database_url, clock, lambda worker: lifeline.note(WORKER, worker))
    return EmbeddedEngine(clock)


def make_succession(store: Database, engine: Engine, lifeline: Lifeline) -> dict[Look, float]:
    """Wire what frees a dead replica's work at once, with the seconds between its looks; nothing for one process."""
    if not isinstance(store, PostgresStore):
        return {}
    from bot.engine.distributed import DistributedEngine  # noqa: PLC0415 - as above

    assert isinstance(engine, DistributedEngine)  # noqa: S101 - it goes with the store
    return {Succession(store, lifeline, engine.take_over).look: LOOK_EVERY}


def make_services(settings: Settings, store: Database, engine: Engine, clock: Clock) -> Services:
    """Wire the parts that handlers work with."""
    config = settings.config
    subject.use(config.subjects)
    desk = Desk(engine, config.policy)
    reception = Reception(desk, config.rules, config.storm_policy, config.flap_policy)
    gateway = directory = None
    throttles = Throttles(clock)
    if settings.slack_bot_token is not None:
        gateway = Gateway(settings.slack_bot_token.get_secret_value(), settings.slack_api_url, throttles)
        gateway.kept = KeptChannels(store)
        directory = Directory(gateway, store, clock, config.people, partial(_tell_of_name, desk))
    pager = PagerDuty(Keys.of(settings), throttles)
    priorities = Priorities(config.priorities, pager, store, clock)
    catalog = Catalog.read(settings.runbooks)
    return Services(
        settings=settings,
        clock=clock,
        store=store,
        engine=engine,
        desk=desk,
        reception=reception,
        intake=Intake(store, reception),
        pagerduty=PagerDutyReception(desk, reception, priorities),
        triage=Triage(desk, reception),
        catalog=catalog,
        runner=Runner(desk, catalog, config.mitigations.rollback_within, sites_of(config.sites)),
        templates=Templates.read(settings.runbooks / "templates"),
        gateway=gateway,
        directory=directory,
        pager=pager,
        priorities=priorities,
    )


def make_auditor(services: Services, presence: Presence, http: httpx.AsyncClient) -> Auditor:
    """Wire the auditor; it compares with those sources whose addresses are set."""
    settings = services.settings
    sources: list[Source] = []
    sources += [Alertmanager(urls, http, source) for source, urls in settings.alertmanager_sources.items()]
    if services.pager.has_api and settings.webhook_secrets:
        sources.append(OpenIncidents(services.pager))
    flag_after = timedelta(seconds=settings.config.auditor.flag_after)
    receivers = settings.config.alertmanager.receivers
    unheard = Unheard(services.store, services.desk, partial(_take_in, services.reception), flag_after, receivers)
    return Auditor(
        services.store,
        services.engine,
        services.desk,
        Reconciler(services.store, services.desk, sources, flag_after, unheard),
        alive=presence.alive,
        heartbeat=Heartbeat(settings.heartbeat_url, http) if settings.heartbeat_url else None,
    )


def make_periodic(services: Services) -> Periodic:
    """Wire what comes round; without Slack it has nowhere to go."""
    settings = services.settings
    return Periodic(
        services.store, services.desk, services.clock, services.catalog, settings.config, slack_on=settings.slack_on
    )


def make_handler(store: Store, desk: Desk, outbox: Outbox, pace: Gate) -> Handler:
    """Say what becomes of a wake-up."""

    async def work(job: Job) -> None:
        if job.work is Work.TIMERS:
            async with pace.enter(TURN[job.work]):
                await store.write(lambda tx: desk.fire_timers(tx, job.scope))
        else:
            await outbox.run(job)

    return work


def places_of(links: LinksConfig) -> Places:
    """Say where queries can be opened."""
    return Places((links.prometheus or "").rstrip("/"), (links.grafana or "").rstrip("/"), links.loki, links.tempo)


def make_app(settings: Settings) -> Starlette:
    """Make the web application; the database has been migrated and locked before."""
    clock = make_clock(settings)
    store = open_store(settings.database_url, clock)
    lifeline = Lifeline(shown(settings.database_url))
    engine = make_engine(settings, clock, lifeline)
    services = make_services(settings, store, engine, clock)
    tools = Tools(
        store=store,
        clock=clock,
        paging=Paging(store, services.pager, settings.public_url),
        slack=settings.config.slack,
        runner=services.runner,
        templates=services.templates.sound(),
        gateway=services.gateway,
        directory=services.directory,
        public_url=settings.public_url,
        places=places_of(settings.config.links),
        policy=settings.config.policy,
    )
    presence: Presence = Among(store, lifeline) if isinstance(store, PostgresStore) else Alone()
    pace = Gate(PACE)
    outbox = Outbox(
        store, services.desk, engine, Sender(tools), presence=presence, known=services.pager.throttles, pace=pace
    )
    bolt = make_bolt(services) if settings.slack_on else None
    http = httpx.AsyncClient(timeout=ASK_WITHIN)
    auditor = make_auditor(services, presence, http)

    async def sweep() -> None:
        await store.write(lambda tx: services.desk.sweep(tx, presence.alive(tx), LATE))

    every = AUDIT_TURNED if clock.moves else EVERY
    looks: dict[Look, float] = {
        sweep: SWEEP,
        auditor.run: every,
        make_periodic(services).run: every,
        **make_succession(store, engine, lifeline),
    }

    @asynccontextmanager
    async def lifespan(_app: Starlette) -> AsyncIterator[None]:
        await presence.start()
        await engine.start(make_handler(store, services.desk, outbox, pace))
        if not engine.remembers:
            await store.write(services.desk.wake)
        ticker = AsyncIOScheduler(timezone=UTC)
        for ask in _asks(services):
            _each(ticker, every, ask, at_once=True)
        for look, seconds in looks.items():
            _each(ticker, seconds, look)
        ticker.start()
        await tell_skipped(services)
        socket = asyncio.create_task(_socket_mode(settings, bolt))
        _say_what_is_off(settings)
        try:
            yield
        finally:
            socket.cancel()
            await asyncio.wait([socket], timeout=2)
            ticker.shutdown(wait=False)
            outbox.stop()
            await engine.stop()
            await outbox.close()
            await presence.stop()
            await _hang_up(services)
            await store.close()
            await http.aclose()

    api = FastAPI(
        title="Sitrep",
        version=__version__,
        openapi_url=None,
        exception_handlers=HANDLERS,
        routes=[*Api(services).routes],
    )
    webhooks = Webhooks(services)
    # What comes in numbers goes past the API's own layers.
    app = Starlette(
        lifespan=lifespan,
        exception_handlers=HANDLERS,
        middleware=[Middleware(LimitBody, allow=webhooks.allow, refused=webhooks.too_large)],
        routes=[*webhooks.routes, slack_route(bolt if settings.slack_signing_secret else None)],
    )
    # Not mounted: a mount at "/" would answer 404 where one of the routes above knows that the method is wrong.
    app.router.default = api
    app.router.redirect_slashes = False
    services.running.hooks += [outbox.stop, engine.pause]
    app.state.running = services.running
    return app


async def replay(settings: Settings, receipt: str) -> str:
    """Take a dead letter in again, beside a running service or without one; gives what became of it.

    Raises:
        SitrepError: there is no such dead letter, or it still cannot be read.
    """
    clock = make_clock(settings)
    store = open_store(settings.database_url, clock)
    try:
        services = make_services(settings, store, UnmannedEngine(), clock)
        return await store.write(lambda tx: take_again(services, tx, receipt))
    finally:
        await store.close()


def _asks(services: Services) -> list[Look]:
    """Return what asks Slack and PagerDuty ahead for what a page or a webhook will need."""
    directory = services.directory
    return [services.priorities.run, *([directory.refresh] if directory is not None else [])]


def _take_in(reception: Reception, tx: Tx, source: str, key: str, firing: Sequence[Alert]) -> str:
    """Take in what a source holds active and has not told of."""
    return reception.alertmanager(tx, Notification(key, tuple(firing), (), source=source))


async def _hang_up(services: Services) -> None:
    """Close what talks to Slack and PagerDuty."""
    if services.directory is not None:
        await services.directory.close()
    await services.pager.close()
    if services.gateway is not None:
        await services.gateway.close()


def _each(ticker: AsyncIOScheduler, seconds: float, look: Look, *, at_once: bool = False) -> None:
    """Look again and again; a look that takes longer than that is not doubled, and a stop cuts it short."""

    async def tick() -> None:
        with suppress(asyncio.CancelledError):
            await look()

    # APScheduler takes a missing first moment for "after the first interval", and None for "never".
    first = {"next_run_time": datetime.now(UTC)} if at_once else {}
    ticker.add_job(tick, "interval", seconds=seconds, max_instances=1, coalesce=True, misfire_grace_time=None, **first)


def _tell_of_name(desk: Desk, tx: Tx, name: str, why: str) -> None:
    """Tell the operators that a name in the configuration stands for nobody: a page to it reaches nobody."""
    digest = hashlib.sha256(name.encode()).hexdigest()[:12]
    text = f"Cannot page {why}"
    desk.post(tx, f"operators:name:{digest}", Delivery("operators", "operators", "operators", {"text": text}))


async def _socket_mode(settings: Settings, bolt: AsyncApp | None) -> None:
    """Keep Socket Mode open where it is switched on; while Slack is down the rest goes on."""
    if bolt is not None and settings.slack_app_token is not None:
        await SocketMode(bolt, settings.slack_app_token.get_secret_value()).run()


def _say_what_is_off(settings: Settings) -> None:
    for integration in integrations(settings):
        if not integration.on:
            log.warning("integration_off", integration=integration.name, fix=f"Set {integration.variables}.")
    for warning in warnings(settings):
        log.warning("check_the_configuration", what=warning)

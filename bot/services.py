"""The parts that handlers work with, made by the composition root."""

from __future__ import annotations

from dataclasses import dataclass, field

from bot.clock import Clock
from bot.desk import Desk
from bot.engine.port import Engine
from bot.pagerduty import PagerDutyReception
from bot.reception import Reception
from bot.runbooks.catalog import Catalog
from bot.settings import Settings
from bot.slack.directory import Directory
from bot.slack.gateway import Gateway
from bot.store.tx import Store


@dataclass(slots=True)
class Running:
    """How the process stands: `draining` once it has been told to stop."""

    draining: bool = False


@dataclass(frozen=True, slots=True)
class Services:
    """One process's parts. `gateway` and `directory` are None while Slack is off."""

    settings: Settings
    clock: Clock
    store: Store
    engine: Engine
    desk: Desk
    reception: Reception
    pagerduty: PagerDutyReception
    catalog: Catalog
    gateway: Gateway | None
    directory: Directory | None
    running: Running = field(default_factory=Running)

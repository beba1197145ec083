"""The parts that handlers work with, made by the composition root."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, field

from bot.clock import Clock
from bot.desk import Desk
from bot.engine.port import Engine
from bot.intake import Intake
from bot.pagerduty import PagerDutyReception
from bot.pagerduty.client import PagerDuty
from bot.pagerduty.priorities import Priorities
from bot.reception import Reception
from bot.runbooks.catalog import Catalog
from bot.runbooks.templates import Templates
from bot.running import Runner
from bot.settings import Settings
from bot.slack.directory import Directory
from bot.slack.gateway import Gateway
from bot.store.tx import Store
from bot.triage import Triage


@dataclass(slots=True)
class Running:
    """How the process stands: `draining` once it has been told to stop; whoever takes work has put a hook in."""

    draining: bool = False
    hooks: list[Callable[[], None]] = field(default_factory=list)

    def drain(self) -> None:
        """Take no more work; what is under way goes on."""
        if not self.draining:
            self.draining = True
            for hook in self.hooks:
                hook()


@dataclass(frozen=True, slots=True)
class Services:
    """One process's parts. `gateway` and `directory` are None while Slack is off."""

    settings: Settings
    clock: Clock
    store: Store
    engine: Engine
    desk: Desk
    reception: Reception
    intake: Intake
    pagerduty: PagerDutyReception
    triage: Triage
    catalog: Catalog
    runner: Runner
    templates: Templates
    gateway: Gateway | None
    directory: Directory | None
    pager: PagerDuty
    priorities: Priorities
    running: Running = field(default_factory=Running)

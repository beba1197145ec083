"""What is switched on, and what is in the way of a start: for `sitrep doctor`, and for the log at start."""

from __future__ import annotations

import os
from collections.abc import Iterator
from dataclasses import dataclass

from bot import env_names
from bot.settings import Settings


@dataclass(frozen=True, slots=True)
class Integration:
    """A way in or out; `variables` switch it on."""

    name: str
    on: bool
    variables: str

    @property
    def line(self) -> str:
        """How it is told to the operator."""
        return f"{self.name}: on" if self.on else f"{self.name}: off. Set {self.variables} to switch it on."


def integrations(settings: Settings) -> tuple[Integration, ...]:
    """Give all integrations with their state."""
    return (
        Integration("slack", settings.slack_on, "SLACK_BOT_TOKEN and SLACK_SIGNING_SECRET"),
        Integration("alertmanager", settings.alertmanager_webhook_token is not None, "ALERTMANAGER_WEBHOOK_TOKEN"),
        Integration("pagerduty", bool(settings.webhook_secrets), "PAGERDUTY_WEBHOOK_SECRETS"),
        Integration("paging through pagerduty", _pages(settings), "PAGERDUTY_API_TOKEN or PAGERDUTY_ROUTING_KEY"),
        Integration("api", bool(settings.tokens), "SITREP_API_TOKENS"),
        Integration("alerts compared with alertmanager", bool(settings.alertmanager_urls), "ALERTMANAGER_API_URL"),
        Integration("heartbeat", bool(settings.heartbeat_url), "SITREP_HEARTBEAT_URL"),
    )


def warnings(settings: Settings) -> Iterator[str]:
    """Give what is configured in a way that will surprise somebody."""
    yield from env_names.unknown(os.environ, Settings.variables())
    yield from settings.config.warnings
    yield from _pagerduty(settings)
    if not settings.config.ladders:
        yield "nobody is paged: add ladders.default to the file of SITREP_CONFIG"
    if not settings.public_url:
        yield "messages link to no timeline: set SITREP_PUBLIC_URL"


def _pages(settings: Settings) -> bool:
    return settings.pagerduty_api_token is not None or settings.pagerduty_routing_key is not None


def _pagerduty(settings: Settings) -> Iterator[str]:
    """Give what stands between a ladder level that names PagerDuty and the phone that should ring."""
    config = settings.config
    named = [
        (f"ladders.{ladder}: level {level.name!r}", level.pagerduty)
        for ladder, levels in config.ladders.items()
        for level in levels
        if level.pagerduty is not None
    ]
    if not named:
        if _pages(settings):
            yield "nobody is paged through PagerDuty: add `pagerduty:` to a level of a ladder (SITREP_CONFIG)"
        return
    if not _pages(settings):
        for where, _ in named:
            yield f"{where} cannot be paged through PagerDuty: set PAGERDUTY_API_TOKEN or PAGERDUTY_ROUTING_KEY"
        return
    if settings.pagerduty_api_token is None:
        for where, target in named:
            if target.escalation_policy or target.service:
                yield (
                    f"{where} pages the service of PAGERDUTY_ROUTING_KEY, not its own: "
                    "set PAGERDUTY_API_TOKEN to page the service or policy that the level names"
                )
    else:
        if not settings.pagerduty_from:
            yield "with an account-level API key PagerDuty refuses pages: set PAGERDUTY_FROM to a user's login e-mail"
        for where, target in named:
            if not (target.service or config.pagerduty.service or settings.pagerduty_routing_key):
                yield (
                    f"{where} is paged only for incidents that began in PagerDuty: "
                    "set `pagerduty: {service: ...}` (SITREP_CONFIG), or PAGERDUTY_ROUTING_KEY"
                )
    if not settings.webhook_secrets:
        yield "an acknowledgement in PagerDuty does not stop the ladder: set PAGERDUTY_WEBHOOK_SECRETS"

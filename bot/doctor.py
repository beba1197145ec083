"""What is switched on, and what is in the way of a start: for `sitrep doctor`, and for the log at start."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass

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
        Integration("api", bool(settings.tokens), "SITREP_API_TOKENS"),
    )


def warnings(settings: Settings) -> Iterator[str]:
    """Give what is configured in a way that will surprise somebody."""
    yield from settings.config.warnings
    idle = {
        "SITREP_HEARTBEAT_URL": settings.heartbeat_url,
        "ALERTMANAGER_API_URL": settings.alertmanager_api_url,
        "PAGERDUTY_API_TOKEN": settings.pagerduty_api_token,
        "PAGERDUTY_ROUTING_KEY": settings.pagerduty_routing_key,
        "PAGERDUTY_FROM": settings.pagerduty_from,
    }
    yield from (f"{name} is set, but has no effect in this version" for name, value in idle.items() if value)
    if not settings.config.ladders:
        yield "nobody is paged: add ladders.default to the file of SITREP_CONFIG"
    if not settings.public_url:
        yield "messages link to no timeline: set SITREP_PUBLIC_URL"

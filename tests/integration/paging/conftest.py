"""PagerDuty beside the service: an account at HTTP level, and the settings that page through it."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from bot.sandbox.pagerduty import Account
from bot.sandbox.pagerduty_server import PagerDutyServer
from tests.conftest import Hands

LADDER = """
runbooks: {checklists: false}
pagerduty: {service: PSERVICE}
ladders:
  default:
    - {after: 0s,  name: On-call SRE,   slack: [alice@example.com]}
    - {after: 5m,  name: SRE Team Lead, pagerduty: {escalation_policy: PLEADS01}}
    - {after: 15m, name: VP,            slack: [dana@example.com], pagerduty: {escalation_policy: PDEFAULT}}
"""


@pytest.fixture
def account(hands: Hands) -> Account:
    made = Account(now=lambda: hands.now().timestamp())
    made.priorities = ["Kaboom", "Ouch", "Hm"]
    return made


@pytest.fixture
def pagerduty(account: Account) -> Iterator[PagerDutyServer]:
    with PagerDutyServer(account) as server:
        yield server


@pytest.fixture
def environ(environ: dict[str, str], pagerduty: PagerDutyServer, account: Account) -> dict[str, str]:
    """The service with both of PagerDuty's keys, and a ladder whose second level is paged there alone."""
    Path(environ["SITREP_CONFIG"]).write_text(LADDER)
    return environ | {
        "PAGERDUTY_API_TOKEN": account.api_token,
        "PAGERDUTY_API_URL": pagerduty.url,
        "PAGERDUTY_EVENTS_URL": pagerduty.url,
        "PAGERDUTY_FROM": "sitrep@example.com",
    }


@pytest.fixture
def configured(environ: dict[str, str]) -> Callable[[str], None]:
    """Write another configuration, before the service starts."""

    def write(text: str) -> None:
        Path(environ["SITREP_CONFIG"]).write_text(text)

    return write

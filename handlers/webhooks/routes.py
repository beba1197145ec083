"""The webhook endpoints: verify, parse, commit, answer 202."""

from __future__ import annotations

import asyncio
import hmac
from collections.abc import Awaitable
from functools import lru_cache

import structlog
from starlette.requests import Request
from starlette.responses import JSONResponse, Response
from starlette.routing import Route

from bot import telemetry
from bot.errors import DatabaseUnavailable
from bot.incidents.sources import ALERTMANAGER, PAGERDUTY
from bot.intake import Read
from bot.services import Services
from bot.store import inbox
from bot.store.tx import Tx
from handlers.http import credentials, problem
from handlers.webhooks import alertmanager, pagerduty
from handlers.webhooks.reading import Malformed

log = structlog.get_logger()

ANSWER_WITHIN = 4.5  # seconds; PagerDuty gives a webhook 5
RETRY_AFTER = {"retry-after": "5"}
SMALL = 16 * 1024  # bytes of a body that is remembered


@lru_cache(maxsize=256)
def _read_small(raw: bytes) -> Read:
    """Read a body; Alertmanager repeats itself byte for byte, and the same bytes say the same."""
    return Read.of(alertmanager.read(raw))


class Webhooks:
    """The endpoints, bound to one process's parts."""

    def __init__(self, services: Services) -> None:
        self._services = services

    @property
    def routes(self) -> list[Route]:
        """The routes to mount."""
        return [
            Route("/webhooks/alertmanager", self.alertmanager, methods=["POST"]),
            Route("/webhooks/pagerduty", self.pagerduty, methods=["POST"]),
        ]

    async def alertmanager(self, request: Request) -> Response:
        """Take a notification in."""
        secret = self._services.settings.alertmanager_webhook_token
        if secret is None:
            return self._off(ALERTMANAGER, "ALERTMANAGER_WEBHOOK_TOKEN")
        token = credentials(request)
        if token is None or not hmac.compare_digest(
            token.encode("utf-8", "replace"), secret.get_secret_value().encode()
        ):
            telemetry.WEBHOOKS.labels(ALERTMANAGER, "unauthorized").inc()
            return problem(
                401,
                "unauthorized",
                "Send ALERTMANAGER_WEBHOOK_TOKEN as a Bearer token or as a Basic password.",
                headers={"www-authenticate": "Bearer"},
            )
        raw = await request.body()
        try:
            read = _read_small(raw) if len(raw) <= SMALL else Read.of(alertmanager.read(raw))
        except Malformed as error:
            return await self._dead(ALERTMANAGER, raw, str(error))

        async def take() -> tuple[str, str]:
            taken = await self._services.intake.take(read, raw)
            return taken.receipt, taken.outcome

        return await self._answer(ALERTMANAGER, take())

    async def pagerduty(self, request: Request) -> Response:
        """Take an event in."""
        secrets = self._services.settings.webhook_secrets
        if not secrets:
            return self._off(PAGERDUTY, "PAGERDUTY_WEBHOOK_SECRETS")
        raw = await request.body()
        if not pagerduty.verified(raw, request.headers.get("x-pagerduty-signature", ""), secrets):
            telemetry.WEBHOOKS.labels(PAGERDUTY, "unauthorized").inc()
            # Three refusals in a row and PagerDuty turns the subscription off for a day.
            log.error("pagerduty_signature_wrong", fix="Set PAGERDUTY_WEBHOOK_SECRETS to the subscription's secret.")
            return problem(401, "bad_signature", "Sign the raw body with a secret in PAGERDUTY_WEBHOOK_SECRETS.")
        try:
            event = pagerduty.read(raw)
        except Malformed as error:
            return await self._dead(PAGERDUTY, raw, str(error))

        def work(tx: Tx) -> tuple[str, str]:
            receipt = inbox.keep_once(tx.connection, PAGERDUTY, raw, tx.now, event.id)
            if receipt is None:
                return "", "duplicate"
            outcome = self._services.pagerduty.receive(tx, event)
            inbox.note(tx.connection, receipt, outcome)
            return receipt, outcome

        return await self._answer(PAGERDUTY, self._services.store.write(work))

    async def _answer(self, source: str, taking: Awaitable[tuple[str, str]]) -> Response:
        try:
            receipt, outcome = await asyncio.wait_for(taking, ANSWER_WITHIN)
        except (DatabaseUnavailable, TimeoutError) as error:
            return self._unavailable(source, error)
        telemetry.webhook(source, outcome)
        return JSONResponse({"receipt": receipt, "outcome": outcome}, status_code=202)

    async def _dead(self, source: str, raw: bytes, why: str) -> Response:
        def work(tx: Tx) -> str:
            return inbox.keep_all(tx.connection, source, [(raw, why)], tx.now, state=inbox.DEAD)[0]

        try:
            receipt = await asyncio.wait_for(self._services.store.write(work), ANSWER_WITHIN)
        except (DatabaseUnavailable, TimeoutError) as error:
            return self._unavailable(source, error)
        telemetry.WEBHOOKS.labels(source, "malformed").inc()
        log.warning("webhook_malformed", source=source, receipt=receipt, why=why)
        fix = f"Mend the sender. The body is kept: `sitrep inbox show {receipt}`."
        return problem(400, "malformed", f"{why}. {fix}", details={"receipt": receipt})

    def _off(self, source: str, variable: str) -> Response:
        telemetry.WEBHOOKS.labels(source, "off").inc()
        return problem(503, "integration_off", f"Set {variable} and restart to take {source} webhooks.")

    def _unavailable(self, source: str, error: Exception) -> Response:
        telemetry.WEBHOOKS.labels(source, "unavailable").inc()
        log.error("database_unavailable", source=source, reason=str(error) or type(error).__name__)
        return problem(
            503,
            "database_unavailable",
            "Send it again: whether it was saved is not known, and twice does no harm.",
            headers=RETRY_AFTER,
        )

"""The webhook endpoints: verify, parse, commit, answer 202. What is refused is told to the operators."""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable
from functools import lru_cache

import structlog
from starlette.requests import HTTPConnection, Request
from starlette.responses import JSONResponse, Response
from starlette.routing import Route
from starlette.types import Scope

from bot import telemetry
from bot.errors import DatabaseUnavailable
from bot.incidents.sources import ALERTMANAGER, PAGERDUTY, source_of
from bot.intake import Read
from bot.notices import Reason, Refusal, Refusals
from bot.services import Services
from bot.store import inbox
from bot.store.tx import Tx
from handlers.bodies import Allowance
from handlers.http import credentials, problem
from handlers.webhooks import alertmanager, pagerduty
from handlers.webhooks.misdirected import hint
from handlers.webhooks.reading import Malformed
from handlers.webhooks.tokens import BadSource, Senders, WrongSource

log = structlog.get_logger()

ANSWER_WITHIN = 4.5  # seconds; PagerDuty gives a webhook 5
RETRY_AFTER = {"retry-after": "5"}
SMALL = 16 * 1024  # bytes of a body that is remembered
ASIDE = 128 * 1024  # bytes from which on a body is read in a thread, while the event loop goes on
OPEN_LIMIT = 1024 * 1024  # bytes of a body whose sender is known only once it is there
ALERTMANAGER_PATH = "/webhooks/alertmanager"
PAGERDUTY_PATH = "/webhooks/pagerduty"
CHALLENGE = {"www-authenticate": "Bearer"}


@lru_cache(maxsize=256)
def _read_small(raw: bytes, source: str) -> Read:
    """Read a body; Alertmanager repeats itself byte for byte, and the same bytes say the same."""
    return _read(raw, source)


def _read(raw: bytes, source: str) -> Read:
    return Read.of(alertmanager.read(raw, source))


def _named(path: str) -> str:
    """Return the source that a path names; empty for the path without one."""
    return path.removeprefix(ALERTMANAGER_PATH).strip("/")


class Webhooks:
    """The endpoints, bound to one process's parts."""

    def __init__(self, services: Services) -> None:
        self._services = services
        self._senders = Senders(services.settings)
        self._refusals = Refusals(services.store, services.desk)
        self._reading = asyncio.Semaphore(1)  # of large bodies: their values take many times their bytes
        tokens = services.settings.alertmanager_tokens
        telemetry.name_sources(source_of(each.source) for each in tokens if each.source)

    @property
    def routes(self) -> list[Route]:
        """The routes to mount."""
        return [
            Route(ALERTMANAGER_PATH, self.alertmanager, methods=["POST"]),
            Route(f"{ALERTMANAGER_PATH}/{{source:path}}", self.alertmanager, methods=["POST"]),
            Route(PAGERDUTY_PATH, self.pagerduty, methods=["POST"]),
        ]

    def allow(self, scope: Scope) -> Allowance:
        """Say how much is taken of a request; of Alertmanager's without a good token nothing is kept."""
        limit = self._services.settings.max_body
        if not _is_alertmanagers(scope["path"]):
            return Allowance(min(limit, OPEN_LIMIT), pool="open")
        known = self._senders.knows(credentials(HTTPConnection(scope)))
        return Allowance(limit, keep=known, pool=ALERTMANAGER, setting="SITREP_MAX_BODY")

    async def too_large(self, scope: Scope, size: int, limit: int) -> None:
        """Count a webhook that was answered 413, and have the operators told."""
        path, request = scope["path"], HTTPConnection(scope)
        if path != PAGERDUTY_PATH and not _is_alertmanagers(path):
            return
        source = PAGERDUTY
        if path != PAGERDUTY_PATH:
            source = self._senders.claimed(_named(path))
        telemetry.webhook(source, "too_large")
        await self._refusals.note(
            Refusal(source, Reason.TOO_LARGE, _sender(request), size or limit, limit, declared=bool(size))
        )

    async def alertmanager(self, request: Request) -> Response:
        """Take a notification in."""
        name = request.path_params.get("source", "").strip("/")
        if self._senders.off:
            return await self._off(request, ALERTMANAGER, "ALERTMANAGER_WEBHOOK_TOKEN")
        token = credentials(request)
        if token is None or not self._senders.knows(token):
            message = "Send ALERTMANAGER_WEBHOOK_TOKEN as a Bearer token or as a Basic password."
            return await self._unauthorized(request, self._senders.claimed(name), Reason.UNAUTHORIZED, message)
        try:
            source = self._senders.source(token, name)
        except BadSource:
            telemetry.webhook(ALERTMANAGER, "malformed")
            await self._refusals.note(Refusal(ALERTMANAGER, Reason.BAD_SOURCE, _sender(request)))
            message = "Name a source by up to 32 characters of a-z, 0-9, - and _, or leave it out."
            return problem(404, "bad_source", message)
        except WrongSource:
            message = "Send it to the path of the source that the token belongs to."
            return await self._unauthorized(request, self._senders.claimed(name), Reason.WRONG_SOURCE, message)
        raw = await request.body()
        try:
            if len(raw) <= SMALL:
                read = _read_small(raw, source)
            elif len(raw) <= ASIDE:
                read = _read(raw, source)
            else:
                async with self._reading:
                    read = await asyncio.to_thread(_read, raw, source)
        except Malformed as error:
            return await self._dead(request, source, raw, str(error))

        async def take() -> tuple[str, str]:
            taken = await self._services.intake.take(read, raw)
            return taken.receipt, taken.outcome

        return await self._answer(request, source, take(), read.notification.unread)

    async def pagerduty(self, request: Request) -> Response:
        """Take an event in."""
        secrets = self._services.settings.webhook_secrets
        if not secrets:
            return await self._off(request, PAGERDUTY, "PAGERDUTY_WEBHOOK_SECRETS")
        raw = await request.body()
        if not pagerduty.verified(raw, request.headers.get("x-pagerduty-signature", ""), secrets):
            # Three refusals in a row and PagerDuty turns the subscription off for a day.
            message = hint(raw, PAGERDUTY) or "Sign the raw body with a secret in PAGERDUTY_WEBHOOK_SECRETS."
            return await self._unauthorized(request, PAGERDUTY, Reason.SIGNATURE, message, len(raw))
        try:
            event = pagerduty.read(raw)
        except Malformed as error:
            return await self._dead(request, PAGERDUTY, raw, str(error))

        def work(tx: Tx) -> tuple[str, str]:
            receipt = inbox.keep_once(tx.connection, PAGERDUTY, raw, tx.now, event.id)
            if receipt is None:
                return "", "duplicate"
            outcome = self._services.pagerduty.receive(tx, event)
            inbox.note(tx.connection, receipt, outcome)
            return receipt, outcome

        return await self._answer(request, PAGERDUTY, self._services.store.write(work))

    async def _answer(
        self, request: Request, source: str, taking: Awaitable[tuple[str, str]], unread: tuple[str, ...] = ()
    ) -> Response:
        try:
            receipt, outcome = await asyncio.wait_for(taking, ANSWER_WITHIN)
        except (DatabaseUnavailable, TimeoutError) as error:
            return self._unavailable(source, error)
        telemetry.webhook(source, outcome)
        answer: dict[str, object] = {"receipt": receipt, "outcome": outcome}
        if unread:
            log.warning("alerts_left_out", source=source, receipt=receipt, why=list(unread))
            await self._refusals.note(Refusal(source, Reason.UNREAD, _sender(request), receipt=receipt))
            answer["left_out"] = list(unread)
        return JSONResponse(answer, status_code=202)

    async def _unauthorized(
        self, request: Request, source: str, reason: Reason, message: str, size: int = 0
    ) -> Response:
        telemetry.webhook(source, "unauthorized")
        declared = request.headers.get("content-length", "")
        size = size or (int(declared) if declared.isdecimal() else 0)
        await self._refusals.note(Refusal(source, reason, _sender(request), size))
        return problem(401, reason.value, message, headers=None if reason is Reason.SIGNATURE else CHALLENGE)

    async def _dead(self, request: Request, source: str, raw: bytes, why: str) -> Response:
        def work(tx: Tx) -> str:
            return inbox.bury(tx.connection, source, raw, why, tx.now)

        try:
            receipt = await asyncio.wait_for(self._services.store.write(work), ANSWER_WITHIN)
        except (DatabaseUnavailable, TimeoutError) as error:
            return self._unavailable(source, error)
        telemetry.webhook(source, "malformed")
        log.warning("webhook_malformed", source=source, receipt=receipt, why=why)
        await self._refusals.note(Refusal(source, Reason.MALFORMED, _sender(request), len(raw), receipt=receipt))
        fix = f"Fix the sender. The body is kept: `sitrep inbox show {receipt}`."
        return problem(400, "malformed", f"{why}. {fix}", details={"receipt": receipt})

    async def _off(self, request: Request, source: str, variable: str) -> Response:
        telemetry.webhook(source, "off")
        await self._refusals.note(Refusal(source, Reason.OFF, _sender(request)))
        return problem(503, "integration_off", f"Set {variable} and restart to take {source} webhooks.")

    def _unavailable(self, source: str, error: Exception) -> Response:
        telemetry.webhook(source, "unavailable")
        log.error("database_unavailable", source=source, reason=str(error) or type(error).__name__)
        return problem(
            503,
            "database_unavailable",
            "Send it again: whether it was saved is not known, and twice does no harm.",
            headers=RETRY_AFTER,
        )


def _is_alertmanagers(path: str) -> bool:
    return path == ALERTMANAGER_PATH or path.startswith(f"{ALERTMANAGER_PATH}/")


def _sender(request: HTTPConnection) -> str:
    return request.client.host if request.client else ""

"""Says that all is well to somebody outside, whose alarm is our silence."""

from __future__ import annotations

import httpx
import structlog

from bot import telemetry

log = structlog.get_logger()


class Heartbeat:
    """A dead man's switch, such as healthchecks.io or Dead Man's Snitch: one GET to its address is a sign of life."""

    def __init__(self, url: str, http: httpx.AsyncClient) -> None:
        self._url = url
        self._http = http

    async def beat(self) -> None:
        """Give a sign of life; one that does not arrive is missed over there, and warned of here."""
        outcome = "delivered"
        try:
            answer = await self._http.get(self._url)
            if not answer.is_success:
                outcome = "refused"
                log.warning("heartbeat_refused", status=answer.status_code, fix="Check SITREP_HEARTBEAT_URL.")
        except (httpx.HTTPError, httpx.InvalidURL) as error:
            # The address is a secret, and an error's text can hold it.
            outcome = "unreachable"
            log.warning("heartbeat_failed", reason=type(error).__name__, fix="Check SITREP_HEARTBEAT_URL.")
        telemetry.HEARTBEATS.labels(outcome).inc()

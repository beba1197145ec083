"""What Alertmanager reports of its alerts.

Source: https://github.com/prometheus/alertmanager/blob/main/api/v2/openapi.yaml, `GET /alerts`. It lists what fires
now; an alert that is over is not listed. Group keys are not in it: an alert is known by its fingerprint.
"""

from __future__ import annotations

import asyncio
from collections.abc import Sequence
from datetime import datetime
from urllib.parse import urlsplit

import httpx
from pydantic import BaseModel, Field, TypeAdapter, ValidationError

from bot import telemetry
from bot.errors import OutwardError, Permanent, Retryable
from bot.incidents.reconcile import Look, Reported

NAME = "alertmanager"
# A silenced alert fires all the same: only what is not listed at all has ended.
EVERYTHING = {"active": "true", "silenced": "true", "inhibited": "true", "unprocessed": "true"}


class _Status(BaseModel):
    state: str
    silencedBy: list[str] = Field(default_factory=list)  # noqa: N815 - Alertmanager's names
    inhibitedBy: list[str] = Field(default_factory=list)  # noqa: N815
    mutedBy: list[str] = Field(default_factory=list)  # noqa: N815


class _Receiver(BaseModel):
    name: str


class _Alert(BaseModel):
    fingerprint: str = Field(min_length=1)
    labels: dict[str, str]
    status: _Status
    annotations: dict[str, str] = Field(default_factory=dict)
    receivers: list[_Receiver] = Field(default_factory=list)
    startsAt: datetime | None = None  # noqa: N815
    generatorURL: str = ""  # noqa: N815

    @property
    def muted(self) -> bool:
        status = self.status
        return status.state == "suppressed" or bool(status.silencedBy or status.inhibitedBy or status.mutedBy)


_ALERTS = TypeAdapter(list[_Alert])


class Alertmanager:
    """One Alertmanager, the peers of a cluster, or several clusters: an alert fires while any of them reports it."""

    def __init__(self, urls: Sequence[str], http: httpx.AsyncClient, source: str = NAME) -> None:
        self._urls = urls
        self._source = source
        self._http = http

    @property
    def name(self) -> str:
        """The source of its alerts."""
        return self._source

    async def look(self) -> Look:
        """Ask all of them; one that does not answer, or answers nonsense, is a problem of the look."""
        answers = await asyncio.gather(*(self._ask(url) for url in self._urls))
        # Of a peer that mutes an alert and one that does not, the latter counts: it comes last.
        reported = sorted((r for found, _ in answers for r in found), key=lambda r: not r.muted)
        return Look(tuple(reported), tuple(problem for _, problem in answers if problem))

    async def _ask(self, url: str) -> tuple[list[Reported], str]:
        try:
            with telemetry.outward_call(NAME, "alerts"):
                return await self._alerts(url), ""
        except OutwardError as error:
            parts = urlsplit(url)
            # The rest of a URL can hold a password.
            return [], f"{parts.hostname}:{parts.port or parts.scheme}: {error}"

    async def _alerts(self, url: str) -> list[Reported]:
        try:
            answer = await self._http.get(f"{url.rstrip('/')}/api/v2/alerts", params=EVERYTHING)
        except (httpx.HTTPError, httpx.InvalidURL) as error:
            raise Retryable("alertmanager_unreachable", type(error).__name__) from error
        if answer.status_code != httpx.codes.OK:
            raise Retryable("alertmanager_refused", f"it answered {answer.status_code}")
        # Thousands of alerts take a while to read, in which the event loop has other things to do.
        return await asyncio.to_thread(_read, answer.content)


def _read(body: bytes) -> list[Reported]:
    try:
        alerts = _ALERTS.validate_json(body)
    except ValidationError as error:
        fix = "Set ALERTMANAGER_API_URL to Alertmanager's own address, without /api."
        raise Permanent("alertmanager_nonsense", fix, f"{error.error_count()} errors. {fix}") from error
    return [
        Reported(
            alert.fingerprint,
            alert.labels,
            alert.muted,
            active=alert.status.state == "active",
            receivers=tuple(receiver.name for receiver in alert.receivers),
            starts_at=alert.startsAt if alert.startsAt and alert.startsAt.tzinfo else None,
            annotations=alert.annotations,
            url=alert.generatorURL,
        )
        for alert in alerts
    ]

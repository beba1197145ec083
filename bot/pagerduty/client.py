"""PagerDuty's REST and Events APIs as operations that may be repeated after an unknown outcome.

The `pagerduty` package is synchronous, so each call runs in a thread of its own, under a deadline. The package's own
retries are off, because the outbox owns them: it would sleep without limit on 429, and post again after a lost answer.
"""

from __future__ import annotations

import asyncio
import threading
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any, TypeVar
from urllib.parse import quote

import httpx2
import pagerduty

from bot import lease, telemetry
from bot.errors import OutwardError, Permanent, Retryable
from bot.pagerduty.faults import Api, Throttled, is_open_already, sort, unclear
from bot.settings import Settings, is_loopback
from bot.slack.throttles import UNSAID, Throttles
from bot.text import clip
from bot.threads import in_thread

T = TypeVar("T")

DEADLINE = 10.0  # seconds for one operation
LISTING_DEADLINE = 60.0  # seconds for a listing of many pages
# Seconds to connect, read, write and get a connection: a call has been sent, or has failed, well before its deadline.
TIMEOUTS = (2.5, 6.0, 1.5, 0.5)
TITLE = 1024  # characters, of an incident's title and an event's summary
PRIORITY = 200  # characters of a priority's name
OPEN = ("triggered", "acknowledged")
MOST_ALERTS = 10  # of an incident, that are asked for


@dataclass(frozen=True, slots=True)
class Keys:
    """What lets us in. `sender` is the e-mail address of the user in whose name an account's API key writes."""

    api_token: str = ""
    routing_key: str = ""
    sender: str = ""
    api_url: str = "https://api.pagerduty.com"
    events_url: str = "https://events.pagerduty.com"

    @classmethod
    def of(cls, settings: Settings) -> Keys:
        """Take them from the settings."""
        token, routing_key = settings.pagerduty_api_token, settings.pagerduty_routing_key
        return cls(
            api_token=token.get_secret_value() if token else "",
            routing_key=routing_key.get_secret_value() if routing_key else "",
            sender=settings.pagerduty_from,
            api_url=settings.pagerduty_api_url,
            events_url=settings.pagerduty_events_url,
        )


@dataclass(frozen=True, slots=True)
class PagerDutyIncident:
    """An incident at PagerDuty, by what its API says of it."""

    id: str
    key: str
    status: str
    title: str
    url: str
    service: str
    urgency: str
    priority: str


@dataclass(frozen=True, slots=True)
class Page:
    """What a page says, and whom it is for: an escalation policy, else the service's own."""

    key: str
    title: str
    details: Mapping[str, str]
    urgent: bool
    source: str
    severity: str
    url: str = ""
    service: str = ""
    escalation_policy: str = ""


class _AnyScheme:
    """Takes http:// too, which the package does not; the settings let it through for loopback hosts only."""

    _base = ""

    @property
    def url(self) -> str:
        """The base URL."""
        return self._base

    @url.setter
    def url(self, base: str) -> None:
        self._base = base


class _Rest(_AnyScheme, pagerduty.RestApiV2Client):
    pass


class _Events(_AnyScheme, pagerduty.EventsApiV2Client):
    pass


class PagerDuty:
    """Calls PagerDuty."""

    def __init__(self, keys: Keys, throttles: Throttles) -> None:
        self._keys = keys
        self.throttles = throttles
        self._rest: _Rest | None = None
        self._events: _Events | None = None
        self._making = threading.Lock()
        self._requester = ""

    @property
    def has_api(self) -> bool:
        """True when there is a key of the REST API."""
        return bool(self._keys.api_token)

    @property
    def has_events(self) -> bool:
        """True when there is a key of the Events API."""
        return bool(self._keys.routing_key)

    async def close(self) -> None:
        """Close the connections."""
        for client in (self._rest, self._events):
            if client is not None:
                client.close()

    # Events API v2: the dedup key makes each of them idempotent

    async def trigger(self, page: Page) -> None:
        """Open an alert; while it is open, the same key again changes nothing but its log."""
        event: dict[str, Any] = {
            "payload": {
                "summary": clip(page.title, TITLE),
                "source": page.source,
                "severity": page.severity,
                "custom_details": dict(page.details),
            },
            "client": "Sitrep",
        }
        if page.url:
            event["client_url"] = page.url
        await self._event("trigger", page.key, **event)

    async def acknowledge(self, key: str) -> None:
        """Acknowledge the alert of a key; nothing happens where there is none."""
        await self._event("acknowledge", key)

    async def resolve(self, key: str) -> None:
        """Resolve the alert of a key; nothing happens where there is none."""
        await self._event("resolve", key)

    async def _event(self, action: str, key: str, **facts: Any) -> None:
        def send() -> None:
            self._events_client().send_event(action, dedup_key=key, **facts)

        await self._call(Api.EVENTS, f"{action} event", send, writes=True)

    # REST API

    async def create_incident(self, page: Page) -> PagerDutyIncident | None:
        """Open an incident on a service; one that is open with this key already is taken for it.

        Gives None where PagerDuty has it open but does not show it.
        """
        body: dict[str, Any] = {
            "type": "incident",
            "title": clip(page.title, TITLE),
            "service": {"id": page.service, "type": "service_reference"},
            "incident_key": page.key,
            "urgency": "high" if page.urgent else "low",
            "body": {"type": "incident_body", "details": "\n".join(f"{k}: {v}" for k, v in page.details.items())},
        }
        if page.escalation_policy:
            body["escalation_policy"] = {"id": page.escalation_policy, "type": "escalation_policy_reference"}

        def send() -> Any:
            return self._rest_client().rpost("/incidents", json={"incident": body})

        try:
            return _incident(await self._call(Api.REST, "POST /incidents", send, writes=True))
        except Permanent as error:
            if not is_open_already(error):
                raise
        return await self.find_incident(page.key)

    async def find_incident(self, key: str) -> PagerDutyIncident | None:
        """Look for the newest incident with this key, or with an alert of this key, whatever its state."""
        found = await self._list("/incidents", {"incident_key": key, "date_range": "all", "sort_by": "created_at:desc"})
        return _incident(found[0]) if found else None

    async def open_incidents(self) -> list[PagerDutyIncident]:
        """Give all incidents that are triggered or acknowledged, however old."""
        found = await self._list("/incidents", {"statuses[]": OPEN, "date_range": "all"}, within=LISTING_DEADLINE)
        return [_incident(one) for one in found]

    async def priorities(self) -> list[str]:
        """Give the names of the account's priorities, the most severe first; none where the account has none."""
        try:
            found = await self._list("/priorities", {})
        except Permanent as error:
            if error.reason in {"pagerduty_not_found", "pagerduty_not_in_plan"}:
                return []
            raise
        return [name for one in found if (name := clip(str(one.get("name") or one.get("summary") or ""), PRIORITY))]

    async def set_status(self, incident_id: str, status: str) -> None:
        """Acknowledge or resolve an incident; nothing happens where it has got that far, or is gone."""
        path = f"/incidents/{quote(incident_id, safe='')}"
        there = await self._one(path)
        if there is None or there.get("status") in {status, "resolved"}:
            return

        def send() -> Any:
            body = {"incident": {"type": "incident_reference", "status": status}}
            return self._rest_client().rput(path, json=body)

        await self._call(Api.REST, "PUT /incidents/{id}", send, writes=True)

    async def alerts_of(self, incident_id: str, *, within: float) -> list[dict[str, Any]]:
        """Give the first alerts of an incident, with what their integrations have sent, within so many seconds."""
        path = f"/incidents/{quote(incident_id, safe='')}/alerts"

        def look() -> Any:
            return self._rest_client().rget(path, params={"limit": MOST_ALERTS})

        found = await self._call(Api.REST, "GET /incidents/{id}/alerts", look, writes=False, within=within)
        return [alert for alert in found if isinstance(alert, dict)] if isinstance(found, list) else []

    async def request_responders(self, incident_id: str, escalation_policy: str, message: str) -> None:
        """Ask an escalation policy's on-call people to join an incident; each call notifies them anew."""
        requester = await self.requester()
        target = {"id": escalation_policy, "type": "escalation_policy_reference"}
        body = {
            "requester_id": requester,
            "message": message,
            "responder_request_targets": [{"responder_request_target": target}],
        }
        path = f"/incidents/{quote(incident_id, safe='')}/responder_requests"

        def send() -> Any:
            return self._rest_client().rpost(path, json=body)

        await self._call(Api.REST, "POST /incidents/{id}/responder_requests", send, writes=True)

    async def responders_requested(self, incident_id: str, mark: str) -> bool:
        """True when a request to respond whose message holds `mark` is there."""
        there = await self._one(f"/incidents/{quote(incident_id, safe='')}")
        requests = (there or {}).get("responder_requests") or []
        return any(mark in str(request.get("message") or "") for request in requests)

    async def oncalls(self, escalation_policy: str) -> tuple[str, ...]:
        """Give the names of those whom an escalation policy notifies first; empty when nobody is on call."""
        found = await self._list("/oncalls", {"escalation_policy_ids[]": [escalation_policy]})
        first = min((int(one.get("escalation_level") or 1) for one in found), default=1)
        names = [
            str(user.get("summary") or user["id"])
            for one in found
            if int(one.get("escalation_level") or 1) == first and (user := one.get("user"))
        ]
        return tuple(dict.fromkeys(names))

    async def requester(self) -> str:
        """Find the id of the user in whose name we write: that of PAGERDUTY_FROM, else the API key's own.

        Raises:
            OutwardError: there is none, or PagerDuty could not be asked.
        """
        if not self._requester:
            sender = self._keys.sender

            def look() -> Any:
                client = self._rest_client()
                return client.find("users", sender, attribute="email") if sender else client.rget("/users/me")

            user = await self._call(Api.REST, "GET /users", look, writes=False)
            if not user:
                raise Permanent("pagerduty_no_user", "Set PAGERDUTY_FROM to the login e-mail of a PagerDuty user.")
            self._requester = str(user["id"])
        return self._requester

    async def _one(self, path: str) -> dict[str, Any] | None:
        try:
            found = await self._call(
                Api.REST, "GET /incidents/{id}", lambda: self._rest_client().rget(path), writes=False
            )
        except Permanent as error:
            if error.reason == "pagerduty_not_found":
                return None
            raise
        return dict(found)

    async def _list(self, path: str, params: Mapping[str, Any], *, within: float = DEADLINE) -> list[dict[str, Any]]:
        def look() -> Any:
            return self._rest_client().list_all(path, params=dict(params))

        return list(await self._call(Api.REST, f"GET {path}", look, writes=False, within=within))

    # Both

    async def _call(self, api: Api, name: str, send: Callable[[], T], *, writes: bool, within: float = DEADLINE) -> T:
        """Make a call; `name` is for logs and metrics.

        Raises:
            OutwardError: by what became of it.
            LeaseLost: it may be another replica's to make.
        """
        throttle = f"pagerduty {api.value}"
        if wait := self.throttles.left(throttle):
            raise Retryable("pagerduty_throttled", f"{name} waits", after=wait)
        lease.check()
        with telemetry.outward_call("pagerduty", name):
            try:
                async with asyncio.timeout(within):
                    return await in_thread(send, "pagerduty")
            except TimeoutError as error:
                raise unclear(f"{name}: no answer in {within:g} s", writes=writes) from error
            except pagerduty.Error as error:
                raise self._heed(sort(error, api, name, writes=writes), throttle) from error

    def _heed(self, outcome: OutwardError, throttle: str) -> OutwardError:
        if isinstance(outcome, Retryable) and outcome.reason == "pagerduty_throttled":
            outcome.throttle = throttle
            outcome.after = UNSAID if outcome.after is None else outcome.after
            self.throttles.put(throttle, outcome.after)
        return outcome

    def _rest_client(self) -> _Rest:
        with self._making:
            if self._rest is None:
                keys = self._keys
                self._rest = _Rest(keys.api_token, default_from=keys.sender or None, **_ways(keys.api_url))
                _tune(self._rest)
            return self._rest

    def _events_client(self) -> _Events:
        with self._making:
            if self._events is None:
                self._events = _Events(self._keys.routing_key, **_ways(self._keys.events_url))
                _tune(self._events)
            return self._events


def _ways(base: str) -> dict[str, Any]:
    hooks = {"response": [_refuse_to_wait]}
    return {"base_url": base.rstrip("/"), "trust_env": not is_loopback(base), "event_hooks": hooks}


def _refuse_to_wait(response: httpx2.Response) -> None:
    if response.status_code == 429:
        response.read()
        raise Throttled("too many requests", response)


def _tune(client: pagerduty.ApiClient) -> None:
    client.max_network_attempts = 0
    client.retry = {}
    client.timeout = TIMEOUTS  # type: ignore[assignment]  # handed to httpx2 as it is


def _incident(facts: Mapping[str, Any]) -> PagerDutyIncident:
    return PagerDutyIncident(
        id=str(facts["id"]),
        key=str(facts.get("incident_key") or ""),
        status=str(facts.get("status") or ""),
        title=str(facts.get("title") or ""),
        url=str(facts.get("html_url") or ""),
        service=_summary(facts.get("service")),
        urgency=str(facts.get("urgency") or ""),
        priority=_summary(facts.get("priority")),
    )


def _summary(value: Any) -> str:
    return str(value.get("summary") or "") if isinstance(value, dict) else ""

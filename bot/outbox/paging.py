"""Paging through PagerDuty, and answering it: what we opened there is acknowledged and resolved as it is here.

A page goes by the first of these ways that is open to it: responders are requested on the PagerDuty incident that the
incident stems from; else an incident is opened on the level's service; else an event goes to the routing key.
"""

from __future__ import annotations

from collections.abc import Awaitable, Callable, Iterator
from dataclasses import dataclass
from typing import Any

import structlog

from bot import board as boards
from bot.board import Board
from bot.errors import OutwardError, Permanent
from bot.incidents.escalation import is_needless
from bot.incidents.model import Incident
from bot.incidents.policy import Severity
from bot.incidents.reasons import why_paged
from bot.incidents.sources import PAGERDUTY
from bot.outbox.worker import Superseded
from bot.pagerduty.client import Page, PagerDuty
from bot.pagerduty.event import OVER
from bot.pagerduty.keys import key_of
from bot.slack import alert_says
from bot.store import deliveries
from bot.store.alerts import Group
from bot.store.deliveries import Outgoing, State
from bot.store.tx import Store
from bot.text import clip

log = structlog.get_logger()

Result = dict[str, Any]
Way = Callable[[], Awaitable[Result]]

# Events API v2 severities; a service with dynamic urgency takes the first two for high.
SEVERITIES = {Severity.SEV1: "critical", Severity.SEV2: "error", Severity.SEV3: "warning", Severity.SEV4: "info"}
URGENT = frozenset({Severity.SEV1, Severity.SEV2})


@dataclass(frozen=True, slots=True)
class Paging:
    """Sends pages to PagerDuty, and answers to what they opened."""

    store: Store
    client: PagerDuty
    public_url: str = ""

    async def page(self, row: Outgoing, board: Board) -> Result:
        """Page a level; gives how it went out and whom it notifies.

        Raises:
            OutwardError: it did not go out.
            Superseded: it need not go out any more.
        """
        if row.tried:
            found = await self._found(row, board)
            if found is not None:
                return found
        reason = str(row.data["reason"])
        names: tuple[str, ...] = ()
        if not is_needless(board.incident, reason):
            names = await self._on_call(row, board)
            # That took a while: nobody is paged after an acknowledgement that came meanwhile.
            fresh = await self.store.read(lambda c: boards.load(c, row.scope))
            if fresh is not None:
                board = fresh
        if is_needless(board.incident, reason):
            if row.tried and not self.client.has_api:
                await self._answer_event(key_of(row), _wanted(board))  # it cannot be looked for, only silenced
            raise Superseded
        refused: list[OutwardError] = []
        for way in self._ways(row, board):
            try:
                result = await way()
            except Permanent as error:
                log.warning("pagerduty_way_refused", delivery=row.key, reason=str(error), fix=error.fix)
                refused.append(error)
            else:
                return {**result, "people": list(names), "problems": [str(error) for error in refused]}
        raise refused[-1]

    async def answer(self, row: Outgoing, board: Board) -> Result:
        """Acknowledge or resolve what our pages have opened; gives what has been told by now.

        Raises:
            OutwardError: it did not succeed for all of it.
            Superseded: there is nothing to tell that PagerDuty does not know.
        """
        incident = board.incident
        wanted = _wanted(board)
        pages, answers = await self.store.read(
            lambda c: (
                deliveries.of_kind(c, row.scope, "page_pagerduty"),
                deliveries.of_kind(c, row.scope, "pagerduty_state"),
            )
        )
        known: dict[str, str] = {}
        for earlier in answers:
            known.update(earlier.result.get("told") or {})
        told: dict[str, str] = {}
        again = str(row.data.get("again") or "")
        for page in pages:
            key, group = key_of(page), _echo(board, page)
            opened = page.state is State.DELIVERED and page.result.get("way") in {"incident", "event"}
            there = str(group.data.get("status") or "") if group else ""
            answered = known.get(key) in {wanted, "resolved"} and key != again
            if opened and not answered and there not in {wanted, *OVER} and _has_answer(incident, page):
                await self._answer(page, group, wanted)
                told[key] = wanted
        if not told:
            raise Superseded
        return {"told": told}

    # -- pages ------------------------------------------------------------------------------------------------

    def _ways(self, row: Outgoing, board: Board) -> Iterator[Way]:
        client, page = self.client, self._page(row, board)
        origin = _origin(row, board)
        if not client.has_api and not client.has_events:
            raise Permanent("pagerduty_off", "Set PAGERDUTY_API_TOKEN or PAGERDUTY_ROUTING_KEY.")
        by_request = client.has_api and origin is not None and bool(page.escalation_policy)
        if by_request and origin is not None:
            yield lambda: self._request(origin.key, page)
        if client.has_api and page.service:
            yield lambda: self._create(page)
        elif client.has_events:
            yield lambda: self._trigger(page)
        elif not by_request:
            fix = "Set `pagerduty: {service: ...}` (SITREP_CONFIG), or PAGERDUTY_ROUTING_KEY."
            raise Permanent("pagerduty_no_service", fix)

    async def _request(self, incident_id: str, page: Page) -> Result:
        # The key is in the message: by it a request whose answer was lost is found again.
        message = f"{page.title}. {page.details['Paged because']}. ({page.key})"
        await self.client.request_responders(incident_id, page.escalation_policy, message)
        return {"way": "responders", "incident": incident_id}

    async def _create(self, page: Page) -> Result:
        made = await self.client.create_incident(page)
        return {"way": "incident", "incident": made.id if made else "", "url": made.url if made else ""}

    async def _trigger(self, page: Page) -> Result:
        await self.client.trigger(page)
        return {"way": "event"}

    async def _found(self, row: Outgoing, board: Board) -> Result | None:
        """Look for what an attempt without an answer may have done; its webhook may have come already."""
        key, echo = key_of(row), _echo(board, row)
        if echo is not None:
            return {"way": "incident" if self.client.has_api else "event", "incident": echo.key}
        if not self.client.has_api:
            return None
        made = await self.client.find_incident(key)
        if made is not None:
            return {"way": "incident", "incident": made.id, "url": made.url}
        for group in board.groups:
            if group.source == PAGERDUTY and await self.client.responders_requested(group.key, key):
                return {"way": "responders", "incident": group.key}
        return None

    async def _on_call(self, row: Outgoing, board: Board) -> tuple[str, ...]:
        """Give the names of those who are on call for a level; empty where it cannot be told.

        Raises:
            Permanent: nobody is.
        """
        target = str(row.data.get("escalation_policy") or "")
        # An event pages the service of the routing key, whoever is on call for it.
        by_policy = bool(row.data.get("service")) or _origin(row, board) is not None
        if not target or not by_policy or not self.client.has_api:
            return ()
        try:
            names = await self.client.oncalls(target)
        except OutwardError as error:
            log.warning("pagerduty_roster_unknown", delivery=row.key, reason=str(error))
            return ()
        if not names:
            fix = f"Put someone on call in PagerDuty's escalation policy {target}, or correct the ladder."
            raise Permanent("nobody_on_call", fix, target)
        return names

    def _page(self, row: Outgoing, board: Board) -> Page:
        incident = board.incident
        url = f"{self.public_url}/api/v1/incidents/{incident.number}/timeline?format=md" if self.public_url else ""
        details = {
            "Paged because": f"{row.data['name']} (level {row.data['level']}): {why_paged(row.data)}",
            "Status": incident.status.value,
            "Severity": incident.severity_name,
            "Started": f"{incident.started_at or incident.declared_at:%Y-%m-%d %H:%M} UTC",
            "Impact": incident.impact or "not stated yet",
            "Alert text": alert_says.plain(board),
            "Service": incident.service,
            "Region": incident.region,
            "Tenants affected": incident.tenants or board.fact("tenant", "tenant_id", "customer"),
            "Alerts firing": str(board.counts.firing),
            "Last update": clip(incident.last_update, 500),
            "Slack channel": f"#{incident.channel_name}" if incident.channel_name else "",
            "Timeline": url,
        }
        return Page(
            key=key_of(row),
            title=f"[{incident.number}] {incident.severity_name}: {incident.title}",
            details={name: fact for name, fact in details.items() if fact},
            urgent=incident.severity in URGENT,
            source=incident.service or incident.number,
            severity=SEVERITIES[incident.severity],
            url=url,
            service=str(row.data.get("service") or ""),
            escalation_policy=str(row.data.get("escalation_policy") or ""),
        )

    # -- answers ----------------------------------------------------------------------------------------------

    async def _answer(self, page: Outgoing, echo: Group | None, wanted: str) -> None:
        key = key_of(page)
        incident_id = str(page.result.get("incident") or "") or (echo.key if echo else "")
        if not self.client.has_api or (page.result["way"] == "event" and not incident_id):
            await self._answer_event(key, wanted)
            return
        if not incident_id:
            made = await self.client.find_incident(key)
            incident_id = made.id if made else ""
        if incident_id:
            await self.client.set_status(incident_id, wanted)

    async def _answer_event(self, key: str, wanted: str) -> None:
        if not self.client.has_events:
            raise Permanent("pagerduty_off", "Set PAGERDUTY_API_TOKEN or PAGERDUTY_ROUTING_KEY.")
        await (self.client.resolve(key) if wanted == "resolved" else self.client.acknowledge(key))


def _wanted(board: Board) -> str:
    return "acknowledged" if board.incident.status.is_open else "resolved"


def _has_answer(incident: Incident, page: Outgoing) -> bool:
    """True where a page need not go on: an acknowledgement that became void, or an end taken back, answers nothing."""
    if not incident.status.is_open:
        return True
    if page.data.get("reason") == "update_overdue":
        return not incident.update_is_overdue
    return incident.acknowledged_at is not None


def _echo(board: Board, page: Outgoing) -> Group | None:
    """Find the PagerDuty incident that a page has opened among those that came in by webhook."""
    opened = page.result.get("incident") if page.result.get("way") == "incident" else None
    mine = (g for g in board.groups if g.source == PAGERDUTY and (g.hash == key_of(page) or g.key == opened))
    return next(mine, None)


def _origin(row: Outgoing, board: Board) -> Group | None:
    """Find the PagerDuty incident on which responders can be requested: the first that is open there."""
    for group in board.groups:
        if group.source == PAGERDUTY and group.hash != key_of(row) and group.data.get("status") not in OVER:
            return group
    return None

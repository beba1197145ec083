"""PagerDuty's errors, sorted by what they mean for a delivery, each with the fix an operator needs.

Source: https://developer.pagerduty.com/docs/rest-api-v2/errors and the response codes of
https://developer.pagerduty.com/docs/events-api-v2-overview.
"""

from __future__ import annotations

from collections.abc import Mapping
from enum import StrEnum
from typing import Any

import httpx2
import pagerduty

from bot.errors import Ambiguous, OutwardError, Permanent, Retryable
from bot.text import clean

DETAIL = 300  # characters of what PagerDuty says that an operator is shown
RATE_LIMITED = 2020  # PagerDuty's own code
DEDUP_KEY_OPEN = "matching dedup key already exists"


class Api(StrEnum):
    """PagerDuty's two interfaces; each has a key and a rate limit of its own."""

    REST = "rest"
    EVENTS = "events"


KEY = {Api.REST: "PAGERDUTY_API_TOKEN", Api.EVENTS: "PAGERDUTY_ROUTING_KEY"}
URL = {Api.REST: "PAGERDUTY_API_URL", Api.EVENTS: "PAGERDUTY_EVENTS_URL"}
REASONS = {
    400: "pagerduty_invalid",
    401: "pagerduty_unauthorized",
    402: "pagerduty_not_in_plan",
    403: "pagerduty_forbidden",
    404: "pagerduty_not_found",
}
_FIXES = {
    400: "Check PAGERDUTY_FROM (a user's login e-mail) and the ladder's `pagerduty` (SITREP_CONFIG).",
    401: "Set {key} to a valid key, and {url} to the account's service region.",
    402: "Enable the feature in the PagerDuty plan.",
    403: "Give the key of {key} permission to write (no read-only key).",
    404: "Correct the ladder's `pagerduty` (SITREP_CONFIG), and set {url} to the account's service region.",
}
_EVENT_FIX = "Set PAGERDUTY_ROUTING_KEY to the integration key of an Events API v2 integration."


class Throttled(pagerduty.HttpError):
    """A 429, taken out of the package's hands: it would sleep and try again without end."""


def sort(error: Exception, api: Api, call: str, *, writes: bool) -> OutwardError:
    """Turn what the package raised into the outcome it stands for; a call that only reads can always be repeated."""
    if not isinstance(error, pagerduty.Error):
        raise error
    if error.response is None:
        return _unanswered(error, call, writes=writes)
    response: httpx2.Response = error.response
    status, said = response.status_code, _said(response)
    if status == 429 or said.code == RATE_LIMITED:
        return Retryable("pagerduty_throttled", call, after=_wait(response.headers))
    if status >= 500 or status == 408 or response.is_success:  # a success whose body cannot be read
        return unclear(f"{call}: HTTP {status}", writes=writes)
    if api is Api.EVENTS and status == 400:
        fix = _EVENT_FIX
    else:
        fix = _FIXES.get(status, "Check {url}.").format(key=KEY[api], url=URL[api])
    return Permanent(REASONS.get(status, "pagerduty_refused"), fix, f"{call}: {said.text or f'HTTP {status}'}")


def is_open_already(error: OutwardError) -> bool:
    """True when an incident with this key is open: what was asked for is there."""
    return isinstance(error, Permanent) and DEDUP_KEY_OPEN in str(error)


def unclear(detail: str, *, writes: bool) -> OutwardError:
    """Give the outcome of a call that had no answer."""
    return Ambiguous("pagerduty_no_answer", detail) if writes else Retryable("pagerduty_no_answer", detail)


def _unanswered(error: pagerduty.Error, call: str, *, writes: bool) -> OutwardError:
    cause = error.__cause__
    if isinstance(cause, (httpx2.ConnectError, httpx2.ConnectTimeout, httpx2.PoolTimeout, httpx2.ProxyError)):
        return Retryable("pagerduty_unreachable", f"{call}: no connection")
    return unclear(f"{call}: {type(cause or error).__name__}", writes=writes)


class _Said:
    """What an error's body holds: REST nests it under `error`, Events does not, and a proxy sends HTML."""

    def __init__(self, body: Any) -> None:
        told = body.get("error", body) if isinstance(body, dict) else {}
        facts: Mapping[str, Any] = told if isinstance(told, dict) else {"message": told}
        self.code = facts.get("code")
        errors = facts.get("errors")
        parts = [facts.get("message"), *(errors if isinstance(errors, list) else [errors])]
        self.text = clean("; ".join(str(part) for part in parts if part), DETAIL)


def _said(response: httpx2.Response) -> _Said:
    try:
        return _Said(response.json())
    except ValueError:
        return _Said(None)


def _wait(headers: Mapping[str, str]) -> float | None:
    """Give the seconds to wait: `Retry-After`, or PagerDuty's own `ratelimit-reset`."""
    for name in ("retry-after", "ratelimit-reset"):
        try:
            return max(float(headers[name]), 0.0)
        except (KeyError, ValueError):
            continue
    return None

"""Faults on demand: what an API shall do wrong, to which calls, how often; and Slack's rate limits."""

import math
import threading
from collections import defaultdict, deque
from collections.abc import Callable, Iterable, Iterator, Mapping
from dataclasses import dataclass
from typing import Any, Literal

Kind = Literal["ratelimited", "error", "http500", "html", "hang", "drop_before", "drop_after", "refuse"]


@dataclass(slots=True)
class Fault:
    """One rule.

    Args:
        method: the Web API method, or `*` for all of them (uploads are `files.upload`); PagerDuty's are named by verb
            and path, as in `PUT /incidents/{id}`.
        kind: `ratelimited` (429), `error` (`ok: false` with `error`), `http500`, `html` (503 with a page),
            `hang` (no answer for `seconds`), `drop_before` and `drop_after` (the connection ends without an answer,
            before or after acting), `refuse` (the connection is reset).
        error: the code for `error`; for `ratelimited` it replaces the usual one.
        retry_after: seconds in the `Retry-After` header of a 429; None leaves the header out.
        after: how many matching calls pass unharmed first.
        times: how many calls it harms; None for ever.
        where: a further condition on the call's arguments.
        seconds: how long a `hang` lasts.
        status: the HTTP status of an `error` at PagerDuty.
    """

    method: str
    kind: Kind
    error: str | None = None
    retry_after: int | None = 3
    after: int = 0
    times: int | None = 1
    where: Callable[[Mapping[str, Any]], bool] | None = None
    seconds: float = 60.0
    status: int = 400
    hits: int = 0
    skipped: int = 0

    def matches(self, method: str, args: Mapping[str, Any]) -> bool:
        """Whether the rule speaks of this call at all (it may be spent or still waiting)."""
        return self.method in ("*", method) and (self.where is None or self.where(args))


class FaultRegistry:
    """The rules in force; the first that applies to a call harms it."""

    def __init__(self) -> None:
        self._lock = threading.Lock()
        self._faults: list[Fault] = []

    def add(self, *faults: Fault) -> None:
        """Put rules in force, after those already there."""
        with self._lock:
            self._faults.extend(faults)

    append = add

    def extend(self, faults: Iterable[Fault]) -> None:
        """As `add`, for any iterable."""
        self.add(*faults)

    def remove(self, fault: Fault) -> None:
        """Take one rule out; nothing happens if it is not there."""
        with self._lock:
            self._faults = [f for f in self._faults if f is not fault]

    def clear(self) -> None:
        """All is well again."""
        with self._lock:
            self._faults.clear()

    def __iter__(self) -> Iterator[Fault]:
        with self._lock:
            return iter(list(self._faults))

    def take(self, method: str, args: Mapping[str, Any]) -> Fault | None:
        """The fault that harms this call, counted as used."""
        with self._lock:
            for fault in self._faults:
                if (fault.times is not None and fault.hits >= fault.times) or not fault.matches(method, args):
                    continue
                if fault.skipped < fault.after:
                    fault.skipped += 1
                    continue
                fault.hits += 1
                return fault
        return None


# Calls a minute by method, from https://docs.slack.dev/apis/web-api/rate-limits and the methods' own pages.
TIER_2 = (
    "bookmarks.add",
    "conversations.create",
    "conversations.list",
    "conversations.setTopic",
    "pins.add",
    "usergroups.list",
    "usergroups.users.list",
    "users.list",
)
TIER_3 = (
    "chat.update",
    "conversations.history",
    "conversations.info",
    "conversations.invite",
    "conversations.join",
    "conversations.open",
    "conversations.replies",
    "users.lookupByEmail",
)
TIER_4 = ("chat.postEphemeral", "users.info", "views.open", "views.publish", "views.update")
TIERS: Mapping[str, int] = {**dict.fromkeys(TIER_2, 20), **dict.fromkeys(TIER_3, 50), **dict.fromkeys(TIER_4, 100)}
WINDOW = 60.0  # seconds
# `chat.postMessage` takes about one a second in a channel, with short bursts: so many within so many seconds.
BURST, BURST_WITHIN = 10, 10.0


class Tiers:
    """Slack's rate limits, counted over the last minute; a call beyond them is answered 429.

    Args:
        now: epoch seconds.
        limits: calls a minute by method; a method that is not named has no limit.

    Attributes:
        refused: the methods that were called beyond their limit, one entry a call.
    """

    def __init__(self, now: Callable[[], float], limits: Mapping[str, int] = TIERS) -> None:
        self.refused: list[str] = []
        self._now = now
        self._limits = limits
        self._lock = threading.Lock()
        self._calls: defaultdict[str, deque[float]] = defaultdict(deque)

    def take(self, method: str, args: Mapping[str, Any]) -> Fault | None:
        """Count a call; the 429 that it meets beyond the limit counts for nothing."""
        if method == "chat.postMessage":
            key, most, window = f"{method} {args.get('channel')}", BURST, BURST_WITHIN
        elif method in self._limits:
            key, most, window = method, self._limits[method], WINDOW
        else:
            return None
        with self._lock:
            now, calls = self._now(), self._calls[key]
            while calls and calls[0] <= now - window:
                calls.popleft()
            if len(calls) < most:
                calls.append(now)
                return None
            self.refused.append(method)
            return Fault(method, "ratelimited", retry_after=max(math.ceil(calls[0] + window - now), 1))

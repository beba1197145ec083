"""What Slack has asked to leave alone for a while: a method, or a method in a channel.

Source: https://api.slack.com/docs/rate-limits. Limits are per method, and `chat.postMessage` has one a channel. Nothing
waits until Slack has answered 429.
"""

from __future__ import annotations

from collections.abc import Mapping
from datetime import datetime, timedelta

from bot.clock import Clock

PER_CHANNEL = frozenset({"chat.postMessage"})
UNSAID = 10.0  # seconds to wait where Slack names none


def key_of(method: str, channel: object) -> str:
    """Name what a 429 is about."""
    return f"{method} {channel}" if method in PER_CHANNEL and channel else method


class Throttles:
    """Moments until which calls wait; shared between replicas by their rows."""

    def __init__(self, clock: Clock) -> None:
        self._clock = clock
        self._until: dict[str, datetime] = {}

    def left(self, key: str) -> float:
        """Give the seconds that calls still have to wait; 0 where they need not."""
        until = self._until.get(key)
        if until is None:
            return 0.0
        left = (until - self._clock.now()).total_seconds()
        if left <= 0:
            self._until.pop(key, None)  # writers learn in threads of their own
        return max(left, 0.0)

    def put(self, key: str, seconds: float) -> None:
        """Leave something alone for so long."""
        self.learn({key: self._clock.now() + timedelta(seconds=seconds)})

    def learn(self, known: Mapping[str, datetime]) -> None:
        """Take over what other replicas have been told."""
        for key, until in known.items():
            self._until[key] = max(until, self._until.get(key, until))

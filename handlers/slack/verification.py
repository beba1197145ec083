"""Slack's signature: made lately, by whoever knows the signing secret."""

from __future__ import annotations

from slack_bolt.middleware.request_verification.async_request_verification import AsyncRequestVerification
from slack_sdk.signature import Clock as SignatureClock
from slack_sdk.signature import SignatureVerifier

from bot.clock import Clock


class Verification(AsyncRequestVerification):
    """Bolt's own check, by the database's clock: a replica whose machine runs 5 minutes off takes Slack's requests."""

    def __init__(self, secret: str, clock: Clock) -> None:
        super().__init__(secret)
        self._verifier = SignatureVerifier(secret, _Moment(clock))


class _Moment(SignatureClock):
    def __init__(self, clock: Clock) -> None:
        self._clock = clock

    def now(self) -> float:
        return (self._clock.now() - self._clock.offset).timestamp()

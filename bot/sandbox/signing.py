"""Slack's request signature, and how to send a wrong one."""

import hashlib
import hmac
import time
from dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class Signing:
    """How one request is signed; the default is as Slack does it.

    Args:
        secret: another secret than the workspace's.
        age_seconds: how old the timestamp shall be (negative: from the future).
        signature: this value in place of the computed one.
        unsigned: send no signature headers at all.
    """

    secret: str | None = None
    age_seconds: float = 0.0
    signature: str | None = None
    unsigned: bool = False

    def headers(self, body: bytes, secret: str) -> dict[str, str]:
        """`X-Slack-Request-Timestamp` (wall clock, seconds) and `X-Slack-Signature` for that body."""
        if self.unsigned:
            return {}
        timestamp = str(int(time.time() - self.age_seconds))
        base = b"v0:" + timestamp.encode() + b":" + body
        digest = hmac.new((self.secret or secret).encode(), base, hashlib.sha256).hexdigest()
        return {"X-Slack-Request-Timestamp": timestamp, "X-Slack-Signature": self.signature or f"v0={digest}"}

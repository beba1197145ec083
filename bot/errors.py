"""The exception tree.

    SitrepError
    |-- ConfigError          a setting is wrong; the message names the key and the fix
    |-- DatabaseUnavailable  the database cannot be reached or written; answer 503 and try again later
    `-- OutwardError         a call to Slack or PagerDuty did not succeed
        |-- Retryable        it did not happen; try again after `after` seconds
        |-- Ambiguous        it may have happened; look before trying again
        `-- Permanent        it will never happen as it is; tell the operator the `fix`

Each `OutwardError` carries a machine-readable `reason`, which is also a metric's label.
"""

from __future__ import annotations


class SitrepError(Exception):
    """The root of everything this product raises on purpose."""


class ConfigError(SitrepError):
    """A setting is wrong; the message names the key and the fix."""


class DatabaseUnavailable(SitrepError):  # noqa: N818 - a state, said as one
    """The database cannot be reached or written."""


class OutwardError(SitrepError):
    """A call to the outside did not succeed."""

    def __init__(self, reason: str, detail: str = "") -> None:
        super().__init__(f"{reason}: {detail}" if detail else reason)
        self.reason = reason
        self.detail = detail


class Retryable(OutwardError):  # noqa: N818
    """It did not happen; try again, no sooner than `after` seconds from now if that is given.

    `throttle` names what the other side wants left alone for that long, so that nobody else tries it either.
    """

    def __init__(self, reason: str, detail: str = "", *, after: float | None = None, throttle: str = "") -> None:
        super().__init__(reason, detail)
        self.after = after
        self.throttle = throttle


class Ambiguous(OutwardError):  # noqa: N818
    """It may have happened: the answer was lost."""


class Permanent(OutwardError):  # noqa: N818
    """It will never happen as it is."""

    def __init__(self, reason: str, fix: str, detail: str = "") -> None:
        super().__init__(reason, detail)
        self.fix = fix

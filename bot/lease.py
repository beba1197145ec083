"""Whether this process may still act on what it holds.

A replica that stalls is taken for dead, and another one takes over what it held. When it wakes it must not act: each
call to the outside asks here first.
"""

from __future__ import annotations

from collections.abc import Callable
from contextvars import ContextVar

from bot.errors import SitrepError

_holds: ContextVar[Callable[[], bool] | None] = ContextVar("holds", default=None)


class LeaseLost(SitrepError):  # noqa: N818 - a state, said as one
    """Another replica may have taken over what this one held."""


def hold(holds: Callable[[], bool]) -> None:
    """For the rest of this task, act only while `holds` says so."""
    _holds.set(holds)


def check() -> None:
    """Go on only if nobody can have taken over.

    Raises:
        LeaseLost: somebody may have.
    """
    holds = _holds.get()
    if holds is not None and not holds():
        raise LeaseLost("This process stalled; another replica may have taken over its work.")

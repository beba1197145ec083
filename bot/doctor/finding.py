"""What a check has found, and checks that neither raise nor take long."""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable, Sequence
from dataclasses import dataclass
from datetime import datetime
from enum import StrEnum

from bot.errors import Permanent
from bot.incidents.cadence import spell
from bot.text import clean

DEADLINE = 5.0  # seconds for one check
APART = 60.0  # seconds that two clocks may differ; Slack's requests are refused from 300 on
TEXT = 500  # characters of a text, which may come from outside


class State(StrEnum):
    """What came of a check. What is off, or could not be checked, is no fault."""

    OK = "ok"
    FAULT = "FAULT"
    OFF = "off"


@dataclass(frozen=True, slots=True)
class Finding:
    """One line for the operator; a fault has its `fix`."""

    state: State
    name: str
    text: str
    fix: str = ""

    def __str__(self) -> str:
        """As it is printed."""
        line = f"{self.state.value:<6} {_one_line(self.name)}: {_one_line(self.text)}"
        return f"{line}\n       Fix: {_one_line(self.fix)}" if self.fix else line


def ok(name: str, text: str) -> Finding:
    """Give a check that passed."""
    return Finding(State.OK, name, text)


def off(name: str, text: str) -> Finding:
    """Give what is switched off, or could not be checked."""
    return Finding(State.OFF, name, text)


def fault(name: str, text: str, fix: str) -> Finding:
    """Give a fault."""
    return Finding(State.FAULT, name, text, fix)


Findings = Sequence[Finding]


async def within(name: str, fix: str, look: Callable[[], Awaitable[Findings]]) -> Findings:
    """Run a check under its deadline; no answer by then is a fault with this fix, and so is whatever it raises."""
    try:
        async with asyncio.timeout(DEADLINE):
            return await look()
    except TimeoutError:
        return [fault(name, f"no answer in {DEADLINE:g} s", fix)]
    except Permanent as error:
        return [fault(name, str(error), error.fix)]
    except Exception as error:  # noqa: BLE001 - one check that breaks must not hide what the others found
        return [fault(name, f"could not be checked ({type(error).__name__}: {error})", fix)]


def clocks(whose: str, ours: datetime, theirs: datetime, fix: str) -> Finding:
    """Compare this machine's clock with another one."""
    ahead = (ours - theirs).total_seconds()
    name = f"clock against {whose}"
    if abs(ahead) <= APART:
        return ok(name, f"less than {APART:g} s apart")
    way = "ahead of" if ahead > 0 else "behind"
    return fault(name, f"this machine's is {spell(abs(ahead))} {way} {whose}'s", fix)


def _one_line(text: str) -> str:
    return " ".join(clean(text, TEXT).split())

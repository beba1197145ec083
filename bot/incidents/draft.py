"""A decision in the making: collects events, timers and deliveries around an incident's next state."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from datetime import datetime
from typing import Any

from bot.incidents.model import KINDS, SYSTEM, Actor, Decision, Delivery, Event, Incident, Timer, TimerKind
from bot.incidents.runs import Run


class Draft:
    """Builds a `Decision`. `now` is the moment of the decision and the recorded time of its events."""

    def __init__(self, incident: Incident, now: datetime) -> None:
        self.incident = incident
        self.now = now
        self._events: list[Event] = []
        self._deliveries: list[Delivery] = []

    def moment(self, occurred_at: datetime | None) -> datetime:
        """Give when something happened: now where nobody says, and never ahead."""
        return min(occurred_at or self.now, self.now)

    def set(self, **changes: Any) -> None:
        """Change fields of the incident."""
        self.incident = replace(self.incident, **changes)

    def event(
        self,
        kind: str,
        text: str,
        *,
        actor: Actor = SYSTEM,
        data: dict[str, Any] | None = None,
        occurred_at: datetime | None = None,
        source: str = "",
    ) -> Event:
        """Append a line to the timeline.

        Raises:
            ValueError: the kind is not one that exports promise.
        """
        if kind not in KINDS:
            raise ValueError(f"Add {kind!r} to the kinds of events first.")
        seq = self.incident.event_seq + 1
        self.set(event_seq=seq)
        event = Event(seq, occurred_at or self.now, self.now, kind, actor, text, data or {}, source)
        self._events.append(event)
        return event

    def arm(self, kind: TimerKind, due_at: datetime, *, level: int = 0) -> None:
        """Arm a timer."""
        seq = self.incident.timer_seq + 1
        timer = Timer(f"{kind.value}:{seq}", kind, due_at, level)
        self.set(timer_seq=seq, timers=(*self.incident.timers, timer))

    def disarm(self, which: Callable[[Timer], bool]) -> None:
        """Cancel the armed timers that `which` picks."""
        self.set(timers=tuple(t for t in self.incident.timers if not which(t)))

    def deliver(
        self,
        kind: str,
        lane: str,
        *,
        slot: str = "",
        data: dict[str, Any] | None = None,
        needs: tuple[str, ...] = (),
        after: tuple[str, ...] = (),
        coalesce: bool = False,
        wait: int = 0,
        restarts: bool = False,
    ) -> None:
        """Ask for a call to the outside, in `wait` seconds; without a `slot` of its own it gets a numbered one."""
        seq = self.incident.delivery_seq + 1
        self.set(delivery_seq=seq)
        made = Delivery(kind, slot or f"{kind}:{seq}", lane, data or {}, needs, after, coalesce, wait, restarts)
        self._deliveries.append(made)

    def take_back(self, slot: str) -> None:
        """Have a message deleted that asked for something; where it never came nothing is done."""
        self.deliver("take_back", "tidy", needs=(slot,), data={"slot": slot})

    def take_back_all(self, kind: str) -> None:
        """Have the messages of a kind deleted."""
        self.deliver("take_back", "tidy", data={"kind": kind})

    def refresh(self) -> None:
        """Have the live messages (card, announcement, topic) show the new state, once however often it is asked."""
        self.refresh_card()
        if self.incident.opened_channel:
            if not self.incident.private:
                self._edit("refresh_announcement", "announce", "announcement")
            if self.incident.is_at_home:
                self._edit("topic", "topic", "channel")

    def refresh_card(self, *, wait: int = 0) -> None:
        """Have the card alone show the new state; it waits so many seconds for what may come with it."""
        self._edit("refresh_card", "card_edit", "card" if self.incident.home_slot == "channel" else "thread", wait)

    def refresh_pages(self) -> None:
        """Have the pages that are out show whether they are answered."""
        self._edit("refresh_pages", "runbook_edit", self.incident.home_slot)

    def refresh_run(self, run: Run) -> None:
        """Have a runbook's or checklist's message show what has been done of it."""
        beside = self.incident.beside
        stands_alone = run.checklist and (beside is None or beside.book != run.book)
        kind = "refresh_checklist" if stands_alone else "refresh_runbook"
        self._edit(kind, "runbook_edit", run.slot)

    def _edit(self, kind: str, lane: str, what: str, wait: int = 0) -> None:
        if any(d.kind == kind and d.coalesce for d in self._deliveries):
            return
        seq = self.incident.delivery_seq + 1
        self.set(delivery_seq=seq)
        # A channel that is being brought back from the archive can be written only then.
        after = ("channel",) if self.incident.is_at_home and what != "announcement" else ()
        self._deliveries.append(Delivery(kind, f"{kind}:{seq}", lane, {}, (what,), after, coalesce=True, wait=wait))

    def done(self) -> Decision:
        """Give the finished decision."""
        return Decision(self.incident, tuple(self._events), tuple(self._deliveries))

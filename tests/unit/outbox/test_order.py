"""Which deliveries go out, and in which order."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from typing import Any

from bot.outbox.order import plan
from bot.store.deliveries import Outgoing, State

NOW = datetime(2026, 11, 21, 3, 0, tzinfo=UTC)


def row(id_: int, lane: str = "channel", **changes: Any) -> Outgoing:
    values: dict[str, Any] = {
        "id": id_,
        "scope": "INC-20261121-001",
        "incident_id": 1,
        "kind": "say",
        "slot": f"say:{id_}",
        "lane": lane,
        "data": {},
        "needs": (),
        "after": (),
        "coalesce": False,
        "state": State.PENDING,
        "attempts": 0,
        "next_at": NOW,
        "created_at": NOW,
        "tried_at": None,
        "result": {},
        "error": "",
    }
    return Outgoing(**{**values, **changes})


def ids(rows: tuple[Outgoing, ...]) -> list[int]:
    return [r.id for r in rows]


def test_lanes_go_side_by_side_and_each_in_order() -> None:
    """Only the head of each lane is ready."""
    todo = plan([row(1), row(2), row(3, "page"), row(4, "page")], {}, set(), NOW)
    assert ids(todo.ready) == [1, 3]


def test_a_lane_waits_for_what_is_on_its_way() -> None:
    """While the head is being sent, the rest of its lane stays."""
    todo = plan([row(1, state=State.SENDING), row(2)], {}, {1}, NOW)
    assert ids(todo.ready) == []


def test_a_head_that_waits_for_its_time_holds_its_lane_only() -> None:
    """A postponed message delays its lane, and no other."""
    later = NOW + timedelta(seconds=30)
    todo = plan([row(1, next_at=later), row(2), row(3, "page")], {}, set(), NOW)
    assert ids(todo.ready) == [3]


def test_what_was_being_sent_when_the_process_died_goes_first() -> None:
    """A row found as sending is taken up at once."""
    todo = plan([row(1, state=State.SENDING, next_at=NOW + timedelta(hours=1))], {}, set(), NOW)
    assert ids(todo.ready) == [1]


def test_needs_wait_for_delivery() -> None:
    """A message waits for the channel that it needs, and does not block the other lanes."""
    rows = [row(1, "setup", slot="channel"), row(2, needs=("channel",))]
    assert ids(plan(rows, {"channel": State.PENDING}, set(), NOW).ready) == [1]
    assert ids(plan([rows[1]], {"channel": State.DELIVERED}, set(), NOW).ready) == [2]


def test_after_waits_for_any_end() -> None:
    """A notification waits for the invitation's end, good or bad."""
    rows = [row(1, after=("invite",))]
    assert ids(plan(rows, {"invite": State.UNKNOWN}, set(), NOW).ready) == []
    for state in (State.DELIVERED, State.FAILED, State.SUPERSEDED):
        assert ids(plan(rows, {"invite": state}, set(), NOW).ready) == [1]


def test_what_can_never_go_out_is_hopeless_and_so_is_what_needs_it() -> None:
    """Without the channel neither the card nor its pin can be; the lane goes on without them."""
    rows = [row(1, slot="card", needs=("channel",)), row(2, "pin", needs=("card",)), row(3)]
    states = {"channel": State.FAILED, "card": State.PENDING}
    todo = plan(rows, states, set(), NOW)
    assert ids(todo.hopeless) == [1, 2]
    assert ids(todo.ready) == [3]


def test_what_was_tried_is_never_hopeless() -> None:
    """A message that may have been sent is looked for, whatever became of what it needed."""
    todo = plan([row(1, state=State.UNKNOWN, needs=("channel",))], {"channel": State.DELIVERED}, set(), NOW)
    assert (ids(todo.ready), ids(todo.hopeless)) == ([1], [])

"""The PagerDuty client against an account at HTTP level: what it sends, how each error is sorted, and once only."""

from __future__ import annotations

import asyncio
import threading
from collections.abc import Awaitable, Callable, Iterator
from typing import TypeVar

import pytest

from bot.clock import SystemClock
from bot.errors import Ambiguous, OutwardError, Permanent, Retryable
from bot.pagerduty import client as module
from bot.pagerduty.client import Keys, Page, PagerDuty
from bot.sandbox import Fault
from bot.sandbox.pagerduty import Account
from bot.sandbox.pagerduty_server import PagerDutyServer
from bot.slack.throttles import Throttles
from tests.conftest import wait_for
from tests.ports import free_port

T = TypeVar("T")
Act = Callable[[PagerDuty], Awaitable[object]]

PAGE = Page(
    key="sitrep/INC-20261121-001/page_pagerduty/7/1795230000000000",
    title="[INC-20261121-001] sev1: Checkout is down",
    details={"Status": "investigating", "Paged because": "nobody has acknowledged for 5 min"},
    urgent=True,
    source="checkout",
    severity="critical",
    url="https://sitrep.example.com/timeline",
    service="PSERVICE",
    escalation_policy="PLEADS01",
)


def keys(account: Account, url: str, **changes: str) -> Keys:
    facts = {
        "api_token": account.api_token,
        "routing_key": account.routing_key,
        "sender": "sitrep@example.com",
        "api_url": url,
        "events_url": url,
    }
    return Keys(**{**facts, **changes})


class Hand:
    """Runs one call after another with one client, on an event loop of its own."""

    def __init__(self, made: Keys) -> None:
        self.runner = asyncio.Runner()
        self.client = PagerDuty(made, Throttles(SystemClock()))

    def do(self, act: Callable[[PagerDuty], Awaitable[T]]) -> T:
        async def run() -> T:
            return await act(self.client)

        return self.runner.run(run())

    def close(self) -> None:
        self.runner.run(self.client.close())
        self.runner.close()


@pytest.fixture
def hand(account: Account, pagerduty: PagerDutyServer) -> Iterator[Hand]:
    made = Hand(keys(account, pagerduty.url))
    yield made
    made.close()


# Each call that changes something, and the one of which it consists.
WRITES: dict[str, tuple[str, Act]] = {
    "trigger": ("POST /v2/enqueue", lambda c: c.trigger(PAGE)),
    "acknowledge": ("POST /v2/enqueue", lambda c: c.acknowledge(PAGE.key)),
    "create": ("POST /incidents", lambda c: c.create_incident(PAGE)),
    "status": ("PUT /incidents/{id}", lambda c: c.set_status("Q00001SANDBOX", "resolved")),
    "request": (
        "POST /incidents/{id}/responder_requests",
        lambda c: c.request_responders("Q00001SANDBOX", "PLEADS01", "Please come"),
    ),
}
READS: dict[str, tuple[str, Act]] = {
    "find": ("GET /incidents", lambda c: c.find_incident(PAGE.key)),
    "open": ("GET /incidents", lambda c: c.open_incidents()),
    "oncalls": ("GET /oncalls", lambda c: c.oncalls("PLEADS01")),
    "requested": ("GET /incidents/{id}", lambda c: c.responders_requested("Q00001SANDBOX", "x")),
}
CALLS = {**WRITES, **READS}


def outcome(hand: Hand, act: Act) -> OutwardError:
    with pytest.raises(OutwardError) as caught:
        hand.do(act)
    return caught.value


@pytest.mark.parametrize(
    ("fault", "write", "read", "reason"),
    [
        ({"kind": "http500"}, Ambiguous, Retryable, "pagerduty_no_answer"),
        ({"kind": "html"}, Ambiguous, Retryable, "pagerduty_no_answer"),
        ({"kind": "drop_before"}, Ambiguous, Retryable, "pagerduty_no_answer"),
        ({"kind": "drop_after"}, Ambiguous, Retryable, "pagerduty_no_answer"),
        ({"kind": "ratelimited"}, Retryable, Retryable, "pagerduty_throttled"),
        ({"kind": "error", "status": 401}, Permanent, Permanent, "pagerduty_unauthorized"),
        ({"kind": "error", "status": 402}, Permanent, Permanent, "pagerduty_not_in_plan"),
        ({"kind": "error", "status": 403}, Permanent, Permanent, "pagerduty_forbidden"),
        ({"kind": "error", "status": 400}, Permanent, Permanent, "pagerduty_invalid"),
        ({"kind": "error", "status": 408}, Ambiguous, Retryable, "pagerduty_no_answer"),
        ({"kind": "error", "status": 301}, Permanent, Permanent, "pagerduty_refused"),
    ],
    ids=lambda value: str(value.get("status", value["kind"])) if isinstance(value, dict) else None,
)
def test_each_error_is_sorted_and_nothing_is_sent_again(
    fault: dict[str, object],
    write: type[OutwardError],
    read: type[OutwardError],
    reason: str,
    hand: Hand,
    account: Account,
) -> None:
    """What may have happened is told from what surely has not, by one call: the package's own retries are off."""
    account.open_one("Orders are slow")
    for name, (method, act) in CALLS.items():
        account.faults.clear()
        account.faults.add(Fault(method, times=None, **fault))  # type: ignore[arg-type]
        hand.client.throttles = Throttles(SystemClock())
        before = account.count(method)
        found = outcome(hand, act)
        assert (type(found), found.reason) == (write if name in WRITES else read, reason), name
        assert account.count(method) == before + 1, name
        said = f"{found} {getattr(found, 'fix', '')}"
        if isinstance(found, Permanent):
            assert "PAGERDUTY_" in found.fix or "plan" in found.fix, name
        assert account.api_token not in said
        assert account.routing_key not in said


def test_an_address_where_nobody_listens_is_tried_again(account: Account) -> None:
    """Without a connection nothing has happened, whatever was to be sent."""
    hand = Hand(keys(account, f"http://127.0.0.1:{free_port()}"))
    for name, (_, act) in CALLS.items():
        found = outcome(hand, act)
        assert (type(found), found.reason) == (Retryable, "pagerduty_unreachable"), name
    hand.close()


@pytest.mark.parametrize(("retry_after", "seconds"), [(37, 37), (None, 10)])
def test_a_429_stops_what_has_the_same_key(
    retry_after: int | None, seconds: float, hand: Hand, account: Account
) -> None:
    """`Retry-After` is heeded without another call; the other API, which has a limit of its own, goes on."""
    account.faults.add(Fault("POST /incidents", "ratelimited", retry_after=retry_after))
    first = outcome(hand, WRITES["create"][1])
    assert isinstance(first, Retryable)
    assert (first.after, first.throttle) == (seconds, "pagerduty rest")
    again = outcome(hand, WRITES["create"][1])
    assert isinstance(again, Retryable)
    assert again.after is not None
    assert seconds - 1 < again.after <= seconds
    assert account.count("POST /incidents") == 1
    hand.do(lambda c: c.trigger(PAGE))
    assert account.count("POST /v2/enqueue") == 1


def test_a_call_that_hangs_ends_at_its_deadline(hand: Hand, account: Account, monkeypatch: pytest.MonkeyPatch) -> None:
    """It may have happened, and neither another call nor the end of the process waits for it."""
    monkeypatch.setattr(module, "TIMEOUTS", (0.2, 0.4, 0.2, 0.2))
    account.faults.add(Fault("POST /incidents", "hang", seconds=3600))
    assert isinstance(outcome(hand, WRITES["create"][1]), Ambiguous)
    assert hand.do(lambda c: c.oncalls("PLEADS01")) == ("Maeve Lead",)


def test_an_answer_that_trickles_in_ends_at_the_deadline(hand: Hand, monkeypatch: pytest.MonkeyPatch) -> None:
    """A timeout for each read is none for the whole: the deadline is, and the thread left behind is no obstacle."""
    free = threading.Event()

    async def stuck() -> None:
        await hand.client._call(module.Api.REST, "GET /oncalls", lambda: free.wait(3600), writes=True, within=0.2)

    found = outcome(hand, lambda _: stuck())
    assert isinstance(found, Ambiguous)
    assert [t.daemon for t in threading.enumerate() if t.name == "pagerduty"] == [True]
    free.set()
    wait_for(lambda: "pagerduty" not in [t.name for t in threading.enumerate()])


def test_a_page_opens_an_incident_on_the_service(hand: Hand, account: Account) -> None:
    """The incident carries key, title, details and urgency, and notifies the level's escalation policy."""
    made = hand.do(lambda c: c.create_incident(PAGE))
    (there,) = account.incidents
    assert made is not None
    assert (made.id, made.key, made.status) == (there.id, PAGE.key, "triggered")
    assert (there.title, there.urgency, there.service) == (PAGE.title, "high", "PSERVICE")
    assert "Paged because: nobody has acknowledged for 5 min" in there.details["details"]
    assert [(n.policy, n.people) for n in account.notices] == [("PLEADS01", ("Maeve Lead",))]


def test_an_incident_that_is_open_already_is_success(hand: Hand, account: Account) -> None:
    """The same key again gives the incident that there is; nobody is notified twice."""
    first = hand.do(lambda c: c.create_incident(PAGE))
    assert hand.do(lambda c: c.create_incident(PAGE)) == first
    assert len(account.notices) == 1


def test_an_event_is_triggered_acknowledged_and_resolved_by_its_key(hand: Hand, account: Account) -> None:
    """The same key again is the same alert, and a key that PagerDuty does not know is no error."""
    hand.do(lambda c: c.trigger(PAGE))
    hand.do(lambda c: c.trigger(PAGE))
    (there,) = account.incidents
    assert (there.key, there.title, len(account.notices)) == (PAGE.key, PAGE.title, 1)
    assert account.calls[0].args["client_url"] == PAGE.url
    hand.do(lambda c: c.acknowledge(PAGE.key))
    assert there.status == "acknowledged"
    hand.do(lambda c: c.resolve(PAGE.key))
    assert there.status == "resolved"
    hand.do(lambda c: c.resolve("sitrep/unknown"))


def test_a_wrong_routing_key_names_its_variable(account: Account, pagerduty: PagerDutyServer) -> None:
    """The Events API calls a wrong key a bad request; the fix says which variable holds it."""
    hand = Hand(keys(account, pagerduty.url, routing_key="wrong"))
    found = outcome(hand, WRITES["trigger"][1])
    assert isinstance(found, Permanent)
    assert "PAGERDUTY_ROUTING_KEY" in found.fix
    hand.close()


def test_responders_are_requested_and_found_again(hand: Hand, account: Account) -> None:
    """A request names who asks; it is known again by the mark in its message, also while it is the only one."""
    incident = account.open_one("Orders are slow")
    assert not hand.do(lambda c: c.responders_requested(incident.id, PAGE.key))
    for number in (1, 2):
        hand.do(lambda c, n=number: c.request_responders(incident.id, "PLEADS01", f"Come ({PAGE.key}-{n})"))  # type: ignore[misc]
    assert hand.do(lambda c: c.responders_requested(incident.id, f"{PAGE.key}-2"))
    assert not hand.do(lambda c: c.responders_requested(incident.id, f"{PAGE.key}-3"))
    assert not hand.do(lambda c: c.responders_requested("QNOTTHERE", PAGE.key))
    asked = next(call for call in account.calls if call.method.endswith("responder_requests"))
    assert asked.args["requester_id"] == "PUSITREP"
    assert account.count("GET /users") == 1  # who we are is asked once


@pytest.mark.parametrize(
    ("sender", "account_key", "requester"),
    [("alice@example.com", True, "PUALICE1"), ("", False, "PUSITREP"), ("nobody@example.com", False, None)],
)
def test_who_asks_is_the_sender_or_the_keys_own_user(
    sender: str, account_key: bool, requester: str | None, account: Account, pagerduty: PagerDutyServer
) -> None:
    """An account's key writes in the name of PAGERDUTY_FROM, a user's key in its own."""
    account.account_key = account_key
    incident = account.open_one("Orders are slow")
    hand = Hand(keys(account, pagerduty.url, sender=sender))
    if requester:
        hand.do(lambda c: c.request_responders(incident.id, "PLEADS01", "Come"))
        asked = next(call for call in account.calls if call.method.endswith("responder_requests"))
        assert asked.args["requester_id"] == requester
    else:
        found = outcome(hand, WRITES["request"][1])
        assert isinstance(found, Permanent)
        assert "PAGERDUTY_FROM" in found.fix
    hand.close()


@pytest.mark.parametrize("name", ["create", "request"])
def test_an_accounts_key_without_a_sender_names_the_variable(
    name: str, account: Account, pagerduty: PagerDutyServer
) -> None:
    """PagerDuty refuses a write in nobody's name; the fix is PAGERDUTY_FROM."""
    account.open_one("Orders are slow")
    hand = Hand(keys(account, pagerduty.url, sender=""))
    found = outcome(hand, WRITES[name][1])
    assert isinstance(found, Permanent)
    assert "PAGERDUTY_FROM" in found.fix
    hand.close()


def test_a_status_is_set_once(hand: Hand, account: Account) -> None:
    """An incident that has got as far already, is over or is gone needs no call and is no error."""
    incident = account.open_one("Orders are slow")
    for _ in range(2):
        hand.do(lambda c: c.set_status(incident.id, "acknowledged"))
    hand.do(lambda c: c.set_status(incident.id, "resolved"))
    for status in ("acknowledged", "resolved"):
        hand.do(lambda c, s=status: c.set_status(incident.id, s))  # type: ignore[misc]
    hand.do(lambda c: c.set_status("QNOTTHERE", "resolved"))
    assert incident.log == ["acknowledged", "resolved"]
    assert account.count("PUT /incidents/{id}") == 2


def test_an_id_from_outside_stays_in_its_place(hand: Hand, account: Account) -> None:
    """An id comes in by webhook: whatever it holds, it cannot reach another path."""
    account.open_one("Orders are slow")
    hand.do(lambda c: c.set_status("../users/me?x=", "resolved"))
    assert [call.method for call in account.calls if "users" in call.method] == []


def test_open_incidents_come_page_by_page(hand: Hand, account: Account) -> None:
    """All that is triggered or acknowledged is listed, more than one page of it."""
    for number in range(130):
        account.open_one(f"Alert {number}")
    account.incidents[3].status = "resolved"
    account.incidents[5].status = "acknowledged"
    found = hand.do(lambda c: c.open_incidents())
    assert len(found) == 129
    assert {one.status for one in found} == {"triggered", "acknowledged"}
    assert account.count("GET /incidents") == 2


def test_who_is_on_call(hand: Hand, account: Account) -> None:
    """The names of an escalation policy's people, each once; an empty roster is empty."""
    account.oncall["PLEADS01"] = ["Maeve Lead", "Olivia Oncall", "Maeve Lead"]
    assert hand.do(lambda c: c.oncalls("PLEADS01")) == ("Maeve Lead", "Olivia Oncall")
    account.oncall["PLEADS01"] = []
    assert hand.do(lambda c: c.oncalls("PLEADS01")) == ()


def test_the_newest_incident_of_a_key_is_found_whatever_its_state(hand: Hand, account: Account) -> None:
    """A page whose answer was lost is found also when somebody has resolved it meanwhile."""
    old = account.open_one("Paged", key=PAGE.key)
    old.status = "resolved"
    new = account.open_one("Paged again", key=PAGE.key)
    new.status = "resolved"
    found = hand.do(lambda c: c.find_incident(PAGE.key))
    assert found is not None
    assert found.id == new.id
    assert hand.do(lambda c: c.find_incident("sitrep/unknown")) is None

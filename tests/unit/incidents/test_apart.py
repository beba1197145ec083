"""Which alerts of a group share its incident, and which stand apart."""

from __future__ import annotations

from bot.incidents.apart import LONGEST, PLACES, Parting, key_of
from bot.incidents.model import Alert
from tests.unit.incidents.story import an_alert


def begun(*places: str) -> list[tuple[Alert, str]]:
    """Make alerts that begin, one for each place."""
    return [(an_alert(str(n)), place) for n, place in enumerate(places)]


def where(parting: Parting, *places: str, settled: bool) -> tuple[Parting, dict[str | None, int]]:
    """Count the alerts by whose incident they belong to."""
    after, found = parting.part(begun(*places), settled=settled)
    return after, {place: len(some) for place, some in found.items()}


def test_what_comes_together_stays_together() -> None:
    """All services of the first notifications share the incident: they probably have one cause."""
    parting, found = where(Parting(), "a", "b", "a", settled=False)
    assert found == {None: 3}
    assert where(parting, "a", "b", settled=True) == (parting, {None: 2})


def test_a_service_that_fails_later_stands_apart_and_stays_there() -> None:
    """It has a key of its own from then on; the others go on as they were."""
    parting, _ = where(Parting(), "a", settled=False)
    parting, found = where(parting, "a", "b", "b", settled=True)
    assert found == {None: 1, "b": 2}
    assert where(parting, "b", "a", settled=False)[1] == {"b": 1, None: 1}
    assert where(parting, "b", settled=True)[1] == {"b": 1}


def test_once_the_incident_is_over_the_next_first_ones_decide() -> None:
    """A group without an open incident begins anew, but for what stands apart already."""
    parting = Parting(("a",), ("b",))
    parting, found = where(parting, "c", "b", settled=False)
    assert found == {None: 1, "b": 1}
    assert parting.together == ("c",)


def test_what_is_remembered_is_bounded() -> None:
    """Beyond so many places all others share the group's incident: none is lost, and no row grows without end."""
    parting = Parting(("a",))
    parting, found = where(parting, *(f"p{n}" for n in range(PLACES + 5)), settled=True)
    assert len(parting.apart) == PLACES
    assert found[None] == 5
    many, found = where(Parting(), *(f"p{n}" for n in range(PLACES + 5)), settled=False)
    assert len(many.together) == PLACES
    assert found == {None: PLACES + 5}
    assert Parting.of(many.to_json()) == many


def test_the_key_of_a_part_is_short_and_its_own() -> None:
    """Two long places that differ in their ends have two keys."""
    one, other = key_of("{}", "x" * 5000 + "1"), key_of("{}", "x" * 5000 + "2")
    assert one != other
    assert max(len(one), len(other)) < LONGEST + 100

"""The response policy as values: its defaults, and its way to JSON and back."""

from __future__ import annotations

import json

import pytest
from hypothesis import given
from hypothesis import strategies as st

from bot.incidents.cadence import spell
from bot.incidents.policy import DEFAULT_POLICY, Level, Policy, Severity, SeverityPolicy

LEVELS = st.builds(
    Level, st.text(max_size=20), st.integers(0, 10**6), st.lists(st.text(max_size=20), max_size=3).map(tuple)
)
ROWS = st.builds(
    SeverityPolicy,
    st.integers(1, 10**6),
    st.none() | st.integers(1, 10**6),
    st.booleans(),
    st.lists(LEVELS, max_size=4).map(tuple),
)
POLICIES = st.dictionaries(st.sampled_from(Severity), ROWS).map(Policy)


@given(POLICIES)
def test_a_policy_survives_its_way_through_json(policy: Policy) -> None:
    """What is frozen on an incident as JSON is read back as the same policy."""
    assert Policy.from_json(json.loads(json.dumps(policy.to_json()))) == policy


@pytest.mark.parametrize(
    ("severity", "row"),
    [
        (Severity.SEV1, SeverityPolicy(5 * 60, 15 * 60, channel=True, monitoring_every=30 * 60)),
        (Severity.SEV2, SeverityPolicy(15 * 60, 15 * 60, channel=True, monitoring_every=30 * 60)),
        (Severity.SEV3, SeverityPolicy(60 * 60, None, channel=False)),
        (Severity.SEV4, SeverityPolicy(4 * 60 * 60, None, channel=False)),
    ],
)
def test_the_defaults(severity: Severity, row: SeverityPolicy) -> None:
    """Out of the box: respond in 5 min, 15 min, 1 h, 4 h; updates each 15 min and a channel for sev1 and sev2."""
    assert DEFAULT_POLICY.of(severity) == row


@pytest.mark.parametrize(
    ("seconds", "said"),
    [
        (-5, "0 s"),
        (0, "0 s"),
        (59.9, "59 s"),
        (60, "1 min"),
        (3599, "59 min"),
        (3600, "1 h"),
        (3900, "1 h 05 min"),
        (48 * 3600 - 1, "47 h 59 min"),
        (48 * 3600, "2 d"),
        (51 * 3600, "2 d 3 h"),
    ],
)
def test_durations_are_spelt_for_people(seconds: float, said: str) -> None:
    """A duration reads as a person would say it, cut off at the unit that matters."""
    assert spell(seconds) == said

"""Priority names, which every account makes up itself, become severities."""

from __future__ import annotations

import pytest

from bot.incidents.policy import Severity
from bot.pagerduty.priorities import PriorityTable

SEV1, SEV2, SEV3, SEV4 = Severity


@pytest.mark.parametrize(
    ("name", "severity"),
    [
        *((name, SEV1) for name in ("P1", "p1", "SEV-1", "Sev 1", "SEV1", "sev_1", "P1 - Critical", "Priority 1")),
        *((name, SEV1) for name in ("P0", "SEV-0", "Critical", "[P1]", "Critical (P1)", "S1", "1", "Severity: 1")),
        *((name, SEV2) for name in ("P2", "High", "SEV-2: major", "Major", "2 - High")),
        *((name, SEV3) for name in ("P3", "Medium", "SEV 3", "Moderate")),
        *((name, SEV4) for name in ("P4", "P5", "Low", "sev-5", "Informational")),
        *((name, None) for name in ("", "Banana", "Non-critical", "P9", "Tier A", "Zürich", "P12")),
    ],
)
def test_names_in_use_are_understood(name: str, severity: Severity | None) -> None:
    """Case, spaces and punctuation say nothing; what no table knows is nothing by itself."""
    assert PriorityTable({}).severity_of(name) is severity


def test_the_configured_table_goes_first() -> None:
    """A company's own words count before the defaults, however they are written."""
    table = PriorityTable({"Feuer": SEV1, "SEV-1": SEV2})
    assert table.severity_of("FEUER!") is SEV1
    assert table.severity_of("sev 1") is SEV2
    assert table.severity_of("P1") is SEV1


def test_unknown_names_count_by_their_place() -> None:
    """The account's first priority is sev1, and so on; all that come after the fourth are sev4."""
    order = ("Kaboom", "Ouch", "Hm", "Meh", "Whatever")
    table = PriorityTable({"Ouch": SEV4}, order)
    assert [table.severity_of(name) for name in order] == [SEV1, SEV4, SEV3, SEV4, SEV4]
    assert table.severity_of("not listed") is None

"""Sources are told apart by vendor and name."""

from __future__ import annotations

import pytest

from bot.incidents.intake import Rule, Then, judge
from bot.incidents.matchers import Matcher
from bot.incidents.model import Alert
from bot.incidents.policy import Severity
from bot.incidents.sources import ALERTMANAGER, PAGERDUTY, is_alertmanager, labels_of, source_of, spoken


@pytest.mark.parametrize(
    ("source", "is_one", "said", "labels"),
    [
        (ALERTMANAGER, True, "Alertmanager", {"source": "alertmanager"}),
        (source_of("eu-1"), True, "Alertmanager eu-1", {"source": "alertmanager", "source_name": "eu-1"}),
        (PAGERDUTY, False, "PagerDuty", {"source": "pagerduty"}),
        ("alertmanagers", False, "alertmanagers", {"source": "alertmanagers"}),
    ],
)
def test_a_source_is_known_by_vendor_and_name(source: str, is_one: bool, said: str, labels: dict[str, str]) -> None:
    """Named or not, Alertmanager's source is Alertmanager's; the name is a label of its own."""
    assert (is_alertmanager(source), spoken(source), labels_of(source)) == (is_one, said, labels)


def test_a_rule_for_alertmanager_holds_for_each_of_them_and_can_choose_one() -> None:
    """A name that is added later takes no alert away from a rule that names the vendor alone."""

    def judged(source: str, *matchers: str) -> Then:
        rule = Rule(tuple(Matcher.parse(m) for m in matchers), Then.DECLARE, Severity.SEV1)
        return judge([Alert(source, "key", "aa", "Down")], [rule]).then

    assert judged(source_of("eu"), 'source="alertmanager"') is Then.DECLARE
    assert judged(source_of("eu"), 'source_name="eu"') is Then.DECLARE
    assert judged(source_of("us"), 'source_name="eu"') is not Then.DECLARE

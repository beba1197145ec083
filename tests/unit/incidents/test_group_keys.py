"""Alertmanager's group keys: which alerts belong to a group."""

from __future__ import annotations

import pytest

from bot.incidents.group_keys import GroupKey
from bot.incidents.unheard import best_key

EU = {"alertname": "HighErrorRate", "severity": "critical", "cluster": "eu-1", "team": "search"}


@pytest.mark.parametrize(
    ("key", "labels", "takes"),
    [
        ('{}:{alertname="HighErrorRate"}', EU, True),
        ('{}:{alertname="DiskFills"}', EU, False),
        ('{}:{alertname="HighErrorRate", cluster="eu-1"}', EU, True),
        ("{}:{}", EU, True),
        ('{}/{severity="critical"}:{cluster="eu-1"}', EU, True),
        ('{}/{severity="warning"}:{cluster="eu-1"}', EU, False),
        ('{}/{severity=~"critical|page"}/{team!="search"}:{}', EU, False),
        ('{}/{team=~"s.*"}/{team!~"p.*"}:{cluster="eu-1"}', EU, True),
        ('{}:{cluster=""}', {"alertname": "A"}, True),  # a label that is absent counts as empty
        ('{}:{path="a}b\\"c"}', {"path": 'a}b"c'}, True),
        ('{}/{"service.name"="web"}:{"service.name"="web"}', {"service.name": "web"}, True),
        ('{}/{team=~"(?P<x"}:{}', EU, False),
    ],
)
def test_which_alerts_a_group_takes(key: str, labels: dict[str, str], takes: bool) -> None:
    """All routes on the way match, and the alert has the labels that the group shares."""
    parsed = GroupKey.parse(key)
    assert parsed is not None
    assert parsed.takes(labels) is takes


@pytest.mark.parametrize("key", ["", "a third", "{}", '{}:{a="b"} [x="y"]', '{}:{a="cut', "P1234", "{}:{a}"])
def test_what_is_no_key(key: str) -> None:
    """A key that was cut, or of another sender, says nothing."""
    assert GroupKey.parse(key) is None


def test_the_closest_group_takes_an_alert() -> None:
    """Of several that fit, the one with the most labels; none where none fits."""
    keys = ["{}:{}", '{}:{alertname="HighErrorRate"}', '{}:{alertname="HighErrorRate", cluster="eu-1"}']
    assert best_key(keys, EU) == keys[2]
    assert best_key(keys, {**EU, "cluster": "us"}) == keys[1]
    assert best_key(keys[1:], {"alertname": "DiskFills"}) == ""

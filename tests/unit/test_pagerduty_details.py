"""What PagerDuty's alerts say of themselves, in the forms in which monitoring tools send it."""

from __future__ import annotations

from typing import Any

import pytest

from bot.pagerduty.details import LONGEST, MOST, facts_of

# Alertmanager's default details: a text for all that fires.
FIRING = """Labels:
 - alertname = RedisDown
 - namespace = shop
 - severity = critical
Annotations:
 - summary = Redis is down: cache-0
 - runbook_url = https://example.com/redis
Source: http://prometheus.example/graph?g0.expr=up+%3D%3D+0
Labels:
 - alertname = Other
"""


@pytest.mark.parametrize(
    ("body", "labels"),
    [
        (
            {"details": {"firing": FIRING, "num_firing": "2", "resolved": ""}},
            {"alertname": "RedisDown", "namespace": "shop"},
        ),
        ({"details": FIRING}, {"alertname": "RedisDown"}),
        (
            {"details": {"alertname": "RedisDown", "service": "cart", "count": 3}},
            {"alertname": "RedisDown", "count": "3"},
        ),
        ({"details": {"labels": {"alertname": "RedisDown"}, "alertname": "Outer"}}, {"alertname": "RedisDown"}),
        ({"cef_details": {"details": {"alertname": "RedisDown"}}}, {"alertname": "RedisDown"}),
        ({"details": {"tags": "env:prod,service:cart,monitor"}}, {"env": "prod", "service": "cart"}),
        ({"details": {"tags": ["service:cart", 7]}}, {"service": "cart"}),
    ],
)
def test_labels_are_found_in_each_form(body: dict[str, Any], labels: dict[str, str]) -> None:
    """As Alertmanager's text, as fields, nested, as PagerDuty's common event format, and as Datadog's tags."""
    found, _ = facts_of({"body": body})
    assert found.items() >= labels.items()


def test_annotations_stand_apart() -> None:
    """A runbook's address is an annotation, whichever form it comes in."""
    _, annotations = facts_of({"body": {"details": {"firing": FIRING}}})
    assert annotations == {"summary": "Redis is down: cache-0", "runbook_url": "https://example.com/redis"}
    assert facts_of({"body": {"details": {"runbook_url": "x"}}}) == ({}, {"runbook_url": "x"})


@pytest.mark.parametrize("body", [None, [], {}, {"details": None}, {"details": [1]}, {"details": {"tags": {}}}])
def test_what_says_nothing_gives_nothing(body: object) -> None:
    """Any other body is taken, and holds no labels."""
    assert facts_of({"body": body}) == ({}, {})


def test_a_large_body_is_kept_small() -> None:
    """A body of thousands of fields costs no more than the first of them."""
    labels, _ = facts_of({"body": {"details": {f"k{n}": "x" * 10_000 for n in range(5000)}}})
    assert (len(labels), max(map(len, labels.values()))) == (MOST, LONGEST)

"""Alertmanager bodies that are harmlessly odd are taken in; one alert that can't be read costs no other."""

from __future__ import annotations

import json
from datetime import UTC, datetime
from typing import Any

import pytest

from bot.incidents.model import Alert
from bot.reception import Notification
from handlers.webhooks import alertmanager
from handlers.webhooks.labels import LONGEST, ROOM, fingerprint, fit
from handlers.webhooks.reading import MOST_VALUES, Malformed
from tests.integration.bodies import FIXTURES, alert, body

LABELS = {"alertname": "DiskFull", "instance": "db-7:9100", "severity": "critical"}


def read(*alerts: Any, **changes: Any) -> Notification:
    return alertmanager.read(json.dumps({**body(*alerts), **changes}).encode())


def one(**changes: Any) -> Alert:
    (found,) = read(alert(**changes)).firing
    return found


def test_fingerprints_are_those_that_alertmanager_computes() -> None:
    """For every alert of the recorded bodies the fingerprint of its labels is the one that Alertmanager sent."""
    checked = 0
    for path in (FIXTURES / "alertmanager").glob("*.json"):
        for sent in json.loads(path.read_text())["alerts"]:
            assert fingerprint("", sent["labels"]) == sent["fingerprint"], path.name
            checked += 1
    assert checked
    assert fingerprint("", {}) == "cbf29ce484222325"


@pytest.mark.parametrize("absent", [None, "", "missing"])
def test_an_alert_without_a_fingerprint_is_known_by_its_labels(absent: str | None) -> None:
    """Absent, null or empty: the fingerprint is computed, the same for the same labels whatever their order."""
    sent = alert(labels=LABELS, fingerprint=absent)
    if absent == "missing":
        del sent["fingerprint"]
    (found,) = read(sent).firing
    assert found.fingerprint == fingerprint("", dict(reversed(LABELS.items()))) == "8486ae1634218161"
    assert one(fingerprint="f" * 65).fingerprint != one(fingerprint="f" * 66).fingerprint
    assert len(one(fingerprint="f" * 1000).fingerprint) <= 64


@pytest.mark.parametrize(
    "nulls",
    [
        {"annotations": None},
        {"generatorURL": None, "startsAt": None, "endsAt": None},
        {"annotations": {"summary": None}},
        {"annotations": "broken"},
        {"values": None, "valueString": None, "dashboardURL": None, "ruleUID": None},
    ],
)
def test_null_is_as_good_as_absent(nulls: dict[str, Any]) -> None:
    """An alert with nulls for what may be absent fires with its labels."""
    found = one(labels=LABELS, **nulls)
    assert (found.name, found.labels) == ("DiskFull", LABELS)
    assert read(
        alert(), groupLabels=None, commonLabels=None, commonAnnotations=None, externalURL=None, truncatedAlerts=None
    ).firing
    assert read(alerts=None).firing == read().firing == ()


def test_values_of_any_type_become_text() -> None:
    """Numbers, booleans and objects as values of labels and annotations are kept as they were written."""
    labels = {"alertname": 7, "a": True, "b": 1.5, "c": None, "d": {"x": [1]}}
    found = one(labels=labels, annotations={"value": 44.5, "ok": False})
    assert found.labels == {"alertname": "7", "a": "true", "b": "1.5", "d": '{"x": [1]}'}
    assert (found.name, found.annotations) == ("7", {"value": "44.5", "ok": "false"})


@pytest.mark.parametrize(
    ("word", "fires"),
    [
        ("firing", True),
        ("FIRING", True),
        (" Firing ", True),
        ("alerting", True),
        ("nodata", True),
        ("error", True),
        ("pending", True),
        ("burning", True),
        ("resolved", False),
        ("RESOLVED", False),
        ("ok", False),
        ("Normal", False),
    ],
)
def test_a_word_for_an_alerts_state_is_never_silence(word: str, fires: bool) -> None:
    """Whatever does not say that it is over counts as firing, in any case."""
    found = read(alert(status=word))
    assert (len(found.firing), len(found.resolved)) == (fires, not fires)


def test_an_alert_without_a_state_has_that_of_its_body() -> None:
    """Where an alert says nothing of its state, the notification does; where neither does, it fires."""
    silent = alert(status=None)
    assert read(silent, status="resolved").resolved
    assert read(silent, status="firing").firing
    assert read(silent, status=None).firing


@pytest.mark.parametrize(
    ("written", "moment"),
    [
        ("2026-11-21T06:55:43Z", datetime(2026, 11, 21, 6, 55, 43, tzinfo=UTC)),
        ("2026-11-21T06:55:43.401744912Z", datetime(2026, 11, 21, 6, 55, 43, 401744, tzinfo=UTC)),
        ("2026-11-21T12:25:43.4+05:30", datetime(2026, 11, 21, 6, 55, 43, 400000, tzinfo=UTC)),
        ("2026-11-21 06:55:43+0000", datetime(2026, 11, 21, 6, 55, 43, tzinfo=UTC)),
        ("2026-11-21t06:55:43z", datetime(2026, 11, 21, 6, 55, 43, tzinfo=UTC)),
        ("2026-11-21T06:55:43", datetime(2026, 11, 21, 6, 55, 43, tzinfo=UTC)),
        (1795244143, datetime(2026, 11, 21, 6, 55, 43, tzinfo=UTC)),
        (1795244143000, datetime(2026, 11, 21, 6, 55, 43, tzinfo=UTC)),
        ("0001-01-01T00:00:00Z", None),
        ("yesterday", None),
        ("", None),
        (None, None),
        (True, None),
        ([], None),
        ("9999-12-31T23:59:59-14:00", None),
        (1e300, None),
    ],
)
def test_moments_are_read_in_every_form(written: Any, moment: datetime | None) -> None:
    """Any precision and offset is understood; what is no moment is as good as absent, and the alert still fires."""
    assert one(startsAt=written).starts_at == moment


def test_an_end_before_the_own_start_is_an_end() -> None:
    """Where two clocks differ an alert seems to end before it began: it counts as ended, at its start."""
    (found,) = read(alert(status="resolved", startsAt="2026-11-21T07:00:00Z", endsAt="2026-11-21T06:59:00Z")).resolved
    assert found.ends_at == found.starts_at == datetime(2026, 11, 21, 7, tzinfo=UTC)


def test_one_bad_alert_costs_no_other() -> None:
    """The good ones are read, and of the others it is said which and why; with no good one the body is broken."""
    found = read(alert("aa"), alert("bb", labels=[]), None, "text", alert("cc"))
    assert [a.fingerprint for a in found.firing] == ["aa", "cc"]
    assert [said.split(":")[0] for said in found.unread] == ["alerts.1", "alerts.2", "alerts.3"]
    with pytest.raises(Malformed, match=r"alerts\.0: labels"):
        read(alert(labels=[]))


@pytest.mark.parametrize("encoding", ["utf-8-sig", "utf-16", "utf-16-le", "utf-32"])
def test_any_unicode_encoding_is_read(encoding: str) -> None:
    """A byte order mark, UTF-16 and UTF-32 say the same as plain UTF-8."""
    raw = json.dumps(body(alert(labels={**LABELS, "city": "Köln"})), ensure_ascii=False).encode(encoding)
    assert alertmanager.read(raw).firing[0].labels["city"] == "Köln"


def test_a_compressed_body_names_the_fix() -> None:
    """Nothing is inflated; the sender is told to send it as it is."""
    with pytest.raises(Malformed, match="compressed: send it without Content-Encoding"):
        alertmanager.read(b"\x1f\x8b\x08\x00" + b"\x00" * 100)


def test_a_body_of_very_many_values_is_refused_unread() -> None:
    """Millions of tiny values, which would take many times their own bytes, are refused before they are parsed."""
    for many in (b"[" + b"1," * (MOST_VALUES + 1) + b"1]", b"{}" * (MOST_VALUES + 1)):
        with pytest.raises(Malformed, match="too many values"):
            alertmanager.read(many)


def test_of_enormous_labels_the_short_ones_are_kept() -> None:
    """10,000 labels or values of a megabyte are cut to a bound, and the severity is still among those kept."""
    many = {f"label_{n:05}": "x" * 50 for n in range(10_000)}
    kept = one(labels={**many, **LABELS, "big": "y" * 1_000_000}).labels
    assert LABELS.items() <= kept.items()
    assert sum(len(name) + len(value) for name, value in kept.items()) <= ROOM
    long = fit({"description": "z" * 1_000_000, "summary": "short"})
    assert (len(long["description"]), long["summary"]) == (LONGEST, "short")


def test_more_alerts_than_are_kept_are_counted() -> None:
    """Of a body with too many firing alerts the rest counts as left out, which is never taken for resolved."""
    small = {"labels": {"alertname": "Down"}}
    found = read(*[small] * (alertmanager.MOST_FIRING + 3), truncatedAlerts=4)
    assert (len(found.firing), found.truncated) == (alertmanager.MOST_FIRING, 7)


@pytest.mark.parametrize(("written", "count"), [(3, 3), ("3", 3), (-1, 0), (None, 0), ("many", 0), (2.5, 0)])
def test_what_is_left_out_is_a_number(written: Any, count: int) -> None:
    """A count that is none says nothing, and spoils nothing."""
    assert read(alert(), truncatedAlerts=written).truncated == count


def test_a_key_given_twice_counts_once() -> None:
    """Of a JSON key that stands twice in an object the last one is read, as Go does."""
    raw = json.dumps(body(alert())).replace('"severity": "critical"', '"severity": "none", "severity": "critical"')
    assert alertmanager.read(raw.encode()).firing[0].labels["severity"] == "critical"

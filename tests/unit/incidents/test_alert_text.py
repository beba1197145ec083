"""What alerts say in words, whatever their rules' authors put in."""

from __future__ import annotations

import pytest

from bot.incidents import alert_text
from bot.incidents.model import Alert
from tests.unit.incidents.story import an_alert

FAILED = (
    '<error expanding template: error executing template __alert_Slow: template: __alert_Slow:1:9: executing "__alert_'
    "Slow\" at <$labels.pdo>: can't evaluate field pdo in type struct { Labels map[string]string }>"
)


def saying(name: str = "Slow", labels: dict[str, str] | None = None, **annotations: str) -> Alert:
    """Make an alert with these annotations."""
    return an_alert(name=name, labels=labels or {}, annotations=annotations)


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("Expires in <b>2 days</b>", "Expires in 2 days"),
        ('<a href="https://x.example/d">Dashboard</a>', "Dashboard (https://x.example/d)"),
        ("<A class=x HREF='https://x.example'><b>Board</b></A>", "Board (https://x.example)"),
        ("<https://x.example/rb|Runbook>", "Runbook (https://x.example/rb)"),
        ("<https://x.example/rb>", "https://x.example/rb"),
        ("[Runbook](https://x.example/rb)", "Runbook (https://x.example/rb)"),
        ("<!here> Ask <!subteam^S123|@sre> or <@U12|bob> in <#C1|ops> <@U1><#C1><!everyone>", "Ask sre or bob in ops"),
        ("one<br/>two<p>three</p><ul><li>four</li></ul>", "one\ntwothree\nfour"),
        ("a &lt; b &amp;&amp; c", "a < b && c"),
        ("p99 < 2s but > 1s, a<b", "p99 < 2s but > 1s, a<b"),
        ("Memory (< 10% left)\n  VALUE = 4.2\n  LABELS = map[a:b instance:[::1]:9100]", "Memory (< 10% left)"),
        ("Failed for labels: map[a:b c:d] twice", "Failed for twice"),
        ("map[a:b]", ""),
        ("two   words\r\n\r\n  next  ", "two words\nnext"),
    ],
)
def test_a_text_is_readable(text: str, expected: str) -> None:
    """HTML, Slack's mark-up and Go's dumps become text; what only looks like a tag stays."""
    assert alert_text.readable(text) == expected


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("Certificate of *shop.example* is *old*.", "Certificate of shop.example is old"),
        ("**bold** and ~old~ and `code`...", "bold and old and code..."),
        ("2 * 3 * 4 and snake_case_*", "2 * 3 * 4 and snake_case_*"),
        ("Two\nlines.", "Two lines"),
        ("What?", "What?"),
    ],
)
def test_a_title_has_one_plain_line(text: str, expected: str) -> None:
    """Emphasis and the full stop at the end are left out of a line."""
    assert alert_text.line(text) == expected


@pytest.mark.parametrize(
    "text",
    [
        FAILED,
        "Host <no value> is down",
        "{{ $labels.pod }} is down",
        "at %!f(string=abc)",
        "%!(EXTRA int=1)",
        "up\n{{\n$value }}",
    ],
)
def test_a_failed_template_is_known(text: str) -> None:
    """The error of a template, a missing value, and a template that nobody expanded are all broken."""
    assert alert_text.is_broken(text)
    assert alert_text.broken(saying(summary=text, description="fine")) == ("summary",)
    assert alert_text.summary(saying(summary=text)) == ""


def test_what_is_not_broken() -> None:
    """A per cent sign, an exclamation mark and brackets are plain text."""
    assert not alert_text.is_broken("at 5% {of} 100%! <b>now</b> {}")


@pytest.mark.parametrize(
    ("annotations", "summary", "description"),
    [
        ({"summary": "Slow.", "description": "p99 is 4 s.\nLook."}, "Slow", "p99 is 4 s.\nLook."),
        ({"message": "Pod a is slow. It waits for b."}, "Pod a is slow", "Pod a is slow. It waits for b."),
        ({"title": "Slow"}, "Slow", "Slow"),
        ({"description": "p99 is 4 s"}, "", "p99 is 4 s"),
        ({"summary": FAILED, "description": "p99 is 4 s"}, "p99 is 4 s", "p99 is 4 s"),
        ({"summary": FAILED, "message": "It is slow"}, "It is slow", "It is slow"),
        ({"summary": "Slow", "description": FAILED}, "Slow", "Slow"),
        ({"summary": FAILED, "description": "<no value>"}, "", ""),
        ({}, "", ""),
    ],
)
def test_summary_and_description(annotations: dict[str, str], summary: str, description: str) -> None:
    """`message` of older mixins counts, a broken one does not, and the one stands in for the other."""
    alert = saying(**annotations)
    assert (alert_text.summary(alert), alert_text.description(alert)) == (summary, description)


@pytest.mark.parametrize(
    ("annotations", "expected"),
    [
        ({"value": "7.5%"}, "7.5%"),
        ({"value": "<no value>"}, ""),
        ({"description": "Full\n  VALUE = 4.231987\n  LABELS = map[a:b]"}, "4.231987"),
        ({"description": "the value = 3 is too high"}, ""),
        ({}, ""),
    ],
)
def test_the_value(annotations: dict[str, str], expected: str) -> None:
    """The value is an annotation of its own, or a line of the description that says nothing else."""
    assert alert_text.value(saying(**annotations)) == expected


@pytest.mark.parametrize(
    ("name", "labels", "annotations", "expected"),
    [
        ("DiskFills", {}, {"summary": "Full"}, "DiskFills"),
        ("Alert", {}, {"summary": "Replica is behind."}, "Replica is behind"),
        ("Alert", {}, {"description": "Replica is behind"}, "Replica is behind"),
        ("TestAlert", {}, {"summary": "Notification test"}, "Notification test"),
        ("DatasourceNoData", {"rulename": "Checkout errors"}, {}, "Checkout errors: no data"),
        ("DatasourceError", {"rulename": "Checkout errors"}, {}, "Checkout errors: data source error"),
        ("Alert", {}, {}, "Alert"),
    ],
)
def test_what_an_alert_is_called(name: str, labels: dict[str, str], annotations: dict[str, str], expected: str) -> None:
    """Where the alertname says nothing, the rule's name or what the alert says stands in for it."""
    assert alert_text.called(saying(name, labels, **annotations)) == expected


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("Down", "Down."),
        ("Down.", "Down."),
        ("Down. .", "Down."),
        ("Why?", "Why?"),
        ("Cut…", "Cut…"),
        ("So...", "So..."),
    ],
)
def test_a_sentence_ends_once(text: str, expected: str) -> None:
    """A full stop is added where there is no mark at the end, and never a second one."""
    assert alert_text.ended(text) == expected

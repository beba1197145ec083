from __future__ import annotations

import csv
import dataclasses
import enum
import io
import json
from collections.abc import Callable
from datetime import UTC, datetime, timedelta, timezone

import pytest

from bot.incidents.model import Event, Incident, Status
from bot.timeline.as_csv import safe
from bot.timeline.dossier import clean, filename, plain, utc
from bot.timeline.export import Dossier, Rendered, UnknownFormat, render
from bot.timeline.markdown import duration

FORMATS = ("md", "json", "csv")
MakeEvent = Callable[..., Event]
MakeIncident = Callable[..., Incident]


def text_of(rendered: Rendered) -> str:
    return rendered.content.decode()


@pytest.mark.parametrize(
    ("fmt", "content_type", "name"),
    [
        ("md", "text/markdown; charset=utf-8", "INC-20261120-001-timeline.md"),
        ("json", "application/json", "INC-20261120-001-timeline.json"),
        ("csv", "text/csv; charset=utf-8", "INC-20261120-001-timeline.csv"),
    ],
)
def test_each_format_has_its_type_and_name(dossier: Dossier, fmt: str, content_type: str, name: str) -> None:
    """A rendered export says what it is and what to call it."""
    rendered = render(dossier, fmt)
    assert (rendered.content_type, rendered.filename) == (content_type, name)


@pytest.mark.parametrize("fmt", ["xml", "", "MD", "x" * 1000])
def test_an_unknown_format_lists_the_known_ones(dossier: Dossier, fmt: str) -> None:
    """The error names md, json and csv, and does not repeat a long input."""
    with pytest.raises(UnknownFormat, match="use one of md, json, csv") as caught:
        render(dossier, fmt)
    assert len(str(caught.value)) < 120


@pytest.mark.parametrize("fmt", FORMATS)
def test_the_order_of_rows_and_keys_does_not_matter(dossier: Dossier, fmt: str) -> None:
    """Rows and data keys read from a store in another order give the same bytes."""
    turned = tuple(
        dataclasses.replace(event, data=dict(reversed(event.data.items()))) for event in reversed(dossier.events)
    )
    roles = dict(reversed(dossier.incident.roles.items()))
    other = Dossier(dataclasses.replace(dossier.incident, roles=roles), turned, dossier.alerts)
    assert render(other, fmt).content == render(dossier, fmt).content


@pytest.mark.parametrize("fmt", FORMATS)
def test_the_zone_of_a_moment_does_not_matter(dossier: Dossier, fmt: str) -> None:
    """Times are written in UTC whatever zone they come in."""
    zone = timezone(timedelta(hours=5, minutes=30))
    moved = tuple(
        dataclasses.replace(
            event, occurred_at=event.occurred_at.astimezone(zone), recorded_at=event.recorded_at.astimezone(zone)
        )
        for event in dossier.events
    )
    assert render(dataclasses.replace(dossier, events=moved), fmt).content == render(dossier, fmt).content


@pytest.mark.parametrize("fmt", FORMATS)
def test_an_incident_without_events_is_exported(make_incident: MakeIncident, fmt: str) -> None:
    """An empty timeline gives a whole document."""
    assert render(Dossier(make_incident(roles={}, resolved_at=None)), fmt).content


def test_markdown_and_json_end_their_lines_with_a_line_feed(dossier: Dossier) -> None:
    """No carriage return, and one line feed at the end."""
    for fmt in ("md", "json"):
        content = render(dossier, fmt).content
        assert b"\r" not in content
        assert content.endswith(b"\n")
        assert not content.endswith(b"\n\n")


def test_csv_rows_are_in_seq_order(dossier: Dossier) -> None:
    """The rows count up, what people read in front and all promised columns there, with CRLF and a byte order mark."""
    content = render(dossier, "csv").content
    assert content.startswith(b"\xef\xbb\xbftime,")
    text = content.decode("utf-8-sig")
    rows = list(csv.DictReader(io.StringIO(text, newline="")))
    columns = "time,what,who,text,seq,occurred_at,recorded_at,kind,actor_type,actor_id,actor_name,source,data"
    assert text.splitlines()[0] == columns
    assert [rows[0][name] for name in columns.split(",")[:4]] == [
        "2026-11-20 14:32",
        "Alert fired",
        "Alertmanager",
        "High",
    ]
    assert [row["seq"] for row in rows] == [str(number) for number in range(1, 9)]
    assert json.loads(rows[1]["data"]) == {"a": {"c": [1, 2], "d": 1}, "z": 1}
    assert rows[0]["occurred_at"] == "2026-11-20T14:32:35.123Z"
    assert (rows[0]["actor_type"], rows[0]["actor_name"]) == ("alert", "Alertmanager")
    assert text.endswith("\r\n")


@pytest.mark.parametrize(
    "cell",
    [
        "=1+1",
        "+1",
        "-1",
        "@SUM(A1)",
        "\t=1",
        "\rx",
        "\nx",
        "  =1",
        "\u3000=1",
        "\ufeff=1",
        "\uff1d1",
        "\uff0b1",
        "\uff0d1",
        "\uff201",
        "\ufe661",
    ],
)
def test_formulas_are_disarmed(cell: str) -> None:
    """A cell that a spreadsheet would run gets an apostrophe in front."""
    assert safe(cell) == "'" + cell


@pytest.mark.parametrize("cell", ["", " ", "a=1", "1-2", "alice@example.com", "{}", "'quoted", "a\n=1"])
def test_harmless_cells_stay(cell: str) -> None:
    """Ordinary text is not changed."""
    assert safe(cell) == cell


def test_markdown_holds_the_incident(dossier: Dossier) -> None:
    """The head, the milestones, the action items and the empty headings are there."""
    lines = text_of(render(dossier, "md")).splitlines()
    for line in (
        "# INC-20261120-001: Quota checks fail",
        "- **Severity:** sev1",
        "- **Service:** metering",
        "- **Incident commander:** Alice",
        "- **Scribe:** Bob",
        "- **Correlation id:** c-1",
        "| Resolved | 2026-11-20 15:00 |",
        "- **Time to resolve:** 28 min 00 s",
        "| HighErrorRate | resolved | 2026-11-20 14:32 | 2026-11-20 14:57 | 0.042 | a=1, b=2 |",
        "| raise the pool | follow-up | Bob | 2026-11-20 | done 2026-11-20 14:45 |",
        "| review the limits | follow-up | nobody yet | not set | open |",
        "Due by 2026-11-27, five business days after the resolution (public holidays not considered).",
        "### Root cause",
        "### Fix",
        "### Contributing factors",
        "### What went well",
        "### What went poorly",
        "### Lessons",
        "### Corrective actions",
        "| Action | Owner | Due date | Status |",
    ):
        assert line in lines
    assert not [line for line in lines if line.startswith("| Closed")]


def test_an_open_incident_says_what_is_missing(make_incident: MakeIncident) -> None:
    """Unknown facts read "not recorded", and the retrospective waits for the resolution."""
    incident = make_incident(
        status=Status.INVESTIGATING, resolved_at=None, impact="", roles={}, drill=True, private=True, kind="security"
    )
    text = text_of(render(Dossier(incident), "md"))
    assert "- **Impact:** not recorded\n" in text
    assert "- **Incident commander:** not recorded\n" in text
    assert "- **Drill:** yes" in text
    assert "- **Private:** " in text
    assert "- **Kind:** security\n" in text
    assert "the incident is not resolved yet" in text
    assert "None were noted during the incident." in text


def test_times_are_cut_to_milliseconds() -> None:
    """A moment is never written as later than it was."""
    assert utc(datetime(2026, 11, 21, 23, 59, 59, 999999, tzinfo=UTC)) == "2026-11-21T23:59:59.999Z"
    assert utc(datetime(2026, 11, 21, tzinfo=UTC)) == "2026-11-21T00:00:00.000Z"


def test_a_naive_time_is_refused() -> None:
    """A time without a zone would be another time on another machine."""
    with pytest.raises(ValueError, match="aware"):
        utc(datetime(2026, 11, 21))  # noqa: DTZ001


def test_any_data_becomes_json() -> None:
    """Values that JSON lacks become text, seconds or lists, always the same way."""

    class Color(enum.Enum):
        RED = "red"

    value = {
        "none": None,
        "yes": True,
        "enum": Color.RED,
        "severity": Status.CLOSED,
        "float": 1.5,
        "nan": float("nan"),
        "inf": float("-inf"),
        "moment": datetime(2026, 11, 21, tzinfo=UTC),
        "day": datetime(2026, 11, 21, tzinfo=UTC).date(),
        "span": timedelta(minutes=1),
        "tuple": (1, "a\x00"),
        "set": {"b", "a", "c"},
        3: b"raw",
    }
    assert plain(value) == {
        "none": None,
        "yes": True,
        "enum": "red",
        "severity": "closed",
        "float": 1.5,
        "nan": "nan",
        "inf": "-inf",
        "moment": "2026-11-21T00:00:00.000Z",
        "day": "2026-11-21",
        "span": 60.0,
        "tuple": [1, "a\ufffd"],
        "set": ["a", "b", "c"],
        "3": "b'raw'",
    }


def test_a_file_name_cannot_leave_its_directory_or_header() -> None:
    """Whatever a number holds, the name is one harmless word."""
    assert filename('../a"\r\nb', "md") == "___a___b-timeline.md"


def test_clean_replaces_only_what_cannot_be_written() -> None:
    """NUL and lone surrogates go, emoji and all else stay."""
    assert clean("a\x00\ud800😀\n") == "a\ufffd\ufffd😀\n"


@pytest.mark.parametrize(
    ("seconds", "words"), [(0, "0 s"), (59, "59 s"), (61, "1 min 01 s"), (3909, "1 h 05 min 09 s")]
)
def test_durations_read_like_this(seconds: int, words: str) -> None:
    """A duration is told in hours, minutes and seconds."""
    assert duration(seconds) == words

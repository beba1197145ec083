from __future__ import annotations

import csv
import dataclasses
import io
import json
import unicodedata
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st
from markdown_it import MarkdownIt
from markdown_it.tree import SyntaxTreeNode

from bot.incidents.model import Actor, Event, Incident, Person, Role, Status
from bot.incidents.policy import Severity
from bot.timeline.as_csv import COLUMNS
from bot.timeline.dossier import clean
from bot.timeline.escape import inline
from bot.timeline.export import AlertRow, Dossier, render

GFM = MarkdownIt("commonmark", {"html": True}).enable("table").enable("strikethrough")
BASE = datetime(2026, 11, 20, tzinfo=UTC)

# Any code point (lone surrogates too), and text that is dense in what the formats treat as special.
TEXT = st.text(st.characters(exclude_categories=())) | st.text(
    "|\\`*_[]()<>&#=+-@'\"!~$\r\n\t \x00\u2028:;,/ax1\uff1d\uff20"
)
MOMENT = st.integers(0, 10**12).map(lambda micros: BASE + timedelta(microseconds=micros))
DATA: st.SearchStrategy[Any] = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats() | TEXT | MOMENT,
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(TEXT, inner, max_size=3),
    max_leaves=8,
)
ACTOR = st.builds(Actor, TEXT, TEXT, TEXT)
KIND = TEXT | st.sampled_from(["note", "followup_added", "followup_done", "resolved", "reopened", "alert_fired"])
EVENT = st.builds(Event, st.just(0), MOMENT, MOMENT, KIND, ACTOR, TEXT, st.dictionaries(TEXT, DATA, max_size=3), TEXT)
EVENTS = st.lists(EVENT, max_size=5).map(
    lambda events: tuple(dataclasses.replace(event, seq=seq) for seq, event in enumerate(events, 1))
)
INCIDENT = st.builds(
    Incident,
    number=TEXT,
    title=TEXT,
    severity=st.sampled_from(Severity),
    status=st.sampled_from(Status),
    declared_at=MOMENT,
    declared_by=ACTOR,
    impact=TEXT,
    service=TEXT,
    region=TEXT,
    tenants=TEXT,
    correlation_id=TEXT,
    resource_name=TEXT,
    roles=st.dictionaries(st.sampled_from(Role), st.builds(Person, TEXT, TEXT)),
    resolved_at=st.none() | MOMENT,
)
ALERTS = st.lists(
    st.builds(AlertRow, TEXT, TEXT, st.dictionaries(TEXT, TEXT, max_size=2), st.none() | MOMENT), max_size=2
)
DOSSIER = st.builds(Dossier, INCIDENT, EVENTS, ALERTS.map(tuple))


@pytest.mark.parametrize("fmt", ["md", "json", "csv"])
@given(dossier=DOSSIER)
def test_the_same_rows_give_the_same_bytes(fmt: str, dossier: Dossier) -> None:
    """Any dossier is rendered twice to the same valid UTF-8, without a NUL."""
    first = render(dossier, fmt)
    assert first == render(dossier, fmt)
    assert "\x00" not in first.content.decode("utf-8")


@given(DOSSIER)
def test_json_gives_every_text_back(dossier: Dossier) -> None:
    """What is recorded is what a program reads, but for what no file can hold."""

    def refuse(word: str) -> None:
        pytest.fail(f"{word} is not JSON")

    document = json.loads(render(dossier, "json").content, parse_constant=refuse)
    assert document["incident"]["title"] == clean(dossier.incident.title)
    assert [event["text"] for event in document["events"]] == [clean(event.text) for event in dossier.events]
    assert [event["actor"]["name"] for event in document["events"]] == [
        clean(event.actor.name) for event in dossier.events
    ]


@given(DOSSIER)
def test_csv_gives_every_text_back_and_runs_none(dossier: Dossier) -> None:
    """A CSV reader finds the recorded cells, at most behind an apostrophe, and no cell begins a formula."""
    text = render(dossier, "csv").content.decode()
    rows = list(csv.reader(io.StringIO(text, newline=""), strict=True))
    assert [len(row) for row in rows] == [len(COLUMNS)] * (len(dossier.events) + 1)
    for row in rows:
        for cell in row:
            assert unicodedata.normalize("NFKC", cell.lstrip())[:1] not in {"=", "+", "-", "@"}
            assert cell[:1] not in {"\t", "\r", "\n"}
    for row, event in zip(rows[1:], dossier.events, strict=True):
        for cell, value in zip(
            row[3:9], (event.kind, *dataclasses.astuple(event.actor), event.text, event.source), strict=True
        ):
            assert cell in {clean(value), "'" + clean(value)}
        json.loads(row[9])


@given(DOSSIER)
def test_no_text_breaks_a_markdown_table(dossier: Dossier) -> None:
    """Every table keeps its columns, the timeline has a row for each event, and the headings are ours alone."""
    tree = SyntaxTreeNode(GFM.parse(render(dossier, "md").content.decode()))
    tables = [node for node in tree.children if node.type == "table"]
    widths = {"Milestone": 2, "Alert": 6, "Seq": 6, "Action": 4}
    for table in tables:
        rows = [row for part in table.children for row in part.children]
        first = rows[0].children[0].children[0].content
        assert {len(row.children) for row in rows} == {widths[first]}
        if first == "Seq":
            assert len(rows) == len(dossier.events) + 1
    assert len(tables) >= 3
    headings = [node for node in tree.children if node.type == "heading"]
    assert sum(node.tag == "h1" for node in headings) == 1
    assert sum(node.tag == "h2" for node in headings) == (5 if dossier.alerts else 4)
    assert sum(node.tag == "h3" for node in headings) == 6


@given(DOSSIER)
def test_no_text_becomes_markup(dossier: Dossier) -> None:
    """Nothing recorded turns into HTML, a link, an image, code or emphasis; only our own bold labels are left."""
    tree = SyntaxTreeNode(GFM.parse(render(dossier, "md").content.decode()))
    kinds = {node.type for node in tree.walk()}
    assert not kinds & {"html_block", "html_inline", "link", "image", "code_inline", "fence", "code_block", "em", "s"}
    strong = [node for node in tree.walk() if node.type == "strong"]
    assert all(node.children[0].content.endswith(":") for node in strong)


@given(TEXT)
def test_escaped_text_reads_as_it_was(text: str) -> None:
    """A reader of the rendered page sees the recorded words on one line."""
    tree = SyntaxTreeNode(GFM.parse("- **x:** " + inline(text)))
    seen = "".join(
        node.content for node in tree.walk() if node.type in {"text", "text_special"} and node.parent is not None
    )
    expected = " ".join(clean(text).split())
    kept = "".join(seen.removeprefix("x:").split())
    assert len(kept) == len("".join(expected.split()))
    assert all(a in (b, "\ufffd") for a, b in zip(kept, "".join(expected.split()), strict=True))


@pytest.mark.parametrize(
    ("text", "escaped"),
    [
        ("<script>alert(1)</script>", "&lt;script&gt;alert(1)&lt;/script&gt;"),
        ("a | b\n| c", "a \\| b \\| c"),
        ("[x](javascript:y)", "\\[x\\](javascript:y)"),
        ("alert_fired _x_", "alert_fired \\_x\\_"),
        ("a\\|b", "a\\\\\\|b"),
        ("&lt;", "&amp;lt;"),
        ("a\u202eb\x07", "a\ufffdb\ufffd"),
        ("👩\u200d🚒", "👩\u200d🚒"),
    ],
)
def test_escapes_are_these(text: str, escaped: str) -> None:
    """Markup, HTML, table bars, control and direction characters are made harmless; names stay legible."""
    assert inline(text) == escaped

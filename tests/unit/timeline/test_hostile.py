from __future__ import annotations

import csv
import dataclasses
import io
import itertools
import json
import re
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
from bot.timeline.dossier import REPLACEMENT, clean
from bot.timeline.escape import block, cell, inline, is_hidden, quote, table
from bot.timeline.export import AlertRow, Dossier, render
from bot.timeline.words import KINDS, kind_of, shown
from tests.unit.timeline.github import Seen

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
ACTOR = st.builds(Actor, TEXT | st.sampled_from(["human", "system"]), TEXT, TEXT)
KIND = TEXT | st.sampled_from(sorted(KINDS))
USED = (
    "level name people reason why due_at from to author action owner eta command supersedes removed deleted edited "
    "root_cause fix no_change severity resumed resolution"
)
KEYS = TEXT | st.sampled_from(USED.split())
EVENT = st.builds(Event, st.just(0), MOMENT, MOMENT, KIND, ACTOR, TEXT, st.dictionaries(KEYS, DATA, max_size=5), TEXT)
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
    summary=TEXT,
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
    text = render(dossier, "csv").content.decode("utf-8-sig")
    rows = list(csv.reader(io.StringIO(text, newline=""), strict=True))
    assert [len(row) for row in rows] == [len(COLUMNS)] * (len(dossier.events) + 1)
    for row in rows:
        for value in row:
            assert unicodedata.normalize("NFKC", value.lstrip())[:1] not in {"=", "+", "-", "@"}
            assert value[:1] not in {"\t", "\r", "\n"}
    for row, event in zip(rows[1:], dossier.events, strict=True):
        for kept, value in zip(
            (row[3], *row[7:12]),
            (event.text, event.kind, *dataclasses.astuple(event.actor), event.source),
            strict=True,
        ):
            assert kept in {clean(value), "'" + clean(value)}
        json.loads(row[12])


TABLES = {"Milestone": 2, "Severity": 5, "Alert": 6, "Paged (UTC)": 5, "Update (UTC)": 4, "Action": 4}
SECTIONS = {"Summary", "Milestones", "Severity over time", "Alerts", "Pages", "Gaps between updates", "Timeline"}
SECTIONS |= {"Participants", "Action items", "Retrospective"}


@given(DOSSIER)
def test_no_text_breaks_the_structure(dossier: Dossier) -> None:
    """Every table keeps its columns, every event shown has one entry, and the headings are ours alone."""
    tree = SyntaxTreeNode(GFM.parse(render(dossier, "md").content.decode()))
    for found in (node for node in tree.walk() if node.type == "table"):
        rows = [row for part in found.children for row in part.children]
        first = rows[0].children[0].children[0].content
        assert {len(row.children) for row in rows} == {TABLES[first]}
    entries = [
        item
        for before, node in itertools.pairwise(tree.children)
        if node.type == "bullet_list" and re.fullmatch(r"\d{4}-\d\d-\d\d", _words(before))
        for item in node.children
    ]
    assert len(entries) == len(shown(dossier.events))
    headings = [node for node in tree.walk() if node.type == "heading"]
    assert sum(node.tag == "h1" for node in headings) == 1
    assert {_words(node) for node in headings if node.tag == "h2"} <= SECTIONS
    days = {f"{event.occurred_at:%Y-%m-%d}" for event in shown(dossier.events)}
    assert sum(node.tag == "h3" for node in headings) == 7 + len(days)


@given(DOSSIER)
def test_no_text_becomes_markup(dossier: Dossier) -> None:
    """Nothing recorded turns into HTML, a link, an image or emphasis, in GitHub's renderer too; code is harmless."""
    page = render(dossier, "md").content.decode()
    tree = SyntaxTreeNode(GFM.parse(page))
    assert not {node.type for node in tree.walk()} & {"html_block", "html_inline", "link", "image", "em", "s"}
    strong = [node for node in tree.walk() if node.type == "strong"]
    ours = {_letters(kind_of(event)) for event in dossier.events}
    labels = ["".join(part.content for part in node.walk() if part.type.startswith("text")) for node in strong]
    assert all(label.endswith(":") or _letters(label) in ours for label in labels)
    seen = Seen.of(page)
    assert not seen.tags & {"img", "em", "del", "script", "b", "input"}
    assert all(re.match(r"(http://www\.|mailto:)", href) for href in seen.links)  # only what reads as an address itself
    assert seen.count["h1"] == 1


@given(TEXT)
def test_escaped_text_reads_as_it_was(text: str) -> None:
    """A reader of the rendered page sees the recorded words on one line; only the backticks of code are not shown."""
    expected = [character for word in clean(text).split() for character in word]
    for seen in (
        _words(SyntaxTreeNode(GFM.parse("- **x:** " + inline(text)))),
        Seen.of("- **x:** " + inline(text)).text,
    ):
        kept = "".join(seen.strip().removeprefix("x:").split())
        _same(kept, expected)


@given(TEXT)
def test_a_block_reads_as_it_was(text: str) -> None:
    """The same for text of several lines, whose lines stay lines."""
    page = "\n".join(["- x", *(f"  {line}" for line in quote(block(text)))])
    expected = [character for word in clean(text).split() for character in word]
    _same("".join(_words(SyntaxTreeNode(GFM.parse(page))).removeprefix("x").split()), expected)
    _same("".join(Seen.of(page).text.strip().removeprefix("x").split()), expected)


@given(TEXT)
def test_a_cell_reads_as_it_was(text: str) -> None:
    """The same for a table's cell."""
    page = "\n".join(table(("x",), ((cell(text),),)))
    expected = [character for word in clean(text).split() for character in word]
    _same("".join(_words(SyntaxTreeNode(GFM.parse(page))).removeprefix("x").split()), expected)
    _same("".join(Seen.of(page).text.strip().removeprefix("x").split()), expected)


def _same(seen: str, expected: list[str]) -> None:
    """Compare what is seen with what was recorded: backticks may be gone, control characters are replaced."""
    left = list(reversed(seen))
    for character in expected:
        if left and left[-1] == (REPLACEMENT if is_hidden(character) else character):
            left.pop()
        else:
            assert character == "`", (seen, "".join(expected))
    assert not left, (seen, "".join(expected))


def _letters(text: str) -> str:
    return "".join(filter(str.isalnum, text))


def _words(node: SyntaxTreeNode) -> str:
    kinds = {"text", "text_special", "code_inline", "fence", "softbreak", "hardbreak"}
    return " ".join(
        "".join(part.content or " " for part in inner.walk() if part.type in kinds)
        for inner in node.walk()
        if inner.type in {"inline", "fence"}
    ).strip()


@pytest.mark.parametrize(
    ("text", "escaped"),
    [
        ("<script>alert(1)</script>", "&lt;script>alert(1)&lt;/script>"),
        ("2 < 3 && x > y", "2 < 3 && x > y"),
        ("a | b\n| c", "a | b | c"),
        ("[x](javascript:y)", "[x\\](javascript:y)"),
        ("[primary] pool[0]", "[primary] pool[0]"),
        ("![x](https://evil.example)", "![x\\](https://evil.example)"),
        ("alert_fired _x_", "alert_fired \\_x\\_"),
        ("__init__ and *.log, *.txt", "\\_\\_init\\_\\_ and *.log, *.txt"),
        ("2 * 3 * 4 and 2*3*4", "2 * 3 * 4 and 2\\*3\\*4"),
        ("~5 min, ~10 min", "~5 min, ~10 min"),
        ("~gone~ ~~gone~~", "\\~gone\\~ \\~\\~gone\\~\\~"),
        ("a\\|b C:\\temp", "a\\\\|b C:\\temp"),
        ("&lt; R&D AT&T;", "&amp;lt; R&D AT&amp;T;"),
        ("a\u202eb\x07", "a\ufffdb\ufffd"),
        ("\u05e9\u05dc\u05d5\u05dd [x]", "\u05e9\u05dc\u05d5\u05dd [x]"),
        ("\u2067x\u2069", "\ufffdx\ufffd"),
        ("👩\u200d🚒", "👩\u200d🚒"),
        ("run `a | b` and ` alone", "run `a | b` and \\` alone"),
        ("``a`b``", "``a`b``"),
        ("` ```x", "\\` \\`\\`\\`x"),
        ("$5 and $6, $x$", "$5 and $6, \\$x$"),
    ],
)
def test_escapes_are_these(text: str, escaped: str) -> None:
    """What Markdown would misread is escaped, and nothing else; control and direction characters are replaced."""
    assert inline(text) == escaped


@pytest.mark.parametrize(
    ("line", "escaped"),
    [
        ("# heading", "\\# heading"),
        ("#channel", "#channel"),
        ("- item", "\\- item"),
        ("-1 replicas", "-1 replicas"),
        ("1. one", "1\\. one"),
        ("1.5 s", "1.5 s"),
        ("> said", "\\> said"),
        ("---", "\\---"),
        ("===", "\\==="),
        ("|-|-|", "\\|-|-|"),
        ("[!NOTE]", "\\[!NOTE]"),
        ("[x]: https://evil.example", "[x\\]: https://evil.example"),
        ("~~~", "\\~\\~\\~"),
        ("```", "\\`\\`\\`"),
        ("    at pool.get()", "\u00a0\u00a0\u00a0\u00a0at pool.get()"),
    ],
)
def test_at_the_start_of_a_line_more_is_read(line: str, escaped: str) -> None:
    """Only there are headings, lists, quotes, rules, tables, fences and definitions escaped."""
    assert block(line) == [escaped]
    assert inline(f"x {line}").startswith("x ")


@pytest.mark.parametrize(
    ("text", "lines"),
    [
        ("one\ntwo\n\nthree", ["one  ", "two", "", "three"]),
        ("see\n```\nif x < 1:\n\treturn `y`\n```", ["see", "", "```", "if x < 1:", "    return `y`", "```"]),
        ("```a\n<b>|</b>```\nend", ["```", "a", "<b>|</b>", "```", "", "end"]),
        ("```\n\u202e# x\n```", ["```", "\ufffd# x", "```"]),
        ("```one line```", ["```one line```"]),
        ("a ` b\n`c` d", ["a \\` b  ", "`c` d"]),
        ("*0\n**", ["*0  ", "\\*\\*"]),
        ("__0\n___", ["__0  ", "\\_\\_\\_"]),
        ("~~0\n~~~", ["~~0  ", "\\~\\~\\~"]),
        ("\n \n", []),
    ],
)
def test_lines_stay_lines(text: str, lines: list[str]) -> None:
    """Paragraphs, line breaks and code blocks are kept."""
    assert block(text) == lines

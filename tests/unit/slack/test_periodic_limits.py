"""Whatever a checklist or a runbook's front matter holds, what comes round keeps Slack's limits."""

from __future__ import annotations

import json
from collections.abc import Iterator
from datetime import UTC, date, datetime, timedelta
from pathlib import Path
from typing import Any

from hypothesis import Phase, given, settings
from hypothesis import strategies as st

from bot.runbooks.catalog import Catalog
from bot.runbooks.model import Runbook
from bot.runbooks.review import REVIEW
from bot.sandbox.blocks import check_message_blocks
from bot.slack import periodic
from bot.slack.blocks import fit
from bot.slack.messages import Message
from bot.store.postings import Item, Mark, Posting
from bot.text import clean

NOW = datetime(2026, 11, 21, 8, 0, tzinfo=UTC)
CATALOG = Catalog.load(Path(__file__).resolve().parents[3] / "runbooks")
QUICK = (Phase.explicit, Phase.reuse, Phase.generate, Phase.shrink)  # explaining a failure takes minutes here

texts = st.sampled_from(
    ["Look at the dashboard", "<!channel> *x* `y`", "&" * 3000, "x" * 6000, "a\n" * 900, "```", "🔥" * 400]
) | st.text(min_size=1, max_size=20).map(clean).filter(str.strip)
# What the model lets through: 200 characters at most, none of them a blank at an end.
words = texts.map(lambda text: text.strip()[:200].strip())


@st.composite
def postings(draw: Any) -> Posting:
    count = draw(st.sampled_from([1, 9, 40, 41, 300]))
    some = draw(st.lists(st.tuples(texts, st.just("") | texts), min_size=1, max_size=4))
    later = draw(st.sampled_from([timedelta(minutes=5), timedelta(days=3)]))
    done = draw(st.sampled_from([0, 1, count]))
    return Posting(
        scope="checklist:" + "x" * 54,
        checklist="checklist." + "x" * 90,
        version="0" * 12,
        title=draw(words),
        owner=draw(st.just("") | words),
        items=tuple(Item(n + 1, *some[n % len(some)]) for n in range(count)),
        due_at=NOW,
        channel="ops-alerts",
        marks={n + 1: Mark(done=n % 3 != 2, user="U0123456789A", at=NOW + later) for n in range(done)},
    )


def spoken(block: Any) -> Iterator[str]:
    """Give every text in a block."""
    if isinstance(block, dict):
        if isinstance(block.get("text"), str):
            yield block["text"]
        for part in block.values():
            yield from spoken(part)
    elif isinstance(block, list):
        for part in block:
            yield from spoken(part)


def fits(message: Message) -> None:
    text, blocks = message[0], fit(message[1])
    assert check_message_blocks(blocks) == []
    assert text.strip()
    assert len(text) <= 4000
    assert "<!channel>" not in text
    assert not any("<!channel>" in said for block in blocks if block["type"] != "header" for said in spoken(block))


@settings(max_examples=60, deadline=None, phases=QUICK)
@given(postings())
def test_every_checklist_fits(posting: Posting) -> None:
    """One message, each of the first forty items with its button, and what is left out is said."""
    message = periodic.checklist(posting)
    fits(message)
    buttons = [block["accessory"] for block in message[1] if "accessory" in block]
    assert len(buttons) == min(len(posting.items), 40)
    for button, item in zip(buttons, posting.items, strict=False):
        assert button["value"] == f"{posting.scope}|{item.number}"
        verb = "checklist_undo" if posting.is_done(item) else "checklist_done"
        assert button["action_id"] == f"{verb}_{item.number}"
    assert ("more items: see" in json.dumps(message[1])) == (len(posting.items) > 40)


def test_every_checklist_that_ships_is_shown_whole() -> None:
    """No item of a shipped checklist is cut."""
    for found in CATALOG.checklists:
        items = tuple(Item(step.number, step.text, step.code or "") for step in found.items)
        posting = Posting("checklist:x:1", found.id, found.version, found.title, "", items, NOW, "ops-alerts")
        message = periodic.checklist(posting)
        fits(message)
        assert "…" not in json.dumps(fit(message[1]), ensure_ascii=False)


def test_what_files_hold_pages_nobody() -> None:
    """Whatever stands in a checklist or in front matter is shown as it is, and mentions no one."""
    hostile = "<!channel> & <@U1>"
    items = (Item(1, hostile, hostile), Item(2, hostile))
    posting = Posting("checklist:x:1", "checklist.x", "0" * 12, hostile, hostile, items, NOW, "ops-alerts")
    book = CATALOG.runbooks[0].model_copy(
        update=dict.fromkeys(("title", "owner_team", "backup_owner", "url"), hostile)
        | {"last_reviewed_at": NOW.date() - timedelta(days=200)}
    )
    for text, blocks in (periodic.checklist(posting), periodic.digest([book], NOW.date())):
        mrkdwn = [said for block in blocks if block["type"] != "header" for said in spoken(block)]
        assert not [said for said in (text, *mrkdwn) if "<!channel>" in said or "<@U1>" in said]
        assert any("&lt;!channel&gt; &amp; &lt;@U1&gt;" in said for said in mrkdwn)


@st.composite
def runbooks(draw: Any) -> list[Runbook]:
    first = CATALOG.runbooks[0]
    changes = {
        "title": draw(words),
        "owner_team": draw(words),
        "backup_owner": draw(st.none() | words),
        "url": draw(words),
    }
    count = draw(st.sampled_from([1, 2, 20, 21, 200]))
    ages = draw(st.lists(st.integers(91, 4000), min_size=1, max_size=5))
    return [
        first.model_copy(
            update=changes
            | {
                "id": f"ops.{'x' * 80}.book-{n}",
                "last_reviewed_at": NOW.date() - timedelta(days=ages[n % len(ages)]),
            }
        )
        for n in range(count)
    ]


@settings(max_examples=60, deadline=None, phases=QUICK)
@given(runbooks())
def test_every_digest_fits(books: list[Runbook]) -> None:
    """One message: the longest without a review come first, and what is left out is said."""
    message = periodic.digest(books, NOW.date())
    fits(message)
    said = "\n".join(spoken(message[1]))
    left = len(books) - 20
    assert (f"and {left} more: `sitrep runbooks lint`" in said) == (left > 0)


def test_the_digest_names_what_is_overdue_first() -> None:
    """Each runbook with its owners, its last review and its file; the overdue ones first, marked in words."""
    ages = (REVIEW.days + 1, 181, 500)
    books = [
        book.model_copy(update={"last_reviewed_at": NOW.date() - timedelta(days=age), "backup_owner": "Ann & Bob"})
        for book, age in zip(CATALOG.runbooks, ages, strict=False)
    ]
    text, blocks = periodic.digest(books, NOW.date())
    lines = [line for line in "\n".join(spoken(blocks)).splitlines() if line.startswith("•")]
    assert [book.id for line in lines for book in books if f"`{book.id}`" in line] == [b.id for b in reversed(books)]
    assert ["Overdue" in line for line in lines] == [True, True, False]
    assert "last reviewed 2025-07-09, 500 days ago" in lines[0]
    assert f"Owner {books[2].owner_team}, backup Ann &amp; Bob. File: {books[2].url}" in lines[0]
    assert text == "Review 3 runbooks; overdue, with the last review more than 180 days ago: 2."
    assert "set `last_reviewed_at` in its file" in json.dumps(blocks)


def test_a_digest_of_one_says_so() -> None:
    """One runbook that is not overdue: nothing is said of what is."""
    book = CATALOG.runbooks[0].model_copy(update={"last_reviewed_at": date(2026, 8, 1), "backup_owner": None})
    text, blocks = periodic.digest([book], NOW.date())
    assert text == "Review 1 runbook."
    assert "verdue" not in json.dumps(blocks)
    assert "no backup owner" in json.dumps(blocks)

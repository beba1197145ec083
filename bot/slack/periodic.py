"""What comes round in Slack: a checklist that is ticked off in its message, and the digest of stale runbooks."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import date, datetime

from bot.incidents.moments import at_or_on
from bot.runbooks.model import Runbook
from bot.runbooks.review import OVERDUE, overdue
from bot.slack import blocks as b
from bot.slack.messages import Message
from bot.slack.mrkdwn import code, date_time, esc
from bot.store.postings import Item, Mark, Posting

DONE, UNDO = "checklist_done", "checklist_undo"
MAX_ITEMS = 40  # of a message's 50 blocks
MAX_BOOKS = 20
LONGEST = 1300  # characters of an item's words, and of its command


def checklist(posting: Posting) -> Message:
    """A periodic checklist as it stands: each item with its mark and its button."""
    shown, rest = posting.items[:MAX_ITEMS], len(posting.items) - MAX_ITEMS
    done = sum(posting.is_done(item) for item in shown)
    progress = f"{done} of {len(shown)} done"
    due = f"`{esc(posting.checklist, 200)}`, due {date_time(posting.due_at)}. Owner: {_owner(posting.owner)}."
    made = [b.header(posting.title), b.context(f"{due} *{progress}*")]
    for item in shown:
        label, action = ("Undo", UNDO) if posting.is_done(item) else ("Done", DONE)
        button = b.button(label, f"{action}_{item.number}", value_of(posting.scope, item))
        made.append({**b.section(_item(posting, item)), "accessory": button})
    if rest > 0:
        made.append(b.context(f"{rest} more items: see `{esc(posting.checklist, 200)}` in runbooks/checklists."))
    return f"{esc(posting.title, 200)}: {progress}.", made


def value_of(scope: str, item: Item) -> str:
    """Give what a button carries: which item of which posting."""
    return f"{scope}|{item.number}"


def said_before(item: Item, mark: Mark | None, now: datetime) -> str:
    """Tell somebody whose press comes second who was first."""
    if mark is None:
        return f"Item {item.number} is not done yet. Press Done when it is."
    when = at_or_on(mark.at, now)
    if mark.done:
        return f"<@{mark.user}> ticked item {item.number} {when}. Press Undo to untick it."
    return f"<@{mark.user}> unticked item {item.number} {when}. Press Done once it is done."


def digest(books: Sequence[Runbook], today: date) -> Message:
    """The stale runbooks of one channel's owners, those first whose review is the longest ago."""
    found = sorted(books, key=lambda book: (book.last_reviewed_at, book.id))
    late = sum(overdue(book, today) for book in found)
    said = f"Review {_count(len(found), 'runbook')}"
    if late:
        said += f"; overdue, with the last review more than {OVERDUE.days} days ago: {late}"
    made = [b.header(f"Runbooks to review: {len(found)}"), b.section(f"{said}.")]
    made += b.paragraphs("\n".join(_book(book, today) for book in found[:MAX_BOOKS]))
    if len(found) > MAX_BOOKS:
        made.append(b.section(f"and {len(found) - MAX_BOOKS} more: `sitrep runbooks lint`"))
    made.append(b.context("Review each with its owner, then set `last_reviewed_at` in its file."))
    return f"{said}.", made


def _item(posting: Posting, item: Item) -> str:
    mark = posting.marks.get(item.number)
    done = mark is not None and mark.done
    lines = [f"{':white_check_mark:' if done else ':white_large_square:'} {item.number}. {esc(item.text, LONGEST)}"]
    if item.code:
        lines.append(f"```{code(item.code, LONGEST)}```")
    if mark is not None and done:
        lines.append(f"Done by <@{mark.user}> {at_or_on(mark.at, posting.due_at)}.")
    return "\n".join(lines)


def _owner(team: str) -> str:
    return esc(team, 200) or "nobody is named"


def _book(book: Runbook, today: date) -> str:
    age = (today - book.last_reviewed_at).days
    word = ":warning: *Overdue:* " if overdue(book, today) else ""
    backup = f", backup {esc(book.backup_owner, 80)}" if book.backup_owner else ", no backup owner"
    return (
        f"• {word}`{esc(book.id)}` {esc(book.title, 120)}: last reviewed {book.last_reviewed_at}, {age} days ago. "
        f"Owner {esc(book.owner_team, 80)}{backup}. File: {esc(book.url, 120)}"
    )


def _count(number: int, word: str) -> str:
    return f"{number} {word}" if number == 1 else f"{number} {word}s"

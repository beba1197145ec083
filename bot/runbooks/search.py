"""Finds runbooks by what somebody types. Pure."""

from __future__ import annotations

import re

from bot.runbooks.catalog import Catalog
from bot.runbooks.model import Book, Checklist

_BETWEEN = re.compile(r"[-_.\s]+")  # what stands between words: a file's name finds its runbook too


def search(catalog: Catalog, text: str) -> tuple[Book, ...]:
    """Give the runbook or checklist of this id alone, else those that hold every word.

    Runbooks come before checklists, and what is called so before what only mentions it.
    """
    wanted = text.casefold().strip().strip("`")
    exact = catalog.book(wanted)
    if exact is not None:
        return (exact,)
    words = _BETWEEN.sub(" ", wanted).split()
    if not words:
        return ()
    books: tuple[Book, ...] = (*catalog, *catalog.checklists)
    ending = tuple(book for book in books if _BETWEEN.split(book.id)[-len(words) :] == words)
    if len(ending) == 1 and len(words) > 1:  # an id without its beginning, such as redis-down
        return ending
    named = tuple(book for book in books if _holds(f"{book.id} {book.title}", words))
    about = (book for book in books if _holds(_all_words(book), words) and book not in named)
    return (*named, *about)


def _holds(text: str, words: list[str]) -> bool:
    lower = _BETWEEN.sub(" ", text.casefold())
    return all(word in lower for word in words)


def _all_words(book: Book) -> str:
    if isinstance(book, Checklist):
        return f"{book.id} {book.title} {book.owner_team or ''}"
    return " ".join((book.id, book.title, book.summary, *book.signals, *book.services, book.owner_team))

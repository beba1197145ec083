"""What somebody types finds the runbook that they mean."""

from __future__ import annotations

import pytest

from bot.runbooks.catalog import Catalog
from bot.runbooks.search import search
from tests.unit.runbooks.conftest import CONTENT

CATALOG = Catalog.load(CONTENT)


@pytest.mark.parametrize("typed", ["ops.redis.down", "`ops.redis.down`", "redis-down", "redis_down", "Redis Down"])
def test_an_id_or_a_files_name_finds_one(typed: str) -> None:
    """However the words are joined."""
    assert [book.id for book in search(CATALOG, typed)] == ["ops.redis.down"]


def test_titles_come_before_what_a_runbook_mentions() -> None:
    """One word may find several; those that are called so come first."""
    found = [book.id for book in search(CATALOG, "redis")]
    assert len(found) > 1
    assert "redis" in found[0]


@pytest.mark.parametrize("typed", ["", "  ", "-", "no such thing at all"])
def test_nothing_is_found_where_nothing_fits(typed: str) -> None:
    """Without a word there is nothing to look for."""
    assert search(CATALOG, typed) == ()

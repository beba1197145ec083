"""Addresses in an export: every renderer links to exactly what was recorded."""

from __future__ import annotations

import json
from collections.abc import Callable
from urllib.parse import unquote

import pytest
from markdown_it import MarkdownIt
from markdown_it.tree import SyntaxTreeNode

from bot.incidents.model import Event, Incident
from bot.timeline.export import Dossier, render
from tests.unit.timeline.github import Seen

GFM = MarkdownIt("commonmark").enable("table").enable("strikethrough")
MakeEvent = Callable[..., Event]
MakeIncident = Callable[..., Incident]

ADDRESSES = [
    "https://grafana.example.com/d/abc?var-region=eu-1&from=now-1h&to=now",
    "https://en.wikipedia.org/wiki/Pool_(computer_science)",
    "http://prom:9090/graph?g0.expr=rate(http_5xx%5B5m%5D)&g0.tab=1",
    "https://x.example.com/?a=1&copy=2&lt=3",
    "https://x.example.com/?a=1&amp;b=2",
    "https://x.example.com/~bob/*a*/_b_/c__d",
    "https://my_host/x_y",
    "https://x.example.com/a[0]?q={b}",
    "https://x.example.com/$HOME/$USER",
    "https://de.wikipedia.org/wiki/Größe",
]


AROUND = ["{}", "see {}.", "({}), then", "[{}]", "*{}*", "<{}>", "`x` {}\nnext", "a|{} b", "|{}|b|"]


@pytest.mark.parametrize("around", AROUND)
@pytest.mark.parametrize("address", ADDRESSES)
def test_links_are_the_addresses_that_were_recorded(
    make_incident: MakeIncident, make_event: MakeEvent, address: str, around: str
) -> None:
    """Both renderers link to exactly the addresses of the JSON export, in text and as a source, in tables too.

    markdown-it-py has no bare links here (they need another package), so of it the bracketed ones are compared.
    """
    event = make_event(1, "pinned", text=around.format(address), source=address)
    added = make_event(2, "followup_added", text=around.format(address))
    dossier = Dossier(make_incident(summary=around.format(address)), (event, added))
    page = render(dossier, "md").content.decode()
    seen = Seen.of(page)
    exported = json.loads(render(dossier, "json").content)
    assert {_read(link) for link in seen.links} == {_read(exported["events"][0]["source"])}
    assert len(seen.links) == 4
    others = [str(node.attrs["href"]) for node in SyntaxTreeNode(GFM.parse(page)).walk() if node.type == "link"]
    assert others
    assert {_read(link) for link in others} == {_read(exported["events"][0]["source"])}


def _read(address: str) -> str:
    """Undo what renderers do to an address of their own accord: characters beyond ASCII are written as percentages."""
    return unquote(address)

"""What GitHub's own renderer makes of a page."""

from __future__ import annotations

from collections import Counter
from html.parser import HTMLParser

import cmarkgfm
from cmarkgfm.cmark import Options


class Seen(HTMLParser):
    """The tags, links and words of a rendered page."""

    def __init__(self) -> None:
        super().__init__(convert_charrefs=True)
        self.count: Counter[str] = Counter()
        self.links: list[str] = []
        self.text = ""

    @classmethod
    def of(cls, page: str) -> Seen:
        """Render a page, without GitHub's sanitizer, which would hide what slips through."""
        seen = cls()
        options = Options.CMARK_OPT_UNSAFE
        seen.feed(
            cmarkgfm.markdown_to_html_with_extensions(page, options, ["table", "autolink", "strikethrough", "tasklist"])
        )
        seen.close()
        return seen

    @property
    def tags(self) -> set[str]:
        """The tags that are there."""
        return set(self.count)

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.count[tag] += 1
        if tag == "a":
            self.links.append(dict(attrs).get("href") or "")

    def handle_data(self, data: str) -> None:
        self.text += data

"""Slack's mark-up: escaping, times and links. Whatever came from outside passes through `esc`."""

from __future__ import annotations

from datetime import datetime
from urllib.parse import urlsplit

from bot.text import clip


def esc(text: str, limit: int | None = None) -> str:
    """Escape `&`, `<` and `>`, so that `<!channel>` in an alert's title pages nobody; clip before escaping."""
    short = clip(text, limit) if limit else text
    return short.replace("&", "&amp;").replace("<", "&lt;").replace(">", "&gt;")


def clock_time(moment: datetime) -> str:
    """Show a time: absolute UTC, and the viewer's own beside it."""
    absolute = f"{moment:%H:%M} UTC"
    return f"{absolute} (<!date^{int(moment.timestamp())}^{{time}}|{absolute}>)"


def date_time(moment: datetime) -> str:
    """Show a date and a time, as `clock_time` does."""
    absolute = f"{moment:%Y-%m-%d %H:%M} UTC"
    return f"{absolute} (<!date^{int(moment.timestamp())}^{{date_num}} {{time}}|{absolute}>)"


def link(url: str, label: str) -> str:
    """Give a link, or the label alone where the URL is none that a browser should open."""
    if urlsplit(url).scheme not in {"http", "https"} or any(c in url for c in "<>|\n "):
        return esc(label)
    return f"<{url.replace('&', '&amp;')}|{esc(label)}>"

"""Slack's mark-up: escaping, times and links. Whatever came from outside passes through `esc`."""

from __future__ import annotations

from datetime import datetime
from urllib.parse import urlsplit

from bot.incidents.model import Incident
from bot.incidents.moments import clock

LONGEST_ESCAPE = 5  # &amp;


def esc(text: str, limit: int | None = None) -> str:
    """Escape `&`, `<` and `>`, so that `<!channel>` in an alert's title pages nobody.

    With a limit the result, escapes counted, is at most that long.
    """
    escaped = text.replace("&", "&amp;").replace("<", "&lt;").replace(">", "&gt;")
    return shorten(escaped, limit) if limit else escaped


def shorten(text: str, limit: int) -> str:
    """Cut mrkdwn to a length, with an ellipsis, but never inside an escape or a link."""
    if len(text) <= limit:
        return text
    return text[: safe_cut(text, limit - 1)].rstrip() + "…"


def code(text: str, limit: int) -> str:
    """Escape what stands in a block of code, and keep it from ending the block."""
    return esc(text.replace("```", "`\u200b``"), limit)


def safe_cut(text: str, limit: int) -> int:
    """Give the last place up to `limit` that is not inside an escape (`&amp;`) or a link (`<https://...|...>`)."""
    cut = limit
    tag = text.rfind("<", 0, cut)
    if tag > text.rfind(">", 0, cut):
        cut = tag
    entity = text.rfind("&", max(cut - LONGEST_ESCAPE, 0), cut)
    if entity >= 0 and ";" not in text[entity:cut]:
        cut = entity
    return cut


def due_time(incident: Incident, moment: datetime) -> str:
    """Show when somebody must act: absolute UTC, and the viewer's own time beside it."""
    absolute = clock_time(incident, moment)
    shown = "{date_short} {time}" if " " in clock(incident, moment) else "{time}"  # the viewer's day may be another one
    return f"{absolute} (<!date^{int(moment.timestamp())}^{shown}|{absolute}>)"


def clock_time(incident: Incident, moment: datetime) -> str:
    """Show when something of an incident happened, in UTC, with the day where it spans several."""
    return f"{clock(incident, moment)} UTC"


def date_time(moment: datetime) -> str:
    """Show the day and the time at which something happened, in UTC."""
    return f"{moment:%Y-%m-%d %H:%M} UTC"


def person(user_id: str, name: str) -> str:
    """Mention somebody in Slack, or name whoever is not in it."""
    return f"<@{user_id}>" if user_id.startswith(("U", "W")) else esc(name, 80)


def link(url: str, label: str) -> str:
    """Give a link, or the label alone where the URL is none that a browser should open."""
    if urlsplit(url).scheme not in {"http", "https"} or any(c in url for c in "<>|\n "):
        return esc(label)
    return f"<{url.replace('&', '&amp;')}|{esc(label)}>"

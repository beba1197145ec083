"""Tells whoever asked for somebody that Slack or PagerDuty did not let them be reached. Pure."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from bot.incidents import commands as c
from bot.incidents.draft import Draft
from bot.incidents.model import Actor
from bot.incidents.wording import is_in_slack, plain

BY = "asked_by"  # the fact that names whoever asked


def asker(actor: Actor) -> dict[str, str]:
    """Return the fact that names whoever asked; nothing where they are not in Slack."""
    return {BY: actor.id} if is_in_slack(actor) else {}


def tell(draft: Draft, data: Mapping[str, Any], text: str) -> None:
    """Tell whoever asked, and nobody else: in the incident's channel, or in a direct message. The text is plain."""
    if user := data.get(BY):
        where = draft.incident.channel_id if draft.incident.is_at_home else ""
        said = {"channel": where, "user": user, "text": f":warning: {plain(text)}"}
        draft.deliver("whisper", "whisper", data=said)


def tell_failed(draft: Draft, command: c.DeliveryFailed) -> None:
    """Tell whoever asked for a page or an invitation that it failed, why, and what to do."""
    what = "Could not invite" if command.kind == "invite" else "Could not page"
    who = str(command.data.get("name") or "them")
    why = command.words or command.reason
    if command.kind == "invite" or who in why:  # the reason names the people
        tell(draft, command.data, f"{what} {why}{_stop(why)} {command.fix}".rstrip())
        return
    tell(draft, command.data, f"{what} {who}: {why}{_stop(why)} {command.fix}".rstrip())


def _stop(text: str) -> str:
    return "" if text.endswith((".", "!", "?")) else "."

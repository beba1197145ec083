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
    who, why = str(command.data.get("name") or "them"), command.words or command.reason
    if command.kind == "invite":  # the reason names the people
        said = f"Invitation failed: {why}"
    else:
        said = f"Could not page {why}" if who in why else f"Could not page {who}: {why}"
    tell(draft, command.data, f"{said}{_stop(said)} {command.fix}".rstrip())


def _stop(text: str) -> str:
    return "" if text.endswith((".", "!", "?")) else "."

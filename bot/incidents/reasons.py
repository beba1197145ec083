"""Why a level is paged, in words for whoever is."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from bot.incidents.cadence import spell
from bot.incidents.wording import short


def why_paged(data: Mapping[str, Any]) -> str:
    """Say why a level is paged: plain text, which Slack's messages escape and PagerDuty's pages hold as it is."""
    why = short(str(data.get("why") or ""), 300)
    match data["reason"]:
        case "update_overdue":
            return f"the update is overdue by {spell(int(data.get('late_seconds', 0)))}"
        case "not_acknowledged":
            return f"nobody has acknowledged for {spell(int(data.get('waited_seconds', 0)))}"
        case "nobody_reached":
            return f"nobody on level {data.get('unreached', '')} could be reached"
        case "asked":
            return f"{short(str(data.get('by', 'somebody')), 80)} paged you{': ' + why if why else ''}"
        case "acknowledgement_void":
            return f"the acknowledgement no longer counts: {why}"
        case "reopened":
            return f"the incident was reopened: {why}"
        case "raised":
            return "the severity was raised"
        case "joined":
            more = int(data.get("more") or 0)
            named = short(str(data["joined"]), 1500) + (f" and {more:,} more" if more else "")
            return f"{named} joined an incident that was already acknowledged"
        case "fires_again":
            return "its alerts are firing again"
        case _:
            return "an incident was declared"

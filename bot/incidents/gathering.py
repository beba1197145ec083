"""A storm's incident and those that opened just before it: one press merges them. Pure."""

from __future__ import annotations

from collections.abc import Sequence

from bot.incidents import commands as c
from bot.incidents.draft import Draft
from bot.incidents.wording import mention, plain, say

SLOT = "storm"


def told(why: str, before: Sequence[str]) -> str:
    """Say why there is one incident for many alerts, and which ones opened just before it."""
    return why + (f" Opened just before: {', '.join(before)}." if before else "")


def offer(draft: Draft, command: c.OfferMerge) -> None:
    """Say why there is one incident for many alerts, and offer to merge those that opened before it."""
    draft.event("note", told(command.why, command.numbers), data={"before": list(command.numbers)})
    facts = {"why": command.why, "numbers": list(command.numbers)}
    draft.deliver(SLOT, "notice", slot=SLOT, needs=(draft.incident.home_slot,), data=facts)


def see(draft: Draft, command: c.SeeStorm) -> None:
    """Point to a storm that the incident is probably a part of; once."""
    if not draft.incident.status.is_open:
        return
    text = f"Alert storm: new alerts now join {command.number}"
    draft.event("note", text, data={"storm": command.number})
    where = f" (<#{command.channel}>)" if command.channel else ""
    ask = f"To merge this incident into it: `/incident merge {command.number}`."
    say(draft, f":zap: {plain(text)}{where}. {ask}")


def gathered(draft: Draft, command: c.Gathered) -> None:
    """Say in one message which incidents somebody has merged into this one, and take the offer back."""
    named = ", ".join(command.numbers)
    say(draft, f"{mention(command.actor)} merged {named} into this incident.")
    draft.take_back(SLOT)

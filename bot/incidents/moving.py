"""Where an incident goes on while its channel cannot be written, and how it comes home. Pure.

A public one goes on in the thread under its card in the alerts channel, a private one in direct messages.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import replace
from typing import Any

from bot.incidents import asking, escalation
from bot.incidents import away as words
from bot.incidents import commands as c
from bot.incidents.away import Away
from bot.incidents.draft import Draft
from bot.incidents.model import Actor, Incident
from bot.incidents.runs import run_of
from bot.incidents.wording import at_work, is_in_slack, plain, say

LOOK_AFTER = 120  # seconds until it is looked again whether the channel can be written
LOOK_AT_LEAST = 1800  # seconds between looks, at most, however long it has been so


def shut(draft: Draft, command: c.ChannelShut) -> None:
    """Go on elsewhere: Slack refused to write in the channel. An edit of what is over is not worth it."""
    incident = draft.incident
    if incident.away or not incident.opened_channel or incident.channel_id != command.channel:
        return
    if incident.status.is_open or command.said:
        _leave(draft, command.reason, paging=command.paging)


def look(draft: Draft, _command: c.LookAtChannel) -> None:
    """Have Slack asked how the channel is."""
    if draft.incident.opened_channel and draft.incident.channel_id:
        _look(draft)


def looked(draft: Draft, result: dict[str, Any]) -> None:
    """Take over what a look at the channel has found: its name, and whether it can be written."""
    incident, reason = draft.incident, str(result.get("shut") or "")
    if result.get("name"):
        named(draft, c.ChannelNamed(str(result["name"])))
    if incident.away is None:
        # What was over when it was looked at is reopened since: its channel is being brought back.
        is_news = incident.opened_channel and incident.status.is_open and result.get("open", True)
        if reason and is_news:
            _leave(draft, reason, paging=bool(result.get("paging")))
        return
    if result.get("written"):
        _come_home(draft, incident.away, has_card=bool(result.get("card")))
        return
    if not reason:  # it was looked at before the incident went on elsewhere; the next look is asked for
        return
    if reason != incident.away.reason:
        draft.set(away=replace(incident.away, reason=reason))
        draft.refresh_card()
    if incident.status.is_open:
        waited = int((draft.now - incident.away.since).total_seconds())
        _look(draft, wait=min(max(LOOK_AFTER, waited // 4), LOOK_AT_LEAST))


def named(draft: Draft, command: c.ChannelNamed) -> None:
    """Keep what the channel is called now; it is known by its id, so nothing else changes."""
    before, name = draft.incident.channel_name, command.name[:80]
    if name != before:
        draft.set(channel_name=name)
        text = f"Channel #{before} renamed to #{name}"
        draft.event("note", text, data={"channel": draft.incident.channel_id, "name": name, "was": before})


def unarchive(draft: Draft, actor: Actor) -> None:
    """Bring back a channel that was archived at the end; what is said waits until that has been tried.

    Where Slack refuses, `actor` is told where the incident goes on.
    """
    incident = draft.incident
    if not (incident.opened_channel and incident.channel_id):
        return
    if incident.away is not None:
        draft.deliver("channel_check", "setup", needs=("channel",), data={"unarchive": True})
        return
    # In the channel's own slot, for which all that is to be posted there waits.
    draft.deliver("unarchive", "setup", slot="channel", data=asking.asker(actor))


def unarchived(draft: Draft, result: dict[str, Any], data: Mapping[str, Any]) -> None:
    """Go on in the channel, or say why it stays archived; `data` names whoever has reopened the incident."""
    if result.get("name"):
        named(draft, c.ChannelNamed(str(result["name"])))
    if result.get("shut"):
        if draft.incident.away is None and draft.incident.opened_channel:
            _leave(draft, str(result["shut"]), paging=True)
            asking.tell(draft, data, f"Could not unarchive the channel. {goes_on(draft.incident)}")
    elif result.get("unarchived"):
        draft.event("note", f"Channel #{draft.incident.channel_name} unarchived: the incident was reopened")


def not_looked(draft: Draft, command: c.DeliveryFailed) -> None:
    """Go on as it is, though Slack did not say how the channel is."""
    if command.kind == "unarchive":
        unarchived(draft, {"shut": "is_archived"}, command.data)
    elif draft.incident.away is not None and draft.incident.status.is_open:
        _look(draft, wait=LOOK_AT_LEAST)


def told(draft: Draft, people: Iterable[str]) -> None:
    """Keep who hears of a private incident in direct messages: the buttons in them must work.

    Of one that never got a channel they hear the updates too: there is no other place for them.
    """
    away = draft.incident.away
    if away is None and draft.incident.private:
        draft.set(subscribers=tuple(dict.fromkeys((*draft.incident.subscribers, *people))))
    if away is not None and (new := [each for each in people if each not in away.told]):
        draft.set(away=replace(away, told=(*away.told, *new)))


def post_again(draft: Draft, command: c.PostAgain) -> None:
    """Post what somebody has deleted once more; the card is pinned again."""
    incident = draft.incident
    if command.kind == "card":
        draft.deliver("card", "channel", slot="card", needs=("channel",))
        draft.deliver("pin", "pin", slot="pin", needs=("card",))
    elif command.kind == "thread":
        draft.deliver("thread", "setup", slot="thread")
    elif command.kind == "announcement":
        # Not among the announcements: what is to be said below it waits there, in front.
        draft.deliver("announcement", "setup", slot="announcement", needs=("channel",))
    else:
        for run in incident.shown_runs:
            if run.slot == command.slot:
                facts = {"book": run.book, "reason": run.reason}
                draft.deliver("runbook", "channel", needs=(incident.home_slot,), data=facts)


def move_in(draft: Draft) -> None:
    """Go on in the channel: tell the thread, and bring in who has been asked for meanwhile."""
    incident = draft.incident
    people = [spec for level in incident.rule.ladder[: incident.ladder_level] for spec in level.slack]
    people += [incident.lead.id] if incident.lead else []
    if not incident.private:
        draft.deliver("moved", "notice", needs=("thread",))
    if people:
        facts = {"people": list(dict.fromkeys(people)), "name": "Responders"}
        draft.deliver("invite", "invite", needs=("channel",), data=facts)
    draft.refresh()


def goes_on(incident: Incident) -> str:
    """Say why and where an incident goes on outside its channel, as plain text; empty while it does not."""
    if incident.away is None:
        return ""
    why = words.sentence(words.what_is_wrong(incident.channel_name, incident.away.reason))
    where = "in direct messages to its lead" if incident.private else "in its thread in the alerts channel"
    return f"{why}: {incident.number} continues {where}. {words.fix_of(incident.away.reason)} to move back."


def _leave(draft: Draft, reason: str, *, paging: bool) -> None:
    incident = draft.incident
    by = incident.acknowledged_by
    people = (by.id,) if by is not None and is_in_slack(by) else ()
    draft.set(away=Away(reason, draft.now, {run.book: run.slot for run in incident.runs}, people))
    what, fix = words.what_is_wrong(incident.channel_name, reason), words.fix_of(reason)
    where = "in direct messages" if incident.private else "in a thread of the alerts channel"
    facts = {"delivery": "channel", "reason": reason, "fix": fix}
    draft.event("delivery_failed", f"{words.sentence(what)}: continuing {where}. {fix}.", data=facts)
    if incident.status.is_open:
        _look(draft, wait=LOOK_AFTER)
    told = " ".join(f"<@{each}>" for each in at_work(incident))
    if incident.private:
        text = f"{incident.number} is private, and the bot can't post in its channel: {what}. {fix}."
        draft.deliver("operators", "operators", data={"text": text})
        say(draft, f":warning: {plain(words.sentence(what))}. {fix}. Until then, follow the incident here.")
    else:
        # In a lane in which nothing waits: all that goes on in the thread waits for it.
        draft.deliver("thread", "setup", slot="thread")
        if told:
            say(draft, f":warning: {told} {plain(what)}. Continue here. To move back: {fix[:1].lower()}{fix[1:]}.")
        if incident.status.is_open:
            _take_along(draft)
    if not paging:
        escalation.repeat(draft)
    draft.refresh()


def _take_along(draft: Draft) -> None:
    """Post what people work with where they can reach it: runbooks and checklists, the offer of the command."""
    incident = draft.incident
    for run in incident.shown_runs:
        facts = {"book": run.book, "reason": run.reason, "moved": True}
        draft.deliver("runbook", "channel", needs=(incident.home_slot,), data=facts)
    if incident.handoff is not None:
        slot = f"handoff:{draft.incident.delivery_seq + 1}"
        draft.set(handoff=replace(incident.handoff, slot=slot))
        data = {"to": incident.handoff.to.id}
        draft.deliver("handoff", "notice", slot=slot, needs=(incident.home_slot,), data=data)


def _come_home(draft: Draft, was: Away, *, has_card: bool) -> None:
    incident = draft.incident
    draft.set(away=None)
    draft.event("note", f"#{incident.channel_name} is writable again: continuing there", data={"reason": was.reason})
    if not has_card:
        post_again(draft, c.PostAgain("card", "card"))
    runs = []
    for run in incident.runs:
        there = was.slots.get(run.book, "")
        if there and there != run.slot and run in incident.shown_runs:
            fold = {"slot": run.slot, "book": run.book}
            draft.deliver("fold_runbook", "runbook_edit", needs=(run.slot,), data=fold)
        elif not there and run in incident.shown_runs:
            facts = {"book": run.book, "reason": run.reason, "moved": True}
            draft.deliver("runbook", "channel", needs=("channel",), data=facts)
        runs.append(replace(run, slot=there or run.slot))
    draft.set(runs=tuple(runs))
    for run in draft.incident.runs:
        if run_of(incident.runs, run.book) != run:
            draft.refresh_run(run)
    move_in(draft)


def _look(draft: Draft, *, wait: int = 0) -> None:
    draft.deliver("channel_check", "channel_check", needs=("channel",), coalesce=True, wait=wait)

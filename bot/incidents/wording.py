"""How a decision's messages are worded: who, why, when."""

from __future__ import annotations

import html
from datetime import datetime

from bot.incidents.draft import Draft
from bot.incidents.model import Actor, Alert, Incident
from bot.incidents.subject import subject_of

COMMAND = "/incident"  # as texts here name the slash command, whatever it is called in a workspace
# Words with a meaning of their own behind the slash command: no severity can be called so.
VERBS = frozenset(
    [
        *("?", "accept", "ack", "acknowledge", "action", "cancel", "catch-up", "catchup", "close", "create"),
        *("decline", "declare", "done", "drill", "escalate", "export", "follow-up", "followup", "handoff"),
        *("help", "invite", "lead", "list", "merge", "mitigate", "mitigated", "new", "note", "oncall", "open"),
        *("page", "pause", "private", "rename", "reopen", "resolve", "resolved", "role", "runbook", "sev"),
        *("severity", "status", "subscribe", "summary", "task", "tasks", "test", "timeline", "unmerge"),
        *("unsubscribe", "update"),
    ]
)


def worded(text: str, command: str) -> str:
    """Have a text name the slash command by its configured name."""
    return text.replace(f"`{COMMAND} ", f"`{command} ")


def say(draft: Draft, text: str) -> None:
    """Ask for one line in the incident's place; the text is mrkdwn."""
    draft.deliver("say", "notice", needs=(draft.incident.home_slot,), data={"text": text})


def mention(actor: Actor) -> str:
    """Mention somebody in Slack, or name whoever is not in it."""
    return f"<@{actor.id}>" if is_in_slack(actor) else plain(actor.name)


def is_in_slack(actor: Actor) -> bool:
    """True for a person whose id is one of Slack's."""
    return actor.type == "human" and actor.id.startswith(("U", "W"))


def at_work(incident: Incident) -> tuple[str, ...]:
    """Return the Slack ids of those who work on an incident: its lead first, then who acknowledged it."""
    by = incident.acknowledged_by
    found = [incident.lead.id] if incident.lead else []
    found += [by.id] if by is not None and is_in_slack(by) else []
    return tuple(dict.fromkeys(found))


def where(alert: Alert) -> str:
    """Say in a word or two which part of the world an alert is about; empty where it does not tell."""
    subject = subject_of(alert)
    return " ".join(v for v in (subject.exact, subject.region or subject.cluster) if v)


def short(text: str, longest: int) -> str:
    """Put a text on one line, cut to so many characters."""
    words = " ".join(text.split())
    return words if len(words) <= longest else words[: longest - 1].rstrip() + "…"


def plain(text: str) -> str:
    """Escape text from outside: a reason that holds `<!channel>` must page nobody."""
    return html.escape(text, quote=False)


def iso(moment: datetime | None) -> str | None:
    """Write a moment for an event's data."""
    return moment.isoformat() if moment else None

"""What is said of alerts that differ from what their source reports. None of it changes a state."""

from __future__ import annotations

from collections.abc import Sequence

from bot.incidents import commands as c
from bot.incidents.draft import Draft
from bot.incidents.model import Alert
from bot.incidents.reconcile import Flag
from bot.incidents.sources import spoken
from bot.incidents.wording import plain, say, where

NAMED = 5  # alerts of one message that are named; the others are counted
LISTED = 100  # fingerprints of them on the timeline


def alerts_flagged(draft: Draft, command: c.AlertsFlagged) -> None:
    """Say once how alerts differ, and what to do."""
    incident, flag = draft.incident, command.flag
    text = finding(flag, command.alerts)
    if flag is Flag.OUTLIVED:
        text += f", though {incident.number} is {incident.status.value}"
    if flag is Flag.MISSED:
        advice = "Check it; if it is over: `/incident resolve &lt;text&gt;`."
    elif incident.status.is_open:
        advice = "Check it before you resolve."
    else:
        advice = "Check it; if it is not over: `/incident reopen`."
    _note(draft, command, text)
    say(draft, f":warning: {plain(text)}. {advice}")
    draft.refresh()


def alerts_confirmed(draft: Draft, command: c.AlertsConfirmed) -> None:
    """Take back what was said of alerts that have vanished; of the others the card says enough."""
    if command.flag is Flag.MISSED:
        text = f"{_source(command.alerts)} reports {names(command.alerts)} as firing again"
        _note(draft, command, text)
        say(draft, f"{plain(text)}.")
    draft.refresh()


def finding(flag: Flag, alerts: Sequence[Alert]) -> str:
    """Tell how alerts of one source differ from what it reports."""
    source, named = _source(alerts), names(alerts)
    if flag is Flag.MISSED:
        return f"{source} no longer reports {named}, and the resolved notification never came"
    if flag is Flag.STILL:
        return f"Resolved in Sitrep, but still firing in {source}: {named}"
    return f"{source} still reports {named} as firing"


def names(alerts: Sequence[Alert]) -> str:
    """Name alerts with the place that each is about; of many the first."""
    named = [alert.name + (f" on {place}" if (place := where(alert)) else "") for alert in alerts[:NAMED]]
    more = len(alerts) - NAMED
    return ", ".join(named) + (f" and {more} more" if more > 0 else "")


def _source(alerts: Sequence[Alert]) -> str:
    return spoken(alerts[0].source)


def _note(draft: Draft, command: c.AlertsFlagged | c.AlertsConfirmed, text: str) -> None:
    lead = command.alerts[0]
    draft.event(
        "note",
        text,
        data={
            "flag": command.flag.value,
            "withdrawn": isinstance(command, c.AlertsConfirmed),
            "source": lead.source,
            "alerts": len(command.alerts),
            "fingerprints": [alert.fingerprint for alert in command.alerts[:LISTED]],
        },
        source=lead.url,
    )

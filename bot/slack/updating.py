"""The form of a status update, which begins as the status that is picked in it asks for."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

from bot.incidents.away import what_is_wrong
from bot.incidents.model import Incident, Status
from bot.incidents.responding import SETTABLE
from bot.slack import blocks as b
from bot.slack.modals import View, person, select, text, view
from bot.slack.mrkdwn import esc

CALLBACK, STATUS, STATE = "update", "update_status", "state"
MORE = "update_more"  # shows the fields that are folded


@dataclass(frozen=True, slots=True)
class Begun:
    """How far an update is written: its status, its text, and what is in the other fields, by name.

    `draft` is the status that was picked last, if the text is what that one's begins with. `whole` shows the fields
    that few updates need.
    """

    status: Status
    state: str
    others: Mapping[str, str]
    draft: str = ""
    whole: bool = False


def update(incident: Incident, begun: Begun, announcements: str) -> View:
    """Post a status update: its text is the only required field."""
    given = begun.others
    status = select("status", "Status", [(s.value, s.value.capitalize()) for s in SETTABLE], begun.status.value)
    status["element"]["action_id"] = STATUS
    # A text that somebody has typed stays where it is: Slack keeps what is in a block as long as its id is the same.
    name = f"{STATE}.{begun.draft}".rstrip(".")
    state = text(name, "What changed? What do we know?", begun.state, multiline=True)
    state["element"] |= {"action_id": STATE, "focus_on_load": True}
    return view(
        CALLBACK,
        "Post an update",
        "Post",
        incident.number,
        [
            b.section(f"*{incident.number}* {esc(incident.severity_name)}: {esc(incident.title, 200)}"),
            state,
            {**status, "dispatch_action": True},
            text(
                "next",
                "Next update",
                given.get("next", ""),
                optional=True,
                placeholder="30m or 15:30; leave empty for the usual interval",
                limit=40,
            ),
            *(_rest(given) if begun.whole else [b.actions([b.button(_FOLDED, MORE, incident.number)])]),
            b.context(_goes_to(incident, announcements)),
        ],
    )


_FOLDED = "Add impact, next step, owner or ETA"


def _rest(given: Mapping[str, str]) -> list[b.Block]:
    """Make the fields that few updates need."""
    return [
        text("impact", "Impact", given.get("impact", ""), optional=True, multiline=True),
        text("action", "Next step", given.get("action", ""), optional=True, multiline=True),
        person("owner", "Owner of the next step", optional=True, initial=given.get("owner", "")),
        text(
            "eta",
            "ETA",
            given.get("eta", ""),
            optional=True,
            placeholder="15:00, in 2h, tomorrow 9am, or unknown",
            limit=40,
        ),
    ]


def _goes_to(incident: Incident, announcements: str) -> str:
    """Say who will read an update."""
    places = [f"<#{incident.channel_id}>" if incident.channel_id else "the incident's thread"]
    if incident.away is not None:
        what = what_is_wrong(incident.channel_name, incident.away.reason)
        home = "a direct message to its lead" if incident.private else "the incident's thread in the alerts channel"
        places = [f"{home} ({esc(what, 200)})"]
    if incident.opened_channel and not incident.private:
        places.append(f"the thread of its announcement in {announcements}")
    people = len(incident.subscribers)
    if people:
        places.append("one subscriber" if people == 1 else f"{people} subscribers")
    return f"Goes to {', '.join(places[:-1])} and {places[-1]}." if len(places) > 1 else f"Goes to {places[0]}."

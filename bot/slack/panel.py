"""The control panel: what can be done now, for whoever types the bare command in an incident's channel."""

from __future__ import annotations

from bot.incidents.model import Incident
from bot.slack import blocks as b
from bot.slack.card import buttons, sentence
from bot.slack.messages import Message

# By the buttons' action: label, and whether it makes sense only while the incident is open.
_MORE = (
    ("incident_catchup", "Catch me up", False),
    ("incident_same", "No change", True),
    ("incident_mitigate", "Mitigated", True),
    ("incident_export", "Export timeline", False),
)


def panel(incident: Incident) -> Message:
    """Show where the incident stands, with its buttons."""
    said = sentence(incident)
    here = buttons(incident)
    known = {each["action_id"] for each in here}
    more = [
        b.button(label, action, incident.number)
        for action, label, open_only in _MORE
        if action not in known and (incident.status.is_open or not open_only)
    ]
    return said, [b.section(said), b.actions(here), *([b.actions(more)] if more else [])]

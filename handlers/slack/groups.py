"""What people want, in words: the verbs by group, for the menu and the help."""

from __future__ import annotations

from collections.abc import Mapping

GROUPS: Mapping[str, tuple[str, ...]] = {
    "Respond": ("ack", "lead", "escalate", "page", "invite"),
    "Tell people": ("update", "status", "sev", "note", "summary", "rename", "pause"),
    "Fix it": ("runbook", "done", "task", "mitigate", "followup"),
    "Change roles": ("role", "handoff", "accept", "decline"),
    "Catch up": ("catchup", "timeline", "subscribe", "unsubscribe"),
    "End or reopen it": ("resolve", "close", "cancel", "merge", "reopen", "unmerge", "export"),
}
# What needs no incident.
ANYWHERE = ("declare", "test", "private", "list", "oncall", "help")

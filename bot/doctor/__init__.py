"""`sitrep doctor`: what is switched on, what is in the way, and the fix for each fault."""

from bot.doctor.standing import Integration, integrations, warnings

__all__ = ["Integration", "integrations", "warnings"]

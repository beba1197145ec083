"""PagerDuty: what its events mean for an incident."""

from bot.pagerduty.events import PagerDutyEvent, PagerDutyReception

__all__ = ["PagerDutyEvent", "PagerDutyReception"]

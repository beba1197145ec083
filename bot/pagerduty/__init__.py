"""PagerDuty: what its events mean for an incident."""

from bot.pagerduty.event import PagerDutyEvent
from bot.pagerduty.events import PagerDutyReception

__all__ = ["PagerDutyEvent", "PagerDutyReception"]

"""When a periodic checklist is due. Pure: APScheduler's triggers do the arithmetic, in UTC alone."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta

from apscheduler.triggers.cron import CronTrigger
from apscheduler.triggers.interval import IntervalTrigger

from bot.runbooks.model import Schedule

# `every` counts from a Monday morning, so that a drill falls on no night only because the bot was started in one.
FIRST = datetime(2024, 1, 1, 9, 0, tzinfo=UTC)
_UNITS = {"d": "days", "w": "weeks"}
_MINUTE = timedelta(minutes=1)


def due(schedule: Schedule, since: datetime, now: datetime) -> datetime | None:
    """Give the latest moment of a schedule after `since` and up to `now`, in UTC; None where there is none.

    However many moments have passed, a look costs a few steps: their number is halved again and again.
    """
    # The trigger ends here, so that a day that no month has is not looked for in the next eight thousand years.
    latest = _minute(now.astimezone(UTC))
    trigger = _trigger(schedule, latest)

    def first_from(moment: datetime) -> datetime | None:
        found: datetime | None = trigger.get_next_fire_time(None, moment) if moment <= latest else None
        return found

    found = first_from(_minute(since.astimezone(UTC)) + _MINUTE)
    while found is not None and (left := (latest - found) // _MINUTE) > 0:
        middle = found + _MINUTE * ((left + 1) // 2)
        later = first_from(middle)
        if later is None:
            latest = middle - _MINUTE
        else:
            found = later
    return found


def _trigger(schedule: Schedule, end: datetime) -> CronTrigger | IntervalTrigger:
    if schedule.every is None:
        minute, hour, day, month, weekday = str(schedule.cron).split()
        fields = {"minute": minute, "hour": hour, "day": day, "month": month, "day_of_week": weekday}
        return CronTrigger(**fields, timezone=UTC, end_date=end)
    step = {_UNITS[schedule.every[-1]]: int(schedule.every[:-1])}
    return IntervalTrigger(**step, start_date=FIRST, timezone=UTC, end_date=end)


def _minute(moment: datetime) -> datetime:
    """Take the seconds off: every moment of a schedule is a whole minute."""
    return moment.replace(second=0, microsecond=0)

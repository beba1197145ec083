"""Whom a delivery is about, as far as Slack says who they are."""

from __future__ import annotations

from datetime import timedelta

from bot.errors import Permanent, Retryable
from bot.outbox.call import Call
from bot.slack.directory import Resolved

NAMES_AGAIN = 5.0  # seconds until Slack is asked again for people of whom nothing is known
NAMES_WITHIN = timedelta(minutes=1)  # then the level counts as unreached, and the next one is paged


async def people_of(call: Call) -> Resolved:
    """Return the people whom a delivery names.

    Raises:
        Permanent: nobody is found.
        Retryable: Slack has not said yet who they are.
    """
    specs = [str(spec) for spec in call.row.data["people"]]
    typed = call.row.data.get("level") == 0 or "level" not in call.row.data
    found = await call.directory.resolve(specs, typed=typed)
    if specs and not found.users:  # a group without members reaches nobody
        wait_for_slack(call, found)
        fix = "Name someone else." if typed else "Correct the people in the ladder (SITREP_CONFIG)."
        why = " ".join(found.problems) or f"{', '.join(specs)} has no members"
        raise Permanent("nobody_found", "" if typed and found.problems else fix, why)
    return found


def wait_for_slack(call: Call, found: Resolved) -> None:
    """Try again in some seconds where nobody is known because Slack does not answer; not for long.

    Raises:
        Retryable: it is to be tried again.
    """
    waited = call.tools.clock.now() - call.row.tried_at if call.row.tried_at else timedelta()
    if found.unanswered is not None and not found.users and waited < NAMES_WITHIN:
        raise Retryable(found.unanswered.reason, "; ".join(found.problems), after=NAMES_AGAIN)

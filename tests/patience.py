"""How long tests wait before they say that what they wait for never comes: computed from the product's own limits.

A wait ends as soon as its condition holds, so that a generous limit costs nothing where the product is right.
"""

from __future__ import annotations

from bot.app import SWEEP
from bot.engine.distributed import AGAIN, POLL, RECOVERY, STALLED
from bot.outbox.presence import GONE
from bot.slack.gateway import TIMEOUT

BUSY = 3  # times as long as at rest: other work on the machine, and other tests beside this one
START = 90.0  # seconds that a process has to start, several at once; nothing in the product limits it

# Seconds until what a dead replica held goes on elsewhere, or in its successor: its jobs are found after `STALLED` by a
# look each `RECOVERY` and taken at the next `POLL`; its claims are free after `GONE`, and a job that met one before
# that comes again.
TAKE_OVER = BUSY * (max(STALLED + RECOVERY, GONE) + AGAIN + POLL)

# Seconds until anything that must happen has: after a take-over, a call whose answer was lost, and the next sweep.
PATIENCE = TAKE_OVER + BUSY * (TIMEOUT + SWEEP)

# Rows of deliveries that are still to end soon; whether an incident is over, and whether a channel that could not be
# written can be by now, is asked only minutes later.
UNFINISHED = "state IN ('pending', 'sending', 'unknown') AND kind NOT IN ('suggest_resolve', 'channel_check')"

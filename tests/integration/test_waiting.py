"""Being told to wait is no failure."""

from __future__ import annotations

from collections.abc import Mapping

from bot.sandbox.faults import Fault
from tests.conftest import Client, Hands, wait_for
from tests.integration.world import World

TOLD_TO_WAIT = 6
FEW = 10  # seconds; six failures would be answered with half a minute


def test_the_first_failure_after_many_waits_is_soon_made_good(
    bot: Client, hands: Hands, environ: Mapping[str, str]
) -> None:
    """What Slack has throttled again and again is tried anew at once when it fails for the first time."""
    world, workspace = World(bot, environ), bot.workspace
    number, channel = bot.open_one()
    world.settle()
    here = workspace.channel(channel).id

    def posts() -> int:
        return sum(c.method == "chat.postMessage" and c.args["channel"] == here for c in workspace.calls)

    before = posts()
    throttled = Fault("chat.postMessage", "ratelimited", retry_after=20, times=TOLD_TO_WAIT)
    workspace.faults.add(throttled, Fault("chat.postMessage", "http500", times=1))
    bot.slash(f"{number} note Look at the pool", channel=channel)
    note = "SELECT state, failures FROM deliveries WHERE kind = 'note'"
    for times in range(1, TOLD_TO_WAIT + 1):
        wait_for(lambda t=times: posts() >= before + t, what=f"attempt {times}")
        wait_for(lambda: world.rows(note)[0]["state"] == "pending", what="its end")
        hands.advance(25)
    wait_for(lambda: world.rows(note) == [{"state": "unknown", "failures": 1}], what="the failure")
    hands.advance(FEW)
    world.settle()
    assert [text for text in workspace.texts(channel) if "Look at the pool" in text]

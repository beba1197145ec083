"""Being told to wait is no failure, nor is having to wait for a newer replica."""

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
    bot.slash(f"{number} status identified", channel=channel)
    note = "SELECT state, failures FROM deliveries WHERE kind = 'say'"
    for times in range(1, TOLD_TO_WAIT + 1):
        wait_for(lambda t=times: posts() >= before + t, what=f"attempt {times}")
        wait_for(lambda: world.rows(note)[0]["state"] == "pending", what="its end")
        hands.advance(25)
    wait_for(lambda: world.rows(note) == [{"state": "unknown", "failures": 1}], what="the failure")
    hands.advance(FEW)
    world.settle()
    assert [text for text in workspace.texts(channel) if "*identified*" in text]


def test_what_a_newer_replica_has_written_waits_for_it(bot: Client, environ: Mapping[str, str]) -> None:
    """A kind that this version does not know is put off, never failed: replicas are upgraded one by one."""
    world = World(bot, environ)
    number, channel = bot.open_one()
    world.settle()
    world.execute(
        "INSERT INTO deliveries (scope, incident_id, kind, slot, lane, data, needs, after, coalesce, state, attempts,"
        " created_at, next_at, result, error) SELECT scope, incident_id, 'hologram', 'hologram:1', 'hologram', '{}',"
        " '[]', '[]', 0, 'pending', 0, created_at, created_at, '{}', '' FROM deliveries WHERE kind = 'card'"
    )
    row = "SELECT state, error FROM deliveries WHERE kind = 'hologram'"
    bot.slash(f"{number} update This wakes the outbox", channel=channel)
    wait_for(lambda: "newer_version" in world.rows(row)[0]["error"], what="the attempt")
    assert world.rows(row)[0]["state"] == "pending"
    assert "delivery_failed" not in bot.kinds(number)

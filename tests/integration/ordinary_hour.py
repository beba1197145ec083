"""An ordinary sev2 hour, as people live it: an alert, an acknowledgement, a lead, four updates on time, the end."""

from __future__ import annotations

from datetime import timedelta

from tests.conftest import Client, Hands
from tests.integration.bodies import alert, body
from tests.integration.world import World

UPDATES = ("5xx since the 14:02 rollout", "Rolling back", "Rollback is out, errors fall", "Error rate is normal")


def play(bot: Client, world: World, hands: Hands) -> str:
    """Play the hour, whose second and fourth update come after their reminders; gives the incident's number."""
    began = (hands.now() - timedelta(minutes=2)).isoformat()
    assert bot.alertmanager(body(alert(startsAt=began))).status_code == 202
    (incident,) = bot.incidents()
    number = str(incident["number"])
    channel = bot.room(number)
    bot.wait_opened(number)
    hands.advance(minutes=2)
    bot.slash("ack", "alice", channel)
    bot.slash("lead", "alice", channel)
    for text, minutes in zip(UPDATES, (8, 14, 11, 13), strict=True):
        for _ in range(minutes):  # so that what is due in between happens when it is due
            hands.advance(minutes=1)
            world.settle()
        bot.slash(f"update {text}", "alice", channel)
        world.settle()
        if text == UPDATES[1]:
            bot.slash("note Rolled checkout back to 1.41.3", "bob", channel)
            bot.slash("task add Check the replicas", "alice", channel)
            bot.slash("task done 1", "alice", channel)
    bot.slash("mitigate Rollback is out", "alice", channel)
    ended = hands.now().isoformat()
    assert bot.alertmanager(body(alert(status="resolved", startsAt=began, endsAt=ended), status="resolved")).is_success
    for _ in range(9):
        hands.advance(minutes=1)
        world.settle()
    bot.slash("followup Alert on the pool's size @bob 2026-12-05", "alice", channel)
    bot.slash("resolve Rolled back to 1.41.3", "alice", channel)
    world.settle()
    return number

"""Once somebody has answered: pages ask no more, and when all alerts have ended it is suggested once to resolve."""

from __future__ import annotations

from bot.incidents.happenings import QUIET_FOR
from tests.conftest import Client, Hands, wait_for
from tests.integration.bodies import alert, body
from tests.integration.world import World

ASKED = "Resolve the incident?"
WAITS = "SELECT next_at FROM deliveries WHERE kind = 'suggest_resolve'"


def test_an_answered_page_asks_for_no_acknowledgement_any_more(bot: Client, hands: Hands) -> None:
    """The notification's and the page's button goes when anybody acknowledges; the other buttons stay."""
    number, channel = bot.open_one()
    hands.advance(minutes=5.1)
    bot.wait_event(number, "page_delivered", count=2)
    page = wait_for(lambda: bot.workspace.find(channel, "you are paged as *SRE Team Lead*"), what="the page")
    first = wait_for(lambda: bot.workspace.find(channel, f"{number} sev2 declared"), what="the notification")
    assert all("incident_ack" in str(message.blocks) for message in (page, first))
    bot.slash("ack", "bob", channel)
    wait_for(lambda: "incident_ack" not in str(page.blocks) + str(first.blocks), what="no button")
    assert "incident_update" in str(page.blocks)
    assert f"<@{bot.workspace.user('bob').id}>" in page.blocks[0]["text"]["text"]


def test_the_card_says_who_is_paged_for_an_overdue_update(bot: Client, hands: Hands) -> None:
    """After an acknowledgement nobody is paged next, until an update is overdue."""
    number, channel = bot.open_one()
    bot.slash("ack", "alice", channel)
    card = bot.workspace.pinned(channel)[0]
    wait_for(lambda: "None (alice acknowledged" in str(card.blocks), what="the card")
    hands.advance(minutes=15.2)
    bot.wait_event(number, "update_overdue")
    wait_for(lambda: "unless an update is posted" in str(card.blocks), what="the card")
    assert "SRE Team Lead at" in str(card.blocks)


def test_once_all_alerts_have_ended_it_is_suggested_once_to_resolve(bot: Client, hands: Hands) -> None:
    """Not while another one fires, and not a second time when it flickers."""
    number = bot.alertmanager(body(alert("a"), alert("b"), group="g")).json()["outcome"].removeprefix("declared ")
    bot.wait_opened(number)
    channel = bot.room(number)

    def end(*names: str) -> None:
        before = bot.kinds(number).count("alert_resolved")
        ended = [alert(name, "resolved", endsAt=hands.now().isoformat()) for name in names]
        bot.alertmanager(body(*ended, group="g", status="resolved" if len(names) > 1 else "firing"))
        wait_for(lambda: bot.kinds(number).count("alert_resolved") > before, what="the end")
        hands.advance(QUIET_FOR + 5)

    end("a")
    bot.slash("note Still one", "alice", channel)
    wait_for(lambda: bot.workspace.find(channel, "Still one"), what="a later message")
    assert not bot.workspace.find(channel, ASKED)
    end("b")
    asked = wait_for(lambda: bot.workspace.find(channel, ASKED), what="the suggestion")
    assert "incident_resolve" in str(asked.blocks)
    bot.alertmanager(body(alert("b", startsAt=hands.now().isoformat()), group="g"))
    end("b")
    bot.slash("note Quiet again", "alice", channel)
    wait_for(lambda: bot.workspace.find(channel, "Quiet again"), what="a later message")
    assert sum(ASKED in text for text in bot.workspace.texts(channel)) == 1


def test_quiet_counts_from_the_last_end(bot: Client, world: World, hands: Hands) -> None:
    """An alert that fires again and ends meanwhile begins the wait for the suggestion anew."""
    number = bot.alertmanager(body(alert("a"))).json()["outcome"].removeprefix("declared ")
    bot.wait_opened(number)
    channel = bot.room(number)

    def end(count: int) -> None:
        ended = alert("a", "resolved", endsAt=hands.now().isoformat())
        bot.alertmanager(body(ended, status="resolved"))
        bot.wait_event(number, "alert_resolved", count)

    end(1)
    (first,) = world.rows(WAITS)
    hands.advance(QUIET_FOR - 20)
    bot.alertmanager(body(alert("a", startsAt=hands.now().isoformat())))
    end(2)
    (second,) = world.rows(WAITS)
    assert second["next_at"] > first["next_at"]
    hands.advance(30)
    world.settle()
    bot.slash("note Quiet for a moment", "alice", channel)
    wait_for(lambda: bot.workspace.find(channel, "Quiet for a moment"), what="a later message")
    assert not bot.workspace.find(channel, ASKED)
    hands.advance(QUIET_FOR)
    asked = wait_for(lambda: bot.workspace.find(channel, ASKED), what="the suggestion")
    assert "late" not in asked.text  # it waited on purpose

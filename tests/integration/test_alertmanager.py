"""Alertmanager's notifications: what each of them leads to, and that the same one again leads to nothing."""

from __future__ import annotations

from datetime import timedelta
from typing import Any

import pytest

from tests.conftest import Client, Hands, wait_for
from tests.integration.bodies import alert, body, recorded, warning
from tests.integration.world import LOOK_UPS, World

AGAIN = {"startsAt": "2026-11-21T07:20:00Z"}
OPEN_TIMERS = "SELECT * FROM timers WHERE state = 'armed'"


def send(bot: Client, sent: dict[str, Any] | bytes) -> str:
    answer = bot.alertmanager(sent)
    assert answer.status_code == 202, answer.text
    return str(answer.json()["outcome"])


def declare(bot: Client, sent: dict[str, Any] | bytes) -> str:
    outcome, _, number = send(bot, sent).partition(" ")
    assert outcome == "declared"
    bot.wait_opened(number)
    wait_for(lambda: "page_delivered" in bot.kinds(number), what="the page")
    return number


def firing(world: World) -> set[str]:
    return {row["fingerprint"] for row in world.rows("SELECT fingerprint FROM alerts WHERE closed_at IS NULL")}


def test_each_recorded_body_has_its_effect_once(bot: Client, world: World) -> None:
    """What a real Alertmanager sent has its effect; sent twice it has none, and with a wrong token it is told."""
    number = declare(bot, recorded(1))
    a, b = "caae61f849f563be", "360cbe186ac3040d"
    many, flaky = {"4b5429a27fcdab1e", "46fa959d9549a42f"}, "1670d7006ae803b4"
    expected = [
        (1, f"repeat of {number}", {a, b}),
        (2, "triage", {a, b, *many}),
        (3, "triage", {a, b, *many, flaky}),
        (4, "nothing new", {a, b, *many, flaky}),  # the 503 of body 3, sent again
        (5, f"attached to {number}", {b, *many, flaky}),
        (6, f"attached to {number}", {*many, flaky}),
        (7, "recorded", {flaky}),
        (8, "recorded", set()),
    ]
    for which, outcome, fires in expected:
        sent = recorded(which)
        assert send(bot, sent) == outcome, which
        assert firing(world) == fires, which
        before = world.snapshot()
        send(bot, sent)
        assert world.snapshot() == before, which
    incident = bot.incident(number)
    assert len(bot.incidents()) == 1
    assert (incident["severity"], incident["status"]) == ("sev2", "investigating")
    assert (incident["service"], incident["region"], incident["source"]) == ("checkout", "eu1", "alertmanager")
    assert incident["title"] == "HighErrorRate on checkout: 5xx above 5%"
    kinds = [e["kind"] for e in bot.events(number) if e["actor"]["type"] == "alert"]
    assert kinds == ["alert_fired", "alert_fired", "declared", "alert_resolved", "alert_resolved"]
    assert "0 firing, 2 resolved" in world.card(number)
    before = world.snapshot()["rows"]
    assert bot.alertmanager(recorded(1), token="wrong").status_code == 401
    after = world.snapshot()["rows"]
    assert {**after, "deliveries": before["deliveries"]} == before
    assert "wrong token" in bot.workspace.messages("ops-alerts")[-1].text


def test_a_partly_resolved_group_shows_both(bot: Client, world: World) -> None:
    """One alert over and one still firing: the card counts both, and the timeline says which is over."""
    number = declare(bot, recorded(1))
    send(bot, recorded(5))
    assert "1 firing, 1 resolved" in world.card(number)
    over = bot.wait_event(number, "alert_resolved")
    assert over["data"]["fingerprint"] == "caae61f849f563be"
    assert "a:9090" in over["text"]


def test_resolved_alerts_close_nothing(bot: Client, world: World) -> None:
    """When the last alert is over, the incident stays open, and so do its cadence and its ladder."""
    number = declare(bot, body(alert("aa")))
    timers = world.rows(OPEN_TIMERS)
    assert send(bot, body(alert("aa", "resolved"), status="resolved")) == f"attached to {number}"
    assert bot.incident(number)["status"] == "investigating"
    assert world.rows(OPEN_TIMERS) == timers
    assert {t["kind"] for t in timers} == {"ladder", "update_reminder"}
    assert "0 firing, 1 resolved" in world.card(number)
    assert bot.kinds(number).count("alert_resolved") == 1


def test_an_alert_that_a_truncated_notification_leaves_out_still_fires(bot: Client, world: World) -> None:
    """Being absent is not being resolved, whatever the notification's own status."""
    number = declare(bot, body(alert("aa"), alert("bb"), alert("cc")))
    assert send(bot, body(alert("bb"), truncated=2)) == f"repeat of {number}"
    assert firing(world) == {"aa", "bb", "cc"}
    send(bot, body(alert("bb", "resolved"), status="resolved", truncated=2))
    assert firing(world) == {"aa", "cc"}
    assert "2 firing, 1 resolved" in world.card(number)


def test_two_peers_of_a_cluster_make_one_incident(bot: Client, world: World) -> None:
    """The peers name other addresses and put the alerts in another order; that is the same group."""
    number = declare(bot, body(alert("aa"), alert("bb"), externalURL="http://peer-1:9093"))
    before = world.snapshot()
    twin = body(alert("bb"), alert("aa"), externalURL="http://peer-2:9093", receiver=r"team\.sitrep")
    assert send(bot, twin) == f"repeat of {number}"
    assert world.snapshot() == before


def test_a_start_that_is_told_without_its_fraction_is_the_same_occurrence(bot: Client, world: World) -> None:
    """Alertmanager rewrites `startsAt` between notifications; neither a repeat nor the end is mistaken for news."""
    number = declare(bot, body(alert("aa")))
    before = world.snapshot()
    send(bot, body(alert("aa", startsAt="2026-11-21T06:55:43Z")))
    assert world.snapshot() == before
    end = alert("aa", "resolved", startsAt="2026-11-21T06:55:43Z", endsAt="2026-11-21T06:55:43Z")
    assert send(bot, body(end, status="resolved")) == f"attached to {number}"
    assert firing(world) == set()


def test_a_further_alert_of_the_group_joins_the_incident(bot: Client, world: World) -> None:
    """A new member of a group with an open incident adds a line and a count, and no incident."""
    number = declare(bot, body(alert("aa")))
    assert send(bot, body(alert("aa"), alert("bb"))) == f"attached to {number}"
    assert bot.kinds(number).count("alert_fired") == 2
    assert "2 firing, 0 resolved" in world.card(number)
    assert len(bot.incidents()) == 1


def test_one_notification_can_hold_a_beginning_and_an_end(bot: Client, world: World) -> None:
    """Firing and resolved alerts of one body are both taken in."""
    number = declare(bot, body(alert("aa")))
    send(bot, body(alert("aa", "resolved"), alert("bb")))
    assert firing(world) == {"bb"}
    assert {"alert_fired", "alert_resolved"} <= set(bot.kinds(number))
    assert "1 firing, 1 resolved" in world.card(number)


def test_what_an_alert_says_now_is_on_the_card(bot: Client, world: World) -> None:
    """A repeat with another value edits the card and adds neither a line nor a message."""
    number = declare(bot, body(alert("aa")))
    events = bot.events(number)
    posted = bot.workspace.count("chat.postMessage")
    now = alert("aa", annotations={**alert()["annotations"], "value": "31.4%"})
    assert send(bot, body(now)) == f"repeat of {number}"
    wait_for(lambda: "31.4%" in world.card(number), what="the new value")
    assert bot.events(number) == events
    assert bot.workspace.count("chat.postMessage") == posted


def test_an_alert_that_fires_again_joins_the_open_incident(bot: Client, world: World) -> None:
    """Each new occurrence is a line of its own, with its old start too; the card says that it fires, and no more."""
    number = declare(bot, body(alert("aa")))
    posted = bot.workspace.count("chat.postMessage")
    for again in (alert("aa", **AGAIN), alert("aa", **AGAIN)):
        send(bot, body({**again, "status": "resolved", "endsAt": "2026-11-21T07:25:00Z"}, status="resolved"))
        assert send(bot, body(again)) == f"attached to {number}"
        assert firing(world) == {"aa"}
        assert "1 firing, 0 resolved" in world.card(number)
    assert bot.kinds(number).count("alert_fired") == 3
    assert bot.workspace.count("chat.postMessage") == posted


def test_the_end_of_an_earlier_occurrence_ends_nothing(bot: Client, world: World, hands: Hands) -> None:
    """A `resolved` that ended before the open occurrence began belongs to another one."""
    began = hands.now() - timedelta(minutes=1)
    declare(bot, body(alert("aa", startsAt=began.isoformat())))
    before = world.snapshot()
    ended = (began - timedelta(minutes=5)).isoformat()
    send(bot, body(alert("aa", "resolved", endsAt=ended), status="resolved"))
    assert world.snapshot() == before


def test_an_alert_whose_start_lies_ahead_can_end(bot: Client, world: World, hands: Hands) -> None:
    """A sender that gives an end but no start makes Alertmanager tell of a start to come; its end still counts."""
    ahead = (hands.now() + timedelta(hours=1)).isoformat()
    number = declare(bot, body(alert("aa", startsAt=ahead)))
    now = hands.now().isoformat()
    end = alert("aa", "resolved", startsAt=now, endsAt=now)
    assert send(bot, body(end, status="resolved")) == f"attached to {number}"
    assert firing(world) == set()


def test_a_flapping_alert_stays_in_one_incident(bot: Client, world: World) -> None:
    """However often it comes and goes, there is one incident and one channel, and few lines tell of it."""
    number = declare(bot, body(alert("aa")))
    for minute in range(10, 20):
        end = {"endsAt": f"2026-11-21T07:{minute}:15Z"}
        send(bot, body(alert("aa", "resolved", **end), status="resolved"))
        assert send(bot, body(alert("aa", startsAt=f"2026-11-21T07:{minute}:30Z"))) == f"attached to {number}"
    world.settle()
    assert bot.kinds(number).count("alert_fired") == 3
    assert len(bot.incidents()) == 1
    assert bot.workspace.count("conversations.create") == 1


def test_after_a_human_has_resolved_only_a_new_occurrence_opens_another(bot: Client, world: World) -> None:
    """What still fires is no news, its end is noted on the resolved incident, and its next start is a new incident."""
    number = declare(bot, body(alert("aa"), alert("bb")))
    bot.slash("resolve Rolled back", channel=bot.room(number))
    assert bot.incident(number)["status"] == "resolved"
    before = world.snapshot()
    assert send(bot, body(alert("aa"), alert("bb"))) == "nothing new"
    assert world.snapshot() == before

    both = body(alert("aa", "resolved"), alert("bb", "resolved"), status="resolved")
    assert send(bot, both) == f"noted on {number}"
    assert bot.kinds(number).count("alert_resolved") == 2
    assert "0 firing, 2 resolved" in world.card(number)
    assert bot.incident(number)["status"] == "resolved"
    before = world.snapshot()
    assert send(bot, both) == "nothing new"
    assert world.snapshot() == before

    second = declare(bot, body(alert("aa", **AGAIN)))
    assert second != number
    assert [i["number"] for i in bot.incidents()] == [second, number]
    assert "1 firing, 0 resolved" in world.card(second)


def test_an_alert_that_begins_after_its_incident_was_resolved_is_a_new_one(
    bot: Client, world: World, hands: Hands
) -> None:
    """Even where the end of the one before never came: nobody waits for a page that a lost notification swallowed."""
    number = declare(bot, body(alert("aa")))
    bot.slash("resolve Rolled back", channel=bot.room(number))
    hands.advance(minutes=30)
    began = (hands.now() - timedelta(seconds=40)).isoformat()
    second = declare(bot, body(alert("aa", startsAt=began)))
    assert second != number
    assert "1 firing, 0 resolved" in world.card(second)
    assert firing(world) == {"aa"}
    assert send(bot, body(alert("aa", startsAt=began))) == f"repeat of {second}"


def test_another_alert_of_a_resolved_group_opens_an_incident(bot: Client, world: World) -> None:
    """A member that was not there before is a new occurrence, though its group has had its incident."""
    number = declare(bot, body(alert("aa")))
    bot.slash("resolve Rolled back", channel=bot.room(number))
    second = declare(bot, body(alert("aa"), alert("bb")))
    assert second != number
    assert "2 firing, 0 resolved" in world.card(second)


def test_a_warning_is_one_message_that_is_kept_up_to_date(bot: Client, world: World) -> None:
    """A warning asks for a look in the alerts channel, is edited while it lasts, and opens nothing."""

    def shown() -> list[str]:
        world.settle()
        return [m.text + str(m.blocks) for m in bot.workspace.messages("ops-alerts")]

    assert send(bot, body(warning("aa"))) == "triage"
    (first,) = shown()
    for wanted in ("Triage (sev3): DiskFills, 1 firing on orders-db", "80% used", "triage_accept"):
        assert wanted in first
    assert "<!" not in first.replace("<!date^", "")
    assert "<@" not in first
    before = world.snapshot()
    assert send(bot, body(warning("aa"))) == "nothing new"
    assert world.snapshot() == before

    send(bot, body(warning("aa", annotations={"summary": "97% used"})))
    (edited,) = shown()
    assert "97% used" in edited
    assert send(bot, body(warning("aa"), warning("bb"))) == "triage"
    (edited,) = shown()
    assert "2 firing" in edited
    ended = body(warning("aa", "resolved"), warning("bb", "resolved"), status="resolved")
    assert send(bot, ended) == "recorded"
    (edited,) = shown()
    assert "DiskFills, resolved" in edited
    assert send(bot, body(warning("aa", **AGAIN))) == "triage"
    assert len(shown()) == 2
    assert bot.incidents() == []
    assert bot.workspace.count("conversations.create") == 0


def test_a_warning_whose_group_becomes_critical_declares(bot: Client) -> None:
    """The group's worst alert decides, also when it comes later."""
    send(bot, body(warning("aa")))
    number = declare(bot, body(warning("aa"), alert("bb")))
    assert bot.incident(number)["severity"] == "sev2"


@pytest.mark.parametrize(
    ("name", "severity"),
    [("Disk", "info"), ("Disk", "Informational"), ("Disk", "NONE"), ("Watchdog", None), ("InfoInhibitor", "critical")],
)
def test_what_a_rule_silences_is_recorded(bot: Client, world: World, name: str, severity: str | None) -> None:
    """An alert that the rules name for silence is kept, and nobody is told."""
    labels = {"alertname": name, **({} if severity is None else {"severity": severity})}
    assert send(bot, body(alert("aa", labels=labels))) == "recorded"
    world.settle()
    assert firing(world) == {"aa"}
    assert bot.incidents() == []
    assert [call.method for call in bot.workspace.calls if call.method not in LOOK_UPS] == []


def test_no_severity_is_swallowed(bot: Client) -> None:
    """Each word that senders use declares or asks for a look, in any case; so do a word of nobody's, and none."""
    declared = [
        "page",
        "CRITICAL",
        "Critical",
        "error",
        "P1",
        "sev1",
        "emergency",
        "fatal",
        "high",
        "disaster",
        "major",
    ]
    declared += ["Sev-2", "urgent", "crit"]
    looked_at = ["Warn", "P3", "sev4", "minor", "average", "whatever", "5", "", None]
    for word in [*declared, *looked_at]:
        labels = {"alertname": f"Down{word}", "service": f"svc-{word}", "cluster": f"of-{word}"}
        labels |= {} if word is None else {"severity": word}
        outcome = send(bot, body(alert("aa", labels=labels), group=f"{{}}:{{{word}}}"))
        assert outcome.split()[0] == ("declared" if word in declared else "triage"), word


def test_what_newer_servers_add_is_ignored(bot: Client) -> None:
    """Fields of Alertmanager 0.32 and later, and of ones to come, do no harm."""
    news = {"notification_reason": "firing", "routeLabels": {"team": "db"}, "later": {"deep": [1, None]}}
    number = declare(bot, body(alert("aa", later=True), **news))
    assert bot.incident(number)["severity"] == "sev2"

"""What an incident is called and shows that real senders' alerts open: what is broken, and the alert's own words."""

from __future__ import annotations

from tests.conftest import Client, Hands
from tests.integration.bodies import alert, body
from tests.integration.world import World

KSM = {
    "job": "kube-state-metrics",
    "service": "kps-kube-state-metrics",
    "endpoint": "http",
    "instance": "10.42.1.207:8080",
    "pod": "kps-kube-state-metrics-5f6b9c7d8-x2x4q",
    "namespace": "shop",
    "severity": "critical",
}
FAILED = "<error expanding template: error executing template __alert_Slow: can't evaluate field instnce>"


def opened(bot: Client, *alerts: dict[str, object], group: str) -> str:
    """Send a group that declares; gives its incident's number once its channel stands."""
    answer = bot.alertmanager(body(*alerts, group=group))
    number = answer.json()["outcome"].removeprefix("declared ")
    bot.wait_opened(number)
    return number


def test_forty_pods_are_counted_everywhere(bot: Client, world: World) -> None:
    """Title, topic, announcement and card say that 40 are down, not that the first of them is."""
    labels = {"alertname": "TargetDown", "service": "checkout", "namespace": "shop", "severity": "critical"}
    pods = [
        alert(
            f"{n:02d}",
            labels={**labels, "pod": f"checkout-{n:02d}"},
            annotations={"summary": f"checkout-{n:02d} is down"},
        )
        for n in range(40)
    ]
    number = opened(bot, *pods, group="forty")
    world.settle()
    title = "TargetDown on checkout: 40 pods"
    assert bot.incident(number)["title"] == title
    channel = bot.room(number)
    announced = bot.workspace.messages("incidents")[-1]
    for shown in (bot.workspace.channel(channel).topic, announced.text, str(announced.blocks)):
        assert title in shown
        assert "checkout-00" not in shown
    assert title in world.card(number)


def test_what_an_alert_says_follows_it(bot: Client, world: World, hands: Hands) -> None:
    """A description is shown as the alert's text, with its time, and is never frozen as the impact."""
    labels = {"alertname": "DiskFills", "severity": "critical", "service": "db"}

    def disk(free: str) -> dict[str, object]:
        said = {"summary": "Disk fills", "description": f"The volume of db is only {free} free."}
        return alert("aa", labels=labels, annotations=said)

    number = opened(bot, disk("9.8%"), group="disk")
    assert "Alert text" in world.card(number)
    assert "only 9.8% free" in world.card(number)
    assert bot.incident(number)["impact"] == ""
    hands.advance(minutes=180)
    at = f"{hands.now():%-d %b %H:%M} UTC"  # it began days ago
    bot.alertmanager(body(disk("0.3%"), group="disk"))
    card = world.card(number)
    assert "only 0.3% free" in card
    assert f"*Alert text*, {at}" in card
    assert "9.8%" not in card
    assert "Not stated yet" in card


def test_an_exporter_is_never_named(bot: Client, world: World) -> None:
    """The title and the card name the workload; nothing that is said names kube-state-metrics or its pod."""
    labels = {**KSM, "alertname": "KubePodNotReady", "statefulset": "db"}
    number = opened(bot, alert("aa", labels=labels, annotations={"message": "db is not ready."}), group="ksm")
    assert bot.incident(number)["title"] == "KubePodNotReady on statefulset/db in shop: db is not ready"
    assert bot.incident(number)["service"] == ""
    assert "statefulset/db in shop" in world.card(number)
    said = world.said()
    assert "kube-state-metrics" not in said
    assert "10.42.1.207" not in said
    assert "ready.." not in said


def test_a_broken_template_is_said_and_not_shown(bot: Client, world: World) -> None:
    """The title falls back to the description; timeline and card name the rule and the annotation to mend."""
    labels = {"alertname": "Slow", "severity": "critical", "service": "web"}
    said = {"summary": FAILED, "description": "p99 is <b>4 s</b> <!here> <https://x.example|Runbook>"}
    number = opened(bot, alert("aa", labels=labels, annotations=said), group="slow")
    assert bot.incident(number)["title"] == "Slow on web: p99 is 4 s Runbook (https://x.example)"
    (note,) = [event for event in bot.events(number) if event["kind"] == "note" and "template" in event["text"]]
    assert note["data"] == {"rule": "Slow", "annotation": "summary"}
    card = world.card(number)
    assert "Fix the rule Slow: its template of `summary` is broken" in card
    everything = world.said()
    for never in ("error expanding", "!here", "@here", "&lt;b&gt;", "&lt;https"):
        assert never not in everything

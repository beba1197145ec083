"""What responders do: verbs, buttons and forms, and what everybody sees of it."""

from __future__ import annotations

import pytest

from bot.board import Board
from bot.incidents.commands import Declare
from bot.incidents.machine import decide
from bot.incidents.model import Actor
from bot.incidents.policy import DEFAULT_POLICY, Severity
from bot.sandbox.faults import Fault
from bot.sandbox.model import Message
from bot.sandbox.people import Signing
from bot.sandbox.server import SandboxServer
from bot.slack.card import card as render
from tests.conftest import Client, Hands, InProcess, wait_for
from tests.pace import Pace

GENERAL_REVIEW = "Review runbook ops.general.first-response: First response, whatever it is"


def said(message: Message) -> str:
    """Everything that a message shows."""
    return f"{message.text} {message.blocks}"


def card(bot: Client, channel: str) -> str:
    return said(bot.workspace.pinned(channel)[0])


def press(bot: Client, user: str, channel: str, action: str) -> None:
    reply = bot.people.press(user, channel, bot.workspace.pinned(channel)[0].ts, action)
    assert reply.status == 200


@pytest.mark.timing
def test_an_incident_is_ready_about_two_round_trips_after_the_commit(bot: Client) -> None:
    """The card and the first invitation leave as soon as the channel is there, not after each other's answers."""
    bot.workspace.latency = 0.2
    with Pace() as pace:
        number = bot.slash("declare Checkout is down sev1").split()[1]
        bot.wait_event(number, "page_delivered")
    calls = list(bot.workspace.calls)
    began = next(c.at for c in calls if c.method == "conversations.create")
    for method in ("chat.postMessage", "conversations.invite"):
        first = next(c.at for c in calls if c.method == method)
        assert 0.2 <= first - began < 0.2 + pace.stretched(0.2), method  # less than a second round trip later


def test_declaring_by_the_form_takes_a_title_only(bot: Client) -> None:
    """`/incident declare` alone opens a form whose one required field is the title, and says where to go."""
    assert bot.slash("declare") == ""
    view = bot.workspace.open_views("bob")
    assert view == []
    view = bot.workspace.open_views("alice")
    required = [b["block_id"] for b in view[0].body["blocks"] if not b.get("optional")]
    assert required == ["title", "severity"]  # the severity has a value from the start
    reply = bot.people.submit("alice", view[0].id, {"title": "Checkout is down"})
    assert reply.ok
    # The bot is not in #general: it tells her in a direct message.
    wait_for(lambda: "Declared INC-" in " ".join(bot.workspace.texts(bot.workspace.direct("alice").id)))
    assert bot.incidents()[0]["severity"] == "sev2"


def test_quotes_and_a_severity_at_the_end_are_understood(bot: Client) -> None:
    """`declare "Title" sev1` is a sev1 called Title."""
    bot.slash('declare "Checkout is down" SEV1')
    incident = bot.incidents()[0]
    assert (incident["title"], incident["severity"]) == ("Checkout is down", "sev1")


def test_the_buttons_do_what_the_verbs_do(bot: Client) -> None:
    """Acknowledge, Take lead, Update and Resolve from the card; the card, topic and announcement follow."""
    number, channel = bot.open_one()
    press(bot, "bob", channel, "incident_ack")
    press(bot, "bob", channel, "incident_lead")
    press(bot, "bob", channel, "incident_update")
    view = bot.workspace.open_views("bob")[0]
    assert bot.people.press_in_view("bob", view.id, "update_more").ok
    form = {"state": "Pool exhausted", "action": "Scaling", "eta": "tomorrow 15:00 UTC", "status": "identified"}
    assert bot.people.submit("bob", view.id, form).ok
    update = said(wait_for(lambda: bot.workspace.find(channel, "Update on")))
    for wanted in ("Pool exhausted", "Scaling", "15:00 UTC", "identified"):
        assert wanted in update
    wait_for(lambda: "Identified" in card(bot, channel) and "Pool exhausted" in card(bot, channel))
    assert "incident_ack" not in card(bot, channel)
    wait_for(lambda: "lead: bob" in bot.workspace.channel(channel).topic)
    wait_for(lambda: "Pool exhausted" in said(bot.workspace.messages("incidents")[-1]))
    press(bot, "bob", channel, "incident_resolve")
    view = bot.workspace.open_views("bob")[0]
    form = {"fix": "Scaled to 6", "root_cause": "Traffic spike", "follow_ups": "- Add limits\n- Review HPA"}
    assert bot.people.submit("bob", view.id, form).ok
    resolution = said(wait_for(lambda: bot.workspace.find(channel, "Traffic spike")))
    for wanted in ("Scaled to 6", "Add limits", "Review HPA"):
        assert wanted in resolution
    wait_for(lambda: "resolved" in bot.workspace.channel(channel).topic)
    kinds = bot.kinds(number)
    asked = [event["text"] for event in bot.events(number) if event["kind"] == "followup_added"]
    assert asked == ["Add limits", "Review HPA", GENERAL_REVIEW]
    told = ["acknowledged", "role_assigned", "status_changed", "update_posted", "resolved"]
    assert [kind for kind in kinds if kind in told] == told
    announcements = [m for m in bot.workspace.messages("incidents") if not m.subtype]
    assert len(announcements) == 1


def test_a_refused_press_is_explained_to_whoever_pressed(bot: Client) -> None:
    """Whoever takes the lead twice is told so; nobody else sees it."""
    _, channel = bot.open_one()
    press(bot, "alice", channel, "incident_lead")
    press(bot, "alice", channel, "incident_lead")
    wait_for(lambda: bot.workspace.ephemerals("alice", channel))
    assert "alice already has this role" in bot.workspace.ephemerals("alice", channel)[-1].text
    assert bot.workspace.ephemerals("bob", channel) == []


def test_a_form_that_does_not_open_says_what_to_type(bot: Client) -> None:
    """When Slack refuses a form the answer names the way without it."""
    _, channel = bot.open_one()
    bot.workspace.faults.add(Fault(method="views.open", kind="error", error="expired_trigger_id"))
    reply = bot.slash("update", channel=channel)
    assert "expired trigger id" in reply
    assert "/incident help" in reply


def test_sev3_lives_in_a_thread_and_moves_to_a_channel_when_raised(bot: Client) -> None:
    """A sev3 is a card with a thread in the alerts channel; as a sev1 it opens all that is missing."""
    number = bot.slash("declare Slow reports sev3").split()[1]
    root = wait_for(lambda: bot.workspace.find("ops-alerts", number))
    assert bot.slash(f"{number} update Seen since noon").startswith("Posted")
    wait_for(lambda: any("Seen since noon" in m.text for m in bot.workspace.messages("ops-alerts", root.ts)))
    assert bot.incident(number)["next_update_at"] is None
    assert bot.slash(f"{number} sev 1 it is everybody").endswith("is sev1.")
    bot.wait_event(number, "channel_opened")
    channel = bot.room(number)
    wait_for(lambda: bot.workspace.pinned(channel))
    wait_for(lambda: bot.workspace.user("alice").id in bot.workspace.channel(channel).members)
    assert bot.incident(number)["next_update_at"] is not None
    wait_for(lambda: "sev1" in said(bot.workspace.find("ops-alerts", number)))
    home = bot.workspace.channel(channel).id
    wait_for(lambda: any(f"<#{home}>" in m.text for m in bot.workspace.messages("ops-alerts", root.ts)), what="the way")
    back = wait_for(lambda: bot.workspace.find(channel, "Earlier messages: <http"), what="the way back")
    assert root.ts.replace(".", "") in back.text


def test_who_has_worked_in_the_thread_comes_along(bot: Client) -> None:
    """Declared by alice, acknowledged by bob, led by charlie, a scribe: all are invited once the channel is there."""
    number = bot.slash("declare Slow reports sev3").split()[1]
    wait_for(lambda: bot.workspace.find("ops-alerts", number))
    bot.slash(f"{number} ack", "bob")
    bot.slash(f"{number} lead", "charlie")
    bot.slash(f"{number} role scribe", "dana")
    bot.slash(f"{number} sev 2", "charlie")
    bot.wait_event(number, "channel_opened")
    channel = bot.room(number)
    wanted = {bot.workspace.user(name).id for name in ("alice", "bob", "charlie", "dana")}
    wait_for(lambda: wanted <= set(bot.workspace.channel(channel).members), what="the invitations")


@pytest.mark.parametrize("user", ["bob", "dana"])
def test_whoever_declares_is_invited(bot: Client, user: str) -> None:
    """By a command, whoever is on the ladder."""
    _, channel = bot.open_one(user=user)
    declarer = bot.workspace.user(user).id
    wait_for(lambda: declarer in bot.workspace.channel(channel).members, what="the invitation")


def test_without_a_channel_the_incident_goes_on_in_a_thread(bot: Client) -> None:
    """When Slack refuses the channel, card and pages go to the alerts channel, and operators hear why."""
    bot.workspace.faults.add(Fault(method="conversations.create", kind="error", error="restricted_action", times=None))
    number = bot.slash("declare Checkout is down sev1").split()[1]
    root = wait_for(lambda: bot.workspace.find("ops-alerts", f"{number}, sev1"))
    alice = bot.workspace.user("alice").id
    wait_for(lambda: any(alice in m.text for m in bot.workspace.messages("ops-alerts", root.ts)))
    told = wait_for(lambda: bot.workspace.find("ops-alerts", "Could not deliver the channel"))
    assert "the workspace's settings do not allow it" in told.text
    assert "Allow the app to do this" in told.text
    assert "delivery_failed" in bot.kinds(number)


def test_a_hostile_title_pages_nobody(bot: Client) -> None:
    """`<!channel>` and the like are shown, never sent as mark-up."""
    number = bot.slash("declare &lt;!channel&gt; *down* <!here> &amp; out \u202egnp.exe sev2").split()[1]
    bot.wait_opened(number)
    channel = bot.room(number)
    for message in [*bot.workspace.messages(channel), *bot.workspace.messages("incidents")]:
        parts = [message.text] + [
            text["text"]
            for block in message.blocks or []
            for text in [block.get("text") or {}, *block.get("fields", []), *block.get("elements", [])]
            if text.get("type") == "mrkdwn"
        ]
        assert not [p for p in parts if "<!channel" in p or "<!here" in p or "\u202e" in p]


def test_who_joins_is_on_the_timeline_once(bot: Client) -> None:
    """Slack's repeats of an event change nothing."""
    number, channel = bot.open_one()
    event = {
        "type": "member_joined_channel",
        "user": bot.workspace.user("dana").id,
        "channel": bot.workspace.channel(channel).id,
    }
    for attempt in range(3):
        bot.people.event(event, event_id="Ev1", retry_num=attempt or None)
    assert bot.kinds(number).count("responder_joined") == 1


@pytest.mark.parametrize("signing", ["wrong", "old"])
def test_only_slack_is_listened_to(bot: Client, signing: str) -> None:
    """A wrong signature or an old time stamp is refused."""

    how = Signing(secret="other") if signing == "wrong" else Signing(age_seconds=400)
    assert bot.people.slash("alice", "general", "declare Nothing", signing=how).status == 401
    assert bot.incidents() == []


def test_without_a_ladder_the_card_names_the_key_to_set(environ: dict[str, str], bot: Client, hands: Hands) -> None:
    """A severity without a ladder pages nobody, and says which key would."""

    declared = decide(
        None,
        Declare("INC-20261121-001", "Down", Severity.SEV1, Actor("human", "U1", "ann")),
        DEFAULT_POLICY,
        hands.now(),
    )
    assert "ladders.default" in str(render(Board(declared.incident)))


def test_socket_mode_that_does_not_open_holds_nothing_up(environ: dict[str, str], slack: SandboxServer) -> None:
    """With SLACK_APP_TOKEN set and Slack refusing, the service starts, works and stops all the same."""
    running = InProcess({**environ, "SLACK_APP_TOKEN": "xapp-1"})
    running.start()
    client = Client(running.url, slack.workspace)
    number = client.slash("declare Checkout is down sev1").split()[1]
    client.wait_event(number, "channel_opened")
    client.close()
    running.stop()

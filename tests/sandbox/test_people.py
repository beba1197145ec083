"""What people do reaches the bot as Slack would send it, and its answers are shown as Slack would."""

import time
from collections.abc import Callable
from typing import Any

import httpx
import pytest
from starlette.responses import Response

from bot.sandbox import SandboxServer, Signing
from bot.sandbox import workspace as stage
from bot.sandbox.model import SlackError
from bot.sandbox.workspace import RESPONSE_URL_SECONDS
from tests.sandbox.standin import StandIn, api


def plain(text: str) -> dict[str, Any]:
    return {"type": "plain_text", "text": text}


def field(action_id: str, element: dict[str, Any], **block: Any) -> dict[str, Any]:
    return {
        "type": "input",
        "block_id": f"{action_id}_block",
        "label": plain(action_id),
        "element": element | {"action_id": action_id},
    } | block


SEVERITIES = [{"text": plain(s), "value": s} for s in ("sev1", "sev2")]
MODAL = {
    "type": "modal",
    "callback_id": "declare",
    "title": plain("Declare"),
    "submit": plain("Go"),
    "private_metadata": "m",
    "blocks": [
        field("title", {"type": "plain_text_input"}),
        field("severity", {"type": "static_select", "options": SEVERITIES, "initial_option": SEVERITIES[1]}),
        field("lead", {"type": "users_select"}, optional=True),
        field("flags", {"type": "checkboxes", "options": SEVERITIES}, optional=True),
    ],
}


def open_modal(server: SandboxServer, bot: StandIn, view: dict[str, Any] = MODAL) -> str:
    """Type /incident; the stand-in opens the modal. Gives the view's id."""
    opened: list[dict[str, Any]] = []
    bot.answer = lambda p: opened.append(api(server.url, "views.open", trigger_id=p["trigger_id"], view=view))
    assert server.people.slash("alice", "incidents", "").ok
    assert opened[0]["ok"], opened
    return str(opened[0]["view"]["id"])


def card(server: SandboxServer) -> str:
    """A message with a button and a select; gives its timestamp."""
    row = {
        "type": "actions",
        "block_id": "row",
        "elements": [
            {"type": "button", "action_id": "ack", "text": plain("Ack"), "value": "INC-1"},
            {"type": "static_select", "action_id": "severity", "options": SEVERITIES},
        ],
    }
    return str(api(server.url, "chat.postMessage", channel="incidents", text="card", blocks=[row])["ts"])


def test_a_slash_command_is_signed_and_its_answer_is_shown_to_one(server: SandboxServer, bot: StandIn) -> None:
    """A slash command carries Slack's fields, and a text in the answer is an ephemeral message."""
    bot.answer = lambda _: {"text": "On it"}
    reply = server.people.slash("alice", "#incidents", "list")
    assert (reply.status, reply.ok) == (200, True)
    form = bot.received[0]
    assert (form["command"], form["text"], form["user_name"]) == ("/incident", "list", "alice")
    assert form["channel_name"] == "incidents"
    assert server.workspace.texts("incidents", user="alice") == ["On it"]
    assert server.workspace.texts("incidents") == []


@pytest.mark.parametrize(
    "signing",
    [Signing(secret="other"), Signing(age_seconds=301), Signing(signature="v0=00"), Signing(unsigned=True)],
)
def test_forged_requests_can_be_sent(server: SandboxServer, bot: StandIn, signing: Signing) -> None:
    """A wrong secret, an old timestamp and a missing signature are refused, and the person hears that it failed."""
    reply = server.people.slash("alice", "incidents", "list", signing=signing)
    assert (reply.status, reply.error) == (401, "dispatch_failed")
    assert "failed" in server.workspace.texts("incidents", user="alice")[0]
    assert bot.received == []


def test_an_unreachable_bot_is_reported_to_the_person(server: SandboxServer) -> None:
    """Without a bot the command fails as at Slack."""
    server.bot_url = "http://127.0.0.1:9"
    assert server.people.slash("alice", "incidents", "list").error == "dispatch_failed"


def test_a_press_carries_the_whole_message(server: SandboxServer, bot: StandIn) -> None:
    """block_actions holds the button, its block, the message, and a working response_url."""
    ts = card(server)
    assert server.people.press("bob", "incidents", ts, "ack").ok
    payload = bot.received[0]
    action = payload["actions"][0]
    assert (payload["type"], action["action_id"], action["value"], action["block_id"]) == (
        "block_actions",
        "ack",
        "INC-1",
        "row",
    )
    assert payload["message"]["ts"] == payload["container"]["message_ts"] == ts
    assert payload["user"]["name"] == "bob"
    answer = {"response_type": "ephemeral", "text": "thanks"}
    assert httpx.post(payload["response_url"], json=answer).status_code == 200
    assert server.workspace.texts("incidents", user="bob") == ["card", "thanks"]
    with pytest.raises(LookupError, match="ack"):
        server.people.press("bob", "incidents", ts, "nope")


def test_a_selection_is_sent_and_remembered(server: SandboxServer, bot: StandIn) -> None:
    """Choosing in a message's select sends the option, and the state shows it from then on."""
    ts = card(server)
    server.people.select("bob", "incidents", ts, "severity", "sev1")
    server.people.press("bob", "incidents", ts, "ack")
    assert bot.received[0]["actions"][0]["selected_option"]["value"] == "sev1"
    assert bot.received[1]["state"]["values"]["row"]["severity"]["selected_option"]["value"] == "sev1"


def test_a_response_url_wears_out(server: SandboxServer, bot: StandIn) -> None:
    """A response_url takes five answers, and none after 30 minutes."""
    for _ in range(2):
        server.people.slash("alice", "incidents", "x")
    worn, old = (payload["response_url"] for payload in bot.received)
    assert [httpx.post(worn, json={"text": "a"}).status_code for _ in range(6)] == [200] * 5 + [404]
    server.workspace.now = lambda: time.time() + RESPONSE_URL_SECONDS + 1
    assert httpx.post(old, json={"text": "a"}).json()["error"] == "expired_url"


def test_a_response_url_can_replace_and_delete_the_original(server: SandboxServer, bot: StandIn) -> None:
    """An answer may replace the message that was pressed, or remove it."""
    ts = card(server)
    server.people.press("bob", "incidents", ts, "ack")
    url = bot.received[0]["response_url"]
    httpx.post(url, json={"replace_original": True, "text": "done"})
    assert server.workspace.texts("incidents") == ["done"]
    httpx.post(url, json={"delete_original": True})
    assert server.workspace.texts("incidents") == []


def test_a_modal_makes_the_round_trip(server: SandboxServer, bot: StandIn) -> None:
    """A modal opens, complains about a field, and closes once it is content; every input is in its state."""
    view_id = open_modal(server, bot)
    bot.reset()
    bot.answer = lambda _: {"response_action": "errors", "errors": {"title_block": "Say what is wrong"}}
    reply = server.people.submit("alice", view_id, {"lead": server.workspace.user("bob").id})
    assert reply.errors == {"title_block": "Say what is wrong"}
    assert server.workspace.open_views("alice")[0].errors == reply.errors
    view = bot.received[0]["view"]
    assert (view["callback_id"], view["private_metadata"]) == ("declare", "m")
    values = view["state"]["values"]
    assert values["title_block"]["title"] == {"type": "plain_text_input", "value": None}
    assert values["severity_block"]["severity"]["selected_option"]["value"] == "sev2"
    assert values["lead_block"]["lead"]["selected_user"] == server.workspace.user("bob").id
    assert values["flags_block"]["flags"]["selected_options"] == []
    bot.answer = lambda _: None
    entered = {"title_block.title": "Checkout is down", "severity": "sev1", "flags": ["sev2"]}
    assert server.people.submit("alice", view_id, entered).ok
    values = bot.received[1]["view"]["state"]["values"]
    assert values["title_block"]["title"]["value"] == "Checkout is down"
    assert [o["value"] for o in values["flags_block"]["flags"]["selected_options"]] == ["sev2"]
    assert server.workspace.open_views("alice") == []


def test_a_submission_can_update_push_and_clear(server: SandboxServer, bot: StandIn) -> None:
    """The answers update, push and clear change the stack on the screen; a bad view is an error."""
    view_id = open_modal(server, bot)
    later = MODAL | {"title": plain("Later")}
    bot.answer = lambda _: {"response_action": "update", "view": later}
    server.people.submit("alice", view_id)
    assert [v.body["title"]["text"] for v in server.workspace.open_views("alice")] == ["Later"]
    bot.answer = lambda _: {"response_action": "push", "view": MODAL}
    server.people.submit("alice", view_id)
    assert len(server.workspace.open_views("alice")) == 2
    bot.answer = lambda _: {"response_action": "update", "view": MODAL | {"title": plain("x" * 25)}}
    assert "less than 25" in (server.people.submit("alice", view_id).error or "")
    bot.answer = lambda _: {"response_action": "clear"}
    server.people.submit("alice", view_id)
    assert server.workspace.open_views("alice") == []


def test_a_trigger_serves_once_and_for_three_seconds(server: SandboxServer, bot: StandIn) -> None:
    """A trigger_id opens one modal, and none when it is too old or made up."""
    for _ in range(2):
        server.people.slash("alice", "incidents", "")
    once, late = (payload["trigger_id"] for payload in bot.received)
    assert api(server.url, "views.open", trigger_id=once, view=MODAL)["ok"]
    assert api(server.url, "views.open", trigger_id=once, view=MODAL)["error"] == "exchanged_trigger_id"
    server.workspace.monotonic = lambda: time.monotonic() + stage.TRIGGER_SECONDS + 0.1
    assert api(server.url, "views.open", trigger_id=late, view=MODAL)["error"] == "expired_trigger_id"
    assert api(server.url, "views.open", trigger_id="1.2.x", view=MODAL)["error"] == "invalid_trigger_id"


def test_views_are_updated_with_a_hash_and_refused_when_invalid(server: SandboxServer, bot: StandIn) -> None:
    """views.update minds the hash; an invalid view is invalid_arguments with the reason."""
    view_id = open_modal(server, bot)
    hash_ = server.workspace.open_views("alice")[0].hash
    assert api(server.url, "views.update", view_id=view_id, hash="0", view=MODAL)["error"] == "hash_conflict"
    assert api(server.url, "views.update", view_id=view_id, hash=hash_, view=MODAL)["ok"]
    answer = api(server.url, "views.update", view_id=view_id, view=MODAL | {"title": plain("x" * 25)})
    assert answer["error"] == "invalid_arguments"
    assert "/view/title/text" in answer["response_metadata"]["messages"][0]


def test_closing_is_told_only_when_asked_for(server: SandboxServer, bot: StandIn) -> None:
    """Cancelling a modal sends view_closed only with notify_on_close."""
    assert server.people.close("alice", open_modal(server, bot)) is None
    view_id = open_modal(server, bot, MODAL | {"notify_on_close": True})
    reply = server.people.close("alice", view_id)
    assert reply is not None
    assert bot.received[-1]["type"] == "view_closed"


def test_shortcuts_come_from_a_message_or_from_nowhere(server: SandboxServer, bot: StandIn) -> None:
    """A message shortcut carries its message, a global one does not."""
    ts = server.workspace.post("incidents", "alice", "look").ts
    server.people.shortcut("bob", "add_note", "incidents", ts)
    server.people.shortcut("bob", "declare")
    assert [p["type"] for p in bot.received] == ["message_action", "shortcut"]
    assert bot.received[0]["message"]["text"] == "look"


def test_an_ephemeral_message_is_not_repeated_in_a_press(server: SandboxServer, bot: StandIn) -> None:
    """A press upon an ephemeral message says so and leaves the message out."""
    row = {"type": "actions", "elements": [{"type": "button", "action_id": "ok", "text": plain("OK")}]}
    bot.answer = lambda _: {"text": "Sure?", "blocks": [row]}
    server.people.slash("alice", "incidents", "resolve")
    bot.answer = lambda _: None
    ts = server.workspace.ephemerals("alice")[0].ts
    server.people.press("alice", "incidents", ts, "ok")
    assert bot.received[-1]["container"]["is_ephemeral"] is True
    assert "message" not in bot.received[-1]


def test_the_home_tab_is_published_and_pressed(server: SandboxServer, bot: StandIn) -> None:
    """Opening Home sends app_home_opened; a press there carries the view."""
    row = {"type": "actions", "elements": [{"type": "button", "action_id": "go", "text": plain("Go"), "value": "1"}]}
    alice = server.workspace.user("alice").id
    server.people.open_home("alice")
    assert bot.received[0]["event"]["type"] == "app_home_opened"
    assert api(server.url, "views.publish", user_id=alice, view={"type": "home", "blocks": [row]})["ok"]
    home = server.workspace.home("alice")
    assert home is not None
    assert server.people.press_in_view("alice", home.id, "go").ok
    assert bot.received[1]["container"] == {"type": "view", "view_id": home.id}


def test_events_can_be_sent_again(server: SandboxServer, bot: StandIn) -> None:
    """A retried event has the same event_id and Slack's retry headers."""
    event = {"type": "message", "channel": "C1", "user": "U1", "text": "hi", "ts": "1.000000"}
    server.people.event(event, event_id="Ev1")
    server.people.event(event, event_id="Ev1", retry_num=1)
    assert [p["event_id"] for p in bot.received] == ["Ev1", "Ev1"]
    assert "x-slack-retry-num" not in bot.headers[0]
    assert bot.headers[1]["x-slack-retry-num"] == "1"


def test_a_late_answer_is_a_timeout_to_slack(
    server: SandboxServer, bot: StandIn, monkeypatch: pytest.MonkeyPatch
) -> None:
    """An answer after the deadline counts as none, and the person is told."""
    monkeypatch.setattr("bot.sandbox.people.ACK_SECONDS", 0.05)

    def slowly(payload: dict[str, Any]) -> Response:
        time.sleep(0.1)
        return Response()

    bot.answer = slowly
    reply = server.people.slash("alice", "incidents", "list")
    assert (reply.status, reply.error) == (200, "operation_timeout")


def test_joins_and_messages_are_emitted_when_asked_for(bot: StandIn, server: SandboxServer) -> None:
    """With emit_events the bot hears of joins, of people's messages and of reactions, in order."""
    workspace = server.workspace
    server.stop()
    emitting = SandboxServer(workspace, bot_url=server.bot_url, emit_events=True)
    with emitting:
        erin = workspace.add_user("erin").id
        channel = workspace.channel("incidents").id
        api(emitting.url, "conversations.invite", channel=channel, users=erin)
        ts = workspace.post("incidents", "alice", "hello").ts
        workspace.react("incidents", ts, "bob", "eyes")
        workspace.wait_for(lambda: len(bot.received) >= 3)
    events = [payload["event"] for payload in bot.received]
    assert [e["type"] for e in events] == ["member_joined_channel", "message", "reaction_added"]
    assert (events[0]["user"], events[0]["inviter"]) == (erin, workspace.bot.id)


def test_what_people_do_with_messages_is_emitted(bot: StandIn, server: SandboxServer) -> None:
    """Pins, reactions, edits and deletions come as Slack sends them; the bot's own edits too."""
    workspace = server.workspace
    server.stop()
    with SandboxServer(workspace, bot_url=server.bot_url, emit_events=True) as emitting:
        root = workspace.post("incidents", "alice", "hello").ts
        ts = workspace.post("incidents", "bob", "hi", thread_ts=root).ts
        workspace.pin("incidents", ts, "alice")
        workspace.unpin("incidents", ts, "alice")
        workspace.react("incidents", ts, "alice", "eyes")
        workspace.unreact("incidents", ts, "alice", "eyes")
        workspace.edit("incidents", ts, "hi all")
        workspace.delete("incidents", root)
        workspace.delete("incidents", ts)
        channel = workspace.channel("incidents").id
        mine = api(emitting.url, "chat.postMessage", channel=channel, text="one")["ts"]
        api(emitting.url, "chat.update", channel=channel, ts=mine, text="two")
        workspace.wait_for(lambda: len(bot.received) >= 10)
    pin, unpin, react, unreact, edit, tombstone, gone, own = [payload["event"] for payload in bot.received][2:]
    alice, bob = workspace.user("alice").id, workspace.user("bob").id
    assert (pin["type"], pin["user"], pin["channel_id"], pin["item_user"]) == ("pin_added", alice, channel, bob)
    assert (pin["item"]["message"]["text"], pin["item"]["message"]["pinned_to"]) == ("hi", [channel])
    assert f"thread_ts={root}" in pin["item"]["message"]["permalink"]
    assert (unpin["type"], unpin["has_pins"]) == ("pin_removed", False)
    assert react["item"] == {"type": "message", "channel": channel, "ts": ts}
    assert (unreact["type"], unreact["reaction"], unreact["item_user"]) == ("reaction_removed", "eyes", bob)
    assert (edit["subtype"], edit["message"]["text"], edit["previous_message"]["text"]) == (
        "message_changed",
        "hi all",
        "hi",
    )
    assert edit["message"]["edited"]["user"] == bob
    assert (tombstone["subtype"], tombstone["message"]["subtype"]) == ("message_changed", "tombstone")
    assert (gone["subtype"], gone["deleted_ts"]) == ("message_deleted", ts)
    assert (own["message"]["text"], own["message"]["user"]) == ("two", workspace.bot.id)


@pytest.mark.parametrize(
    ("act", "error"),
    [
        ("unreact", "no_reaction"),
        ("unpin", "no_pin"),
        ("react_twice", "already_reacted"),
        ("pin_twice", "already_pinned"),
    ],
)
def test_what_slack_refuses_with_messages(server: SandboxServer, act: str, error: str) -> None:
    """A second pin or reaction, and taking away what is not there."""
    workspace = server.workspace
    ts = workspace.post("incidents", "alice", "hello").ts
    where = ("incidents", ts, "bob")
    acts: dict[str, Callable[[], object]] = {
        "unreact": lambda: workspace.unreact(*where, "eyes"),
        "unpin": lambda: workspace.unpin(*where),
        "react_twice": lambda: [workspace.react(*where, "eyes") for _ in range(2)],
        "pin_twice": lambda: [workspace.pin(*where) for _ in range(2)],
    }
    with pytest.raises(SlackError, match=error):
        acts[act]()

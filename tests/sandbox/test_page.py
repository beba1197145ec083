"""The web page's endpoints do for a person in a browser what the sender does for a test."""

from pathlib import Path
from typing import Any

import httpx
import pytest

from bot.sandbox import SandboxServer, asks
from bot.sandbox.workspace import PEOPLE
from tests.sandbox.standin import NO_TLS, StandIn, api

STATIC = Path(asks.__file__).parent / "static"


class Controls:
    def __init__(self) -> None:
        self.done: list[str] = []

    def describe(self) -> dict[str, Any]:
        return {"samples": [], "storm": 0, "outage": False}

    def fire(self, name: str) -> str:
        self.done.append(f"fire {name}")
        return "fired"

    def resolve(self, name: str) -> str:
        self.done.append(f"resolve {name}")
        return "resolved"

    def storm(self, *, resolved: bool) -> str:
        self.done.append("calm" if resolved else "storm")
        return "stormed"

    def outage(self, *, on: bool) -> str:
        self.done.append("down" if on else "up")
        return "switched"

    def advance(self, seconds: float) -> str:
        self.done.append(f"advance {seconds:g}")
        return "passed"


def act(server: SandboxServer, verb: str, **body: Any) -> dict[str, Any]:
    return dict(httpx.post(f"{server.url}/sandbox/{verb}", json=body, verify=NO_TLS).json())


def look(server: SandboxServer, user: str = "alice", since: int = 0) -> dict[str, Any]:
    return dict(httpx.get(f"{server.url}/sandbox/state", params={"user": user, "since": since}, verify=NO_TLS).json())


def channel(shown: dict[str, Any], name: str) -> dict[str, Any]:
    return next(c for c in shown["channels"] if c["name"] == name)


@pytest.mark.parametrize(
    "path", ["/", *(f"/static/{file.name}" for file in sorted(STATIC.iterdir()) if file.name != "index.html")]
)
def test_the_page_is_served_from_here_alone(server: SandboxServer, path: str) -> None:
    """The page and its parts are served locally, and it loads nothing from elsewhere."""
    answer = httpx.get(server.url + path, verify=NO_TLS)
    assert answer.status_code == 200
    for place in ("src=", "href=", "from ", "url("):
        assert f'{place}"http' not in answer.text


def test_the_state_is_cheap_when_nothing_is_new(server: SandboxServer) -> None:
    """Asking again for the version one has brings the time only; a change brings everything."""
    version = look(server)["version"]
    assert "channels" not in look(server, since=version)
    server.workspace.post("general", "bob", "hello")
    assert channel(look(server, since=version), "general")["messages"][-1]["text"] == "hello"


def test_each_person_sees_their_own_screen(server: SandboxServer) -> None:
    """Ephemeral messages and private channels are shown to those they are for."""
    workspace = server.workspace
    workspace.add_channel("hidden", private=True, members=["bob"])
    alice = workspace.user("alice").id
    workspace.post("incidents", "sitrep", "only you", ephemeral_to=alice)
    assert [m["ephemeral"] for m in channel(look(server, "alice"), "incidents")["messages"]] == [True]
    assert channel(look(server, "bob"), "incidents")["messages"] == []
    assert "hidden" in [c["name"] for c in look(server, "bob")["channels"]]
    assert "hidden" not in [c["name"] for c in look(server, "alice")["channels"]]


def test_what_is_typed_is_a_command_or_a_message(server: SandboxServer, bot: StandIn) -> None:
    """A text with a slash goes to the bot as a signed command, any other is posted, escaped and with mentions."""
    where = {"user": "alice", "channel": "incidents"}
    assert act(server, "say", text="/incident note x < y", **where)["ok"]
    assert (bot.received[0]["command"], bot.received[0]["text"]) == ("/incident", "note x < y")
    assert act(server, "say", text="@bob look: a < b", **where)["ok"]
    bob = server.workspace.user("bob").id
    assert server.workspace.texts("incidents")[-1] == f"<@{bob}> look: a &lt; b"


def test_buttons_and_modals_work_from_the_page(server: SandboxServer, bot: StandIn) -> None:
    """A press opens a modal on that person's screen; a submission's errors come back; cancel closes it."""
    text = {"type": "plain_text", "text": "Go"}
    row = {"type": "actions", "elements": [{"type": "button", "action_id": "go", "text": text, "value": "1"}]}
    ts = api(server.url, "chat.postMessage", channel="incidents", text="card", blocks=[row])["ts"]
    entry = {"type": "input", "block_id": "b", "label": text, "element": {"type": "plain_text_input", "action_id": "a"}}
    view = {"type": "modal", "title": text, "submit": text, "blocks": [entry]}
    bot.answer = lambda p: api(server.url, "views.open", trigger_id=p["trigger_id"], view=view)
    assert act(server, "press", user="bob", channel="incidents", ts=ts, action="go", value="1")["ok"]
    shown = look(server, "bob")["views"]
    assert [v["title"]["text"] for v in shown] == ["Go"]
    bot.answer = lambda _: {"response_action": "errors", "errors": {"b": "more"}}
    answer = act(server, "submit", user="bob", view=shown[0]["id"], values={"b.a": "x"})
    assert (answer["ok"], answer["errors"]) == (True, {"b": "more"})
    assert look(server, "bob")["views"][0]["errors"] == {"b": "more"}
    act(server, "close", user="bob", view=shown[0]["id"])
    assert look(server, "bob")["views"] == []


def test_the_controls_are_reached(server: SandboxServer) -> None:
    """The demo's buttons call the toolbar, and say so when there is none."""
    assert "no demo controls" in act(server, "advance", user="alice", seconds=300)["error"]
    controls = Controls()
    server.toolbar = controls
    act(server, "alert", name="A")
    act(server, "alert", name="A", resolved=True)
    assert act(server, "advance", seconds=300)["note"] == "passed"
    assert controls.done == ["fire A", "resolve A", "advance 300"]


@pytest.mark.parametrize(
    ("verb", "body", "done"),
    [
        ("storm", {}, "storm"),
        ("storm", {"resolved": True}, "calm"),
        ("outage", {"on": True}, "down"),
        ("outage", {"on": False}, "up"),
    ],
)
def test_a_storm_and_an_outage_are_reached(server: SandboxServer, verb: str, body: dict[str, Any], done: str) -> None:
    """Both can be begun and ended; without controls the page says so."""
    assert "no demo controls" in act(server, verb, user="alice", **body)["error"]
    server.toolbar = controls = Controls()
    assert act(server, verb, user="alice", **body)["ok"]
    assert controls.done == [done]


def test_a_drill_is_a_command_of_the_person(server: SandboxServer, bot: StandIn) -> None:
    """It goes to the bot from the channel that is on the screen."""
    assert act(server, "drill", user="bob", channel="incidents")["ok"]
    (sent,) = bot.received
    assert (sent["user_name"], sent["channel_name"]) == ("bob", "incidents")
    assert sent["text"].startswith("test ")


def test_each_person_has_a_zone(server: SandboxServer) -> None:
    """The page needs it to say times as that person reads them."""
    zones = {u["name"]: u["zone"] for u in look(server)["users"] if not u["bot"]}
    assert zones == PEOPLE


@pytest.mark.parametrize(("other", "beside"), [("incidents", True), ("general", False)])
def test_an_ephemeral_message_names_what_it_answers(
    server: SandboxServer, bot: StandIn, other: str, beside: bool
) -> None:
    """What the bot says to one person after their command belongs to it, in the same channel only."""
    alice = server.workspace.user("alice").id
    server.workspace.join("general", "sitrep")
    act(server, "say", user="alice", channel="incidents", text="/incident ack")
    api(server.url, "chat.postEphemeral", channel=other, user=alice, text="only you")
    (shown,) = channel(look(server), other)["messages"][-1:]
    assert shown.get("answers") == ({"ts": "", "said": "/incident ack"} if beside else None)


def test_an_answer_that_comes_much_later_belongs_to_nothing(
    server: SandboxServer, bot: StandIn, monkeypatch: pytest.MonkeyPatch
) -> None:
    """What the bot says to a person by itself is no answer to what they did long ago."""
    alice = server.workspace.user("alice").id
    act(server, "say", user="alice", channel="incidents", text="/incident ack")
    monkeypatch.setattr(asks, "RECENT", 0.0)
    api(server.url, "chat.postEphemeral", channel="incidents", user=alice, text="only you")
    assert "answers" not in channel(look(server), "incidents")["messages"][-1]


def test_foreign_forms_are_kept_out(server: SandboxServer) -> None:
    """A request that is not JSON, as another site's form would send it, does nothing."""
    data = {"user": "alice", "channel": "general", "text": "x"}
    assert httpx.post(f"{server.url}/sandbox/say", data=data).status_code == 404
    assert server.workspace.texts("general") == []


def test_a_mistaken_request_is_explained(server: SandboxServer) -> None:
    """An unknown user, message or field is an error with a reason, never a crash."""
    assert httpx.get(f"{server.url}/sandbox/state", params={"user": "nobody"}).status_code == 404
    assert "no message" in act(server, "press", user="bob", channel="general", ts="1.0", action="x")["error"]
    assert not act(server, "say", user="bob")["ok"]

"""Requests that come in Slack's name."""

from __future__ import annotations

from bot.sandbox.server import SandboxServer
from bot.sandbox.signing import Signing
from bot.sandbox.workspace import Workspace
from tests.conftest import Client, InProcess, wait_for


def test_without_a_signing_secret_slack_is_heard_over_its_socket_alone(
    environ: dict[str, str], slack: SandboxServer, workspace: Workspace
) -> None:
    """Socket Mode needs no secret; a request over HTTP that nobody can verify is refused and changes nothing."""
    settings = {k: v for k, v in environ.items() if k != "SLACK_SIGNING_SECRET"}
    running = InProcess({**settings, "SLACK_APP_TOKEN": "xapp-1"})
    running.start()
    slack.bot_url = running.url
    client = Client(running.url, workspace)
    try:
        for signing in (Signing(), Signing(unsigned=True)):
            reply = client.people.slash("alice", "general", "declare Not from Slack sev1", signing=signing)
            assert reply.status == 503
            assert reply.json["error"]["code"] == "integration_off"
        assert client.incidents() == []
    finally:
        client.close()
        running.stop()


WORD = "the payload &payload={} ssl_check=1 url_verification"


def test_words_that_requests_are_made_of_are_words(bot: Client) -> None:
    """In a command's text, its channel's name, a form and a shortcut, "payload" is text as any other."""
    bot.workspace.add_channel("payload-team", members=["alice", "bob"])
    assert "No incident is open" in bot.slash("list", "alice", "payload-team")
    number = bot.slash(f"declare {WORD} sev4", "alice", "payload-team").split()[1]
    assert bot.incident(number)["title"] == WORD
    bot.slash(f"{number} note {WORD}", "alice", "payload-team")
    assert bot.wait_event(number, "note")["text"] == WORD
    bot.slash(f"{number} rename", "alice")
    view = bot.workspace.open_views("alice")[-1]
    assert bot.people.submit("alice", view.id, {"title": f"{WORD} again"}).ok
    wait_for(lambda: bot.incident(number)["title"] == f"{WORD} again", what="the new title")
    card = wait_for(lambda: bot.workspace.find("ops-alerts", number), what="the card")
    assert bot.people.press("alice", "ops-alerts", card.ts, "incident_ack").ok
    bot.wait_event(number, "acknowledged")
    said = bot.workspace.post("payload-team", "bob", WORD)
    assert bot.people.shortcut("bob", "timeline_add", "payload-team", said.ts).ok
    assert bot.workspace.open_views("bob")


def test_a_body_that_is_no_request_is_refused(bot: Client) -> None:
    """It is answered 400 in the error envelope, signed or not; an unsigned command is answered 401."""
    form = {"content-type": "application/x-www-form-urlencoded"}
    for raw in (b"payload=%7B", b"payload=[]", b"\xff\xfe", b"{" * 100_000):
        assert bot.http.post("/slack/events", content=raw, headers=form).status_code == 400
    assert bot.http.post("/slack/events", content=b"command=%2Fincident&text=payload", headers=form).status_code == 401

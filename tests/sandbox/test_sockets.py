"""Socket Mode as Slack serves it: tickets, connections, envelopes, and what an app may not do."""

import asyncio
from collections.abc import AsyncIterator, Callable
from contextlib import AsyncExitStack, asynccontextmanager

import aiohttp
import httpx
import pytest
from slack_sdk import WebClient
from slack_sdk.errors import SlackApiError

from bot.sandbox import Reply, SandboxServer, Workspace
from bot.sandbox.model import APP_ID
from bot.sandbox.sockets import MAX_LINKS
from tests.sandbox.standin import NO_TLS, StandIn

pytestmark = pytest.mark.anyio


@pytest.fixture
def anyio_backend() -> str:
    return "asyncio"


def open_url(client: WebClient) -> str:
    """Ask for a connection as an app does."""
    return str(client.apps_connections_open(app_token="xapp-sandbox")["url"])


@asynccontextmanager
async def connected(url: str) -> AsyncIterator[aiohttp.ClientWebSocketResponse]:
    """Give a connection that has been greeted."""
    async with aiohttp.ClientSession() as session, session.ws_connect(url) as socket:
        assert (await socket.receive_json())["type"] == "hello"
        yield socket


async def meanwhile(do: Callable[[], Reply]) -> "asyncio.Future[Reply]":
    """Begin what a person does; they wait for the answer."""
    return asyncio.ensure_future(asyncio.to_thread(do))


@pytest.mark.parametrize(
    ("token", "error"), [("xapp-other", "invalid_auth"), ("xoxb-sandbox", "not_allowed_token_type")]
)
async def test_only_the_app_level_token_opens_a_connection(client: WebClient, token: str, error: str) -> None:
    """Another token, and the bot's, are refused by the codes that Slack has for them."""
    with pytest.raises(SlackApiError) as refused:
        client.apps_connections_open(app_token=token)
    assert refused.value.response["error"] == error


async def test_the_token_is_taken_from_the_header_alone(server: SandboxServer) -> None:
    """Passed as a parameter it is none, as Slack's page of the method says."""
    answer = httpx.post(f"{server.api_url}apps.connections.open", data={"token": "xapp-sandbox"}, verify=NO_TLS).json()
    assert answer == {"ok": False, "error": "not_authed"}


async def test_a_token_without_its_scope_is_refused(client: WebClient, workspace: Workspace) -> None:
    """`connections:write` is what the app-level token must have been made with."""
    workspace.app_scopes = ["authorizations:read"]
    with pytest.raises(SlackApiError) as refused:
        open_url(client)
    assert (refused.value.response["error"], refused.value.response["needed"]) == ("missing_scope", "connections:write")


async def test_socket_mode_that_is_off_is_said_in_passing(client: WebClient, workspace: Workspace) -> None:
    """Slack gives an address all the same, and a warning beside it."""
    workspace.socket_mode = False
    answer = client.apps_connections_open(app_token="xapp-sandbox")
    assert answer["ok"]
    assert answer["response_metadata"]["messages"] == ["[WARN] Socket Mode is not turned on."]


async def test_a_connection_is_greeted(client: WebClient) -> None:
    """`hello` names the app and says how many connections there are."""
    async with aiohttp.ClientSession() as session, AsyncExitStack() as open_ones:
        for count in (1, 2):
            socket = await open_ones.enter_async_context(session.ws_connect(open_url(client)))
            hello = await socket.receive_json()
            assert (hello["type"], hello["num_connections"]) == ("hello", count)
            assert hello["connection_info"] == {"app_id": APP_ID}


async def test_a_ticket_is_good_for_one_connection(client: WebClient, workspace: Workspace) -> None:
    """Used twice, or made up, it opens nothing."""
    url = open_url(client)
    async with connected(url), aiohttp.ClientSession() as session:
        for spent in (url, f"{url.partition('?')[0]}?ticket=made-up"):
            with pytest.raises(aiohttp.WSServerHandshakeError):
                await session.ws_connect(spent)
        assert workspace.sockets.count == 1


async def test_no_more_than_ten_connections(client: WebClient, workspace: Workspace) -> None:
    """The eleventh is told why and closed; those that are open stay."""
    async with AsyncExitStack() as open_ones:
        for _ in range(MAX_LINKS):
            await open_ones.enter_async_context(connected(open_url(client)))
        async with aiohttp.ClientSession() as session, session.ws_connect(open_url(client)) as socket:
            assert (await socket.receive_json())["reason"] == "too_many_websockets"
            assert (await socket.receive()).type is aiohttp.WSMsgType.CLOSE
        assert workspace.sockets.count == MAX_LINKS


async def test_a_command_and_its_answer(client: WebClient, server: SandboxServer, bot: StandIn) -> None:
    """The form's fields come as the payload; what is answered is shown to the person, and HTTP is not used."""
    async with connected(open_url(client)) as socket:
        typed = await meanwhile(lambda: server.people.slash("alice", "general", "help"))
        envelope = await socket.receive_json()
        assert (envelope["type"], envelope["accepts_response_payload"]) == ("slash_commands", True)
        assert (envelope["payload"]["command"], envelope["payload"]["text"]) == ("/incident", "help")
        await socket.send_json({"envelope_id": envelope["envelope_id"], "payload": {"text": "Help yourself."}})
        reply = await typed
    assert (reply.status, reply.error, reply.json) == (200, None, {"text": "Help yourself."})
    assert server.workspace.ephemerals("alice")[-1].text == "Help yourself."
    assert bot.received == []


async def test_an_event_says_whether_it_comes_again(client: WebClient, server: SandboxServer) -> None:
    """`retry_attempt` and `retry_reason` are in the envelope, and the payload is the Events API's."""
    async with connected(open_url(client)) as socket:
        for retry, attempt, reason in ((None, 0, ""), (1, 1, "timeout")):
            told = await meanwhile(lambda n=retry: server.people.event({"type": "x"}, event_id="Ev1", retry_num=n))
            envelope = await socket.receive_json()
            assert (envelope["retry_attempt"], envelope["retry_reason"]) == (attempt, reason)
            assert (envelope["type"], envelope["accepts_response_payload"]) == ("events_api", False)
            assert envelope["payload"]["event_id"] == "Ev1"
            await socket.send_json({"envelope_id": envelope["envelope_id"]})
            assert (await told).ok
    assert server.workspace.sockets.strays == []


async def test_each_envelope_goes_to_one_connection(client: WebClient, server: SandboxServer) -> None:
    """With two connections each gets a share, and none gets what the other got."""
    got: list[list[str]] = [[], []]
    async with connected(open_url(client)) as first, connected(open_url(client)) as second:

        async def serve(place: int, socket: aiohttp.ClientWebSocketResponse) -> None:
            async for message in socket:
                envelope = message.json()
                got[place].append(envelope["payload"]["event_id"])
                await socket.send_json({"envelope_id": envelope["envelope_id"]})

        serving = [asyncio.ensure_future(serve(*each)) for each in enumerate((first, second))]
        for n in range(6):
            reply = await asyncio.to_thread(lambda n=n: server.people.event({"type": "x"}, event_id=f"Ev{n}"))
            assert reply.ok
        for task in serving:
            task.cancel()
    assert sorted(got[0] + got[1]) == [f"Ev{n}" for n in range(6)]
    assert all(got)


@pytest.mark.parametrize(
    ("answers", "stray"),
    [
        (['{"envelope_id": "made-up"}'], "unknown envelope"),
        (["nonsense"], "no answer"),
        (['{"envelope_id": "ID", "payload": {"text": "x"}}'], "no payload is taken"),
        (['{"envelope_id": "ID"}', '{"envelope_id": "ID"}'], "answered twice"),
    ],
)
async def test_what_slack_did_not_ask_for_is_kept(
    client: WebClient, server: SandboxServer, answers: list[str], stray: str
) -> None:
    """An answer to no envelope, a second one, one with a payload where none is taken: the tests can see them."""
    strays = server.workspace.sockets.strays
    async with connected(open_url(client)) as socket:
        told = await meanwhile(lambda: server.people.event({"type": "x"}))
        ident = (await socket.receive_json())["envelope_id"]
        for answer in answers:
            await socket.send_str(answer.replace("ID", ident))
        await asyncio.to_thread(server.workspace.wait_for, lambda: strays)
        await socket.send_json({"envelope_id": ident})
        assert (await told).ok
    assert strays[0].startswith(stray)


async def test_what_is_not_acknowledged_in_time_has_failed(
    client: WebClient, server: SandboxServer, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The person is told `operation_timeout`; an answer after that helps nobody."""
    monkeypatch.setattr("bot.sandbox.people.ACK_SECONDS", 0.1)
    async with connected(open_url(client)) as socket:
        reply = await asyncio.to_thread(lambda: server.people.slash("alice", "general", "help"))
        assert (reply.status, reply.error) == (0, "operation_timeout")
        late = await socket.receive_json()
        await socket.send_json({"envelope_id": late["envelope_id"], "payload": {"text": "Late."}})
    assert "operation_timeout" in server.workspace.ephemerals("alice")[-1].text


async def test_once_an_app_has_connected_http_is_not_used(
    client: WebClient, server: SandboxServer, bot: StandIn
) -> None:
    """Without a connection what people do fails; it does not go to the request URL instead."""
    assert (await asyncio.to_thread(lambda: server.people.slash("alice", "general", "help"))).ok
    async with connected(open_url(client)):
        pass
    await asyncio.to_thread(server.workspace.wait_for, lambda: server.workspace.sockets.count == 0)
    reply = await asyncio.to_thread(lambda: server.people.slash("alice", "general", "help"))
    assert (reply.status, reply.error) == (0, "dispatch_failed")
    assert len(bot.received) == 1


async def test_a_warning_leaves_the_connection_open(client: WebClient, workspace: Workspace) -> None:
    """`warning` comes before the end, `refresh_requested` at it; a cut says nothing."""
    async with connected(open_url(client)) as socket:
        await asyncio.to_thread(workspace.sockets.disconnect, "warning", close=False)
        said = await socket.receive_json()
        assert (said["type"], said["reason"], workspace.sockets.count) == ("disconnect", "warning", 1)
        ending = asyncio.ensure_future(asyncio.to_thread(workspace.sockets.disconnect))
        assert (await socket.receive_json())["reason"] == "refresh_requested"
        assert (await socket.receive()).type is aiohttp.WSMsgType.CLOSE
        await ending
    async with connected(open_url(client)) as socket:
        await asyncio.to_thread(workspace.sockets.cut)
        assert (await socket.receive()).type in {aiohttp.WSMsgType.CLOSED, aiohttp.WSMsgType.ERROR}


async def test_the_server_stops_promptly_and_starts_again(client: WebClient, server: SandboxServer) -> None:
    """A stop cuts what is open and spends the tickets; after a start there are new ones."""
    unused = open_url(client)
    async with connected(open_url(client)) as socket:
        await asyncio.to_thread(server.stop)
        assert (await socket.receive()).type in {aiohttp.WSMsgType.CLOSED, aiohttp.WSMsgType.ERROR}
    server.start()
    async with aiohttp.ClientSession() as session:
        with pytest.raises(aiohttp.ClientError):
            await session.ws_connect(unused)
    async with connected(open_url(client)):
        assert server.workspace.sockets.count == 1

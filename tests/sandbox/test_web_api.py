"""The official clients work against the sandbox, and see what they would see at Slack."""

import asyncio
from typing import Any

import httpx
import pytest
from slack_sdk import WebClient
from slack_sdk.errors import SlackApiError
from slack_sdk.web.async_client import AsyncWebClient

from bot.sandbox import SandboxServer, Workspace


def error_of(call: Any, /, *args: Any, **kwargs: Any) -> str:
    with pytest.raises(SlackApiError) as caught:
        call(*args, **kwargs)
    return str(caught.value.response["error"])


def test_the_async_client_opens_an_incident_channel(server: SandboxServer) -> None:
    """The asynchronous official client can create, fill, pin and describe a channel."""

    async def scenario() -> None:
        client = AsyncWebClient(token="xoxb-sandbox", base_url=server.api_url)
        channel = (await client.conversations_create(name="incident-1"))["channel"]["id"]
        alice = (await client.users_lookupByEmail(email="alice@example.com"))["user"]["id"]
        await client.conversations_invite(channel=channel, users=[alice])
        ts = (await client.chat_postMessage(channel=channel, text="card", blocks=[{"type": "divider"}]))["ts"]
        await client.pins_add(channel=channel, timestamp=ts)
        await client.conversations_setTopic(channel=channel, topic="sev2")
        await client.bookmarks_add(channel_id=channel, title="Dash", type="link", link="https://example.com")

    asyncio.run(scenario())
    workspace = server.workspace
    assert workspace.texts("incident-1") == ["card"]
    assert [m.text for m in workspace.pinned("incident-1")] == ["card"]
    assert workspace.channel("incident-1").topic == "sev2"
    notes = [m.subtype for m in workspace.messages("incident-1")]
    assert notes == ["channel_join", None, "pinned_item", "channel_topic"]


def test_timestamps_rise_even_when_the_clock_stands_still() -> None:
    """Message timestamps are unique and strictly increasing strings of seconds and micros."""
    workspace = Workspace.demo(now=lambda: 1_700_000_000.5)
    stamps = [workspace.post("general", "alice", "hi").ts for _ in range(3)]
    assert stamps == ["1700000000.500000", "1700000000.500001", "1700000000.500002"]


@pytest.mark.parametrize(
    ("headers", "expected"), [({}, "not_authed"), ({"Authorization": "Bearer xoxb-other"}, "invalid_auth")]
)
def test_a_missing_or_wrong_token_is_refused(server: SandboxServer, headers: dict[str, str], expected: str) -> None:
    """Without the workspace's own token nothing answers."""
    answer = httpx.post(f"{server.api_url}auth.test", headers=headers).json()
    assert answer == {"ok": False, "error": expected}


def test_get_form_and_json_are_read_alike(server: SandboxServer) -> None:
    """A method takes its arguments from the query, a form or a JSON body."""
    headers = {"Authorization": "Bearer xoxb-sandbox"}
    url, args = f"{server.api_url}users.info", {"user": server.workspace.bot.id}
    answers = [
        httpx.get(url, headers=headers, params=args),
        httpx.post(url, headers=headers, data=args),
        httpx.post(url, headers=headers, json=args),
    ]
    assert [a.json()["user"]["name"] for a in answers] == ["sitrep"] * 3


def test_an_unknown_method_says_so(client: WebClient) -> None:
    """A method that does not exist answers unknown_method."""
    assert error_of(client.api_call, "chat.postMesage") == "unknown_method"


@pytest.mark.parametrize(
    ("name", "expected"),
    [
        ("", "invalid_name_required"),
        ("x" * 81, "invalid_name_maxlength"),
        ("Upper", "invalid_name_specials"),
        ("with space", "invalid_name_specials"),
        ("---", "invalid_name_punctuation"),
        ("general", "name_taken"),
    ],
)
def test_channel_names_are_checked(client: WebClient, name: str, expected: str) -> None:
    """A bad or taken channel name is refused with the reason that Slack gives."""
    assert error_of(client.conversations_create, name=name) == expected


def test_an_archived_channel_keeps_its_name_and_takes_no_message(client: WebClient) -> None:
    """An archived channel still holds its name, and posting there is refused."""
    channel = client.conversations_create(name="old")["channel"]["id"]
    client.conversations_archive(channel=channel)
    assert error_of(client.conversations_create, name="old") == "name_taken"
    assert error_of(client.chat_postMessage, channel=channel, text="x") == "is_archived"
    client.conversations_unarchive(channel=channel)
    assert client.chat_postMessage(channel=channel, text="x")["ok"]


def test_a_private_channel_without_the_bot_is_invisible(client: WebClient, workspace: Workspace) -> None:
    """A private channel that the bot is not in is neither listed nor found, yet its name is taken."""
    hidden = workspace.add_channel("hidden", private=True, members=["alice"])
    types = "public_channel,private_channel"
    assert "hidden" not in [c["name"] for c in client.conversations_list(types=types)["channels"]]
    assert error_of(client.conversations_info, channel=hidden.id) == "channel_not_found"
    assert error_of(client.conversations_create, name="hidden") == "name_taken"


def test_posting_needs_membership(client: WebClient, workspace: Workspace) -> None:
    """The bot cannot post to, or read, a public channel that it has not joined."""
    general = workspace.channel("general").id
    assert error_of(client.chat_postMessage, channel=general, text="x") == "not_in_channel"
    assert error_of(client.conversations_history, channel=general) == "not_in_channel"
    client.conversations_join(channel=general)
    assert client.conversations_join(channel=general)["warning"] == "already_in_channel"
    assert client.chat_postMessage(channel=general, text="x")["ok"]


def test_invitations_are_all_or_nothing_unless_forced(client: WebClient, workspace: Workspace) -> None:
    """One bad user refuses the whole invitation; with force the good ones come in."""
    channel = client.conversations_create(name="room")["channel"]["id"]
    alice, bot = workspace.user("alice").id, workspace.bot.id
    gone = workspace.add_user("gone", deleted=True).id
    assert error_of(client.conversations_invite, channel=channel, users=[bot]) == "cant_invite_self"
    assert error_of(client.conversations_invite, channel=channel, users=[alice, gone]) == "user_not_found"
    assert alice not in workspace.channel("room").members
    client.conversations_invite(channel=channel, users=[alice, gone], force=True)
    assert alice in workspace.channel("room").members
    assert error_of(client.conversations_invite, channel=channel, users=[alice]) == "already_in_channel"


def test_a_deactivated_person_is_not_found_by_address(client: WebClient, workspace: Workspace) -> None:
    """Looking up a deactivated or unknown address answers users_not_found."""
    workspace.add_user("gone", deleted=True)
    assert error_of(client.users_lookupByEmail, email="gone@example.com") == "users_not_found"
    assert error_of(client.users_lookupByEmail, email="nobody@example.com") == "users_not_found"


def test_history_is_paged_newest_first_and_hides_replies(client: WebClient, workspace: Workspace) -> None:
    """History comes newest first, page by page, without replies; a thread comes parent first."""
    posted = [client.chat_postMessage(channel="incidents", text=str(n))["ts"] for n in range(5)]
    client.chat_postMessage(channel="incidents", text="reply", thread_ts=posted[0])
    channel = workspace.channel("incidents").id
    pages = [[m["text"] for m in page["messages"]] for page in client.conversations_history(channel=channel, limit=2)]
    assert pages == [["4", "3"], ["2", "1"], ["0"]]
    thread = client.conversations_replies(channel=channel, ts=posted[0])["messages"]
    assert [m["text"] for m in thread] == ["0", "reply"]
    assert thread[0]["reply_count"] == 1
    assert error_of(client.conversations_replies, channel=channel, ts="1.000000") == "thread_not_found"


def test_history_keeps_to_its_window(client: WebClient, workspace: Workspace) -> None:
    """oldest and latest leave their own message out unless inclusive is asked for."""
    channel = workspace.channel("incidents").id
    stamps = [client.chat_postMessage(channel="incidents", text=str(n))["ts"] for n in range(4)]
    window = {"channel": channel, "oldest": stamps[0], "latest": stamps[2]}
    assert [m["text"] for m in client.conversations_history(**window)["messages"]] == ["1"]
    assert [m["text"] for m in client.conversations_history(**window, inclusive=True)["messages"]] == ["2", "1", "0"]


def test_metadata_comes_back_only_when_asked_for(client: WebClient, workspace: Workspace) -> None:
    """A message's metadata is shown in history with include_all_metadata only."""
    channel = workspace.channel("incidents").id
    metadata = {"event_type": "sitrep_delivery", "event_payload": {"key": "d-1"}}
    client.chat_postMessage(channel=channel, text="x", metadata=metadata)
    assert "metadata" not in client.conversations_history(channel=channel)["messages"][0]
    shown = client.conversations_history(channel=channel, include_all_metadata=True)["messages"][0]
    assert shown["metadata"] == metadata


@pytest.mark.parametrize("metadata", [{"event_type": "x"}, {"event_type": "x", "event_payload": "y"}, "{", {"a": 1}])
def test_malformed_metadata_is_refused(client: WebClient, metadata: Any) -> None:
    """Metadata needs an event_type and an event_payload."""
    assert error_of(client.chat_postMessage, channel="incidents", text="x", metadata=metadata) == (
        "invalid_metadata_format"
    )


def test_messages_have_limits(client: WebClient, workspace: Workspace) -> None:
    """Empty and overlong texts are refused, and an update takes less than a post."""
    channel = workspace.channel("incidents").id
    assert error_of(client.api_call, "chat.postMessage", json={"channel": channel}) == "no_text"
    assert error_of(client.chat_postMessage, channel=channel, text="x" * 40_001) == "msg_too_long"
    ts = client.chat_postMessage(channel=channel, text="x")["ts"]
    assert error_of(client.chat_update, channel=channel, ts=ts, text="x" * 4_001) == "msg_too_long"


def test_only_own_messages_can_be_updated(client: WebClient, workspace: Workspace) -> None:
    """The bot can change what it said, not what others said, nor what is not there."""
    channel = workspace.channel("incidents").id
    theirs = workspace.post("incidents", "alice", "mine").ts
    assert error_of(client.chat_update, channel=channel, ts=theirs, text="y") == "cant_update_message"
    assert error_of(client.chat_update, channel=channel, ts="1.000000", text="y") == "message_not_found"
    assert error_of(client.chat_delete, channel=channel, ts=theirs) == "cant_delete_message"


def test_an_update_follows_slacks_rule_for_blocks(client: WebClient, workspace: Workspace) -> None:
    """A text alone removes the old blocks and shows as edited; new blocks do not show as edited."""
    channel = workspace.channel("incidents").id
    blocks = [{"type": "divider"}]
    ts = client.chat_postMessage(channel=channel, text="a", blocks=blocks)["ts"]
    client.chat_update(channel=channel, ts=ts, text="b", blocks=blocks)
    message = workspace.messages("incidents")[-1]
    assert (message.text, len(message.blocks), message.edited) == ("b", 1, None)
    client.chat_update(channel=channel, ts=ts, text="c")
    assert (message.text, message.blocks) == ("c", [])
    assert message.edited is not None


def test_invalid_blocks_name_the_place(client: WebClient) -> None:
    """A refused block is named by a pointer in response_metadata."""
    blocks = [{"type": "divider"}, {"type": "section", "text": {"type": "mrkdwn", "text": "x" * 3001}}]
    with pytest.raises(SlackApiError) as caught:
        client.chat_postMessage(channel="incidents", text="x", blocks=blocks)
    answer = caught.value.response
    assert answer["error"] == "invalid_blocks"
    assert "json-pointer:/blocks/1/text/text" in answer["response_metadata"]["messages"][0]


def test_pins_reactions_and_topics_refuse_what_slack_refuses(client: WebClient, workspace: Workspace) -> None:
    """A second pin or reaction, an overlong topic and an unknown message are refused."""
    channel = workspace.channel("incidents").id
    ts = client.chat_postMessage(channel=channel, text="x")["ts"]
    client.pins_add(channel=channel, timestamp=ts)
    client.reactions_add(channel=channel, timestamp=ts, name="eyes")
    assert error_of(client.pins_add, channel=channel, timestamp=ts) == "already_pinned"
    assert error_of(client.reactions_add, channel=channel, timestamp=ts, name="eyes") == "already_reacted"
    assert error_of(client.pins_add, channel=channel, timestamp="1.000000") == "message_not_found"
    assert error_of(client.conversations_setTopic, channel=channel, topic="x" * 251) == "too_long"
    assert client.pins_list(channel=channel)["items"][0]["message"]["text"] == "x"


def test_an_ephemeral_message_is_for_one_member(client: WebClient, workspace: Workspace) -> None:
    """An ephemeral message is seen by its addressee only, who must be in the channel, and is in no history."""
    channel, alice = workspace.channel("incidents").id, workspace.user("alice").id
    outsider = workspace.add_user("erin").id
    client.chat_postEphemeral(channel=channel, user=alice, text="psst")
    assert workspace.texts("incidents") == []
    assert workspace.texts("incidents", user="alice") == ["psst"]
    assert client.conversations_history(channel=channel)["messages"] == []
    assert error_of(client.chat_postEphemeral, channel=channel, user=outsider, text="x") == "user_not_in_channel"


def test_a_file_is_uploaded_and_shared(client: WebClient, server: SandboxServer) -> None:
    """The official client's upload puts a downloadable file into the channel."""
    channel = server.workspace.channel("incidents").id
    client.files_upload_v2(channel=channel, filename="timeline.md", content="# Timeline", initial_comment="Here")
    message = server.workspace.messages("incidents")[-1]
    assert (message.text, message.files[0].name) == ("Here", "timeline.md")
    assert httpx.get(message.files[0].url).text == "# Timeline"
    assert client.files_info(file=message.files[0].id)["file"]["size"] == 10


def test_people_and_groups_can_be_listed(client: WebClient, workspace: Workspace) -> None:
    """Users are paged with a cursor, and groups show their members."""
    group = workspace.add_usergroup("sre", ["alice", "bob"])
    names = [u["name"] for page in client.users_list(limit=2) for u in page["members"]]
    assert names == ["sitrep", "alice", "bob", "charlie", "dana"]
    assert client.usergroups_list()["usergroups"][0]["handle"] == "sre"
    assert client.usergroups_users_list(usergroup=group.id)["users"] == group.users
    assert error_of(client.usergroups_users_list, usergroup="S0") == "no_such_subteam"


def test_a_permalink_leads_to_the_page(client: WebClient, server: SandboxServer) -> None:
    """A permalink opens the sandbox's own page at that message."""
    ts = client.chat_postMessage(channel="incidents", text="x")["ts"]
    channel = server.workspace.channel("incidents").id
    link = client.chat_getPermalink(channel=channel, message_ts=ts)["permalink"]
    assert link.startswith(server.url)
    assert httpx.get(link).headers["location"] == f"/?channel=incidents#m{ts.replace('.', '')}"


def test_a_direct_message_goes_to_one_person(client: WebClient, workspace: Workspace) -> None:
    """A direct conversation is opened once and also by posting to the user's id."""
    alice = workspace.user("alice").id
    opened = client.conversations_open(users=[alice])["channel"]["id"]
    assert client.chat_postMessage(channel=alice, text="page")["channel"] == opened
    assert workspace.texts(opened) == ["page"]

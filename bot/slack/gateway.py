"""Slack's Web API as idempotent operations: each may be repeated after an unknown outcome and acts once."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Mapping, Sequence
from contextlib import suppress
from dataclasses import dataclass
from typing import Any, Protocol

import aiohttp
from slack_sdk.web.async_client import AsyncWebClient

from bot import lease, telemetry
from bot.errors import OutwardError, Permanent, Retryable
from bot.lease import LeaseLost
from bot.slack.blocks import fit
from bot.slack.faults import FIXES, sort, words
from bot.slack.throttles import UNSAID, Throttles, key_of

METADATA = "sitrep_delivery"
TIMEOUT = 10.0  # seconds for one call
PAGE = 200
MOST = 999  # channels that Slack lists in one call
LOOK_BACK_PAGES = 5  # how far a lost message is looked for: 1,000 messages
MAX_SUFFIX = 20
# An invitation that fails for these fails for everybody: it is the channel, or the app.
NOT_THEIRS = frozenset({"channel_not_found", "is_archived", "not_in_channel", "missing_scope"})
IS_THERE = frozenset({"already_in_channel", "cant_invite_self"})  # an invitation that nobody needs


@dataclass(frozen=True, slots=True)
class Posted:
    """Where a message is."""

    channel: str
    ts: str


async def _before_it_is_sent(_session: aiohttp.ClientSession, _context: Any, _params: Any) -> None:
    """Look once more right before a request's only write: head and body of what we send go out in one."""
    lease.check()


class Channels(Protocol):
    """Where the ids of channels are kept by name: listing a workspace's channels can take minutes under its limit."""

    async def recall(self, name: str) -> str:
        """Return what is kept; empty where nothing is."""
        ...

    async def keep(self, name: str, channel: str) -> None:
        """Keep it; an empty id forgets."""
        ...


class Gateway:
    """Calls Slack. Its own retries are off: the outbox owns them."""

    def __init__(self, token: str, base_url: str, throttles: Throttles) -> None:
        self.throttles = throttles
        self._token = token
        self._base_url = base_url
        self._client: AsyncWebClient | None = None
        self._session: aiohttp.ClientSession | None = None
        self._me: dict[str, str] | None = None
        self.kept: Channels | None = None
        self._channels: dict[str, str] = {}
        self._listing = asyncio.Lock()
        self._cursor: str | None = None

    @property
    def client(self) -> AsyncWebClient:
        """The SDK's client, made on the running event loop."""
        if self._client is None:
            # A process that stalls while it connects must not send what another one has taken over meanwhile.
            tracing = aiohttp.TraceConfig()
            tracing.on_request_chunk_sent.append(_before_it_is_sent)
            self._session = aiohttp.ClientSession(
                timeout=aiohttp.ClientTimeout(total=TIMEOUT),
                connector=aiohttp.TCPConnector(limit=64),
                trace_configs=[tracing],
            )
            self._client = AsyncWebClient(
                token=self._token,
                base_url=self._base_url,
                retry_handlers=[],
                session=self._session,
                timeout=int(TIMEOUT),
            )
        return self._client

    async def close(self) -> None:
        """Close the connections."""
        if self._session:
            await self._session.close()

    async def call(self, method: str, **args: Any) -> dict[str, Any]:
        """Call a method by its name, such as `chat.postMessage`; arguments that are None are left out.

        Raises:
            OutwardError: by what became of it.
            LeaseLost: it may be another replica's to make.
        """
        throttle = key_of(method, args.get("channel"))
        if wait := self.throttles.left(throttle):
            raise Retryable("slack_throttled", f"{method} waits", after=wait)
        lease.check()
        # The SDK's own function knows which verb and encoding the method takes.
        function = getattr(self.client, method.replace(".", "_"))
        with telemetry.outward_call("slack", method):
            try:
                response = await function(**{k: v for k, v in args.items() if v is not None})
            except Exception as error:
                if isinstance(error.__cause__, LeaseLost):
                    raise error.__cause__ from None
                raise self._heed(sort(error, method), throttle) from error
        return dict(response.data) if isinstance(response.data, dict) else {}

    def _heed(self, outcome: OutwardError, throttle: str) -> OutwardError:
        if isinstance(outcome, Retryable) and outcome.reason == "slack_throttled":
            outcome.throttle = throttle
            outcome.after = UNSAID if outcome.after is None else outcome.after
            self.throttles.put(throttle, outcome.after)
        return outcome

    async def pages(self, method: str, key: str, **args: Any) -> AsyncIterator[list[dict[str, Any]]]:
        """Give a listing page by page."""
        cursor = None
        while True:
            answer = await self.call(method, cursor=cursor, limit=PAGE, **args)
            yield answer.get(key) or []
            cursor = (answer.get("response_metadata") or {}).get("next_cursor")
            if not cursor:
                return

    async def me(self) -> dict[str, str]:
        """Who the bot is: user_id, bot_id, team_id, url."""
        if self._me is None:
            answer = await self.call("auth.test")
            self._me = {k: str(v) for k, v in answer.items() if isinstance(v, str)}
        return self._me

    # Channels

    async def open_channel(self, name: str, *, maybe_done: bool, private: bool = False) -> tuple[str, str]:
        """Create an incident's channel; gives its id and name.

        A channel that already has the name is taken over only after an attempt whose outcome is unknown, and only
        if this bot made it and has posted nothing in it. Otherwise the name gets a suffix.
        """
        for suffix in range(1, MAX_SUFFIX + 1):
            candidate = name if suffix == 1 else f"{name}-{suffix}"
            try:
                answer = await self.call("conversations.create", name=candidate, is_private=private or None)
            except Permanent as error:
                if error.reason != "name_taken":
                    raise
            else:
                return str(answer["channel"]["id"]), candidate
            if maybe_done and (found := await self._ours(candidate)):
                return found, candidate
        raise Permanent("name_taken", "Rename or archive the channels that begin with this name.", name)

    async def _ours(self, name: str) -> str | None:
        me = (await self.me()).get("user_id")
        async for channels in self._rooms():
            for channel in channels:
                if channel.get("name") != name:
                    continue
                if channel.get("creator") != me:
                    return None
                # Before its opening is known to us nothing of ours can be in it: what is there is another incident's.
                used = [ts async for ts, _ in self._marked(str(channel["id"]), None)]
                return None if used else str(channel["id"])
        return None

    def _rooms(self) -> AsyncIterator[list[dict[str, Any]]]:
        types = "public_channel,private_channel"
        return self.pages("conversations.list", "channels", types=types, exclude_archived=True)

    async def channel_id(self, name: str) -> str:
        """Give the id of a channel by its name (or id).

        Raises:
            Permanent: the bot sees no such channel.
        """
        if name[:1] in {"C", "G"} and name.isalnum() and name.isupper():
            return name
        async with self._listing:  # many ask for the same at once
            if name not in self._channels and self.kept is not None and (kept := await self.kept.recall(name)):
                self._channels[name] = kept
            if name not in self._channels:
                await self._list_until(name)
                if name not in self._channels:
                    fix = f"Create #{name} and invite the bot, or name another channel in SITREP_CONFIG."
                    raise Permanent("channel_not_found", fix)
                if self.kept is not None:
                    await self.kept.keep(name, self._channels[name])
        return self._channels[name]

    async def _list_until(self, name: str) -> None:
        """List channels until one of that name is there; a listing that was broken off goes on where it was."""
        begun_at = self._cursor
        while True:
            answer = await self._list_rooms(self._cursor)
            self._channels.update({str(c["name"]): str(c["id"]) for c in answer.get("channels") or []})
            self._cursor = (answer.get("response_metadata") or {}).get("next_cursor") or None
            if name in self._channels:
                self._cursor = None
                return
            if self._cursor is None and begun_at is None:
                return
            if self._cursor is None:
                begun_at = None  # what is before it has not been seen lately

    async def _list_rooms(self, cursor: str | None) -> dict[str, Any]:
        types = "public_channel,private_channel"
        try:
            return await self.call("conversations.list", types=types, exclude_archived=True, cursor=cursor, limit=MOST)
        except Permanent as error:
            if cursor is None or error.reason != "invalid_cursor":
                raise
            self._cursor = None  # too old: begin anew
            return await self._list_rooms(None)

    async def _forget(self, channel: str) -> None:
        """Look a channel up anew the next time: under its name there may be another one by now."""
        for name in [name for name, known in self._channels.items() if known == channel]:
            del self._channels[name]
            if self.kept is not None:
                await self.kept.keep(name, "")

    async def _inside(self, method: str, *, channel: str, **args: Any) -> dict[str, Any]:
        """Call a method that takes a member of the channel; where the bot is none any more it joins again first.

        Raises:
            OutwardError: as `call`; `not_in_channel` where it may not join.
        """
        try:
            return await self.call(method, channel=channel, **args)
        except Permanent as error:
            if error.reason != "not_in_channel":
                raise
        try:
            await self.call("conversations.join", channel=channel)
        except Permanent as error:
            if error.reason in {"is_archived", "channel_not_found"}:
                raise
            fix = error.fix if error.reason == "missing_scope" else FIXES["not_in_channel"]
            raise Permanent("not_in_channel", fix, words(error)) from error
        return await self.call(method, channel=channel, **args)

    async def about(self, channel: str) -> dict[str, Any]:
        """Return what Slack tells of a channel; empty where the bot may not ask.

        Raises:
            OutwardError: Slack did not answer, or there is no such channel for the bot.
        """
        try:
            return dict((await self.call("conversations.info", channel=channel)).get("channel") or {})
        except Permanent as error:
            if error.reason != "missing_scope":
                raise
            return {}

    async def unarchive(self, channel: str) -> None:
        """Bring an archived channel back; one that is not archived stays as it is."""
        try:
            await self.call("conversations.unarchive", channel=channel)
        except Permanent as error:
            if error.reason != "not_archived":
                raise

    async def set_topic(self, channel: str, topic: str) -> str:
        """Set a channel's topic unless it is set already (each change is announced in it); returns the channel's name.

        The name is empty where Slack does not tell it.
        """
        name = ""
        with suppress(Permanent):  # what is wrong with the channel is told by the call that matters
            info = await self.about(channel)
            name = str(info.get("name") or "")
            if (info.get("topic") or {}).get("value") == topic and not info.get("is_archived"):
                return name
        await self._inside("conversations.setTopic", channel=channel, topic=topic)
        return name

    async def invite(self, channel: str, users: Sequence[str]) -> list[tuple[str, str]]:
        """Invite people; returns each one who could not be invited, with Slack's error code."""
        if len(users) > 1:
            try:
                answer = await self._inside("conversations.invite", channel=channel, users=",".join(users), force=True)
            except Permanent:
                pass  # Slack refuses all of them: go one by one, to hear why
            else:
                refused = [(str(e.get("user")), str(e.get("error"))) for e in answer.get("errors") or []]
                return [(user, error) for user, error in refused if error not in IS_THERE]
        problems = []
        for user in users:
            try:
                await self._inside("conversations.invite", channel=channel, users=user)
            except Permanent as error:
                if error.reason in NOT_THEIRS:
                    raise
                if error.reason not in IS_THERE:
                    problems.append((user, error.reason))
        return problems

    # Messages

    async def post(
        self,
        channel: str,
        text: str,
        blocks: Sequence[Mapping[str, Any]] | None,
        *,
        key: str,
        number: str = "",
        thread_ts: str | None = None,
        maybe_done: bool = False,
    ) -> Posted:
        """Post a message; after an unknown outcome it is looked for by its key first."""
        if maybe_done and (found := await self.find(channel, key, thread_ts)):
            return Posted(channel, found)
        args: dict[str, Any] = {
            "channel": channel,
            "text": text,
            "blocks": fit(blocks) if blocks else None,
            "thread_ts": thread_ts,
            "unfurl_links": False,
            "unfurl_media": False,
            "metadata": {"event_type": METADATA, "event_payload": {"key": key, "incident": number}},
        }
        try:
            answer = await self._inside("chat.postMessage", **args)
        except Permanent as error:
            if error.reason in {"channel_not_found", "is_archived"}:
                await self._forget(channel)
            raise
        return Posted(str(answer.get("channel") or channel), str(answer["ts"]))

    async def edit(
        self, posted: Posted, text: str, blocks: Sequence[Mapping[str, Any]] | None, *, key: str, number: str = ""
    ) -> None:
        """Replace a message's content. It can still be found by the key it was posted with."""
        try:
            await self._inside(
                "chat.update",
                channel=posted.channel,
                ts=posted.ts,
                text=text,
                blocks=fit(blocks) if blocks else None,
                metadata={"event_type": METADATA, "event_payload": {"key": key, "incident": number}},
            )
        except Permanent as error:
            if error.reason != "no_text":  # an identical update
                raise

    async def delete(self, posted: Posted) -> None:
        """Delete a message; one that is gone already stays gone."""
        try:
            await self.call("chat.delete", channel=posted.channel, ts=posted.ts)
        except Permanent as error:
            if error.reason != "message_not_found":
                raise

    async def find(self, channel: str, key: str, thread_ts: str | None) -> str | None:
        """Look for a message by its delivery's key; gives its time stamp."""
        async for ts, payload in self._marked(channel, thread_ts):
            if payload.get("key") == key:
                return ts
        return None

    async def _marked(self, channel: str, thread_ts: str | None) -> AsyncIterator[tuple[str, dict[str, Any]]]:
        method = "conversations.replies" if thread_ts else "conversations.history"
        looked = 0
        async for messages in self.pages(method, "messages", channel=channel, ts=thread_ts, include_all_metadata=True):
            for message in messages:
                metadata = message.get("metadata") or {}
                if metadata.get("event_type") == METADATA:
                    yield str(message["ts"]), dict(metadata.get("event_payload") or {})
            looked += 1
            if looked >= LOOK_BACK_PAGES:
                return

    async def pin(self, posted: Posted) -> None:
        """Pin a message."""
        try:
            await self._inside("pins.add", channel=posted.channel, timestamp=posted.ts)
        except Permanent as error:
            if error.reason != "already_pinned":
                raise

    async def direct(self, user: str) -> str:
        """Open the direct messages with somebody; gives the channel's id."""
        answer = await self.call("conversations.open", users=user)
        return str(answer["channel"]["id"])

    async def whisper(
        self,
        channel: str,
        user: str,
        text: str,
        thread_ts: str | None = None,
        blocks: Sequence[Mapping[str, Any]] | None = None,
    ) -> None:
        """Show a message to one person; it can't be looked for, so it goes out at most once.

        Where they asked from no channel (the Home, a global shortcut), or from one that the bot cannot write in, it
        comes as a direct message.
        """
        shown = fit(blocks) if blocks else None
        if channel and channel != user:
            try:
                await self.call(
                    "chat.postEphemeral", channel=channel, user=user, text=text, blocks=shown, thread_ts=thread_ts
                )
            except Permanent as error:
                if error.reason not in {"not_in_channel", "channel_not_found", "user_not_in_channel", "is_archived"}:
                    raise
            else:
                return
        await self.call("chat.postMessage", channel=await self.direct(user), text=text, blocks=shown)

    async def put_file(self, filename: str, content: bytes) -> str:
        """Upload a file that nobody sees yet; gives its id."""
        answer = await self.call("files.getUploadURLExternal", filename=filename, length=len(content))
        client = self.client
        assert client.session is not None  # noqa: S101 - made with the client
        with telemetry.outward_call("slack", "files.upload"):
            try:
                async with client.session.post(str(answer["upload_url"]), data=content) as response:
                    response.raise_for_status()
            except Exception as error:
                raise sort(error, "file upload") from error
        return str(answer["file_id"])

    async def share_file(
        self, file_id: str, title: str, channel: str, comment: str, thread_ts: str | None, *, maybe_done: bool
    ) -> None:
        """Show an uploaded file in a channel; after an unknown outcome it is looked for first."""
        if maybe_done:
            method = "conversations.replies" if thread_ts else "conversations.history"
            async for messages in self.pages(method, "messages", channel=channel, ts=thread_ts):
                if any(f.get("id") == file_id for m in messages for f in m.get("files") or []):
                    return
                break  # it was shared just now: the first page holds it
        await self.call(
            "files.completeUploadExternal",
            files=[{"id": file_id, "title": title}],
            channel_id=channel,
            initial_comment=comment,
            thread_ts=thread_ts,
        )

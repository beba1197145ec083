"""Socket Mode: Slack's requests come over a WebSocket that we open, where nothing from outside can reach us.

The SDK's own client tries a spent ticket for ever, closes a connection before it has the next one, notices a cut one
only at its next ping, and drops the answers under way when it is closed: so this is ours. Bolt takes the requests.
"""

from __future__ import annotations

import asyncio
import json
import time
from collections.abc import Coroutine
from contextlib import suppress
from typing import Any

import aiohttp
import structlog
from slack_bolt.adapter.socket_mode.async_internals import run_async_bolt_app
from slack_bolt.async_app import AsyncApp
from slack_sdk.socket_mode.request import SocketModeRequest

from bot import telemetry
from bot.errors import Permanent
from bot.slack.app_token import TURN_ON, open_connection

log = structlog.get_logger()

PAUSES = (0.0, 0.5, 1.0, 2.0, 5.0, 15.0)  # seconds before the next connection, longer from try to try
SETTLED = 60.0  # seconds that a connection lasts where all is well; shorter ones count as tries
PING = 10.0  # seconds; a connection that leaves a ping unanswered for half as long is given up
LINGER = 30.0  # seconds that a connection which is to end is still listened to, if Slack does not close it
ASK_WITHIN = 15.0  # seconds for Slack to give a ticket, and to take it
ANOTHER_WITHIN = 2.0  # seconds for the next connection to take an answer whose own has ended
ANSWER_WITHIN = 1.0  # seconds for what is under way when the service stops
GOODBYE = 0.5  # seconds for Slack to answer our goodbye
REACH = "Let this machine reach Slack (SLACK_API_URL, HTTPS_PROXY); see https://slack-status.com for outages."

FEWER = "Run fewer processes with this SLACK_APP_TOKEN: Slack keeps 10 connections of one app open."


class SocketMode:
    """Keeps a connection open, and hands what comes to Bolt; each answer goes back after the commit."""

    def __init__(self, bolt: AsyncApp, token: str) -> None:
        self._bolt = bolt
        self._token = token
        self._reading: set[asyncio.Task[None]] = set()
        self._answering: set[asyncio.Task[None]] = set()
        self._newest: aiohttp.ClientWebSocketResponse | None = None
        self._connected = asyncio.Event()

    async def run(self) -> None:
        """Go on until cancelled; what is under way then is answered first."""
        telemetry.SOCKET_MODE_OPEN.set(0)
        async with aiohttp.ClientSession() as session:
            try:
                await self._keep_open(session)
            finally:
                await self._leave()
                telemetry.SOCKET_MODE_OPEN.set(-1)

    async def _keep_open(self, session: aiohttp.ClientSession) -> None:
        tries = 0
        while True:
            began = time.monotonic()
            wait = PAUSES[min(tries, len(PAUSES) - 1)]
            try:
                async with asyncio.timeout(ASK_WITHIN):
                    socket = await self._connect(session)
            except Exception as error:  # noqa: BLE001 - whatever it is, it is said and tried again
                wait = getattr(error, "after", None) or max(wait, PAUSES[1])
                fix = error.fix if isinstance(error, Permanent) else REACH
                reason = str(error) or type(error).__name__
                log.warning("socket_mode_failed", reason=reason, fix=fix, again_in_seconds=wait)
            else:
                self._newest = socket
                self._connected.set()
                telemetry.SOCKET_MODE_OPEN.set(1)
                ending = asyncio.Event()
                self._begin(self._reading, self._read(socket, ending))
                await ending.wait()
                if time.monotonic() - began > SETTLED:
                    tries, wait = 0, PAUSES[0]
            tries += 1
            await asyncio.sleep(wait)

    async def _connect(self, session: aiohttp.ClientSession) -> aiohttp.ClientWebSocketResponse:
        client = self._bolt.client
        ticket = await open_connection(client, self._token)
        if ticket.is_off:
            log.error("socket_mode_is_off", fix=TURN_ON)
        return await session.ws_connect(
            ticket.url,
            heartbeat=PING,
            timeout=aiohttp.ClientWSTimeout(ws_close=GOODBYE),
            proxy=client.proxy,
            ssl=client.ssl if client.ssl is not None else True,
        )

    async def _read(self, socket: aiohttp.ClientWebSocketResponse, ending: asyncio.Event) -> None:
        """Take what comes until the connection ends; one that is to end is read on beside the next."""
        try:
            async with asyncio.timeout(None) as limit:
                async for message in socket:
                    said = _read_object(message)
                    if said.get("type") == "hello":
                        log.info("socket_mode_open", connections=said.get("num_connections"))
                    elif said.get("type") == "disconnect":
                        self._told_to_go(str(said.get("reason")))
                        ending.set()
                        limit.reschedule(asyncio.get_running_loop().time() + LINGER)
                    elif (request := SocketModeRequest.from_dict(said)) is not None:
                        self._begin(self._answering, self._answer(socket, request))
        except TimeoutError:
            pass
        finally:
            if self._newest is socket:
                self._connected.clear()
                telemetry.SOCKET_MODE_OPEN.set(0)
            ending.set()
            await socket.close()

    def _told_to_go(self, reason: str) -> None:
        if reason == "link_disabled":
            log.error("socket_mode_is_off", fix=TURN_ON)
        elif reason == "too_many_websockets":
            log.error("socket_mode_is_full", fix=FEWER)
        else:
            log.info("socket_mode_refreshed", reason=reason)

    async def _answer(self, socket: aiohttp.ClientWebSocketResponse, request: SocketModeRequest) -> None:
        try:
            response = await run_async_bolt_app(self._bolt, request)
            if response.status != 200:  # the person is told by Slack, and an event comes again
                log.warning("socket_mode_unanswered", type=request.type, status=response.status)
                return
            answer: dict[str, Any] = {"envelope_id": request.envelope_id}
            if response.body and request.accepts_response_payload:
                is_json = response.headers.get("content-type", [""])[0].startswith("application/json")
                answer["payload"] = json.loads(response.body) if is_json else {"text": response.body}
            await self._send(socket, json.dumps(answer))
        except (ConnectionError, TimeoutError):
            log.warning("socket_mode_answer_lost", type=request.type)
        except Exception:
            log.exception("socket_mode_request_failed", type=request.type)

    async def _send(self, socket: aiohttp.ClientWebSocketResponse, answer: str) -> None:
        """Send by the connection that asked or, where it has ended meanwhile, by the next."""
        with suppress(ConnectionError):
            await socket.send_str(answer)
            return
        async with asyncio.timeout(ANOTHER_WITHIN):
            await self._connected.wait()
            if self._newest is not None:
                await self._newest.send_str(answer)

    def _begin(self, tasks: set[asyncio.Task[None]], work: Coroutine[Any, Any, None]) -> None:
        task = asyncio.create_task(work)
        tasks.add(task)
        task.add_done_callback(tasks.discard)

    async def _leave(self) -> None:
        if self._answering:
            await asyncio.wait(self._answering, timeout=ANSWER_WITHIN)
        for reading in self._reading:
            reading.cancel()
        if self._reading:
            await asyncio.wait(self._reading)


def _read_object(message: aiohttp.WSMessage) -> dict[str, Any]:
    if message.type is not aiohttp.WSMsgType.TEXT:
        return {}
    try:
        said = json.loads(message.data)
    except ValueError:
        return {}
    return said if isinstance(said, dict) else {}

"""Slack: the tokens, the scopes, the channels, the clock, the slash command."""

from __future__ import annotations

import asyncio
from collections.abc import Iterator, Mapping
from contextlib import suppress
from datetime import UTC
from email.utils import parsedate_to_datetime
from typing import Any
from urllib.parse import urlsplit

from slack_sdk.errors import SlackApiError

from bot.clock import Clock
from bot.config import Config
from bot.doctor import names
from bot.doctor.finding import Finding, Findings, clocks, fault, off, ok, within
from bot.errors import Permanent
from bot.manifest import ANY_HOST, PATH, SCOPES
from bot.settings import Settings
from bot.slack import app_token
from bot.slack.faults import sort
from bot.slack.gateway import Gateway

TOKEN, SCOPE, CHANNELS, APP_TOKEN = "slack token", "slack scope", "slack channels", "slack app token"
PAGE = 1000  # the most that Slack lists at once
CLOCK_FIX = "Set this machine's clock by NTP: Slack's requests are refused once it is 5 minutes off."
SCOPE_FIX = "Add it under OAuth & Permissions and reinstall the app."
UNASKED = "not checked: fix the slack token first"


class Slack:
    """Asks Slack, once, and reads."""

    def __init__(self, settings: Settings, gateway: Gateway, clock: Clock) -> None:
        self._settings = settings
        self._gateway = gateway
        self._clock = clock
        self._headers: Mapping[str, str] = {}
        self._asked_at = clock.now()
        self._is_let_in = False

    async def look(self) -> Findings:
        """Check all; what hangs on the token is not asked where the token is refused."""
        host = urlsplit(self._settings.slack_api_url).hostname
        reach = f"Let this machine reach {host}; see https://slack-status.com for outages."
        token, sockets = await asyncio.gather(
            within(TOKEN, reach, lambda: self._token(reach)), within(APP_TOKEN, reach, self._app_token)
        )
        found = [*token, *sockets, *self._scopes(), self._clocks()]
        if not self._is_let_in:
            return [*found, off(CHANNELS, UNASKED), off(names.NAME, UNASKED)]
        slow = "Run `sitrep doctor` again. Channels named by ID (SITREP_CONFIG) are found faster."
        channels, people = await asyncio.gather(
            within(CHANNELS, slow, self._channels), within(names.NAME, names.SLOW, self._names)
        )
        return [*found, *channels, *people]

    async def _names(self) -> Findings:
        specs = sorted(self._settings.config.people)
        return await names.look(self._gateway, self._settings.database_url, specs, self._clock.now())

    async def _token(self, reach: str) -> Findings:
        try:
            answer = await self._gateway.client.auth_test()
        except Exception as error:  # noqa: BLE001 - sorted, and raised again where it is not Slack's
            if isinstance(error, SlackApiError):
                self._take(getattr(error.response, "headers", None))
            outcome = sort(error, "auth.test")
            if isinstance(outcome, Permanent):
                return [fault(TOKEN, f"Slack refuses SLACK_BOT_TOKEN: {outcome}", outcome.fix)]
            return [fault(TOKEN, f"Slack does not answer: {outcome}", reach)]
        self._take(answer.headers)
        self._is_let_in = True
        return [ok(TOKEN, f"@{answer.get('user')} in {answer.get('team')}")]

    def _take(self, headers: Any) -> None:
        self._headers = {str(name).lower(): str(value) for name, value in dict(headers or {}).items()}
        self._asked_at = self._clock.now()

    async def _app_token(self) -> Findings:
        """Ask for a connection, and leave it unused: a ticket alone counts for nothing."""
        token = self._settings.slack_app_token
        if token is None:
            return []
        if not token.get_secret_value().startswith("xapp-"):
            fix = "Set SLACK_APP_TOKEN to an app-level token (Basic Information), or unset it."
            return [fault(APP_TOKEN, "it does not begin with xapp-", fix)]
        ticket = await app_token.open_connection(self._gateway.client, token.get_secret_value())
        if ticket.is_off:
            return [fault(APP_TOKEN, "Socket Mode is not turned on", app_token.TURN_ON)]
        return [ok(APP_TOKEN, "it opens Socket Mode")]

    def _granted(self) -> set[str] | None:
        told = self._headers.get("x-oauth-scopes")
        return None if told is None else {scope.strip() for scope in told.split(",")}

    def _scopes(self) -> Iterator[Finding]:
        granted = self._granted()
        if granted is None:
            yield off(SCOPE, "not checked: Slack did not list the granted scopes" if self._is_let_in else UNASKED)
            return
        missing = [scope for scope in SCOPES if scope not in granted]
        for scope in missing:
            yield fault(f"{SCOPE} {scope}", f"the scope is missing; Sitrep needs it for {SCOPES[scope]}", SCOPE_FIX)
        if not missing:
            yield ok(SCOPE, f"all {len(SCOPES)} are granted")

    def _clocks(self) -> Finding:
        with suppress(KeyError, ValueError):
            theirs = parsedate_to_datetime(self._headers["date"])
            return clocks("Slack", self._asked_at, theirs.replace(tzinfo=theirs.tzinfo or UTC), CLOCK_FIX)
        return off("clock against Slack", "not checked: Slack did not tell the time")

    async def _channels(self) -> Findings:
        wanted = channels(self._settings.config)
        seen = {name: channel for name in wanted if _is_id(name) and (channel := await self._one(name))}
        names = {name for name in wanted if not _is_id(name)}
        for exclude_archived in (True, False):
            if missing := names - set(seen):
                seen |= await self._see(missing, exclude_archived=exclude_archived)
        return [self._channel(name, keys, seen.get(name)) for name, keys in wanted.items()]

    async def _one(self, channel: str) -> dict[str, Any] | None:
        """Give a channel by its id; None where the bot sees none."""
        try:
            return dict((await self._gateway.call("conversations.info", channel=channel))["channel"])
        except Permanent as error:
            if error.reason != "channel_not_found":
                raise
            return None

    async def _see(self, wanted: set[str], *, exclude_archived: bool) -> dict[str, dict[str, Any]]:
        """List what the bot sees until all that are wanted are found, by name."""
        found: dict[str, dict[str, Any]] = {}
        cursor = None
        while True:
            answer = await self._gateway.call(
                "conversations.list",
                types="public_channel,private_channel",
                exclude_archived=exclude_archived,
                limit=PAGE,
                cursor=cursor,
            )
            for channel in answer.get("channels") or []:
                if channel.get("name") in wanted:
                    found[str(channel["name"])] = channel
            cursor = (answer.get("response_metadata") or {}).get("next_cursor")
            if not cursor or wanted <= set(found):
                return found

    def _channel(self, name: str, keys: str, channel: Mapping[str, Any] | None) -> Finding:
        title = f"slack channel {name if _is_id(name) else f'#{name}'} ({keys})"
        if channel is None:
            fix = f"Create it, or invite the bot if it is private (/invite @Sitrep), or correct {keys} (SITREP_CONFIG)."
            return fault(title, "no such channel, or the bot can't see it", fix)
        if channel.get("is_archived"):
            return fault(title, "it is archived", f"Unarchive it, or name another one in {keys} (SITREP_CONFIG).")
        if channel.get("is_member"):
            return ok(title, "the bot is in it")
        granted = self._granted()
        if granted is None or "channels:join" in granted:
            return ok(title, "the bot joins it with its first message")
        return fault(
            title, "the bot is not in the channel and cannot join by itself", "Invite it there: /invite @Sitrep."
        )


def channels(config: Config) -> dict[str, str]:
    """Give the channels that a configuration names, each with its keys."""
    named = [
        ("slack.alerts_channel", config.slack.alerts_channel),
        ("slack.announcements_channel", config.slack.announcements_channel),
        ("slack.operators_channel", config.slack.operators_channel),
        ("runbooks.channel", config.runbooks.channel),
        *((f"runbooks.owners.{team}", channel) for team, channel in config.runbooks.owners.items()),
    ]
    keys: dict[str, list[str]] = {}
    for key, channel in named:
        if channel:
            keys.setdefault(channel, []).append(key)
    return {channel: ", ".join(found) for channel, found in keys.items()}


def command_hint(settings: Settings) -> str:
    """Say what Slack cannot be asked with a bot's token: whether it knows the slash command."""
    command = settings.config.slack.command
    way = "" if settings.slack_app_token else f" with the URL {settings.public_url or ANY_HOST}{PATH}"
    return (
        f"slack command: the doctor can't ask Slack whether {command} exists. The app's manifest must list it{way}: "
        f"compare with `sitrep manifest`, then type `{command} help`."
    )


def _is_id(name: str) -> bool:
    return name[:1] in {"C", "G"} and name.isalnum() and name.isupper()

"""People towards the bot: commands, presses, submissions and events, and what Slack does with the answers.

They go to the app's connections where it uses Socket Mode, else signed to its request URL.
"""

import functools
import json
import ssl
import time
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from typing import Any
from urllib.parse import urlencode

import httpx

from bot.sandbox import answers, payloads, views
from bot.sandbox.asks import Ask
from bot.sandbox.model import Json, Message, SlackError, View
from bot.sandbox.signing import Signing
from bot.sandbox.sockets import Envelope
from bot.sandbox.workspace import Workspace

ACK_SECONDS = 3.0

_SIGNED = Signing()


@dataclass(slots=True)
class Reply:
    """What the bot answered.

    Attributes:
        status: the HTTP status (200 for what was acknowledged over a connection); 0 when there was no answer at all.
        elapsed_seconds: how long the answer took; Slack gives up after 3.
        body: the body as text; `json` is the object in it, if it is one.
        error: why Slack would complain to the person, e.g. `operation_timeout`; None when all is well.
        errors: a submission's validation errors by block id.
    """

    status: int
    elapsed_seconds: float
    body: str
    error: str | None = None
    errors: dict[str, str] = field(default_factory=dict)

    @property
    def ok(self) -> bool:
        """Answered with 200 within 3 s."""
        return self.error is None

    @property
    def json(self) -> Json:
        """The object in the body; empty when there is none."""
        try:
            value = json.loads(self.body)
        except ValueError:
            return {}
        return value if isinstance(value, dict) else {}


@functools.cache
def _certificates() -> ssl.SSLContext:
    """Read the certificates once for all senders, when first needed: it takes longer than starting a whole server."""
    return httpx.create_ssl_context(trust_env=False)


class Sender:
    """Acts for the people of a workspace; users and channels are ids or names. Blocking: use `asyncio.to_thread`.

    Whoever says how a request is to be signed (`signing`) sends it over HTTP, whatever the app uses.

    Args:
        workspace: whose people they are.
        bot_url: the bot's base URL, or a callable that knows it; requests go to `<bot_url>/slack/events`.
        timeout: seconds until a request is given up (Slack itself stops caring after 3).
    """

    def __init__(self, workspace: Workspace, bot_url: str | Callable[[], str | None], timeout: float = 10.0) -> None:
        self._ws = workspace
        self._bot_url = bot_url
        self._timeout = timeout

    @functools.cached_property
    def _client(self) -> httpx.Client:
        return httpx.Client(timeout=self._timeout, trust_env=False, verify=_certificates())

    def close_client(self) -> None:
        """Close the HTTP connections; the next request opens new ones."""
        if client := self.__dict__.pop("_client", None):
            client.close()

    # -- commands and buttons ---------------------------------------------------------------------------------

    def slash(
        self, user: str, channel: str, text: str, command: str = "/incident", *, signing: Signing | None = None
    ) -> Reply:
        """Type a slash command; a text or blocks in the answer are shown in that channel."""
        person, place = self._ws.user(user), self._ws.channel(channel)
        ask = Ask(place.id, said=f"{command} {text}".strip())
        self._ws.asks.note(person.id, ask)
        form = payloads.slash_command(self._ws, person, place, command, text)
        reply = self._send(Envelope("slash_commands", form), signing)
        if reply.ok:
            answers.show(self._ws, person.id, place.id, reply.json or {"text": reply.body}, ask)
        else:
            note = f"`{command}` failed with the error {reply.error!r}"
            self._ws.post(place.id, self._ws.bot.id, note, ephemeral_to=person.id, answers=ask)
        return reply

    def press(
        self,
        user: str,
        channel: str,
        ts: str,
        action_id: str,
        value: str | None = None,
        *,
        signing: Signing | None = None,
    ) -> Reply:
        """Press a button in a message; `value` tells buttons of the same action apart.

        Raises LookupError when the message has no such button.
        """
        message = self._message(channel, ts)
        block_id, element = find_element(message.blocks, action_id, value)
        entry = payloads.action(element, block_id, None)
        self._note(user, message)
        return self._payload(payloads.message_action(self._ws, self._ws.user(user), message, entry), signing)

    def select(
        self, user: str, channel: str, ts: str, action_id: str, value: Any, *, signing: Signing | None = None
    ) -> Reply:
        """Choose in a select, in checkboxes (a list of values) or in an overflow menu of a message."""
        message = self._message(channel, ts)
        block_id, element = find_element(message.blocks, action_id)
        state = views.chosen_state(element, value)
        if element["type"] != "overflow":
            message.selections.setdefault(block_id, {})[action_id] = state
            self._ws.changed(message)
        entry = payloads.action(element, block_id, state)
        self._note(user, message)
        return self._payload(payloads.message_action(self._ws, self._ws.user(user), message, entry), signing)

    def press_in_view(
        self,
        user: str,
        view_id: str,
        action_id: str,
        value: Any = None,
        *,
        values: Mapping[str, Any] | None = None,
        signing: Signing | None = None,
    ) -> Reply:
        """Press a button or choose `value` in a modal or Home tab; `values` is what the other inputs hold."""
        view = self._ws.views[view_id]
        blocks = view.body["blocks"]
        chosen = chosen_values(blocks, values or {})
        try:
            block_id, element = find_element(blocks, action_id, value if isinstance(value, str) else None)
        except LookupError:
            block_id, element = find_element(blocks, action_id)
        state = None if element["type"] == "button" else views.chosen_state(element, value)
        if state is not None:
            chosen.setdefault(block_id, {})[action_id] = state
        entry = payloads.action(element, block_id, state)
        self._ws.asks.note(self._ws.user(user).id, view.opened_by)
        return self._payload(payloads.view_action(self._ws, self._ws.user(user), view, entry, chosen), signing)

    # -- modals and shortcuts ---------------------------------------------------------------------------------

    def submit(
        self, user: str, view_id: str, values: Mapping[str, Any] | None = None, *, signing: Signing | None = None
    ) -> Reply:
        """Submit a modal and do what the answer says (errors, update, push, clear; an empty one closes it).

        Args:
            user: who submits.
            view_id: which modal.
            values: by `action_id`, `block_id` or `block_id.action_id`: a text, an option's value (a list of them
                for checkboxes), a user id or a timestamp; what is missing keeps its initial value, or null.
            signing: how the request is signed.
        """
        view, person = self._ws.views[view_id], self._ws.user(user)
        self._ws.asks.note(person.id, view.opened_by)
        chosen = chosen_values(view.body["blocks"], values or {})
        reply = self._payload(payloads.view_submission(self._ws, person, view, chosen), signing)
        if reply.ok:
            self._apply(view, person.id, reply)
        return reply

    def _apply(self, view: View, user: str, reply: Reply) -> None:
        answer = reply.json
        try:
            match answer.get("response_action"):
                case None:
                    views.take_off(self._ws, user, view.id)
                case "clear":
                    views.take_off(self._ws, user)
                case "errors":
                    reply.errors = {str(k): str(v) for k, v in answer.get("errors", {}).items()}
                    view.errors = reply.errors
                    known = {block["block_id"] for block in view.body["blocks"] if block["type"] == "input"}
                    if not reply.errors or set(reply.errors) - known:
                        reply.error = "invalid_errors"
                    self._ws.changed(view)
                case "update":
                    views.replace(self._ws, view, views.checked_view(self._ws, answer.get("view"), "modal"))
                case "push":
                    body = views.checked_view(self._ws, answer.get("view"), "modal")
                    views.put_on_screen(self._ws, user, body, fresh=False)
                case _:
                    reply.error = "invalid_response_action"
        except SlackError as error:
            reply.error = f"{error.code}: {'; '.join(error.extra.get('errors', []))}"

    def close(self, user: str, view_id: str, *, cleared: bool = False, signing: Signing | None = None) -> Reply | None:
        """Cancel a modal (`cleared`: the whole stack); the bot hears of it only if it asked to."""
        view, person = self._ws.views[view_id], self._ws.user(user)
        views.take_off(self._ws, person.id, None if cleared else view_id)
        if not view.body.get("notify_on_close"):
            return None
        return self._payload(payloads.view_closed(self._ws, person, view, cleared=cleared), signing)

    def shortcut(
        self,
        user: str,
        callback_id: str,
        channel: str | None = None,
        ts: str | None = None,
        *,
        signing: Signing | None = None,
    ) -> Reply:
        """Use a shortcut: upon a message when `channel` and `ts` are given, else a global one."""
        message = self._message(channel, ts) if channel and ts else None
        self._note(user, message)
        return self._payload(payloads.shortcut(self._ws, self._ws.user(user), callback_id, message), signing)

    # -- events -----------------------------------------------------------------------------------------------

    def event(
        self,
        event: Mapping[str, Any],
        *,
        event_id: str | None = None,
        retry_num: int | None = None,
        retry_reason: str = "timeout",
        signing: Signing | None = None,
    ) -> Reply:
        """Send one event of the Events API; with `retry_num` it says that it comes again, and why."""
        payload = payloads.event_callback(self._ws, dict(event), event_id)
        reason = "" if retry_num is None else retry_reason
        return self._send(Envelope("events_api", payload, accepts=False, retry=retry_num or 0, reason=reason), signing)

    def open_home(self, user: str, *, signing: Signing | None = None) -> Reply:
        """Open the bot's Home tab: `app_home_opened`."""
        person = self._ws.user(user)
        event: Json = {"type": "app_home_opened", "user": person.id, "tab": "home"}
        event["channel"] = self._ws.direct(user).id
        if view := self._ws.home(user):
            event["view"] = view.api()
        return self.event(event, signing=signing)

    def _note(self, user: str, message: Message | None) -> None:
        """Remember what the bot's next word to that person alone answers."""
        ask = (message.answers or Ask(message.channel, ts=message.ts)) if message else None
        self._ws.asks.note(self._ws.user(user).id, ask)

    # -- transport --------------------------------------------------------------------------------------------

    def _message(self, channel: str, ts: str) -> Message:
        message = self._ws.channel(channel).find(ts)
        if message is None:
            raise LookupError(f"no message {ts} in {channel}")
        return message

    def _payload(self, payload: Json, signing: Signing | None) -> Reply:
        return self._send(Envelope("interactive", payload), signing)

    def _send(self, envelope: Envelope, signing: Signing | None) -> Reply:
        if signing is None and self._ws.sockets.used:
            return self._send_by_socket(envelope)
        return self._send_by_http(envelope, signing or _SIGNED)

    def _send_by_socket(self, envelope: Envelope) -> Reply:
        began = time.monotonic()
        try:
            payload = self._ws.sockets.deliver(envelope, ACK_SECONDS)
        except TimeoutError:
            return Reply(0, time.monotonic() - began, "", error="operation_timeout")
        except ConnectionError:
            return Reply(0, time.monotonic() - began, "", error="dispatch_failed")
        return Reply(200, time.monotonic() - began, json.dumps(payload) if payload else "")

    def _send_by_http(self, envelope: Envelope, signing: Signing) -> Reply:
        base = self._bot_url if isinstance(self._bot_url, str) else self._bot_url()
        if base is None:
            return Reply(0, 0.0, "", error="dispatch_failed")
        body, headers = _request(envelope)
        headers |= {**signing.headers(body, self._ws.signing_secret), "User-Agent": "Slackbot 1.0"}
        began = time.monotonic()
        try:
            answer = self._client.post(f"{base.rstrip('/')}/slack/events", content=body, headers=headers)
        except httpx.TimeoutException:
            return Reply(0, time.monotonic() - began, "", error="operation_timeout")
        except httpx.TransportError:
            return Reply(0, time.monotonic() - began, "", error="dispatch_failed")
        elapsed = time.monotonic() - began
        error = None if answer.status_code == 200 else "dispatch_failed"
        if elapsed > ACK_SECONDS:
            error = "operation_timeout"
        return Reply(answer.status_code, elapsed, answer.text, error=error)


def _request(envelope: Envelope) -> tuple[bytes, dict[str, str]]:
    """The body and the headers by which an envelope's payload goes to a request URL."""
    if envelope.kind == "events_api":
        headers = {"Content-Type": "application/json"}
        if envelope.retry:
            headers |= {"X-Slack-Retry-Num": str(envelope.retry), "X-Slack-Retry-Reason": f"http_{envelope.reason}"}
        return json.dumps(envelope.payload).encode(), headers
    form = envelope.payload if envelope.kind == "slash_commands" else {"payload": json.dumps(envelope.payload)}
    return urlencode(form).encode(), {"Content-Type": "application/x-www-form-urlencoded"}


def find_element(blocks: list[Json], action_id: str, value: str | None = None) -> tuple[str, Json]:
    """The element of that action and its block's id. Raises LookupError naming those that are there."""
    seen = []
    for block_id, element in views.interactive(blocks):
        if element["action_id"] == action_id and (value is None or element.get("value") == value):
            return block_id, element
        seen.append(element["action_id"])
    raise LookupError(f"no element {action_id!r} (value {value!r}) among {seen}")


def chosen_values(blocks: list[Json], values: Mapping[str, Any]) -> dict[str, Json]:
    """What was entered, by block and action. Raises LookupError for a name that no input bears."""
    chosen: dict[str, Json] = {}
    used: set[str] = set()
    for block_id, element in views.interactive(blocks):
        if views.initial_state(element) is None:
            continue
        names = (f"{block_id}.{element['action_id']}", element["action_id"], block_id)
        for name in names:
            if name in values:
                used.add(name)
                chosen.setdefault(block_id, {})[element["action_id"]] = views.chosen_state(element, values[name])
                break
    if stray := set(values) - used:
        raise LookupError(f"the view has no input {sorted(stray)}")
    return chosen

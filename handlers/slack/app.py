"""Binds Bolt to our handlers. With `process_before_response` an acknowledgement is sent after the commit."""

from __future__ import annotations

from typing import Any

import structlog
from slack_bolt.async_app import AsyncAck, AsyncApp, AsyncRespond
from slack_bolt.authorization import AuthorizeResult
from slack_sdk.errors import SlackApiError
from slack_sdk.web.async_client import AsyncWebClient

from bot import telemetry
from bot.errors import SitrepError
from bot.incidents.model import Actor
from bot.services import Services
from bot.slack.updating import MORE, STATUS
from handlers.slack import actions, captures, commands, events, shortcuts, updating, views
from handlers.slack.answers import Form, Reply
from handlers.slack.context import Asked, actor
from handlers.slack.questions import CHOSEN
from handlers.slack.verification import Verification

log = structlog.get_logger()


def make_bolt(services: Services) -> AsyncApp:
    """Make the Bolt app.

    It is given `authorize=` and no token: with a token Bolt calls `auth.test` first, and tells people to reinstall
    the app when Slack is down.
    """
    settings = services.settings
    assert settings.slack_bot_token is not None  # noqa: S101 - made only when Slack is on
    token = settings.slack_bot_token.get_secret_value()
    secret = settings.slack_signing_secret

    async def authorize(**_kwargs: Any) -> AuthorizeResult:
        return AuthorizeResult(enterprise_id=None, team_id=None, bot_token=token)

    bolt = AsyncApp(
        name="sitrep",  # without one Bolt reads the source of whoever calls
        signing_secret=secret.get_secret_value() if secret else None,
        request_verification_enabled=False,  # ours comes before `authorize`, as Bolt's own would
        before_authorize=Verification(secret.get_secret_value(), services.clock) if secret else None,
        authorize=authorize,
        process_before_response=True,
        client=AsyncWebClient(base_url=settings.slack_api_url, retry_handlers=[]),
    )
    command = settings.config.slack.command

    @bolt.command(command)
    async def on_command(ack: AsyncAck, body: dict[str, Any]) -> None:
        asked = Asked(
            services,
            await actor(services, body["user_id"], body.get("user_name", "")),
            body.get("channel_id", ""),
            body.get("trigger_id", ""),
        )
        with telemetry.INTERACTION_SECONDS.labels("command").time():
            said = await commands.answer(asked, body.get("text") or "")
            blocks = [dict(block) for block in said.blocks] or None
            await (ack(text=said.text, blocks=blocks, response_type="ephemeral") if said.text else ack())

    async def on_action(ack: AsyncAck, body: dict[str, Any], respond: AsyncRespond) -> None:
        action = body["actions"][0]
        user = body["user"]
        asked = Asked(
            services,
            await _who(services, user),
            (body.get("channel") or {}).get("id", ""),
            body.get("trigger_id", ""),
            _thread(body),
        )
        action_id, value = action["action_id"], _value(action)
        with telemetry.INTERACTION_SECONDS.labels("button").time():
            if CHOSEN.fullmatch(action_id):
                reply = await commands.answer(asked, value, sure=True)
                await ack()
                await _replace(respond, asked, reply)
                return
            said = await actions.press(asked, action_id, value)
            await ack()
        if said:
            await _tell(respond, said)

    for action_id in (*actions.ACTIONS, CHOSEN):
        bolt.action(action_id)(on_action)

    _bind_forms(bolt, services)

    _bind_messages(bolt, services)

    _bind_events(bolt, services)
    return bolt


def _bind_forms(bolt: AsyncApp, services: Services) -> None:
    """Bind what people fill in, and what changes a form while it is open."""

    async def on_view(ack: AsyncAck, body: dict[str, Any]) -> None:
        view, user = body["view"], body["user"]
        asked = Asked(services, await _who(services, user), "", body.get("trigger_id", ""))
        with telemetry.INTERACTION_SECONDS.labels("form").time():
            done = await views.submit(
                asked, view["callback_id"], view.get("private_metadata", ""), view["state"]["values"]
            )
            if isinstance(done, Form):
                await ack(response_action="update", view=done.view)
            else:
                await (ack(response_action="errors", errors=done) if done else ack())

    @bolt.action(STATUS)
    async def on_status_picked(ack: AsyncAck, body: dict[str, Any]) -> None:
        asked = Asked(services, await _who(services, body["user"]), "", body.get("trigger_id", ""))
        with telemetry.INTERACTION_SECONDS.labels("form").time():
            await updating.pick(asked, body["view"])
            await ack()

    @bolt.action(MORE)
    async def on_unfolded(ack: AsyncAck, body: dict[str, Any]) -> None:
        asked = Asked(services, await _who(services, body["user"]), "", body.get("trigger_id", ""))
        with telemetry.INTERACTION_SECONDS.labels("form").time():
            await updating.unfold(asked, body["view"])
            await ack()

    for callback in views.CALLBACKS:
        bolt.view(callback)(on_view)


def _bind_events(bolt: AsyncApp, services: Services) -> None:
    """Bind who joins a channel, and who looks at the Home."""

    @bolt.event("member_joined_channel")
    async def on_joined(event: dict[str, Any], body: dict[str, Any]) -> None:
        with telemetry.INTERACTION_SECONDS.labels("event").time():
            if event.get("user") == await captures.myself(services, body):
                await on_channel(event, body)
                return
            await events.joined(services, body.get("event_id", ""), event.get("channel", ""), event.get("user", ""))

    async def on_channel(event: dict[str, Any], body: dict[str, Any]) -> None:
        with telemetry.INTERACTION_SECONDS.labels("event").time():
            me = await captures.myself(services, body)
            await events.channel_changed(services, body.get("event_id", ""), event, me)

    for kind in (*events.CHANNEL_EVENTS, "member_left_channel"):
        bolt.event(kind)(on_channel)

    @bolt.event("app_home_opened")
    async def on_home(event: dict[str, Any]) -> None:
        if event.get("tab", "home") == "home":
            with telemetry.INTERACTION_SECONDS.labels("event").time():
                await events.home_opened(services, event.get("user", ""))


def _bind_messages(bolt: AsyncApp, services: Services) -> None:
    """Bind what people do with messages: shortcuts, pins, reactions, edits."""

    async def on_shortcut(ack: AsyncAck, body: dict[str, Any], respond: AsyncRespond) -> None:
        channel = (body.get("channel") or {}).get("id", "")
        asked = Asked(services, await _who(services, body["user"]), channel, body.get("trigger_id", ""), _thread(body))
        with telemetry.INTERACTION_SECONDS.labels("shortcut").time():
            said = await shortcuts.use(asked, body["callback_id"], body.get("message") or {})
            await ack()
        if said and body.get("response_url"):
            await _tell(respond, said)

    for name in shortcuts.SHORTCUTS:
        bolt.shortcut(name)(on_shortcut)

    async def on_message_event(body: dict[str, Any]) -> None:
        with telemetry.INTERACTION_SECONDS.labels("event").time():
            await captures.heard(services, body)

    for kind in captures.EVENTS:
        bolt.event(kind)(on_message_event)


def _value(action: dict[str, Any]) -> str:
    """Return what an action names; of boxes their block, then what is ticked now."""
    if action.get("type") != "checkboxes":
        return str(action.get("value") or "")
    ticked = ",".join(str(option.get("value")) for option in action.get("selected_options") or ())
    return f"{action.get('block_id', '')}|{ticked}"


def _thread(body: dict[str, Any]) -> str:
    """Give the thread that a message with a button is a reply in; of an ephemeral one Slack sends where it is only."""
    said = {**(body.get("container") or {}), **(body.get("message") or {})}
    thread = str(said.get("thread_ts") or "")
    return "" if thread == (said.get("ts") or said.get("message_ts")) else thread


async def _who(services: Services, user: dict[str, Any]) -> Actor:
    return await actor(services, user["id"], user.get("name") or user.get("username") or "")


async def _replace(respond: AsyncRespond, asked: Asked, reply: Reply) -> None:
    """Put the answer where the question was, so that nobody answers it twice."""
    try:
        if not reply.text:
            await respond(delete_original=True)
            return
        blocks = [dict(block) for block in reply.blocks] or None
        await respond(text=reply.text, blocks=blocks, response_type="ephemeral", replace_original=True)
    except (SlackApiError, SitrepError, OSError) as error:
        log.info("question_not_replaced", reason=str(error))
        await asked.tell(reply)


async def _tell(respond: AsyncRespond, text: str) -> None:
    """Answer by the press's own address, the one way left when the outbox cannot be written."""
    try:
        await respond(text, response_type="ephemeral", replace_original=False)
    except (SlackApiError, SitrepError, OSError) as error:
        log.warning("could_not_tell", reason=str(error))

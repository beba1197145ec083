"""Sends the bot's reactions: what confirms that a message is on a timeline."""

from __future__ import annotations

from collections.abc import Awaitable, Callable, Mapping

from bot.errors import Permanent
from bot.outbox.call import Call, Result
from bot.outbox.shut import GONE, SHUT
from bot.outbox.worker import Superseded


async def _react(call: Call) -> Result:
    return await _ask(call, "reactions.add", "already_reacted")


async def _unreact(call: Call) -> Result:
    return await _ask(call, "reactions.remove", "no_reaction")


async def _ask(call: Call, method: str, done_already: str) -> Result:
    data = call.row.data
    try:
        await call.gateway.call(method, channel=str(data["channel"]), timestamp=str(data["ts"]), name=str(data["name"]))
    except Permanent as error:
        if error.reason == GONE or error.reason in SHUT:
            raise Superseded from error
        if error.reason != done_already:
            raise
    return {}


SENDERS: Mapping[str, Callable[[Call], Awaitable[Result]]] = {"react": _react, "unreact": _unreact}

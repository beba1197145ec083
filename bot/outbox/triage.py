"""How messages about alerts that wait for a look are sent, and edited once somebody has decided."""

from __future__ import annotations

from collections.abc import Awaitable, Callable, Mapping

from bot.outbox.call import Call, Result
from bot.outbox.worker import Superseded
from bot.slack import triage as shown
from bot.slack.gateway import Posted
from bot.slack.messages import Message
from bot.store import deliveries, triage


async def _post(call: Call) -> Result:
    message = await _message(call)
    channel = await call.gateway.channel_id(call.tools.slack.alerts_channel)
    return await call.post(message, channel=channel)


async def _refresh(call: Call) -> Result:
    rows = await call.tools.store.read(lambda c: deliveries.by_slots(c, call.row.scope, ("triage",)))
    first = next((row for row in rows if row.result), None)
    if first is None:
        raise Superseded
    text, blocks = await _message(call)
    posted = Posted(str(first.result["channel"]), str(first.result["ts"]))
    await call.gateway.edit(posted, text, blocks, key=first.key)
    return {}


async def _message(call: Call) -> Message:
    scope = call.row.scope
    severity = str(call.row.data.get("severity", ""))
    look = await call.tools.store.read(lambda c: triage.look(c, scope, severity))
    if look is None:
        raise Superseded
    return shown.triage_storm(look) if triage.is_storm(scope) else shown.triage(look)


SENDERS: Mapping[str, Callable[[Call], Awaitable[Result]]] = {
    "triage": _post,
    "refresh_triage": _refresh,
    "triage_storm": _post,
    "refresh_triage_storm": _refresh,
}

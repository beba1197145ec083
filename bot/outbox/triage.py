"""How messages about alerts that wait for a look are sent, and edited once somebody has decided."""

from __future__ import annotations

from collections.abc import Awaitable, Callable, Mapping

from bot.incidents.policy import Severity
from bot.outbox.call import Call, Result
from bot.outbox.worker import Superseded
from bot.slack import triage as shown
from bot.slack.messages import Message
from bot.store import triage


async def _post(call: Call) -> Result:
    message = await _message(call)
    channel = await call.gateway.channel_id(call.tools.slack.alerts_channel)
    return await call.post(message, channel=channel)


async def _refresh(call: Call) -> Result:
    return await call.replace("triage", await _message(call))


async def _message(call: Call) -> Message:
    scope = call.row.scope
    level = call.row.data.get("severity")
    severity = call.tools.policy.called(Severity(level)) if level else ""
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

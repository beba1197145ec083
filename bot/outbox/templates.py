"""Says that a message went out with a built-in template: to whoever caused it, and to the operators."""

from __future__ import annotations

import hashlib

from bot.desk import Desk, operators_scope
from bot.incidents.model import Delivery
from bot.outbox.call import Call
from bot.runbooks.templates import Filling
from bot.slack.members import MENTION
from bot.slack.mrkdwn import esc
from bot.store import schedules
from bot.store.tx import Tx
from bot.text import clip

TEXT = 600  # characters of what is wrong
FIX = "Check the templates with `sitrep runbooks lint`; edits take effect at once."


def tell_operators(tx: Tx, desk: Desk, problem: str) -> None:
    """Tell the operators of a broken template, once a day."""
    seen = hashlib.sha256(problem.encode("utf-8", "replace")).hexdigest()[:16]
    if schedules.once(tx.connection, f"template:{seen}:{tx.now:%Y%m%d}", tx.now):
        text = f"A template is broken; the built-in one is used instead: {clip(problem, TEXT)}. {FIX}"
        desk.post(
            tx, operators_scope(f"template-{seen}"), Delivery("operators", "operators", "operators", {"text": text})
        )


def told(what: str, problem: str) -> str:
    """Say to whoever caused a message that it goes out, and how."""
    return f"{what} goes out with the built-in template: {clip(problem, TEXT)}. The operators channel was notified."


async def tell(call: Call, filling: Filling, what: str, by: str) -> None:
    """Say that a message goes out with a built-in template, where it does.

    Args:
        call: the message's delivery.
        filling: what its template has become.
        what: the message, such as `Your update`.
        by: mentions whoever caused it; what mentions nobody was caused by no person.
    """
    if not filling.problems:
        return
    desk, problem, (channel, thread_ts) = call.tools.runner.desk, filling.problems[0], call.place()
    person = MENTION.fullmatch(by)

    def work(tx: Tx) -> None:
        tell_operators(tx, desk, problem)
        if person and schedules.once(tx.connection, f"template:{call.row.id}", tx.now):
            data = {"channel": channel, "user": person[1], "text": esc(told(what, problem)), "thread_ts": thread_ts}
            desk.post(tx, f"whisper:template:{call.row.id}", Delivery("whisper", "whisper", "whisper", data))

    await call.tools.store.write(work)

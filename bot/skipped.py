"""Says which runbooks, checklists and templates were skipped at the start: in the log, and to the operators once."""

from __future__ import annotations

import hashlib

import structlog

from bot.desk import operators_scope
from bot.errors import DatabaseUnavailable
from bot.incidents.model import Delivery
from bot.services import Services
from bot.store import schedules
from bot.store.tx import Tx
from bot.text import clip

log = structlog.get_logger()

NAMED = 8  # files that a message names
TEXT = 250  # characters of what is wrong with one


async def tell_skipped(services: Services) -> None:
    """Say what was skipped; the same faults are told once, however often and by how many replicas they are met."""
    problems = (*services.catalog.problems, *services.templates.problems)
    for problem in problems:
        log.warning("runbook_skipped", problem=problem)
    if not problems or not services.settings.slack_on:
        return
    seen = hashlib.sha256("\n".join(problems).encode("utf-8", "replace")).hexdigest()[:16]

    def tell(tx: Tx) -> None:
        if schedules.once(tx.connection, f"skipped:{seen}", tx.now):
            delivery = Delivery("operators", "operators", "operators", {"text": text_of(problems)})
            services.desk.post(tx, operators_scope(f"skipped-{seen}"), delivery)

    try:
        await services.store.write(tell)
    except DatabaseUnavailable as error:
        log.warning("telling_put_off", reason=str(error))


def text_of(problems: tuple[str, ...]) -> str:
    """Give the message to the operators."""
    lines = [f"• {clip(problem, TEXT)}" for problem in problems[:NAMED]]
    if len(problems) > NAMED:
        lines.append(f"• and {len(problems) - NAMED} more")
    said = "A runbook file is broken and was skipped" if len(problems) == 1 else "Runbook files are broken"
    fix = "Correct it, check it with `sitrep runbooks lint`, and restart Sitrep."
    return "\n".join([f"{said}; the built-in general runbook replaces a broken general one. {fix}", *lines])

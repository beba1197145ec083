"""Verbs about what is known, what is to be done, and how: notes, tasks, follow-ups, runbooks."""

from __future__ import annotations

import re
from datetime import date

from bot import times
from bot.incidents import commands as c
from bot.incidents import correlating, envelope
from bot.runbooks.search import search
from bot.running import Place
from bot.slack import tasks
from bot.slack.mrkdwn import esc
from handlers.slack import grammar
from handlers.slack.answers import Answer, Reply
from handlers.slack.context import LISTED
from handlers.slack.speech import Mistake, Spoken

_STEP = re.compile(r"\s*(?:step\s*)?#?(\d{1,3})[.:,)]?(?:\s+(ran)\b[:,]?\s*(.*))?\s*$", re.IGNORECASE | re.DOTALL)
_AS_SHOWN = re.compile(r"(?:(?:it|this|the command)\s*)?(?:as (?:shown|is|it stands))?[.!]*", re.IGNORECASE)


async def note(spoken: Spoken) -> str:
    """Put a line on the timeline, now or at the time at which it happened."""
    text, typed = grammar.time_at_end(spoken.text)
    moment = await spoken.moment(typed) if typed else None
    await spoken.apply(c.AddNote(text, spoken.asked.user, moment))
    at = f" at {await spoken.when(moment)}" if moment else ""
    said = f"Added to the timeline of {spoken.subject.number}{at}."
    warning = correlating.warning(envelope.read(text))
    return f"{said} {esc(warning)}" if warning else said


async def task(spoken: Spoken) -> Answer:
    """Add, end or list what is to be done now."""
    word, _, rest = spoken.rest.partition(" ")
    rest = rest.strip()
    user = spoken.asked.user
    if word.casefold() == "add" and rest:
        typed, who, due = grammar.owner_and_due(rest)
        owner = await spoken.person(who) if who and typed else None
        # A task has no day of its own: it is for now. What was typed of one stays in its text.
        text = f"{typed} {f'by {due}' if due else ''}".strip() if owner else rest
        after = await spoken.apply(c.AddTask(spoken.meant(text)[:500], user, owner))
        added = f"Task {len(after.tasks)} added{f', owner {esc(owner.name, 80)}' if owner else ''}."
        return f"{added} End it: `{spoken.command} task done {len(after.tasks)}`."
    if word.casefold() in {"done", "skip"} and rest:
        number, _, why = rest.partition(" ")
        number = number.strip("#,;:.")
        if not number.isdecimal() or len(number) > 4:
            raise Mistake(f"Give the task's number. See `{spoken.command} task list`.")
        if re.fullmatch(r"[\s,]*(?:and\s+)?#?\d{1,4}(?:[\s,]+(?:and\s+)?#?\d{1,4})*", why):
            raise Mistake(f"Give one task at a time. Example: `{spoken.command} task {word.casefold()} {number}`.")
        skipped = word.casefold() == "skip"
        await spoken.apply(c.EndTask(int(number), user, skipped, spoken.meant(why).strip()[:300]))
        return f"Task {number} is {'skipped' if skipped else 'done'}."
    if word.casefold() in {"", "list"}:
        return Reply(*tasks.tasks(spoken.subject, spoken.command))
    raise Mistake(f"Say add, done, skip or list. Example: `{spoken.command} task add Call the provider @ann`.")


async def follow_up(spoken: Spoken) -> str:
    """Put something on the list for afterwards."""
    typed, who, due = grammar.owner_and_due(spoken.rest)
    owner = await spoken.person(who) if who else None
    day = await _day(spoken, due) if due else None
    text = spoken.meant(typed)[:500]
    await spoken.apply(c.AddFollowUp(text, spoken.asked.user, owner, day.isoformat() if day else ""))
    said = f", owner {esc(owner.name, 80)}" if owner else ""
    return f"Added the follow-up{said}{f', due {day:%a %Y-%m-%d}' if day else ''}."


async def _day(spoken: Spoken, typed: str) -> date:
    """Return the day of what was typed.

    Raises:
        Mistake: there is no such day, or it has passed.
    """
    try:
        return times.day(typed, spoken.asked.services.clock.now(), await spoken.asked.zone())
    except ValueError as error:
        raise Mistake(esc(str(error))) from error


async def done(spoken: Spoken) -> str:
    """Tick a step of the runbook; `ran` says that its command was run as shown, or the one behind it instead."""
    run, asked = spoken.subject.run, spoken.asked
    if run is None:
        raise Mistake(f"No runbook is posted in {spoken.subject.number}. Post one: `{spoken.command} runbook`.")
    found = _STEP.match(spoken.plain)
    if not found:
        raise Mistake(f"Give the step's number. Example: `{spoken.command} done 3`, or `{spoken.command} done 3 ran`.")
    place = Place(spoken.subject.number, run.book, int(found[1]))
    if not found[2]:
        await asked.write(lambda tx: asked.services.runner.tick(tx, place, asked.user))
        return f"Step {place.step} is done."
    command = grammar.unquote(found[3].strip()).strip("`").strip()
    typed = "" if _AS_SHOWN.fullmatch(command) else command
    await asked.write(lambda tx: asked.services.runner.ran(tx, place, asked.user, typed))
    return f"Step {place.step} is done. The timeline has the command that you ran."


async def runbook(spoken: Spoken) -> str:
    """Post the runbook or checklist that the words name; without words the present runbook again."""
    incident, catalog = spoken.subject, spoken.asked.services.catalog
    if not spoken.rest:
        book = catalog.get(incident.runbook_id) or catalog.general
        await spoken.apply(c.PostRunbook(book.id, spoken.asked.user))
        return f"Posting {esc(book.title)} again. For another one: `{spoken.command} runbook &lt;words&gt;`."
    found = search(catalog, spoken.text)
    if not found:
        raise Mistake(
            f"No runbook or checklist matches {esc(spoken.text, 80)}. "
            f"Try one word, such as `{spoken.command} runbook redis`."
        )
    if len(found) > 1:
        listed = "\n".join(f"`{esc(book.id)}`: {esc(book.title, 100)}" for book in found[:LISTED])
        more = f"\nand {len(found) - LISTED} more" if len(found) > LISTED else ""
        raise Mistake(f"Several match. Pick one by its ID, `{spoken.command} runbook &lt;id&gt;`:\n{listed}{more}")
    await spoken.apply(c.PostRunbook(found[0].id, spoken.asked.user))
    return f"Posting {esc(found[0].title)} (`{esc(found[0].id)}`)."

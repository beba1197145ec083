"""Verbs about where an incident stands: updates, status, severity, its ends, and what is kept of it."""

from __future__ import annotations

from bot import times
from bot.incidents import commands as c
from bot.incidents.model import Incident, Status
from bot.incidents.moments import clock, in_time
from bot.incidents.people import refuse_unless_open
from bot.incidents.policy import Severity
from bot.incidents.responding import SETTABLE
from bot.slack import blocks as b
from bot.slack import catchup, modals
from bot.slack.leftovers import left_open
from bot.slack.mrkdwn import esc, link
from bot.store import incidents
from bot.timeline.export import FORMATS
from handlers.slack import grammar, updating
from handlers.slack.answers import Answer, Form, Reply
from handlers.slack.speech import KEEP, Choice, Mistake, Question, Spoken, one_line
from handlers.slack.verbs.opening import open_ones

PAUSE_MAX = 24 * 3600
STATUSES = (*(s.value for s in SETTABLE), Status.RESOLVED.value, Status.CLOSED.value)
SHOWN = 15  # lines of a timeline


async def update(spoken: Spoken) -> Answer:
    """Post a status update, or say that nothing has changed; alone open the form."""
    if not spoken.rest:
        refuse_unless_open(spoken.subject)
        return Form(await updating.form(spoken.asked, spoken.subject))
    text, when = grammar.next_at_end(spoken.text)
    seconds = await _seconds_until(spoken, when) if when else None
    if text.strip(" .,;:!").casefold() == "same":
        return await _next(spoken, await spoken.apply(c.KeepCadence(spoken.asked.user, seconds)), "Noted: no change.")
    if not text:
        raise Mistake(f"Type the update. Example: `{spoken.command} update DB is back next 30m`.")
    after = await spoken.apply(c.PostUpdate(text, spoken.asked.user, next_in=seconds))
    return await _next(spoken, after, "Posted the update.")


async def _seconds_until(spoken: Spoken, when: str) -> int:
    """Return the seconds until the next update is due.

    Raises:
        Mistake: it is no time, has passed, or is more than 24 hours away.
    """
    moment = await spoken.moment(when, is_ahead=True)
    seconds = times.seconds_until(moment, spoken.asked.services.clock.now())
    if not 0 < seconds <= updating.NEXT_MAX:
        raise Mistake(f"Set the next update within 24 hours. Example: `{spoken.command} update DB is back next 30m`.")
    return seconds


async def _next(spoken: Spoken, after: Incident, said: str) -> str:
    due = after.next_update_at
    return f"{said} Next update due {await spoken.when(due)}." if due else said


async def status(spoken: Spoken) -> str:
    """Say where the incident stands, or move it."""
    word = spoken.rest.split(" ")[0].casefold()
    if not word:
        return one_line(spoken.subject)
    if word not in STATUSES:
        raise Mistake(f"Give one of these: {', '.join(STATUSES)}. Example: `{spoken.command} status identified`.")
    after = await spoken.apply(c.SetStatus(Status(word), spoken.asked.user))
    return f"{after.number} is {after.status.value}."


async def close(spoken: Spoken) -> str:
    """Close a resolved incident."""
    after = await spoken.apply(c.SetStatus(Status.CLOSED, spoken.asked.user))
    return f"{after.number} is {after.status.value}."


async def severity(spoken: Spoken) -> str:
    """Raise or lower the severity."""
    policy = spoken.subject.policy
    # What the incident's own card says goes before what is configured since.
    names = {**spoken.asked.severities, **policy.names}
    found, why = grammar.severity_and_why(spoken.text, names)
    if found is None:
        known = ", ".join(policy.typed(severity) for severity in Severity)
        example = f"`{spoken.command} sev {policy.argument(Severity.SEV1)} all regions are down`"
        raise Mistake(f"Give one severity: {esc(known, 200)}. Example: {example}.")
    after = await spoken.apply(c.SetSeverity(found, spoken.asked.user, why))
    return f"{after.number} is {after.severity_name}."


async def acknowledge(spoken: Spoken) -> str:
    """Stop the ladder."""
    after = await spoken.apply(c.Acknowledge(spoken.asked.user))
    return f"Acknowledged {after.number}. Nobody else is paged."


async def pause(spoken: Spoken) -> str:
    """Ask for no updates for a while."""
    span, why = grammar.span_at_start(spoken.text)
    try:
        seconds = times.span(span)
    except ValueError:
        seconds = 0
    if not 0 < seconds <= PAUSE_MAX:
        raise Mistake(
            f"Say for how long, up to 24 hours. Example: `{spoken.command} pause 30m waiting for the restore`."
        )
    after = await spoken.apply(c.PauseCadence(seconds, spoken.asked.user, why))
    until = after.paused_until
    return f"Paused updates until {await spoken.when(until)}." if until else "Paused updates."


async def mitigate(spoken: Spoken) -> str:
    """A fix is in place and watched."""
    after = await spoken.apply(c.Mitigate(spoken.asked.user, spoken.text))
    return f"Marked {after.number} as mitigated. Its status is {after.status.value}."


async def resolve(spoken: Spoken) -> Answer:
    """End the incident; alone open the form, which names what is still open.

    A typed text ends it at once; the answer says what is left, and has the way back.
    """
    before = await spoken.asked.board(spoken.subject.number)
    if not spoken.rest:
        refuse_unless_open(spoken.subject)
        return Form(modals.resolve(spoken.subject, left_open(before)))
    after = await spoken.apply(c.Resolve(spoken.asked.user, text=spoken.text))
    if not before.incident.status.is_open:
        return f"{after.number} was {before.incident.status.value} already. Added your text to its timeline."
    said = "\n".join([f"Resolved {after.number}.", *left_open(before)])
    return Reply(said, [b.section(said), b.actions([b.button("Reopen", "incident_reopen", after.number)])])


async def cancel(spoken: Spoken) -> str:
    """End what was no incident, once the person has seen what that ends.

    Raises:
        Question: they have not.
    """
    if not spoken.sure:
        refuse_unless_open(spoken.subject)
        await _ask_first(spoken, "Cancel", "Cancel incident")
    after = await spoken.apply(c.Cancel(spoken.asked.user, spoken.text))
    return f"Cancelled {after.number}. Undo: `{spoken.command} {after.number} reopen`."


async def _ask_first(spoken: Spoken, what: str, yes: str, into: str = "") -> None:
    """Show what an end ends, and ask.

    Raises:
        Question: always.
    """
    board = await spoken.asked.board(spoken.subject.number)
    left = left_open(board) or ["No alert is firing, and no task is open."]
    text = "\n".join([f"{what} {spoken.subject.number} ({esc(spoken.subject.title, 100)}){into}?", *left])
    raise Question(text, Choice(yes, spoken.line(spoken.rest), "danger"), Choice("Keep it open", KEEP))


async def reopen(spoken: Spoken) -> str:
    """It was not over."""
    after = await spoken.apply(c.Reopen(spoken.asked.user, spoken.text))
    return f"Reopened {after.number}."


async def merge(spoken: Spoken) -> str:
    """It is a part of another incident: its alerts go on there."""
    named, rest = grammar.take_incident(spoken.rest)
    other = await spoken.asked.find(named) if named else None
    if other is None or rest:
        raise Mistake(
            f"Name one open incident to merge {spoken.subject.number} into. "
            f"Example: `{spoken.command} merge INC-20261121-001`. {await open_ones(spoken.asked)}"
        )
    here, into, user, desk = spoken.subject.number, other.number, spoken.asked.user, spoken.asked.services.desk
    if not spoken.sure:
        refuse_unless_open(spoken.subject)
        await _ask_first(spoken, "Merge", "Merge", f" into {into} ({esc(other.title, 100)})")
    await spoken.asked.write(lambda tx: desk.merge(tx, here, into, user))
    return f"Merged {here} into {into}. Undo: `{spoken.command} {here} unmerge`."


async def unmerge(spoken: Spoken) -> str:
    """Undo a merge: its alerts come back."""
    number, user, desk = spoken.subject.number, spoken.asked.user, spoken.asked.services.desk
    after = await spoken.asked.write(lambda tx: desk.unmerge(tx, number, user, spoken.text))
    return f"{after.number} is open again ({after.status.value}); its alerts are back."


async def summary(spoken: Spoken) -> str:
    """Say what the incident is about."""
    await spoken.apply(c.Describe(spoken.asked.user, summary=spoken.text))
    return "Wrote the summary."


async def rename(spoken: Spoken) -> str:
    """Give the incident another title."""
    after = await spoken.apply(c.Describe(spoken.asked.user, title=spoken.text[:200]))
    return f"Renamed {after.number}: {esc(after.title)}"


async def export(spoken: Spoken) -> str:
    """Share the timeline as a file."""
    fmt = spoken.rest.casefold() or "md"
    if fmt not in FORMATS:
        raise Mistake(f"Give one of these formats: {', '.join(FORMATS)}. Example: `{spoken.command} export md`.")
    await spoken.apply(c.Export(fmt, spoken.asked.user))
    where = "the incident's channel" if spoken.subject.is_at_home else "where the incident goes on"
    return f"The timeline of {spoken.subject.number} is on its way to {where} as {fmt}."


async def timeline(spoken: Spoken) -> str:
    """Show the last lines of the timeline, to whoever asks alone."""
    number = spoken.subject.number
    events = await spoken.asked.services.store.read(lambda connection: incidents.timeline(connection, number))
    lines = [
        f"{clock(spoken.subject, e.occurred_at)} {esc(e.actor.name, 40)}: {esc(e.text, 160)}"
        for e in in_time(events[-SHOWN:])
    ]
    base = spoken.asked.services.settings.public_url
    all_of_it = link(f"{base}/api/v1/incidents/{number}/timeline?format=md", "all of it") if base else ""
    whole = all_of_it or f"`{spoken.command} export`"
    return "\n".join([f"*The last {len(lines)} of {len(events)} lines of {number}* (UTC; {whole})", *lines])


async def catch_up(spoken: Spoken) -> Reply:
    """Tell whoever asks, and nobody else, what they have missed."""
    board = await spoken.asked.board(spoken.subject.number, with_events=True)
    text, blocks = catchup.catch_up(board)
    return Reply(text, blocks)

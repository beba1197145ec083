"""A runbook in the channel: its steps to be ticked, a page at a time, the next one always in sight."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

from bot.incidents.cadence import spell
from bot.incidents.model import Incident
from bot.incidents.runs import Done, Run, Tick
from bot.runbooks.links import NOWHERE, Places
from bot.runbooks.match import Match
from bot.runbooks.model import Book, Kind, Runbook, Section, Step
from bot.runbooks.render import Rendered, render
from bot.slack import blocks as b
from bot.slack.card import counted
from bot.slack.messages import TEXT, Message
from bot.slack.modals import OPTION, OPTIONS
from bot.slack.mrkdwn import clock_time, code, esc, link, person, shorten
from bot.text import clip, first_sentence

PAGE = 10  # steps of a message
ROOM = 5000  # characters of a page's steps, as their file has them
MAX_LOOK = 4  # blocks of queries and dashboards
MAX_OTHERS = 3  # runbooks that match as well
LONG = 15  # items of a checklist that has no room for boxes
APART = 1000  # added to the numbers of its buttons, which stand in the message of the runbook's own
BOXES, BOX = 10, 75  # options of one block of boxes, and characters of one, as Slack takes them
SHORT = 150  # characters of a step where it is only named
MARKS = {Done.DONE: ":white_check_mark:", Done.SKIPPED: ":fast_forward:"}


@dataclass(frozen=True, slots=True)
class Sheet:
    """A run with what is shown of it: `book` in the version that was posted, `facts` to fill it in with.

    `meanings` says what a variable is that nobody has filled in; `dashboards` are the addresses of those by title.
    """

    incident: Incident
    run: Run
    book: Book
    facts: Mapping[str, str] = field(default_factory=dict)
    meanings: Mapping[str, str] = field(default_factory=dict)
    dashboards: Mapping[str, str] = field(default_factory=dict)


def runbook(
    sheet: Sheet, others: Sequence[Match] = (), places: Places = NOWHERE, first: Sheet | None = None
) -> Message:
    """Show a page of a runbook, filled in: the page of the next step unless somebody has turned to another.

    `first` is the checklist of the first minutes; what the runbook says as well is left out of it.
    """
    run, book, facts = sheet.run, sheet.book, sheet.facts
    parts = pages(book)
    page = page_of(run, parts)
    steps = parts[page]
    about = f"`{esc(book.id)}`, {esc(run.reason.replace('`', chr(39)), 300)}. Owner: {esc(run.owner, 200)}."
    made = [b.header(f":book: Runbook: {book.title}")]
    if isinstance(book, Runbook):
        made.append(b.context(f"{about} Source: {esc(book.url)}"))
    made += _others(others)
    commands = {step.number: render(step.code or "", step.language, facts) for step in steps}
    made += _replace(sheet, commands.values(), steps)
    if page == 0 and isinstance(book, Runbook):
        made += [b.section(esc(book.summary, 900))] if book.summary else []
        made += [b.section(_symptoms(section)) for section in book.sections if section.kind is Kind.SYMPTOMS]
    if first is not None:
        made += _beside(first, book)
    made.append(b.section(progress(run, book, facts)))
    made += _steps(sheet, steps, {number: command.text for number, command in commands.items()})
    buttons = _buttons(sheet, others, parts, page)
    made += [b.actions(buttons)] if buttons else []
    if isinstance(book, Runbook) and (book.queries or book.dashboards):
        made += b.paragraphs(_look(book, sheet, places))[:MAX_LOOK]
    return f"Runbook for this incident: {esc(book.title, 300)} ({len(book.steps)} steps).", made


def offer(incident: Incident, data: Mapping[str, Any], command: str) -> Message:
    """Offer a runbook that an alert which joined leads to, beside the one that people work through."""
    book = str(data["book"])
    why = esc(str(data["reason"]).replace("`", chr(39)), 300)
    said = (
        f":book: {esc(str(data['alert']), 100)} joined: runbook `{esc(book)}` ({esc(str(data['title']), 150)}) "
        f"fits better than `{esc(incident.runbook_id)}` ({why}). "
        f"To post it: `{command} runbook {esc(book)}`. Your ticks stay."
    )
    button = b.button("Post this runbook", "runbook_swap", _value(incident, book))
    return said, [b.section(said), b.actions([button])]


def checklist(sheet: Sheet) -> Message:
    """Show a checklist whose items are ticked; it is short, and has one page."""
    run, book = sheet.run, sheet.book
    made = [b.section(f"*{esc(book.title)}*\n{counted(run)}")]
    steps = book.steps[: 4 * PAGE]
    commands = {step.number: render(step.code or "", step.language, sheet.facts) for step in steps}
    made += _replace(sheet, commands.values(), steps)
    made += _steps(sheet, steps, {number: command.text for number, command in commands.items()}, headed=False)
    made += _more(len(book.steps) - 4 * PAGE, book)
    return f"{esc(book.title)}: {len(book.steps)} items.", made


def _beside(sheet: Sheet, book: Book) -> list[b.Block]:
    """Show a checklist as boxes to tick, without the points that a runbook has as well."""
    run, said = sheet.run, {step.key for step in book.steps}
    items = [item for item in sheet.book.steps if item.key not in said]
    if not items:
        return []
    done = sum(item.number in run.ticks for item in items)
    head = b.section(f"*{esc(sheet.book.title)}*: {done} of {len(items)} done")
    if len(items) > BOXES or any(len(item.text) > BOX or item.code or item.approval for item in items):
        return [
            head,
            *_steps(sheet, items[:LONG], {}, headed=False, apart=APART),
            *_more(len(items) - LONG, sheet.book),
        ]
    value = _value(sheet.incident, run.book)
    boxes = [b.box(item.text, str(item.number), _by(sheet.incident, run.ticks.get(item.number))) for item in items]
    ticked = [box for box, item in zip(boxes, items, strict=True) if item.number in run.ticks]
    # Another block for each state: a client keeps what was ticked in a block that it knows, and a press tells which
    # boxes were ticked when it was shown.
    return [head, b.boxes("checklist_ticks", boxes, ticked, f"{value}|{','.join(box['value'] for box in ticked)}")]


def _more(count: int, book: Book) -> list[b.Block]:
    return [b.context(f"and {count} more in the file of {esc(book.id)}")] if count > 0 else []


def _by(incident: Incident, tick: Tick | None) -> str:
    return f"{clip(tick.name, 50)}, {clock_time(incident, tick.at)}" if tick else ""


def _replace(sheet: Sheet, commands: Iterable[Rendered], steps: Sequence[Step]) -> list[b.Block]:
    """Say which placeholders of a page are to be replaced, and by what."""
    begun = {step.section for step in steps}
    sections = sheet.book.sections if isinstance(sheet.book, Runbook) else ()
    texts = [*(section.intro for section in sections if section.title in begun), *(step.text for step in steps)]
    filled = [*commands, *(render(text, "", sheet.facts) for text in texts)]
    missing = dict.fromkeys(name for each in filled for name in each.missing)
    if not missing:
        return []
    said = (f"⟨{name}⟩ ({meaning})" if (meaning := sheet.meanings.get(name)) else f"⟨{name}⟩" for name in missing)
    return [b.context(f"Replace before running: {esc(', '.join(said), 900)}.")]


def folded(incident: Incident, run: Run) -> Message:
    """What is left of a runbook's message once it goes on elsewhere, or another one has taken its place."""
    if run.book == incident.runbook_id or run.checklist:
        said = f":book: {esc(run.title, 200)}: {counted(run)} Continued below."
        return said, [b.section(said)]
    said = f":book: {esc(run.title, 200)}: {counted(run)} Replaced by `{esc(incident.runbook_id)}`."
    again = b.button("Use this runbook again", "runbook_swap", _value(incident, run.book))
    return said, [b.section(said), b.actions([again])]


def pages(book: Book) -> list[tuple[Step, ...]]:
    """Part the steps into pages: as many as are read well, and as fit into a message."""
    parts: list[tuple[Step, ...]] = []
    size = 0
    for step in book.steps:
        length = sum(len(text or "") for text in (step.text, step.code, step.rollback, step.no_rollback, step.approval))
        if parts and len(parts[-1]) < PAGE and size + length <= ROOM:
            parts[-1] += (step,)
            size += length
        else:
            parts.append((step,))
            size = length
    return parts


def page_of(run: Run, parts: Sequence[Sequence[Step]]) -> int:
    """Give the page to show, counted from 0."""
    last = len(parts) - 1
    if run.page is not None:
        return min(max(run.page, 0), last)
    number = run.next_step
    return next((n for n, part in enumerate(parts) if number is not None and number <= part[-1].number), last)


def progress(run: Run, book: Book, facts: Mapping[str, str]) -> str:
    """Say how far a run has come, and which step is next."""
    number = run.next_step
    if number is None:
        return f"*{counted(run)}* All steps are done or skipped."
    said = brief(book.steps[number - 1], facts, SHORT)
    return f"*{counted(run)}* Next: *{number}.* {said}"


def brief(step: Step, facts: Mapping[str, str], limit: int) -> str:
    """Name a step by the beginning of its first sentence; the result is mrkdwn."""
    short = esc(first_sentence(one_line(step, facts)), limit)
    return short if short.count("`") % 2 == 0 else short.rpartition("`")[0].rstrip() + "…"


def one_line(step: Step, facts: Mapping[str, str]) -> str:
    """Give a step's words, filled in, on one line."""
    return " ".join(render(step.text, "", facts).text.split())


def options(run: Run, book: Book) -> list[tuple[str, str]]:
    """Give the steps that are neither done nor skipped, for a select: value and text."""
    left = [step for step in book.steps if step.number not in run.ticks][:OPTIONS]
    return [(str(step.number), clip(f"{step.number}. {one_line(step, run.facts)}", OPTION)) for step in left]


def _steps(
    sheet: Sheet, steps: Sequence[Step], commands: Mapping[int, str], *, headed: bool = True, apart: int = 0
) -> list[b.Block]:
    """Give the steps of a page, each with its button; what is done takes one line."""
    run, book, facts = sheet.run, sheet.book, sheet.facts
    intros = {each.title: each.intro for each in book.sections} if isinstance(book, Runbook) else {}
    made = []
    section = ""
    for step in steps:
        head = ""
        if headed and step.section != section:
            section = step.section
            starts_here = next(s.number for s in book.steps if s.section == section) == step.number
            intro = _prose(intros.get(section, ""), facts, 500) if starts_here else ""
            head = f"*{esc(section, 100)}*\n" + (f"{intro}\n" if intro else "")
        tick = run.ticks.get(step.number)
        value = _value(sheet.incident, run.book, step.number)
        if tick is None:
            mark = ":arrow_forward:" if step.number == run.next_step else ":white_large_square:"
            said = f"{mark} {_step(step, commands.get(step.number, ''), facts)}"
            style = "primary" if step.number == run.next_step else ""
            button = b.button(
                "Done..." if step.approval else "Done", f"runbook_done_{step.number + apart}", value, style
            )
        else:
            said = f"{MARKS[tick.state]} {step.number}. {brief(step, facts, SHORT)}\n{_ticked(sheet.incident, tick)}"
            button = b.button("Undo", f"runbook_undo_{step.number + apart}", value)
        made.append({**b.section(head + said), "accessory": button})
    return made


def _ticked(incident: Incident, tick: Tick) -> str:
    who = person(tick.by, tick.name)
    how = "Skipped" if tick.state is Done.SKIPPED else "Done"
    approved = f", approved by {esc(tick.approved_by, 100)}" if tick.approved_by else ""
    why = f": {esc(tick.why, 300)}" if tick.why else ""
    return f"_{how} by {who} at {clock_time(incident, tick.at)}{approved}_{why}"


def _others(others: Sequence[Match]) -> list[b.Block]:
    if not others:
        return []
    named = (f"`{esc(o.runbook.id)}` ({esc(o.reason.replace('`', chr(39)), 300)})" for o in others[:MAX_OTHERS])
    return [b.context(shorten(f"Also matches: {', '.join(named)}.", TEXT))]


def _buttons(sheet: Sheet, others: Sequence[Match], parts: Sequence[Sequence[Step]], page: int) -> list[b.Block]:
    """Give the buttons under a page: to skip, to turn it, to take another runbook."""
    incident, run = sheet.incident, sheet.run
    made = []
    if run.next_step is not None:
        made.append(b.button("Skip a step...", "runbook_skip", _value(incident, run.book)))
    for turned in (page - 1, page + 1):
        if 0 <= turned < len(parts):
            steps = f"Steps {parts[turned][0].number} to {parts[turned][-1].number}"
            label = f"◀ {steps}" if turned < page else f"{steps} ▶"
            made.append(b.button(label, f"runbook_page_{turned}", _value(incident, run.book, turned)))
    for n, other in enumerate(others[:MAX_OTHERS]):
        label = shorten(f"Use {other.runbook.id}", OPTION)
        made.append(b.button(label, f"runbook_swap_{n}", _value(incident, other.runbook.id)))
    return made


def _value(incident: Incident, book: str, extra: int | None = None) -> str:
    return "|".join([incident.number, book, *([] if extra is None else [str(extra)])])


def _prose(text: str, facts: Mapping[str, str], limit: int) -> str:
    return esc(render(text, "", facts).text, limit)


def _look(book: Runbook, sheet: Sheet, places: Places) -> str:
    """Where to look: the dashboards with their addresses where these are known, each query to open or to copy."""
    lines = ["*Queries and dashboards*"]
    for query in book.queries:
        filled = render(query.expr, query.language, sheet.facts)
        address = "" if filled.missing else places.link(query.language, filled.text, sheet.facts)
        title = link(address, query.title) if address else esc(query.title)
        lines.append(f"• {title}: `{code(filled.text.replace('`', ' '), 400)}`")
    if book.dashboards:
        found = [(title, sheet.dashboards.get(title) or places.dashboards(title)) for title in book.dashboards[:20]]
        named = [link(address, title) if address else esc(title, 100) for title, address in found]
        lines.append(f"• Dashboards: {', '.join(named)}")
    return "\n".join(lines)


def _symptoms(section: Section) -> str:
    lines = (f"• {line[2:]}" if line.startswith("- ") else line for line in section.intro.splitlines())
    return f"*{esc(section.title)}*\n" + esc("\n".join(lines), 2800)


def _step(step: Step, command: str, facts: Mapping[str, str]) -> str:
    lines = [f"{step.number}. {_prose(step.text, facts, 800)}"]
    if step.approval:
        lines.append(f":lock: Needs the approval of {esc(step.approval, 150)}.")
    if command:
        lines.append(f"```{code(command, 900)}```")
    if step.rollback:
        within = f" within {spell(step.rollback_within)}" if step.rollback_within else ""
        lines.append(f":leftwards_arrow_with_hook: Rollback{within}: {_prose(step.rollback, facts, 300)}")
    if step.no_rollback:
        lines.append(f":leftwards_arrow_with_hook: No rollback: {esc(step.no_rollback, 250)}")
    return "\n".join(lines)

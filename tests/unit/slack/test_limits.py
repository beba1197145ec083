"""Whatever an incident holds, what is sent to Slack keeps Slack's limits."""

from __future__ import annotations

from dataclasses import replace
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

from hypothesis import Phase, given, settings
from hypothesis import strategies as st

from bot.board import Board
from bot.incidents.model import Actor, Alert, Event, Handoff, Incident, Person, Status, Task, TaskState
from bot.incidents.policy import DEFAULT_POLICY, Severity
from bot.incidents.responding import SETTABLE
from bot.incidents.runs import Done, Mitigation, Tick
from bot.runbooks.catalog import Catalog
from bot.runbooks.links import Places
from bot.runbooks.match import Match
from bot.runbooks.model import Section
from bot.runbooks.render import VARIABLES
from bot.runbooks.templates import FIELDS, Templates
from bot.sandbox.blocks import check_message_blocks, check_view
from bot.slack import card, catchup, forms, menu, messages, modals, panel, tasks, updating
from bot.slack.blocks import fit
from bot.slack.home import Desktop, home
from bot.slack.mrkdwn import esc
from bot.slack.runbook import checklist, folded, options, pages, runbook
from bot.slack.updating import Begun
from bot.store.alerts import Counts, Shown
from bot.store.standing import Standing
from bot.text import clean
from handlers.slack import table
from tests.unit.runbooks.sheets import a_run, a_sheet, ticked

NOW = datetime(2026, 11, 21, 3, 0, tzinfo=UTC)
RUNBOOKS = Path(__file__).resolve().parents[3] / "runbooks"
CATALOG = Catalog.load(RUNBOOKS)
QUICK = (Phase.explicit, Phase.reuse, Phase.generate, Phase.shrink)  # explaining a failure takes minutes here
TEMPLATES = Templates(RUNBOOKS / "templates")
PLACES = Places("https://prometheus.example.com", "https://grafana.example.com", "loki", "tempo")
WINDOW = {"started_at": "2026-11-21T03:00:00Z", "ended_at": "2026-11-21T03:36:00Z", "window": "36m"}

words = st.sampled_from(
    [
        "",
        "a",
        "Checkout is down",
        "<!channel> *x* `y`",
        "&" * 3000,
        "x" * 6000,
        "a\n" * 900,
        " ",
        "\n",
        "```",
        "🔥" * 400,
    ]
) | st.text(max_size=20).map(clean)
urls = words | st.sampled_from(["https://grafana.example/d/1?a=1&b=2", "javascript:alert(1)", "http://" + "x" * 4000])


@st.composite
def boards(draw: Any) -> Board:
    incident = Incident(
        number="INC-20261121-001",
        title=draw(words),
        severity=draw(st.sampled_from(Severity)),
        status=draw(st.sampled_from(Status)),
        declared_at=NOW,
        policy=DEFAULT_POLICY,
        impact=draw(words),
        service=draw(words),
        tenants=draw(words),
        runbook_id=draw(words),
        roles={"lead": Person("U1", draw(words) or "ann")} if draw(st.booleans()) else {},
        acknowledged_at=NOW if draw(st.booleans()) else None,
        acknowledged_by=Actor("human", "U1", draw(words)),
        started_at=NOW,
        detected_at=NOW,
        resolved_at=NOW + timedelta(hours=1) if draw(st.booleans()) else None,
        cadence_from=NOW if draw(st.booleans()) else None,
        last_update=draw(words),
        opened_channel=True,
        channel_id="C1",
    )
    facts = st.dictionaries(
        st.sampled_from(["dashboard_url", "runbook_url", "metric", "value", "region", "instance", "threshold"]), urls
    )
    shown = tuple(
        Shown(Alert("alertmanager", "g", str(n), draw(words), draw(facts), draw(facts), url=draw(urls)), NOW, None)
        for n in range(draw(st.sampled_from([0, 1, 3, 30])))
    )
    events = tuple(
        Event(n + 1, NOW, NOW, draw(st.sampled_from(["note", "declared"])), Actor("human", "U1", "a"), draw(words))
        for n in range(draw(st.integers(0, 5)))
    )
    return Board(incident, shown, {}, events, counts=Counts.of(shown))


def fits(message: messages.Message) -> None:
    text, blocks = message
    assert check_message_blocks(fit(blocks)) == []
    assert text.strip()
    assert len(text) <= 4000
    assert "<!channel>" not in text


@settings(max_examples=60, deadline=None, phases=QUICK)
@given(boards(), words, words)
def test_every_message_fits(board: Board, state: str, more: str) -> None:
    """Card, announcement, notification, update, page, reminder, overdue, resolution: within the limits, with a text."""
    incident = board.incident
    due = {"due_at": NOW.isoformat(), "late_seconds": 4000}
    update = {"state": state or "x", "action": more, "eta": more, "author": "<@U1>", "next_update_at": NOW.isoformat()}
    update |= {"owner": more, "owner_id": "U1"}
    over = {"duration_seconds": 99, "fix": state, "root_cause": more, "follow_ups": [more] * 3, "author": "<@U1>"}
    page = {"name": more or "x", "reason": "not_acknowledged", "waited_seconds": 300}
    fits(card.card(board))
    fits(card.announcement(board))
    assert len(card.card(board)[1]) <= 7
    assert len(card.topic(incident)) <= 250
    fits(messages.notification(TEMPLATES, board, ["<@U1>"]))
    fits(messages.update(TEMPLATES, incident, update))
    fits(messages.resolution(TEMPLATES, board, over, "https://sitrep.example"))
    fits(messages.reminder(incident, due))
    fits(messages.overdue(incident, due, ["<@U1>"]))
    fits(messages.page(board, page, ["<@U1>"]))
    fits(messages.note({"text": state, "author": "<@U1>"}))
    fits(messages.update_for(incident, update))
    fits(messages.handoff(board, Handoff(Person("U1", state), Person("U2", more), NOW)))
    fits(catchup.catch_up(board))
    fits(panel.panel(incident))
    todo = tuple(Task(n, more, "U1", state, TaskState.DONE if n % 3 else TaskState.OPEN) for n in range(100))
    fits(tasks.tasks(replace(incident, tasks=todo), "/incident"))
    fits(tasks.tasks(incident, "/incident"))
    asked = page | {"reason": "asked", "by": state, "why": more}
    fits(messages.page(board, asked, ["<@U1>"]))
    fits(messages.operators(state))


class Given:
    """Keeps which fields a template is given."""

    def __init__(self) -> None:
        self.fields: dict[str, set[str]] = {}

    def render(self, name: str, **context: Any) -> str:
        """Keep them."""
        self.fields[name] = {*context}
        return name


def test_the_checked_fields_are_those_that_messages_give() -> None:
    """A template that passes the check is never short of a field, and none that is given is refused."""
    given, board = Given(), Board(Incident("INC-20261121-001", "x", Severity.SEV1, Status.RESOLVED, NOW))
    messages.notification(given, board, [])
    messages.update(given, board.incident, {"state": "x", "author": "y"})
    messages.resolution(given, board, {"duration_seconds": 1, "author": "y"}, "")
    assert given.fields == FIELDS


def test_every_runbook_and_the_checklist_fit() -> None:
    """The content that ships is within the limits, whatever its commands are filled in with."""
    for book in CATALOG:
        fits(runbook(a_sheet(book)))
        long = dict.fromkeys(VARIABLES, "<&>" * 100) | WINDOW
        others = [Match(book, "x" * 500)] * 5
        for page in range(3):
            fits(runbook(a_sheet(book, long, reason="x" * 500, page=page), others, PLACES))
    for book in CATALOG.checklists:
        fits(checklist(a_sheet(book)))


ticks = st.builds(
    lambda state, text: ticked(state, name=text, why=text, approved_by=text, by=text[:9]), st.sampled_from(Done), words
)


@settings(max_examples=40, deadline=None, phases=QUICK)
@given(st.dictionaries(st.integers(1, 60), ticks), st.none() | st.integers(-1, 9), words)
def test_a_runbook_of_sixty_steps_fits(done: dict[int, Tick], page: int | None, value: str) -> None:
    """Whatever is ticked and whatever page is turned to; each step is on one page, and the next one is named."""
    book = next(book for book in CATALOG if len(book.queries) > 5)
    sections = tuple(section for section in book.sections if not section.steps)
    steps = [book.steps[0].model_copy(update={"number": number + 1, "text": "x" * 900}) for number in range(60)]
    long = book.model_copy(update={"sections": (*sections, Section(title="Diagnosis", steps=tuple(steps)))})
    sheet = a_sheet(long, dict.fromkeys(VARIABLES, value) | WINDOW, ticks=done, page=page, owner=value, title=value)
    first = a_sheet(CATALOG.checklist, ticks={n: tick for n, tick in done.items() if n <= 9})
    fits(runbook(sheet, [Match(long, value)] * 5, PLACES, first))
    fits(runbook(sheet, [Match(long, value)] * 5, PLACES, a_sheet(max(CATALOG.checklists, key=lambda c: len(c.steps)))))
    fits(folded(sheet.incident, sheet.run))
    if (number := sheet.run.next_step) is not None:
        assert f"Next: *{number}.*" in str(runbook(sheet))
    shown = [str(runbook(replace(sheet, run=replace(sheet.run, page=n)))) for n in range(len(pages(long)))]
    assert all(sum(f"|{number}'" in text for text in shown) == 1 for number in range(len(shown) + 1, 61))


@settings(max_examples=40, deadline=None, phases=QUICK)
@given(boards(), words, words)
def test_every_message_about_a_change_fits(board: Board, text: str, more: str) -> None:
    """What is in place, that its rollback is due, what became of it, and the card that lists it all."""
    made = Mitigation(1, text, more or "x", text, NOW, more, 3600, NOW, command=more)
    incident = replace(board.incident, mitigations=(made,) * 9, runs=(a_run(CATALOG.general, ticks={1: ticked()}),))
    incident = replace(incident, runbook_id=CATALOG.general.id)
    for message in (
        messages.mitigation(incident, made),
        messages.rollback_due(incident, made),
        card.card(replace(board, incident=incident), f"*2.* {esc(text, 150)}"),
    ):
        fits(message)
    assert len(card.card(replace(board, incident=incident))[1]) <= 7


@settings(max_examples=30, deadline=None, phases=QUICK)
@given(boards(), words)
def test_every_form_fits(board: Board, title: str) -> None:
    """The forms are within the limits whatever they are prefilled with."""
    others = {"impact": title, "action": title, "owner": "U1", "next": title, "eta": title}
    forms_of_it = [
        updating.update(board.incident, Begun(status, title, given, draft), f"#{title}")
        for status, given, draft in ((SETTABLE[0], {}, ""), (SETTABLE[1], others, SETTABLE[1].value))
    ]
    items = {"All": [menu.Item(verb.name, verb.help, verb.example) for verb in table.VERBS], "None": []}
    others_open = [replace(board.incident, number=f"INC-20261121-{n:03}") for n in range(120)]
    menus = [menu.menu("m", board.incident, items, ()), menu.menu("m", None, items, others_open)]
    for view in (modals.declare(title, "C1"), *forms_of_it, *menus, modals.resolve(board.incident)):
        assert check_view(view) == []
    kinds = [("line", ()), ("text", ()), ("person", ()), ("date", ()), ("line", (("1", "One"),))]
    inputs = [
        forms.Input(f"f{n}", "Field", kind, options=choices, initial=title if not choices else "")
        for n, (kind, choices) in enumerate(kinds)
    ]
    assert check_view(forms.form("INC-1|x|C1", "x" * 40, inputs)) == []
    todo = tuple(Task(n, title, "U1", title) for n in range(30))
    one = replace(board.incident, tasks=todo, status=Status.INVESTIGATING)
    standing = Standing({"pending": 3}, NOW - timedelta(hours=1), 2, NOW, {})
    full = Desktop(
        "U1",
        NOW,
        [replace(one, number=f"INC-20261121-{n:03}") for n in range(50)],
        [board.incident] * 20,
        CATALOG.runbooks,
        standing,
    )
    for view in (home(full), home(Desktop("U2", NOW))):
        assert check_view(view) == []
    book = CATALOG.general
    left = options(a_run(book, facts=dict.fromkeys(VARIABLES, title)), book)
    for view in (modals.skip("INC-1|x", left), modals.approve("INC-1|x|1", 1, title)):
        assert check_view(view) == []

"""What a timeline tells about severity, pages, updates and people, worked out from its events. Pure."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass, replace
from datetime import datetime

from bot.incidents.model import Event, Incident, Role
from bot.incidents.people import word_of
from bot.timeline.dossier import plain
from bot.timeline.milestones import ends
from bot.timeline.words import Names, author_of, is_noted_by_another, kind_of, text_of, word

LATE = 60  # seconds; times are told to the minute
_PAGES = frozenset({"paged", "escalated"})
# What does not count as an answer: Sitrep's own invitation makes people join, and the others tell of something else.
_NO_ANSWERS = frozenset({"responder_joined", "exported"})
# Pages that an acknowledgement does not stop.
_TO_PEOPLE = frozenset({"asked", "joined"})


@dataclass(frozen=True, slots=True)
class Rating:
    """A severity from a moment on: who set it, and why. `until` is None while it lasts."""

    severity: str
    since: datetime
    until: datetime | None
    by: str
    why: str


@dataclass(frozen=True, slots=True)
class Page:
    """Somebody was paged: who, why, whom it reached, who answered and how."""

    at: datetime
    whom: str
    why: str
    reached: tuple[tuple[datetime, str], ...] = ()
    answered: tuple[datetime, str] | None = None


@dataclass(frozen=True, slots=True)
class Update:
    """A status update. `gap` is in seconds, since the one before or the declaration; `due_at` only if it was late."""

    at: datetime
    by: str
    gap: int
    due_at: datetime | None
    is_no_change: bool


@dataclass(frozen=True, slots=True)
class Participant:
    """Somebody who took part: their roles, and when they were seen first and last (None: only their role is known)."""

    name: str
    roles: tuple[str, ...]
    first: datetime | None = None
    last: datetime | None = None


@dataclass(frozen=True, slots=True)
class Resolution:
    """The root cause and the fix as people typed them, and the lines that hold them.

    `reopened` is when the incident was reopened, where nothing was recorded since.
    """

    causes: tuple[str, ...] = ()
    fixes: tuple[str, ...] = ()
    lines: frozenset[int] = frozenset()
    reopened: datetime | None = None


def resolution(events: Sequence[Event]) -> Resolution:
    """Return how an incident was resolved the last time."""
    found: list[Event] = []
    reopened = None
    for event in _in_order(events):
        if event.kind == "resolved":
            found, reopened = [event], None
        elif event.kind == "note" and event.data.get("resolution"):  # a second person knew more
            found.append(event)
        elif event.kind == "reopened":
            reopened = event.occurred_at
    told = [[text for event in found if (text := word(event.data, key))] for key in ("root_cause", "fix")]
    return Resolution(tuple(told[0]), tuple(told[1]), frozenset(event.seq for event in found), reopened)


def severities(incident: Incident, events: Sequence[Event], names: Names, end: datetime | None) -> list[Rating]:
    """List the severities that an incident had, in their order."""
    found: list[Rating] = []
    for event in _in_order(events):
        if event.kind == "declared" and not found:
            first = word(event.data, "severity") or incident.severity.value
            found.append(Rating(first, event.occurred_at, end, names.actor(event.actor), "declared"))
        elif event.kind == "severity_changed":
            if found:
                found[-1] = replace(found[-1], until=event.occurred_at)
            else:
                before = word(event.data, "from")
                made = Rating(before, incident.declared_at, event.occurred_at, incident.declared_by.name, "declared")
                found += [made] if before else []
            to = word(event.data, "to") or text_of(event)
            why = word(event.data, "why") or ("" if event.data.get("to") else text_of(event))
            found.append(Rating(to, event.occurred_at, end, names.actor(event.actor), why))
    return found


def pages(events: Sequence[Event], names: Names) -> list[Page]:
    """List who was paged, by time: each page with the messages that reached somebody, and the answer to it."""
    ordered = _in_order(events)
    outcomes = _outcomes(ordered)
    found: list[Page] = []
    for index, event in enumerate(ordered):
        if event.kind in _PAGES:
            mine = outcomes.get(event.seq, [])
            reached = tuple((outcome.occurred_at, _reached(event, outcome)) for outcome in mine)
            answered = _answer(event, ordered[index + 1 :], _addressees(event, mine), names)
            found.append(Page(event.occurred_at, _whom(event), _why(event, names), reached, answered))
    return found


def updates(incident: Incident, events: Sequence[Event], names: Names) -> list[Update]:
    """List the status updates with the gaps before them."""
    found: list[Update] = []
    since, due = incident.declared_at, None
    for event in _in_order(events):
        if event.kind == "update_overdue":
            due = due or _moment(event, "due_at")
        elif event.kind == "reopened":
            since, due = event.occurred_at, None
        elif event.kind == "update_posted":
            gap = _seconds(since, event.occurred_at)
            is_no_change = bool(event.data.get("no_change"))
            is_late = due is not None and _seconds(due, event.occurred_at) >= LATE
            late = due if is_late else None
            found.append(Update(event.occurred_at, names.actor(event.actor), gap, late, is_no_change))
            since, due = event.occurred_at, None
    return found


def overdue(events: Sequence[Event]) -> datetime | None:
    """Return since when an update has been missing at the end of a timeline; None where none is."""
    due = None
    for event in _in_order(events):
        if event.kind == "update_overdue":
            due = due or _moment(event, "due_at") or event.occurred_at
        elif event.kind in {"update_posted", "reopened"}:
            due = None
    return due


def participants(incident: Incident, events: Sequence[Event], names: Names) -> list[Participant]:
    """List the people who took part, those with a role first, then by when they were seen first."""
    found: dict[str, Participant] = {}

    def see(name: str, at: datetime | None, role: str = "") -> None:
        known = found.get(name.casefold()) or Participant(name, ())
        moments = [m for m in (known.first, known.last, at) if m]
        first, last = (min(moments), max(moments)) if moments else (None, None)
        roles = (*known.roles, role) if role and role not in known.roles else known.roles
        found[name.casefold()] = replace(known, roles=roles, first=first, last=last)

    for role, person in sorted(incident.roles.items(), key=lambda item: _rank(item[0])):
        see(names.of(person.id, person.name), None, role_name(role))
    for event in _in_order(events):
        if event.kind == "exported" or event.data.get("removed") or event.data.get("deleted"):
            continue
        if event.actor.type == "human":
            see(names.actor(event.actor), _acted_at(event))
        if is_noted_by_another(event) and author_of(event)[0][:1] in {"U", "W"}:  # bots take no part
            see(names.author(event), event.occurred_at)
    return sorted(found.values(), key=lambda one: (not one.roles, one.first or incident.declared_at))


def _acted_at(event: Event) -> datetime:
    """Return when the person behind an event did something: what happened earlier may be noted later."""
    told = event.kind == "note" and not event.data.get("intervention") and not event.data.get("pagerduty_event")
    return event.recorded_at if told or is_noted_by_another(event) else event.occurred_at


def role_name(role: str) -> str:
    """Return what a role is called."""
    known = next((each for each in Role if each.value == role), None)
    return word_of(known) if known else role.replace("_", " ").capitalize()


def _rank(role: str) -> tuple[int, str]:
    known = [each.value for each in Role]
    return (known.index(role) if role in known else len(known)), role


def _in_order(events: Iterable[Event]) -> list[Event]:
    return sorted(events, key=lambda event: event.seq)


def _whom(event: Event) -> str:
    name, level = word(event.data, "name"), plain(event.data.get("level"))
    if not name:
        return event.text
    return f"{name} (level {level})" if isinstance(level, int) and level > 0 else name


def _why(event: Event, names: Names) -> str:
    name, why = word(event.data, "name"), word(event.data, "why")
    if not name:
        return ""
    if event.data.get("reason") == "asked":
        # Sitrep itself escalates on a person's request: the event's data name the person.
        by = names.of(word(event.data, "asked_by"), word(event.data, "by")) or names.actor(event.actor)
        return f"asked for by {by}" + (f": {why}" if why else "")
    return event.text.partition(f"{name}: ")[2]


def _outcomes(ordered: Sequence[Event]) -> dict[int, list[Event]]:
    """Find what became of each page, by the page's seq: each delivery and each failure belongs to one page.

    Deliveries go out in order. So an outcome belongs to the oldest page of its level that has none of its sort yet;
    a page that names the people reached, and one that nothing has stopped, comes first.
    """
    found: dict[int, list[Event]] = {}
    pages: list[Event] = []
    stopped: set[int] = set()
    taken: set[tuple[int, str]] = set()
    for event in ordered:
        if event.kind in _PAGES:
            pages.append(event)
        elif event.kind in {"page_delivered", "page_failed"}:
            level, sort = event.data.get("level"), _sort(event)
            mine = [page for page in pages if level is not None and page.data.get("level") == level]
            if not mine:
                continue

            def rank(page: Event, event: Event = event, sort: str = sort) -> tuple[bool, bool, bool, bool, int]:
                is_taken = (page.seq, sort) in taken
                fits = bool(_named(page) & (_people(event) | _named(event)))
                # Of pages that have theirs, the last one is repeated.
                order = -page.seq if is_taken else page.seq
                return is_taken, not _goes_by(page, sort), not fits, page.seq in stopped, order

            page = min(mine, key=rank)
            taken.add((page.seq, sort))
            found.setdefault(page.seq, []).append(event)
        elif event.kind in {"acknowledged", "update_posted"} or ends(event):
            stopped.update(page.seq for page in pages if ends(event) or _is_stopped_by(page, event))
    return found


def _sort(outcome: Event) -> str:
    """Return what an outcome tells of: the page in Slack, the one through PagerDuty, or the invitation."""
    if outcome.data.get("via") == "pagerduty" or outcome.data.get("delivery") == "page_pagerduty":
        return "pagerduty"
    return "invite" if outcome.data.get("delivery") == "invite" else "slack"


def _goes_by(page: Event, sort: str) -> bool:
    """Return True where a page can have an outcome of this sort."""
    if sort == "pagerduty":
        return bool(page.data.get("pagerduty"))
    return page.data.get("people") not in ([], ())


def _is_stopped_by(page: Event, event: Event) -> bool:
    """Return True where a page that waits does not go out any more after this event."""
    reason = page.data.get("reason")
    if reason == "update_overdue":
        return event.kind == "update_posted"
    return event.kind == "acknowledged" and reason not in _TO_PEOPLE


def _people(event: Event) -> set[str]:
    """Return the people of a page or a delivery, as it names them."""
    told = plain(event.data.get("people"))
    return {str(each).casefold() for each in told} if isinstance(told, list) else set()


def _named(event: Event) -> set[str]:
    """Return the names under which a page went out: one of a level has only the level's."""
    name = word(event.data, "name").casefold()
    return {name, *name.split(", ")} - {""}


def _reached(page: Event, outcome: Event) -> str:
    """Say whom an outcome of a page reached, or why it reached nobody."""
    if outcome.kind == "page_failed":
        return f"failed: {word(outcome.data, 'reason').replace('_', ' ') or outcome.text}"
    told = plain(outcome.data.get("people"))
    who = ", ".join(str(each) for each in told) if isinstance(told, list) else ""
    via = " (PagerDuty)" if outcome.data.get("via") == "pagerduty" else ""
    return f"{who or page.data.get('name') or ''}{via}".strip()


def _addressees(page: Event, outcomes: Sequence[Event]) -> set[str]:
    """Return the people whom a page is for, by id and by name."""
    reached = (_people(outcome) for outcome in outcomes if outcome.kind == "page_delivered")
    named = set() if page.data.get("level") else _named(page)
    return _people(page).union(named, *reached)


def _answer(page: Event, later: Sequence[Event], people: set[str], names: Names) -> tuple[datetime, str] | None:
    """Find who answered a page: by acknowledging, by the update that was overdue, or by the first thing they did."""
    reason = page.data.get("reason")
    wanted = "update_posted" if reason == "update_overdue" else "acknowledged"
    for event in later:
        if event.kind in _NO_ANSWERS or event.data.get("void"):
            continue
        if event.kind == wanted and reason != "asked":
            how = "" if wanted == "acknowledged" else " (update)"
            return max(event.occurred_at, page.occurred_at), f"{names.actor(event.actor)}{how}"
        speaker = names.author(event)  # a message counts for its author, even if someone else added it
        known_as = {speaker, *(author_of(event) if any(author_of(event)) else (event.actor.id, event.actor.name))}
        is_them = event.actor.type == "human" and not people.isdisjoint(each.casefold() for each in known_as if each)
        acted_at = event.occurred_at if any(author_of(event)) else _acted_at(event)
        if is_them and reason in _TO_PEOPLE and acted_at >= page.occurred_at:
            return acted_at, f"{speaker} ({kind_of(event).lower()})"
        if ends(event):
            return None
    return None


def _moment(event: Event, key: str) -> datetime | None:
    value = event.data.get(key)
    if isinstance(value, datetime):
        return value if value.tzinfo else None
    try:
        moment = datetime.fromisoformat(str(value))
    except ValueError:
        return None
    return moment if moment.tzinfo else None


def _seconds(start: datetime, end: datetime) -> int:
    return max(int((end - start).total_seconds()), 0)

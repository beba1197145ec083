"""Counts in the workspace what there must be once, and compares it with what the outside did and when.

Nothing is taken from the product's own tables. Each thing that is not as it must be is one line of text.
"""

from __future__ import annotations

import re
from collections import Counter
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field

from bot.sandbox.model import Channel, Message
from bot.sandbox.workspace import Workspace
from tests.conftest import number_of
from tests.soak.outside import Life, Span
from tests.soak.scenario import LEVELS, PEOPLE, Size, Verb

# A message that was under way when somebody acknowledged or updated arrives after it all the same.
UNDER_WAY = 2.0
CLIMB = 1 / 3  # of the interval, from overdue to the first climb

NOBODY_ANSWERS = "overdue, and everyone on the ladder was paged"  # what the operators hear after the last climb

OPENING = ("card", "notification", "runbook")
_SAYS = tuple(
    (kind, re.compile(pattern))
    for kind, pattern in (
        (
            "card",
            r"^INC-\S+, sev2, is \w+: (?P<text>.*)\. \w+ has the lead",
        ),
        ("notification", r"^INC-\S+ sev2 declared:"),
        ("runbook", r"^Runbook for this incident:"),
        ("page", r"^:rotating_light: .*you are paged as \*(?P<text>[^*]+)\*: nobody has acknowledged"),
        ("climb", r"^:rotating_light: .*you are paged as \*(?P<text>[^*]+)\*: the update is overdue"),
        ("reminder", r"^Post an update by .*<!date\^(?P<due>\d+)"),
        ("overdue", r"Update (?:overdue by|due now).*<!date\^(?P<due>\d+)"),
        ("update", r"^Update on INC-\S+: (?P<text>.*?)\.?$"),
        ("lead", r" took the lead\.$"),
        ("status", r" set the status to \*identified\*\.$"),
        ("resolution", r"^INC-\S+ is resolved:"),
    )
)
_WRITTEN_LONG_AGO = re.compile(r" Written at .*, delivered .* late\.$")
_ONCE_SAID = {Verb.LEAD: "lead", Verb.STATUS: "status", Verb.RESOLVE: "resolution"}


@dataclass(frozen=True, slots=True)
class Seen:
    """A message as people read it: what kind it is, and what it says."""

    kind: str
    at: float
    text: str
    due: int = 0


@dataclass(slots=True)
class Room:
    """An incident's channel."""

    channel: Channel
    seen: list[Seen] = field(default_factory=list)

    def of(self, kind: str, text: str | None = None) -> list[Seen]:
        """The messages of a kind, oldest first."""
        return [one for one in self.seen if one.kind == kind and text in (None, one.text)]


def read(message: Message) -> Seen:
    """Recognise a message by what people read, not by the mark upon it."""
    at, said = float(message.ts), _WRITTEN_LONG_AGO.sub("", message.text)
    for kind, pattern in _SAYS:
        if found := pattern.search(said):
            groups = found.groupdict()
            return Seen(kind, at, groups.get("text") or said, int(groups.get("due") or 0))
    return Seen("stray", at, said)


def rooms(workspace: Workspace) -> dict[str, Room]:
    """Give the incidents' channels by name."""
    with workspace.lock:
        channels = {c.name: (c, list(c.log)) for c in workspace.channels.values() if c.name.startswith("incident-")}
    return {
        name: Room(channel, [read(m) for m in log if not m.subtype and not m.ephemeral_to])
        for name, (channel, log) in channels.items()
    }


def by_number(found: Mapping[str, Room]) -> dict[str, Room]:
    """Give channels by the numbers of their incidents."""
    return {number_of(name): room for name, room in found.items()}


def complete(room: Room | None) -> bool:
    """True when an incident that nobody answers is open, all its levels are paged and its update is called for."""
    said = (*OPENING, "overdue")
    return room is not None and all(room.of(k) for k in said) and all(room.of("page", n) for n in LEVELS[1:])


class Verdict:
    """Looks at everything. `problems` are the deviations, `counted` how many messages of each kind there are.

    `calm` is the moment from which on nothing failed any more: what was due before may be as late as if it were due
    then, unless an incident is in `awaited`.
    """

    def __init__(
        self, size: Size, workspace: Workspace, lives: Sequence[Life], calm: float, awaited: Sequence[Life]
    ) -> None:
        self._size = size
        self._calm = calm
        self._awaited = {life.number for life in awaited}
        self._workspace = workspace
        self._lives = lives
        self._rooms = rooms(workspace)
        self._by_number = by_number(self._rooms)
        self._announced = [read(m) for m in workspace.messages("incidents") if not m.subtype]
        self.counted = Counter(one.kind for room in self._rooms.values() for one in room.seen)
        self.problems = [*self._everywhere(), *(f"{life.number}: {p}" for life in lives for p in self._of(life))]

    def _everywhere(self) -> Iterator[str]:
        keys = Counter(
            str(message.metadata["event_payload"]["key"])
            for channel in self._workspace.channels.values()
            for message in channel.log
            if message.metadata
        )
        yield from (f"{key} was posted {count} times" for key, count in keys.items() if count > 1)
        known = {life.number for life in self._lives}
        yield from (f"#{name} belongs to no incident" for name in self._rooms if number_of(name) not in known)
        having = Counter(map(number_of, self._rooms))
        yield from (f"{number} has {count} channels" for number, count in having.items() if count > 1)
        names = Counter(channel.name for channel in self._workspace.channels.values() if channel.name)
        yield from (f"#{name} exists {count} times" for name, count in names.items() if count > 1)
        for mark, count in Counter(life.story.mark for life in self._lives).items():
            lost = sum(life.lost for life in self._lives if life.story.mark == mark)
            if count > 1 + lost:
                yield f"{mark} has {count} incidents, with {lost} declarations unanswered"
        told = [m.text for m in self._workspace.messages("ops-alerts") if NOBODY_ANSWERS not in m.text]
        yield from (f"the operators are told: {text}" for text in told)
        if len(self._announced) != len(self._lives):
            yield f"{len(self._lives)} incidents have {len(self._announced)} announcements"

    def _of(self, life: Life) -> Iterator[str]:
        room = self._by_number.get(life.number)
        if room is None:
            yield "has no channel"
            return
        yield from (f"says something unknown: {one.text!r}" for one in room.of("stray"))
        yield from self._opening(life, room)
        yield from self._words(life, room)
        yield from self._pages(life, room)
        yield from self._cadence(life, room)
        yield from self._people(life, room)
        yield from self._end(life, room)

    def _opening(self, life: Life, room: Room) -> Iterator[str]:
        for kind in OPENING:
            if len(room.of(kind)) != 1:
                yield f"has {len(room.of(kind))} of the {kind}"
        pinned = [read(m).kind for m in self._workspace.pinned(room.channel.id)]
        noted = Counter(m.subtype for m in room.channel.log if m.subtype)
        if pinned != ["card"] or noted["pinned_item"] != 1:
            yield f"has {pinned} pinned, by {noted['pinned_item']} pins"
        if noted["channel_join"] != len(room.channel.members) - 1:
            yield f"{noted['channel_join']} joins for {len(room.channel.members)} members"
        if life.story.mark not in "".join(one.text for one in room.of("card")):
            yield "is somebody else's channel"

    def _words(self, life: Life, room: Room) -> Iterator[str]:
        """Each update and what else is told of people is said once; again only if it was typed again unanswered."""
        for deed in life.deeds:
            if kind := _ONCE_SAID.get(deed.verb):
                yield from _count(room.of(kind), kind, 1, 1)
            elif deed.verb is Verb.UPDATE:
                said = room.of("update", deed.text)
                yield from _count(said, f"update {deed.text!r}", 1, 1 + deed.lost)
        for verb, kind in _ONCE_SAID.items():
            if room.of(kind) and not life.of(verb):
                yield f"says {kind}, which nobody did"
        typed = {deed.text for deed in life.of(Verb.UPDATE)}
        yield from (f"says {one.text!r}, which nobody typed" for one in room.of("update") if one.text not in typed)

    def _pages(self, life: Life, room: Room) -> Iterator[str]:
        """A level that fell due without an acknowledgement is paged once, and nobody after one was committed."""
        stop = _first(deed.span for deed in life.of(Verb.ACK, Verb.RESOLVE))
        for level, after in zip(LEVELS[1:], self._size.after[1:], strict=True):
            due, pages = life.declared.plus(after), room.of("page", level)
            least = 1 if self._must(life, due.high, stop) else 0
            yield from _count(pages, f"page of {level}", least, 1)
            yield from (f"{level} was paged {due.low - p.at:.1f} s early" for p in pages if p.at < due.low)
            if stop is not None:
                late = [p.at - stop.high for p in pages if p.at > stop.high + UNDER_WAY]
                yield from (f"{level} was paged {by:.1f} s after an acknowledgement or the end" for by in late)

    def _cadence(self, life: Life, room: Room) -> Iterator[str]:
        """One reminder and one overdue notice for each moment at which an update is due, and one climb of a level."""
        every = self._size.update_every
        restarts = [deed.span for deed in life.of(Verb.UPDATE)]
        bases = [life.declared, *restarts]
        stops = sorted([*restarts, *(d.span for d in life.of(Verb.PAUSE, Verb.RESOLVE))], key=lambda s: s.low)

        def fits(base: Span, due: int) -> bool:
            return base.low + every - 1 <= due <= base.high + every

        for due, count in Counter(one.due for one in room.of("reminder")).items():
            if count > 1:
                yield f"{count} reminders of {due}"
        for due in {one.due for one in [*room.of("reminder"), *room.of("overdue")]}:
            if not any(fits(base, due) for base in bases):
                yield f"an update is said to be due at {due}, which is no such moment"
        for due in {one.due for one in room.of("overdue")}:
            notices = [one for one in room.of("overdue") if one.due == due]
            for place, notice in enumerate(notices):
                soonest = due if place == 0 else due + every * (CLIMB + place - 1)
                if notice.at < soonest:
                    yield f"overdue notice {place + 1} for {due} came {soonest - notice.at:.1f} s early"
        for base in bases:
            stop = _first(s for s in stops if s.high > base.high)
            told = [one for one in room.of("overdue") if fits(base, one.due)]
            if not told and self._must(life, base.high + every, stop):
                yield f"nothing was said when the update of {base.high + every:.0f} was overdue"
            its_own = [one for one in told if sum(fits(other, one.due) for other in bases) == 1]
            if stop is not None and any(one.at > stop.high + UNDER_WAY for one in its_own):
                yield f"an overdue notice came {its_own[-1].at - stop.high:.1f} s after the update or the end"
        stop = _first(deed.span for deed in life.of(Verb.RESOLVE, Verb.PAUSE))
        for level in LEVELS:
            climbs = room.of("climb", level)
            yield from _count(climbs, f"climb to {level}", 0, 1)
            if any(c.at < life.declared.low + every * (1 + CLIMB) for c in climbs):
                yield f"the climb to {level} came early"
            if stop is not None and any(c.at > stop.high + UNDER_WAY for c in climbs):
                yield f"the climb to {level} came after the end"

    def _must(self, life: Life, due: float, stop: Span | None) -> bool:
        """True when what is due at a moment must have happened before what made it needless."""
        awaited = life.number in self._awaited and due < self._calm
        return awaited or stop is None or max(due, self._calm) + self._size.late < stop.low

    def _people(self, life: Life, room: Room) -> Iterator[str]:
        """Whoever was paged or leads is in the channel; nobody whose level could not have been reached is."""
        inside = {self._workspace.user(member).name for member in room.channel.members}
        must = {"sitrep", PEOPLE[0], *(deed.user for deed in life.of(Verb.LEAD))}
        stop = _first(deed.span for deed in life.of(Verb.ACK, Verb.RESOLVE))
        over = _first(deed.span for deed in life.of(Verb.RESOLVE, Verb.PAUSE))
        climbs = over is None or over.high > life.declared.low + self._size.update_every * (1 + CLIMB)
        may = set(must)
        for level, after, who in zip(LEVELS, self._size.after, PEOPLE, strict=True):
            if room.of("page", level) or room.of("climb", level):
                must.add(who)
            if stop is None or life.declared.low + after < stop.high or climbs:
                may.add(who)
        if missing := must - inside:
            yield f"{sorted(missing)} were not invited"
        if strangers := inside - may - must:
            yield f"{sorted(strangers)} were invited for nothing"

    def _end(self, life: Life, room: Room) -> Iterator[str]:
        """The card, the announcement and the topic show the state in which the incident was left."""
        said = Verb.RESOLVE if life.ended else Verb.STATUS if life.of(Verb.STATUS) else None
        status = {Verb.RESOLVE: "resolved", Verb.STATUS: "identified", None: "investigating"}[said]
        leads = life.of(Verb.LEAD)
        who = f"{leads[-1].user} has the lead" if leads else "Nobody has the lead yet"
        sentence = re.compile(rf"{life.number}, sev2, is {status}: .*{life.story.mark}.*\. {who}\.")
        cards = self._workspace.pinned(room.channel.id)
        announced = [m for m in self._workspace.messages("incidents") if m.text.startswith(f"{life.number},")]
        updates = life.of(Verb.UPDATE)
        for what, found in (("card", cards), ("announcement", announced)):
            for message in found:
                if not sentence.fullmatch(message.text):
                    yield f"the {what} says: {message.text}"
                if updates and updates[-1].text not in str(message.blocks):
                    yield f"the {what} does not show the last update"
            if len(found) != 1:
                yield f"has {len(found)} of the {what}"
        if not room.channel.topic.startswith(f"sev2 {status} | lead: {leads[-1].user if leads else 'none yet'} | "):
            yield f"the topic says: {room.channel.topic}"


def _count(found: Sequence[object], what: str, least: int, most: int) -> Iterator[str]:
    if not least <= len(found) <= most:
        wanted = str(least) if least == most else f"{least} to {most}"
        yield f"{len(found)} times the {what}, not {wanted}"


def _first(spans: Iterable[Span]) -> Span | None:
    return min(spans, key=lambda span: span.low, default=None)

"""The configuration's `severities`: the table's rows, and the names that a company has for them."""

from __future__ import annotations

import difflib
import re
from collections.abc import Mapping
from typing import Annotated

from pydantic import BaseModel, BeforeValidator, ConfigDict

from bot.durations import Duration
from bot.incidents.policy import Severity, built_in, folded
from bot.incidents.wording import VERBS

LONGEST = 40  # characters of a name: it stands in titles, topics and buttons
# What Slack or Markdown would take for mark-up, and what shows nothing or breaks a line.
_UNFIT = re.compile(r"[<>&`*~|\[\]\\\u0000-\u001f\u007f-\u009f\u00ad\u200b-\u200f\u2028-\u202e\u2060-\u2069\ufeff]")
_LEVELS = ", ".join(Severity)


def _word(value: object) -> object:
    """Take a number for what was written, so that the refusal can name it."""
    return str(value) if isinstance(value, int) and not isinstance(value, bool) else value


SeverityWord = Annotated[str, BeforeValidator(_word)]


class SeverityConfig(BaseModel):
    """One row of the severity table; what is left out keeps its default.

    `like` is the level that a severity of the company's own stands for, `name` what people read.
    """

    model_config = ConfigDict(extra="forbid", frozen=True)

    like: SeverityWord | None = None
    name: SeverityWord | None = None
    update_every: Duration | None = None
    monitoring_every: Duration | None = None  # once a fix is watched; twice `update_every` by default
    respond_within: Duration | None = None
    ladder: str | None = None
    channel: bool | None = None

    @property
    def settings(self) -> dict[str, object]:
        """What is set in the row, beside its names."""
        return self.model_dump(exclude={"like", "name"}, exclude_none=True)


SeveritiesConfig = dict[SeverityWord, SeverityConfig]


def rows_of(severities: Mapping[str, SeverityConfig]) -> dict[Severity, SeverityConfig]:
    """Return what is configured of each level, whichever of its names it stands under.

    Raises:
        ValueError: a name is empty, unfit or taken, a level is none, or a level has two rows that differ.
    """
    keys: dict[Severity, list[str]] = {}
    for key, row in severities.items():
        keys.setdefault(_level(key, row), []).append(key)
    _must_differ(severities, keys)
    return {level: _merged(level, [(key, severities[key]) for key in named]) for level, named in keys.items()}


def key_of(severities: Mapping[str, SeverityConfig], level: Severity) -> str:
    """Return the company's own key of a level; empty where it has none."""
    return next((key.strip() for key, row in severities.items() if key != level.value and row.like == level.value), "")


def _level(key: str, row: SeverityConfig) -> Severity:
    """Return the level that a row stands for."""
    where = f"severities.{key.strip() or repr(key)}"
    if key in [*Severity]:
        if row.like not in {None, key}:
            raise ValueError(f"{where}: {key} is a level, so it cannot be `like: {row.like}`. Choose another name.")
        level = Severity(key)
    else:
        _must_fit(where, key)
        if row.like is None:
            near = difflib.get_close_matches(key.casefold(), [s.value for s in Severity], n=1, cutoff=0.6)
            hint = f" Did you mean {near[0]!r}?" if near else ""
            raise ValueError(f"{where}: add `like:` with the level that it stands for, one of {_LEVELS}.{hint}")
        if row.like not in [*Severity]:
            raise ValueError(f"{where}.like: there is no level {row.like!r}. Give one of {_LEVELS}.")
        level = Severity(row.like)
        _must_be_free(where, key, level)
    if row.name is not None:
        _must_fit(f"{where}.name", row.name)
        _must_be_free(f"{where}.name", row.name, level)
    return level


def _must_fit(where: str, name: str) -> None:
    """Refuse a name that cannot be read, typed or shown."""
    if not any(char.isalpha() for char in name):
        raise ValueError(f"{where}: give a name with a letter in it, such as p1 or Critical, not {name!r}.")
    if found := _UNFIT.search(name):
        raise ValueError(f"{where}: take {found[0]!r} out of the name.")
    if len(name) > LONGEST:
        raise ValueError(f"{where}: shorten the name to {LONGEST} characters; it has {len(name)}.")


def _must_be_free(where: str, name: str, level: Severity) -> None:
    """Refuse a name that means something else where people type it."""
    other = built_in(name)
    if other is not None and other is not level:
        raise ValueError(f"{where}: {name!r} already means {other.value}, not {level.value}. Choose another name.")
    if name.strip().casefold() in VERBS:
        raise ValueError(f"{where}: {name!r} is a verb of the slash command. Choose another name.")


def _must_differ(severities: Mapping[str, SeverityConfig], keys: Mapping[Severity, list[str]]) -> None:
    """Refuse two names of the company's own for one level, and one name for two levels."""
    known: dict[str, tuple[Severity, str]] = {}
    for level, named in keys.items():
        own = [key for key in named if key != level.value]
        if len(own) > 1:
            first, second = own[:2]
            raise ValueError(f"severities.{second}: severities.{first} is like {level.value} already. Keep one.")
        for key in named:
            name = severities[key].name
            for where, word in ((f"severities.{key}", key), (f"severities.{key}.name", name)):
                taken, place = known.setdefault(folded(word), (level, where)) if word else (level, where)
                if taken is not level:
                    raise ValueError(f"{where}: {word!r} is taken by {place}. Choose another name.")


def _merged(level: Severity, rows: list[tuple[str, SeverityConfig]]) -> SeverityConfig:
    """Return a level's row from its two: what is set stands in one of them."""
    for what, given in (
        ("settings", [key for key, row in rows if row.settings]),
        ("name", [key for key, row in rows if row.name is not None]),
    ):
        if len(given) > 1:
            first, second = given
            raise ValueError(f"severities.{second}: severities.{first} gives {level.value} its {what} too. Keep one.")
    made = SeverityConfig(like=level.value)
    for _, row in rows:
        made = made.model_copy(update={name: value for name, value in row if value is not None})
    return made

"""The runbooks of a directory, read and checked as a whole."""

from __future__ import annotations

import hashlib
import stat
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from functools import cached_property
from operator import itemgetter
from pathlib import Path
from typing import Any, TypeVar

import frontmatter
from frontmatter.default_handlers import YAMLHandler
from pydantic import BaseModel, ValidationError
from yaml import YAMLError

from bot import yaml_once
from bot.errors import SitrepError
from bot.runbooks import names
from bot.runbooks.minimum import CHECKLIST_ID, FIRST_RESPONSE, GENERAL, GENERAL_ID
from bot.runbooks.model import Book, Checklist, ChecklistMetadata, Metadata, Runbook, Section
from bot.runbooks.parse import ParseError, parse

CHECKLISTS = Path("checklists")
VARIABLES_FILE = "sites.yaml"
LARGEST = 1024 * 1024  # bytes of a file
VERSION_LENGTH = 12  # hex digits: short enough to print, long enough never to clash within one catalog

_Meta = TypeVar("_Meta", bound=BaseModel)
_Read = TypeVar("_Read", Runbook, Checklist)


class _FrontMatter(YAMLHandler):
    """Front matter in which each key stands once."""

    def load(self, fm: str, **_: object) -> Any:
        """Return what the front matter holds."""
        return yaml_once.load(fm)


_FRONT_MATTER = _FrontMatter()


class CatalogError(SitrepError):
    """The catalog cannot be used. Each of `problems` names a file and what to change in it."""

    def __init__(self, problems: Sequence[str]) -> None:
        super().__init__("\n".join(problems))
        self.problems = tuple(problems)


@dataclass(frozen=True)
class Catalog:
    """All runbooks and all checklists, in the order of their ids; `problems` names what was skipped, with the fix."""

    runbooks: tuple[Runbook, ...]
    checklists: tuple[Checklist, ...]
    problems: tuple[str, ...] = ()
    variables: Mapping[str, str] = field(default_factory=dict)  # what `sites` may give, with its meaning

    @classmethod
    def load(cls, path: Path) -> Catalog:
        """Read `*.md` (but README.md) in a directory, and the checklists in its `checklists`.

        Raises:
            CatalogError: naming every file at fault and the fix.
        """
        catalog = cls.read(path)
        if catalog.problems:
            raise CatalogError(catalog.problems)
        return catalog

    @classmethod
    def read(cls, path: Path) -> Catalog:
        """Read what can be read, and skip the rest: a broken file must not stop the service.

        Where the general runbook or the first-response checklist is not there, a built-in one stands in.
        """
        if not path.is_dir():
            problem = f"{path}: is not a directory; point SITREP_RUNBOOKS to the one that holds the runbooks"
            return cls((GENERAL,), (FIRST_RESPONSE,), (problem,))
        of_books: list[str] = []
        found = _all(path, _runbook, of_books)
        books = _first_of_each(runbook for _, runbook in found)
        if GENERAL_ID not in books:
            books[GENERAL_ID] = GENERAL
            if not of_books:
                of_books.append(f"{path}: add a runbook with `id: {GENERAL_ID}`, for the alerts that match no other")
        of_lists: list[str] = []
        lists = _all(path / CHECKLISTS, _checklist, of_lists)
        checklists = _first_of_each(checklist for _, checklist in lists if checklist.id not in books)
        if CHECKLIST_ID not in checklists:
            checklists[CHECKLIST_ID] = FIRST_RESPONSE
            if not of_lists:
                of_lists.append(f"{CHECKLISTS}: add a checklist with `id: {CHECKLIST_ID}`, for every new incident")
        of_sites: list[str] = []
        variables = _variables(path / VARIABLES_FILE, of_sites)
        return cls(
            tuple(books[key] for key in sorted(books)),
            tuple(checklists[key] for key in sorted(checklists)),
            (*of_books, *_clashes(found, lists), *of_lists, *of_sites),
            variables,
        )

    def book(self, book_id: str) -> Book | None:
        """Give the runbook or the checklist of this id, or None."""
        return self.get(book_id) or next((each for each in self.checklists if each.id == book_id), None)

    def get(self, runbook_id: str) -> Runbook | None:
        """Give the runbook of this id, or None."""
        return next((runbook for runbook in self.runbooks if runbook.id == runbook_id), None)

    def by_url(self, url: str) -> tuple[Runbook, ...]:
        """Give the runbook of this url, if there is one."""
        return self._by_url.get(url, ())

    def named(self, name: str) -> tuple[Runbook, ...]:
        """Give the runbooks that name an alert, however it is spelled: the one that names it earliest first."""
        return self.names.get(names.key_of(name), ())

    @cached_property
    def names(self) -> Mapping[str, tuple[Runbook, ...]]:
        """Which runbooks name an alert, by the name's key."""
        found: dict[str, list[tuple[int, str, Runbook]]] = {}
        for runbook in self.runbooks:
            plain = [name for name in runbook.alerts if not names.is_family(name)]
            places = [*enumerate(runbook.signals, start=1), *((0, name) for name in plain)]
            for place, name in places:
                found.setdefault(names.key_of(name), []).append((place, runbook.id, runbook))
        return {
            key: tuple(dict.fromkeys(each[2] for each in sorted(all_, key=itemgetter(0, 1))))
            for key, all_ in found.items()
        }

    @cached_property
    def families(self) -> tuple[tuple[Runbook, str], ...]:
        """The runbooks whose `alerts` hold a regular expression, with it."""
        return tuple((book, name) for book in self.runbooks for name in book.alerts if names.is_family(name))

    @cached_property
    def _by_url(self) -> Mapping[str, tuple[Runbook, ...]]:
        return {book.url: (book,) for book in reversed(self.runbooks)}

    @property
    def general(self) -> Runbook:
        """The runbook for alerts that match no other."""
        return next(runbook for runbook in self.runbooks if runbook.id == GENERAL_ID)

    @property
    def checklist(self) -> Checklist:
        """The first-response checklist."""
        return next(checklist for checklist in self.checklists if checklist.id == CHECKLIST_ID)

    def __iter__(self) -> Iterator[Runbook]:
        return iter(self.runbooks)

    def __len__(self) -> int:
        return len(self.runbooks)


def _variables(file: Path, problems: list[str]) -> dict[str, str]:
    """Read which variables runbooks take from the configuration's `sites`, and what each means."""
    try:
        read = yaml_once.load(file.read_text(encoding="utf-8"))
    except FileNotFoundError:
        return {}
    except (OSError, ValueError, YAMLError, RecursionError) as error:
        problems.append(f"{file.name}: make it a readable YAML file ({' '.join(str(error).split())})")
        return {}
    if not isinstance(read, dict) or not all(isinstance(text, str) for pair in read.items() for text in pair):
        problems.append(f"{file.name}: write it as `variable: what it means`, one a line")
        return {}
    return read


def _first_of_each(read: Iterable[_Read]) -> dict[str, _Read]:
    found: dict[str, _Read] = {}
    for book in read:
        found.setdefault(book.id, book)
    return found


def _all(folder: Path, read: Callable[[Path], _Read], problems: list[str]) -> list[tuple[str, _Read]]:
    """Read the files of a folder, in the order of their names; what is wrong with them is added to `problems`."""
    found = []
    for file in _files(folder, problems):
        try:
            found.append((file.name, read(file)))
        except CatalogError as error:
            problems += error.problems
        # A runbook is content: whatever its text makes a parser raise is that file's fault alone.
        except Exception as error:  # noqa: BLE001
            problems.append(f"{file.name}: correct the file, it cannot be read ({type(error).__name__}: {error})")
    return found


def _files(folder: Path, problems: list[str]) -> list[Path]:
    try:
        files = sorted(file for file in folder.iterdir() if file.suffix == ".md" and not file.name.startswith("."))
    except FileNotFoundError:
        return []
    except OSError as error:
        problems.append(f"{folder.name}: make the directory readable ({error.strerror or error})")
        return []
    return [file for file in files if file.name.lower() != "readme.md"]


def _runbook(file: Path) -> Runbook:
    meta, preamble, sections, version = _read(file, Metadata)
    if preamble.steps:
        raise CatalogError([f"{file.name}: put the steps under level-2 headings such as `## Diagnosis`"])
    if not any(section.steps for section in sections):
        raise CatalogError([f"{file.name}: add at least one step, an item of an ordered list under a `## ` heading"])
    return Runbook(**meta.model_dump(), version=version, summary=preamble.intro, sections=sections)


def _checklist(file: Path) -> Checklist:
    meta, preamble, sections, version = _read(file, ChecklistMetadata)
    items = tuple(step for section in (preamble, *sections) for step in section.steps)
    if not items:
        raise CatalogError([f"{file.name}: add at least one item of an ordered list"])
    return Checklist(**meta.model_dump(), version=version, items=items)


def _read(file: Path, model: type[_Meta]) -> tuple[_Meta, Section, tuple[Section, ...], str]:
    """Give the metadata, what stands before the first level-2 heading, the sections, and the file's version."""
    raw = _bytes(file)
    try:
        text = raw.decode("utf-8-sig")
    except UnicodeDecodeError as error:
        raise CatalogError([f"{file.name}: save it as UTF-8 (byte {error.start} is not)"]) from error
    try:
        post = frontmatter.loads(text.replace("\r\n", "\n").replace("\r", "\n"), handler=_FRONT_MATTER)
    # YAML's own types raise ValueError where a value is none of theirs, such as the 30th of February.
    except (YAMLError, ValueError, RecursionError) as error:
        raise CatalogError([f"{file.name}: fix the YAML front matter: {' '.join(str(error).split())}"]) from error
    try:
        preamble, *sections = parse(post.content)
    except ParseError as error:
        raise CatalogError([f"{file.name}: {error}"]) from error
    if not post.metadata:
        raise CatalogError([f"{file.name}: begin the file with front matter between two `---` lines"])
    try:
        meta = model.model_validate(post.metadata)
    except ValidationError as error:
        raise CatalogError([f"{file.name}: {_fix(dict(problem))}" for problem in error.errors()]) from error
    return meta, preamble, tuple(sections), hashlib.sha256(raw).hexdigest()[:VERSION_LENGTH]


def _bytes(file: Path) -> bytes:
    try:
        info = file.stat()
        if not stat.S_ISREG(info.st_mode):
            raise CatalogError([f"{file.name}: move it away, it is no file ({stat.filemode(info.st_mode)})"])
        if info.st_size > LARGEST:
            raise CatalogError([f"{file.name}: make it smaller than {LARGEST // 1024} KiB"])
        return file.read_bytes()
    except OSError as error:
        raise CatalogError([f"{file.name}: make it readable ({error.strerror or error})"]) from error


def _fix(problem: Mapping[str, Any]) -> str:
    key = ".".join(str(part) for part in problem["loc"])
    if problem["type"] == "missing":
        return f"add `{key}` to the front matter"
    if problem["type"] == "extra_forbidden":
        return f"remove `{key}` from the front matter, or correct its spelling"
    return f"correct `{key}` in the front matter: {problem['msg']}"


def _clashes(found: Sequence[tuple[str, Runbook]], lists: Sequence[tuple[str, Checklist]]) -> list[str]:
    """Tell of ids and URLs that two files claim, of signals that lead to two runbooks alike, and of missing checklists.

    A signal may lead to several runbooks: the one that names it earlier in its own list comes first.
    """
    problems: list[str] = []
    claimed: dict[tuple[str, str], str] = {}

    def claim(name: str, kind: str, value: str, place: int = 0) -> None:
        other = claimed.setdefault((f"{kind} {place}", value), name)
        if other != name:
            problems.append(f"{name}: change the {kind} {value}; {other} has it already")

    for name, runbook in found:
        claim(name, "id", runbook.id)
        claim(name, "url", runbook.url)
        for place, signal in enumerate(runbook.signals, start=1):
            claim(name, "signal", signal, place)
        for alert in runbook.alerts:
            claim(name, "alert name", alert)
    for name, checklist in lists:
        claim(name, "id", checklist.id)
    known = {checklist.id for _, checklist in lists}
    for name, runbook in found:
        missing = [wanted for wanted in runbook.verification if wanted not in known]
        problems += [f"{name}: add the checklist {wanted}, or take it out of `verification`" for wanted in missing]
    return problems

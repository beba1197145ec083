"""The message templates: Jinja2 in a sandbox, written in Slack's mrkdwn.

Whatever a template prints is escaped for Slack, so that an alert called `<!channel>` pings nobody. Only text that
this program has made as mrkdwn itself, and marked with `Mrkdwn`, is printed as it stands.
"""

from __future__ import annotations

import difflib
import re
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Protocol

import jinja2
import structlog
from jinja2 import meta, nodes
from jinja2.sandbox import ImmutableSandboxedEnvironment

from bot.errors import SitrepError
from bot.incidents.policy import Severity
from bot.runbooks.minimum import TEMPLATES

log = structlog.get_logger()

SUFFIX = ".md.j2"
REQUIRED = ("initial", "resolution", "update")
DRAFT = "draft-"  # and a status: where an update in it begins
DRAFT_FIELDS = ("title", "service", "impact", "started", "mitigated")
# What each message's template can print: `bot.slack.messages` gives exactly these.
FIELDS: Mapping[str, frozenset[str]] = {
    name: frozenset(fields.split())
    for name, fields in {
        "initial": "severity level number title service impact detected status responders next_update "
        "customer_notification",
        "update": "severity level number status state action owner eta next_update author",
        "resolution": "severity level number title service duration root_cause fix follow_ups timeline author",
    }.items()
}
INDENT = "    "


class TemplateError(SitrepError):
    """A template is missing, cannot be read, or cannot be rendered. The message names it and the fix."""


class Mrkdwn(str):
    """Text that is Slack mrkdwn already, such as a mention or a link. A filter's result is plain text again."""

    __slots__ = ()


def escape(text: str) -> str:
    """Escape the three characters that Slack treats as markup."""
    return text.replace("&", "&amp;").replace("<", "&lt;").replace(">", "&gt;")


def line(value: object) -> str:
    """Put a value on one line, so that a title cannot pretend to be further fields of the message."""
    text = "" if value is None else str(value)
    return _like(value, " ".join(text.split()))


def text(value: object) -> str:
    """Keep a value's lines, but indent all after the first, so that they are seen to belong to it."""
    lines = ("" if value is None else str(value)).splitlines()
    return _like(value, f"\n{INDENT}".join(stripped for row in lines if (stripped := row.strip())))


def capitals(value: object) -> str:
    """Write a built-in severity in capitals; a company's own name stays as the company writes it."""
    word = "" if value is None else str(value)
    return _like(value, word.upper() if word in set(Severity) else word)


def _like(value: object, result: str) -> str:
    return Mrkdwn(result) if isinstance(value, Mrkdwn) else result


def _finalize(value: object) -> str:
    if isinstance(value, Mrkdwn):
        return value
    return "" if value is None else escape(str(value))


@dataclass(frozen=True, slots=True)
class Filled:
    """A template, filled in; `problem` is why the built-in one stood in for the file's (empty: it did not)."""

    text: str
    problem: str = ""


class Renders(Protocol):
    """Whatever fills in a message's template."""

    def render(self, name: str, **context: Any) -> str:
        """Return the template, filled in."""


class Templates:
    """The templates of a directory, compiled; `problems` names what was skipped, with the fix.

    `faults` are those of the problems that a template's writer has made: a syntax error, an unknown field.
    """

    def __init__(self, path: Path, *, lenient: bool = False) -> None:
        """Read `*.md.j2`; a lenient reader skips what is broken, reads what is edited again, and has built-in ones.

        Raises:
            TemplateError: one of initial, update and resolution is missing, a template has a syntax error, or names a
                field or a template that there is not.
        """
        self._path = path
        self._lenient = lenient
        self._spare = _compiled(TEMPLATES)[0] if lenient else {}
        self._load()
        if self.problems and not lenient:
            raise TemplateError("\n".join(self.problems))

    def _load(self) -> None:
        self._seen = _stamps(self._path)
        sources, unread = _sources(self._path)
        self._templates, broken = _compiled(sources)
        self._broken = {**unread, **broken}
        problems = [*unread.values(), *broken.values()]
        problems += [f"{n}{SUFFIX}: add it to {self._path}" for n in REQUIRED if not problems and n not in sources]
        self.faults = tuple(broken.values())
        self.problems = tuple(problems)

    def _look_again(self) -> None:
        """Read the directory again where something in it was edited."""
        if self._lenient and _stamps(self._path) != self._seen:
            self._load()

    @classmethod
    def read(cls, path: Path) -> Templates:
        """Read what can be read: a broken file must not stop what has begun."""
        return cls(path, lenient=True)

    def sound(self) -> Templates:
        """Return the templates, for a start; one that cannot be what its writer meant is refused.

        Raises:
            TemplateError: there is such a template; the message names the file, the line and the fix.
        """
        if self.faults:
            raise TemplateError("\n".join(f"{self._path}/{fault}" for fault in self.faults))
        return self

    @property
    def names(self) -> tuple[str, ...]:
        """The names that `render` takes."""
        return tuple(self._templates)

    def render(self, name: str, **context: Any) -> str:
        """Fill in a template. Every field that it prints must be given; an empty one may be left out by it.

        Raises:
            TemplateError: there is no such template, a field is missing, or the template is at fault.
        """
        return self.fill(name, **context).text

    def fill(self, name: str, **context: Any) -> Filled:
        """Fill in a template as it is now, and say why where the built-in one stands in.

        Raises:
            TemplateError: there is no such template, or it is at fault and there is no built-in one.
        """
        self._look_again()
        spare, problem = self._spare.get(name), self._broken.get(name, "")
        template = self._templates.get(name)
        if template is not None:
            try:
                return Filled(_render(name, template, context))
            except TemplateError as error:
                if spare is None:
                    raise
                problem = str(error)
        if spare is None:
            raise TemplateError(
                problem or f"{name}{SUFFIX}: there is no such template; use one of {', '.join(self.names)}"
            )
        if problem:
            log.warning("template_broken", template=name, reason=problem)
        return Filled(_render(name, spare, context), problem)

    def draft(self, status: str, facts: Mapping[str, str]) -> str:
        """Give the plain text with which an update in a status begins; empty where no template is there.

        A line that ends in a colon is for the person to go on with.

        Args:
            status: such as `identified`.
            facts: all of `DRAFT_FIELDS`.

        Raises:
            TemplateError: the template is at fault.
        """
        name = f"{DRAFT}{status}"
        self._look_again()
        if name not in self._templates and name not in self._broken:
            return ""
        return self.render(name, **{field: Mrkdwn(value) for field, value in facts.items()}).strip()


class Filling:
    """Fills in the templates of one message, and keeps why built-in ones stood in."""

    def __init__(self, templates: Templates) -> None:
        self._templates = templates
        self.problems: list[str] = []

    def render(self, name: str, **context: Any) -> str:
        """Return the template, filled in.

        Raises:
            TemplateError: there is no such template.
        """
        filled = self._templates.fill(name, **context)
        if filled.problem:
            self.problems.append(filled.problem)
        return filled.text


def _stamps(path: Path) -> tuple[tuple[str, int, int], ...]:
    """Return what changes when a template is edited, added or taken away."""
    stamps = []
    for file in sorted(path.glob(f"*{SUFFIX}")):
        try:
            found = file.stat()
        except OSError:
            continue
        stamps.append((file.name, found.st_mtime_ns, found.st_size))
    return tuple(stamps)


def _sources(path: Path) -> tuple[dict[str, str], dict[str, str]]:
    """Read the templates' files by their names without the suffix; beside them what is wrong with others."""
    sources: dict[str, str] = {}
    problems: dict[str, str] = {}
    for file in sorted(path.glob(f"*{SUFFIX}")):
        name = file.name.removesuffix(SUFFIX)
        if file.exists() and not file.is_file():
            problems[name] = f"{file.name}: move it away, it is no file"
            continue
        try:
            sources[name] = file.read_text(encoding="utf-8")
        except (OSError, UnicodeDecodeError) as error:
            problems[name] = f"{file.name}: make it a readable UTF-8 file ({error})"
    return sources, problems


def _environment(sources: Mapping[str, str]) -> ImmutableSandboxedEnvironment:
    # HTML escaping would be wrong here: `_finalize` escapes for Slack, and everything passes through it.
    environment = ImmutableSandboxedEnvironment(
        loader=jinja2.DictLoader({name + SUFFIX: source for name, source in sources.items()}),
        undefined=jinja2.StrictUndefined,
        autoescape=False,
        finalize=_finalize,
        trim_blocks=True,
        lstrip_blocks=True,
        auto_reload=False,
    )
    environment.filters.update(capitals=capitals, line=line, text=text)
    return environment


def _compiled(sources: Mapping[str, str]) -> tuple[dict[str, jinja2.Template], dict[str, str]]:
    """Compile what compiles and can be filled in, by name; beside it what is wrong with the rest."""
    environment = _environment(sources)
    made: dict[str, jinja2.Template] = {}
    problems: dict[str, str] = {}
    for name, source in sources.items():
        try:
            template = environment.get_template(name + SUFFIX)
            wrong = _unknown(environment, name, environment.parse(source), sources)
        except jinja2.TemplateSyntaxError as error:
            wrong = f"correct line {error.lineno}: {error.message}{_near_filter(environment, error.message or '')}"
        except (jinja2.TemplateError, RecursionError) as error:
            wrong = f"correct the template: {type(error).__name__}: {error}"
        if wrong:
            problems[name] = f"{name}{SUFFIX}: {wrong}"
        else:
            made[name] = template
    return made, problems


def _unknown(environment: jinja2.Environment, name: str, tree: nodes.Template, sources: Mapping[str, str]) -> str:
    """Say which fields and templates there are not that a template names, with the lines; empty for none."""
    known = fields_of(name)
    missing = meta.find_undeclared_variables(tree) - known - environment.globals.keys()
    lines = {
        found.name: found.lineno
        for found in sorted(tree.find_all(nodes.Name), key=lambda found: -found.lineno)
        if found.name in missing and found.ctx == "load"
    }
    wrong = [
        f"correct line {line}: there is no field `{field}`; {_nearest(field, known)}"
        for field, line in sorted(lines.items(), key=lambda each: (each[1], each[0]))
    ]
    for found in tree.find_all((nodes.Include, nodes.Extends, nodes.Import, nodes.FromImport)):
        wanted = getattr(found, "template", None)
        if not isinstance(wanted, nodes.Const) or getattr(found, "ignore_missing", False):
            continue
        if str(wanted.value).removesuffix(SUFFIX) not in sources:
            wrong.append(f"correct line {found.lineno}: there is no template `{wanted.value}`")
    return "; ".join(wrong)


def fields_of(name: str) -> frozenset[str]:
    """Return the fields that a template can print; one that others include may print all of theirs."""
    if name.startswith(DRAFT):
        return frozenset(DRAFT_FIELDS)
    return FIELDS.get(name) or frozenset().union(DRAFT_FIELDS, *FIELDS.values())


def _nearest(field: str, known: Iterable[str]) -> str:
    near = difflib.get_close_matches(field, sorted(known), n=1)
    return f"did you mean `{near[0]}`?" if near else f"there are {', '.join(sorted(known))}"


def _near_filter(environment: jinja2.Environment, message: str) -> str:
    """Name the filter that was probably meant; empty where the fault is another one."""
    found = re.match(r"No filter named '([^']*)'", message)
    near = difflib.get_close_matches(found[1], sorted(environment.filters), n=1, cutoff=0.5) if found else []
    return f" Did you mean `{near[0]}`?" if near else ""


def _render(name: str, template: jinja2.Template, context: Mapping[str, Any]) -> str:
    try:
        return template.render(context).strip() + "\n"
    except jinja2.UndefinedError as error:
        raise TemplateError(f"{name}{SUFFIX}: give the missing field or correct its name: {error}") from error
    # A template is content: whatever its expressions raise (division by zero, a wrong type) is its fault.
    except Exception as error:
        raise TemplateError(f"{name}{SUFFIX}: correct the template: {type(error).__name__}: {error}") from error

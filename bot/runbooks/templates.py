"""The message templates: Jinja2 in a sandbox, written in Slack's mrkdwn.

Whatever a template prints is escaped for Slack, so that an alert called `<!channel>` pings nobody. Only text that
this program has made as mrkdwn itself, and marked with `Mrkdwn`, is printed as it stands.
"""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import Any

import jinja2
import structlog
from jinja2.sandbox import ImmutableSandboxedEnvironment

from bot.errors import SitrepError
from bot.incidents.policy import Severity
from bot.runbooks.minimum import TEMPLATES

log = structlog.get_logger()

SUFFIX = ".md.j2"
REQUIRED = ("initial", "resolution", "update")
DRAFT = "draft-"  # and a status: where an update in it begins
DRAFT_FIELDS = ("title", "service", "impact", "started", "mitigated")
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


class Templates:
    """The templates of a directory, read and compiled once; `problems` names what was skipped, with the fix."""

    def __init__(self, path: Path, *, lenient: bool = False) -> None:
        """Read `*.md.j2`; a lenient reader skips what is broken, and built-in ones stand in, now and later.

        Raises:
            TemplateError: one of initial, update and resolution is missing, a template has a syntax error, or a draft
                names a field that there is not.
        """
        sources, problems = _sources(path)
        self._spare = _compiled(TEMPLATES)[0] if lenient else {}
        self._templates, faults = _compiled(sources)
        problems += faults
        problems += [f"{name}{SUFFIX}: add it to {path}" for name in REQUIRED if not problems and name not in sources]
        for name in [name for name in self._templates if name.startswith(DRAFT)]:
            try:
                self.draft(name.removeprefix(DRAFT), dict.fromkeys(DRAFT_FIELDS, ""))
            except TemplateError as error:
                del self._templates[name]
                problems.append(str(error))
        self.problems = tuple(problems)
        if problems and not lenient:
            raise TemplateError("\n".join(problems))

    @classmethod
    def read(cls, path: Path) -> Templates:
        """Read what can be read: a broken file must not stop the service."""
        return cls(path, lenient=True)

    @property
    def names(self) -> tuple[str, ...]:
        """The names that `render` takes."""
        return tuple(self._templates)

    def render(self, name: str, **context: Any) -> str:
        """Fill in a template. Every field that it prints must be given; an empty one may be left out by it.

        Raises:
            TemplateError: there is no such template, a field is missing, or the template is at fault.
        """
        spare = self._spare.get(name)
        template = self._templates.get(name, spare)
        if template is None:
            raise TemplateError(f"{name}{SUFFIX}: there is no such template; use one of {', '.join(self.names)}")
        try:
            return _render(name, template, context)
        except TemplateError as error:
            if spare is None or spare is template:
                raise
            log.warning("template_broken", template=name, reason=str(error))
            return _render(name, spare, context)

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
        if name not in self._templates:
            return ""
        return self.render(name, **{field: Mrkdwn(value) for field, value in facts.items()}).strip()


def _sources(path: Path) -> tuple[dict[str, str], list[str]]:
    """Read the templates' files by their names without the suffix; beside them what is wrong with others."""
    sources: dict[str, str] = {}
    problems: list[str] = []
    for file in sorted(path.glob(f"*{SUFFIX}")):
        if file.exists() and not file.is_file():
            problems.append(f"{file.name}: move it away, it is no file")
            continue
        try:
            sources[file.name.removesuffix(SUFFIX)] = file.read_text(encoding="utf-8")
        except (OSError, UnicodeDecodeError) as error:
            problems.append(f"{file.name}: make it a readable UTF-8 file ({error})")
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


def _compiled(sources: Mapping[str, str]) -> tuple[dict[str, jinja2.Template], list[str]]:
    """Compile what compiles, by name; beside it what is wrong with the rest."""
    environment = _environment(sources)
    made: dict[str, jinja2.Template] = {}
    problems: list[str] = []
    for name in sources:
        try:
            made[name] = environment.get_template(name + SUFFIX)
        except jinja2.TemplateSyntaxError as error:
            problems.append(f"{name}{SUFFIX}: correct line {error.lineno}: {error.message}")
        except (jinja2.TemplateError, RecursionError) as error:
            problems.append(f"{name}{SUFFIX}: correct the template: {type(error).__name__}: {error}")
    return made, problems


def _render(name: str, template: jinja2.Template, context: Mapping[str, Any]) -> str:
    try:
        return template.render(context).strip() + "\n"
    except jinja2.UndefinedError as error:
        raise TemplateError(f"{name}{SUFFIX}: give the missing field or correct its name: {error}") from error
    # A template is content: whatever its expressions raise (division by zero, a wrong type) is its fault.
    except Exception as error:
        raise TemplateError(f"{name}{SUFFIX}: correct the template: {type(error).__name__}: {error}") from error

"""The message templates: Jinja2 in a sandbox, written in Slack's mrkdwn.

Whatever a template prints is escaped for Slack, so that an alert called `<!channel>` pings nobody. Only text that
this program has made as mrkdwn itself, and marked with `Mrkdwn`, is printed as it stands.
"""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import Any

import jinja2
from jinja2.sandbox import ImmutableSandboxedEnvironment

from bot.errors import SitrepError

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


def _like(value: object, result: str) -> str:
    return Mrkdwn(result) if isinstance(value, Mrkdwn) else result


def _finalize(value: object) -> str:
    if isinstance(value, Mrkdwn):
        return value
    return "" if value is None else escape(str(value))


class Templates:
    """The templates of a directory, read and compiled once."""

    def __init__(self, path: Path) -> None:
        """Read `*.md.j2`.

        Raises:
            TemplateError: one of initial, update and resolution is missing, a template has a syntax error, or a draft
                names a field that there is not.
        """
        sources: dict[str, str] = {}
        for file in sorted(path.glob(f"*{SUFFIX}")):
            try:
                sources[file.name] = file.read_text(encoding="utf-8")
            except (OSError, UnicodeDecodeError) as error:
                raise TemplateError(f"{file.name}: make it a readable UTF-8 file ({error})") from error
        for name in REQUIRED:
            if name + SUFFIX not in sources:
                raise TemplateError(f"{name}{SUFFIX}: add it to {path}")
        # HTML escaping would be wrong here: `_finalize` escapes for Slack, and everything passes through it.
        self._environment = ImmutableSandboxedEnvironment(
            loader=jinja2.DictLoader(sources),
            undefined=jinja2.StrictUndefined,
            autoescape=False,
            finalize=_finalize,
            trim_blocks=True,
            lstrip_blocks=True,
            auto_reload=False,
        )
        self._environment.filters.update(line=line, text=text)
        self._templates = {name.removesuffix(SUFFIX): self._compile(name) for name in sources}
        for name in self._templates:
            if name.startswith(DRAFT):
                self.draft(name.removeprefix(DRAFT), dict.fromkeys(DRAFT_FIELDS, ""))

    def _compile(self, name: str) -> jinja2.Template:
        try:
            return self._environment.get_template(name)
        except jinja2.TemplateSyntaxError as error:
            raise TemplateError(f"{name}: correct line {error.lineno}: {error.message}") from error

    @property
    def names(self) -> tuple[str, ...]:
        """The names that `render` takes."""
        return tuple(self._templates)

    def render(self, name: str, **context: Any) -> str:
        """Fill in a template. Every field that it prints must be given; an empty one may be left out by it.

        Raises:
            TemplateError: there is no such template, a field is missing, or the template is at fault.
        """
        template = self._templates.get(name)
        if template is None:
            raise TemplateError(f"{name}{SUFFIX}: there is no such template; use one of {', '.join(self.names)}")
        try:
            return template.render(context).strip() + "\n"
        except jinja2.UndefinedError as error:
            raise TemplateError(f"{name}{SUFFIX}: give the missing field or correct its name: {error}") from error
        # A template is content: whatever its expressions raise (division by zero, a wrong type) is its fault.
        except Exception as error:
            raise TemplateError(f"{name}{SUFFIX}: correct the template: {type(error).__name__}: {error}") from error

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

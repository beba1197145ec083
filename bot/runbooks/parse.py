"""From CommonMark to sections and steps, by markdown-it's syntax tree. Pure."""

from __future__ import annotations

import re
import textwrap
from typing import Any

from markdown_it import MarkdownIt
from markdown_it.tree import SyntaxTreeNode

from bot.durations import parse_duration
from bot.runbooks.model import Section, Step

_MARKDOWN = MarkdownIt("commonmark").disable("inline")  # words are kept as they were written
_NOTE = re.compile(r"(Rollback|Rollback within ([1-9][0-9]{0,3}[mhd])|No rollback|Approval|Point): (.+)", re.DOTALL)


class ParseError(ValueError):
    """A runbook's text cannot be read as sections and steps. The message says what to change, and where."""


def parse(body: str) -> tuple[Section, ...]:
    """Read the sections of a runbook or checklist, whose lines end with a plain line feed.

    The first section has an empty title: it holds what stands before the first level-2 heading. The level-1
    heading is left out, for the title comes from the front matter.

    A paragraph of a step that begins with `Rollback:`, `Rollback within 2h:`, `No rollback:`, `Approval:` or `Point:`
    says so of the step.

    Raises:
        ParseError: a step without words or with two code blocks, or something after the steps of a section
            that belongs to none of them.
    """
    lines = body.split("\n")
    sections: list[Section] = []
    title = ""
    intro: list[str] = []
    steps: list[Step] = []
    number = 0
    for node in SyntaxTreeNode(_MARKDOWN.parse(body)).children:
        if node.type == "heading" and node.tag == "h2":
            sections.append(Section(title=title, intro="\n\n".join(intro), steps=tuple(steps)))
            title, intro, steps = _source(node, lines), [], []
        elif node.type == "ordered_list":
            for item in node.children:
                number += 1
                steps.append(_step(item, lines, title, number))
        elif steps:
            # Mostly a code block that was not indented: markdown ends the list there and the step loses its command.
            raise ParseError(
                f"section {title!r}: indent what follows step {number} so that it belongs to the step, "
                "or move it above the list"
            )
        elif not (node.type == "heading" and node.tag == "h1"):
            intro.append(_source(node, lines))
    sections.append(Section(title=title, intro="\n\n".join(intro), steps=tuple(steps)))
    return tuple(sections)


def _step(item: SyntaxTreeNode, lines: list[str], section: str, number: int) -> Step:
    words: list[str] = []
    notes: dict[str, Any] = {}
    code: str | None = None
    language = ""
    for node in item.children:
        if node.type in {"fence", "code_block"}:
            if code is not None:
                raise ParseError(f"section {section!r}: join the code blocks of step {number}, or make it two steps")
            code = node.content.rstrip("\n")
            language = node.info.split()[0] if node.info.split() else ""
        elif found := _NOTE.fullmatch(_source(node, lines)):
            notes |= _note(*found.groups())
        else:
            words.append(_source(node, lines))
    text = "\n".join(words)
    if not text:
        raise ParseError(f"section {section!r}: say in words what step {number} does")
    return Step(section=section, number=number, text=text, code=code, language=language, **notes)


def _note(word: str, within: str | None, text: str) -> dict[str, Any]:
    """Give what a paragraph of its own says about its step."""
    if word == "No rollback":
        return {"no_rollback": text}
    if word == "Point":
        return {"point": text.strip().rstrip(".").casefold()}
    if word == "Approval":
        return {"approval": text.rstrip(".")}
    return {"rollback": text, "rollback_within": parse_duration(within) if within else None}


def _source(node: SyntaxTreeNode, lines: list[str]) -> str:
    """Give a node as CommonMark, a paragraph or heading as one line."""
    if node.type in {"paragraph", "heading"}:
        return " ".join(line.strip() for line in node.children[0].content.splitlines())
    start, end = node.map or (0, 0)
    return textwrap.dedent("\n".join(lines[start:end])).strip()

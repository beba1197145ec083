"""Every text of the product that a person reads, by the place where it is read: `make texts` prints them for a review.

The texts stand in the code beside the facts that they show; this finds them there.
"""

from __future__ import annotations

import ast
import re
import sys
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

from tests.quick import ROOT

# The first that a file's path begins with counts.
MEDIA = {
    "Help of the command line": ("bot/cli/", "bot/__main__.py"),
    "doctor": ("bot/doctor/",),
    "Answers, forms and help in Slack": ("handlers/slack/",),
    "HTTP API and webhooks": ("handlers/",),
    "Messages in Slack": ("bot/slack/", "bot/outbox/", "bot/notices.py", "bot/skipped.py", "bot/triage.py"),
    "Timelines, and what decisions say": ("bot/incidents/", "bot/timeline/", "bot/pagerduty/", "bot/naming.py"),
    "Runbooks: lint and catalog": ("bot/runbooks/",),
    "The local Slack workspace": ("bot/sandbox/",),
    "Start, configuration and the log": ("bot/",),
}
COMMANDS = MEDIA["Help of the command line"]  # whose docstrings are help
_SHORTEST = 9  # characters; what is shorter is a name, a label or a part of something
_CODE = re.compile(
    r"(?i)^\s*(select|insert|update [a-z_]+ set|delete from|create (table|index|database)|alter |drop |pragma)\b"
    r"|\(\?[P:=!<]|\\[dsSw]|^[\w./{}-]+$|^--?\w"
)


@dataclass(frozen=True, slots=True)
class Text:
    """One text; `{...}` stands where something is filled in."""

    medium: str
    file: str
    said: str


def texts() -> list[Text]:
    """Return every text, by medium, file and place."""
    found = [
        Text(_medium(name), name, said)
        for folder in ("bot", "handlers")
        for file in sorted((ROOT / folder).rglob("*.py"))
        if (name := file.relative_to(ROOT).as_posix())
        for said in _said(file, helps=name.startswith(COMMANDS))
    ]
    order = list(MEDIA)
    return sorted(found, key=lambda text: order.index(text.medium))


def as_page() -> str:
    """Write them as one page, a section for each medium."""
    lines: list[str] = []
    medium = file = ""
    for text in texts():
        if text.medium != medium:
            medium, file = text.medium, ""
            lines += ["", f"# {medium}"]
        if text.file != file:
            file = text.file
            lines += ["", f"## {file}", ""]
        lines.append("- " + " ".join(text.said.split()))
    return "\n".join(lines[1:]) + "\n"


def _medium(name: str) -> str:
    return next(medium for medium, places in MEDIA.items() if name.startswith(places))


def _said(file: Path, *, helps: bool) -> Iterator[str]:
    tree = ast.parse(file.read_text(encoding="utf-8"))
    silent = _parts(tree) | _docstrings(tree, helps=helps)
    for node in ast.walk(tree):
        if id(node) in silent:
            continue
        if isinstance(node, ast.JoinedStr):
            said = "".join(_part(value) for value in node.values)
        elif isinstance(node, ast.Constant) and isinstance(node.value, str):
            said = node.value
        else:
            continue
        if len(said) >= _SHORTEST and " " in said.strip() and re.search("[a-z]{2}", said) and not _CODE.search(said):
            yield said


def _part(node: ast.expr) -> str:
    if isinstance(node, ast.Constant):
        return str(node.value)
    assert isinstance(node, ast.FormattedValue)
    return "{" + ast.unparse(node.value).rpartition(".")[2].strip("()'\" ")[:30] + "}"


def _parts(tree: ast.AST) -> set[int]:
    """Find the pieces of longer texts, and types that are written as texts."""
    found: set[int] = set()
    for node in ast.walk(tree):
        if isinstance(node, ast.JoinedStr):
            found |= {id(inner) for value in node.values for inner in ast.walk(value)}
    return found


def _docstrings(tree: ast.AST, *, helps: bool) -> set[int]:
    """Find what only developers read; with `helps`, a command's docstring is its help."""
    found: set[int] = set()
    for node in ast.walk(tree):
        if isinstance(node, ast.Module | ast.ClassDef | ast.FunctionDef | ast.AsyncFunctionDef) and node.body:
            first = node.body[0]
            is_command = helps and any(".command" in ast.unparse(d) for d in getattr(node, "decorator_list", ()))
            if isinstance(first, ast.Expr) and not is_command:
                found.add(id(first.value))
    return found


if __name__ == "__main__":
    sys.stdout.write(as_page())

"""Text from outside, made safe to stand in GitHub-flavoured Markdown, with as few escapes as it takes.

A character is escaped where Markdown would read something else than its writer meant: `2 * 3` and `[core]` stay, but
`*3*` and `[core](x)` do not. Code between backticks is code in Slack and in Markdown alike, and stays code.
"""

from __future__ import annotations

import re
import string
import unicodedata
from collections.abc import Iterable, Mapping

from bot.timeline.addresses import ADDRESS, written
from bot.timeline.dossier import REPLACEMENT, clean

NBSP = "\N{NO-BREAK SPACE}"
HARD_BREAK = "  "  # at the end of a line
_FENCED = re.compile(r"```(?P<code>[^\n]*\n.*?)```", re.DOTALL)
_BACKTICKS = re.compile(r"`+")
_RUNS = re.compile(r"`+|\*+|_+|~+")
_SHIELDED = re.compile(rf"`+|{ADDRESS.pattern}", re.IGNORECASE)
_ENTITY = re.compile(r"&(?:#[0-9]{1,7}|#[xX][0-9a-fA-F]{1,6}|[A-Za-z][A-Za-z0-9]*);")
_TAG = re.compile(r"<[A-Za-z/!?]")
_FORMULA = re.compile(r"\$(?=\S(?:[^$\n]*\S)?\$)")  # GitHub would set it as mathematics
# What Markdown reads at the beginning of a line only: the character to escape is the mark.
_BLOCK = re.compile(
    r"(?P<before>\d{1,9}(?=[.)](?:\s|$))|)"
    r"(?P<mark>(?<=\d)[.)]|>|\#(?=\#{0,5}(?:\s|$))|[-+*](?=\s|$)|[-_*=](?=[-_*=\s]*$)|~(?=~~)"
    r"|[|:-](?=[|:\s-]*$)|\[(?=!|[ xX]\](?:\s|$)))"
)


def inline(text: str) -> str:
    """Escape a text so that it reads as itself on one line; line breaks become spaces."""
    return _escaped(_on_one_line(text))


def strict(text: str) -> str:
    """Escape a name that shares its line with other text from outside: no mark of it can pair with one of the other."""
    return _escaped(_on_one_line(text), alone=False)


def cell(text: str) -> str:
    """Escape a text for a table's cell."""
    return inline(text).replace("|", r"\|")


def title(text: str) -> str:
    """Escape a text for a heading, whose trailing `#` would be dropped."""
    return re.sub(r"(?<=\s)(?=#+$)", r"\\", inline(text))


def code(text: str) -> str:
    """Write a text as code on one line."""
    shown = _on_one_line(text)
    if not shown:
        return ""
    runs = {len(run) for run in _BACKTICKS.findall(shown)}
    mark = "`" * next(n for n in range(1, len(shown) + 2) if n not in runs)
    pad = " " if shown[0] == "`" or shown[-1] == "`" else ""
    return f"{mark}{pad}{shown}{pad}{mark}"


def is_one_line(text: str) -> bool:
    """True where a text needs no paragraph of its own."""
    return len(text.strip().splitlines()) <= 1


def block(text: str) -> list[str]:
    """Write a text as paragraphs and code blocks, line by line; its lines stay lines."""
    lines: list[str] = []
    for index, part in enumerate(_FENCED.split(clean(text))):
        if made := _fence(part) if index % 2 else _paragraphs(part):
            lines += ["", *made] if lines else made
    return lines


def quote(lines: Iterable[str]) -> list[str]:
    """Put lines into a block quote."""
    return [f"> {line}" if line else ">" for line in lines]


def row(cells: Iterable[str]) -> str:
    """Write one row of a table out of cells that are escaped already."""
    return f"| {' | '.join(cells)} |"


def table(head: Iterable[str], rows: Iterable[Iterable[str]]) -> list[str]:
    """Write a table, line by line, out of cells that are escaped already."""
    titles = tuple(head)
    return [row(titles), row("---" for _ in titles), *(row(cells) for cells in rows)]


def _on_one_line(text: str) -> str:
    return _visible(" ".join(clean(text).split()))


def _visible(text: str) -> str:
    """Replace control and bidirectional characters: they could make a reader see another text than the one recorded."""
    return "".join(REPLACEMENT if is_hidden(character) else character for character in text)


def is_hidden(character: str) -> bool:
    """True for a control character, and for one that changes the direction of what follows."""
    # The zero-width joiner and non-joiner (Cf, but not bidirectional) belong to emoji and to several scripts.
    return unicodedata.category(character) == "Cc" or unicodedata.bidirectional(character) in {
        "LRE", "RLE", "PDF", "LRO", "RLO", "LRI", "RLI", "FSI", "PDI",
    }  # fmt: skip


def _fence(text: str) -> list[str]:
    lines = [_visible(line.expandtabs(4)) for line in text.strip("\r\n").splitlines()]
    longest = max((len(run) for run in _BACKTICKS.findall(text)), default=0)
    mark = "`" * max(longest + 1, 3)
    return [mark, *lines, mark] if any(line.strip() for line in lines) else []


def _paragraphs(text: str) -> list[str]:
    """Write paragraphs, divided by an empty line each."""
    found: list[list[str]] = [[]]
    for line in text.splitlines():
        if line.strip():
            found[-1].append(_laid_out(line))
        elif found[-1]:
            found.append([])
    lines: list[str] = []
    for paragraph in filter(None, found):
        escaped = _escaped("\n".join(paragraph))
        if escaped.startswith("["):  # a definition, which would vanish
            escaped = re.sub(r"(?<!\\)\](?=:)", r"\]", escaped)
        begun = [at_start(line) for line in escaped.split("\n")]
        broken = [*(line + HARD_BREAK for line in begun[:-1]), begun[-1]]
        lines += ["", *broken] if lines else broken
    return lines


def _laid_out(line: str) -> str:
    """Keep the indentation of a line, which Markdown would drop or take for code."""
    shown = line.replace("\x1f", " ").expandtabs(4).rstrip()  # a space to `str.split`, as on one line
    words = shown.lstrip()
    return NBSP * (len(shown) - len(words)) + _visible(words)


def at_start(line: str) -> str:
    """Escape what has a meaning at the beginning of a line only; `line` is escaped otherwise."""
    found = _BLOCK.match(line)
    if not found:
        return line
    # The whole run: beside an escaped mark, the rest of it could pair with one of an earlier line.
    run = _RUNS.match(line, found.start("mark"))
    marks = run[0] if run else found["mark"]
    return found["before"] + "".join(f"\\{mark}" for mark in marks) + line[found.start("mark") + len(marks) :]


def _escaped(text: str, *, alone: bool = True) -> str:
    """Escape a paragraph. Without `alone`, marks are escaped too that find no partner in it."""
    shields = _shields(text, alone=alone)
    marks = _marks(text, shields, alone=alone)
    out: list[str] = []
    place = 0
    while place < len(text):
        if place in shields:
            place, shown = shields[place]
            out.append(shown)
            continue
        out.append(_character(text, place) if place not in marks else "\\" + text[place])
        place += 1
    return "".join(out)


def _character(text: str, place: int) -> str:
    """Write a character that is no mark of emphasis or code."""
    character, after = text[place], text[place + 1 : place + 2]
    is_read = {
        "\\": not after or after == "\n" or after in string.punctuation,
        "]": after == "(",
        "$": _FORMULA.match(text, place) is not None,
        "&": _ENTITY.match(text, place) is not None,
        "<": _TAG.match(text, place) is not None,
    }.get(character, False)
    return {"&": "&amp;", "<": "&lt;"}.get(character, "\\" + character) if is_read else character


def _shields(text: str, *, alone: bool) -> dict[int, tuple[int, str]]:
    """Find what needs no escapes, code and addresses: by its first place, the place after it and how it is written."""
    found: dict[int, tuple[int, str]] = {}
    place = 0
    while hit := _SHIELDED.search(text, place):
        place = hit.end()
        if not hit[0].startswith("`"):
            if made := written(text, hit.start()):
                found[hit.start()] = made
                place = made[0]
        elif alone and (end := _end_of_code(text, hit)):
            found[hit.start()] = (end, text[hit.start() : end])
            place = end
    return found


def _end_of_code(text: str, opening: re.Match[str]) -> int | None:
    """Return the place after the code that some backticks begin; None where they begin none on this line."""
    runs = _BACKTICKS.finditer(text, opening.end())
    end = next((run.end() for run in runs if len(run[0]) == len(opening[0])), None)
    inside = text[opening.end() : end]
    is_torn = "\n" in inside or ("|" in inside and "\\" in inside)  # a table would read the two as one
    return None if is_torn else end


def _marks(text: str, shields: Mapping[int, tuple[int, str]], *, alone: bool) -> set[int]:
    """Find the marks that Markdown could pair: emphasis, strikethrough, and every backtick that begins no code."""
    waiting: dict[str, list[range]] = {}
    marks: set[int] = set()
    covered = [(start, end) for start, (end, _) in shields.items()]
    for found in _RUNS.finditer(text):
        run, kind = range(found.start(), found.end()), found[0][0]
        if any(start <= run.start < end for start, end in covered):
            continue
        before, after = text[max(run.start - 1, 0) : run.start], text[run.stop : run.stop + 1]
        if kind == "`":
            marks.update(run)
            continue
        if not alone:
            if not (before.isspace() and after.isspace()):
                marks.update(run)
            continue
        if kind == "_" and _is_word(before) and _is_word(after):
            continue
        if kind in waiting and before.strip():
            marks.update(run, *waiting[kind])
            waiting[kind] = []
        if after.strip():
            waiting.setdefault(kind, []).append(run)
    return marks


def _is_word(character: str) -> bool:
    return bool(character) and unicodedata.category(character)[0] in "LN"

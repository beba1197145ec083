"""The slash command's words: how a line is read. Each verb is declared once, with its help."""

from __future__ import annotations

import difflib
import re
from collections.abc import Callable
from dataclasses import dataclass

from bot.incidents.policy import Severity
from bot.text import clean

_NUMBER = re.compile(r"^(INC-\d{8}-\d{3,6})\b\s*", re.IGNORECASE)
_SEVERITY = re.compile(r"(?:sev[-\s]?)?([1-4])", re.IGNORECASE)
_LAST_SEVERITY = re.compile(r"(?:^|\s)sev[-]?([1-4])\s*$", re.IGNORECASE)
_QUOTES = {'"': '"', "'": "'", "\u201c": "\u201d", "\u2018": "\u2019", "\u00ab": "\u00bb"}


@dataclass(frozen=True, slots=True)
class Verb:
    """One verb: what follows it, what it does, and whether it needs an incident."""

    name: str
    usage: str
    help: str
    needs_incident: bool = True


VERBS = (
    Verb("declare", "<title> [sev1-4]", "open an incident; alone it opens a form", needs_incident=False),
    Verb("update", "<text>", "post a status update; alone it opens a form"),
    Verb("status", "<investigating|identified|monitoring|resolved|closed>", "set the status"),
    Verb("sev", "<1-4> [why]", "raise or lower the severity"),
    Verb("lead", "[@who]", "take the lead, or give it to somebody"),
    Verb("ack", "", "acknowledge: nobody else is paged"),
    Verb("note", "<text>", "put a line on the timeline"),
    Verb("runbook", "[words]", "post the runbook that fits the words; alone the present one again"),
    Verb("pause", "<30m> [why]", "ask for no updates for a while"),
    Verb("resolve", "[text]", "end the incident; alone it opens a form"),
    Verb("reopen", "[why]", "it was not over"),
    Verb("export", "[md|json|csv]", "get the timeline as a file"),
    Verb("list", "", "show the open incidents", needs_incident=False),
    Verb("help", "", "show this", needs_incident=False),
)
BY_NAME = {verb.name: verb for verb in VERBS}
ALIASES = {
    "new": "declare",
    "create": "declare",
    "open": "declare",
    "acknowledge": "ack",
    "severity": "sev",
    "resolved": "resolve",
    "close": "status",
    "?": "help",
}


@dataclass(frozen=True, slots=True)
class Line:
    """A line as it was typed: a number it may begin with, the verb (empty: none), the rest."""

    number: str
    word: str
    rest: str

    @property
    def verb(self) -> Verb | None:
        """The verb, if there is one of this name."""
        return BY_NAME.get(ALIASES.get(self.word, self.word))


def read(text: str) -> Line:
    """Split what follows the slash command."""
    rest = clean(text).strip()
    number = ""
    if found := _NUMBER.match(rest):
        number, rest = found.group(1).upper(), rest[found.end() :]
    word, rest = [*rest.split(None, 1), "", ""][:2]
    if word.casefold() == "close":
        rest = f"closed {rest}".strip()
    return Line(number, word.casefold(), rest.strip())


def nearest(word: str) -> str | None:
    """Give the verb that was probably meant."""
    near = difflib.get_close_matches(word, [*BY_NAME, *ALIASES], n=1, cutoff=0.5)
    return ALIASES.get(near[0], near[0]) if near else None


def title_and_severity(text: str) -> tuple[str, Severity | None]:
    """Take a severity off the end of a title, and quotes off its sides."""
    severity = None
    if found := _LAST_SEVERITY.search(text):
        severity = Severity(f"sev{found.group(1)}")
        text = text[: found.start()]
    return unquote(text), severity


def severity_and_why(text: str) -> tuple[Severity | None, str]:
    """Read `1`, `sev1` or `sev 1`, then the reason."""
    found = re.match(rf"{_SEVERITY.pattern}(?:[\s:,]+|$)", text.strip(), re.IGNORECASE)
    if not found:
        return None, text
    return Severity(f"sev{found.group(1)}"), text.strip()[found.end() :].strip()


def unquote(text: str) -> str:
    """Drop a pair of quotes around a text."""
    short = text.strip()
    if len(short) > 1 and _QUOTES.get(short[0]) == short[-1]:
        return short[1:-1].strip()
    return short


def plain(text: str, name_of: Callable[[str], str]) -> str:
    """Turn Slack's escapes in typed text (`<@U1>`, `<#C1|ops>`, `<https://x|x>`, `&amp;`) into what was meant."""
    text = re.sub(r"<@[UW][A-Z0-9]+\|([^>]+)>", r"@\1", text)
    text = re.sub(r"<@([UW][A-Z0-9]+)\|?>", lambda m: f"@{name_of(m.group(1))}", text)
    text = re.sub(r"<#[A-Z0-9]+\|([^>]*)>", r"#\1", text)
    text = re.sub(r"<!subteam\^[A-Z0-9]+\|([^>]+)>", r"\1", text)
    text = re.sub(r"<!(here|channel|everyone)(?:\|[^>]*)?>", r"@\1", text)
    text = re.sub(r"<((?:https?|mailto):[^|>]+)(?:\|[^>]*)?>", r"\1", text)
    return text.replace("&lt;", "<").replace("&gt;", ">").replace("&amp;", "&")


def usage(command: str, verb: Verb) -> str:
    """Show how a verb is written, fit for mrkdwn."""
    shown = f"{command} {verb.name} {verb.usage}".strip()
    return "`" + shown.replace("<", "&lt;").replace(">", "&gt;") + "`"


def help_text(command: str) -> str:
    """Give the help."""
    lines = [f"{usage(command, verb)}: {verb.help}" for verb in VERBS]
    return "\n".join(["*Type one of these in an incident's channel, or put its number first:*", *lines])

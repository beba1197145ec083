"""What alerts say in words: their annotations as people can read them, whatever the rule's author put in.

Rules carry HTML for mails, Slack's mark-up for another receiver, Go's dumps of labels, and templates that failed.
Sources: https://prometheus.io/docs/prometheus/latest/configuration/template_reference/ (a failed template stands in the
annotation as its error), https://samber.github.io/awesome-prometheus-alerts/ (VALUE and LABELS),
https://docs.slack.dev/messaging/formatting-message-text.
"""

from __future__ import annotations

import html
import re
from collections.abc import Iterable

from bot.incidents.model import Alert

SUMMARY = ("summary", "title")
# Older mixins have `message` only.
DESCRIPTION = ("description", "message")
LONGEST = 5_000  # characters of a text that are looked at

# Names that say nothing of what is wrong, in lower case.
_SAYS_NOTHING = frozenset({"", "alert", "alerts", "testalert", "test alert", "datasourcenodata", "datasourceerror"})

_BROKEN = re.compile(
    r"<error expanding template|error executing template|<no value>|\{\{.*?\}\}|%!(?:[a-zA-Z]\(|\()", re.DOTALL
)
_LINK = re.compile(r"""<a\s[^<>]*?href\s*=\s*["']?([^"'\s<>]+)["']?[^<>]*>(.*?)</a\s*>""", re.IGNORECASE | re.DOTALL)
_BREAK = re.compile(r"<(?:br|hr)\s*/?>|</(?:p|div|tr|h[1-6]|ul|ol|table)\s*>|<li\b[^<>]*>", re.IGNORECASE)
_TAG = re.compile(
    r"</?(?:a|abbr|b|big|blockquote|body|center|code|del|div|em|font|h[1-6]|html|i|img|kbd|li|ol|p|pre|s|small|span|"
    r"strike|strong|sub|sup|table|tbody|td|th|thead|tr|tt|u|ul)\b[^<>]*>",
    re.IGNORECASE,
)
_SLACK_LINK = re.compile(r"<((?:https?|mailto):[^|<>\s]+)(?:\|([^<>]*))?>")
# A call is for Slack and tells nothing: only the name that a group, person or channel has in it is kept.
_SLACK_CALL = re.compile(r"<!(?:here|channel|everyone)(?:\|[^<>]*)?>|<!subteam\^\w+(?:\|(@?[^<>]*))?>")
_SLACK_NAME = re.compile(r"<([@#])\w+(?:\|([^<>]*))?>")
_MARKDOWN_LINK = re.compile(r"\[([^\[\]\n]+)\]\((https?://[^\s()]+)\)")
_EMPHASIS = re.compile(r"(?<![\w*~`])(\*\*|\*|~~|~|`)(?=\S)([^*~`\n]+?)(?<=\S)\1(?![\w*~`])")
# One level of brackets inside: an IPv6 address has them.
_MAP = re.compile(r"(?:\b(?:labels|annotations|values)\s*[:=]\s*)?\bmap\[(?:[^\[\]]|\[[^\[\]]*\])*\]", re.IGNORECASE)
_VALUE = re.compile(r"^[ \t]*value\s*[:=]\s*(\S[^\n]*?)[ \t]*$", re.IGNORECASE | re.MULTILINE)
_STOPS = re.compile(r"[\s.]+$")
_ENDS = re.compile(r"(?<=[a-z0-9)%\"'`])[.!] +(?=[A-Z])")


def readable(text: str) -> str:
    """Return a text without HTML, Slack's mark-up and Go's dumps: links as `label (address)`, lists as lines."""
    text = text[:LONGEST].replace("\r\n", "\n")
    text = _LINK.sub(lambda m: _linked(m.group(1), _TAG.sub("", m.group(2))), text)
    text = _SLACK_LINK.sub(lambda m: _linked(m.group(1), m.group(2) or ""), text)
    text = _SLACK_CALL.sub(lambda m: (m.group(1) or "").lstrip("@"), text)
    text = _SLACK_NAME.sub(lambda m: m.group(2) or "", text)
    text = _MARKDOWN_LINK.sub(lambda m: _linked(m.group(2), m.group(1)), text)
    text = _TAG.sub("", _BREAK.sub("\n", text))
    text = _VALUE.sub("", _MAP.sub("", html.unescape(text)))
    lines = (" ".join(line.split()) for line in text.split("\n"))
    return "\n".join(line for line in lines if line)


def line(text: str) -> str:
    """Return a text on one line, without emphasis and the full stop at its end, as a title has it."""
    return unstopped(_EMPHASIS.sub(r"\2", " ".join(readable(text).split())))


def unstopped(text: str) -> str:
    """Return a text without the full stops at its end, for a sentence that goes on or brings its own."""
    return _STOPS.sub("", text) if not text.endswith("...") else text


def ended(text: str) -> str:
    """Return a text as a sentence: with one full stop, or the mark that it ends with."""
    text = unstopped(text)
    return text if text.endswith((".", "!", "?", "…")) else f"{text}."


def is_broken(text: str) -> bool:
    """Return True for what a template left that failed: its error, a value that is not there, or itself."""
    return _BROKEN.search(text[:LONGEST]) is not None


def broken(alert: Alert) -> tuple[str, ...]:
    """Return the names of the annotations whose template failed."""
    return tuple(name for name, text in sorted(alert.annotations.items()) if is_broken(text))


def summary(alert: Alert) -> str:
    """Return what an alert says in a line: its summary, else what stands for one; empty where it says nothing."""
    found = _said(alert, (*SUMMARY, "message"))
    if not found and any(is_broken(alert.annotations.get(name, "")) for name in SUMMARY):
        found = _said(alert, DESCRIPTION)
    return line(_ENDS.split(found, maxsplit=1)[0]) if found else ""


def description(alert: Alert) -> str:
    """Return what an alert says at length, over several lines; its summary where it says no more."""
    return readable(_said(alert, (*DESCRIPTION, *SUMMARY)))


def impact(alert: Alert) -> str:
    """Return whom it hurts and how, where the rule's author says so."""
    return readable(_said(alert, ("impact",)))


def value(alert: Alert) -> str:
    """Return the value that an alert was raised at, as far as it tells."""
    said = alert.fact("value", "current_value")
    if said:
        return "" if is_broken(said) else line(said)
    texts = (alert.annotations.get(name, "") for name in (*DESCRIPTION, *SUMMARY))
    return next((found.group(1) for text in texts if (found := _VALUE.search(text[:LONGEST]))), "")


def says_nothing(name: str) -> bool:
    """Return True for an alert's name that does not tell what is wrong."""
    return " ".join(name.split()).casefold() in _SAYS_NOTHING


def called(alert: Alert) -> str:
    """Return the name by which people know an alert: its alertname, else its rule, else what it says."""
    if not says_nothing(alert.name):
        return alert.name
    rule = alert.labels.get("rulename", "").strip()
    if rule:
        state = {"datasourcenodata": "no data", "datasourceerror": "data source error"}
        return f"{rule}: {state.get(alert.name.casefold(), 'firing')}"
    return summary(alert) or line(_said(alert, DESCRIPTION)) or alert.name or "Alert without a name"


def _said(alert: Alert, names: Iterable[str]) -> str:
    texts = (alert.annotations.get(name, "").strip() for name in names)
    return next((text for text in texts if text and not is_broken(text)), "")


def _linked(address: str, label: str) -> str:
    label = label.strip()
    return f"{label} ({address})" if label and label != address else address

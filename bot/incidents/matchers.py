"""Alertmanager's matchers: `name="value"`, `!=`, `=~` and `!~`, the regular expressions anchored at both ends.

Both of its syntaxes are read, as it reads them itself: the classic one, else that of UTF-8, in which a label's name may
hold any character and stands in quotes, with Go's escapes. Prometheus' braces around one matcher are taken too.
Source: https://prometheus.io/docs/alerting/latest/configuration/#label-matchers.
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import dataclass

from bot.incidents.patterns import pattern

_CLASSIC = re.compile(r"""\s*([A-Za-z_][A-Za-z0-9_]*)\s*(=~|!~|!=|=)\s*(?:"((?:[^"\\]|\\.)*)"|([^"\s]*))\s*""")
_QUOTED = r'"((?:[^"\\\n]|\\.)*)"'
_PLAIN = r"""([^\s{}!=~,\\"'`]+)"""
_UTF8 = re.compile(rf"\s*(?:{_QUOTED}|{_PLAIN})\s*(=~|!~|!=|=)\s*(?:{_QUOTED}|{_PLAIN})\s*")
_CLASSIC_ESCAPES = {"\\n": "\n", '\\"': '"', "\\\\": "\\"}
_GO_ESCAPE = re.compile(
    r"""\\(?:([abfnrtv\\"])|x([0-9a-fA-F]{2})|u([0-9a-fA-F]{4})|U([0-9a-fA-F]{8})|([0-7]{3})|(.?))"""
)
_GO_ESCAPES = dict(zip('abfnrtv\\"', '\a\b\f\n\r\t\v\\"', strict=True))


@dataclass(frozen=True, slots=True)
class Matcher:
    """One condition on a label; a label that is absent counts as empty, as Alertmanager has it."""

    label: str
    op: str
    value: str

    @classmethod
    def parse(cls, text: str) -> Matcher:
        """Read a matcher.

        Raises:
            ValueError: the text is no matcher, or its regular expression does not compile.
        """
        found = cls(*_parts(text))
        if found.op in {"=~", "!~"}:
            try:
                pattern(found.value)
            except ValueError as error:
                raise ValueError(f"Fix the regular expression in {text!r}: {error}.") from error
        return found

    def matches(self, labels: Mapping[str, str], *, ignore_case: bool = False) -> bool:
        """Return True when the labels meet the condition."""
        actual, wanted = labels.get(self.label, ""), self.value
        if self.op in {"=~", "!~"}:
            hit = pattern(wanted, ignore_case=ignore_case).fullmatch(actual)
        else:
            hit = actual.casefold() == wanted.casefold() if ignore_case else actual == wanted
        return hit is self.op.startswith("=")

    def __str__(self) -> str:
        """Write it as it is read."""
        name = self.label if re.fullmatch(r"[A-Za-z_][A-Za-z0-9_]*", self.label) else _quote(self.label)
        return f"{name}{self.op}{_quote(self.value)}"


def label_name(text: str) -> str:
    r"""Return a label's name as a matcher may write it: bare, or in quotes with Go's escapes.

    Raises:
        ValueError: it is empty, or its quotes or escapes are wrong.
    """
    quoted = re.fullmatch(_QUOTED, text.strip())
    name = _unquoted(quoted.group(1), text) if quoted else text.strip()
    if not name or (not quoted and '"' in name):
        raise ValueError(f"Name a label such as service or service.name, not {text!r}.")
    return name


def _parts(text: str) -> tuple[str, str, str]:
    inner = text.strip()
    if inner.startswith("{") and inner.endswith("}"):
        inner = inner[1:-1]
    classic = _CLASSIC.fullmatch(inner)
    if classic:
        label, op, quoted, bare = classic.groups()
        value = re.sub(r'\\n|\\"|\\\\', lambda m: _CLASSIC_ESCAPES[m.group()], quoted) if quoted is not None else bare
        return label, op, value
    found = _UTF8.fullmatch(inner)
    if not found or found.group(1) == "":
        raise ValueError(
            f'Write the matcher as label="value" (or !=, =~, !~), one a line, not {text!r}. '
            'A label with other characters stands in quotes: "service.name"="payments".'
        )
    name, plain_name, op, value, plain_value = found.groups()
    return (
        plain_name if name is None else _unquoted(name, text),
        op,
        plain_value if value is None else _unquoted(value, text),
    )


def _unquoted(inner: str, text: str) -> str:
    """Return what stands between quotes, as Go's strconv.Unquote reads it."""
    parts: list[bytes] = []
    end = 0
    for found in _GO_ESCAPE.finditer(inner):
        char, two, four, eight, octal, wrong = found.groups()
        parts.append(inner[end : found.start()].encode())
        end = found.end()
        if wrong is not None:
            raise ValueError(
                rf"Write \\{wrong} for \{wrong} in {text!r}: beside a quoted label, quotes have Go's escapes."
            )
        try:
            if char:
                parts.append(_GO_ESCAPES[char].encode())
            elif four or eight:
                parts.append(chr(int(four or eight, 16)).encode())
            else:
                parts.append(bytes([int(two, 16) if two else int(octal, 8)]))
        except (ValueError, OverflowError) as error:
            raise ValueError(f"{found.group()} in {text!r} is no character. Write the character itself.") from error
    parts.append(inner[end:].encode())
    try:
        return b"".join(parts).decode()
    except UnicodeDecodeError as error:
        raise ValueError(f"The escapes in {text!r} give no UTF-8. Write the characters themselves.") from error


def _quote(text: str) -> str:
    return '"' + text.replace("\\", "\\\\").replace('"', '\\"').replace("\n", "\\n") + '"'

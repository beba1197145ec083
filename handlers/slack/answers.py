"""How an interaction is answered: with a line, with a message that has buttons, or with a form."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from bot.slack.modals import View


@dataclass(frozen=True, slots=True)
class Reply:
    """An answer with buttons; `text` is what a screen reader says."""

    text: str
    blocks: Sequence[Mapping[str, Any]] = ()


@dataclass(frozen=True, slots=True)
class Form:
    """A form is the answer: it opens, or takes the place of the one that was submitted."""

    view: View


Answer = str | Reply | Form

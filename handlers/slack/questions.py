"""Questions: a line that can mean several things is asked back once, with a button for each meaning."""

from __future__ import annotations

import re

from bot.slack import blocks as b
from bot.slack.mrkdwn import esc
from bot.text import clip
from handlers.slack.answers import Reply
from handlers.slack.speech import Question

CHOSEN = re.compile(r"ask_\d")  # its buttons; the value of each is the line that it stands for
VALUE = 2000  # characters of a button's value, by Slack
LABEL = 75  # characters of its text


def asked_back(question: Question, command: str) -> Reply:
    """Return a question with its buttons; where a line is too long for one, with the lines themselves."""
    choices, text = question.choices, str(question)
    if not choices or any(len(choice.line) > VALUE for choice in choices):
        lines = "\n".join(f"`{command} {esc(clip(choice.line, 200))}`" for choice in choices)
        return Reply(f"{text}\n{lines}".strip())
    made = [b.button(clip(each.label, LABEL), f"ask_{i}", each.line, each.style) for i, each in enumerate(choices)]
    return Reply(text, [b.section(text), b.actions(made)])

"""A workspace with a page, a stand-in for the bot, and what people's browsers do with both."""

from __future__ import annotations

import json
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

import pytest

from bot.sandbox import SandboxServer, Workspace
from tests.e2e.browser import CHROMIUM, Browser, Tab
from tests.sandbox.standin import StandIn, api

NEEDS_BROWSER = pytest.mark.skipif(CHROMIUM is None, reason="chromium is not installed")
WIDE = (1280, 900)
NARROW = [(390, 844), (768, 1024)]
SIZES = [WIDE, *NARROW]


class Controls:
    """The demo's controls; they note what was pressed and answer as told."""

    def __init__(self) -> None:
        self.done: list[str] = []
        self.firing = 0
        self.down = False
        self.refuses = ""

    def describe(self) -> dict[str, Any]:
        sample = {"name": "DatabaseConnectionFailures", "severity": "critical", "summary": "s", "firing": False}
        return {"samples": [sample], "storm": self.firing, "outage": self.down}

    def _do(self, what: str) -> str:
        if self.refuses:
            raise ValueError(self.refuses)
        self.done.append(what)
        return f"Done: {what}."

    def fire(self, name: str) -> str:
        return self._do(f"fire {name}")

    def resolve(self, name: str) -> str:
        return self._do(f"resolve {name}")

    def storm(self, *, resolved: bool) -> str:
        self.firing = 0 if resolved else 40
        return self._do("calm" if resolved else "storm")

    def outage(self, *, on: bool) -> str:
        self.down = on
        return self._do("down" if on else "up")

    def advance(self, seconds: float) -> str:
        return self._do(f"advance {seconds:g}")


@dataclass
class Here:
    """All that a test of the page needs."""

    browser: Browser
    server: SandboxServer
    bot: StandIn
    controls: Controls

    @property
    def workspace(self) -> Workspace:
        return self.server.workspace

    def api(self, method: str, **args: Any) -> dict[str, Any]:
        """Make a Web API call as the bot does; it must succeed."""
        answer = api(self.server.url, method, **args)
        assert answer["ok"], answer
        return answer

    def answer(self, how: Callable[[dict[str, Any]], Any] | Any) -> None:
        """Have the bot answer so: an object, a response, or what a function of the payload gives."""
        self.bot.answer = how if callable(how) and not hasattr(how, "status_code") else lambda _: how

    def opens(self, view: dict[str, Any]) -> None:
        """Have the bot open a form, whatever is pressed."""

        def reply(payload: dict[str, Any]) -> None:
            self.api("views.open", trigger_id=payload["trigger_id"], view=view)

        self.answer(reply)

    def card(self, *elements: dict[str, Any], said: str = "card") -> str:
        """Post a message with buttons to #incidents, and give its `ts`."""
        blocks = [{"type": "section", "text": text(said)}, {"type": "actions", "elements": list(elements)}]
        return str(self.api("chat.postMessage", channel="incidents", text=said, blocks=blocks)["ts"])

    def open_as(self, user: str, size: tuple[int, int] = WIDE) -> Tab:
        """Open the page as somebody, at #incidents."""
        tab = self.browser.tab(f"{self.server.url}/?channel=incidents&user={user}", width=size[0], height=size[1])
        tab.until("document.getElementById('where')?.textContent", "the page")
        return tab

    def asked(self) -> dict[str, Any]:
        """Wait until the bot has been asked something, and give the last of it."""
        self.workspace.wait_for(lambda: self.bot.received)
        return self.bot.received[-1]


def text(words: str) -> dict[str, str]:
    return {"type": "plain_text", "text": words}


def button(label: str, action: str = "") -> dict[str, Any]:
    return {"type": "button", "action_id": action or label.lower(), "text": text(label), "value": "1"}


def form(fields: int = 1) -> dict[str, Any]:
    """A modal with so many fields, the first of them `a`."""
    inputs = [
        {
            "type": "input",
            "block_id": f"b{number}",
            "label": text(f"Field {number}"),
            "element": {"type": "plain_text_input", "action_id": f"{number or ''}a", "multiline": True},
        }
        for number in range(fields)
    ]
    return {"type": "modal", "title": text("Form"), "submit": text("Save"), "close": text("Cancel"), "blocks": inputs}


def visible(tab: Tab, selector: str) -> bool:
    """Whether something is to be seen."""
    return bool(tab.js(f"document.querySelector({json.dumps(selector)})?.checkVisibility() ?? false"))

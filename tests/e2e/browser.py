"""Chromium, driven by its own protocol: tabs in which somebody clicks, types and looks."""

from __future__ import annotations

import asyncio
import base64
import json
import shutil
import subprocess
import time
from pathlib import Path
from types import TracebackType
from typing import Any, Self
from urllib.parse import quote

import aiohttp
from yarl import URL

CHROMIUM = shutil.which("chromium") or shutil.which("chromium-browser")
FLAGS = (
    "--headless",
    "--no-sandbox",
    "--disable-gpu",
    "--disable-quic",
    "--no-first-run",
    "--disable-background-networking",
    "--disable-component-update",
    "--disable-sync",
    "--remote-debugging-port=0",
)
PATIENCE = 20.0  # seconds
START_WITHIN = 60.0  # seconds; its first start reads 300 MB from a disk that others use too
KEYS = {
    "Tab": 9,
    "Enter": 13,
    "Escape": 27,
    " ": 32,
    "End": 35,
    "Home": 36,
    "ArrowLeft": 37,
    "ArrowUp": 38,
    "ArrowRight": 39,
    "ArrowDown": 40,
}
_TEXT = "(document.body?.innerText ?? '')"

# Visible buttons with exactly this text; those of an open dialog alone where there is one.
_BUTTONS = """
(text) => {
  const root = document.querySelector("dialog") ?? document;
  return [...root.querySelectorAll("button")].filter((b) => b.textContent.trim() === text && !b.disabled);
}
"""


class Browser:
    """One Chromium with a profile of its own; ends with the block that it was started in."""

    def __init__(self, folder: Path) -> None:
        assert CHROMIUM is not None
        self._profile = folder / "profile"
        self._loop = asyncio.new_event_loop()
        self._child = subprocess.Popen(
            [CHROMIUM, *FLAGS, f"--user-data-dir={self._profile}", "about:blank"],
            stdout=subprocess.DEVNULL,
            stderr=subprocess.DEVNULL,
        )
        self._session: aiohttp.ClientSession | None = None

    def __enter__(self) -> Self:
        port = self._profile / "DevToolsActivePort"
        end = time.monotonic() + START_WITHIN
        while not (port.exists() and port.read_text().strip()):
            if time.monotonic() > end:
                self._child.kill()
                self._child.wait(15)
                raise AssertionError("Chromium did not start")
            time.sleep(0.05)
        self._url = f"http://127.0.0.1:{port.read_text().split()[0]}"
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        if self._session is not None:
            self.wait(self._session.close())
        self._child.terminate()
        self._child.wait(15)
        self._loop.close()

    def wait(self, work: Any) -> Any:
        """Run something to its end."""
        return self._loop.run_until_complete(asyncio.wait_for(work, PATIENCE))

    def tab(self, url: str, *, width: int = 1100, height: int = 1100) -> Tab:
        """Open a page."""
        return Tab(self, self.wait(self._open(url)), width, height)

    async def _open(self, url: str) -> aiohttp.ClientWebSocketResponse:
        if self._session is None:
            self._session = aiohttp.ClientSession()
        async with self._session.put(URL(f"{self._url}/json/new?{quote(url, safe='')}", encoded=True)) as answer:
            made = await answer.json()
        return await self._session.ws_connect(made["webSocketDebuggerUrl"], max_msg_size=0)


class Tab:
    """One page, as one person has it open."""

    def __init__(self, browser: Browser, socket: aiohttp.ClientWebSocketResponse, width: int, height: int) -> None:
        self._browser = browser
        self._socket = socket
        self._count = 0
        size = {"width": width, "height": height, "deviceScaleFactor": 1, "mobile": False}
        self.call("Emulation.setDeviceMetricsOverride", **size)

    def call(self, method: str, **params: Any) -> dict[str, Any]:
        """Make a call of the protocol."""
        self._count += 1
        return dict(self._browser.wait(self._call(self._count, method, params)))

    async def _call(self, number: int, method: str, params: dict[str, Any]) -> dict[str, Any]:
        await self._socket.send_json({"id": number, "method": method, "params": params})
        while True:
            answer = json.loads((await self._socket.receive()).data)
            if answer.get("id") == number:
                assert "error" not in answer, answer
                return dict(answer["result"])

    def js(self, expression: str) -> Any:
        """Give the value of an expression in the page."""
        found = self.call("Runtime.evaluate", expression=expression, returnByValue=True, awaitPromise=True)
        assert "exceptionDetails" not in found, found
        return found["result"].get("value")

    def until(self, expression: str, what: str = "") -> Any:
        """Wait until an expression is true."""
        end = time.monotonic() + PATIENCE
        while not (value := self.js(expression)):
            assert time.monotonic() < end, f"Waited in vain for {what or expression}: {self.text()[-1500:]}"
            time.sleep(0.1)
        return value

    def text(self) -> str:
        """All that the page shows."""
        return str(self.js(_TEXT))

    def sees(self, text: str) -> None:
        """Wait until the page shows a text."""
        self.until(f"{_TEXT}.includes({json.dumps(text)})", text)

    def shows(self, selector: str) -> None:
        """Wait until the page has something that a selector finds."""
        self.until(f"Boolean(document.querySelector({json.dumps(selector)}))", selector)

    def click(self, label: str, which: int = -1) -> None:
        """Press a button by its label: the last of several, unless told."""
        found = f"({_BUTTONS})({json.dumps(label)})"
        self.until(f"{found}.length > 0", f"the button {label}")
        self.js(f"{found}.at({which}).click()")

    def press(self, *keys: str, shift: bool = False) -> None:
        """Press keys one after the other, as a keyboard does: `Tab`, `Enter`, `ArrowDown`, `Escape`, `a`."""
        for key in keys:
            code = KEYS.get(key, ord(key[0].upper()))
            text = {"Enter": "\r"}.get(key, key if len(key) == 1 else "")
            common = {"key": key, "code": key, "windowsVirtualKeyCode": code, "modifiers": 8 if shift else 0}
            self.call("Input.dispatchKeyEvent", type="keyDown", text=text, **common)
            self.call("Input.dispatchKeyEvent", type="keyUp", **common)

    def tap(self, x: float, y: float) -> None:
        """Press the mouse's button at a place of the page, whatever lies there."""
        common = {"x": x, "y": y, "button": "left", "clickCount": 1}
        self.call("Input.dispatchMouseEvent", type="mousePressed", **common)
        self.call("Input.dispatchMouseEvent", type="mouseReleased", **common)

    def go(self, channel: str) -> None:
        """Look at another channel."""
        name = json.dumps(channel)
        entry = f"[...document.querySelectorAll('nav button')].find((b) => b.textContent.includes({name}))"
        self.until(f"Boolean({entry})", f"the channel {channel}")
        self.js(f"{entry}.click()")

    def say(self, line: str) -> None:
        """Type a line and send it."""
        self.js(
            f"(() => {{ document.getElementById('say').value = {json.dumps(line)};"
            " document.getElementById('composer').requestSubmit(); })()"
        )

    def fill(self, field: str, value: str) -> None:
        """Fill in a field of the open form, by the end of its name."""
        self.until(f"Boolean(document.querySelector('dialog [data-field$=\"{field}\"]'))", f"the field {field}")
        self.js(
            f"(() => {{ const node = document.querySelector('dialog [data-field$=\"{field}\"]');"
            f" node.value = {json.dumps(value)}; node.dispatchEvent(new Event('input', {{bubbles: true}})); }})()"
        )

    def submit(self) -> None:
        """Send the open form and wait until it is gone."""
        self.js("document.querySelector('dialog form').requestSubmit()")
        self.until("!document.querySelector('dialog')", "the end of the form")

    def picture(self, path: Path) -> None:
        """Take a picture of what is to be seen."""
        self.call("Page.bringToFront")  # a page behind another one draws nothing
        shot = self.call("Page.captureScreenshot", format="png")
        path.write_bytes(base64.b64decode(shot["data"]))

    def scroll_to(self, text: str) -> None:
        """Bring the last message that holds a text into view."""
        node = (
            f"[...document.querySelectorAll('#messages > *')].findLast((n) => n.innerText.includes({json.dumps(text)}))"
        )
        self.until(f"Boolean({node})", text)
        self.js(f"{node}.scrollIntoView({{block: 'start'}})")

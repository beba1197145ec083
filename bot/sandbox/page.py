"""The web page and the JSON endpoints that it uses; they do what `Sender` does."""

import asyncio
import html
import json
import re
from collections.abc import Callable
from pathlib import Path
from typing import Any, Protocol

from starlette.requests import Request
from starlette.responses import FileResponse, JSONResponse, Response
from starlette.routing import Mount, Route
from starlette.staticfiles import StaticFiles

from bot.sandbox import state
from bot.sandbox.model import Json, SlackError
from bot.sandbox.people import Reply, Sender
from bot.sandbox.workspace import Workspace

DRILL = "test Checkout fails over to the second zone"
_STATIC = Path(__file__).parent / "static"
_POLICY = "default-src 'self'; img-src 'self' data: https:; base-uri 'none'; form-action 'self'"


class Toolbar(Protocol):
    """What the page's demo controls can do; each call may block."""

    def describe(self) -> Json:
        """Return `{"samples": [{"name", "severity", "summary", "firing"}], "storm": 0, "outage": False}`."""

    def fire(self, name: str) -> str:
        """Send a sample alert to the bot; gives a sentence about it."""

    def resolve(self, name: str) -> str:
        """Send the same alert resolved; gives a sentence about it."""

    def storm(self, *, resolved: bool) -> str:
        """Send tens of alert groups at once, or the same resolved; gives a sentence about it."""

    def outage(self, *, on: bool) -> str:
        """Have Slack fail for the bot, or work again; gives a sentence about it."""

    def advance(self, seconds: float) -> str:
        """Let simulated time pass; gives a sentence about it."""


class Page:
    """`/`, `/static/...` and `/sandbox/...` of one workspace."""

    def __init__(self, workspace: Workspace, people: Sender, toolbar: Callable[[], Toolbar | None]) -> None:
        self._ws = workspace
        self._people = people
        self._toolbar = toolbar
        self._verbs: dict[str, Callable[[Json], Json]] = {
            "say": self._say,
            "press": self._press,
            "select": self._select,
            "view-action": self._view_action,
            "submit": self._submit,
            "close": self._close,
            "shortcut": self._shortcut,
            "home": self._home,
            "join": self._join,
            "react": self._react,
            "pin": self._pin,
            "alert": self._alert,
            "storm": self._storm,
            "outage": self._outage,
            "drill": self._drill,
            "advance": self._advance,
        }

    def routes(self) -> list[Route | Mount]:
        """What to mount at the server's root."""
        return [
            Route("/", self._index),
            Mount("/static", StaticFiles(directory=_STATIC)),
            Route("/sandbox/state", self._state),
            Route("/sandbox/{verb}", self._act, methods=["POST"]),
        ]

    async def _index(self, _request: Request) -> Response:
        headers = {"Content-Security-Policy": _POLICY, "Cache-Control": "no-cache"}
        return FileResponse(_STATIC / "index.html", headers=headers)

    async def _state(self, request: Request) -> Response:
        query = request.query_params
        try:
            shown = (
                state.unchanged(self._ws)
                if query.get("since") == str(self._ws.version)
                else state.snapshot(self._ws, query.get("user", "alice"))
            )
        except KeyError as error:
            return JSONResponse({"error": str(error.args[0])}, status_code=404)
        toolbar = self._toolbar()
        return JSONResponse(shown | {"toolbar": toolbar.describe() if toolbar else None})

    async def _act(self, request: Request) -> Response:
        verb = self._verbs.get(request.path_params["verb"])
        # a JSON content type keeps other sites' forms out: a browser asks before it sends one
        if verb is None or not request.headers.get("content-type", "").startswith("application/json"):
            return JSONResponse({"ok": False, "error": "no such request"}, status_code=404)
        try:
            return JSONResponse(await asyncio.to_thread(verb, json.loads(await request.body())))
        except (LookupError, ValueError, SlackError) as error:
            return JSONResponse({"ok": False, "error": str(error)}, status_code=400)

    def _say(self, body: Json) -> Json:
        user, channel, text = body["user"], body["channel"], str(body["text"]).strip()
        if match := re.match(r"(/[a-z][a-z0-9_-]*)(?:\s+|$)", text):
            return _shown(self._people.slash(user, channel, text[match.end() :], match[1]))
        place = self._ws.channel(channel)
        if place.archived:
            raise ValueError("The channel is archived.")
        self._ws.join(channel, user)
        self._ws.post(channel, user, self._written(text), thread_ts=body.get("thread"))
        return {"ok": True}

    def _written(self, text: str) -> str:
        by_name = {u.name: u.id for u in self._ws.users.values()}

        def mention(match: re.Match[str]) -> str:
            return f"<@{by_name[match[1]]}>" if match[1] in by_name else match[0]

        return re.sub(r"@([\w.-]+)", mention, html.escape(text, quote=False))

    def _press(self, body: Json) -> Json:
        where = (body["user"], body["channel"], body["ts"], body["action"])
        return _shown(self._people.press(*where, body.get("value")))

    def _select(self, body: Json) -> Json:
        where = (body["user"], body["channel"], body["ts"], body["action"])
        return _shown(self._people.select(*where, body.get("value")))

    def _view_action(self, body: Json) -> Json:
        where = (body["user"], body["view"], body["action"], body.get("value"))
        return _shown(self._people.press_in_view(*where, values=body.get("values")))

    def _submit(self, body: Json) -> Json:
        return _shown(self._people.submit(body["user"], body["view"], body.get("values")))

    def _close(self, body: Json) -> Json:
        reply = self._people.close(body["user"], body["view"])
        return _shown(reply) if reply else {"ok": True}

    def _shortcut(self, body: Json) -> Json:
        return _shown(self._people.shortcut(body["user"], body["callback"], body.get("channel"), body.get("ts")))

    def _home(self, body: Json) -> Json:
        return _shown(self._people.open_home(body["user"]))

    def _join(self, body: Json) -> Json:
        return {"ok": self._ws.join(body["channel"], body["user"])}

    def _react(self, body: Json) -> Json:
        """Add an emoji, or take it away where it is there already, as a click on it does."""
        where = (body["channel"], body["ts"], body["user"], body["name"])
        message = self._ws.channel(body["channel"]).find(body["ts"])
        given = message.reactions.get(body["name"], []) if message else []
        act = self._ws.unreact if self._ws.user(body["user"]).id in given else self._ws.react
        act(*where)
        return {"ok": True}

    def _pin(self, body: Json) -> Json:
        act = self._ws.unpin if body["ts"] in self._ws.channel(body["channel"]).pins else self._ws.pin
        act(body["channel"], body["ts"], body["user"])
        return {"ok": True}

    def _alert(self, body: Json) -> Json:
        toolbar = self._need_toolbar()
        act = toolbar.resolve if body.get("resolved") else toolbar.fire
        return {"ok": True, "note": act(body["name"])}

    def _storm(self, body: Json) -> Json:
        return {"ok": True, "note": self._need_toolbar().storm(resolved=bool(body.get("resolved")))}

    def _outage(self, body: Json) -> Json:
        on = bool(body["on"])
        note = self._need_toolbar().outage(on=on)
        self._ws.changed(None)
        return {"ok": True, "note": note}

    def _drill(self, body: Json) -> Json:
        reply = self._people.slash(body["user"], body["channel"], DRILL)
        return _shown(reply) | {"note": "The drill begins: its channel opens in a moment."}

    def _advance(self, body: Json) -> Json:
        return {"ok": True, "note": self._need_toolbar().advance(float(body["seconds"]))}

    def _need_toolbar(self) -> Toolbar:
        toolbar = self._toolbar()
        if toolbar is None:
            raise LookupError("this sandbox has no demo controls")
        return toolbar


def _shown(reply: Reply) -> dict[str, Any]:
    return {"ok": reply.ok, "error": reply.error, "errors": reply.errors, "ms": round(reply.elapsed_seconds * 1000)}

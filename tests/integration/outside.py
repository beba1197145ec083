"""Stand-ins for what the auditor talks to: an Alertmanager's API and the receiver of a heartbeat."""

from __future__ import annotations

import json
import threading
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any
from urllib.parse import parse_qs, urlsplit

from tests.conftest import wait_for


class Outside:
    """A server on loopback; what it answers can be replaced, and what it was asked is counted.

    While `go_on` is cleared it hangs.
    """

    def __init__(self) -> None:
        self.asked: list[str] = []
        self.instead: tuple[int, str] | None = None
        self.begun = 0
        self.go_on = threading.Event()
        self.go_on.set()
        outside = self

        class Handler(BaseHTTPRequestHandler):
            def do_GET(self) -> None:
                outside.begun += 1
                outside.go_on.wait(30)
                status, body = outside.instead or outside.answer(self.path)
                self.send_response(status)
                self.send_header("content-length", str(len(body.encode())))
                self.end_headers()
                self.wfile.write(body.encode())
                outside.asked.append(self.path)

            def log_message(self, *_args: Any) -> None:
                pass

        self._server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
        self._server.daemon_threads = True
        self._thread = threading.Thread(target=self._server.serve_forever, args=(0.02,), daemon=True)
        self._thread.start()

    @property
    def url(self) -> str:
        return f"http://127.0.0.1:{self._server.server_address[1]}"

    def answer(self, _path: str) -> tuple[int, str]:
        return 200, "ok"

    def wait_asked(self, times: int = 1) -> None:
        """Wait until it has been asked, from beginning to end, so many times from now on."""
        # The first may have been asked before whatever the caller has just changed.
        wanted = len(self.asked) + times + 1
        wait_for(lambda: len(self.asked) >= wanted, what=f"{times} requests")

    def stop(self) -> None:
        self._server.shutdown()
        self._server.server_close()
        self._thread.join()


class AlertmanagerApi(Outside):
    """An Alertmanager that lists `alerts`: bodies' alerts, with the state that each of them is in.

    An alert's `receivers`, which no body has, are the names of those that it goes to.
    """

    def __init__(self) -> None:
        super().__init__()
        self.alerts: list[tuple[dict[str, Any], str]] = []

    def lists(self, *alerts: dict[str, Any], state: str = "active") -> None:
        self.alerts = [(alert, state) for alert in alerts]

    def answer(self, path: str) -> tuple[int, str]:
        parts = urlsplit(path)
        if parts.path != "/api/v2/alerts":
            return 404, "not found"
        query = {name: values[-1] == "true" for name, values in parse_qs(parts.query).items()}
        shown = [
            {
                **{k: alert[k] for k in ("labels", "annotations", "startsAt", "generatorURL", "fingerprint")},
                "endsAt": "2026-11-21T23:00:00.000Z",
                "updatedAt": "2026-11-21T07:00:00.000Z",
                "receivers": [{"name": name} for name in alert.get("receivers", ["sitrep"])],
                "status": {"state": state, "silencedBy": ["1"] if state == "suppressed" else [], "inhibitedBy": []},
            }
            for alert, state in self.alerts
            if state != "suppressed" or query.get("silenced", True)
        ]
        return 200, json.dumps(shown)

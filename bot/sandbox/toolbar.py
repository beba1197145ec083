"""What the page's side panel does to the demo: alerts, a storm, an outage of Slack, time."""

from collections.abc import Iterable
from concurrent.futures import ThreadPoolExecutor
from datetime import UTC, datetime

import httpx

from bot.sandbox.clock import TestClock
from bot.sandbox.faults import Fault, FaultRegistry
from bot.sandbox.model import Json
from bot.sandbox.samples import SAMPLES, Sample, started_at, storm

AT_ONCE = 8  # groups of a storm on their way to the bot at a time, as from a busy Alertmanager


class DemoToolbar:
    """The page's demo controls, over the bot's real webhook.

    Args:
        clock: the demo's time.
        bot_url: the bot's base URL.
        token: Alertmanager's token.
        faults: what Slack does wrong; without it there is no outage to switch on.
    """

    def __init__(self, clock: TestClock, bot_url: str, token: str, faults: FaultRegistry | None = None) -> None:
        self._clock = clock
        self._url = f"{bot_url}/webhooks/alertmanager"
        self._token = token
        self._faults = faults
        self._outage: Fault | None = None
        self._samples = {sample.name: sample for sample in SAMPLES}
        self._firing: dict[str, datetime] = {}
        self._storm: tuple[datetime, tuple[Sample, ...]] | None = None
        self._storms = 0

    def describe(self) -> Json:
        """Return the samples and which of them fire, the storm's groups that fire, and whether Slack is down."""
        return {
            "samples": [
                {"name": s.name, "severity": s.severity, "summary": s.summary, "firing": s.name in self._firing}
                for s in SAMPLES
            ],
            "storm": len(self._storm[1]) if self._storm else 0,
            "outage": self._outage is not None,
        }

    def fire(self, name: str) -> str:
        """Post the alert; a second time it is the repeat of the first."""
        sample = self._samples[name]
        self._firing.setdefault(name, started_at(self._clock.now()))
        return self._post(sample.body(self._firing[name]))

    def resolve(self, name: str) -> str:
        """Post the same group resolved."""
        sample = self._samples[name]
        now = self._clock.now()
        started = self._firing.pop(name, started_at(now))
        return self._post(sample.body(started, resolved=datetime.fromtimestamp(now, UTC)))

    def storm(self, *, resolved: bool) -> str:
        """Post tens of alert groups at once, or the same resolved."""
        if not resolved:
            self._storms += 1
            self._storm = started_at(self._clock.now()), storm(self._storms)
        if self._storm is None:
            raise ValueError("No storm is firing. Start one first.")
        started, groups = self._storm
        end = datetime.fromtimestamp(self._clock.now(), UTC) if resolved else None
        self._post_all(sample.body(started, resolved=end) for sample in groups)
        if resolved:
            self._storm = None
        return f"Sent {len(groups)} alert groups, {'resolved' if resolved else 'firing'}."

    def outage(self, *, on: bool) -> str:
        """Have every call to Slack's Web API answered with an error page, or no longer."""
        if self._faults is None:
            raise LookupError("this sandbox has no outage to switch on")
        if on and self._outage is None:
            self._outage = Fault("*", "html", times=None)
            self._faults.add(self._outage)
        elif not on and self._outage is not None:
            self._faults.remove(self._outage)
            self._outage = None
        return "Slack is down for the bot." if on else "Slack is back. Queued messages are sent in order."

    def advance(self, seconds: float) -> str:
        """Move the test clock."""
        self._clock.advance(seconds)
        return f"{seconds / 60:g} minutes have passed."

    def _post_all(self, bodies: Iterable[Json]) -> None:
        with ThreadPoolExecutor(AT_ONCE, thread_name_prefix="sandbox-storm") as pool:
            list(pool.map(self._post, bodies))

    def _post(self, body: Json) -> str:
        headers = {"Authorization": f"Bearer {self._token}"}
        try:
            answer = httpx.post(self._url, json=body, headers=headers, timeout=10, trust_env=False)
        except httpx.TransportError as error:
            raise ValueError(f"The bot cannot be reached: {error}") from error
        if not answer.is_success:
            raise ValueError(f"The bot answered {answer.status_code}: {answer.text[:200]}")
        return f"{body['groupLabels']['alertname']} sent as {body['status']}; the bot answered {answer.status_code}."

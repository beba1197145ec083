"""What each person did last, so that the page can show an answer for them alone beside what it answers."""

import time
from dataclasses import dataclass

RECENT = 10.0  # seconds within which something that the bot says to one person is its answer


@dataclass(frozen=True, slots=True)
class Ask:
    """A command that was typed (`said`), or the message (`ts`) whose button was pressed, and where."""

    channel: str
    ts: str = ""
    said: str = ""


class Asks:
    """The last thing that each person asked of the bot, by their user ids."""

    def __init__(self) -> None:
        self._last: dict[str, tuple[Ask, float]] = {}

    def note(self, user: str, ask: Ask | None) -> None:
        """Remember what somebody has just done; None is something that stands nowhere, as in the Home tab."""
        if ask is None:
            self._last.pop(user, None)
        else:
            self._last[user] = ask, time.monotonic()

    def recent(self, user: str, channel: str | None = None) -> Ask | None:
        """Return what that person did in the last seconds, in that channel if one is given."""
        ask, at = self._last.get(user, (None, 0.0))
        if ask is None or time.monotonic() - at > RECENT or channel not in (None, ask.channel):
            return None
        return ask

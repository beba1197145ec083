"""Whose token a sender of Alertmanager's webhook has, and which source it speaks for."""

from __future__ import annotations

import hmac

from bot.incidents.sources import ALERTMANAGER, NAME, source_of
from bot.settings import Settings, WebhookToken


class WrongSource(ValueError):  # noqa: N818 - a state, said as one
    """The path names another source than the token."""


class BadSource(ValueError):  # noqa: N818
    """The path names no source that is possible."""


class Senders:
    """Who may send what."""

    def __init__(self, settings: Settings) -> None:
        self._tokens = settings.alertmanager_tokens
        self._named = {token.source for token in self._tokens if token.source}
        self._off = not self._tokens

    @property
    def off(self) -> bool:
        """True where no token is set."""
        return self._off

    def knows(self, token: str | None) -> bool:
        """Return True for a token that is set."""
        return bool(self._matching(token or ""))

    def source(self, token: str, path: str) -> str:
        """Return the source for which a sender speaks, by its token and its path.

        Raises:
            BadSource: the path does not name a valid source.
            WrongSource: it names another one than the token.
        """
        if path and not NAME.fullmatch(path):
            raise BadSource
        of = {each.source for each in self._matching(token)}
        if path and "" not in of and path not in of:
            raise WrongSource
        return source_of(path or (min(of) if of else ""))

    def _matching(self, token: str) -> list[WebhookToken]:
        """Return the tokens that are this one; all are compared, in constant time."""
        given = token.encode("utf-8", "replace")
        return [each for each in self._tokens if hmac.compare_digest(given, each.token.encode())]

    def claimed(self, path: str) -> str:
        """Return the source that a sender without a good token claims, where there is such a one."""
        return source_of(path) if path in self._named else ALERTMANAGER

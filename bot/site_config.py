"""The configuration's `sites`: what differs by company, cluster or region, for the commands of runbooks."""

from __future__ import annotations

import re
from typing import Annotated

from pydantic import BaseModel, BeforeValidator, ConfigDict, Field, model_validator

from bot.incidents.matchers import Matcher

# What runbooks show in Slack must hold no secret.
_SECRET = re.compile(r"password|passwd|secret|token|api_?key|private_?key|credential")
_OWN = frozenset({"match", "dashboards"})


def _plain(value: object) -> object:
    """Take a number or a word that YAML reads as one for what was written."""
    if isinstance(value, bool):
        return str(value).lower()
    return str(value) if isinstance(value, int | float) else value


Variable = Annotated[str, Field(pattern=r"^[a-z][a-z0-9_]{0,59}$")]
Value = Annotated[str, BeforeValidator(_plain), Field(min_length=1, max_length=300)]
Address = Annotated[str, Field(pattern=r"^https?://\S+$")]


class SiteConfig(BaseModel):
    """Variables for runbooks, the addresses of dashboards by title, and, where its name does not say it, its alerts."""

    model_config = ConfigDict(extra="forbid", frozen=True)

    match: list[str] = []
    dashboards: dict[str, Address] = {}
    values: dict[Variable, Value] = {}

    @model_validator(mode="before")
    @classmethod
    def _apart(cls, given: object) -> object:
        """Part the variables from the two keys of our own, beside which they stand."""
        if not isinstance(given, dict):
            return given
        own = {key: value for key, value in given.items() if key in _OWN}
        return {**own, "values": {key: value for key, value in given.items() if key not in _OWN}}

    @model_validator(mode="after")
    def _check(self) -> SiteConfig:
        for matcher in self.match:
            Matcher.parse(matcher)
        for name in self.values:
            if _SECRET.search(name):
                raise ValueError(f"{name}: take it out, runbooks are shown in Slack. Let the command read the secret.")
        return self


def _by_site(given: object) -> object:
    """Take variables that stand under no site for those of `default`."""
    if not isinstance(given, dict) or all(isinstance(value, dict) for key, value in given.items() if key not in _OWN):
        return given if not isinstance(given, dict) or not _OWN & given.keys() else {"default": given}
    if any(isinstance(value, dict) for key, value in given.items() if key not in _OWN):
        raise ValueError("put each variable under a site, such as `default: {namespace: prod}`, or name no site at all")
    return {"default": given}


SitesConfig = Annotated[dict[str, SiteConfig], BeforeValidator(_by_site)]

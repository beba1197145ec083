"""What differs by company, cluster or region, for the commands of runbooks: the configuration's `sites`. Pure.

A variable that the incident does not know is looked for in the site that its alerts belong to, then in `default`.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field

from bot.incidents.matchers import Matcher
from bot.incidents.model import Alert
from bot.site_config import SitesConfig

DEFAULT = "default"
# Labels whose value may be a site's name.
NAMED_BY = ("site", "cluster", "region", "environment", "env")


@dataclass(frozen=True, slots=True)
class Site:
    """The values of one site, and where its dashboards are (address by title).

    It is chosen by its name, or where all of `matchers` hold on an alert.
    """

    name: str
    values: Mapping[str, str] = field(default_factory=dict)
    dashboards: Mapping[str, str] = field(default_factory=dict)
    matchers: tuple[Matcher, ...] = ()

    def over(self, other: Site) -> Site:
        """Give the site with what another one has beside it."""
        return Site(self.name, {**other.values, **self.values}, {**other.dashboards, **self.dashboards}, self.matchers)


@dataclass(frozen=True, slots=True)
class Sites:
    """All sites: what each says goes before what `default` says."""

    default: Site = Site(DEFAULT)
    others: tuple[Site, ...] = ()

    @classmethod
    def of(cls, sites: Iterable[Site]) -> Sites:
        """Part the one that is called `default` from the others."""
        found = {site.name: site for site in sites}
        return cls(found.pop(DEFAULT, Site(DEFAULT)), tuple(found.values()))

    def site(self, alerts: Sequence[Alert], *places: str) -> Site:
        """Give the site of some alerts, or of a place that is known otherwise, such as the incident's region."""
        for alert in alerts:
            for other in self.others:
                if self._is(other, alert):
                    return other.over(self.default)
        chosen = next((other for other in self.others if other.name in places), None)
        return chosen.over(self.default) if chosen else self.default

    @property
    def variables(self) -> frozenset[str]:
        """The variables that any site gives."""
        return frozenset(name for site in (self.default, *self.others) for name in site.values)

    @staticmethod
    def _is(site: Site, alert: Alert) -> bool:
        if site.matchers:
            labels = {**alert.labels, "alertname": alert.name, "source": alert.source}
            return all(matcher.matches(labels) for matcher in site.matchers)
        return site.name in {alert.labels.get(label) for label in NAMED_BY}


NO_SITES = Sites()


def sites_of(config: SitesConfig) -> Sites:
    """Make the sites that the configuration names."""
    return Sites.of(
        Site(name, site.values, site.dashboards, tuple(Matcher.parse(text) for text in site.match))
        for name, site in config.items()
    )

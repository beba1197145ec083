"""What the configured rules make of alerts: the verdict, the trouble by name, and whose incident it is."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import replace

from bot.incidents.heard import Joined
from bot.incidents.intake import APART, Rule, Then, Verdict, judge, rule_for, worst_first
from bot.incidents.model import Alert
from bot.incidents.subject import subject_of
from bot.text import clip

REMEMBERED = 8_000  # alerts whose rule is known: a mass outage must fit
LONGEST_NAME = 120  # characters


class Judge:
    """Asks the rules in force."""

    def __init__(self, rules: Sequence[Rule]) -> None:
        self._rules = rules
        self._found: dict[int, tuple[Alert, Rule | None]] = {}  # one alert is asked about several times on its way

    def _rule(self, alert: Alert, rules: Sequence[Rule]) -> Rule | None:
        known = self._found.get(id(alert))
        if known is not None and known[0] is alert:
            return known[1]
        if len(self._found) >= REMEMBERED:
            self._found.clear()
        rule = rule_for(alert, rules)
        self._found[id(alert)] = (alert, rule)
        return rule

    def verdict(self, alerts: Iterable[Alert]) -> Verdict:
        """Return the strongest verdict over the alerts."""
        return judge(alerts, self._rules, self._rule)

    def ranked(self, alerts: Iterable[Alert]) -> list[Alert]:
        """Return the alerts with the one first after which an incident of them is named."""
        return worst_first(alerts, self._rules, self._rule)

    def joined(self, alerts: Iterable[Alert]) -> tuple[Joined, ...]:
        """Return what each alert says to an incident that it joins, without those that a rule silences."""
        found: dict[Joined, None] = {}
        for alert in alerts:
            verdict = judge([alert], self._rules, self._rule)
            if verdict.then is not Then.RECORD:
                found[Joined(self.kind(alert), verdict.severity, verdict.then is Then.DECLARE)] = None
        return tuple(found)

    def kind(self, alert: Alert) -> str:
        """Return the name of the trouble: the same for all pods and nodes, another one for another service."""
        subject = subject_of(alert)
        place = replace(subject, pod="", node="", mountpoint="", target="", instance="").place
        return clip(alert.name, LONGEST_NAME) + (f" on {place}" if place else "")

    def place(self, alert: Alert) -> str | None:
        """Return what keeps an alert apart from others of its group; None where nothing does."""
        rule = self._rule(alert, self._rules)
        names = rule.apart if rule is not None else APART
        if not names or (rule is not None and rule.then is Then.RECORD):
            return None
        return ", ".join(f'{name}="{_value(alert, name)}"' for name in names)


def _value(alert: Alert, name: str) -> str:
    return subject_of(alert).service if name == "service" else alert.labels.get(name, "")

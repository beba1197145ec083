"""From alerts to the runbook to post. Pure, and the same alerts always give the same runbook."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass

from bot.incidents.model import Alert
from bot.runbooks.catalog import Catalog
from bot.runbooks.model import Runbook

SIGNAL_KEYS = ("signal", "signal_key")
LONGEST_NAME = 80  # of a name from outside, quoted in a reason


@dataclass(frozen=True, slots=True)
class Match:
    """A runbook, and why it was chosen, in words for the card and the timeline."""

    runbook: Runbook
    reason: str


def match(catalog: Catalog, alerts: Sequence[Alert]) -> Match:
    """Choose by `runbook_id`, then `runbook_url`, then signal, then alertname; else the general runbook.

    Each is looked for in all alerts, in their order, before the next. A `runbook_id` that the catalog does not
    hold is passed over, and the reason says so: the alert rule wants mending.
    """
    unknown = [name for _, name in _facts(alerts, "runbook_id") if catalog.get(name) is None]
    note = "".join(f"runbook_id {_short(name)} is not in the catalog; " for name in dict.fromkeys(unknown))
    for runbook, reason in _candidates(catalog, alerts):
        return Match(runbook, note + reason)
    return Match(catalog.general, note + "no runbook matched: general first response")


def _candidates(catalog: Catalog, alerts: Sequence[Alert]) -> Iterator[tuple[Runbook, str]]:
    for where, name in _facts(alerts, "runbook_id"):
        runbook = catalog.get(name)
        if runbook is not None:
            yield runbook, f"matched by {where} runbook_id"
    by_url = {runbook.url: runbook for runbook in catalog}
    for where, url in _facts(alerts, "runbook_url"):
        if url in by_url:
            yield by_url[url], f"matched by {where} runbook_url"
    by_signal = {signal: runbook for runbook in catalog for signal in runbook.signals}
    for _, signal in _facts(alerts, *SIGNAL_KEYS):
        if signal in by_signal:
            yield by_signal[signal], f"matched by signal {_short(signal)}"
    for alert in alerts:
        if alert.name in by_signal:
            yield by_signal[alert.name], f"matched by alertname {_short(alert.name)}"


def _facts(alerts: Sequence[Alert], *keys: str) -> Iterator[tuple[str, str]]:
    """Give ("annotation" or "label", value) for each of these keys that an alert carries."""
    for alert in alerts:
        for key in keys:
            for where, facts in (("annotation", alert.annotations), ("label", alert.labels)):
                value = facts.get(key, "").strip()
                if value:
                    yield where, value


def _short(name: str) -> str:
    line = " ".join(name.split())
    return line if len(line) <= LONGEST_NAME else line[: LONGEST_NAME - 1] + "…"

"""Alerts that their source holds active for us and that never reached us: which they are, and what is said of them."""

from __future__ import annotations

from collections.abc import Collection, Iterable, Mapping, Sequence
from datetime import datetime, timedelta

from bot.incidents.group_keys import GroupKey
from bot.incidents.reconcile import Reported
from bot.incidents.sources import spoken

DEFAULT_RECEIVERS = frozenset({"sitrep"})  # as deploy/alertmanager.yml calls it
OWN_KEY = "never received/"  # how the keys of groups begin that were made here
# A receiver from which nothing has come for so long is not ours any more.
OURS_FOR = timedelta(days=30)

CAUSES = (
    "Look for `Notify for alerts failed` in Alertmanager's log. On 401, correct the receiver's token "
    "(ALERTMANAGER_WEBHOOK_TOKEN). On 413, raise SITREP_MAX_BODY. On no connection, correct its `url`. "
    "Without an error, check the alert's route. Then run `sitrep doctor`."
)


def unheard(reported: Iterable[Reported], receivers: Collection[str], firing: Collection[str]) -> dict[str, Reported]:
    """Return the alerts that should have come and do not fire with us, by fingerprint.

    Args:
        reported: what the source has; of one alert's copies one that is not muted is enough.
        receivers: ours.
        firing: the fingerprints of the alerts that fire with us.
    """
    return {
        alert.fingerprint: alert
        for alert in reported
        if alert.active
        and not alert.muted
        and alert.fingerprint not in firing
        and not set(receivers).isdisjoint(alert.receivers)
    }


def best_key(keys: Iterable[str], labels: Mapping[str, str]) -> str:
    """Return the group that an alert belongs to among those that have come; empty where it fits none.

    The group with the most labels counts, and of several the first.
    """
    best, most = "", -1
    for key in keys:
        parsed = GroupKey.parse(key)
        if parsed is not None and len(parsed.labels) > most and parsed.takes(labels):
            best, most = key, len(parsed.labels)
    return best


def own_key(alert: Reported, receivers: Collection[str]) -> str:
    """Return a group for an alert whose own has never come: the alerts of one name for one receiver are together."""
    receiver = next((name for name in alert.receivers if name in receivers), "")
    name = alert.labels.get("alertname", "").replace("\\", "\\\\").replace('"', '\\"')
    return f'{OWN_KEY}{receiver}:{{alertname="{name}"}}'


def found_text(
    source: str, named: str, *, count: int, receivers: Sequence[str], done: Sequence[str], since: datetime, quiet: int
) -> str:
    """Say to the operators which alerts never came, what was done, why that may be and what to do."""
    alerts = "1 alert" if count == 1 else f"{count} alerts"
    first = (
        f"{alerts} active in {spoken(source)} for {', '.join(receivers)} never reached the bot: {named}. "
        f"Seen since {since:%H:%M} UTC."
    )
    what = f" The bot fetched them itself: {', '.join(done)}." if done else ""
    more = f" Only recorded, by the intake rules: {quiet} more." if quiet else ""
    return f"{first}{what}{more} {CAUSES}"


def note_text(source: str, named: str) -> str:
    """Say on an incident's timeline how its alerts were found."""
    return f"The bot found {named} in {spoken(source)}: the notification never arrived"


def over_text(source: str, heard: str, ended: str) -> str:
    """Take back what was said: which alerts have come since, and which are over without that."""
    parts = []
    if heard:
        parts.append(f"{spoken(source)}'s notification has reached the bot now: {heard}")
    if ended:
        parts.append(f"{spoken(source)} no longer reports {ended}; the notification never arrived")
    return ". ".join(parts) + "."

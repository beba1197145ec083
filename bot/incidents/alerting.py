"""What an incident's alerts put on its timeline and its card: each change while they are few, counts when not."""

from __future__ import annotations

from collections.abc import Collection, Sequence
from dataclasses import replace

from bot.incidents import alert_text, digest
from bot.incidents.digest import WINDOW, Change, Digest
from bot.incidents.draft import Draft
from bot.incidents.model import Actor, Alert, TimerKind
from bot.incidents.wording import where

BROKEN = 3  # templates that are named
DESCRIBED = 1_000  # characters of what an alert says, in its event


def tell(
    draft: Draft,
    opened: Sequence[Alert],
    closed: Sequence[Alert] = (),
    *,
    flapping: Collection[str] = (),
    left_out: int = 0,
) -> None:
    """Put alerts that began or ended on the timeline; those with a fingerprint in `flapping` are counted only.

    A single notification that is too large is summed up at once; what comes when the window is full, at its end.
    """
    if draft.incident.digest.is_due(draft.now):
        sum_up(draft)
    window = draft.incident.digest.at(draft.now)
    changes = [(alert, True) for alert in opened] + [(alert, False) for alert in closed]
    loud = [(alert, fired) for alert, fired in changes if alert.fingerprint not in flapping]
    told, rest = loud[: window.room], loud[window.room :]
    for alert, fired in told:
        alert_event(draft, alert, "alert_fired" if fired else "alert_resolved")
    rested = [Change(alert.name, fired) for alert, fired in rest]
    if rest and told:
        _line(draft, Digest(left_out=left_out).counted(rested), "And")
        window, rested, left_out = replace(window, loud=window.loud + len(rested)), [], 0
    window = replace(window, loud=window.loud + len(told))
    flaps = [Change(alert.name, fired, flaps=True) for alert, fired in changes if alert.fingerprint in flapping]
    window = window.counted([*rested, *flaps])
    if left_out and window.room:
        draft.event("note", digest.left_out(left_out), data={"left_out": left_out})
    elif left_out:
        window = replace(window, left_out=max(window.left_out, left_out))
    _keep(draft, window)


def tell_broken(draft: Draft, alerts: Sequence[Alert]) -> None:
    """Put on the timeline which rules have a template that failed, by the annotation that holds it."""
    found = {(alert.name, name) for alert in alerts for name in alert_text.broken(alert)}
    for rule, name in sorted(found)[:BROKEN]:
        text = f"The template of {name} in the rule {rule} is broken: fix it where the rule is kept"
        draft.event("note", text, data={"rule": rule, "annotation": name})


def count(draft: Draft, name: str, *, fired: bool) -> bool:
    """Count a change that its source tells in its own words; False where there is room to tell it so."""
    window = draft.incident.digest.at(draft.now)
    if window.room:
        _keep(draft, replace(window, loud=window.loud + 1))
        return False
    _keep(draft, window.counted([Change(name, fired)]))
    return True


def sum_up(draft: Draft) -> None:
    """Tell in a line what has been counted only, and begin the next window."""
    draft.disarm(lambda t: t.kind is TimerKind.ALERT_DIGEST and not t.level)
    window = draft.incident.digest
    if window.waits and window.since:
        minutes = max(round((draft.now - window.since).total_seconds() / 60), 1)
        _line(draft, window, f"In {minutes} min", since=window.since.isoformat())
        draft.set(digest=window.told(draft.now))


def refresh(draft: Draft) -> None:
    """Have the card show it: at once, or, where that has been too often, together with what comes in some seconds."""
    window = draft.incident.digest.at(draft.now)
    draft.refresh_card(wait=window.pause)
    draft.set(digest=replace(window, edits=window.edits + 1))


def alert_event(draft: Draft, alert: Alert, kind: str) -> None:
    """Put an alert on the timeline, at the time that its source gives."""
    fired = kind == "alert_fired"
    place = where(alert)
    value = alert_text.value(alert)
    text = f"{alert_text.called(alert)} {'firing' if fired else 'resolved'}"
    text += f" on {place}" if place else ""
    text += f", value {value}" if value and fired else ""
    moment = alert.starts_at if fired else alert.ends_at
    draft.event(
        kind,
        text,
        actor=Actor("alert", alert.source, alert.name),
        occurred_at=min(moment, draft.now) if moment else None,
        data={
            "fingerprint": alert.fingerprint,
            "group_key": alert.group_key,
            "labels": dict(alert.labels),
            **({"description": said[:DESCRIBED]} if fired and (said := alert_text.description(alert)) else {}),
        },
        source=alert.url,
    )


def _keep(draft: Draft, window: Digest) -> None:
    draft.set(digest=window)
    armed = any(t.kind is TimerKind.ALERT_DIGEST and not t.level for t in draft.incident.timers)
    if window.waits and window.since and not armed:
        draft.arm(TimerKind.ALERT_DIGEST, max(window.since + WINDOW, draft.now))


def _line(draft: Draft, window: Digest, lead: str, **facts: str) -> None:
    fired, resolved = window.totals
    kind = "note" if (fired and resolved) or not window.tally else "alert_fired" if fired else "alert_resolved"
    draft.event(kind, window.text(lead), data={**window.data(), **facts})

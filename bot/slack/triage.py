"""Alerts that wait for a look: the message with its three buttons, what it says once it is decided, and the forms."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from datetime import datetime

from bot.incidents import alert_text
from bot.incidents import commands as c
from bot.incidents.model import Incident
from bot.incidents.moments import at_or_on
from bot.incidents.policy import DEFAULT_POLICY, Policy
from bot.incidents.subject import common, subject_of
from bot.incidents.triage import Decision, Outcome
from bot.slack import alert_says, modals
from bot.slack import blocks as b
from bot.slack.card import most
from bot.slack.messages import Message
from bot.slack.modals import View
from bot.slack.mrkdwn import date_time, esc, link
from bot.store.alerts import Shown
from bot.store.triage import Look

ACCEPT, MERGE, DECLINE = "triage_accept", "triage_merge", "triage_decline"
UNDO = "triage_undo"
NAMES = 5  # of alerts, decisions and incidents that are named
WHY = 500  # characters of a reason
URL = 1000  # characters of a link that is shown
VERBS = {Outcome.ACCEPTED: "Accepted", Outcome.MERGED: "Merged", Outcome.DECLINED: "Declined"}


def triage(look: Look) -> Message:
    """Alerts that want a human's judgement."""
    firing = [shown for shown in look.roll.shown if shown.firing] or list(look.roll.shown)
    first = firing[0].alert
    subject = common(subject_of(shown.alert) for shown in firing)
    where = ", ".join(v for v in (subject.place, subject.region or subject.cluster) if v)
    about = f" on {esc(where, 150)}" if where else ""
    head = f"Triage ({look.severity}): {esc(alert_text.called(first), 150)}{_state(look, 'resolved')}{about}"
    made = [b.section("\n".join([f":mag: *{head}*", *_facts(firing)]))]
    if look.roll.counts.firing > 1 and len(look.roll.counts.names) > 1:
        made.append(b.context(most(look.roll.counts)))
    if look.moved and look.roll.counts.firing:
        made.append(b.context("They fired again. Decide in the newest message."))
    return _sentence(head, look), [*made, *_outcome(look)]


def triage_storm(look: Look) -> Message:
    """Very many alerts that want a human's judgement, in one message."""
    counts = look.roll.counts
    head = f"Triage storm {esc(look.where, 150)}: {counts.groups:,} alert groups{_state(look, 'all resolved')}"
    lines = [f":mag: *{head}*"]
    if counts.names:
        lines.append(most(counts))
    if look.waits:
        waiting = sum(member.waits for member in look.members)
        lines.append(
            f"Groups that need a decision: {waiting:,}. New groups join this message, or the incident that you choose."
        )
    return _sentence(head, look), [b.section("\n".join(lines)), *_outcome(look)]


def accept(metadata: str, drafted: c.Declare, policy: Policy = DEFAULT_POLICY) -> View:
    """Declare the incident that the alerts would have declared."""
    return modals.view(
        ACCEPT,
        "Accept the alerts",
        "Declare",
        metadata,
        [
            modals.text("title", "What is wrong?", drafted.title, limit=200),
            modals.severities(policy, drafted.severity),
            modals.text("service", "Service", drafted.service, optional=True, limit=200),
            modals.text("impact", "Impact", drafted.impact, optional=True, multiline=True),
        ],
    )


def merge(metadata: str, found: Sequence[Incident]) -> View:
    """Have an open incident take the alerts; `found` are those to choose from, the newest first."""
    return modals.view(
        MERGE,
        "Merge the alerts",
        "Merge",
        metadata,
        [modals.incidents("Into which incident?", found)],
    )


def decline(metadata: str) -> View:
    """Say why it is no incident."""
    return modals.view(
        DECLINE,
        "Decline the alerts",
        "Decline",
        metadata,
        [
            modals.text("why", "Why?", "", multiline=True, placeholder="Known issue, in progress", limit=WHY),
            b.context("They stay quiet until they resolve and fire again."),
        ],
    )


def _state(look: Look, over: str) -> str:
    """Say whether the alerts fire; an incident that has taken them tells that better."""
    if look.moved:
        return f", {over}"
    if look.decisions and not look.waits and any(decision.number for decision in look.decisions):
        return ""
    return f", {look.roll.counts.firing:,} firing" if look.roll.counts.firing else f", {over}"


def _facts(firing: Sequence[Shown]) -> list[str]:
    """Say what is known of the alerts: what, how much, since when, where to look."""
    alerts = [shown.alert for shown in firing]
    first = alerts[0]
    called = alert_text.called(first)
    told = {alert_text.summary(alert) or alert_text.line(alert_text.description(alert)) for alert in alerts}
    summary = told.pop() if len(told) == 1 else ""
    values = [
        ("value", alert_text.value(first)),
        ("threshold", first.fact("threshold")),
        ("metric", first.fact("metric", "primary_metric")),
        ("on" if len(alerts) == 1 else "the first on", subject_of(first).exact),
        ("tenant", first.fact("tenant", "tenant_id", "customer")),
    ]
    since = min(shown.alert.starts_at or shown.opened_at for shown in firing)
    links = [
        _link((alert.fact("runbook_url", "runbook") for alert in alerts), "Runbook"),
        _link((alert.fact("dashboard_url", "dashboard", "grafana_url") for alert in alerts), "Dashboard"),
        _link((alert.url for alert in alerts), "Source"),
        _link((alert.fact("panel_url") for alert in alerts), "Panel"),
        _link((alert.fact("silence_url") for alert in alerts[:1] if len(alerts) == 1), "Silence"),
    ]
    lines = [
        esc(summary, 500) if summary != called else "",
        *alert_says.broken(alerts),
        ", ".join(f"{name} {esc(value, 100)}" for name, value in values if value),
        f"Since {date_time(since)}",
        "  |  ".join(found for found in links if found),
    ]
    return [line for line in lines if line]


def _link(urls: Iterable[str], label: str) -> str:
    """Give the first address that a browser should open, and a message has room for."""
    found = next((url for url in urls if url.startswith(("http://", "https://")) and len(url) <= URL), "")
    made = link(found, label) if found else ""
    return made if made.startswith("<") else ""


def _outcome(look: Look) -> list[b.Block]:
    """Say what was decided; what still waits has its buttons."""
    made = [b.section(_decided(decision, look)) for decision in look.decisions[:NAMES]]
    more = len(look.decisions) - NAMES
    if more > 0:
        made.append(b.context(f"and {more} more"))
    if look.waits:
        buttons = [
            b.button("Accept", ACCEPT, look.scope, "primary"),
            b.button("Merge into…", MERGE, look.scope),
            b.button("Decline…", DECLINE, look.scope),
        ]
        made.append(b.actions(buttons))
    elif look.declined:
        made.append(b.actions([b.button("Undo decline", UNDO, look.scope)]))
    return made


def _decided(decision: Decision, look: Look) -> str:
    when = _at(decision.at, look)
    channel = (look.channels or {}).get(decision.number, "")
    into = f"*{decision.into}*" + (f" in <#{channel}>" if channel else "")
    if decision.outcome is Outcome.JOINED:
        return f":link: Joined {into} {when}."
    who = f"<@{decision.user}>"
    if decision.outcome is Outcome.DECLINED:
        since = f"\nThe alerts have since joined {into}." if decision.number else ""
        return f":no_entry_sign: Declined by {who} {when}: {esc(decision.why, 3 * WHY)}{since}"
    if decision.outcome is Outcome.MERGED:
        return f":twisted_rightwards_arrows: Merged by {who} {when} into {into}"
    return f":white_check_mark: Accepted by {who} {when}: {into}"


def _sentence(head: str, look: Look) -> str:
    """Say it for notifications and screen readers, which see no buttons."""
    said = [f"{head}."]
    for decision in look.decisions[:NAMES]:
        into = f" {decision.into}" if decision.number else ""
        if decision.outcome is Outcome.JOINED:
            said.append(f"Joined{into}.")
        else:
            said.append(f"{VERBS[decision.outcome]} by {esc(decision.name, 80)}{into and f':{into}'}.")
    return " ".join(said)


def _at(moment: datetime, look: Look) -> str:
    """Write when it was decided, with the day where that is not the one on which the alerts came."""
    came = min((shown.opened_at for shown in look.roll.shown), default=moment)
    return at_or_on(moment, came)

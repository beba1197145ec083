"""Logs and metrics.

A label's value is one of a known few: never a text, a name or a number from outside, whatever anybody sends.
"""

from __future__ import annotations

import logging
import platform
import re
import sys
import time
from collections.abc import Iterable, Iterator
from contextlib import contextmanager
from typing import Any

import structlog
from prometheus_client import Counter, Gauge, Histogram, Info

from bot import __version__
from bot.errors import OutwardError

OTHER = "other"
SOURCES = ("alertmanager", "pagerduty")
NAMED: set[str] = set()  # sources that the settings name, which are few
# The first words of what becomes of a webhook.
# fmt: off
WEBHOOK_OUTCOMES = frozenset({
    "attached", "declared", "duplicate", "held", "joined", "malformed", "noted", "nothing", "off", "recorded", "repeat",
    "test", "too_large", "triage", "unauthorized", "unavailable",
})
# What becomes of a delivery or a call to the outside: our own words, and those of Slack's error codes that are
# documented for the methods that we call.
REASONS = frozenset({
    "ok", "delivered", "superseded", "unfinished", "stopped", "defect", "database_unavailable",
    "nobody_on_call", "pagerduty_forbidden", "pagerduty_invalid", "pagerduty_no_answer", "pagerduty_no_service",
    "pagerduty_no_user", "pagerduty_not_found", "pagerduty_not_in_plan", "pagerduty_off", "pagerduty_refused",
    "pagerduty_throttled", "pagerduty_unauthorized", "pagerduty_unreachable",
    "slack_off", "slack_throttled", "slack_unreachable", "slack_no_answer", "invite_failed", "nobody_found",
    "lease_lost", "newer_version", "alertmanager_nonsense", "alertmanager_refused", "alertmanager_unreachable",
    "account_inactive", "already_in_channel", "already_pinned", "already_reacted", "cant_invite", "cant_invite_self",
    "cant_update_message", "channel_not_found", "edit_window_closed", "exchanged_trigger_id", "expired_trigger_id",
    "fatal_error", "internal_error", "invalid_arguments", "invalid_auth", "invalid_blocks", "invalid_name_specials",
    "is_archived", "message_not_found", "missing_scope",
    "msg_blocks_too_long", "msg_too_long", "name_taken", "no_permission", "no_reaction", "no_text",
    "not_reactable", "thread_not_found", "too_many_emoji", "too_many_reactions",
    "not_authed", "not_in_channel", "org_login_required", "request_timeout", "restricted_action",
    "service_unavailable", "team_added_to_org", "token_expired", "token_revoked", "too_many_pins", "user_not_found",
    "user_not_in_channel", "usergroup_not_found", "users_not_found", "user_disabled", "cannot_dm_bot",
    "restricted_action_read_only_channel", "restricted_action_thread_only_channel",
})
# fmt: on

BUILD = Info("sitrep_build", "The version that runs.")
BUILD.info({"version": __version__, "python": platform.python_version()})

WEBHOOKS = Counter("sitrep_webhooks_total", "Webhooks by source and outcome.", ["source", "outcome"])
INTERACTIONS = Counter(
    "sitrep_interactions_total", "Slash commands, buttons and modals by outcome.", ["kind", "outcome"]
)
INTERACTION_SECONDS = Histogram(
    "sitrep_interaction_duration_seconds",
    "Seconds from the moment an interaction of Slack's reached a handler to its acknowledgement; Slack gives it 3.",
    ["kind"],
    buckets=(0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1, 2, 3, 5),
)
COMMITS = Histogram(
    "sitrep_commit_duration_seconds",
    "Seconds from asking for a unit of work to its commit.",
    buckets=(0.001, 0.0025, 0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1, 2.5, 5, 10),
)
DELIVERIES = Counter("sitrep_deliveries_total", "Attempts to deliver, by kind and outcome.", ["kind", "outcome"])
DELIVERIES_FAILED = Counter(
    "sitrep_deliveries_failed_total", "Deliveries that failed for good; `sitrep outbox list --failed`.", ["kind"]
)
OUTWARD_CALLS = Counter(
    "sitrep_outward_calls_total",
    "Outgoing API calls by service, method and outcome.",
    ["service", "method", "outcome"],
)
OUTWARD_SECONDS = Histogram(
    "sitrep_outward_call_duration_seconds",
    "Duration of outgoing API calls in seconds, failed calls included.",
    ["service", "method"],
    buckets=(0.025, 0.05, 0.1, 0.25, 0.5, 1, 2.5, 5, 10),
)
TIMERS = Histogram(
    "sitrep_timer_lag_seconds",
    "Seconds from the moment a timer was due to the moment it fired.",
    buckets=(0.05, 0.1, 0.25, 0.5, 1, 2, 5, 30, 300, 3600),
)
READY_SECONDS = Histogram(
    "sitrep_channel_ready_seconds",
    "Seconds from the declaration to a channel with its card posted and the first level of the ladder invited.",
    buckets=(0.1, 0.2, 0.3, 0.5, 0.75, 1, 2, 3, 5, 10, 30, 60, 300, 1800),
)
AUDITOR_REPAIRS = Counter(
    "sitrep_auditor_repairs_total", "Late timers, deliveries and openings that the auditor acted on.", ["what"]
)
FLAGS = Counter(
    "sitrep_auditor_flags_total", "Alerts found to differ from what their source reports.", ["source", "flag"]
)
LOOKS = Counter(
    "sitrep_auditor_looks_total",
    "Comparisons with an alert source, by outcome; an unclear one flags nothing.",
    ["source", "outcome"],
)
HEARTBEATS = Counter(
    "sitrep_heartbeats_total", "Heartbeats by outcome; withheld while Sitrep is unhealthy.", ["outcome"]
)

RUNBOOK_RUNS = Counter("sitrep_runbook_runs_total", "Runbooks that were posted in an incident.", ["runbook"])
RUNBOOK_STEPS = Counter("sitrep_runbook_steps_total", "Steps done, skipped and undone.", ["runbook", "state"])
RUNBOOK_STEP_SECONDS = Histogram(
    "sitrep_runbook_step_duration_seconds",
    "Seconds from what was ticked before, or from the posting, to a step that is done.",
    ["runbook"],
    buckets=(15, 30, 60, 120, 300, 600, 1200, 1800, 3600, 7200),
)

# What the rows say at the moment of a scrape (bot/store/standing.py); each replica says the same.
SOCKET_MODE_OPEN = Gauge(
    "sitrep_socket_mode_open", "1 while a Socket Mode connection is open, 0 while none is, -1 where Socket Mode is off."
)
SOCKET_MODE_OPEN.set(-1)
DATABASE_UP = Gauge("sitrep_database_up", "1 when the database answered this scrape, 0 when it did not.")
OUTBOX = Gauge("sitrep_outbox_deliveries", "Unfinished deliveries by state.", ["state"])
OUTBOX_OLDEST = Gauge("sitrep_outbox_oldest_age_seconds", "Age of the oldest unfinished delivery; 0 without one.")
TIMERS_ARMED = Gauge("sitrep_timers_armed", "Armed timers.")
TIMER_OVERDUE = Gauge(
    "sitrep_timer_overdue_seconds", "Seconds that the most overdue armed timer is late; 0 if none is."
)
INCIDENTS_OPEN = Gauge("sitrep_incidents_open", "Open incidents by severity.", ["severity"])

# A counter that begins with its first event shows no increase of it: these begin with zero.
for _source in SOURCES:
    for _outcome in WEBHOOK_OUTCOMES:
        WEBHOOKS.labels(_source, _outcome)
for _what in ("timers", "deliveries", "openings"):
    AUDITOR_REPAIRS.labels(_what)


def reason(code: str) -> str:
    """Give the label's value for a reason; a code that is not known here is `other`."""
    return code if code in REASONS else OTHER


def webhook(source: str, outcome: str) -> None:
    """Count a webhook by the first word of what became of it; a source's name counts where a token has it."""
    word = re.split("[: ]", outcome, maxsplit=1)[0]
    label = source if source in NAMED else source.partition("/")[0]
    WEBHOOKS.labels(label, word if word in WEBHOOK_OUTCOMES else OTHER).inc()


def name_sources(sources: Iterable[str]) -> None:
    """Count webhooks of these sources, which the settings name, by themselves."""
    for source in sources:
        NAMED.add(source)
        for outcome in WEBHOOK_OUTCOMES:
            WEBHOOKS.labels(source, outcome)


@contextmanager
def outward_call(service: str, method: str) -> Iterator[None]:
    """Time and count a call to the outside, by the reason of the `OutwardError` that it ends with, if it does.

    `method` is a name out of the code (`chat.postMessage`), never a path with an identifier in it.
    """
    asked_at = time.perf_counter()
    outcome = "unfinished"  # cancelled, or a defect
    try:
        yield
        outcome = "ok"
    except OutwardError as error:
        outcome = reason(error.reason)
        raise
    finally:
        OUTWARD_CALLS.labels(service, method, outcome).inc()
        OUTWARD_SECONDS.labels(service, method).observe(time.perf_counter() - asked_at)


def configure_logging(level: int = logging.INFO) -> None:
    """Write one JSON object a line to standard error, from our own code and from libraries."""
    shared: list[Any] = [
        structlog.contextvars.merge_contextvars,
        structlog.processors.add_log_level,
        structlog.processors.TimeStamper(fmt="iso", utc=True),
        structlog.processors.StackInfoRenderer(),
    ]
    structlog.configure(
        processors=[*shared, structlog.processors.format_exc_info, structlog.processors.JSONRenderer()],
        wrapper_class=structlog.make_filtering_bound_logger(level),
        logger_factory=structlog.PrintLoggerFactory(sys.stderr),
        cache_logger_on_first_use=True,
    )
    handler = logging.StreamHandler(sys.stderr)
    handler.setFormatter(
        structlog.stdlib.ProcessorFormatter(
            foreign_pre_chain=shared,
            processors=[
                structlog.stdlib.ProcessorFormatter.remove_processors_meta,
                structlog.processors.format_exc_info,
                structlog.processors.JSONRenderer(),
            ],
        )
    )
    # Bolt warns at each start that it leaves SLACK_BOT_TOKEN alone, which is what we ask of it.
    handler.addFilter(lambda record: not record.getMessage().startswith("As you gave `client`"))
    root = logging.getLogger()
    root.handlers = [handler]
    root.setLevel(logging.WARNING)
    # A tick that finds the one before still running is skipped, and nothing is lost by it.
    logging.getLogger("apscheduler").setLevel(logging.ERROR)

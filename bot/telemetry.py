"""Logs and metrics."""

from __future__ import annotations

import logging
import sys
from typing import Any

import structlog
from prometheus_client import Counter, Histogram

WEBHOOKS = Counter("sitrep_webhooks_total", "Webhooks by source and outcome.", ["source", "outcome"])
DELIVERIES = Counter("sitrep_deliveries_total", "Attempts to deliver, by kind and outcome.", ["kind", "outcome"])
TIMERS = Histogram(
    "sitrep_timer_lag_seconds",
    "Seconds from the moment a timer was due to the moment it fired.",
    buckets=(0.05, 0.1, 0.25, 0.5, 1, 2, 5, 30, 300, 3600),
)
COMMITS = Histogram(
    "sitrep_commit_seconds",
    "Seconds from asking for a unit of work to its commit.",
    buckets=(0.001, 0.0025, 0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1, 2.5, 5),
)
INTERACTIONS = Counter(
    "sitrep_interactions_total", "Slash commands, buttons and modals by outcome.", ["kind", "outcome"]
)


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

"""The tables, by SQLAlchemy Core. Portable between SQLite and PostgreSQL; every change has its migration."""

from __future__ import annotations

from datetime import UTC, datetime
from typing import Any

from sqlalchemy import (
    JSON,
    Boolean,
    Column,
    DateTime,
    ForeignKey,
    Index,
    Integer,
    LargeBinary,
    MetaData,
    String,
    Table,
    Text,
    TypeDecorator,
    UniqueConstraint,
    false,
    text,
)
from sqlalchemy.engine import Dialect

metadata = MetaData(
    naming_convention={
        "ix": "ix_%(column_0_label)s",
        "uq": "uq_%(table_name)s_%(column_0_name)s",
        "fk": "fk_%(table_name)s_%(column_0_name)s_%(referred_table_name)s",
        "pk": "pk_%(table_name)s",
    }
)


class Moment(TypeDecorator[datetime]):
    """An aware UTC time. SQLite keeps no zone, so it is taken off on the way in and put back on the way out."""

    impl = DateTime(timezone=True)
    cache_ok = True

    def process_bind_param(self, value: datetime | None, dialect: Dialect) -> Any:
        """Refuse naive times; store UTC."""
        if value is None:
            return None
        if value.tzinfo is None:
            raise ValueError("Give an aware time.")
        value = value.astimezone(UTC)
        return value.replace(tzinfo=None) if dialect.name == "sqlite" else value

    def process_result_value(self, value: Any, dialect: Dialect) -> datetime | None:  # noqa: ARG002
        """Give aware UTC."""
        if value is None:
            return None
        moment: datetime = value
        return moment.replace(tzinfo=UTC) if moment.tzinfo is None else moment.astimezone(UTC)


# Of `alertmanager/<name>`; SQLite enforces no lengths, so only PostgreSQL's columns were made longer.
SHORT_SOURCE = String(24).with_variant(String(64), "postgresql")
SOURCE = String(32).with_variant(String(64), "postgresql")

incidents = Table(
    "incidents",
    metadata,
    Column("id", Integer, primary_key=True),
    Column("number", String(24), nullable=False, unique=True),
    Column("title", Text, nullable=False),
    Column("severity", String(8), nullable=False),
    Column("status", String(16), nullable=False),
    Column("declared_at", Moment, nullable=False),
    Column("declared_by", JSON, nullable=False),
    Column("policy", JSON, nullable=False),
    Column("summary", Text, nullable=False),
    Column("impact", Text, nullable=False),
    Column("kind", String(16), nullable=False),
    Column("drill", Boolean, nullable=False),
    Column("private", Boolean, nullable=False),
    Column("service", Text, nullable=False),
    Column("region", Text, nullable=False),
    Column("tenants", Text, nullable=False),
    Column("correlation_id", Text, nullable=False),
    Column("resource_name", Text, nullable=False),
    Column("host_role", Text, nullable=False),
    Column("source", SOURCE, nullable=False),
    Column("runbook_id", Text, nullable=False),
    Column("roles", JSON, nullable=False),
    Column("acknowledged_by", JSON),
    Column("started_at", Moment),
    Column("detected_at", Moment),
    Column("acknowledged_at", Moment),
    Column("mitigated_at", Moment),
    Column("resolved_at", Moment),
    Column("closed_at", Moment),
    Column("channel_id", String(32), nullable=False),
    Column("channel_name", String(80), nullable=False),
    Column("cadence_from", Moment),
    Column("paused_until", Moment),
    Column("last_update", Text, nullable=False),
    Column("ladder_from", Moment),
    Column("ladder_level", Integer, nullable=False),
    Column("opened_channel", Boolean, nullable=False),
    Column("paging", JSON, nullable=False, server_default="{}"),
    Column("event_seq", Integer, nullable=False),
    Column("timer_seq", Integer, nullable=False),
    Column("delivery_seq", Integer, nullable=False),
    Column("digest", JSON(none_as_null=True)),
    Column("runs", JSON, nullable=False, server_default="[]"),
    Column("mitigations", JSON, nullable=False, server_default="[]"),
    Column("mitigation_seq", Integer, nullable=False, server_default="0"),
    Column("trace_id", Text, nullable=False, server_default=""),
    Column("error_code", Text, nullable=False, server_default=""),
    Column("cadence_every", Integer),
    Column("handoff", JSON(none_as_null=True)),
    Column("tasks", JSON, nullable=False, server_default="[]"),
    Column("subscribers", JSON, nullable=False, server_default="[]"),
    Column("heard", JSON(none_as_null=True)),
    Column("ended_at", Moment),
    Column("quiet_told", Boolean, nullable=False, server_default=false()),
    Column("merged_into", Text, nullable=False, server_default=""),
    Column("away", JSON(none_as_null=True)),
    Index("ix_incidents_status", "status", "id"),
    Index("ix_incidents_channel_id", "channel_id"),
)

# What a posted runbook said, once however many incidents it is posted in.
runbook_versions = Table(
    "runbook_versions",
    metadata,
    Column("book", String(100), primary_key=True),
    Column("version", String(64), primary_key=True),
    Column("document", JSON, nullable=False),
)

# Which incidents have worked through which runbook; what was done is in their `runs`.
runbook_runs = Table(
    "runbook_runs",
    metadata,
    Column("incident_id", ForeignKey("incidents.id"), primary_key=True),
    Column("book", String(100), primary_key=True),
    Column("posted_at", Moment, nullable=False),
    Index("ix_runbook_runs_book", "book", "posted_at"),
)

schedules = Table(
    "schedules",
    metadata,
    Column("name", String(160), primary_key=True),
    Column("last_at", Moment, nullable=False),
)

counters = Table(
    "counters",
    metadata,
    Column("day", String(8), primary_key=True),
    Column("last", Integer, nullable=False),
)

events = Table(
    "events",
    metadata,
    Column("incident_id", ForeignKey("incidents.id"), primary_key=True),
    Column("seq", Integer, primary_key=True),
    Column("occurred_at", Moment, nullable=False),
    Column("recorded_at", Moment, nullable=False),
    Column("kind", String(32), nullable=False),
    Column("actor_type", String(8), nullable=False),
    Column("actor_id", Text, nullable=False),
    Column("actor_name", Text, nullable=False),
    Column("text", Text, nullable=False),
    Column("data", JSON, nullable=False),
    Column("source", Text, nullable=False),
)

timers = Table(
    "timers",
    metadata,
    Column("incident_id", ForeignKey("incidents.id"), primary_key=True),
    Column("key", String(48), primary_key=True),
    Column("kind", String(24), nullable=False),
    Column("level", Integer, nullable=False),
    Column("due_at", Moment, nullable=False),
    Column("state", String(12), nullable=False),
    Index("ix_timers_state_due_at", "state", "due_at"),
    Index("ix_timers_incident_id", "incident_id", "state", "due_at"),
)

deliveries = Table(
    "deliveries",
    metadata,
    Column("id", Integer, primary_key=True),
    Column("scope", String(64), nullable=False),
    Column("incident_id", ForeignKey("incidents.id")),
    Column("kind", String(32), nullable=False),
    Column("slot", String(64), nullable=False),
    Column("lane", String(24), nullable=False),
    Column("data", JSON, nullable=False),
    Column("needs", JSON, nullable=False),
    Column("after", JSON, nullable=False),
    Column("coalesce", Boolean, nullable=False),
    Column("state", String(12), nullable=False),
    Column("attempts", Integer, nullable=False),
    Column("created_at", Moment, nullable=False),
    Column("next_at", Moment, nullable=False),
    Column("tried_at", Moment),
    Column("finished_at", Moment),
    Column("result", JSON, nullable=False),
    Column("error", Text, nullable=False),
    Column("claimed_by", String(64)),
    Column("fix", Text),
    Column("maybe_done", Boolean),
    Column("failures", Integer),
    Index("ix_deliveries_scope", "scope", "id"),
    Index("ix_deliveries_state_next_at", "state", "next_at"),
    # Few are: what is said in a thread is looked up here.
    Index(
        "ix_deliveries_thread",
        "slot",
        sqlite_where=text("slot = 'thread'"),
        postgresql_where=text("slot = 'thread'"),
    ),
)

replicas = Table(
    "replicas",
    metadata,
    Column("id", String(64), primary_key=True),
    Column("started_at", Moment, nullable=False),
    Column("beat_at", Moment, nullable=False),
)

throttles = Table(
    "throttles",
    metadata,
    Column("key", String(160), primary_key=True),
    Column("until", Moment, nullable=False),
)

# The account's own priorities, the most severe first; see `bot.pagerduty.priorities`.
pagerduty_priorities = Table(
    "pagerduty_priorities",
    metadata,
    Column("place", Integer, primary_key=True, autoincrement=False),
    Column("name", String(200), nullable=False),
)

inbox = Table(
    "inbox",
    metadata,
    Column("id", Integer, primary_key=True),
    Column("receipt", String(36), nullable=False, unique=True),
    Column("source", SHORT_SOURCE, nullable=False),
    Column("dedup_key", String(128)),
    Column("received_at", Moment, nullable=False),
    Column("body", LargeBinary, nullable=False),
    Column("state", String(12), nullable=False),
    Column("outcome", Text, nullable=False),
    UniqueConstraint("source", "dedup_key", name="uq_inbox_source_dedup_key"),
    Index("ix_inbox_state", "state", "id"),
)

alert_groups = Table(
    "alert_groups",
    metadata,
    Column("id", Integer, primary_key=True),
    Column("source", SHORT_SOURCE, nullable=False),
    Column("group_key", Text, nullable=False),
    Column("group_hash", String(255), nullable=False),
    Column("incident_id", ForeignKey("incidents.id")),
    Column("data", JSON, nullable=False),
    Column("digest", String(64)),
    Column("storm", String(48)),
    UniqueConstraint("source", "group_key", name="uq_alert_groups_source_group_key"),
    Index("ix_alert_groups_group_hash", "group_hash"),
    Index("ix_alert_groups_storm", "storm"),
    Index("ix_alert_groups_incident_id", "incident_id"),
)

storms = Table(
    "storms",
    metadata,
    Column("id", Integer, primary_key=True),
    Column("key", String(240), nullable=False, unique=True),
    Column("recent", JSON, nullable=False),
    Column("serial", Integer, nullable=False),
    Column("incident_id", ForeignKey("incidents.id")),
    Column("joined_at", Moment),
    Column("groups", Integer, nullable=False),
    Column("severity", String(8)),
)

alerts = Table(
    "alerts",
    metadata,
    Column("id", Integer, primary_key=True),
    Column("group_id", ForeignKey("alert_groups.id"), nullable=False),
    Column("incident_id", ForeignKey("incidents.id")),
    Column("fingerprint", String(64), nullable=False),
    Column("name", Text, nullable=False),
    Column("labels", JSON, nullable=False),
    Column("annotations", JSON, nullable=False),
    Column("url", Text, nullable=False),
    Column("starts_at", Moment),
    Column("ends_at", Moment),
    Column("opened_at", Moment, nullable=False),
    Column("closed_at", Moment),
    Column("flagged_at", Moment),
    Column("flag", String(12)),
    Column("said_at", Moment),  # when its annotations changed last; empty until they do
    Index("ix_alerts_group_id", "group_id", "fingerprint", "id"),
    Index("ix_alerts_incident_id", "incident_id", "id"),
    Index("ix_alerts_closed_at", "closed_at"),
    # At most one occurrence of a fingerprint is open in a group: the database holds it, not a check before.
    Index(
        "uq_alerts_open",
        "group_id",
        "fingerprint",
        unique=True,
        sqlite_where=text("closed_at IS NULL"),
        postgresql_where=text("closed_at IS NULL"),
    ),
    # One alert can come under several group keys.
    Index(
        "ix_alerts_open_fingerprint",
        "fingerprint",
        sqlite_where=text("closed_at IS NULL"),
        postgresql_where=text("closed_at IS NULL"),
    ),
)

# Periodic checklists: what was posted, as its file had it then, and who has ticked off what.
postings = Table(
    "postings",
    metadata,
    Column("scope", String(160), primary_key=True),
    Column("document", JSON, nullable=False),
    Column("ticks", JSON, nullable=False),
    Column("posted_at", Moment, nullable=False),
    Column("channel", Text, nullable=False),
)

# What the operators are told once, however often it happens: `told` holds the moments, `count` those since the last.
notices = Table(
    "notices",
    metadata,
    Column("id", Integer, primary_key=True),
    Column("subject", String(96), nullable=False, unique=True),
    Column("told", JSON, nullable=False),
    Column("count", Integer, nullable=False),
)

# Slack messages that are, or were, on a timeline; `seq` is the line that each has now.
captures = Table(
    "captures",
    metadata,
    Column("channel", String(32), primary_key=True),
    Column("ts", String(32), primary_key=True),
    Column("incident_id", ForeignKey("incidents.id"), primary_key=True),
    Column("seq", Integer, nullable=False),
    Column("digest", String(64), nullable=False),
    Column("by", String(32), nullable=False),
    Column("via", String(12), nullable=False),
    Column("edited", String(32), nullable=False),
    Column("removed", Boolean, nullable=False),
)

# What Slack answered last about the names of ladders and services.
slack_names = Table(
    "slack_names",
    metadata,
    Column("spec", Text, primary_key=True),
    Column("users", JSON, nullable=False),
    Column("mention", Text, nullable=False),
    Column("name", Text, nullable=False),
    Column("error", Text, nullable=False),
    Column("answered_at", Moment),
    Column("wanted_at", Moment, nullable=False),
    Column("due_at", Moment, nullable=False),
    Index("ix_slack_names_due_at", "due_at"),
)

# Alerts that their source holds active for us and that have not reached us, from when on, and whether it was told.
unheard = Table(
    "unheard",
    metadata,
    Column("source", String(64), primary_key=True),
    Column("fingerprint", String(64), primary_key=True),
    Column("labels", JSON, nullable=False),
    Column("first_at", Moment, nullable=False),
    Column("state", String(12), nullable=False),
    Column("heard_at", Moment),
)

# The receivers of a source from which notifications have come.
receivers = Table(
    "receivers",
    metadata,
    Column("source", String(64), primary_key=True),
    Column("name", Text, primary_key=True),
    Column("last_at", Moment, nullable=False),
)

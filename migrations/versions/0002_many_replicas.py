"""Many replicas: who holds a delivery, what Slack throttles, digests and flags of alerts, Procrastinate's jobs.

Only additions, each nullable or with a default: a replica of the version before goes on beside it.
"""

import sqlalchemy as sa
from alembic import op
from procrastinate.schema import SchemaManager

revision = "0002"
down_revision = "0001"
branch_labels = None
depends_on = None


def upgrade() -> None:
    op.create_table(
        "replicas",
        sa.Column("id", sa.String(length=64), nullable=False),
        sa.Column("started_at", sa.DateTime(timezone=True), nullable=False),
        sa.Column("beat_at", sa.DateTime(timezone=True), nullable=False),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_replicas")),
    )
    op.create_table(
        "throttles",
        sa.Column("key", sa.String(length=160), nullable=False),
        sa.Column("until", sa.DateTime(timezone=True), nullable=False),
        sa.PrimaryKeyConstraint("key", name=op.f("pk_throttles")),
    )
    op.add_column("incidents", sa.Column("paging", sa.JSON(), nullable=False, server_default="{}"))
    op.add_column("deliveries", sa.Column("claimed_by", sa.String(length=64), nullable=True))
    op.add_column("deliveries", sa.Column("fix", sa.Text(), nullable=True))
    op.add_column("deliveries", sa.Column("maybe_done", sa.Boolean(), nullable=True))
    op.add_column("deliveries", sa.Column("failures", sa.Integer(), nullable=True))
    op.add_column("alert_groups", sa.Column("digest", sa.String(length=64), nullable=True))
    op.add_column("alerts", sa.Column("flagged_at", sa.DateTime(timezone=True), nullable=True))
    op.add_column("alerts", sa.Column("flag", sa.String(length=12), nullable=True))
    op.create_index("ix_alerts_closed_at", "alerts", ["closed_at"])
    op.create_table(
        "storms",
        sa.Column("id", sa.Integer(), nullable=False),
        sa.Column("key", sa.String(length=240), nullable=False),
        sa.Column("recent", sa.JSON(), nullable=False),
        sa.Column("serial", sa.Integer(), nullable=False),
        sa.Column("incident_id", sa.Integer(), nullable=True),
        sa.Column("joined_at", sa.DateTime(timezone=True), nullable=True),
        sa.Column("groups", sa.Integer(), nullable=False),
        sa.Column("severity", sa.String(length=8), nullable=True),
        sa.ForeignKeyConstraint(["incident_id"], ["incidents.id"], name=op.f("fk_storms_incident_id_incidents")),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_storms")),
        sa.UniqueConstraint("key", name=op.f("uq_storms_key")),
    )
    op.add_column("incidents", sa.Column("digest", sa.JSON(), nullable=True))
    op.add_column("alert_groups", sa.Column("storm", sa.String(length=48), nullable=True))
    op.create_index("ix_alert_groups_storm", "alert_groups", ["storm"])
    # Without it SQLite reads all armed timers for those of one incident.
    op.create_index("ix_timers_incident_id", "timers", ["incident_id", "state", "due_at"])
    if op.get_bind().dialect.name == "postgresql":
        # Its schema has "%" in it, which the driver would take for a parameter.
        op.execute(sa.text(SchemaManager.get_schema()))

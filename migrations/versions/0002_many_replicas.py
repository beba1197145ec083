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
    op.add_column("deliveries", sa.Column("claimed_by", sa.String(length=64), nullable=True))
    op.add_column("alert_groups", sa.Column("digest", sa.String(length=64), nullable=True))
    op.add_column("alerts", sa.Column("flagged_at", sa.DateTime(timezone=True), nullable=True))
    if op.get_bind().dialect.name == "postgresql":
        # Its schema has "%" in it, which the driver would take for a parameter.
        op.execute(sa.text(SchemaManager.get_schema()))

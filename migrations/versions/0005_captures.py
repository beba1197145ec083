"""Slack messages that are on a timeline, and an index to tell whose thread one is in.

Only additions: a replica of the version before goes on beside it.
"""

import sqlalchemy as sa
from alembic import op

revision = "0005"
down_revision = "0004"
branch_labels = None
depends_on = None

THREADS = sa.text("slot = 'thread'")


def upgrade() -> None:
    op.create_table(
        "captures",
        sa.Column("channel", sa.String(length=32), nullable=False),
        sa.Column("ts", sa.String(length=32), nullable=False),
        sa.Column("incident_id", sa.Integer(), nullable=False),
        sa.Column("seq", sa.Integer(), nullable=False),
        sa.Column("digest", sa.String(length=64), nullable=False),
        sa.Column("by", sa.String(length=32), nullable=False),
        sa.Column("via", sa.String(length=12), nullable=False),
        sa.Column("edited", sa.String(length=32), nullable=False),
        sa.Column("removed", sa.Boolean(), nullable=False),
        sa.ForeignKeyConstraint(["incident_id"], ["incidents.id"], name=op.f("fk_captures_incident_id_incidents")),
        sa.PrimaryKeyConstraint("channel", "ts", "incident_id", name=op.f("pk_captures")),
    )
    op.create_index("ix_deliveries_thread", "deliveries", ["slot"], sqlite_where=THREADS, postgresql_where=THREADS)

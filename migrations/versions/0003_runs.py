"""Runbooks as they are worked through: ticks, mitigations, posted versions; schedules; two more ids.

Only additions, each with a default: a replica of the version before goes on beside it.
"""

import sqlalchemy as sa
from alembic import op

revision = "0003"
down_revision = "0002"
branch_labels = None
depends_on = None


def upgrade() -> None:
    op.add_column("incidents", sa.Column("runs", sa.JSON(), nullable=False, server_default="[]"))
    op.add_column("incidents", sa.Column("mitigations", sa.JSON(), nullable=False, server_default="[]"))
    op.add_column("incidents", sa.Column("mitigation_seq", sa.Integer(), nullable=False, server_default="0"))
    op.add_column("incidents", sa.Column("trace_id", sa.Text(), nullable=False, server_default=""))
    op.add_column("incidents", sa.Column("error_code", sa.Text(), nullable=False, server_default=""))
    op.create_table(
        "runbook_versions",
        sa.Column("book", sa.String(length=100), nullable=False),
        sa.Column("version", sa.String(length=64), nullable=False),
        sa.Column("document", sa.JSON(), nullable=False),
        sa.PrimaryKeyConstraint("book", "version", name=op.f("pk_runbook_versions")),
    )
    op.create_table(
        "runbook_runs",
        sa.Column("incident_id", sa.Integer(), nullable=False),
        sa.Column("book", sa.String(length=100), nullable=False),
        sa.Column("posted_at", sa.DateTime(timezone=True), nullable=False),
        sa.ForeignKeyConstraint(["incident_id"], ["incidents.id"], name=op.f("fk_runbook_runs_incident_id_incidents")),
        sa.PrimaryKeyConstraint("incident_id", "book", name=op.f("pk_runbook_runs")),
    )
    op.create_index("ix_runbook_runs_book", "runbook_runs", ["book", "posted_at"])
    op.create_table(
        "schedules",
        sa.Column("name", sa.String(length=160), nullable=False),
        sa.Column("last_at", sa.DateTime(timezone=True), nullable=False),
        sa.PrimaryKeyConstraint("name", name=op.f("pk_schedules")),
    )
    op.create_table(
        "postings",
        sa.Column("scope", sa.String(length=160), nullable=False),
        sa.Column("document", sa.JSON(), nullable=False),
        sa.Column("ticks", sa.JSON(), nullable=False),
        sa.Column("posted_at", sa.DateTime(timezone=True), nullable=False),
        sa.Column("channel", sa.Text(), nullable=False),
        sa.PrimaryKeyConstraint("scope", name=op.f("pk_postings")),
    )

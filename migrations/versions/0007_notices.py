"""What the operators were told of webhooks, and room for the names of sources.

Only additions: a replica of the version before goes on beside it. SQLite enforces no lengths.
"""

import sqlalchemy as sa
from alembic import op

revision = "0007"
down_revision = "0006"
branch_labels = None
depends_on = None


def upgrade() -> None:
    op.create_table(
        "notices",
        sa.Column("id", sa.Integer(), nullable=False),
        sa.Column("subject", sa.String(length=96), nullable=False),
        sa.Column("told", sa.JSON(), nullable=False),
        sa.Column("count", sa.Integer(), nullable=False),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_notices")),
        sa.UniqueConstraint("subject", name=op.f("uq_notices_subject")),
    )
    if op.get_bind().dialect.name == "postgresql":
        for table in ("inbox", "alert_groups", "incidents"):
            op.alter_column(table, "source", type_=sa.String(length=64), existing_nullable=False)

"""The names of the PagerDuty account's priorities in their order, kept so that no webhook waits for them.

Only additions: a replica of the version before goes on beside it.
"""

import sqlalchemy as sa
from alembic import op

revision = "0008"
down_revision = "0007"
branch_labels = None
depends_on = None


def upgrade() -> None:
    op.create_table(
        "pagerduty_priorities",
        sa.Column("place", sa.Integer(), autoincrement=False, nullable=False),
        sa.Column("name", sa.String(length=200), nullable=False),
        sa.PrimaryKeyConstraint("place", name=op.f("pk_pagerduty_priorities")),
    )

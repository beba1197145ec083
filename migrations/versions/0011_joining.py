"""What an incident's alerts have told so far, and an index to find an alert that fires under another group key.

Only additions: a replica of the version before goes on beside it.
"""

import sqlalchemy as sa
from alembic import op

revision = "0011"
down_revision = "0010"
branch_labels = None
depends_on = None

FIRING = sa.text("closed_at IS NULL")


def upgrade() -> None:
    op.add_column("incidents", sa.Column("heard", sa.JSON(none_as_null=True), nullable=True))
    op.create_index(
        "ix_alerts_open_fingerprint", "alerts", ["fingerprint"], sqlite_where=FIRING, postgresql_where=FIRING
    )

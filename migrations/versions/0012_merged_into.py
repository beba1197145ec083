"""When an incident ended, and which one it was merged into, so that every end can be undone; whether it fell quiet.

Only an addition: a replica of the version before goes on beside it.
"""

import sqlalchemy as sa
from alembic import op

revision = "0012"
down_revision = "0011"
branch_labels = None
depends_on = None


def upgrade() -> None:
    op.add_column("incidents", sa.Column("ended_at", sa.DateTime(timezone=True), nullable=True))
    op.add_column("incidents", sa.Column("quiet_told", sa.Boolean, nullable=False, server_default=sa.false()))
    op.add_column("incidents", sa.Column("merged_into", sa.Text, nullable=False, server_default=""))

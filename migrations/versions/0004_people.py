"""Who does what in an incident: an offered handoff, tasks, subscribers, an update that names its next.

Only additions, each nullable or with a default: a replica of the version before goes on beside it.
"""

import sqlalchemy as sa
from alembic import op

revision = "0004"
down_revision = "0003"
branch_labels = None
depends_on = None


def upgrade() -> None:
    op.add_column("incidents", sa.Column("cadence_every", sa.Integer(), nullable=True))
    op.add_column("incidents", sa.Column("handoff", sa.JSON(), nullable=True))
    op.add_column("incidents", sa.Column("tasks", sa.JSON(), nullable=False, server_default="[]"))
    op.add_column("incidents", sa.Column("subscribers", sa.JSON(), nullable=False, server_default="[]"))

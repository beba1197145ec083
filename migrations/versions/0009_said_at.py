"""When an alert's annotations changed last: the card says of when its text is.

Only an addition, nullable: a replica of the version before goes on beside it.
"""

import sqlalchemy as sa
from alembic import op

revision = "0009"
down_revision = "0008"
branch_labels = None
depends_on = None


def upgrade() -> None:
    op.add_column("alerts", sa.Column("said_at", sa.DateTime(timezone=True), nullable=True))

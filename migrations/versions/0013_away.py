"""Why an incident goes on outside its channel, which cannot be written.

Only an addition: a replica of the version before goes on beside it.
"""

import sqlalchemy as sa
from alembic import op

revision = "0013"
down_revision = "0012"
branch_labels = None
depends_on = None


def upgrade() -> None:
    op.add_column("incidents", sa.Column("away", sa.JSON(none_as_null=True), nullable=True))

"""What a caller may do with a job that has its end (retry, erasure), and figures of what waits."""

from alembic import op

revision = "0006"
down_revision = "0005"
branch_labels = None
depends_on = None

AFTER_THE_END = """
ALTER TABLE jobs
    ADD COLUMN settled_attempts integer NOT NULL DEFAULT 0, -- the caller had the job retried after it:
                                                            -- no attempt up to it ends the job
    ADD COLUMN retention_s integer,                         -- seconds from the end to the erasure
    ADD COLUMN erase_at timestamptz,                        -- then they are gone for callers, and soon after
    ADD COLUMN erased_at timestamptz;                       -- in fact; the row stays
CREATE INDEX jobs_unsuccessful ON jobs (tenant_id, id DESC)
    WHERE status IN ('failed', 'cancelled', 'expired', 'incomplete');
CREATE INDEX jobs_to_erase ON jobs (erase_at) WHERE erase_at IS NOT NULL;
"""

WITHOUT_IT = """
DROP INDEX jobs_to_erase, jobs_unsuccessful;
ALTER TABLE jobs DROP COLUMN settled_attempts, DROP COLUMN retention_s, DROP COLUMN erase_at,
    DROP COLUMN erased_at;
"""


def run(script: str) -> None:
    """Run several statements at once; SQLAlchemy's own execute would take ``:`` and ``%`` for parameters."""
    op.get_bind().exec_driver_sql(script, execution_options={"no_parameters": True})


def upgrade() -> None:
    """Let jobs be retried and erased."""
    run(AFTER_THE_END)


def downgrade() -> None:
    """Forget which were."""
    run(WITHOUT_IT)

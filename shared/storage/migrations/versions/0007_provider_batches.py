"""Batches at providers: which requests of a batch a provider's own batch API has."""

from alembic import op

revision = "0007"
down_revision = "0006"
branch_labels = None
depends_on = None

TABLE = """
CREATE TABLE provider_batches (
    id uuid PRIMARY KEY,                  -- what the provider's metadata says, and the start of its jobs
    tenant_id uuid NOT NULL,
    batch_id uuid NOT NULL REFERENCES batches (id) ON DELETE CASCADE,
    revision integer NOT NULL DEFAULT 1,  -- counts the questions: an answer to an older one changes nothing
    state text NOT NULL CHECK (state IN ('filling', 'open', 'done', 'given_up')),
    operation text NOT NULL,
    model text NOT NULL,                  -- an alias
    first_line integer NOT NULL,
    last_line integer NOT NULL,
    bytes bigint NOT NULL,
    parts jsonb NOT NULL,                 -- the requests, in the object store
    remote_id text,                       -- as the provider calls it
    output_offset bigint NOT NULL DEFAULT 0, -- bytes of the provider's files that are dealt with
    error_offset bigint NOT NULL DEFAULT 0,
    answered integer[] NOT NULL DEFAULT '{}', -- lines that have an end by the provider
    failure text,                         -- code of the last question's failure
    created_at timestamptz NOT NULL DEFAULT now(),
    changed_at timestamptz NOT NULL DEFAULT now(),
    next_look_at timestamptz NOT NULL DEFAULT now(),
    recall_at timestamptz NOT NULL,       -- then the provider has to stop
    live_at timestamptz NOT NULL          -- then the jobs are due as live calls
);
CREATE INDEX provider_batches_open ON provider_batches (next_look_at) WHERE state IN ('filling', 'open');
CREATE INDEX provider_batches_by_batch ON provider_batches (batch_id);

ALTER TABLE provider_batches ENABLE ROW LEVEL SECURITY;
ALTER TABLE provider_batches FORCE ROW LEVEL SECURITY;
CREATE POLICY tenant ON provider_batches TO penstock_app
    USING (tenant_id = nullif(current_setting('app.tenant', true), '')::uuid)
    WITH CHECK (tenant_id = nullif(current_setting('app.tenant', true), '')::uuid);
CREATE POLICY every_tenant ON provider_batches TO penstock_system USING (true) WITH CHECK (true);
GRANT SELECT ON provider_batches TO penstock_app;
GRANT SELECT, INSERT, UPDATE, DELETE ON provider_batches TO penstock_system;
"""


def run(script: str) -> None:
    """Run several statements at once; SQLAlchemy's own execute would take ``:`` and ``%`` for parameters."""
    op.get_bind().exec_driver_sql(script, execution_options={"no_parameters": True})


def upgrade() -> None:
    """Remember what providers have."""
    run(TABLE)


def downgrade() -> None:
    """Forget it; what providers still have is paid for and thrown away."""
    run("DROP TABLE provider_batches")

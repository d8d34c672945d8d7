"""Files, and batches of jobs in files.

A file is a row and its parts, each an object of its own: a writer that dies leaves parts that nobody sees,
and a batch's output grows by one part and one transaction at a time. A batch counts how far it has come
through its input; the lines that it has put in are jobs that name it.
"""

from alembic import op

revision = "0005"
down_revision = "0004"
branch_labels = None
depends_on = None

FILES = """
CREATE TABLE files (
    id uuid PRIMARY KEY,
    tenant_id uuid NOT NULL,
    purpose text NOT NULL,
    filename text NOT NULL,
    state text NOT NULL CHECK (state IN ('writing', 'ready', 'deleted')),  -- only 'ready' is seen
    bytes bigint NOT NULL DEFAULT 0,
    created_at timestamptz NOT NULL,
    touched_at timestamptz NOT NULL DEFAULT now(),  -- when its writer last gave a sign of life
    expires_at timestamptz
);
CREATE INDEX files_by_tenant ON files (tenant_id, id DESC);
CREATE INDEX files_to_expire ON files (expires_at) WHERE state = 'ready' AND expires_at IS NOT NULL;
CREATE INDEX files_to_remove ON files (touched_at) WHERE state <> 'ready';

CREATE TABLE file_parts (
    file_id uuid NOT NULL REFERENCES files (id) ON DELETE CASCADE,
    number integer NOT NULL,              -- from 0, without gaps
    tenant_id uuid NOT NULL,
    ref text NOT NULL,                    -- in the object store
    bytes integer NOT NULL,
    PRIMARY KEY (file_id, number)
);
"""

BATCHES = """
CREATE TABLE batches (
    id uuid PRIMARY KEY,
    tenant_id uuid NOT NULL,
    revision integer NOT NULL DEFAULT 1,  -- counts the changes: whoever acts on an older one changes nothing
    status text NOT NULL CHECK (status IN
        ('validating', 'in_progress', 'finalizing', 'cancelling', 'completed', 'failed', 'expired',
         'cancelled')),
    endpoint text NOT NULL,
    model text,                           -- of every line; known once they are validated
    completion_window text NOT NULL,
    input_file_id uuid NOT NULL,
    output_file_id uuid,
    error_file_id uuid,
    output_expires_s integer,             -- after the creation of the output files
    metadata jsonb,
    errors jsonb,                         -- what is wrong with the input, at most the first few
    request_id text NOT NULL,
    traceparent text,
    created_at timestamptz NOT NULL,
    expires_at timestamptz NOT NULL,
    in_progress_at timestamptz,
    finalizing_at timestamptz,
    completed_at timestamptz,
    failed_at timestamptz,
    expired_at timestamptz,
    cancelling_at timestamptz,
    cancelled_at timestamptz,
    total integer NOT NULL DEFAULT 0,     -- requests in the input
    inserted integer NOT NULL DEFAULT 0,  -- requests, from the first on, that are jobs
    input_offset bigint NOT NULL DEFAULT 0, -- bytes of the input that they take
    gathered integer NOT NULL DEFAULT 0,  -- requests, from the first on, whose outcome is in a file
    completed integer NOT NULL DEFAULT 0, -- of the gathered ones
    failed integer NOT NULL DEFAULT 0,
    expired integer NOT NULL DEFAULT 0,   -- of the failed ones
    input_tokens bigint NOT NULL DEFAULT 0,
    output_tokens bigint NOT NULL DEFAULT 0,
    cached_tokens bigint NOT NULL DEFAULT 0,
    reasoning_tokens bigint NOT NULL DEFAULT 0
);
CREATE INDEX batches_by_tenant ON batches (tenant_id, id DESC);
CREATE INDEX batches_open ON batches (id)
    WHERE status IN ('validating', 'in_progress', 'finalizing', 'cancelling');
CREATE INDEX batches_by_input ON batches (input_file_id)
    WHERE status IN ('validating', 'in_progress', 'finalizing', 'cancelling');

ALTER TABLE jobs ADD COLUMN batch_id uuid, ADD COLUMN batch_line integer;  -- requests of a batch count from 1
CREATE INDEX jobs_by_batch ON jobs (batch_id, batch_line) WHERE batch_id IS NOT NULL;
CREATE INDEX jobs_open_by_batch ON jobs (batch_id, batch_line)
    WHERE batch_id IS NOT NULL AND status IN ('queued', 'in_progress');
"""

# A day of jobs is kept while a batch that may have jobs in it has still to write down what became of them.
KEPT = """
CREATE OR REPLACE FUNCTION has_open_jobs(first_id uuid, end_id uuid) RETURNS boolean
LANGUAGE sql STABLE SECURITY DEFINER SET search_path = pg_catalog AS $$
    SELECT EXISTS (SELECT FROM public.outbox WHERE job_id >= first_id AND job_id < end_id)
        OR EXISTS (SELECT FROM public.webhook_queue WHERE delivery_id >= first_id AND delivery_id < end_id)
        OR EXISTS (SELECT FROM public.batches
                   WHERE status IN ('validating', 'in_progress', 'finalizing', 'cancelling') AND id < end_id)
$$;
"""
NOT_KEPT = """
CREATE OR REPLACE FUNCTION has_open_jobs(first_id uuid, end_id uuid) RETURNS boolean
LANGUAGE sql STABLE SECURITY DEFINER SET search_path = pg_catalog AS $$
    SELECT EXISTS (SELECT FROM public.outbox WHERE job_id >= first_id AND job_id < end_id)
        OR EXISTS (SELECT FROM public.webhook_queue WHERE delivery_id >= first_id AND delivery_id < end_id)
$$;
"""

TENANT_TABLES = ("files", "file_parts", "batches")

GRANTS = """
GRANT SELECT, INSERT, UPDATE ON files, batches TO penstock_app;
GRANT SELECT, INSERT ON file_parts TO penstock_app;
GRANT SELECT, INSERT, UPDATE, DELETE ON files, file_parts, batches TO penstock_system;
"""


def run(script: str) -> None:
    """Run several statements at once; SQLAlchemy's own execute would take ``:`` and ``%`` for parameters."""
    op.get_bind().exec_driver_sql(script, execution_options={"no_parameters": True})


def upgrade() -> None:
    """Create the tables, and tell jobs which batch they are of."""
    run(FILES)
    run(BATCHES)
    for table in TENANT_TABLES:
        run(f"""
            ALTER TABLE {table} ENABLE ROW LEVEL SECURITY;
            ALTER TABLE {table} FORCE ROW LEVEL SECURITY;
            CREATE POLICY tenant ON {table} TO penstock_app
                USING (tenant_id = nullif(current_setting('app.tenant', true), '')::uuid)
                WITH CHECK (tenant_id = nullif(current_setting('app.tenant', true), '')::uuid);
            CREATE POLICY every_tenant ON {table} TO penstock_system USING (true) WITH CHECK (true);
        """)
    run(GRANTS)
    run(KEPT)


def downgrade() -> None:
    """Remove them; jobs of batches stay as ordinary jobs."""
    run(NOT_KEPT)
    run("DROP INDEX jobs_open_by_batch, jobs_by_batch")
    run("ALTER TABLE jobs DROP COLUMN batch_line, DROP COLUMN batch_id")
    run("DROP TABLE batches, file_parts, files")

"""Webhook endpoints, their secrets, deliveries, and the queue of deliveries that are still to be made.

``webhook_deliveries`` is the record and is partitioned by day like the jobs; ``webhook_queue`` holds a row
for each delivery that is pending and stays small. The functions that create and drop the daily partitions
now find the partitioned tables by themselves.
"""

from alembic import op

revision = "0004"
down_revision = "0003"
branch_labels = None
depends_on = None

TABLES = """
ALTER TABLE jobs ADD COLUMN IF NOT EXISTS webhook jsonb; -- {"url": ..., "events": [...] or null}

CREATE TABLE webhook_endpoints (
    id uuid PRIMARY KEY,
    tenant_id uuid NOT NULL,
    url text NOT NULL,
    description text NOT NULL DEFAULT '',
    events text[] NOT NULL DEFAULT '{*}',   -- patterns: '*', 'job.*', 'job.completed'
    metadata jsonb NOT NULL DEFAULT '{}',
    enabled boolean NOT NULL DEFAULT true,
    disabled_reason text CHECK (disabled_reason IN ('caller', 'gone', 'failing')),
    disabled_at timestamptz,
    failing_since timestamptz,              -- the first failure since the last success
    created_at timestamptz NOT NULL DEFAULT now(),
    updated_at timestamptz NOT NULL DEFAULT now(),
    CHECK (enabled = (disabled_at IS NULL)),
    CHECK (enabled = (disabled_reason IS NULL))
);
CREATE INDEX webhook_endpoints_by_tenant ON webhook_endpoints (tenant_id, id);

CREATE TABLE webhook_secrets (
    id uuid PRIMARY KEY,
    tenant_id uuid NOT NULL,
    endpoint_id uuid REFERENCES webhook_endpoints (id) ON DELETE CASCADE, -- null: for webhooks of single jobs
    sealed bytea NOT NULL,                  -- shared.security.webhook_secrets
    created_at timestamptz NOT NULL DEFAULT now(),
    expires_at timestamptz                  -- null: the current one; a rotated one signs until then
);
CREATE UNIQUE INDEX webhook_secrets_current ON webhook_secrets
    (tenant_id, coalesce(endpoint_id, '00000000-0000-0000-0000-000000000000')) WHERE expires_at IS NULL;
CREATE INDEX webhook_secrets_by_tenant ON webhook_secrets (tenant_id);
CREATE INDEX webhook_secrets_by_endpoint ON webhook_secrets (endpoint_id);

CREATE TABLE webhook_deliveries (
    id uuid NOT NULL PRIMARY KEY,
    tenant_id uuid NOT NULL,
    event_id uuid NOT NULL,                 -- the webhook-id; the same for every receiver of one event
    event_type text NOT NULL,
    endpoint_id uuid,                       -- null: to the URL that one job named
    url text,                               -- of that job; an endpoint's is looked up when it is sent
    target uuid NOT NULL,                   -- the endpoint, or a tenant's host: what shares a limit
    payload text NOT NULL,                  -- JSON, sent and signed byte for byte
    status text NOT NULL DEFAULT 'pending' CHECK (status IN ('pending', 'delivered', 'failed')),
    attempts integer NOT NULL DEFAULT 0,
    created_at timestamptz NOT NULL DEFAULT now(),
    last_attempt_at timestamptz,
    next_attempt_at timestamptz,            -- null: at once, or never again
    finished_at timestamptz,
    response_status integer,                -- of the last attempt, as are the next three
    response_excerpt text,
    duration_ms integer,
    error text,                             -- a code; null after a success
    earlier jsonb NOT NULL DEFAULT '[]'     -- the attempts before it, the newest 20, oldest first
) PARTITION BY RANGE (id);
CREATE INDEX webhook_deliveries_by_tenant ON webhook_deliveries (tenant_id, id DESC);
CREATE INDEX webhook_deliveries_by_endpoint ON webhook_deliveries (endpoint_id, id DESC);

-- One row for every delivery that is pending; deleted with its end.
CREATE TABLE webhook_queue (
    delivery_id uuid PRIMARY KEY,
    tenant_id uuid NOT NULL,
    target uuid NOT NULL,                   -- the delivery's
    due_at timestamptz NOT NULL DEFAULT now(), -- while a sender has it: when its lease ends
    failures integer NOT NULL DEFAULT 0,    -- of this round of tries; a redelivery begins a new one
    claim integer NOT NULL DEFAULT 0        -- counts the senders that took it
) WITH (fillfactor = 70, autovacuum_vacuum_scale_factor = 0, autovacuum_vacuum_threshold = 2000);
CREATE INDEX webhook_queue_due ON webhook_queue (due_at);
CREATE INDEX webhook_queue_by_target ON webhook_queue (target, due_at);

-- Whether one of the patterns '*', 'job.*', 'job.completed' means an event of the type.
CREATE FUNCTION webhook_wants(patterns text[], event_type text) RETURNS boolean
LANGUAGE sql IMMUTABLE AS $$
    SELECT EXISTS (SELECT FROM unnest(patterns) AS pattern
        WHERE pattern IN ('*', event_type)
           OR (right(pattern, 2) = '.*' AND starts_with(event_type, left(pattern, -1))))
$$;
"""

PARTITIONS = """
-- Tables that are partitioned by the day of a UUIDv7.
CREATE OR REPLACE FUNCTION daily_tables() RETURNS SETOF name
LANGUAGE sql STABLE SET search_path = pg_catalog AS $$
    SELECT c.relname FROM pg_partitioned_table p JOIN pg_class c ON c.oid = p.partrelid
    WHERE c.relnamespace = 'public'::regnamespace AND p.partstrat = 'r' ORDER BY c.relname
$$;

CREATE OR REPLACE FUNCTION ensure_job_partitions(first_day date, last_day date) RETURNS void
LANGUAGE plpgsql SECURITY DEFINER SET search_path = pg_catalog, public AS $$
DECLARE
    parent text;
    day date;
BEGIN
    PERFORM pg_advisory_xact_lock(hashtext('penstock.partitions'));
    FOR parent IN SELECT public.daily_tables() LOOP
        FOR day IN SELECT generate_series(first_day, last_day, interval '1 day')::date LOOP
            EXECUTE format(
                'CREATE TABLE IF NOT EXISTS public.%I PARTITION OF public.%I FOR VALUES FROM (%L) TO (%L)',
                parent || '_' || to_char(day, 'YYYYMMDD'), parent,
                public.first_id_at(day::timestamp AT TIME ZONE 'UTC'),
                public.first_id_at((day + 1)::timestamp AT TIME ZONE 'UTC'));
        END LOOP;
    END LOOP;
END $$;

-- Whether a job, or a delivery, with an id in this range is open; runs as the role that sees every tenant.
CREATE OR REPLACE FUNCTION has_open_jobs(first_id uuid, end_id uuid) RETURNS boolean
LANGUAGE sql STABLE SECURITY DEFINER SET search_path = pg_catalog AS $$
    SELECT EXISTS (SELECT FROM public.outbox WHERE job_id >= first_id AND job_id < end_id)
        OR EXISTS (SELECT FROM public.webhook_queue WHERE delivery_id >= first_id AND delivery_id < end_id)
$$;

CREATE OR REPLACE FUNCTION drop_job_partitions(before_day date) RETURNS integer
LANGUAGE plpgsql SECURITY DEFINER SET search_path = pg_catalog, public AS $$
DECLARE
    day date;
    parent text;
    dropped integer := 0;
    open_jobs boolean;
BEGIN
    PERFORM pg_advisory_xact_lock(hashtext('penstock.partitions'));
    FOR day IN
        SELECT to_date(right(c.relname, 8), 'YYYYMMDD')
        FROM pg_inherits i JOIN pg_class c ON c.oid = i.inhrelid
        WHERE i.inhparent = 'public.jobs'::regclass AND c.relname ~ '^jobs_[0-9]{8}$'
    LOOP
        CONTINUE WHEN day >= before_day;
        SELECT public.has_open_jobs(
            public.first_id_at(day::timestamp AT TIME ZONE 'UTC'),
            public.first_id_at((day + 1)::timestamp AT TIME ZONE 'UTC')) INTO open_jobs;
        CONTINUE WHEN open_jobs;
        FOR parent IN SELECT public.daily_tables() LOOP
            EXECUTE format('DROP TABLE IF EXISTS public.%I', parent || '_' || to_char(day, 'YYYYMMDD'));
        END LOOP;
        dropped := dropped + 1;
    END LOOP;
    RETURN dropped;
END $$;
"""

TENANT_TABLES = ("webhook_endpoints", "webhook_secrets", "webhook_deliveries", "webhook_queue")

GRANTS = """
GRANT SELECT, INSERT, UPDATE, DELETE ON webhook_endpoints, webhook_secrets, webhook_queue TO penstock_app;
GRANT SELECT, INSERT, UPDATE ON webhook_deliveries TO penstock_app;
GRANT SELECT, INSERT, UPDATE, DELETE
    ON webhook_endpoints, webhook_secrets, webhook_deliveries, webhook_queue TO penstock_system;
REVOKE EXECUTE ON FUNCTION daily_tables FROM PUBLIC;
GRANT EXECUTE ON FUNCTION daily_tables TO CURRENT_USER;
"""

# What 0001 created: the same functions, for the tables that there were.
FIXED_TABLES = """
CREATE OR REPLACE FUNCTION daily_tables() RETURNS SETOF name
LANGUAGE sql STABLE SET search_path = pg_catalog AS $$
    SELECT unnest(ARRAY['jobs', 'job_attempts', 'job_events']::name[])
$$;
CREATE OR REPLACE FUNCTION has_open_jobs(first_id uuid, end_id uuid) RETURNS boolean
LANGUAGE sql STABLE SECURITY DEFINER SET search_path = pg_catalog AS $$
    SELECT EXISTS (SELECT FROM public.outbox WHERE job_id >= first_id AND job_id < end_id)
$$;
"""


def run(script: str) -> None:
    """Run several statements at once; SQLAlchemy's own execute would take ``:`` and ``%`` for parameters."""
    op.get_bind().exec_driver_sql(script, execution_options={"no_parameters": True})


def upgrade() -> None:
    """Create the tables, with the policies that 0001 explains."""
    run(TABLES)
    for table in TENANT_TABLES:
        run(f"""
            ALTER TABLE {table} ENABLE ROW LEVEL SECURITY;
            ALTER TABLE {table} FORCE ROW LEVEL SECURITY;
            CREATE POLICY tenant ON {table} TO penstock_app
                USING (tenant_id = nullif(current_setting('app.tenant', true), '')::uuid)
                WITH CHECK (tenant_id = nullif(current_setting('app.tenant', true), '')::uuid);
            CREATE POLICY every_tenant ON {table} TO penstock_system USING (true) WITH CHECK (true);
        """)
    run(PARTITIONS)
    run(GRANTS)
    run("SELECT ensure_job_partitions(current_date - 1, current_date + 7)")


def downgrade() -> None:
    """Remove the tables; the functions for partitions keep serving the tables of 0001."""
    run(FIXED_TABLES)
    run("DROP TABLE webhook_queue, webhook_deliveries, webhook_secrets, webhook_endpoints")
    run("DROP FUNCTION webhook_wants")

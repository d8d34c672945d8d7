"""Tenants, API keys, jobs with their outbox, attempts and events.

Three roles: the owner (whoever migrates) owns the tables; ``penstock_app`` acts for one tenant at a
time, named by ``app.tenant`` inside each transaction; ``penstock_system`` serves every tenant (results,
scheduler). Row-level security is forced, so the owner sees no rows either. ``jobs`` and what hangs on a
job are partitioned by day of the job's UUIDv7; old days are dropped, not deleted.
"""

from alembic import op

revision = "0001"
down_revision = None
branch_labels = None
depends_on = None

ROLES = """
DO $$
BEGIN
    IF NOT EXISTS (SELECT FROM pg_roles WHERE rolname = 'penstock_app') THEN
        CREATE ROLE penstock_app NOLOGIN NOSUPERUSER NOBYPASSRLS;
    END IF;
    IF NOT EXISTS (SELECT FROM pg_roles WHERE rolname = 'penstock_system') THEN
        CREATE ROLE penstock_system NOLOGIN NOSUPERUSER NOBYPASSRLS;
    END IF;
END $$;
GRANT penstock_app, penstock_system TO CURRENT_USER;
GRANT USAGE ON SCHEMA public TO penstock_app, penstock_system;
"""

TENANTS = """
CREATE TABLE tenants (
    id uuid PRIMARY KEY,
    name text NOT NULL,
    created_at timestamptz NOT NULL DEFAULT now()
);

CREATE TABLE api_keys (
    id uuid PRIMARY KEY,
    tenant_id uuid NOT NULL REFERENCES tenants (id),
    key_id text NOT NULL UNIQUE,          -- the public part of the key: a look-up handle, not a secret
    digest bytea NOT NULL,                -- HMAC-SHA256 of the secret part, keyed by the fleet's pepper
    name text NOT NULL,
    created_at timestamptz NOT NULL DEFAULT now(),
    revoked_at timestamptz
);

-- A key is looked up before its tenant is known: the one statement that crosses tenants for the app role.
CREATE FUNCTION api_key_for_authentication(wanted text)
RETURNS TABLE (id uuid, tenant_id uuid, digest bytea)
LANGUAGE sql STABLE SECURITY DEFINER SET search_path = pg_catalog, public
AS $$
    SELECT id, tenant_id, digest FROM public.api_keys WHERE key_id = wanted AND revoked_at IS NULL
$$;
"""

JOBS = """
CREATE TABLE jobs (
    id uuid NOT NULL PRIMARY KEY,
    tenant_id uuid NOT NULL,
    request_id text NOT NULL,
    operation text NOT NULL,
    lane text NOT NULL,
    model text NOT NULL,
    status text NOT NULL CHECK (status IN
        ('queued', 'in_progress', 'completed', 'failed', 'cancelled', 'expired', 'incomplete')),
    background boolean NOT NULL,          -- false: recorded after a synchronous call had its end
    stream boolean NOT NULL DEFAULT false,
    metadata jsonb NOT NULL DEFAULT '{}',
    request text,                         -- the caller's body, byte for byte; null when in the object store
    request_ref text,
    result text,                          -- the answer in the OpenAI shape, byte for byte
    result_ref text,
    failure jsonb,                        -- shared.contracts.jobs.Failure
    traceparent text,
    created_at timestamptz NOT NULL,
    deadline_at timestamptz NOT NULL,
    started_at timestamptz,
    finished_at timestamptz,
    attempt integer NOT NULL DEFAULT 1,
    max_attempts integer NOT NULL DEFAULT 1,
    ambiguous_attempts integer NOT NULL DEFAULT 0,
    provider text,
    provider_model text,
    input_tokens bigint NOT NULL DEFAULT 0,
    output_tokens bigint NOT NULL DEFAULT 0,
    cached_tokens bigint NOT NULL DEFAULT 0,
    cost_microusd bigint,
    last_event integer NOT NULL DEFAULT 0, -- sequence of the newest row in job_events
    delta_start_id uuid,                   -- which start the newest delta came from, and its number:
    delta_sequence integer                 -- a delta that comes twice is recorded once
) PARTITION BY RANGE (id);
CREATE INDEX jobs_by_tenant ON jobs (tenant_id, id DESC);
CREATE INDEX jobs_open_by_deadline ON jobs (deadline_at) WHERE status IN ('queued', 'in_progress');

-- One row for every background job that is not final; deleted with its end.
CREATE TABLE outbox (
    job_id uuid PRIMARY KEY,
    tenant_id uuid NOT NULL,
    attempt integer NOT NULL DEFAULT 1,
    publication integer NOT NULL DEFAULT 1, -- how often this attempt was put on the broker on purpose
    due_at timestamptz NOT NULL,            -- not before; a retry or a run_at lies in the future
    published_at timestamptz,               -- null: still to be published
    held_at timestamptz,                    -- when a worker last said that it has the job
    tried_at timestamptz                    -- when the sweep last tried to publish it
);
CREATE INDEX outbox_unpublished ON outbox (due_at) WHERE published_at IS NULL;
CREATE INDEX outbox_silent ON outbox (greatest(published_at, held_at)) WHERE published_at IS NOT NULL;

CREATE TABLE job_attempts (
    job_id uuid NOT NULL,
    start_id uuid NOT NULL,
    tenant_id uuid NOT NULL,
    attempt integer NOT NULL,
    worker text NOT NULL,
    started_at timestamptz NOT NULL,
    finished_at timestamptz,
    outcome text NOT NULL DEFAULT 'started' CHECK (outcome IN
        ('started', 'completed', 'failed', 'cancelled', 'expired', 'incomplete', 'deferred', 'ambiguous')),
    provider text,
    failure jsonb,
    input_tokens bigint NOT NULL DEFAULT 0,
    output_tokens bigint NOT NULL DEFAULT 0,
    cached_tokens bigint NOT NULL DEFAULT 0,
    cost_microusd bigint,
    PRIMARY KEY (job_id, start_id)
) PARTITION BY RANGE (job_id);

CREATE TABLE job_events (
    job_id uuid NOT NULL,
    sequence integer NOT NULL,            -- from 1, without gaps; what Last-Event-ID names
    tenant_id uuid NOT NULL,
    type text NOT NULL,                   -- 'job.<status>', 'job.retrying' or 'job.delta'
    data text NOT NULL,                   -- JSON; for 'job.delta' one chunk of the OpenAI stream per line
    created_at timestamptz NOT NULL DEFAULT now(),
    PRIMARY KEY (job_id, sequence)
) PARTITION BY RANGE (job_id);
"""

PARTITIONS = """
-- The smallest UUIDv7 of a moment (RFC 9562): where the partition of a day begins.
CREATE FUNCTION first_id_at(moment timestamptz) RETURNS uuid
LANGUAGE sql IMMUTABLE SET search_path = pg_catalog AS $$
    SELECT (lpad(to_hex((extract(epoch FROM moment) * 1000)::bigint), 12, '0')
            || '70008000000000000000')::uuid
$$;

-- Create the daily partitions from one day to another, both included; existing ones stay.
CREATE FUNCTION ensure_job_partitions(first_day date, last_day date) RETURNS void
LANGUAGE plpgsql SECURITY DEFINER SET search_path = pg_catalog, public AS $$
DECLARE
    parent text;
    day date;
BEGIN
    PERFORM pg_advisory_xact_lock(hashtext('penstock.partitions'));
    FOREACH parent IN ARRAY ARRAY['jobs', 'job_attempts', 'job_events'] LOOP
        FOR day IN SELECT generate_series(first_day, last_day, interval '1 day')::date LOOP
            EXECUTE format(
                'CREATE TABLE IF NOT EXISTS public.%I PARTITION OF public.%I FOR VALUES FROM (%L) TO (%L)',
                parent || '_' || to_char(day, 'YYYYMMDD'), parent,
                public.first_id_at(day::timestamp AT TIME ZONE 'UTC'),
                public.first_id_at((day + 1)::timestamp AT TIME ZONE 'UTC'));
        END LOOP;
    END LOOP;
END $$;

-- Drop the daily partitions before a day, as long as no job in them is open; returns how many went.
CREATE FUNCTION drop_job_partitions(before_day date) RETURNS integer
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
        SELECT EXISTS (
            SELECT FROM public.outbox
            WHERE job_id >= public.first_id_at(day::timestamp AT TIME ZONE 'UTC')
              AND job_id < public.first_id_at((day + 1)::timestamp AT TIME ZONE 'UTC')) INTO open_jobs;
        CONTINUE WHEN open_jobs;
        FOREACH parent IN ARRAY ARRAY['jobs', 'job_attempts', 'job_events'] LOOP
            EXECUTE format('DROP TABLE IF EXISTS public.%I', parent || '_' || to_char(day, 'YYYYMMDD'));
        END LOOP;
        dropped := dropped + 1;
    END LOOP;
    RETURN dropped;
END $$;
REVOKE EXECUTE ON FUNCTION ensure_job_partitions, drop_job_partitions, api_key_for_authentication FROM PUBLIC;
"""

TENANT_TABLES = ("api_keys", "jobs", "outbox", "job_attempts", "job_events")

GRANTS = """
GRANT SELECT, INSERT, UPDATE ON jobs TO penstock_app;
GRANT SELECT, INSERT, UPDATE, DELETE ON outbox TO penstock_app;
GRANT SELECT, INSERT ON job_events TO penstock_app;
GRANT SELECT, UPDATE ON job_attempts TO penstock_app;
GRANT SELECT ON api_keys TO penstock_app;
GRANT SELECT, INSERT, UPDATE, DELETE ON tenants, api_keys, jobs, outbox, job_attempts, job_events
    TO penstock_system;
GRANT EXECUTE ON FUNCTION ensure_job_partitions, drop_job_partitions TO penstock_system;
GRANT EXECUTE ON FUNCTION api_key_for_authentication TO penstock_app;
"""


def run(script: str) -> None:
    """Run several statements at once; SQLAlchemy's own execute would take ``:`` and ``%`` for parameters."""
    op.get_bind().exec_driver_sql(script, execution_options={"no_parameters": True})


def upgrade() -> None:
    """Create the schema."""
    for script in (ROLES, TENANTS, JOBS, PARTITIONS):
        run(script)
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
    # The authentication look-up runs as the role that may see every tenant's keys.
    run("GRANT CREATE ON SCHEMA public TO penstock_system")
    run("ALTER FUNCTION api_key_for_authentication OWNER TO penstock_system")
    run("REVOKE CREATE ON SCHEMA public FROM penstock_system")
    run("SELECT ensure_job_partitions(current_date - 1, current_date + 7)")


def downgrade() -> None:
    """Remove the schema; the roles stay, other databases of the server may use them."""
    run("DROP TABLE job_events, job_attempts, outbox, jobs, api_keys, tenants")
    run("DROP FUNCTION api_key_for_authentication, ensure_job_partitions, drop_job_partitions, first_id_at")

-- What Penstock adds to PGMQ. Runs once per version of this file, in one transaction, under a lock;
-- it must also run over every earlier version of itself.
--
-- `tables` are PGMQ's queue names; arrays of one call are parallel: one position is one message.
-- Every change of a message names the read_ct under which it was taken: a later reader has raised it,
-- and then nothing happens. PGMQ's own functions cannot check that, so those statements are written here.

CREATE SCHEMA IF NOT EXISTS penstock_broker;

CREATE TABLE IF NOT EXISTS penstock_broker.installed (
    version text PRIMARY KEY,
    installed_at timestamptz NOT NULL DEFAULT now()
);

CREATE TABLE IF NOT EXISTS penstock_broker.paused (
    queue text PRIMARY KEY,
    paused_at timestamptz NOT NULL DEFAULT now()
);

CREATE TABLE IF NOT EXISTS penstock_broker.dead_letters (
    id bigint GENERATED ALWAYS AS IDENTITY PRIMARY KEY,
    queue text NOT NULL,
    message jsonb NOT NULL,
    headers jsonb NOT NULL,
    reason text NOT NULL,
    attempt integer NOT NULL,
    published_at timestamptz NOT NULL,
    died_at timestamptz NOT NULL DEFAULT now()
);
CREATE INDEX IF NOT EXISTS dead_letters_by_queue ON penstock_broker.dead_letters (queue, id);

-- Do not wait for the disk when this transaction commits.
CREATE OR REPLACE FUNCTION penstock_broker.relax() RETURNS void LANGUAGE sql AS $$
    SELECT set_config('synchronous_commit', 'off', true);
$$;

CREATE OR REPLACE FUNCTION penstock_broker.wake(queue_table text) RETURNS void LANGUAGE sql AS $$
    SELECT pg_notify('penstock.queue.' || queue_table, '');
$$;

-- Back to the queue at once; `uncounted` ones as if they had never been read.
CREATE OR REPLACE FUNCTION penstock_broker.give_back(
    tables text[], ids bigint[], read_cts int[], uncounted int[]
) RETURNS SETOF bigint LANGUAGE plpgsql AS $$
DECLARE
    target text;
BEGIN
    PERFORM penstock_broker.relax();
    FOR target IN SELECT DISTINCT unnest(tables) LOOP
        RETURN QUERY EXECUTE format(
            'UPDATE pgmq.%I AS q SET vt = clock_timestamp(), read_ct = q.read_ct - held.less
             FROM unnest($1, $2, $3, $4) WITH ORDINALITY AS held (t, id, ct, less, n)
             WHERE held.t = $5 AND q.msg_id = held.id AND q.read_ct = held.ct
             RETURNING held.n', 'q_' || target)
        USING tables, ids, read_cts, uncounted, target;
        PERFORM penstock_broker.wake(target);
    END LOOP;
END;
$$;

-- Never waits: a row that is locked is being settled by us just now, or taken by another.
CREATE OR REPLACE FUNCTION penstock_broker.renew(
    tables text[], ids bigint[], read_cts int[], lease interval
) RETURNS SETOF bigint LANGUAGE plpgsql AS $$
DECLARE
    target text;
BEGIN
    PERFORM penstock_broker.relax();
    FOR target IN SELECT DISTINCT unnest(tables) LOOP
        RETURN QUERY EXECUTE format(
            'UPDATE pgmq.%1$I AS q SET vt = clock_timestamp() + $5
             FROM (SELECT msg_id, held.n FROM pgmq.%1$I
                   JOIN unnest($1, $2, $3) WITH ORDINALITY AS held (t, id, ct, n)
                     ON held.t = $4 AND msg_id = held.id AND read_ct = held.ct
                   FOR UPDATE OF %1$I SKIP LOCKED) AS ours
             WHERE q.msg_id = ours.msg_id
             RETURNING ours.n', 'q_' || target)
        USING tables, ids, read_cts, target, lease;
    END LOOP;
END;
$$;

-- Move one message to the dead letters; returns whether it was still held.
CREATE OR REPLACE FUNCTION penstock_broker.bury(
    queue_table text, queue_name text, id bigint, under_read_ct int, why text
) RETURNS boolean LANGUAGE plpgsql AS $$
DECLARE
    moved bigint;
BEGIN
    EXECUTE format(
        'WITH dead AS (DELETE FROM pgmq.%I WHERE msg_id = $1 AND read_ct = $2 RETURNING *)
         INSERT INTO penstock_broker.dead_letters (queue, message, headers, reason, attempt, published_at)
         SELECT $3, coalesce(message, ''null''), coalesce(headers, ''{}''), $4, read_ct,
                coalesce((headers->>''published_at'')::timestamptz, enqueued_at)
         FROM dead RETURNING id', 'q_' || queue_table)
    INTO moved USING id, under_read_ct, queue_name, why;
    RETURN moved IS NOT NULL;
END;
$$;

-- A replayed message keeps its first publication time and loses its expiry: an operator wants it tried.
CREATE OR REPLACE FUNCTION penstock_broker.replay(queue_table text, queue_name text, dead bigint[])
RETURNS bigint LANGUAGE plpgsql AS $$
DECLARE
    letters jsonb[];
    properties jsonb[];
BEGIN
    WITH gone AS (
        DELETE FROM penstock_broker.dead_letters AS d
        WHERE d.queue = queue_name AND d.id = ANY (dead) RETURNING d.*
    )
    SELECT array_agg(g.message ORDER BY g.id),
           array_agg((g.headers - 'expires_at') || jsonb_build_object('published_at', g.published_at)
                     ORDER BY g.id)
    INTO letters, properties FROM gone AS g;
    IF letters IS NULL THEN
        RETURN 0;
    END IF;
    PERFORM pgmq.send_batch(queue_table, letters, properties);
    PERFORM penstock_broker.wake(queue_table);
    RETURN cardinality(letters);
END;
$$;

CREATE OR REPLACE FUNCTION penstock_broker.expired(headers jsonb) RETURNS boolean
LANGUAGE sql STABLE AS $$
    SELECT coalesce((headers->>'expires_at')::timestamptz <= clock_timestamp(), false);
$$;

-- Delete what expired while nobody took it; returns how many.
CREATE OR REPLACE FUNCTION penstock_broker.drop_expired(queue_table text, most int)
RETURNS bigint LANGUAGE plpgsql AS $$
DECLARE
    dropped bigint;
BEGIN
    PERFORM penstock_broker.relax();
    IF NOT pg_try_advisory_xact_lock(hashtext('penstock.drop_expired'), hashtext(queue_table)) THEN
        RETURN 0;  -- somebody does it just now
    END IF;
    EXECUTE format(
        'WITH expired AS (
             SELECT msg_id FROM pgmq.%1$I
             WHERE vt <= clock_timestamp() AND penstock_broker.expired(headers)
             LIMIT $1 FOR UPDATE SKIP LOCKED
         ), gone AS (
             DELETE FROM pgmq.%1$I AS q USING expired WHERE q.msg_id = expired.msg_id RETURNING 1
         )
         SELECT count(*) FROM gone', 'q_' || queue_table)
    INTO dropped USING most;
    RETURN dropped;
END;
$$;

CREATE OR REPLACE FUNCTION penstock_broker.look_at(queue_table text, queue_name text, lock_class int)
RETURNS TABLE (
    ready bigint, in_flight bigint, oldest_age_s float8, dead bigint, paused boolean, consumers bigint
) LANGUAGE plpgsql AS $$
BEGIN
    RETURN QUERY EXECUTE format(
        'SELECT count(*) FILTER (WHERE waits), count(*) FILTER (WHERE vt > clock_timestamp()),
             extract(epoch FROM clock_timestamp() - min(enqueued_at) FILTER (WHERE waits))::float8,
             (SELECT count(*) FROM penstock_broker.dead_letters WHERE queue = $1),
             EXISTS (SELECT FROM penstock_broker.paused WHERE queue = $1),
             (SELECT count(*) FROM pg_locks
              WHERE locktype = ''advisory'' AND objsubid = 2 AND classid = $2::bit(32)::bigint::oid
                AND database = (SELECT oid FROM pg_database WHERE datname = current_database()))
         FROM (SELECT vt, enqueued_at,
                      vt <= clock_timestamp() AND NOT penstock_broker.expired(headers) AS waits
               FROM pgmq.%I) AS q', 'q_' || queue_table)
    USING queue_name, lock_class;
END;
$$;

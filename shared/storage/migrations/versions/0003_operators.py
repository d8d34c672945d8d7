"""Operators: what a key may do beside its tenant's work; queues that take no new work."""

from alembic import op

revision = "0003"
down_revision = "0002"
branch_labels = None
depends_on = None

ROLE = """
ALTER TABLE api_keys ADD COLUMN role text NOT NULL DEFAULT 'tenant' CHECK (role IN ('tenant', 'operator'));
"""

DRAINS = """
-- A queue with a row here gets no new submissions. It is the fleet's own: nothing of a tenant is in it.
CREATE TABLE queue_drains (
    queue text PRIMARY KEY,
    since timestamptz NOT NULL DEFAULT now(),
    api_key_id uuid NOT NULL                    -- the operator's
);
GRANT SELECT, INSERT, UPDATE, DELETE ON queue_drains TO penstock_system;
"""

# What a function returns can only be changed by making it anew.
LOOK_UP = """
DROP FUNCTION api_key_for_authentication;
CREATE FUNCTION api_key_for_authentication(wanted text)
RETURNS TABLE (id uuid, tenant_id uuid, digest bytea{declared})
LANGUAGE sql STABLE SECURITY DEFINER SET search_path = pg_catalog, public
AS $$
    SELECT id, tenant_id, digest{selected} FROM public.api_keys WHERE key_id = wanted AND revoked_at IS NULL
$$;
REVOKE EXECUTE ON FUNCTION api_key_for_authentication FROM PUBLIC;
GRANT EXECUTE ON FUNCTION api_key_for_authentication TO penstock_app;
GRANT CREATE ON SCHEMA public TO penstock_system;
ALTER FUNCTION api_key_for_authentication OWNER TO penstock_system;
REVOKE CREATE ON SCHEMA public FROM penstock_system;
"""


def run(script: str) -> None:
    """Run several statements at once; SQLAlchemy's own execute would take ``:`` and ``%`` for parameters."""
    op.get_bind().exec_driver_sql(script, execution_options={"no_parameters": True})


def upgrade() -> None:
    """Give every key a role, and keep which queues are being drained."""
    run(ROLE)
    run(DRAINS)
    run(LOOK_UP.format(declared=", role text", selected=", role"))


def downgrade() -> None:
    """Take the roles away: operators' keys become their tenants' keys."""
    run(LOOK_UP.format(declared="", selected=""))
    run("DROP TABLE queue_drains")
    run("ALTER TABLE api_keys DROP COLUMN role")

"""Webhook secrets in the store: one current for each endpoint, rotated ones until their overlap ends.

Everything runs as either role inside the caller's transaction. ``endpoint_id`` None means the secret of the
tenant itself, which signs the webhooks that single jobs ask for.
"""

from datetime import timedelta
from uuid import UUID

from shared.contracts.ids import new_id
from shared.security.webhook_secrets import SecretBox, mint_secret
from shared.storage.postgres import Connection

ROTATION_OVERLAP_S = 86_400.0
MAX_LIVE = 4
"""A request carries a signature for each, so there are never more."""

_INSERT = """
INSERT INTO webhook_secrets (id, tenant_id, endpoint_id, sealed) VALUES ($1, $2, $3, $4)
ON CONFLICT DO NOTHING RETURNING id
"""

_RETIRE = """
UPDATE webhook_secrets SET expires_at = least(expires_at, now() + $3::interval)
WHERE tenant_id = $1 AND endpoint_id IS NOT DISTINCT FROM $2
"""

_PRUNE = """
DELETE FROM webhook_secrets WHERE id IN (
    SELECT id FROM webhook_secrets WHERE tenant_id = $1 AND endpoint_id IS NOT DISTINCT FROM $2
    ORDER BY expires_at IS NOT NULL, (expires_at > now()) DESC, created_at DESC, id DESC OFFSET $3)
"""

_LIVE = """
SELECT sealed FROM webhook_secrets
WHERE tenant_id = $1 AND endpoint_id IS NOT DISTINCT FROM $2 AND (expires_at IS NULL OR expires_at > now())
ORDER BY expires_at IS NOT NULL, created_at DESC, id DESC
"""


async def create_secret(
    connection: Connection, box: SecretBox, *, tenant_id: UUID, endpoint_id: UUID | None
) -> str:
    """Give an endpoint its first secret; if it has one, that one is returned."""
    secret = mint_secret()
    sealed = box.seal(secret, tenant_id)
    if await connection.fetchval(_INSERT, new_id(), tenant_id, endpoint_id, sealed):
        return secret
    return (await live_secrets(connection, box, tenant_id=tenant_id, endpoint_id=endpoint_id))[0]


async def rotate_secret(
    connection: Connection,
    box: SecretBox,
    *,
    tenant_id: UUID,
    endpoint_id: UUID | None,
    overlap_s: float = ROTATION_OVERLAP_S,
) -> str:
    """Make a new secret the current one.

    Args:
        connection: In a transaction.
        box: Seals it.
        tenant_id: Whose it is.
        endpoint_id: Which endpoint's.
        overlap_s: How long the secrets before it go on signing too, at most :data:`MAX_LIVE` in all; none of
            them outlives it, also where an earlier rotation gave it longer.
    """
    await connection.execute(_RETIRE, tenant_id, endpoint_id, timedelta(seconds=overlap_s))
    secret = await create_secret(connection, box, tenant_id=tenant_id, endpoint_id=endpoint_id)
    await connection.execute(_PRUNE, tenant_id, endpoint_id, MAX_LIVE)
    return secret


async def live_secrets(
    connection: Connection, box: SecretBox, *, tenant_id: UUID, endpoint_id: UUID | None
) -> list[str]:
    """Return the secrets that sign now, the current one first.

    Raises:
        SecretUnreadableError: The fleet's secret key is another one than when all of them were made.
    """
    rows = await connection.fetch(_LIVE, tenant_id, endpoint_id)
    return box.open_readable((row["sealed"] for row in rows), tenant_id)

"""The secret of a tenant that signs what goes to the URLs that single jobs name."""

from collections.abc import Sequence
from datetime import timedelta
from uuid import UUID

from services.ingress.adapters.patience import database_patience
from services.ingress.domain.webhook_endpoint import SecretState
from shared.security.webhook_secrets import SecretBox
from shared.storage.postgres import Connection, Database
from shared.storage.webhook_secrets import rotate_secret

_STATES = """SELECT created_at, expires_at FROM webhook_secrets
WHERE endpoint_id IS NULL AND (expires_at IS NULL OR expires_at > now()) ORDER BY id DESC"""


class WebhookJobSecret:
    """Made by the first rotation, or when it is first needed.

    Every method raises DatabaseUnavailableError within two seconds.

    Args:
        database: As ``penstock_app``.
        box: Seals it.
    """

    def __init__(self, database: Database, box: SecretBox) -> None:
        self._database = database
        self._box = box

    async def states(self, tenant_id: UUID) -> Sequence[SecretState]:
        """Say which there are, newest first."""
        async with database_patience(), self._database.transaction(tenant_id) as connection:
            return await _states(connection)

    async def rotate(self, tenant_id: UUID, overlap: timedelta) -> tuple[Sequence[SecretState], str]:
        """Make a new one; the one so far signs beside it for the overlap."""
        async with database_patience(), self._database.transaction(tenant_id) as connection:
            secret = await rotate_secret(
                connection,
                self._box,
                tenant_id=tenant_id,
                endpoint_id=None,
                overlap_s=overlap.total_seconds(),
            )
            return await _states(connection), secret


async def _states(connection: Connection) -> Sequence[SecretState]:
    rows = await connection.fetch(_STATES)
    return [SecretState(created_at=row["created_at"], expires_at=row["expires_at"]) for row in rows]

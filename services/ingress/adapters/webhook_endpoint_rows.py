"""Webhook endpoints as PostgreSQL has them; every statement sees one tenant only."""

from collections.abc import AsyncIterator, Sequence
from contextlib import asynccontextmanager
from datetime import timedelta
from uuid import UUID

import asyncpg
import orjson

from services.ingress.adapters.patience import database_patience
from services.ingress.domain.webhook_endpoint import SecretState, WebhookEndpoint
from services.ingress.domain.webhook_endpoint_fields import EndpointFields
from shared.errors import ConflictError, NotFoundError
from shared.security.webhook_secrets import SecretBox
from shared.storage.postgres import Connection, Database
from shared.storage.webhook_secrets import create_secret, rotate_secret

_COLUMNS = """e.id, e.url, e.events, e.description, e.metadata::text AS metadata, e.enabled,
    e.disabled_reason, e.disabled_at, e.failing_since, e.created_at, e.updated_at, ARRAY(
        SELECT ROW(s.created_at, s.expires_at) FROM webhook_secrets s
        WHERE s.endpoint_id = e.id AND (s.expires_at IS NULL OR s.expires_at > now())
        ORDER BY s.id DESC) AS secrets"""
_GET = f"SELECT {_COLUMNS} FROM webhook_endpoints e WHERE e.id = $1"  # noqa: S608 - a constant
# What one transaction makes has one time.
_MADE_WITH_IT = """
SELECT s.sealed FROM webhook_secrets s JOIN webhook_endpoints e ON e.id = s.endpoint_id
WHERE e.id = $1 AND s.created_at = e.created_at AND (s.expires_at IS NULL OR s.expires_at > now())
"""
_PAGE = f"""SELECT {_COLUMNS} FROM webhook_endpoints e
WHERE e.tenant_id = $1 AND ($2::uuid IS NULL OR e.id < $2) ORDER BY e.id DESC LIMIT $3"""  # noqa: S608 - the same
_INSERT = """
INSERT INTO webhook_endpoints (id, tenant_id, url, events, description, metadata, enabled, disabled_reason,
                               disabled_at)
SELECT $1, $2, $3, $4, $5, $6::jsonb, $7, CASE WHEN $7 THEN NULL ELSE 'caller' END,
       CASE WHEN $7 THEN NULL ELSE now() END
WHERE (SELECT count(*) FROM webhook_endpoints WHERE tenant_id = $2) < $8
"""
_UPDATE = """
UPDATE webhook_endpoints SET
    url = coalesce($2, url), events = coalesce($3, events), description = coalesce($4, description),
    metadata = coalesce($5::jsonb, metadata), enabled = coalesce($6, enabled),
    disabled_reason = CASE WHEN $6 THEN NULL WHEN NOT $6 THEN coalesce(disabled_reason, 'caller')
                           ELSE disabled_reason END,
    disabled_at = CASE WHEN $6 THEN NULL WHEN NOT $6 THEN coalesce(disabled_at, now()) ELSE disabled_at END,
    failing_since = CASE WHEN $6 AND NOT enabled THEN NULL ELSE failing_since END,
    updated_at = now()
WHERE id = $1
"""


class TooManyEndpointsError(ConflictError):
    """The tenant has as many endpoints as it may."""

    code = "too_many_webhook_endpoints"


class WebhookEndpointRows:
    """Keeps endpoints and their secrets.

    Every method raises NotFoundError for an endpoint that does not exist or is another tenant's, and
    DatabaseUnavailableError within two seconds.

    Args:
        database: As ``penstock_app``.
        box: Seals the secrets.
        max_endpoints: Of one tenant.
    """

    def __init__(self, database: Database, box: SecretBox, *, max_endpoints: int) -> None:
        self._database = database
        self._box = box
        self._max_endpoints = max_endpoints

    async def insert(
        self, connection: Connection, tenant_id: UUID, endpoint_id: UUID, fields: EndpointFields
    ) -> tuple[WebhookEndpoint, str]:
        """Make an endpoint in a transaction that acts for the tenant; returns it with its secret.

        Raises:
            TooManyEndpointsError: There are as many as there may be.
        """
        # Otherwise two that come at the same time would both be the last one.
        await connection.execute("SELECT pg_advisory_xact_lock(hashtextextended($1, 4))", str(tenant_id))
        done = await connection.execute(
            _INSERT, endpoint_id, tenant_id, *_values(fields), self._max_endpoints
        )
        if done != "INSERT 0 1":
            raise TooManyEndpointsError(f"There may be at most {self._max_endpoints} webhook endpoints.")
        secret = await create_secret(connection, self._box, tenant_id=tenant_id, endpoint_id=endpoint_id)
        return _endpoint(await connection.fetchrow(_GET, endpoint_id)), secret

    async def get(self, tenant_id: UUID, endpoint_id: UUID) -> WebhookEndpoint:
        """Return one."""
        async with self._as(tenant_id) as connection:
            return _endpoint(await connection.fetchrow(_GET, endpoint_id))

    async def created(self, tenant_id: UUID, endpoint_id: UUID) -> tuple[WebhookEndpoint, str | None]:
        """Return one with the secret that was made with it, or None once that signs no more."""
        async with self._as(tenant_id) as connection:
            endpoint = _endpoint(await connection.fetchrow(_GET, endpoint_id))
            sealed = await connection.fetchval(_MADE_WITH_IT, endpoint_id)
        return endpoint, None if sealed is None else self._box.open(sealed, tenant_id)

    async def page(
        self, tenant_id: UUID, *, limit: int, before: UUID | None
    ) -> tuple[Sequence[WebhookEndpoint], bool]:
        """Return one page, newest first, and whether there are more."""
        async with self._as(tenant_id) as connection:
            rows = await connection.fetch(_PAGE, tenant_id, before, limit + 1)
        return [_endpoint(row) for row in rows[:limit]], len(rows) > limit

    async def change(self, tenant_id: UUID, endpoint_id: UUID, fields: EndpointFields) -> WebhookEndpoint:
        """Change what is named; one that is enabled again starts without a past."""
        async with self._as(tenant_id) as connection:
            await connection.execute(_UPDATE, endpoint_id, *_values(fields))
            return _endpoint(await connection.fetchrow(_GET, endpoint_id))

    async def delete(self, tenant_id: UUID, endpoint_id: UUID) -> None:
        """Remove one with its secrets; what is still to be delivered to it fails."""
        async with self._as(tenant_id) as connection:
            done = await connection.execute("DELETE FROM webhook_endpoints WHERE id = $1", endpoint_id)
        if done == "DELETE 0":
            raise _missing()

    async def rotate(
        self, tenant_id: UUID, endpoint_id: UUID, overlap: timedelta
    ) -> tuple[WebhookEndpoint, str]:
        """Make a new secret; those so far sign beside it for the overlap."""
        async with self._as(tenant_id) as connection:
            # Its row is locked: of two rotations at the same time the second comes after the first.
            if not await connection.fetchval(
                "SELECT true FROM webhook_endpoints WHERE id = $1 FOR UPDATE", endpoint_id
            ):
                raise _missing()
            secret = await rotate_secret(
                connection,
                self._box,
                tenant_id=tenant_id,
                endpoint_id=endpoint_id,
                overlap_s=overlap.total_seconds(),
            )
            return _endpoint(await connection.fetchrow(_GET, endpoint_id)), secret

    @asynccontextmanager
    async def _as(self, tenant_id: UUID) -> AsyncIterator[Connection]:
        async with database_patience(), self._database.transaction(tenant_id) as connection:
            yield connection


def _values(fields: EndpointFields) -> tuple[object, ...]:
    metadata = None if fields.metadata is None else orjson.dumps(fields.metadata).decode()
    return fields.url, fields.events, fields.description, metadata, fields.enabled


def _missing() -> NotFoundError:
    return NotFoundError("There is no webhook endpoint with this id.")


def _endpoint(row: asyncpg.Record | None) -> WebhookEndpoint:
    if row is None:
        raise _missing()
    fields = dict(row)
    fields["metadata"] = orjson.loads(fields["metadata"])
    fields["secrets"] = [SecretState(created_at=made, expires_at=until) for made, until in fields["secrets"]]
    return WebhookEndpoint(**fields)

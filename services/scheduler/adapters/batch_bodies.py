"""Bodies of batches' requests and answers that are too large for a row."""

from uuid import UUID

from shared.storage.bodies import BodyStore


class StoredBodies:
    """The store that ingress and the workers use, too."""

    def __init__(self, bodies: BodyStore) -> None:
        self._bodies = bodies

    async def put_request(self, body: bytes, *, tenant_id: UUID, job_id: UUID) -> tuple[bytes, str | None]:
        """See ``Bodies.put_request``."""
        return await self._bodies.put(body, tenant_id=tenant_id, job_id=job_id, kind="request")

    async def get(self, body: bytes, ref: str | None) -> bytes:
        """See ``Bodies.get``."""
        return await self._bodies.get(body, ref)

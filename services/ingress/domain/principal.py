"""Who calls."""

from dataclasses import dataclass
from uuid import UUID


@dataclass(frozen=True, slots=True)
class Principal:
    """The tenant and the key that a request acts for."""

    tenant_id: UUID
    api_key_id: UUID

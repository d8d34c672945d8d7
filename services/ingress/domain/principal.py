"""Who calls."""

from dataclasses import dataclass
from uuid import UUID

from shared.security.api_keys import KeyRole


@dataclass(frozen=True, slots=True)
class Principal:
    """The tenant and the key that a request acts for."""

    tenant_id: UUID
    api_key_id: UUID
    role: KeyRole = KeyRole.TENANT

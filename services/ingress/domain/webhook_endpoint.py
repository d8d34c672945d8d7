"""A webhook endpoint as the API shows it."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any
from uuid import UUID

from services.ingress.domain.seconds import seconds
from shared.contracts.ids import public_id

PREFIX = "we"


@dataclass(frozen=True, slots=True, kw_only=True)
class SecretState:
    """One of an endpoint's secrets; the secret itself is shown once, when it is made."""

    created_at: datetime
    expires_at: datetime | None
    """None: the current one. Another signs beside it until then."""

    def render(self) -> dict[str, Any]:
        """Spell it; times are Unix seconds."""
        return {"created_at": seconds(self.created_at), "expires_at": seconds(self.expires_at)}


@dataclass(frozen=True, slots=True, kw_only=True)
class WebhookEndpoint:
    """One row, and the state of its secrets."""

    id: UUID
    url: str
    events: Sequence[str]
    description: str
    metadata: Mapping[str, Any]
    enabled: bool
    disabled_reason: str | None
    disabled_at: datetime | None
    failing_since: datetime | None
    created_at: datetime
    updated_at: datetime
    secrets: Sequence[SecretState] = ()

    def render(self, *, secret: str | None = None) -> dict[str, Any]:
        """Spell the object; times are Unix seconds.

        Args:
            secret: Shown where it was just made.
        """
        shown = {
            "id": public_id(PREFIX, self.id),
            "object": "webhook_endpoint",
            "url": self.url,
            "events": list(self.events),
            "description": self.description,
            "metadata": self.metadata,
            "enabled": self.enabled,
            "disabled_reason": self.disabled_reason,
            "disabled_at": seconds(self.disabled_at),
            "failing_since": seconds(self.failing_since),
            "created_at": seconds(self.created_at),
            "updated_at": seconds(self.updated_at),
            "secrets": [state.render() for state in self.secrets],
        }
        return shown if secret is None else {**shown, "secret": secret}

"""A delivery as the API shows it."""

from dataclasses import dataclass
from datetime import datetime
from typing import Any
from uuid import UUID

import orjson

from services.ingress.domain import webhook_endpoint
from services.ingress.domain.seconds import seconds
from shared.contracts.ids import public_id

PREFIX = "whd"
MESSAGE_PREFIX = "msg"


@dataclass(frozen=True, slots=True, kw_only=True)
class WebhookDelivery:
    """One event on its way to one receiver."""

    id: UUID
    event_id: UUID
    event_type: str
    endpoint_id: UUID | None
    url: str | None
    """None: the endpoint's."""
    status: str
    attempts: int
    created_at: datetime
    last_attempt_at: datetime | None
    next_attempt_at: datetime | None
    finished_at: datetime | None
    response_status: int | None
    response_excerpt: str | None
    duration_ms: int | None
    error: str | None
    payload: str | None = None
    """JSON; None in lists, as is the next one."""
    earlier: str | None = None
    """JSON: the attempts before the last, as :meth:`render` spells that one."""

    def render(self) -> dict[str, Any]:
        """Spell the object; times are Unix seconds."""
        shown = {
            "id": public_id(PREFIX, self.id),
            "object": "webhook_delivery",
            "endpoint_id": self.endpoint_id and public_id(webhook_endpoint.PREFIX, self.endpoint_id),
            "url": self.url,
            "message_id": public_id(MESSAGE_PREFIX, self.event_id),
            "type": self.event_type,
            "status": self.status,
            "attempts": self.attempts,
            "created_at": seconds(self.created_at),
            "next_attempt_at": seconds(self.next_attempt_at),
            "finished_at": seconds(self.finished_at),
            "last_attempt": self._last_attempt(),
        }
        if self.payload is None or self.earlier is None:
            return shown
        return {
            **shown,
            "earlier_attempts": orjson.Fragment(self.earlier),
            "payload": orjson.Fragment(self.payload),
        }

    def _last_attempt(self) -> dict[str, Any] | None:
        if self.last_attempt_at is None:
            return None
        return {
            "at": seconds(self.last_attempt_at),
            "response_status": self.response_status,
            "response_excerpt": self.response_excerpt,
            "duration_ms": self.duration_ms,
            "error": self.error,
        }

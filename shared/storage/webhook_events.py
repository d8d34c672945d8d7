"""Events that webhooks tell about: their envelope, and the patterns by which they are wanted."""

from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from datetime import UTC, datetime
from typing import Any
from uuid import UUID

import orjson

from shared.contracts.ids import new_id, public_id

MESSAGE_PREFIX, ENDPOINT_PREFIX, DELIVERY_PREFIX = "msg", "we", "whd"


@dataclass(frozen=True, slots=True, kw_only=True)
class Event:
    """Something that happened to an object of a tenant."""

    type: str
    """Words with dots, the object first, e.g. ``batch.completed``."""
    data: Mapping[str, Any]
    """The object as it is after the event, without its bodies; with its ``id``."""
    id: UUID = field(default_factory=new_id)
    occurred_at: datetime = field(default_factory=lambda: datetime.now(UTC))

    @property
    def payload(self) -> str:
        """The body of every delivery: what Standard Webhooks asks for, and the envelope of OpenAI's."""
        return orjson.dumps(
            {
                "id": public_id(MESSAGE_PREFIX, self.id),
                "object": "event",
                "type": self.type,
                "created_at": int(self.occurred_at.timestamp()),
                "timestamp": self.occurred_at.isoformat(timespec="milliseconds"),
                "data": self.data,
            }
        ).decode()


def url_for(webhook: Mapping[str, Any] | None, event_type: str) -> str | None:
    """Return the URL that an object names for events of a type, if it does."""
    if not webhook or not webhook.get("url") or not wants(webhook.get("events") or ("*",), event_type):
        return None
    return str(webhook["url"])


def wants(patterns: Iterable[str], event_type: str) -> bool:
    """Tell whether one of the patterns (``*``, ``job.*``, ``job.completed``) means the type.

    The SQL function ``webhook_wants`` says the same.
    """
    return any(
        pattern in ("*", event_type) or (pattern.endswith(".*") and event_type.startswith(pattern[:-1]))
        for pattern in patterns
    )

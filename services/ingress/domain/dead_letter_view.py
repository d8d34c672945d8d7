"""What an operator sees of a dead letter."""

from dataclasses import dataclass
from datetime import datetime
from typing import Any
from uuid import UUID

import orjson

from services.ingress.domain.job import PREFIX
from shared.contracts.ids import public_id
from shared.messaging.broker import DeadLetter

EXCERPT = 500
"""Characters of a body that are shown unless more are asked for."""
LONGEST_EXCERPT = 10_000


@dataclass(frozen=True, slots=True, kw_only=True)
class StayingLetter:
    """A dead letter that is not put back, because nobody can use what would come of it."""

    id: str
    job_id: UUID
    status: str | None
    """Of its job; None when the job is not kept any more."""
    why: str

    def render(self) -> dict[str, Any]:
        """Spell it for the management API."""
        return {
            "id": self.id,
            "job_id": public_id(PREFIX, self.job_id),
            "job_status": self.status,
            "why": self.why,
        }


def render_dead_letter(letter: DeadLetter, *, now: datetime, excerpt: int) -> dict[str, Any]:
    """Spell a dead letter for the management API, with the beginning of its body."""
    body = letter.message.body
    job_id = job_id_in(body)
    return {
        "id": letter.id,
        "queue": letter.queue,
        "type": letter.message.type,
        "job_id": None if job_id is None else public_id(PREFIX, job_id),
        "reason": letter.reason,
        "attempts": letter.attempt,
        "died_at": letter.died_at.isoformat(timespec="milliseconds"),
        "age_s": round(max(0.0, (now - letter.died_at).total_seconds()), 3),
        "body_bytes": len(body),
        "body_excerpt": body[: 4 * excerpt].decode(errors="replace")[:excerpt],
    }


def job_id_in(body: bytes) -> UUID | None:
    """Read which job a message is about; None where it is about none, or about several."""
    try:
        fields = orjson.loads(body.partition(b"\n")[0])
        return UUID(fields["job_id"])
    except (ValueError, LookupError, TypeError, AttributeError):
        return None

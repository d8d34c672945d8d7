"""The job object: what the API shows of a job, and webhooks tell of it; spelled here and nowhere else."""

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime
from typing import Any
from uuid import UUID

from shared.contracts.batches import BATCH_PREFIX
from shared.contracts.ids import public_id
from shared.contracts.jobs import Failure, JobStatus
from shared.http.errors import openai_error_of_failure

PREFIX = "job"


@dataclass(frozen=True, slots=True, kw_only=True)
class JobObject:
    """One row, without its bodies."""

    id: UUID
    status: JobStatus
    operation: str
    lane: str
    model: str
    background: bool
    stream: bool
    metadata: Mapping[str, Any]
    failure: Failure | None
    created_at: datetime
    deadline_at: datetime
    started_at: datetime | None = None
    finished_at: datetime | None = None
    erase_at: datetime | None = None
    erased_at: datetime | None = None
    """Since when its bodies and events are gone for callers."""
    attempt: int = 1
    max_attempts: int = 1
    ambiguous_attempts: int = 0
    provider: str | None = None
    provider_model: str | None = None
    input_tokens: int = 0
    output_tokens: int = 0
    cached_tokens: int = 0
    cost_microusd: int | None = None
    last_event: int = 0
    run_at: datetime | None = None
    webhook: Mapping[str, Any] | None = None
    batch_id: UUID | None = None

    def document(self, base_url: str = "", queue: Mapping[str, Any] | None = None) -> dict[str, Any]:
        """Spell the job object; times are Unix seconds, as in the OpenAI API.

        Args:
            base_url: What comes before ``/v1``; empty for paths that are relative to the server.
            queue: Where it stands in its queue, if that is known.
        """
        return {
            "id": public_id(PREFIX, self.id),
            "object": "job",
            "status": self.status,
            "operation": self.operation,
            "model": self.model,
            "lane": self.lane,
            "queue": queue,
            "batch_id": None if self.batch_id is None else public_id(BATCH_PREFIX, self.batch_id),
            "background": self.background,
            "stream": self.stream,
            "created_at": _seconds(self.created_at),
            "run_at": _seconds(self.run_at),
            "deadline_at": _seconds(self.deadline_at),
            "started_at": _seconds(self.started_at),
            "finished_at": _seconds(self.finished_at),
            "result_expires_at": _seconds(self.erase_at if self.erased_at is None else None),
            "erased_at": _seconds(self.erased_at),
            "attempt": self.attempt,
            "max_attempts": self.max_attempts,
            "ambiguous_attempts": self.ambiguous_attempts,
            "provider": self.provider,
            "provider_model": self.provider_model,
            "metadata": self.metadata,
            "webhook": self.webhook,
            "usage": self._usage(),
            "error": None if self.failure is None else openai_error_of_failure(self.failure)["error"],
            "last_event": self.last_event,
            "urls": urls(self.id, base_url),
        }

    def _usage(self) -> dict[str, int | None] | None:
        if not self.status.final:
            return None
        return {
            "input_tokens": self.input_tokens,
            "output_tokens": self.output_tokens,
            "cached_tokens": self.cached_tokens,
            "total_tokens": self.input_tokens + self.output_tokens,
            "cost_microusd": self.cost_microusd,
        }


def job_path(job_id: UUID) -> str:
    """Path of a job."""
    return f"/v1/jobs/{public_id(PREFIX, job_id)}"


def urls(job_id: UUID, base_url: str) -> dict[str, str]:
    """Where to go on from a job."""
    here = base_url + job_path(job_id)
    return {
        "self": here,
        "result": f"{here}/result",
        "events": f"{here}/events",
        "cancel": f"{here}/cancel",
        "retry": f"{here}/retry",
    }


def _seconds(moment: datetime | None) -> int | None:
    return None if moment is None else int(moment.timestamp())

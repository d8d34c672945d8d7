"""A job as ingress knows it."""

from dataclasses import dataclass
from datetime import datetime
from typing import Any

from services.ingress.domain.place import Place
from shared.http.job_object import PREFIX, JobObject, job_path

__all__ = ["PREFIX", "Job", "job_path"]


@dataclass(frozen=True, slots=True, kw_only=True)
class Job(JobObject):
    """One row, without its bodies."""

    published_at: datetime | None = None
    """When it was put on its queue, as far as the reader asked; None while it is not there."""

    def render(self, base_url: str, place: Place | None = None) -> dict[str, Any]:
        """Spell the job object.

        Args:
            base_url: What comes before ``/v1``; empty for paths that are relative to the server.
            place: Where it stands in its queue, if that is known.
        """
        return self.document(base_url, None if place is None else place.render())

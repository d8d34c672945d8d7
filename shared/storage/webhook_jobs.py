"""How a job's end becomes an event for webhooks: the job object as the API shows it, without its bodies."""

from collections.abc import Mapping
from dataclasses import fields
from typing import Any

from shared.http.job_object import JobObject
from shared.storage.job_fields import job_fields
from shared.storage.webhook_events import Event, url_for
from shared.storage.webhook_planning import Planned

_FIELDS = tuple(field.name for field in fields(JobObject))


def job_ended(row: Mapping[str, Any]) -> Planned:
    """Make the event of a job's end.

    Args:
        row: The job as it is after its end, with ``endpoints``: the ids of those that want to hear of it.
    """
    job = JobObject(**job_fields({name: row[name] for name in _FIELDS}))
    event = Event(type=f"job.{job.status}", data=job.document())
    return Planned(
        tenant_id=row["tenant_id"],
        event=event,
        endpoints=row["endpoints"],
        url=url_for(job.webhook, event.type),
    )

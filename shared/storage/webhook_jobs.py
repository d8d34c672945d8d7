"""How a job's end becomes an event for webhooks: the job object as the API shows it, without its bodies."""

from collections.abc import Mapping
from datetime import datetime
from typing import Any

import orjson

from shared.contracts.ids import public_id
from shared.contracts.jobs import Failure
from shared.http.errors import openai_error_of_failure
from shared.storage.webhook_events import Event, url_for
from shared.storage.webhook_planning import Planned


def job_ended(row: Mapping[str, Any]) -> Planned:
    """Make the event of a job's end.

    Args:
        row: The job as it is after its end, with ``endpoints``: the ids of those that want to hear of it.
    """
    event = Event(type=f"job.{row['status']}", data=_document(row))
    webhook = None if row["webhook"] is None else orjson.loads(row["webhook"])
    return Planned(
        tenant_id=row["tenant_id"],
        event=event,
        endpoints=row["endpoints"],
        url=url_for(webhook, event.type),
    )


def _document(row: Mapping[str, Any]) -> dict[str, Any]:
    failure = None if row["failure"] is None else Failure.model_validate_json(row["failure"])
    name = public_id("job", row["id"])
    return {
        "id": name,
        "object": "job",
        "status": row["status"],
        "operation": row["operation"],
        "model": row["model"],
        "lane": row["lane"],
        "background": row["background"],
        "stream": row["stream"],
        "created_at": _seconds(row["created_at"]),
        "deadline_at": _seconds(row["deadline_at"]),
        "started_at": _seconds(row["started_at"]),
        "finished_at": _seconds(row["finished_at"]),
        "attempt": row["attempt"],
        "max_attempts": row["max_attempts"],
        "ambiguous_attempts": row["ambiguous_attempts"],
        "provider": row["provider"],
        "provider_model": row["provider_model"],
        "metadata": orjson.loads(row["metadata"]),
        "usage": {
            "input_tokens": row["input_tokens"],
            "output_tokens": row["output_tokens"],
            "cached_tokens": row["cached_tokens"],
            "total_tokens": row["input_tokens"] + row["output_tokens"],
            "cost_microusd": row["cost_microusd"],
        },
        "error": None if failure is None else openai_error_of_failure(failure)["error"],
        "last_event": row["last_event"],
        "urls": {"self": f"/v1/jobs/{name}", "result": f"/v1/jobs/{name}/result"},
    }


def _seconds(moment: datetime | None) -> int | None:
    return None if moment is None else int(moment.timestamp())

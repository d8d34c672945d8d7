"""Reads the columns of a job that PostgreSQL gives as text."""

from collections.abc import Mapping
from typing import Any

import orjson

from shared.contracts.jobs import Failure, JobStatus


def job_fields(columns: Mapping[str, Any]) -> dict[str, Any]:
    """Return the columns with ``status``, ``metadata``, ``webhook`` and ``failure`` read."""
    webhook, failure = columns["webhook"], columns["failure"]
    return {
        **columns,
        "status": JobStatus(columns["status"]),
        "metadata": orjson.loads(columns["metadata"]),
        "webhook": None if webhook is None else orjson.loads(webhook),
        "failure": None if failure is None else Failure.model_validate_json(failure),
    }

"""What ``POST /v1/jobs/cancel`` and ``POST /v1/jobs/retry`` take: which jobs."""

from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass, field, replace
from typing import Any
from uuid import UUID

import orjson

from services.ingress.domain.checks import expect, refuse_unknown, wrong_type
from services.ingress.domain.job import PREFIX
from services.ingress.domain.job_filter import JobFilter, read_filter
from services.ingress.domain.metadata import read_metadata
from shared.contracts.ids import parse_public_id
from shared.errors import InvalidRequestError, NotFoundError, UnprocessableRequestError

MAX_IDS = 1_000
MAX_JOBS = 10_000
DEFAULT_JOBS = 1_000
_FIELDS = {"ids", "filter", "after", "limit", "dry_run"}
_FILTERS = {"status", "operation", "model", "lane", "created_after", "created_before", "metadata"}


@dataclass(frozen=True, slots=True, kw_only=True)
class Selection:
    """Which jobs an action is for: these, or those that a filter matches, newest first."""

    ids: tuple[UUID, ...] | None = None
    filter: JobFilter = field(default_factory=JobFilter)
    metadata: str | None = None
    """JSON; a job's metadata must hold every member of it."""
    limit: int = DEFAULT_JOBS
    dry_run: bool = False


def read_selection(
    fields: Mapping[str, Any], *, more: Collection[str] = (), statuses: Sequence[str] | None = None
) -> Selection:
    """Read which jobs.

    Args:
        fields: The body.
        more: Members that say something else.
        statuses: What a filter that names no status is about.

    Raises:
        InvalidRequestError: With the field at fault.
    """
    refuse_unknown(fields, _FIELDS | set(more))
    dry_run = fields.get("dry_run") or False
    expect(dry_run, "a boolean", "dry_run")
    ids, conditions = fields.get("ids"), fields.get("filter")
    if (ids is None) == (conditions is None):
        raise InvalidRequestError("Give either 'ids' or 'filter'; an empty filter matches all.", param="ids")
    if ids is not None:
        return Selection(ids=_ids(ids), dry_run=dry_run)
    if not isinstance(conditions, dict):
        raise wrong_type(conditions, "an object", "filter")
    try:
        wanted = _filter(conditions)
    except InvalidRequestError as error:
        error.param = f"filter.{error.param}"
        raise
    if wanted.statuses is None and statuses is not None:
        wanted = replace(wanted, statuses=tuple(statuses))
    after = fields.get("after")
    if after is not None:
        expect(after, "a string", "after")
        cursor = read_filter({"after": after}).before
        wanted = replace(wanted, before=min(filter(None, (wanted.before, cursor))))
    return Selection(
        filter=wanted, metadata=_metadata(conditions), limit=_limit(fields.get("limit")), dry_run=dry_run
    )


def _ids(value: object) -> tuple[UUID, ...]:
    if not isinstance(value, list):
        raise wrong_type(value, "an array", "ids")
    if not 1 <= len(value) <= MAX_IDS:
        raise UnprocessableRequestError(f"'ids' must have 1 to {MAX_IDS} entries.", param="ids")
    found: dict[UUID, None] = {}
    for number, text in enumerate(value):
        expect(text, "a string", f"ids[{number}]")
        try:
            found[parse_public_id(PREFIX, text)] = None
        except NotFoundError:
            raise UnprocessableRequestError(
                f"'ids[{number}]' is not the id of a job.", param=f"ids[{number}]"
            ) from None
    return tuple(found)


def _filter(conditions: Mapping[str, Any]) -> JobFilter:
    """Read the conditions as ``GET /v1/jobs`` reads its query."""
    query: dict[str, str] = {}
    for name, value in conditions.items():
        if name not in _FILTERS:
            raise UnprocessableRequestError(f"Unknown filter: {name[:80]!r}.", param=name[:80])
        if value is not None and name != "metadata":
            query[name] = _text(name, value)
    return read_filter(query)


def _text(name: str, value: object) -> str:
    if name == "status" and isinstance(value, list):
        for word in value:
            expect(word, "a string", name)
        return ",".join(value)
    if name.startswith("created_") and isinstance(value, int) and not isinstance(value, bool):
        return str(value)
    expect(value, "a string", name)
    return str(value)


def _metadata(conditions: Mapping[str, Any]) -> str | None:
    if conditions.get("metadata") is None:
        return None
    return orjson.dumps(read_metadata(conditions["metadata"], "filter.metadata")).decode()


def _limit(value: object) -> int:
    if value is None:
        return DEFAULT_JOBS
    expect(value, "an integer", "limit")
    if not isinstance(value, int) or not 1 <= value <= MAX_JOBS:
        raise UnprocessableRequestError(f"'limit' must be from 1 to {MAX_JOBS}.", param="limit")
    return value

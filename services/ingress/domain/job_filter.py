"""Which jobs ``GET /v1/jobs`` lists."""

from collections.abc import Callable
from dataclasses import dataclass
from functools import partial
from uuid import UUID

from services.ingress.domain.checks import storable
from services.ingress.domain.job import PREFIX
from services.ingress.domain.query import DEFAULT_LIMIT, expect_known, read_after, read_limit, read_moment
from shared.contracts.batches import BATCH_PREFIX
from shared.contracts.ids import first_id_at, parse_public_id
from shared.contracts.jobs import JobStatus, Lane, Operation
from shared.errors import NotFoundError, UnprocessableRequestError

_KNOWN = {
    *("limit", "after", "status", "operation", "model", "lane", "background", "batch_id"),
    *("created_after", "created_before"),
}


@dataclass(frozen=True, slots=True, kw_only=True)
class JobFilter:
    """One page's conditions; jobs come newest first."""

    limit: int = DEFAULT_LIMIT
    before: UUID | None = None
    """Only older jobs than this one."""
    since: UUID | None = None
    """Only this id or later ones."""
    statuses: tuple[str, ...] | None = None
    operation: str | None = None
    model: str | None = None
    lane: str | None = None
    background: bool | None = None
    batch_id: UUID | None = None


def read_filter(query: dict[str, str]) -> JobFilter:
    """Read the query of ``GET /v1/jobs``.

    Raises:
        UnprocessableRequestError: With the parameter at fault.
    """
    expect_known(query, _KNOWN)

    def read(name: str, reader: Callable[[str], object]) -> object:
        return reader(query[name]) if name in query else None

    before = [bound for bound in (read("after", _after), read("created_before", _created_before)) if bound]
    limit = read("limit", read_limit)
    return JobFilter(
        limit=limit if isinstance(limit, int) else DEFAULT_LIMIT,
        before=min(bound for bound in before if isinstance(bound, UUID)) if before else None,
        since=_created_after(query["created_after"]) if "created_after" in query else None,
        statuses=_statuses(query["status"]) if "status" in query else None,
        operation=_operation(query["operation"]) if "operation" in query else None,
        model=storable(query["model"], "model") if "model" in query else None,
        lane=_lane(query["lane"]) if "lane" in query else None,
        background=_boolean(query["background"]) if "background" in query else None,
        batch_id=_batch(query["batch_id"]) if "batch_id" in query else None,
    )


def _after(text: str) -> UUID:
    return read_after(text, partial(parse_public_id, PREFIX))


def _batch(text: str) -> UUID:
    try:
        return parse_public_id(BATCH_PREFIX, text)
    except NotFoundError:
        raise UnprocessableRequestError("'batch_id' must be the id of a batch.", param="batch_id") from None


def _statuses(text: str) -> tuple[str, ...]:
    try:
        return tuple(JobStatus(word.strip()).value for word in text.split(","))
    except ValueError:
        allowed = ", ".join(JobStatus)
        raise UnprocessableRequestError(
            f"'status' must be one or more of {allowed}, with commas between.", param="status"
        ) from None


def _operation(text: str) -> str:
    try:
        return Operation(text).value
    except ValueError:
        raise UnprocessableRequestError(
            f"'operation' must be one of {', '.join(Operation)}.", param="operation"
        ) from None


def _lane(text: str) -> str:
    try:
        return Lane(text).value
    except ValueError:
        raise UnprocessableRequestError(f"'lane' must be one of {', '.join(Lane)}.", param="lane") from None


def _boolean(text: str) -> bool:
    if text not in ("true", "false"):
        raise UnprocessableRequestError("'background' must be 'true' or 'false'.", param="background")
    return text == "true"


def _created_after(text: str) -> UUID:
    return first_id_at(read_moment(text, "created_after"))


def _created_before(text: str) -> UUID:
    return first_id_at(read_moment(text, "created_before"))

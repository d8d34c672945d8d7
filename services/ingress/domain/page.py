"""Which page of a list a caller wants."""

from collections.abc import Callable, Collection, Mapping
from dataclasses import dataclass
from uuid import UUID

from services.ingress.domain.checks import storable
from services.ingress.domain.query import expect_known, read_after, read_limit
from shared.errors import UnprocessableRequestError


@dataclass(frozen=True, slots=True, kw_only=True)
class PageFilter:
    """One page's conditions."""

    limit: int
    after: UUID | None
    ascending: bool = False
    purpose: str | None = None


def read_page(
    query: Mapping[str, str],
    *,
    known: Collection[str],
    default: int,
    most: int,
    parse_id: Callable[[str], UUID],
) -> PageFilter:
    """Read the query of a list.

    Args:
        query: As the caller wrote it.
        known: Parameters that this list has.
        default: Of ``limit``.
        most: Of ``limit``.
        parse_id: Reads ``after``.

    Raises:
        UnprocessableRequestError: With the parameter at fault.
    """
    expect_known(query, known)
    order = query.get("order", "desc")
    if order not in ("asc", "desc"):
        raise UnprocessableRequestError("'order' must be 'asc' or 'desc'.", param="order")
    return PageFilter(
        limit=read_limit(query["limit"], most) if "limit" in query else default,
        after=read_after(query["after"], parse_id) if "after" in query else None,
        ascending=order == "asc",
        purpose=storable(query["purpose"], "purpose") if "purpose" in query else None,
    )

"""Which page of a list a caller wants."""

from collections.abc import Callable, Collection, Mapping
from dataclasses import dataclass
from uuid import UUID

from services.ingress.domain.checks import storable
from shared.errors import NotFoundError, UnprocessableRequestError


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
    for name in query:
        if name not in known:
            raise UnprocessableRequestError(f"Unknown query parameter: {name[:80]!r}.", param=name[:80])
    order = query.get("order", "desc")
    if order not in ("asc", "desc"):
        raise UnprocessableRequestError("'order' must be 'asc' or 'desc'.", param="order")
    return PageFilter(
        limit=_limit(query["limit"], most) if "limit" in query else default,
        after=_after(query["after"], parse_id) if "after" in query else None,
        ascending=order == "asc",
        purpose=storable(query["purpose"], "purpose") if "purpose" in query else None,
    )


def _limit(text: str, most: int) -> int:
    if text.isascii() and text.isdigit() and len(text) < 9 and 1 <= int(text) <= most:
        return int(text)
    raise UnprocessableRequestError(f"'limit' must be from 1 to {most}.", param="limit")


def _after(text: str, parse_id: Callable[[str], UUID]) -> UUID:
    try:
        return parse_id(text)
    except NotFoundError:
        raise UnprocessableRequestError("'after' must be an id of this list.", param="after") from None

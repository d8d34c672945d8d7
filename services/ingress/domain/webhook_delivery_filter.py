"""Which deliveries are listed, and which are sent again."""

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime
from functools import partial
from typing import Any
from uuid import UUID

from services.ingress.domain.checks import expect, refuse_unknown, storable, wrong_type
from services.ingress.domain.json_text import parse_object
from services.ingress.domain.query import DEFAULT_LIMIT, expect_known, read_after, read_limit, read_moment
from services.ingress.domain.webhook_delivery import PREFIX
from shared.contracts.ids import parse_public_id
from shared.errors import UnprocessableRequestError

STATUSES = ("pending", "delivered", "failed")
MAX_REDELIVERIES = 10_000
_CONDITIONS = {"status", "type", "created_after", "created_before"}


@dataclass(frozen=True, slots=True, kw_only=True)
class DeliveryConditions:
    """What a delivery must be; None does not matter."""

    status: str | None = None
    event_type: str | None = None
    created_after: datetime | None = None
    """This moment included."""
    created_before: datetime | None = None
    """This moment excluded."""


@dataclass(frozen=True, slots=True, kw_only=True)
class DeliveryPage:
    """One page of those that fulfil the conditions, newest first."""

    conditions: DeliveryConditions
    limit: int = DEFAULT_LIMIT
    before: UUID | None = None
    """Only older deliveries than this one."""


def read_delivery_page(query: Mapping[str, str]) -> DeliveryPage:
    """Read the query of a list of deliveries.

    Raises:
        UnprocessableRequestError: With the parameter at fault.
    """
    expect_known(query, {"limit", "after", *_CONDITIONS})
    return DeliveryPage(
        conditions=_conditions(query),
        limit=read_limit(query["limit"]) if "limit" in query else DEFAULT_LIMIT,
        before=read_after(query["after"], partial(parse_public_id, PREFIX)) if "after" in query else None,
    )


def read_redelivery(body: bytes) -> tuple[DeliveryConditions, int]:
    """Read the body of a redelivery by filter: the conditions, and how many at most.

    Without a status it is those that failed: what was delivered is sent again only where that is asked for.

    Raises:
        InvalidRequestError: With the member at fault.
    """
    given = parse_object(body) if body.strip() else {}
    refuse_unknown(given, {"limit", *_CONDITIONS})
    limit = given.get("limit")
    if limit is not None:
        expect(limit, "an integer", "limit")
        if not 1 <= limit <= MAX_REDELIVERIES:
            raise UnprocessableRequestError(f"'limit' must be from 1 to {MAX_REDELIVERIES}.", param="limit")
    conditions = {
        name: _text(value, name) for name, value in given.items() if name in _CONDITIONS and value is not None
    }
    return _conditions({"status": "failed", **conditions}), limit or MAX_REDELIVERIES


def _conditions(given: Mapping[str, str]) -> DeliveryConditions:
    def moment(name: str) -> datetime | None:
        return read_moment(given[name], name) if name in given else None

    status = given.get("status")
    if status is not None and status not in STATUSES:
        raise UnprocessableRequestError(f"'status' must be one of {', '.join(STATUSES)}.", param="status")
    return DeliveryConditions(
        status=status,
        event_type=storable(given["type"], "type") if "type" in given else None,
        created_after=moment("created_after"),
        created_before=moment("created_before"),
    )


def _text(value: Any, name: str) -> str:
    if isinstance(value, str):
        return value
    if name.startswith("created_") and isinstance(value, int) and not isinstance(value, bool):
        return str(value)
    raise wrong_type(value, "a string", name)

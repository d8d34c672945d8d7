"""The envelope of the management API, ``/api/v1``: every answer has the same six fields."""

from dataclasses import dataclass
from typing import Any

from shared.contracts.jobs import Failure

PREFIX = "/api/v1"


@dataclass(frozen=True, slots=True)
class Page:
    """Which part of a list an answer is."""

    page: int
    """From 1."""
    per_page: int
    total: int | None
    """None where counting would cost more than it is worth."""

    @property
    def offset(self) -> int:
        """How many come before this page."""
        return (self.page - 1) * self.per_page


def is_management(path: str) -> bool:
    """Whether answers on a path have this envelope."""
    return path == PREFIX or path.startswith(f"{PREFIX}/")


def management_body(data: Any, message: str, page: Page | None = None) -> dict[str, Any]:
    """Render the body of an answer to a request that went well."""
    pagination = {"page": page.page, "per_page": page.per_page, "total": page.total} if page else None
    return {
        "success": True,
        "data": data,
        "message": message,
        "error": None,
        "details": [],
        "meta": {"pagination": pagination} if pagination else {},
    }


def management_error(failure: Failure) -> dict[str, Any]:
    """Render the body of an answer to a request that failed."""
    at_fault = [] if failure.param is None else [{"field": failure.param, "message": failure.message}]
    return {
        "success": False,
        "data": None,
        "message": failure.message,
        "error": failure.code,
        "details": at_fault,
        "meta": {},
    }

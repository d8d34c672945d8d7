"""The routes of workers, for operators."""

from collections.abc import Iterator
from functools import partial

from services.ingress.api.route import RawRoute, route
from services.ingress.api.schemas.management import Managed, ManagementError
from services.ingress.api.schemas.workers import WorkerObject
from services.ingress.api.workers import WorkerEndpoints

_WORKERS = "/api/v1/admin/workers"
_route = partial(route, tag="Operations", error_shape=ManagementError)


def worker_routes(endpoints: WorkerEndpoints) -> Iterator[RawRoute]:
    """Describe the routes of workers."""
    yield _route(
        "GET",
        _WORKERS,
        endpoints.list,
        summary="List workers",
        description="Those that answer within half a second. Nothing is reported unless somebody asks.",
        answer=Managed[list[WorkerObject]],
        errors=(401, 403, 503),
    )
    name = {
        "name": "worker",
        "in": "path",
        "required": True,
        "schema": {"type": "string"},
        "example": "provider_worker-host-4711",
    }
    for action, endpoint, summary, description in (
        (
            "drain",
            endpoints.drain,
            "Drain a worker",
            (
                "It takes no new jobs, hands back what has not begun, finishes what runs, and stays so "
                "until it is resumed or started anew."
            ),
        ),
        ("resume", endpoints.resume, "Resume a worker", "It takes jobs again."),
    ):
        yield _route(
            "POST",
            f"{_WORKERS}/{{worker}}/{action}",
            endpoint,
            summary=summary,
            description=description,
            answer=Managed[WorkerObject],
            parameters=(name,),
            errors=(401, 403, 404, 503),
        )

"""The routes that need no key."""

from collections.abc import Iterator

from services.ingress.api.docs import DocsPage
from services.ingress.api.health import HealthEndpoints
from services.ingress.api.route import RawRoute, route
from services.ingress.api.schemas.common import Health


def plain_routes(health: HealthEndpoints, docs: DocsPage) -> Iterator[RawRoute]:
    """Describe what needs no key."""
    unavailable = {503: {"model": Health, "description": "A dependency that is needed does not answer."}}
    yield route("GET", "/health/live", health.live, summary="Is the process alive?", tag="Health")
    for path in ("/health/ready", "/healthcheck"):
        yield route(
            "GET",
            path,
            health.ready,
            summary="Can it do its work?",
            tag="Health",
            answer=Health,
            responses=unavailable,
        )
    yield RawRoute("/docs", docs, methods=["GET"], include_in_schema=False)

"""The routes of queues and dead letters, for operators."""

from collections.abc import Iterator
from functools import partial

from services.ingress.api.dead_letters import DeadLetterEndpoints
from services.ingress.api.queues import QueueEndpoints
from services.ingress.api.route import RawRoute, route
from services.ingress.api.schemas.management import Managed, ManagementError
from services.ingress.api.schemas.queues import (
    DeadLetterObject,
    DeadLetterSelection,
    DiscardResult,
    PurgeOrder,
    PurgeResult,
    QueueObject,
    ReplayResult,
)
from services.ingress.domain.dead_letter_view import EXCERPT, LONGEST_EXCERPT

_QUEUES = "/api/v1/admin/queues"
_QUEUE = f"{_QUEUES}/{{queue}}"
_LETTERS = f"{_QUEUE}/dead-letters"
_NAME = {
    "name": "queue",
    "in": "path",
    "required": True,
    "description": "With or without its version.",
    "schema": {"type": "string"},
    "example": "jobs.chat.standard.v1",
}
_route = partial(route, tag="Operations", error_shape=ManagementError)


def queue_routes(endpoints: QueueEndpoints, letters: DeadLetterEndpoints) -> Iterator[RawRoute]:
    """Describe the routes of queues."""
    yield _route(
        "GET",
        _QUEUES,
        endpoints.list,
        summary="List queues",
        description="Takes half a second: that is how long the workers have to report.",
        answer=Managed[list[QueueObject]],
        errors=(401, 403, 503),
    )
    yield _route(
        "GET",
        _QUEUE,
        endpoints.get,
        summary="Show a queue",
        answer=Managed[QueueObject],
        parameters=(_NAME,),
        errors=(401, 403, 404, 503),
    )
    for action, endpoint, summary, description in (
        ("pause", endpoints.pause, "Pause a queue", "Nothing is delivered; what is in flight goes on."),
        (
            "drain",
            endpoints.drain,
            "Drain a queue",
            (
                "New submissions for it are refused with 503 `queue_draining`; what was accepted, retries "
                "and planned jobs included, is worked off. Poll the queue until its state is `drained`."
            ),
        ),
        ("resume", endpoints.resume, "Resume a queue", "Undoes a pause and a drain."),
    ):
        yield _route(
            "POST",
            f"{_QUEUE}/{action}",
            endpoint,
            summary=summary,
            description=description,
            answer=Managed[QueueObject],
            parameters=(_NAME,),
            errors=(401, 403, 404, 409, 503),
        )
    yield _route(
        "POST",
        f"{_QUEUE}/purge",
        endpoints.purge,
        summary="Purge a queue of jobs",
        description=(
            "Everything that waits in it is cancelled, paused or not: background jobs get the status "
            "`cancelled`, waiting callers 503 `queue_purged`. What a worker holds goes on."
        ),
        answer=Managed[PurgeResult],
        takes=PurgeOrder,
        parameters=(_NAME,),
        errors=(400, 401, 403, 404, 409, 413, 422, 503),
    )
    yield from _letter_routes(letters)


def _letter_routes(letters: DeadLetterEndpoints) -> Iterator[RawRoute]:
    yield _route(
        "GET",
        _LETTERS,
        letters.list,
        summary="List dead letters, oldest first",
        answer=Managed[list[DeadLetterObject]],
        parameters=(_NAME, *_filters()),
        errors=(401, 403, 404, 422, 503),
    )
    yield _route(
        "POST",
        f"{_LETTERS}/replay",
        letters.replay,
        summary="Put dead letters back on their queue",
        description=(
            "Each once, however many ask at the same time; those of jobs that have their end stay. If the "
            "broker dies in the middle, a message may be there twice after a second replay: the job still "
            "ends once."
        ),
        answer=Managed[ReplayResult],
        takes=DeadLetterSelection,
        parameters=(_NAME,),
        errors=(400, 401, 403, 404, 413, 422, 503),
    )
    yield _route(
        "POST",
        f"{_LETTERS}/discard",
        letters.discard,
        summary="Delete dead letters",
        answer=Managed[DiscardResult],
        takes=DeadLetterSelection,
        parameters=(_NAME,),
        errors=(400, 401, 403, 404, 413, 422, 503),
    )


def _filters() -> Iterator[dict[str, object]]:
    for name, description, schema in (
        ("page", "From 1.", {"type": "integer", "minimum": 1, "maximum": 1000, "default": 1}),
        ("per_page", "How many.", {"type": "integer", "minimum": 1, "maximum": 100, "default": 20}),
        ("reason", "A part of the reason, in any case.", {"type": "string"}),
        ("older_than_s", "Seconds since it died.", {"type": "number", "minimum": 0}),
        (
            "excerpt",
            "Characters of the body to show.",
            {"type": "integer", "minimum": 0, "maximum": LONGEST_EXCERPT, "default": EXCERPT},
        ),
    ):
        yield {"name": name, "in": "query", "description": description, "schema": schema}

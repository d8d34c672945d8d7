"""The jobs in the body of ``POST /v1/jobs/batch``, cut out one by one."""

import re
from collections.abc import Iterator

from services.ingress.domain.json_elements import ArrayElements
from shared.errors import InvalidRequestError

LINES_TYPES = ("application/x-ndjson", "application/ndjson", "application/jsonl", "application/x-jsonlines")
_HEAD = re.compile(rb'[ \t\r\n]*+\{[ \t\r\n]*+"jobs"[ \t\r\n]*+:[ \t\r\n]*+\[')
_TAIL = re.compile(rb"[ \t\r\n]*+\}[ \t\r\n]*+\Z")


def jobs_in(body: bytes, content_type: str) -> Iterator[bytes]:
    """Yield each job's JSON text, which is still to be checked; blank lines are none.

    Args:
        body: ``{"jobs": [...]}``, or one job a line.
        content_type: Of the request; one of :data:`LINES_TYPES` means lines.

    Raises:
        InvalidRequestError: The body is not of that form; what was yielded before is then worth nothing.
    """
    if content_type.partition(";")[0].strip().lower() in LINES_TYPES:
        return _lines(body)
    return _members(body)


def _lines(body: bytes) -> Iterator[bytes]:
    at = 0
    while at < len(body):
        end = body.find(b"\n", at)
        end = len(body) if end < 0 else end
        line = body[at:end].strip()
        if line:
            yield line
        at = end + 1


def _members(body: bytes) -> Iterator[bytes]:
    head = _HEAD.match(body)
    if head is None:
        raise InvalidRequestError(
            'The body must be a JSON object with the array "jobs" and nothing else, or one job a line '
            "as application/x-ndjson.",
            param="jobs",
        )
    elements = ArrayElements(body, head.end())
    yield from elements
    if _TAIL.match(body, elements.end) is None:
        raise InvalidRequestError('Nothing but the array "jobs" may be in the body.', param="jobs")

"""Who steered what: one line of log for every action of an operator, whether it worked or not."""

from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

import structlog
from starlette.requests import Request

from services.ingress.api.context import principal_of
from shared.errors import PenstockError

_log = structlog.get_logger()


@contextmanager
def audited(request: Request, action: str, target: str) -> Iterator[dict[str, Any]]:
    """Log an action when the block ends; what the block puts into the dictionary goes along.

    Args:
        request: Of the operator; its id is on the line, as on every line of a request.
        action: For example ``queue.pause``.
        target: What it was done to.
    """
    principal = principal_of(request)
    facts: dict[str, Any] = {}
    who = {"api_key_id": str(principal.api_key_id), "tenant_id": str(principal.tenant_id)}
    try:
        yield facts
    except PenstockError as error:
        _log.warning("operator action failed", action=action, target=target, code=error.code, **who, **facts)
        raise
    _log.info("operator action", action=action, target=target, **who, **facts)

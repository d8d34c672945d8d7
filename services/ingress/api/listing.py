"""One page of a list."""

from collections.abc import Mapping, Sequence
from typing import Any

from starlette.responses import Response

from services.ingress.api.answers import json_answer


def list_answer(objects: Sequence[Mapping[str, Any]], *, has_more: bool) -> Response:
    """Answer with a page, as the OpenAI API spells one."""
    page = {
        "object": "list",
        "data": objects,
        "first_id": objects[0]["id"] if objects else None,
        "last_id": objects[-1]["id"] if objects else None,
        "has_more": has_more,
    }
    return json_answer(page)

"""Small JSON bodies of the management API, checked against their described shape."""

from typing import TypeVar

from pydantic import BaseModel, ValidationError
from starlette.requests import Request

from services.ingress.api.body import read_body
from shared.errors import InvalidRequestError, UnprocessableRequestError

MAX_BYTES = 256 * 1024
Shape = TypeVar("Shape", bound=BaseModel)


async def read_shape(request: Request, shape: type[Shape], *, timeout_s: float) -> Shape:
    """Read a request's body; none at all counts as an empty object.

    Raises:
        InvalidRequestError: It is not JSON, or too long, or too slow.
        UnprocessableRequestError: It has another shape; ``param`` is the first field at fault.
    """
    body = await read_body(request, max_bytes=MAX_BYTES, timeout_s=timeout_s)
    try:
        return shape.model_validate_json(body or b"{}")
    except ValidationError as error:
        first = error.errors(include_url=False, include_input=False, include_context=False)[0]
        if first["type"] == "json_invalid":
            raise InvalidRequestError("The body is not JSON.") from None
        param = ".".join(map(str, first["loc"])) or None
        where = f"'{param}'" if param else "The body"
        raise UnprocessableRequestError(f"{where}: {first['msg']}.", param=param) from None

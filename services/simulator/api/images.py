"""``POST /v1/images/generations``, and the picture that its URLs name."""

import base64
import time

from aiohttp import web

from services.simulator.api.bodies import send_json
from services.simulator.api.calls import Calls
from services.simulator.api.requests import ImageRequest, decode

IMAGE_PATH = "/simulator/image.png"
PNG = base64.b64decode(
    "iVBORw0KGgoAAAANSUhEUgAAAAEAAAABCAYAAAAfFcSJAAAADUlEQVR42mNkYPhfDwAChwGA60e6kgAAAABJRU5ErkJggg=="
)
"""One pixel."""


class ImageRoutes:
    """The routes that answer with a picture, always the same."""

    def __init__(self, calls: Calls) -> None:
        self._calls = calls

    async def generate(self, request: web.Request) -> web.StreamResponse:
        """Answer with ``n`` pictures, whatever the model is called."""
        body = await decode(request, ImageRequest)
        async with self._calls.call(request, body) as behaviour:
            image = (
                {"b64_json": base64.b64encode(PNG).decode()}
                if body.response_format == "b64_json"
                else {"url": str(request.url.origin().with_path(IMAGE_PATH))}
            )
            content = {"created": int(time.time()), "data": [image] * body.n}
            return await send_json(request, content, behaviour)

    async def image(self, _: web.Request) -> web.Response:
        """``GET /simulator/image.png``."""
        return web.Response(body=PNG, content_type="image/png")

"""``POST /v1/embeddings``."""

from aiohttp import web

from services.simulator.api.bodies import send_json
from services.simulator.api.calls import Calls
from services.simulator.api.requests import EmbeddingRequest, decode, known_model
from services.simulator.domain.embedding import as_base64, embed
from services.simulator.domain.text import count_tokens

MODELS = ("embedding",)


class EmbeddingRoutes:
    """The route that answers with vectors."""

    def __init__(self, calls: Calls, *, dimensions: int) -> None:
        self._calls = calls
        self._dimensions = dimensions

    async def embeddings(self, request: web.Request) -> web.StreamResponse:
        """Answer with one vector for each text."""
        body = await decode(request, EmbeddingRequest)
        known_model(body, *MODELS)
        async with self._calls.call(request, body) as behaviour:
            vectors = [embed(text, body.dimensions or self._dimensions) for text in body.texts]
            tokens = sum(count_tokens(text) for text in body.texts)
            content = {
                "object": "list",
                "model": body.model,
                "data": [
                    {
                        "object": "embedding",
                        "index": index,
                        "embedding": as_base64(vector) if body.encoding_format == "base64" else vector,
                    }
                    for index, vector in enumerate(vectors)
                ],
                "usage": {"prompt_tokens": tokens, "total_tokens": tokens},
            }
            return await send_json(request, content, behaviour)

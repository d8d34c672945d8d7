"""Answers that are sent whole."""

import asyncio
from typing import Any

import orjson
from aiohttp import web

from services.simulator.api.calls import break_connection
from services.simulator.domain.behaviour import Behaviour


async def send_json(
    request: web.Request, content: dict[str, Any], behaviour: Behaviour, *, tokens: int = 0
) -> web.StreamResponse:
    """Send a JSON object after the time that its tokens take, broken where the request asked for it."""
    if behaviour.tokens_per_s is not None:
        await asyncio.sleep(behaviour.seconds_for(tokens))
    body = orjson.dumps(content)
    if behaviour.bad_json:
        body = body[: len(body) // 2]
    if behaviour.cut_after_chunks is not None:
        return await _cut(request, body)
    return web.Response(body=body, content_type="application/json")


async def _cut(request: web.Request, body: bytes) -> web.StreamResponse:
    response = web.StreamResponse(
        headers={"Content-Type": "application/json", "Content-Length": str(len(body))}
    )
    await response.prepare(request)
    await response.write(body[: len(body) // 2])
    break_connection(request)
    return response

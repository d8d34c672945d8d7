"""Answers that are sent token by token, as server-sent events."""

import asyncio

import orjson
from aiohttp import web

from services.simulator.api.calls import break_connection
from services.simulator.api.shapes import Shape, usage
from services.simulator.domain.behaviour import Behaviour
from services.simulator.domain.text import Answer

DONE = b"data: [DONE]\n\n"


async def send_stream(
    request: web.Request,
    shape: Shape,
    answer: Answer,
    behaviour: Behaviour,
    *,
    n: int,
    prompt_tokens: int | None,
) -> web.StreamResponse:
    """Send an answer at its pace.

    Args:
        request: Whom to answer.
        shape: How an event is spelt.
        answer: The tokens.
        behaviour: Pace and faults.
        n: Number of choices, all alike.
        prompt_tokens: For the chunk of usage before the end; None sends no such chunk.
    """
    response = web.StreamResponse(
        headers={"Content-Type": "text/event-stream; charset=utf-8", "Cache-Control": "no-cache"}
    )
    await response.prepare(request)
    if not await _send_tokens(request, response, shape, answer, behaviour, n=n):
        return response
    if not behaviour.end_without_done:
        end = b"".join(shape.closing(index, answer.finish_reason) for index in range(n))
        if prompt_tokens is not None:
            end += shape.usage(usage(prompt_tokens, n * len(answer.tokens)))
        await response.write(end + DONE)
    return response


async def _send_tokens(
    request: web.Request,
    response: web.StreamResponse,
    shape: Shape,
    answer: Answer,
    behaviour: Behaviour,
    *,
    n: int,
) -> bool:
    """Send the events with text; False when a fault ended the stream."""
    clock = asyncio.get_running_loop()
    start = clock.time()
    for index in range(n):
        if opening := shape.opening(index):
            await response.write(opening)
    around = [shape.delta(index) for index in range(n)]
    for number, token in enumerate(answer.tokens):
        if number == behaviour.cut_after_chunks:
            break
        wait_s = start + behaviour.seconds_for(number + 1) - clock.time()
        if behaviour.tokens_per_s is not None and wait_s > 0:
            await asyncio.sleep(wait_s)
        text = orjson.dumps(token)
        await response.write(b"".join(before + text + after for before, after in around))
        if behaviour.bad_json:
            await response.write(around[0][0] + b'"half a \n\n')
            return False
    if behaviour.cut_after_chunks is not None:
        break_connection(request)
        return False
    return True

"""Streams with an idempotency key: the job's events, told as the OpenAI stream."""

import asyncio
from collections.abc import Callable
from datetime import UTC, datetime
from typing import Any, Self
from uuid import UUID

import aiohttp
import orjson

from services.ingress.settings import IngressSettings
from shared.contracts.jobs import Failure, JobStatus
from shared.storage.transitions import JobEnd
from tests.integration.ingress.conftest import Api, Tenant, hello, serve

CHAT = "/v1/chat/completions"
LIMIT_S = 10
BROKEN = Failure(code="provider_protocol_error", message="The stream broke.", http_status=502)


def chunk(text: str, reason: str | None = None) -> str:
    choice = {"index": 0, "delta": {"content": text}, "finish_reason": reason}
    return orjson.dumps({"id": "c", "choices": [choice]}).decode()


def delta(*chunks: str) -> str:
    return f'{{"chunks":[{",".join(chunks)}]}}'


class Reader:
    """Reads one stream line by line."""

    def __init__(self, api: Api, key: str) -> None:
        self._api = api
        self._headers = {"Idempotency-Key": key}
        self._body = hello("sim/silent", stream=True)

    async def __aenter__(self) -> Self:
        self._asking = asyncio.get_running_loop().create_task(self._ask())
        return self

    async def _ask(self) -> aiohttp.ClientResponse:
        return await self._api.http.post(CHAT, json=self._body, headers=self._headers)

    async def __aexit__(self, *_: object) -> None:
        (await self._asking).close()

    async def status(self) -> int:
        async with asyncio.timeout(LIMIT_S):
            return (await self._asking).status

    async def line(self) -> str:
        answer = await self._asking
        async with asyncio.timeout(LIMIT_S):
            while True:
                line = (await answer.content.readline()).decode()
                if line != "\n":
                    return line.strip().removeprefix("data: ")

    async def rest(self) -> list[str]:
        async with asyncio.timeout(LIMIT_S):
            lines = (await (await self._asking).text()).splitlines()
        return [line.removeprefix("data: ") for line in lines if line]


class Log:
    """Writes the events of the job that the worker got last."""

    def __init__(self, api: Api, job_id: UUID) -> None:
        self._api = api
        self.job_id = job_id

    @classmethod
    async def of_next_job(cls, api: Api) -> "Log":
        async with asyncio.timeout(LIMIT_S):
            log = cls(api, (await api.worker.seen.get()).job_id)
        await log.add("job.in_progress")
        return log

    async def add(self, kind: str, data: str = "{}") -> None:
        await self._api.worker.append_event(self.job_id, kind, data)

    async def end(self, status: JobStatus = JobStatus.COMPLETED, **fields: Any) -> None:
        end = JobEnd(job_id=self.job_id, status=status, finished_at=datetime.now(UTC), **fields)
        assert await self._api.worker.end(end)


async def test_chunks_come_as_they_are_recorded_and_once_more_for_the_same_key(api: Api):
    first, odd, last = chunk("hello"), '{"id":"c","choices":[],"huge":1e400}', chunk("", "stop")
    async with Reader(api, "s-live") as reader:
        log = await Log.of_next_job(api)
        await log.add("job.delta", delta(first, odd))
        assert [await reader.line(), await reader.line()] == [first, odd]
        await log.add("job.delta", delta(last))
        await log.end()
        assert await reader.rest() == [last, "[DONE]"]
    async with Reader(api, "s-live") as again:
        assert await again.rest() == [first, odd, last, "[DONE]"]


async def test_an_answer_that_begins_anew_ends_its_reader_and_is_told_whole_to_the_next(api: Api):
    async with Reader(api, "s-anew") as reader:
        log = await Log.of_next_job(api)
        await log.add("job.delta", delta(chunk("void")))
        assert await reader.line() == chunk("void")
        await log.add("job.retrying")
        (error,) = await reader.rest()
        assert orjson.loads(error)["error"]["code"] == "stream_interrupted"
    async with Reader(api, "s-anew") as again:
        await log.add("job.delta", delta(chunk("good", "stop")))
        assert await again.line() == chunk("good", "stop")
        await log.end()
        assert await again.rest() == ["[DONE]"]


async def test_a_beginning_that_nobody_read_is_left_out(api: Api):
    async with Reader(api, "s-unread") as reader:
        log = await Log.of_next_job(api)
        await log.add("job.retrying")
        await log.add("job.delta", delta(chunk("good", "stop")))
        await log.end()
        assert await reader.rest() == [chunk("good", "stop"), "[DONE]"]


async def test_a_stream_that_broke_ends_with_its_error(api: Api):
    async with Reader(api, "s-broke") as reader:
        log = await Log.of_next_job(api)
        await log.add("job.delta", delta(chunk("half")))
        await log.end(JobStatus.INCOMPLETE, failure=BROKEN)
        half, error = await reader.rest()
    assert half == chunk("half")
    assert orjson.loads(error)["error"]["code"] == "provider_protocol_error"


async def test_an_answer_of_which_the_log_has_the_beginning_only_is_not_called_done(api: Api):
    async with Reader(api, "s-cut") as reader:
        log = await Log.of_next_job(api)
        await log.add("job.delta", delta(chunk("the beginning")))
        await log.end(result_ref="somewhere")
        beginning, error = await reader.rest()
    assert beginning == chunk("the beginning")
    assert orjson.loads(error)["error"]["code"] == "stream_interrupted"


async def test_a_job_that_fails_before_its_first_chunk_answers_with_its_status(api: Api):
    async with Reader(api, "s-fail") as reader:
        log = await Log.of_next_job(api)
        await log.end(JobStatus.FAILED, failure=BROKEN)
        assert await reader.status() == 502


async def test_a_reader_that_leaves_does_not_end_the_job(api: Api):
    async with Reader(api, "s-leave") as reader:
        log = await Log.of_next_job(api)
        await log.add("job.delta", delta(chunk("a")))
        await reader.line()
    await log.add("job.delta", delta(chunk("b", "stop")))
    await log.end()
    assert api.worker.cancelled.empty()
    async with Reader(api, "s-leave") as again:
        assert await again.rest() == [chunk("a"), chunk("b", "stop"), "[DONE]"]


async def test_a_stop_of_ingress_tells_those_who_wait_to_ask_again(
    make_settings: Callable[..., IngressSettings], alice: Tenant
):
    async with serve(make_settings(), alice) as api, Reader(api, "s-stop") as reader:
        await Log.of_next_job(api)
        await api.stop()
        assert await reader.status() == 503


async def test_a_time_limit_ends_the_wait_of_a_stream(api: Api):
    headers = {"Idempotency-Key": "s-late", "Cancel-After": "0.5"}
    async with api.http.post(CHAT, json=hello("sim/silent", stream=True), headers=headers) as answer:
        assert (answer.status, (await answer.json())["error"]["code"]) == (504, "deadline_exceeded")

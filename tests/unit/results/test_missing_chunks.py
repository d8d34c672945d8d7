"""Chunks that were overtaken: a reader of the events gets the whole answer all the same, and in order."""

import orjson
import pytest

from services.results.domain.lifecycle import apply
from services.results.domain.records import JobRecord
from shared.contracts.jobs import JobStatus
from tests.support.store import Job
from tests.unit.results.test_lifecycle import NOW, A, B, feed, types

WHOLE = orjson.dumps(
    {
        "id": "c-1",
        "object": "chat.completion",
        "choices": [
            {"index": 0, "message": {"role": "assistant", "content": "a b c"}, "finish_reason": "stop"}
        ],
        "usage": {"prompt_tokens": 1},
    }
)
"""What the three deltas of a start say together."""


def chunks(record: JobRecord) -> list[dict]:
    return [
        chunk
        for event in record.events
        if event.type == "job.delta"
        for chunk in orjson.loads(event.data)["chunks"]
    ]


def test_a_stream_that_is_complete_is_not_repeated(job: Job, record: JobRecord) -> None:
    feed(record, job.started(A), job.delta(A, 0), job.delta(A, 1), job.finished(A, body=WHOLE, deltas=2))
    assert types(record) == ["job.in_progress", "job.delta", "job.delta"]


def test_a_delta_that_was_overtaken_stops_the_stream_and_the_end_brings_all_of_it(
    job: Job, record: JobRecord
) -> None:
    late = job.delta(A, 1)
    assert feed(record, job.started(A), job.delta(A, 0), job.delta(A, 2)) == [True, True, False]
    assert apply(record, job.finished(A, body=WHOLE, deltas=3), now=NOW)
    assert not apply(record, late, now=NOW)
    assert types(record) == ["job.in_progress", "job.delta", "job.in_progress", "job.delta"]
    (again,) = chunks(record)[1:]
    assert again["object"] == "chat.completion.chunk"
    assert again["choices"] == [
        {"index": 0, "finish_reason": "stop", "delta": {"role": "assistant", "content": "a b c"}}
    ]
    assert record.end is not None
    assert record.end.result == WHOLE.decode()


def test_a_delta_that_was_overtaken_goes_on_where_it_comes_before_the_next_one_again(
    job: Job, record: JobRecord
) -> None:
    feed(record, job.started(A), job.delta(A, 1), job.delta(A, 0), job.delta(A, 1))
    feed(record, job.finished(A, body=WHOLE, deltas=2))
    assert types(record) == ["job.in_progress", "job.delta", "job.delta"]


def test_the_answer_of_an_earlier_start_replaces_the_chunks_of_the_later_one(
    job: Job, record: JobRecord
) -> None:
    feed(record, job.started(A), job.delta(A, 0), job.started(B), job.delta(B, 0))
    feed(record, job.finished(A, body=WHOLE, deltas=1))
    assert types(record)[-2:] == ["job.in_progress", "job.delta"]
    assert chunks(record)[-1]["choices"][0]["delta"]["content"] == "a b c"


@pytest.mark.parametrize("status", [JobStatus.FAILED, JobStatus.CANCELLED])
def test_an_end_without_an_answer_adds_nothing(job: Job, record: JobRecord, status: JobStatus) -> None:
    feed(record, job.started(A), job.delta(A, 1), job.finished(A, status, deltas=2))
    assert types(record) == ["job.in_progress"]


def test_tool_calls_are_numbered_as_chunks_number_them(job: Job, record: JobRecord) -> None:
    call = {"id": "t-1", "type": "function", "function": {"name": "f", "arguments": "{}"}}
    message = {"role": "assistant", "content": None, "tool_calls": [call]}
    whole = orjson.dumps({"object": "chat.completion", "choices": [{"index": 0, "message": message}]})
    feed(record, job.started(A), job.finished(A, body=whole, deltas=1))
    assert chunks(record)[0]["choices"][0]["delta"]["tool_calls"] == [{"index": 0, **call}]


def test_a_completion_is_repeated_in_its_own_shape(job: Job, record: JobRecord) -> None:
    whole = {"object": "text_completion", "choices": [{"index": 0, "text": "a b", "finish_reason": "stop"}]}
    feed(record, job.started(A), job.finished(A, body=orjson.dumps(whole), deltas=1))
    assert chunks(record) == [whole]


def test_a_whole_answer_with_half_a_character_is_brought_too(job: Job, record: JobRecord) -> None:
    whole = WHOLE.replace(b"a b c", b"a \\ud83d")
    assert feed(record, job.started(A), job.finished(A, body=whole, deltas=1)) == [True, True]
    assert record.end is not None
    (delta,) = (event.data for event in record.events if event.type == "job.delta")
    assert '"content": "a \\ud83d"' in delta

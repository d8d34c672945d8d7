import asyncio
from datetime import UTC, datetime, timedelta

import pytest

from services.provider_worker.adapters.http_errors import error_for, retry_after_s
from services.provider_worker.domain.backoff import retry_at
from services.provider_worker.domain.coalescing import Coalescer
from services.provider_worker.domain.estimate import estimated_tokens
from services.provider_worker.domain.queues import select_queues
from services.provider_worker.domain.tokens import Tokens, tokens_of
from services.provider_worker.settings import WorkerSettings
from shared.contracts.ids import new_id
from shared.contracts.jobs import JobRequested, Lane, Operation
from shared.errors import ProviderProtocolError, ProviderRejectedError, ProviderUnavailableError

NOW = datetime(2026, 1, 1, tzinfo=UTC)


def request(**fields):
    return JobRequested(
        **{
            "job_id": new_id(),
            "tenant_id": new_id(),
            "request_id": "r",
            "operation": Operation.CHAT,
            "lane": Lane.BATCH,
            "model": "m",
            "background": True,
            "max_attempts": 5,
            "deadline_at": NOW + timedelta(hours=1),
            "created_at": NOW,
            **fields,
        }
    )


def test_waits_double_and_are_spread():
    error = ProviderUnavailableError("p", "away")
    waits = [retry_at(request(attempt=n), error, now=NOW, jitter=lambda: 1.0) - NOW for n in (1, 2, 3, 4)]
    assert [wait.total_seconds() for wait in waits] == [1, 2, 4, 8]
    assert retry_at(request(), error, now=NOW, jitter=lambda: 0.0) == NOW


def test_the_provider_knows_best_how_long_to_wait():
    error = ProviderUnavailableError("p", "away", retry_after_s=90)
    assert retry_at(request(), error, now=NOW) == NOW + timedelta(seconds=90)


@pytest.mark.parametrize(
    "fields",
    [{"attempt": 5}, {"background": False}, {"deadline_at": NOW + timedelta(seconds=89)}],
)
def test_no_attempt_is_planned_that_cannot_help(fields):
    error = ProviderUnavailableError("p", "away", retry_after_s=90)
    assert retry_at(request(**fields), error, now=NOW) is None


def test_a_rejection_is_not_tried_again():
    assert retry_at(request(), ProviderRejectedError("p", "no", status=400), now=NOW) is None


@pytest.mark.parametrize(
    ("headers", "seconds"),
    [
        ({}, None),
        ({"Retry-After": "3"}, 3),
        ({"Retry-After": "0.5"}, 0.5),
        ({"Retry-After": "9", "retry-after-ms": "250"}, 0.25),
        ({"Retry-After": "soon"}, None),
        ({"Retry-After": "-1"}, None),
        ({"Retry-After": "nan"}, None),
        ({"Retry-After": "Wed, 21 Oct 2015 07:28:00 GMT"}, 0),
    ],
)
def test_retry_after_is_read_in_all_its_forms(headers, seconds):
    assert retry_after_s(headers) == seconds


def test_retry_after_may_be_a_date_ahead():
    ahead = datetime.now(UTC) + timedelta(seconds=100)
    found = retry_after_s({"Retry-After": ahead.strftime("%a, %d %b %Y %H:%M:%S GMT")})
    assert found is not None
    assert 97 < found <= 100


@pytest.mark.parametrize(
    ("body", "message", "param"),
    [
        (b'{"error":{"message":"too long","param":"messages"}}', "too long", "messages"),
        (b'{"error":"plain"}', "plain", None),
        (b'{"message":"top","param":3}', "top", None),
        (b'[{"error":{"message":"listed"}}]', "listed", None),
        (b"<html>", "p answered with HTTP status 400.", None),
        (b'{"detail":[{"loc":["body"]}]}', "[{'loc': ['body']}]", None),
    ],
)
def test_the_words_of_a_provider_are_found(body, message, param):
    error = error_for("p", 400, {}, body)
    assert (error.message, error.param) == (message, param)


@pytest.mark.parametrize("said", [0, -1, 10**12 + 1, 2**63, 1.5, "7", None])
def test_what_is_no_count_of_tokens_is_none(said):
    assert tokens_of({"prompt_tokens": said, "completion_tokens": 7}) == Tokens(output=7)


def test_long_words_are_cut():
    assert len(error_for("p", 400, {}, b'{"error":"' + b"x" * 9000 + b'"}').message) == 2000


def test_a_redirect_is_an_error_that_names_the_cause():
    error = error_for("p", 302, {}, b"")
    assert isinstance(error, ProviderProtocolError)
    assert "base_url" in error.message


def test_patterns_choose_queues_with_their_lanes():
    assert select_queues(["jobs.chat.*", "jobs.embedding.batch"]) == [
        ("jobs.chat.interactive.v1", Lane.INTERACTIVE),
        ("jobs.chat.standard.v1", Lane.STANDARD),
        ("jobs.chat.batch.v1", Lane.BATCH),
        ("jobs.embedding.batch.v1", Lane.BATCH),
    ]
    assert len(select_queues(())) == 12


def test_a_pattern_that_means_nothing_is_refused_early():
    with pytest.raises(ValueError, match="matches no queue"):
        WorkerSettings(queues=("jobs.chatt.*",))


def test_a_cut_stream_is_estimated_by_its_texts():
    body = (
        b'{"messages":[{"content":"12345678"},{"content":[{"text":"1234"},{"image_url":{"url":"data:xx"}}]}]}'
    )
    assert estimated_tokens(body, 7) == Tokens(input=3, output=7)
    assert estimated_tokens(b'{"prompt":["12345"]}', 1) == Tokens(input=2, output=1)


async def test_the_first_chunk_goes_at_once_and_the_rest_in_few_messages():
    sent = []
    first = asyncio.Event()

    async def send(lines):
        sent.append(lines)
        first.set()

    coalescer = Coalescer(send, interval_s=60)
    async with asyncio.TaskGroup() as group:
        group.create_task(coalescer.run())
        coalescer.add(b"1")
        await first.wait()
        for number in range(2, 6):
            coalescer.add(b"%d" % number)
        coalescer.close()
    assert sent == [b"1", b"2\n3\n4\n5"]


async def test_messages_stay_small():
    sent = []

    async def send(lines):
        sent.append(lines)

    coalescer = Coalescer(send, interval_s=0.001)
    for _ in range(10):
        coalescer.add(b"x" * 30_000)
    coalescer.close()
    await coalescer.run()
    assert len(sent) == 5
    assert all(len(lines) <= 64 * 1024 for lines in sent)

"""Batches over HTTP: what is refused, and what another tenant sees."""

from typing import Any

import openai
import pytest

from tests.integration.ingress.conftest import Api, Tenant
from tests.integration.ingress.test_bad_requests import error_of

BATCHES = "/v1/batches"
NOBODY = "file-" + "0" * 32


def submission(**fields: Any) -> dict[str, Any]:
    whole = {
        "input_file_id": NOBODY,
        "endpoint": "/v1/chat/completions",
        "completion_window": "24h",
        **fields,
    }
    return {name: value for name, value in whole.items() if value is not ...}


MISTAKES: list[tuple[dict[str, Any], int, str]] = [
    ({"input_file_id": ...}, 400, "input_file_id"),
    ({"input_file_id": 7}, 400, "input_file_id"),
    ({"input_file_id": "abc"}, 404, "input_file_id"),
    ({}, 404, "input_file_id"),
    ({"endpoint": ...}, 400, "endpoint"),
    ({"endpoint": "/v1/responses"}, 422, "endpoint"),
    ({"completion_window": ...}, 400, "completion_window"),
    ({"completion_window": "soon"}, 422, "completion_window"),
    ({"completion_window": "0h"}, 422, "completion_window"),
    ({"completion_window": "8d"}, 422, "completion_window"),
    ({"colour": "red"}, 400, "colour"),
    ({"metadata": []}, 400, "metadata"),
    ({"metadata": {"a": 1}}, 400, "metadata.a"),
    ({"metadata": {"a": "x" * 513}}, 422, "metadata.a"),
    ({"metadata": {"a" * 65: "x"}}, 422, "metadata." + "a" * 65),
    ({"metadata": {f"k{n}": "x" for n in range(17)}}, 422, "metadata"),
    ({"metadata": {"a": "\0"}}, 422, "metadata"),
    ({"output_expires_after": 7}, 400, "output_expires_after"),
    ({"output_expires_after": {"seconds": 4000}}, 422, "output_expires_after.anchor"),
    (
        {"output_expires_after": {"anchor": "created_at", "seconds": 1}},
        422,
        "output_expires_after.seconds",
    ),
]


async def test_a_submission_that_cannot_be_used_says_why(api: Api):
    for fields, status, param in MISTAKES:
        async with api.http.post(BATCHES, json=submission(**fields)) as answer:
            assert (answer.status, (await error_of(answer))["param"]) == (status, param)


async def test_an_input_must_have_been_uploaded_for_batches(api: Api):
    file = await api.openai.files.create(file=b"{}", purpose="user_data")
    async with api.http.post(BATCHES, json=submission(input_file_id=file.id)) as answer:
        assert answer.status == 400
        assert (await error_of(answer))["param"] == "input_file_id"


async def test_a_batch_of_another_tenant_does_not_exist(api: Api, bob: Tenant):
    file = await api.openai.files.create(file=b"{}", purpose="batch")
    batch = await api.openai.batches.create(
        input_file_id=file.id,
        endpoint="/v1/embeddings",
        completion_window="24h",
        output_expires_after={"anchor": "created_at", "seconds": 3600},
    )
    assert (batch.status, batch.expires_at) == ("validating", batch.created_at + 86_400)
    async with openai.AsyncOpenAI(base_url=f"{api.url}/v1", api_key=bob.api_key, max_retries=0) as stranger:
        for ask in (stranger.batches.retrieve, stranger.batches.cancel):
            with pytest.raises(openai.NotFoundError):
                await ask(batch.id)
        assert [one async for one in stranger.batches.list()] == []
    assert (await api.openai.batches.retrieve(batch.id)).status == "validating"


async def test_batches_are_listed_page_by_page_newest_first(api: Api):
    file = await api.openai.files.create(file=b"{}", purpose="batch")
    made = [
        await api.openai.batches.create(
            input_file_id=file.id, endpoint="/v1/embeddings", completion_window="1h"
        )
        for _ in range(3)
    ]
    newest = [one.id async for one in api.openai.batches.list(limit=2)][:3]
    assert newest == [batch.id for batch in reversed(made)]
    for query in ("limit=101", "after=file-1", "order=asc"):
        async with api.http.get(f"{BATCHES}?{query}") as answer:
            assert answer.status == 422
            assert (await error_of(answer))["param"] == query.partition("=")[0]


async def test_cancelling_twice_is_as_good_as_once(api: Api):
    file = await api.openai.files.create(file=b"{}", purpose="batch")
    batch = await api.openai.batches.create(
        input_file_id=file.id, endpoint="/v1/embeddings", completion_window="1h"
    )
    first = await api.openai.batches.cancel(batch.id)
    second = await api.openai.batches.cancel(batch.id)
    assert (first.status, second.cancelling_at) == ("cancelling", first.cancelling_at)

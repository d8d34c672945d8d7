"""Requests on their way to a provider's batch, and what its files say of them."""

import json
from decimal import Decimal
from uuid import UUID

import pytest

from services.provider_worker.domain.batch_answers import read_batch_answer
from services.provider_worker.domain.batch_input import for_provider
from services.provider_worker.domain.costs import reduced
from shared.contracts.jobs import Operation, Usage
from shared.contracts.provider_batches import line_id

JOB = UUID("019a0000-0000-7000-8000-000000000001")


def written(response: object, error: object = None, custom_id: object = line_id(JOB, 7)) -> bytes:
    return json.dumps({"custom_id": custom_id, "response": response, "error": error}).encode()


def test_an_answer_stays_byte_for_byte() -> None:
    body = b'{"choices": [{"x" :1e400}],  "usage": {"prompt_tokens": 3, "completion_tokens": 2}}'
    text = b'{"custom_id": "%s", "response": {"status_code": 200, "body": %s}, "error": null}' % (
        line_id(JOB, 7).encode(),
        body,
    )
    found = read_batch_answer("openai", Operation.CHAT, text)
    assert found is not None
    assert (found.job_id, found.line, found.refusal) == (JOB, 7, None)
    assert found.answer is not None
    assert (found.answer.body, found.answer.tokens.input, found.answer.tokens.output) == (body, 3, 2)


def test_a_refusal_is_the_end_of_its_job() -> None:
    body = {"error": {"message": "no such thing", "param": "top_k"}}
    found = read_batch_answer("openai", Operation.CHAT, written({"status_code": 400, "body": body}))
    assert found is not None
    assert found.refusal is not None
    assert (found.refusal.message, found.refusal.param, found.refusal.status) == (
        "no such thing",
        "top_k",
        400,
    )


@pytest.mark.parametrize(
    "text",
    [
        written(None, {"code": "batch_expired", "message": "late"}),
        written({"status_code": 500, "body": {}}),
        written({"status_code": 429, "body": {}}),
        written({"status_code": 401, "body": {}}),
        written({"status_code": 200, "body": {"choices": []}}),
        written({"status_code": 200}),
        written({"status_code": "200", "body": {"choices": [1]}}),
        written({"status_code": 200, "body": {"choices": [1]}}, custom_id="another's"),
        b"[]",
        b"{",
        b"",
    ],
)
def test_everything_else_is_left_to_a_live_call(text: bytes) -> None:
    assert read_batch_answer("openai", Operation.CHAT, text) is None


def test_requests_get_the_providers_name_of_the_model_and_nothing_else_changes() -> None:
    lines = (
        b'{"custom_id":"a","method":"POST","url":"/v1/chat/completions",'
        b'"body":{"model":"patient", "x": 1e400,"service_tier":"batch"}}\n'
    )
    assert for_provider(2 * lines, "gpt-4o-mini") == 2 * (
        b'{"custom_id":"a","method":"POST","url":"/v1/chat/completions",'
        b'"body":{"model":"gpt-4o-mini", "x": 1e400,"service_tier":"auto"}}\n'
    )


def test_the_price_of_a_batch_is_a_part_of_the_list_price_rounded_up() -> None:
    usage = Usage(input_tokens=3, output_tokens=5, cost_microusd=7)
    assert reduced(usage, Decimal("0.5")) == Usage(input_tokens=3, output_tokens=5, cost_microusd=4)
    assert reduced(Usage(input_tokens=3), Decimal("0.5")) == Usage(input_tokens=3)

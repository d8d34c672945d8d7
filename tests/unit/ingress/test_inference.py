import orjson
import pytest

from services.ingress.domain.inference import read_inference
from shared.contracts.jobs import Operation
from shared.errors import InvalidRequestError

TEXT = [{"type": "text", "text": "x"}]


@pytest.mark.parametrize(
    "message",
    [
        {"role": "user", "content": "x"},
        {"role": "user", "content": ""},
        {"role": "user", "content": TEXT},
        {"role": "developer", "content": "x", "name": "n"},
        {"role": "assistant", "content": None, "tool_calls": []},
        {"role": "assistant", "tool_calls": []},
        {"role": "tool", "content": "x", "tool_call_id": "t"},
        {"role": "a role of a local template", "content": "x"},
    ],
)
def test_what_providers_take_is_taken(message: dict[str, object]):
    body = orjson.dumps({"model": "m", "messages": [message], "anything": {"else": [None]}, "n": None})
    inference = read_inference(Operation.CHAT, body)
    assert inference.body is body
    assert (inference.stream, inference.include_usage) == (False, False)


@pytest.mark.parametrize("content", ["", "a", ["a", "b"], [1, 2], [[1], [2, 3]]])
def test_a_prompt_may_be_text_or_tokens(content: object):
    read_inference(Operation.COMPLETION, orjson.dumps({"model": "m", "prompt": content}))


@pytest.mark.parametrize(
    ("message", "param"),
    [
        ({"content": "x"}, "messages[0].role"),
        ({"role": None, "content": "x"}, "messages[0].role"),
        ({"role": "user", "content": None}, "messages[0].content"),
        ({"role": "user", "content": [TEXT]}, "messages[0].content[0]"),
        ({"role": "user", "content": [*TEXT, {"type": 1}]}, "messages[0].content[1].type"),
        ({"role": "user", "content": {"type": "text"}}, "messages[0].content"),
    ],
)
def test_the_field_at_fault_is_named(message: dict[str, object], param: str):
    with pytest.raises(InvalidRequestError) as raised:
        read_inference(Operation.CHAT, orjson.dumps({"model": "m", "messages": [message]}))
    assert raised.value.param == param
